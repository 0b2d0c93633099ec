"""Bodies, queries and answers of /containers."""

import ipaddress
import re
import shlex
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from container_manager.api.schemas.base import Answer, Body, Commas, Query, fault
from container_manager.models import PortMapping, Protocol, Resources, Status, parse_cuid
from container_manager.settings import parse_size
from container_manager.store.compose_file import OWN_VARIABLES

LONGEST_STRING = 128 * 1024
"""Bytes of one argument or variable that Linux passes to a program (MAX_ARG_STRLEN, execve(2))."""

LARGEST_ENVIRONMENT = 1024 * 1024
"""Bytes of all variables together, well below the 2 MiB that execve(2) has for both kinds."""

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?"
_IMAGE = (
    rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
"""An image reference as the distribution specification writes it."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def _image(value: str) -> str:
    if not re.fullmatch(_IMAGE, value) or len(value) > 400:
        raise fault("INVALID_IMAGE", "Not an image reference; write for example python:3.12-slim")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", value) or parse_cuid(value):
        raise fault("INVALID_NAME", "A name has 1 to 63 letters, digits, '_', '.' and '-', a letter or digit first")
    return value


def _memory(value: str) -> str:
    if not re.fullmatch(r"\d+(?:\.\d+)?[bkmgBKMG]?[bB]?", value):
        raise fault("INVALID_MEMORY", "Not an amount of memory; write for example 512m or 4g")
    size = parse_size(value.lower().removesuffix("b") or "0")
    if not 6 << 20 <= size < 1 << 60:
        raise fault("INVALID_MEMORY", "A container needs at least 6m of memory")
    return value


def _user(value: str) -> str:
    word = r"(?:[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?|\d{1,10})"
    if not re.fullmatch(rf"{word}(?::{word})?", value):
        raise fault("INVALID_USER", "Not a user; write a name, a uid, or uid:gid")
    if any(part.isdigit() and int(part) > 2**31 - 1 for part in value.split(":")):
        raise fault("INVALID_USER", "A uid or gid is at most 2147483647")
    return value


def _restart(value: str) -> str:
    if not re.fullmatch(r"no|always|unless-stopped|on-failure(?::[1-9]\d{0,4})?", value):
        raise fault("INVALID_RESTART", "One of no, always, unless-stopped, on-failure, on-failure:N")
    return value


def _tag(value: str) -> str:
    if not 0 < len(value) <= 128 or "," in value or _UNPRINTABLE.search(value):
        raise fault("INVALID_TAG", "A tag has 1 to 128 characters, no comma, no control character")
    return value


def _address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        address = None
    if address is None or "%" in value:
        raise fault("INVALID_ADDRESS", "Not an IP address; write for example 127.0.0.1")
    return str(address)


def check_environment[V: (str, str | None)](env: dict[str, V]) -> dict[str, V]:
    """Names that a shell could have, none of the server's own, values that Linux can pass on."""
    total = 0
    for name, value in env.items():
        if not _VARIABLE.fullmatch(name):
            raise fault("INVALID_VARIABLE", f"{name!r:.80} is no name of a variable: letters, digits, '_', '.', '-'")
        if name in OWN_VARIABLES:
            raise fault("RESERVED_VARIABLE", f"{name} is set by the server; choose another name")
        size = len(name) + len((value or "").encode("utf-8", "surrogatepass")) + 2
        if size > LONGEST_STRING:
            raise fault("VALUE_TOO_LONG", f"{name} is longer than the {LONGEST_STRING} bytes that Linux passes on")
        total += size
    if total > LARGEST_ENVIRONMENT:
        raise fault("VALUE_TOO_LONG", f"All variables together are over {LARGEST_ENVIRONMENT} bytes")
    return env


def split_command(command: str | list[str]) -> tuple[str, ...]:
    """The words of a command; a string is split as a shell splits it."""
    try:
        words = tuple(shlex.split(command) if isinstance(command, str) else command)
    except ValueError as error:
        raise fault("INVALID_COMMAND", f"The command cannot be split into words: {error}") from None
    if not words or not words[0]:
        raise fault("INVALID_COMMAND", "The command is empty")
    if any(len(word.encode("utf-8", "surrogatepass")) >= LONGEST_STRING for word in words) or len(words) > 4096:
        raise fault("VALUE_TOO_LONG", f"A command has at most 4096 words of {LONGEST_STRING} bytes")
    return words


def _command(value: str | list[str]) -> str | list[str]:
    split_command(value)
    return value


def _unique_ports(ports: "list[PortBody]") -> "list[PortBody]":
    seen: set[tuple[int, str, str]] = set()
    for port in ports:
        key = (port.host, port.protocol, port.host_ip or "")
        if port.host and key in seen:
            raise fault("DUPLICATE_PORT", f"Host port {port.host}/{port.protocol} is asked for twice")
        seen.add(key)
    return ports


Image = Annotated[str, AfterValidator(_image), Field(examples=["python:3.12-slim"])]
Name = Annotated[str, AfterValidator(_name), Field(examples=["student-7"])]
Tag = Annotated[str, AfterValidator(_tag)]
Tags = Annotated[list[Tag], Field(max_length=64, examples=[["web", "production"]])]
User = Annotated[str, AfterValidator(_user), Field(examples=["1000:1000"])]
CommandLine = Annotated[str | list[str], AfterValidator(_command), Field(examples=[["sleep", "300"]])]


class PortBody(Body):
    """One port to publish. Without `host` (or 0) the engine chooses a free one."""

    host: int = Field(0, ge=0, le=65535)
    container: int = Field(ge=1, le=65535)
    protocol: Protocol = "tcp"
    host_ip: Annotated[str, AfterValidator(_address)] | None = None

    def mapping(self) -> PortMapping:
        """As the services know it."""
        return PortMapping(self.host, self.container, self.protocol, self.host_ip or "")


Ports = Annotated[list[PortBody], Field(max_length=256), AfterValidator(_unique_ports)]


class ResourcesBody(Body):
    """Limits; what is left out keeps its value, at creation the default of the server."""

    cpus: float | None = Field(None, ge=0.01, le=4096, allow_inf_nan=False, examples=[1.0])
    memory: Annotated[str, AfterValidator(_memory)] | None = Field(None, examples=["512m"])
    pids: int | None = Field(None, ge=1, le=4194304, examples=[256])

    def limits(self) -> Resources:
        """As the services know it."""
        return Resources(self.cpus, self.memory, self.pids)


class CreateContainer(Body):
    """A container to create. Only `image` is required."""

    image: Image
    name: Name | None = None
    env: Annotated[dict[str, str], AfterValidator(check_environment)] = Field(
        default_factory=dict, max_length=4096, examples=[{"APP_ENV": "production"}]
    )
    tags: Tags = Field(default_factory=list)
    resources: ResourcesBody = ResourcesBody()
    ports: Ports = Field(default_factory=list)
    command: CommandLine | None = Field(None, description="Runs instead of boot.py; a string is split into words")
    user: User | None = None
    restart: Annotated[str, AfterValidator(_restart)] | None = Field(None, examples=["unless-stopped"])
    start: bool = Field(False, description="Start it too; when that fails, nothing is created")


class UpdateContainer(Body):
    """Changes to a container; what is left out stays."""

    image: Image | None = None
    env: Annotated[dict[str, str | None], AfterValidator(check_environment)] | None = Field(
        None, max_length=4096, description="Merged; null removes a variable", examples=[{"NEW": "value", "OLD": None}]
    )
    tags: Tags | None = Field(None, description="Replaces all tags")
    resources: ResourcesBody | None = Field(None, description="Merged")
    ports: Ports | None = Field(None, description="Replaces all ports")


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


class ExecBody(Body):
    """A command to run in the container. A string is run by the shell, a list as it stands."""

    may_hold_nul = frozenset({"stdin"})

    command: CommandLine
    user: User | None = None
    workdir: str | None = Field(None, pattern=r"^/", max_length=4096)
    env: Annotated[dict[str, str], AfterValidator(check_environment)] | None = None
    stdin: str = Field("", description="Given to the command as it is", max_length=4 << 20)
    timeout: float | None = Field(
        None, gt=0, le=86400, allow_inf_nan=False, description="Seconds; by default REQUEST_TIMEOUT"
    )

    def words(self) -> list[str]:
        """The command as arguments."""
        return ["sh", "-c", self.command] if isinstance(self.command, str) else self.command


class PortView(Answer):
    """One published port."""

    host: int
    container: int
    protocol: str
    host_ip: str


class ResourcesView(Answer):
    """Limits as the file has them."""

    cpus: float | None
    memory: str | None
    pids: int | None


class StatusView(Answer):
    """What the engine last said of a container."""

    cuid: str
    status: Status
    exit_code: int | None
    started_at: str | None
    finished_at: str | None
    ports: list[PortView] = Field(description="As really bound")
    oom_killed: bool
    problem: str | None = Field(description="What is wrong with its Compose file, and at which line")


class ContainerView(StatusView):
    """A container: its configuration and its state."""

    name: str | None
    image: str
    env: dict[str, str]
    tags: list[str]
    resources: ResourcesView
    ports: list[PortView] = Field(description="As configured")
    bound_ports: list[PortView] = Field(description="As really bound, while it runs")
    volumes: list[str] = Field(description="Host directories mounted beside /app, as source:target[:ro]")
    command: str | list[str] | None
    user: str | None
    restart: str | None
    runs: Literal["command", "boot", "image"] | None = Field(description="As decided at the last start")
    created_at: str


class UpdatedView(ContainerView):
    """A container after a change."""

    applied: Literal["recreated", "next_start", "unchanged"] = Field(description="When the change takes effect")


class StepView(StatusView):
    """A container's state after a step of its life."""

    changed: bool = Field(description="False when it was there already")


class ListView(Answer):
    """One page of containers, oldest first."""

    containers: list[ContainerView]
    next_cursor: str | None


class DeletedView(Answer):
    """A container that is gone."""

    cuid: str
    deleted: Literal[True] = True


class ExecView(Answer):
    """A command that ended."""

    exit_code: int = Field(description="128 + n when signal n ended it")
    stdout: str
    stderr: str
    encoding: Literal["utf8", "base64"] = Field(description="base64 when either is not UTF-8: both are then")
    duration_ms: float
