"""Bodies and queries of /containers."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from container_manager.api.schemas.base import WHOLE, Body, Commas, Query, fault
from container_manager.api.schemas.fields import (
    Address,
    CommandLine,
    Environment,
    EnvironmentChanges,
    Image,
    Memory,
    Name,
    Restart,
    Seconds,
    ShellLine,
    Tags,
    User,
    Words,
    split_command,
)
from container_manager.models import PortMapping, Protocol, Resources, Status


class PortBody(Body):
    """One port to publish. Without `host` (or 0) the engine chooses a free one."""

    host: Annotated[int, Field(ge=0, le=65535), WHOLE] = 0
    container: Annotated[int, Field(ge=1, le=65535), WHOLE]
    protocol: Protocol = "tcp"
    host_ip: Address | None = None

    def mapping(self) -> PortMapping:
        """As the services know it."""
        return PortMapping(self.host, self.container, self.protocol, self.host_ip or "")


def _unique_ports(ports: list[PortBody]) -> list[PortBody]:
    seen: set[tuple[int, str, str]] = set()
    for port in ports:
        key = (port.host, port.protocol, port.host_ip or "")
        if port.host and key in seen:
            raise fault("DUPLICATE_PORT", f"Host port {port.host}/{port.protocol} is asked for twice")
        seen.add(key)
    return ports


Ports = Annotated[list[PortBody], Field(max_length=256), AfterValidator(_unique_ports)]


class ResourcesBody(Body):
    """Limits; what is left out keeps its value, at creation the default of the server."""

    cpus: float | None = Field(None, ge=0.01, le=4096, allow_inf_nan=False, examples=[1.0])
    memory: Memory | None = None
    pids: Annotated[int, Field(ge=1, le=4194304, examples=[256]), WHOLE] | None = None

    def limits(self) -> Resources:
        """As the services know it."""
        return Resources(self.cpus, self.memory, self.pids)


class CreateContainer(Body):
    """A container to create. Only `image` is required."""

    image: Image
    name: Name | None = None
    env: Environment = Field(default_factory=dict, examples=[{"APP_ENV": "production"}])
    tags: Tags = Field(default_factory=list)
    resources: ResourcesBody = ResourcesBody()
    ports: Ports = Field(default_factory=list)
    command: CommandLine | None = Field(None, description="Runs instead of boot.py; a string is split into words")
    user: User | None = None
    restart: Restart | None = None
    ttl: Seconds = Field(0, description="Seconds from its start until it is stopped; 0: never")
    idle_timeout: Seconds = Field(
        0, description="Seconds without requests, terminal input or network traffic until it is stopped; 0: never"
    )
    start: bool = Field(False, description="Start it too; when that fails, nothing is created")


class UpdateContainer(Body):
    """Changes to a container; what is left out stays."""

    image: Image | None = None
    env: EnvironmentChanges | None = Field(
        None, description="Merged; null removes a variable", examples=[{"NEW": "value", "OLD": None}]
    )
    tags: Tags | None = Field(None, description="Replaces all tags")
    resources: ResourcesBody | None = Field(None, description="Merged")
    ports: Ports | None = Field(None, description="Replaces all ports")
    ttl: Seconds | None = Field(None, description="0 takes it away")
    idle_timeout: Seconds | None = Field(None, description="0 takes it away")


class UpdatePorts(Body):
    """The whole list of published ports."""

    ports: Ports


class ListQuery(Query):
    """Filters and pages of the list."""

    status: Commas[Status] = Field((), description="Only these statuses, by commas")
    tag: str | None = Field(None, description="Only containers with this tag")
    limit: int = Field(50, ge=1, le=1000)
    cursor: str | None = Field(None, description="`next_cursor` of the page before", max_length=512)


class DeleteQuery(Query):
    """How to delete."""

    force: bool = Field(False, description="Also when it runs")
    keep_files: bool = Field(False, description="Leave mounts/<cuid> on the disk")


class LogsQuery(Query):
    """Which part of the logs."""

    tail: Annotated[int, Field(ge=0, le=1_000_000)] | Literal["all"] = Field(100, description="Last lines, or all")
    follow: bool = Field(False, description="Go on until the container ends")
    since: str | None = Field(
        None,
        description="From this moment on: RFC 3339, Unix seconds, or an age as 10m",
        pattern=r"^(\d{1,12}(\.\d{1,9})?|(\d{1,9}(\.\d{1,9})?(ms|s|m|h))+|"
        r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)$",
        max_length=64,
    )
    timestamps: bool = False


def _words(value: list[str]) -> list[str]:
    split_command(value)
    return value


class ExecBody(Body):
    """A command to run in the container. A string is run by the shell, a list as it stands."""

    may_hold_nul = frozenset({"stdin"})

    command: ShellLine | Annotated[Words, AfterValidator(_words)]
    user: User | None = None
    workdir: str | None = Field(None, pattern=r"^/", max_length=4095)
    env: Environment | None = None
    stdin: str = Field("", description="Given to the command as it is", max_length=4 << 20)
    timeout: float | None = Field(
        None, gt=0, le=86400, allow_inf_nan=False, description="Seconds; by default REQUEST_TIMEOUT"
    )

    def words(self) -> list[str]:
        """The command as arguments."""
        return ["sh", "-c", self.command] if isinstance(self.command, str) else self.command
