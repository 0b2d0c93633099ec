"""Frozen values that the layers hand to each other. No behaviour beyond parsing and printing."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, NewType

Cuid = NewType("Cuid", str)
"""`c` and a UUID4 in its usual text form: project name, service name, file name, mount name."""

_CUID = re.compile(r"c[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

LABEL = "container-manager.cuid"
"""The label that every container of ours carries; nothing without it is ever touched."""

LAUNCHER = "/opt/container-manager"
"""Where boot.py apps see what starts them, and below it, as `wheels`, their wheel cache."""

SESSION_VARIABLE = "CONTAINER_MANAGER_SESSION"
"""Environment variable that marks every process which an exec or a terminal session started."""

NETWORKS: Mapping[str, str | None] = {
    "isolated": "container-manager-isolated",
    "bridge": "container-manager-bridge",
    "none": None,
}
"""The shared network's name at the engine, for each value of the NETWORK setting."""

Status = Literal["created", "running", "paused", "restarting", "exited", "dead", "removing"]
Protocol = Literal["tcp", "udp", "sctp"]
Runs = Literal["command", "boot", "image"]
"""What a container runs: its own command, boot.py, or the image's command."""


def new_cuid() -> Cuid:
    """A fresh random cuid."""
    return Cuid(f"c{uuid.uuid4()}")


def parse_cuid(text: str) -> Cuid | None:
    """`text` as a cuid, or None when it is none."""
    return Cuid(text) if _CUID.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class PortMapping:
    """One published port. `host` 0 lets the engine choose; `host_ip` "" means PUBLISH_ADDRESS."""

    host: int
    container: int
    protocol: Protocol = "tcp"
    host_ip: str = ""


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits: CPUs as a number of cores, memory as Docker writes it ("512m"), pids as a count."""

    cpus: float | None = None
    memory: str | None = None
    pids: int | None = None


@dataclass(frozen=True, slots=True)
class Volume:
    """A host path mounted beside /app; only from under ALLOWED_VOLUMES."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container as its Compose file describes it."""

    cuid: Cuid
    created_at: datetime
    image: str
    name: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    resources: Resources = Resources()
    ports: tuple[PortMapping, ...] = ()
    volumes: tuple[Volume, ...] = ()
    command: str | tuple[str, ...] | None = None
    user: str | None = None
    restart: str | None = None
    ttl: int = 0
    """Seconds from its start until it is stopped; 0: it is not."""
    idle_timeout: int = 0
    """Seconds without requests, frames or traffic until it is stopped; 0: it is not."""
    runs: Runs | None = None
    """As decided at the last start; None before the first."""
    broken: str | None = None
    """What is wrong with the file, and at which line, when it cannot be read; the rest is empty then."""


@dataclass(frozen=True, slots=True)
class EngineState:
    """What the engine last said of a container. Before its first start there is none at all."""

    cuid: Cuid
    container_id: str
    status: Status
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    ports: tuple[PortMapping, ...] = ()
    """Ports as really bound."""
    oom_killed: bool = False


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is asked of an image: its id, what it runs by itself, and as whom."""

    image_id: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Which engine answers. `name` is "docker" or "podman"."""

    name: str
    version: str
    compose_version: str


@dataclass(frozen=True, slots=True)
class ExecResult:
    """A command that ended. `exit_code` is 128 + n for signal n; `duration` in seconds."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    duration: float
    cut: bool = False
    """There was more output than is kept."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: the user's name ("" before authentication) and the client's address."""

    user: str
    remote: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie below DATA_DIR."""

    root: Path

    @property
    def compose(self) -> Path:
        """Compose files, `<cuid>.yml`, mode 0600 in a directory of mode 0700."""
        return self.root / "compose"

    @property
    def mounts(self) -> Path:
        """`<cuid>/` is /app of that container."""
        return self.root / "mounts"

    @property
    def logs(self) -> Path:
        """`actions.jsonl` and `sessions/`."""
        return self.root / "logs"

    @property
    def staging(self) -> Path:
        """Beside the mounts, on their file system: uploads, unpacked archives, journals."""
        return self.root / "staging"

    @property
    def launcher(self) -> Path:
        """What starts boot.py; every boot.py app sees it, read-only, as LAUNCHER."""
        return self.root / "launcher"

    @property
    def wheels(self) -> Path:
        """The wheel cache: a directory for each image and index."""
        return self.root / "wheels"

    def compose_file(self, cuid: Cuid) -> Path:
        """The one Compose file of `cuid`."""
        return self.compose / f"{cuid}.yml"

    def mount(self, cuid: Cuid) -> Path:
        """The directory that `cuid` sees as /app. Never open a path below it: see store.mount."""
        return self.mounts / cuid
