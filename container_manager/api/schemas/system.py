"""Answers about the service itself."""

from typing import Literal

from pydantic import ConfigDict, Field

from container_manager.api.schemas.base import Answer


class Alive(Answer):
    """The process answers; nothing else was looked at."""

    status: Literal["alive"] = "alive"


class EngineView(Answer):
    """Which engine runs the containers."""

    name: str = Field(examples=["docker"])
    version: str = Field(examples=["28.3.0"])


class Health(Answer):
    """The service and what it stands on."""

    model_config = ConfigDict(frozen=True)

    status: Literal["healthy", "degraded"] = Field(
        description="degraded: it serves, and something in here needs a look (`audit`)"
    )
    version: str = Field(description="Of this service", examples=["1.0.0"])
    compose_version: str = Field(examples=["2.40.3"])
    engine: EngineView
    containers: dict[str, int] = Field(
        description="How many there are in each status; `running` is always there", examples=[{"running": 3}]
    )
    uptime_seconds: float = Field(description="Since the service started")
    states_age_seconds: float = Field(description="Since the states were last known to be true; 0 while followed live")
    audit: str | None = Field(default=None, description="What keeps the audit log from being written")
