"""Named containers on /api/v1 with requests: a small client class and the whole life of a container."""

import os
import uuid
from typing import Any

import requests
from checks import IMAGE, PATIENCE, URL, check, eventually


class NamedContainers:
    """The calls of /api/v1, each as a method that returns the answer's JSON."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.auth = (os.environ["CM_USER"], os.environ["CM_PASS"])

    def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = self.session.request(method, f"{URL}/api/v1{path}", timeout=PATIENCE, **options)
        answer: dict[str, Any] = response.json()
        failed = "error" in answer
        check(f"{method} {path}: {response.status_code}", failed == (not response.ok), answer)
        return answer

    def create(self, name: str, **options: Any) -> dict[str, Any]:
        return self.call("POST", "/containers", json={"image": IMAGE, "name": name, **options})

    def run(self, name: str, command: str, **options: Any) -> dict[str, Any]:
        answer = self.call("POST", f"/containers/{name}/exec", json={"command": command, **options})
        execution: dict[str, Any] = answer["execution"]
        return execution


def main() -> None:
    client = NamedContainers()
    name = f"client-{uuid.uuid4().hex[:8]}"
    health = client.call("GET", "/health")
    check("healthy", (health["status"], health["podman"]) == ("healthy", "connected"), health)

    made = client.create(name, command="sh -c 'echo \"$GREETING\"; sleep 300'", environment={"GREETING": "good day"})
    check("created and running", made["container"]["status"] == "running" and made["success"], made)
    check("with a short id", len(made["container"]["id"]) == 12, made)
    try:
        listed = client.call("GET", "/containers")["containers"]
        mine = [entry for entry in listed if entry["name"] == name]
        expected = {"id": made["container"]["id"], "name": name, "status": "running", "image": IMAGE}
        check("it is listed", mine == [expected], mine)

        account = {"username": "tester", "password": "it's $ecret", "shell": "/bin/sh"}
        added = client.call("POST", f"/containers/{name}/users", json=account)
        check("a user is added", added["user"] == {"username": "tester", "created": True}, added)
        check("and can run things", client.run(name, "id -un", user="tester")["output"] == "tester\n")

        text = "Hello, World!\nSecond line."
        written = client.call(
            "POST", f"/containers/{name}/files", json={"dest_path": "/tmp/deep/demo.txt", "content": text}
        )
        check("a file is written", written["file"] == {"dest_path": "/tmp/deep/demo.txt", "size": len(text)}, written)
        check("and read back", client.run(name, "cat /tmp/deep/demo.txt")["output"] == text)

        failed = client.run(name, "echo out; echo err >&2; exit 4")
        check("exec tells the exit code", (failed["exit_code"], failed["success"]) == (4, False), failed)
        check("and both streams in order", failed["output"] == "out\nerr\n", failed)

        eventually(
            "the logs hold what it printed",
            lambda: client.call("GET", f"/containers/{name}/logs?tail=20")["container"]["logs"] == "good day\n",
        )
        stopped = client.call("POST", f"/containers/{name}/stop")
        check("stop", stopped["container"] == {"name": name, "status": "stopped"}, stopped)
        started = client.call("POST", f"/containers/{name}/start")
        check("start", started["container"] == {"name": name, "status": "started"}, started)
        check("the user is still there", client.run(name, "id -un", user="tester")["output"] == "tester\n")
    finally:
        removed = client.call("DELETE", f"/containers/{name}?force=true")
    check("remove", removed["container"] == {"name": name, "removed": True}, removed)

    missing = client.call("POST", f"/containers/{name}/start")
    check("what is gone is a 404 of type PodmanAPIError", missing["error"]["code"] == 404, missing)
    check("in this surface's envelope", missing["success"] is False and missing["error"]["type"] == "PodmanAPIError")
    figures = client.call("GET", "/metrics")
    check("metrics", {"uptime_seconds", "uptime_human", "active_threads", "max_workers"} <= figures.keys(), figures)


if __name__ == "__main__":
    main()
