"""Bodies, queries and answers of /api/v1. The envelope (`success`, `timestamp`) is added to every answer."""

import base64
import binascii
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from container_manager.api.schemas.base import Answer, Body, Query, fault
from container_manager.api.schemas.fields import CommandLine, Environment, Image, Name, ShellLine, User
from container_manager.api.schemas.v1_forms import Ports, Volumes

LONGEST_PASSWORD = 512
"""Bytes; more cannot be typed at a login (PAM_MAX_RESP_SIZE)."""

# --- containers -------------------------------------------------------------------------------


class CreateNamed(Body):
    """A container to create and start. `image` and `name` are required."""

    image: Image
    name: Name
    command: CommandLine | None = Field(None, description="A string is split as a shell splits words")
    environment: Environment = Field(default_factory=dict, examples=[{"ENV_VAR": "value"}])
    ports: Ports = Field(default_factory=dict)
    volumes: Volumes = Field(default_factory=dict)
    user: User | None = None


class RemoveQuery(Query):
    """How to remove."""

    force: bool = Field(False, description="Also when it runs")


class TailQuery(Query):
    """Which part of the logs."""

    tail: int = Field(100, ge=0, le=1_000_000, description="Last lines")


class NamedView(Answer):
    """A container and its state. `id` is the engine's, short."""

    id: str
    name: str
    status: str


class ListedView(NamedView):
    """A container in the list."""

    image: str


class ListedContainers(Answer):
    """All containers that have a name, oldest first."""

    containers: list[ListedView]


class CreatedContainer(Answer):
    """The new container."""

    container: NamedView


class NamedStep(Answer):
    """Its name, and what it is now."""

    name: str
    status: Literal["started", "stopped"]


class StepTaken(Answer):
    """What was done to a container."""

    container: NamedStep


class RemovedName(Answer):
    """Its name."""

    name: str
    removed: Literal[True] = True


class RemovedContainer(Answer):
    """A container that is gone."""

    container: RemovedName


class LogText(Answer):
    """stdout and stderr in order; bytes that are not UTF-8 are replaced."""

    logs: str


class ContainerLogs(Answer):
    """What a container printed."""

    container: LogText


# --- inside a container -----------------------------------------------------------------------


class ExecuteCommand(Body):
    """A command line for the container's shell."""

    command: ShellLine
    user: User | None = None


class ExecutedCommand(Answer):
    """Its exit code, and stdout and stderr together, in order."""

    exit_code: int = Field(description="128 + n when signal n ended it")
    output: str
    encoding: Literal["base64"] | None = Field(
        None, exclude_if=lambda value: value is None, description="Only there when `output` is base64: it is not UTF-8"
    )
    success: bool = Field(description="Whether the exit code is 0")


class Execution(Answer):
    """A command that ended."""

    execution: ExecutedCommand


def _password(value: str) -> str:
    if len(value.encode()) > LONGEST_PASSWORD:
        raise fault("INVALID_PASSWORD", f"A password has at most {LONGEST_PASSWORD} bytes")
    return value


class AddUser(Body):
    """A user account to make. Without a password nobody can log in to it."""

    username: str = Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$", examples=["newuser"])
    password: Annotated[str, AfterValidator(_password)] | None = Field(None, min_length=1)
    shell: str = Field(
        "/bin/bash",
        pattern=r"^(/[A-Za-z0-9._+-]+)+$",
        max_length=255,
        description="/bin/sh is taken instead where the container does not have it",
    )


class NamedUser(Answer):
    """Its name."""

    username: str
    created: Literal[True] = True


class AddedUser(Answer):
    """The new account."""

    user: NamedUser


def _path(value: str) -> str:
    parts = value.split("/")
    if not value.startswith("/") or value.endswith("/") or {".", ".."} & set(parts):
        raise fault("INVALID_PATH", "The path of a file is absolute, without '.' and '..' and no '/' at its end")
    if any(len(part.encode()) > 255 for part in parts) or len(value.encode()) > 4000:
        raise fault("INVALID_PATH", "A path has at most 4000 bytes, and 255 in each of its names")
    return value


class AddFile(Body):
    """A file to write."""

    may_hold_nul = frozenset({"content"})

    dest_path: Annotated[str, AfterValidator(_path)] = Field(
        examples=["/srv/myfile.txt"],
        json_schema_extra={"pattern": r"^(/\.?[^/.\u0000][^/\u0000]{0,60})+$", "maxLength": 1000},
    )
    content: str
    encoding: Literal["utf8", "base64"] = Field("utf8", description="base64 for bytes that are no text")

    @model_validator(mode="after")
    def _decodes(self) -> "AddFile":
        try:
            self.data()
        except binascii.Error:
            raise fault("INVALID_CONTENT", "content is not base64") from None
        return self

    def data(self) -> bytes:
        """The bytes to write."""
        return self.content.encode() if self.encoding == "utf8" else base64.b64decode(self.content, validate=True)


class WrittenFile(Answer):
    """Where, and how many bytes."""

    dest_path: str
    size: int


class AddedFile(Answer):
    """The file as it was written."""

    file: WrittenFile


# --- the service ------------------------------------------------------------------------------


class HealthView(Answer):
    """The engine answers, whichever it is."""

    status: Literal["healthy"] = "healthy"
    podman: Literal["connected"] = "connected"


class MetricsView(Answer):
    """Figures of the server's process."""

    uptime_seconds: int
    uptime_human: str = Field(examples=["1:00:00"])
    active_threads: int
    max_workers: int
