"""The client: every use of the API as a method."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal

from container_manager.client.files import Files
from container_manager.client.terminal import Terminal, open_terminal
from container_manager.client.transport import Json, Transport
from container_manager.settings import Address

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended. `duration` is in seconds."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    duration: float


class Client(Transport):
    """A server's containers, by their cuid.

        async with Client.from_environment() as client:
            container = await client.create("python:3.12-slim", name="hello")

    Answers are dictionaries, exactly as docs/api.md shows them. Every method raises Refused for an error
    that the server answers and Unreachable when it does not answer.
    """

    def __init__(self, address: Address, *, timeout: float = 900.0) -> None:
        super().__init__(address, timeout=timeout)
        self.files = Files(self)

    @classmethod
    def from_environment(cls) -> "Client":
        """Address and credentials from CONTAINER_MANAGER_URL or HOST and PORT, APP_USER, APP_PASS or `.env`."""
        return cls(Address.load())

    # --- which there are ----------------------------------------------------------------------

    async def containers(self, *, status: Sequence[str] = (), tag: str | None = None) -> AsyncIterator[Json]:
        """All containers, oldest first, page by page; those in one of `status`, those with `tag`."""
        cursor: str | None = None
        while True:
            query = {"status": ",".join(status) or None, "tag": tag, "limit": _PAGE, "cursor": cursor}
            page = await self.call("GET", "containers", query=query)
            for container in page["containers"]:
                yield container
            cursor = page["next_cursor"]
            if not cursor:
                return

    async def get(self, cuid: str) -> Json:
        """One container."""
        return await self.call("GET", "containers", cuid)

    async def status(self, cuid: str) -> Json:
        """Its state alone, with the ports that are really bound."""
        return await self.call("GET", "containers", cuid, "status")

    async def health(self) -> Json:
        """What the server says of itself and its engine."""
        return await self.call("GET", "healthz")

    # --- what they are ------------------------------------------------------------------------

    async def create(
        self,
        image: str,
        *,
        name: str | None = None,
        command: str | Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
        resources: Mapping[str, Any] | None = None,
        ports: Sequence[Mapping[str, Any]] | None = None,
        user: str | None = None,
        restart: str | None = None,
        ttl: int | None = None,
        idle_timeout: int | None = None,
        start: bool | None = None,
    ) -> Json:
        """Make a container. The image need not be on the machine before the first start.

        `ttl` and `idle_timeout` are seconds after which it is stopped, from its start or its last use.
        """
        given = {key: value for key, value in locals().items() if key != "self" and value is not None}
        return await self.call("POST", "containers", json=given)

    async def update(self, cuid: str, **changes: Any) -> Json:
        """Change `env` (merged, None removes), `tags`, `resources` (merged), `ports`, `image`, `ttl`, `idle_timeout`.

        A running container is made anew at once, any other at its next start: `applied` says which.
        """
        return await self.call("PATCH", "containers", cuid, json=changes)

    async def set_ports(self, cuid: str, ports: Sequence[Mapping[str, Any]]) -> Json:
        """Replace the published ports."""
        return await self.call("PATCH", "containers", cuid, "ports", json={"ports": list(ports)})

    async def delete(self, cuid: str, *, force: bool = False, keep_files: bool = False) -> Json:
        """Remove a container and its files. A running one needs `force`."""
        return await self.call(
            "DELETE", "containers", cuid, query={"force": force or None, "keep_files": keep_files or None}
        )

    # --- what they do -------------------------------------------------------------------------

    async def act(self, cuid: str, verb: Literal["start", "stop", "restart", "pause", "unpause"]) -> Json:
        """One lifecycle step; `changed` is false when the container was there already."""
        return await self.call("POST", "containers", cuid, verb)

    async def start(self, cuid: str) -> Json:
        """Start it; the image is pulled first when it must be."""
        return await self.act(cuid, "start")

    async def stop(self, cuid: str) -> Json:
        """Stop it; what does not end by itself is killed after the server's STOP_TIMEOUT."""
        return await self.act(cuid, "stop")

    async def restart(self, cuid: str) -> Json:
        """Stop and start it."""
        return await self.act(cuid, "restart")

    async def pause(self, cuid: str) -> Json:
        """Freeze all its processes."""
        return await self.act(cuid, "pause")

    async def unpause(self, cuid: str) -> Json:
        """Let them go on."""
        return await self.act(cuid, "unpause")

    async def logs(
        self,
        cuid: str,
        *,
        tail: int | Literal["all"] = 100,
        follow: bool = False,
        since: str | None = None,
        timestamps: bool = False,
    ) -> AsyncIterator[bytes]:
        """Its output in pieces as they come; with `follow` until the container ends."""
        query = {"tail": tail, "follow": follow or None, "since": since, "timestamps": timestamps or None}
        async with self.open("GET", "containers", cuid, "logs", query=query, stream=True) as response:
            async for piece in response.content.iter_any():
                yield piece

    async def exec(
        self,
        cuid: str,
        command: str | Sequence[str],
        *,
        user: str | None = None,
        workdir: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout: float | None = None,
    ) -> Ran:
        """Run a command to its end. One that takes longer than `timeout` seconds is killed and raises Refused."""
        given = {"command": command, "user": user, "workdir": workdir, "env": env, "stdin": stdin, "timeout": timeout}
        body = {key: value for key, value in given.items() if value is not None}
        answer = await self.call("POST", "containers", cuid, "exec", json=body)
        return Ran(
            answer["exit_code"],
            _bytes(answer["stdout"], answer),
            _bytes(answer["stderr"], answer),
            answer["duration_ms"] / 1000,
        )

    async def sessions(self, cuid: str) -> list[Json]:
        """The live terminal sessions of a container, oldest first."""
        answer = await self.call("GET", "containers", cuid, "sessions")
        sessions: list[Json] = answer["sessions"]
        return sessions

    def terminal(self, cuid: str, **query: str | int | bool | None) -> AbstractAsyncContextManager[Terminal]:
        """A terminal; `query` as docs/terminal.md has it: mode, cols, rows, cmd, tty, session, role."""
        return open_terminal(self, cuid, query)


def _bytes(text: str, answer: Json) -> bytes:
    return base64.b64decode(text) if answer.get("encoding") == "base64" else text.encode()
