"""The Docker command line: what is asked of the engine beside Compose, and how its JSON is read."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from container_manager.engine.engine_socket import EngineSocket
from container_manager.engine.failures import failure
from container_manager.engine.process import Finished, run
from container_manager.errors import EngineTimeout, EngineUnavailable, NotFound
from container_manager.models import LABEL, Cuid, EngineState, ImageFacts, PortMapping, Protocol, Status, parse_cuid

INSPECTED_AT_ONCE = 500
BATCH_TIMEOUT = 8.0
"""Seconds that the engine gets to describe so many; it takes about 1 ms for each."""
ALONE_TIMEOUT = 3.0
ASKED_AT_ONCE = 8
ONE_OFF = "com.docker.compose.oneoff"

_STATUS: Mapping[str, Status] = {
    "created": "created",
    "configured": "created",
    "initialized": "created",
    "running": "running",
    "paused": "paused",
    "restarting": "restarting",
    "stopping": "running",
    "stopped": "exited",
    "exited": "exited",
    "removing": "removing",
    "dead": "dead",
}
"""Docker's words and Podman's."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A container of ours as the engine's list has it. `ports` is that list's own text, only good to compare."""

    container_id: str
    cuid: Cuid
    status: Status
    ports: str


@dataclass(frozen=True, slots=True)
class Inspected:
    """A container of ours, looked at closely."""

    state: EngineState
    publishes: bool
    """It asks for published ports, whether or not it runs."""
    restarts: bool
    """It has a restart policy."""


def moment(text: str | None) -> datetime | None:
    """A time as the engine writes it; None for none and for its zero time."""
    if not text or text.startswith("0001-"):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def ours(labels: Mapping[str, str]) -> Cuid | None:
    """The cuid in `labels`; None for containers that are not ours, and for `compose run` beside one."""
    if labels.get(ONE_OFF, "").lower() == "true":
        return None
    return parse_cuid(labels.get(LABEL, ""))


def bound_ports(ports: Mapping[str, Sequence[Mapping[str, str]] | None] | None) -> tuple[PortMapping, ...]:
    """Ports as really bound; the IPv6 twin of an IPv4 one is left out."""
    found: list[PortMapping] = []
    for name, bindings in (ports or {}).items():
        number, _, protocol = name.partition("/")
        for binding in bindings or ():
            host = int(binding.get("HostPort") or 0)
            found.append(PortMapping(host, int(number), _protocol(protocol), binding.get("HostIp") or "0.0.0.0"))
    any_address = {(port.host, port.container, port.protocol) for port in found if port.host_ip == "0.0.0.0"}
    return tuple(
        sorted(
            (p for p in found if p.host_ip != "::" or (p.host, p.container, p.protocol) not in any_address),
            key=lambda port: (port.container, port.protocol, port.host),
        )
    )


def _protocol(text: str) -> Protocol:
    return text if text == "udp" or text == "sctp" else "tcp"  # type: ignore[return-value]


def inspected(data: Mapping[str, Any]) -> Inspected | None:
    """One element of `docker container inspect`; None when it is not ours."""
    cuid = ours((data.get("Config") or {}).get("Labels") or {})
    if cuid is None:
        return None
    state = data["State"]
    status = _STATUS.get(str(state.get("Status", "")).lower(), "exited")
    ended = status in ("exited", "dead", "restarting")
    host = data.get("HostConfig") or {}
    policy = (host.get("RestartPolicy") or {}).get("Name") or "no"
    return Inspected(
        EngineState(
            cuid=cuid,
            container_id=data["Id"],
            status=status,
            exit_code=int(state.get("ExitCode", 0)) if ended else None,
            started_at=moment(state.get("StartedAt")),
            finished_at=moment(state.get("FinishedAt")) if ended else None,
            ports=bound_ports((data.get("NetworkSettings") or {}).get("Ports")) if not ended else (),
            oom_killed=bool(state.get("OOMKilled")),
        ),
        publishes=bool(host.get("PortBindings")) or bool(host.get("PublishAllPorts")),
        restarts=policy not in ("no", ""),
    )


