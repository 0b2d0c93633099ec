"""The REST surface with requests: create, ports, upload, errors, a pooled session, health, the action log."""

import functools
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import requests
from checks import HOST, IMAGE, PATIENCE, URL, archive, authorization, check, eventually

BOOT = b"""
import os, time
print("I am", os.environ.get("CONTAINER_UID"))
print("Tags:", os.environ.get("TAGS", "none"))
print("Mode:", os.environ["APP_ENV"])
while True:
    print("Working...")
    time.sleep(0.2)
"""


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def retrying(call: Callable[..., requests.Response]) -> Callable[..., dict | None]:
    """The JSON of a successful call, None for a refusal; tried again when the network or the server fails."""

    @functools.wraps(call)
    def attempt(*args: object) -> dict | None:
        for _ in range(3):
            try:
                response = call(*args)
            except requests.exceptions.RequestException as problem:
                print("again after", problem)
                continue
            if response.status_code < 500:
                answer = response.json()
                if response.ok:
                    return answer
                print(f"refused: {answer['message']} (request {answer['request_id']})")
                return None
            time.sleep(0.2)
        return None

    return attempt


@retrying
def status(cuid: str) -> requests.Response:
    return requests.get(f"{URL}/containers/{cuid}/status", headers=authorization(), timeout=PATIENCE)


def create_and_run() -> str:
    """An app with everything that a create may ask for; its first port is the server's own."""
    wanted = {
        "image": IMAGE,
        "env": {"APP_ENV": "production", "DEBUG": "false"},
        "tags": ["web", "production"],
        "resources": {"cpus": 1.0, "memory": "4096m", "pids": 2048},
        "ports": [{"host": int(HOST.rpartition(":")[2]), "container": 80, "protocol": "tcp"}],
    }
    response = requests.post(f"{URL}/containers", json=wanted, headers=authorization(), timeout=PATIENCE)
    check("create answers 201", response.status_code == 201, response.text)
    cuid = str(response.json()["cuid"])
    container = f"{URL}/containers/{cuid}"
    check("Location leads to it", response.headers["Location"].endswith(f"/containers/{cuid}"), response.headers)

    files = {
        "boot.py": BOOT,
        "requirements.txt": b"requests==2.31.0\n",
        "data/config.json": b'{"setting": "value"}',
    }
    zipped = {**authorization(), "Content-Type": "application/zip"}
    response = requests.post(f"{container}/upload-zip", data=archive(files), headers=zipped, timeout=PATIENCE)
    check("upload-zip answers 200", response.status_code == 200, response.text)
    check("it counts the files", response.json()["files"] == 3, response.text)
    for path, content in files.items():
        fetched = requests.get(
            f"{container}/download", params={"path": path}, headers=authorization(), timeout=PATIENCE
        )
        check(f"{path} comes back as it was", fetched.content == content, fetched.text)

    response = requests.post(f"{container}/start", headers=authorization(), timeout=PATIENCE)
    check("a port that is taken is 409 PORT_IN_USE", response.status_code == 409, response.text)
    check("with that code", response.json()["code"] == "PORT_IN_USE", response.text)

    tcp, udp = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    ports = [
        {"host": tcp, "container": 3000, "protocol": "tcp"},
        {"host": udp, "container": 9000, "protocol": "udp"},
    ]
    response = requests.patch(f"{container}/ports", json={"ports": ports}, headers=authorization(), timeout=PATIENCE)
    check("the list of ports is replaced", response.status_code == 200, response.text)
    response = requests.post(f"{container}/start", headers=authorization(), timeout=PATIENCE)
    check("it starts then", response.status_code == 200, response.text)

    state = status(cuid)
    check("status says running", state is not None and state["status"] == "running", state)
    bound = {(port["host"], port["container"], port["protocol"]) for port in (state or {})["ports"]}
    check("both ports are bound", {(tcp, 3000, "tcp"), (udp, 9000, "udp")} <= bound, bound)

    def logs() -> str:
        return requests.get(f"{container}/logs", headers=authorization(), timeout=PATIENCE).text

    eventually("boot.py runs, whatever became of its requirements", lambda: "Working..." in logs())
    check("it knows its CONTAINER_UID", f"I am {cuid}" in logs(), logs())
    check("and its TAGS", "Tags: web,production" in logs(), logs())
    check("and its own variables", "Mode: production" in logs(), logs())
    return cuid


def errors() -> None:
    response = requests.post(f"{URL}/containers", json={"env": {}}, headers=authorization(), timeout=PATIENCE)
    error = response.json()
    check("no image is 400", response.status_code == error["status"] == 400, error)
    check("validation_error, MISSING_IMAGE", (error["error"], error["code"]) == ("validation_error", "MISSING_IMAGE"))
    check("the field is named", error["details"]["field"] == "image" and error["details"]["provided"] is None, error)
    check("the request has one id", error["request_id"] == response.headers["X-Request-ID"], error)
    check("no stack trace", "stacktrace" not in error, error)
    check("a refused call ends without a retry", status("c123e4567-e89b-12d3-a456-426614174000") is None)
    response = requests.get(f"{URL}/containers", auth=("nobody", "wrong"), timeout=PATIENCE)
    check("wrong credentials are 401", response.status_code == 401 and response.json()["error"] == "auth_error")


def pooled_session() -> None:
    with requests.Session() as session:
        session.headers.update(authorization())
        response = session.post(f"{URL}/containers", json={"image": "nginx:alpine"})
        check("an image that is not here yet can be named", response.status_code == 201, response.text)
        container = f"{URL}/containers/{response.json()['cuid']}"
        check("the connection is used again", session.get(container).status_code == 200)
        check("a container that never ran needs no force", session.delete(container).status_code == 200)
        check("and is gone", session.get(container).status_code == 404)


def health_monitor() -> None:
    """A thread that asks /healthz until the program is done with it."""
    reports: list[dict] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            response = requests.get(f"{URL}/healthz", headers=authorization(), timeout=5)
            if response.status_code == 200:
                reports.append(response.json())
            done.wait(0.1)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    eventually("the monitor gets its reports", lambda: len(reports) >= 2)
    done.set()
    thread.join()
    check("they name the Compose version", reports[0]["compose_version"], reports[0])


def action_log(cuid: str) -> None:
    """Read the log as an operator would: what failed, what was slow, who was not let in."""
    with Path(os.environ["CM_ACTIONS_LOG"]).open() as lines:
        entries = [json.loads(line) for line in lines]
    failed = [entry for entry in entries if entry.get("error")]
    check("refused credentials are there", any(entry["error"]["error"] == "auth_error" for entry in failed))
    check("durations are numbers", all(entry.get("duration_ms", 0) >= 0 for entry in entries))
    check("so is what was done", any(e["action"] == "container.start" and e["cuid"] == cuid for e in entries))
    check("no password", os.environ["CM_PASS"] not in json.dumps(entries))


def main() -> None:
    cuid = create_and_run()
    try:
        errors()
        pooled_session()
        health_monitor()
        action_log(cuid)
    finally:
        gone = requests.delete(
            f"{URL}/containers/{cuid}", params={"force": "true"}, headers=authorization(), timeout=PATIENCE
        )
        check("delete with force", gone.status_code == 200, gone.text)


if __name__ == "__main__":
    main()
