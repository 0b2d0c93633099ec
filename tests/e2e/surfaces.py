"""The two surfaces behind one set of steps, so that a test is written once and run on both."""

import abc
from typing import Any

from harness import BUSYBOX, Client


class Surface(abc.ABC):
    """What both can do with a container that has a name."""

    collection: str
    """The path of all containers."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def request(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Status and body, which must be in this surface's envelope."""
        async with self.client.session.request(method, path, **options) as response:
            body = await response.json()
            self.check_envelope(response.status, body)
            return response.status, body

    async def ok(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The body of a success."""
        status, body = await self.request(method, path, **options)
        assert status < 300, body
        return body

    @abc.abstractmethod
    def check_envelope(self, status: int, body: dict[str, Any]) -> None:
        """Successes and errors have this surface's shape."""

    @abc.abstractmethod
    async def path(self, name: str) -> str:
        """The path of a container; one that leads nowhere for a name that nobody has."""

    @abc.abstractmethod
    def new(self, name: str, **fields: Any) -> dict[str, Any]:
        """The body that creates and starts; `env`, and `ports` as pairs, are written as this surface does."""

    @abc.abstractmethod
    def faults(self, body: dict[str, Any]) -> str:
        """All that an error says of what was wrong, as text."""

    async def create(self, name: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        """Create and start."""
        return await self.request("POST", self.collection, json=self.new(name, **fields))

    async def step(self, name: str, verb: str) -> tuple[int, dict[str, Any]]:
        """start or stop."""
        return await self.request("POST", f"{await self.path(name)}/{verb}")

    async def remove(self, name: str, **query: str) -> tuple[int, dict[str, Any]]:
        """Delete."""
        return await self.request("DELETE", await self.path(name), params=query)

    async def statuses(self) -> dict[str, str]:
        """Name → status of every container that has a name."""
        answer = await self.ok("GET", self.collection)
        return {one["name"]: one["status"] for one in answer["containers"] if one["name"]}

    @abc.abstractmethod
    async def logs(self, name: str, tail: int) -> str:
        """The last lines."""

    @abc.abstractmethod
    async def run(self, name: str, line: str, **fields: Any) -> tuple[int, str]:
        """Exit code and output of a command line."""


class Main(Surface):
    """/containers, where a container's own id is in the path."""

    collection = "/containers"

    def check_envelope(self, status: int, body: dict[str, Any]) -> None:
        if status >= 400:
            assert set(body) == {"error", "code", "message", "status", "request_id", "timestamp", "details"}, body
            assert body["status"] == status

    async def path(self, name: str) -> str:
        for one in (await self.ok("GET", "/containers"))["containers"]:
            if one["name"] == name:
                return f"/containers/{one['cuid']}"
        return "/containers/c00000000-0000-4000-8000-000000000000"

    def new(self, name: str, **fields: Any) -> dict[str, Any]:
        ports = [{"host": host, "container": port} for host, port in fields.pop("ports", ())]
        return {"image": BUSYBOX, "name": name, "start": True, "ports": ports, **fields}

    def faults(self, body: dict[str, Any]) -> str:
        return " ".join(fault["message"] for fault in body["details"]["errors"])

    async def logs(self, name: str, tail: int) -> str:
        return await self.client.logs((await self.path(name)).rpartition("/")[2], tail=str(tail))

    async def run(self, name: str, line: str, **fields: Any) -> tuple[int, str]:
        answer = await self.ok("POST", f"{await self.path(name)}/exec", json={"command": ["sh", "-c", line], **fields})
        return answer["exit_code"], answer["stdout"]


class V1(Surface):
    """/api/v1, where a container's name is in the path."""

    collection = "/api/v1/containers"

    def check_envelope(self, status: int, body: dict[str, Any]) -> None:
        assert body["success"] is (status < 400), body
        assert body["timestamp"].endswith("+00:00")
        if status < 400:
            assert status == 200
            return
        assert set(body) == {"success", "error", "timestamp"}, body
        assert set(body["error"]) == {"message", "code", "type"}, body
        assert body["error"]["code"] == status
        assert body["error"]["type"] == ("ValidationError" if status in (400, 405, 413, 415) else "PodmanAPIError")

    async def path(self, name: str) -> str:
        return f"/api/v1/containers/{name}"

    def new(self, name: str, **fields: Any) -> dict[str, Any]:
        ports = {str(host): str(port) for host, port in fields.pop("ports", ())}
        if "env" in fields:
            fields["environment"] = fields.pop("env")
        return {"image": BUSYBOX, "name": name, "ports": ports, **fields}

    def faults(self, body: dict[str, Any]) -> str:
        return str(body["error"]["message"])

    async def logs(self, name: str, tail: int) -> str:
        answer = await self.ok("GET", f"{await self.path(name)}/logs", params={"tail": str(tail)})
        return str(answer["container"]["logs"])

    async def run(self, name: str, line: str, **fields: Any) -> tuple[int, str]:
        answer = await self.ok("POST", f"{await self.path(name)}/exec", json={"command": line, **fields})
        return answer["execution"]["exit_code"], answer["execution"]["output"]

    async def write(self, name: str, path: str, content: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        """Write a file in the container."""
        body = {"dest_path": path, "content": content, **fields}
        return await self.request("POST", f"{await self.path(name)}/files", json=body)

    async def add_user(self, name: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        """Add a user in the container."""
        return await self.request("POST", f"{await self.path(name)}/users", json=fields)