class Docker:
    """The docker command, with a clean environment and a timeout in seconds on everything."""

    def __init__(self, binary: str, environment: Mapping[str, str], timeout: float) -> None:
        self.binary, self.environment, self.timeout = binary, environment, timeout
        self.socket: EngineSocket | None = None
        """Where single questions are asked without a process, which would take most of the time."""

    async def run(self, *words: str, timeout: float | None = None) -> Finished:
        """Run `docker words…` whatever its exit code. EngineTimeout."""
        return await run([self.binary, *words], self.environment, timeout=timeout or self.timeout)

    async def ask(self, *words: str, timeout: float | None = None) -> str:
        """Its stdout; the error that it means when it fails."""
        finished = await self.run(*words, timeout=timeout)
        if finished.code != 0:
            raise failure([self.binary, *words], finished.code, finished.stderr)
        return finished.stdout.decode(errors="replace")

    async def versions(self, timeout: float | None = None) -> tuple[str, str]:
        """("docker" | "podman", version) of the engine. EngineUnavailable when it does not answer."""
        words = ("version", "--format", "{{json .Server}}")
        server = json.loads(await self.ask(*words, timeout=timeout))
        if not server:
            raise EngineUnavailable("The engine does not answer")
        components = server.get("Components") or []
        podman = any("podman" in str(part.get("Name", "")).lower() for part in components)
        return "podman" if podman else "docker", str(server.get("Version", ""))

    async def clock(self, timeout: float | None = None) -> str:
        """The engine's own time, as `docker events --since` takes it."""
        return (await self.ask("info", "--format", "{{.SystemTime}}", timeout=timeout)).strip()

    def events_argv(self, since: str) -> list[str]:
        """Every container event from `since` on, one JSON object a line. Not filtered by label: Podman cannot."""
        return [self.binary, "events", "--since", since, "--filter", "type=container", "--format", "{{json .}}"]

    async def listed(self, timeout: float | None = None) -> list[Listed]:
        """Every container of ours. One process, one question to the engine."""
        form = '{{.ID}}\t{{.State}}\t{{.Label "%s"}}\t{{.Label "%s"}}\t{{.Ports}}' % (LABEL, ONE_OFF)  # noqa: UP031
        out = await self.ask("ps", "--all", "--no-trunc", "--format", form, timeout=timeout)
        found: list[Listed] = []
        for line in out.splitlines():
            container_id, state, cuid_text, one_off, ports = (*line.split("\t"), "", "", "", "")[:5]
            if cuid := ours({LABEL: cuid_text, ONE_OFF: one_off}):
                found.append(Listed(container_id, cuid, _STATUS.get(state.lower(), "exited"), ports))
        return found

    async def inspect(self, ids: Iterable[str]) -> tuple[list[Inspected], set[str]]:
        """The containers of `ids` that exist and are ours, and the ids of those that the engine is stuck on.

        It can hang on one container and answer for all others.
        """
        wanted = list(ids)
        found: list[Inspected] = []
        stuck: set[str] = set()
        for start in range(0, len(wanted), INSPECTED_AT_ONCE):
            batch = wanted[start : start + INSPECTED_AT_ONCE]
            try:
                found += await self._inspect(batch, BATCH_TIMEOUT)
            except EngineTimeout:
                gate = asyncio.Semaphore(ASKED_AT_ONCE)
                answers = await asyncio.gather(*(self._inspect_alone(one, gate) for one in batch))
                stuck |= {one for one, answer in zip(batch, answers, strict=True) if answer is None}
                found += [inspected for answer in answers for inspected in answer or ()]
        return found, stuck

    async def _inspect_alone(self, container_id: str, gate: asyncio.Semaphore) -> list[Inspected] | None:
        async with gate:
            try:
                return await self._inspect([container_id], ALONE_TIMEOUT)
            except EngineTimeout:
                return None

    async def _inspect(self, ids: Sequence[str], timeout: float) -> list[Inspected]:
        if self.socket is not None and len(ids) == 1 and (answer := await self._ask_socket(ids[0], timeout)):
            return [one for one in (inspected(answer),) if one is not None]
        words = ("container", "inspect", *ids)
        finished = await self.run(*words, timeout=min(timeout, self.timeout))
        # Exit code 1 comes with the ones that exist on stdout, when only some are gone.
        try:
            data = json.loads(finished.stdout or b"[]")
        except ValueError:
            data = []
        if not data and finished.code != 0:
            error = failure([self.binary, *words[:2]], finished.code, finished.stderr)
            if isinstance(error, EngineUnavailable):
                raise error
        return [one for one in map(inspected, data) if one is not None]

    async def _ask_socket(self, container_id: str, timeout: float) -> dict[str, Any] | None:
        """The container as the engine itself describes it; None when the command line had better ask."""
        assert self.socket is not None  # noqa: S101 - the caller has looked
        try:
            async with asyncio.timeout(min(timeout, self.timeout)):
                return await self.socket.ask("GET", f"/containers/{quote(container_id, safe='')}/json")
        except TimeoutError:
            raise EngineTimeout(f"The engine took longer than {timeout:g} seconds", seconds=timeout) from None
        except OSError:
            return None

    async def pid(self, container_id: str) -> int | None:
        """The process that leads a running container, as its own machine numbers it."""
        finished = await self.run("container", "inspect", "--format", "{{.State.Pid}}", container_id)
        number = finished.stdout.strip()
        return int(number) or None if finished.code == 0 and number.isdigit() else None

    async def image(self, reference: str) -> ImageFacts | None:
        """What `reference` runs by itself; None when it is not on this machine."""
        words = ("image", "inspect", "--format", '{"id":{{json .Id}},"config":{{json .Config}}}', "--", reference)
        finished = await self.run(*words)
        if finished.code != 0:
            error = failure([self.binary, *words], finished.code, finished.stderr)
            if isinstance(error, NotFound) or "invalid reference format" in error.details["stderr"]:
                return None
            raise error
        data = json.loads(finished.stdout)
        config = data["config"] or {}
        return ImageFacts(
            image_id=data["id"],
            entrypoint=tuple(config.get("Entrypoint") or ()),
            command=tuple(config.get("Cmd") or ()),
            user=config.get("User") or "",
        )
