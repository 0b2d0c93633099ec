"""Answers about containers."""

from typing import Literal

from pydantic import Field

from container_manager.api.schemas.base import Answer
from container_manager.models import Status


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
    ttl: int = Field(description="Seconds from its start until it is stopped; 0: never")
    idle_timeout: int = Field(description="Seconds without activity until it is stopped; 0: never")
    runs: Literal["command", "boot", "image"] | None = Field(description="As decided at the last start")
    created_at: str


class UpdatedView(ContainerView):
    """A container after a change."""

    applied: Literal["recreated", "at_once", "next_start", "unchanged"] = Field(
        description="When the change takes effect"
    )


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
