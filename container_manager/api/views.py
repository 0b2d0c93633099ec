"""Containers as clients see them, encoded once for as long as nothing changes."""

from collections.abc import Callable, Hashable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson

from container_manager.api.answers import encode
from container_manager.models import ContainerSpec, Cuid, EngineState, PortMapping, Status


def status_of(state: EngineState | None) -> Status:
    """A container that was never started is `created`, though the engine has none."""
    return "created" if state is None else state.status


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def _ports(ports: tuple[PortMapping, ...]) -> list[dict[str, Any]]:
    return [asdict(port) for port in ports]


def status_view(spec: ContainerSpec, state: EngineState | None) -> dict[str, Any]:
    """The fields of StatusView."""
    return {
        "cuid": spec.cuid,
        "status": status_of(state),
        "exit_code": state.exit_code if state else None,
        "started_at": _time(state.started_at) if state else None,
        "finished_at": _time(state.finished_at) if state else None,
        "ports": _ports(state.ports) if state else [],
        "oom_killed": state.oom_killed if state else False,
        "problem": spec.broken,
    }


def container_view(spec: ContainerSpec, state: EngineState | None) -> dict[str, Any]:
    """The fields of ContainerView."""
    status = status_view(spec, state)
    return {
        **status,
        "name": spec.name,
        "image": spec.image,
        "env": dict(spec.env),
        "tags": list(spec.tags),
        "resources": asdict(spec.resources),
        "ports": _ports(spec.ports),
        "bound_ports": status["ports"],
        "volumes": [f"{v.source}:{v.target}{':ro' if v.read_only else ''}" for v in spec.volumes],
        "command": list(spec.command) if isinstance(spec.command, tuple) else spec.command,
        "user": spec.user,
        "restart": spec.restart,
        "ttl": spec.ttl,
        "idle_timeout": spec.idle_timeout,
        "runs": spec.runs,
        "created_at": _time(spec.created_at),
    }


MOST_PAGES = 16
"""Encoded pages that are kept: those that clients ask for again and again."""


class Views:
    """Encoded containers. Specs and states are frozen: an entry holds as long as both are the same objects."""

    def __init__(self) -> None:
        self._encoded: dict[Cuid, tuple[ContainerSpec, EngineState | None, orjson.Fragment]] = {}
        self._pages: dict[Hashable, bytes] = {}
        self._version: Hashable = None

    def page(self, key: Hashable, version: Hashable, make: Callable[[], Any]) -> bytes:
        """The page of a list as JSON: what `make` returns, made anew only when `version` is another one."""
        if version != self._version:
            self._pages.clear()
            self._version = version
        page = self._pages.get(key)
        if page is None:
            if len(self._pages) >= MOST_PAGES:
                self._pages.clear()
            page = self._pages[key] = encode(make())
        return page

    def fragment(self, spec: ContainerSpec, state: EngineState | None) -> orjson.Fragment:
        """The container as JSON, to be placed in an answer as it is."""
        known = self._encoded.get(spec.cuid)
        if known is not None and known[0] is spec and known[1] is state:
            return known[2]
        fragment = orjson.Fragment(orjson.dumps(container_view(spec, state)))
        self._encoded[spec.cuid] = (spec, state, fragment)
        return fragment

    def forget(self, cuid: Cuid) -> None:
        """Drop the entry of a container that is gone."""
        self._encoded.pop(cuid, None)
