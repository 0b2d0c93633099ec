"""A first app, from nothing to its output: starts the server, then does what any client of the API would do.

Run it with `make demo`. The second time it uses the same container again.
"""

import base64
import io
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from server import Problem, Server

EXAMPLE = Path("examples/hello")
IMAGE = "python:3.12-slim"
TAGS = ["demo", "make-demo"]
START_WITHIN = 120.0
"""Seconds for one request; a start may pull the image."""


class Api:
    """The public API, spoken with nothing but the standard library."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def open(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> HTTPResponse:
        """The open response. Raises Problem with the server's own words when it refuses."""
        request = urllib.request.Request(self.url + path, body, {"Authorization": self._authorization}, method=method)
        if body is not None:
            request.add_header("Content-Type", kind)
        try:
            response: HTTPResponse = urllib.request.urlopen(request, timeout=START_WITHIN)
        except urllib.error.HTTPError as error:
            raise Problem(_refusal(error, method, path)) from None
        except OSError as error:
            raise Problem(f"The server does not answer: {error}. Its log is logs/server.log") from None
        return response

    def call(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        """The JSON that the server answers."""
        with self.open(method, path, body, kind) as response:
            return json.load(response)


def _refusal(error: urllib.error.HTTPError, method: str, path: str) -> str:
    try:
        told = json.load(error)["message"]
    except (ValueError, KeyError, TypeError):
        told = error.reason
    if error.code == 401:
        told = "it has another password than .env says. Was .env changed after its start? 'make stop' ends it"
    return f"The server refused {method} {path} ({error.code}): {told}"


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """One line for one step, with the seconds that it took and what the step adds by calling the yielded function."""
    print(f"{title} ... ", end="", flush=True)
    began, remarks = time.monotonic(), list[str]()
    try:
        yield remarks.append
    except BaseException:
        print("failed", flush=True)
        raise
    print(", ".join([f"{time.monotonic() - began:.2f} s", *remarks]), flush=True)


def packed(folder: Path) -> bytes:
    """A zip of the files in `folder`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def container(api: Api) -> str:
    """The cuid of the container of an earlier demo, stopped, or of a new one."""
    earlier = api.call("GET", f"/containers?tag={TAGS[1]}&limit=1")["containers"]
    if earlier:
        cuid = str(earlier[0]["cuid"])
        with step("Using the container of the last time"):
            api.call("POST", f"/containers/{cuid}/stop")
        return cuid
    with step(f"Creating a container from {IMAGE}"):
        new = {"image": IMAGE, "tags": TAGS}
        return str(api.call("POST", "/containers", json.dumps(new).encode())["cuid"])


def run(api: Api, cuid: str) -> int:
    """Start the app and show its output while it comes; its exit code."""
    with step("Starting it"):
        started = api.call("POST", f"/containers/{cuid}/start")["started_at"]
    print("Its output, as it comes:")
    began = time.monotonic()
    query = urllib.parse.urlencode({"follow": "true", "since": started})
    with api.open("GET", f"/containers/{cuid}/logs?{query}") as response:
        for line in response:
            print("  |", line.decode(errors="replace").rstrip("\n"), flush=True)
    code: int = api.call("GET", f"/containers/{cuid}/status")["exit_code"]
    print(f"It ended with exit code {code} after {time.monotonic() - began:.1f} s.")
    return code


def farewell(server: Server, cuid: str) -> None:
    """What there is now, and what to try next."""
    url = server.address.url.replace("127.0.0.1", "localhost")
    user = server.address.user
    curl = f"curl -u {user}:$APP_PASS"
    print(
        f"""
The server is up.
  Address     {url}
  User        {user}
  Password    {"APP_PASS in the environment" if "APP_PASS" in os.environ else "APP_PASS in the file .env"}

Try next:
  In a browser    {url}/
  At a shell      .venv/bin/container-manager --help
  With curl       export $(grep ^APP_PASS= .env)
                  {curl} {url}/containers
                  {curl} "{url}/containers/{cuid}/download?path=hello.txt"
  With Compose    .venv/bin/docker-compose -p {cuid} logs
  The end         make stop"""
    )


def main() -> int:
    """The whole demo."""
    try:
        server = Server()
        with step("Starting the server") as remark:
            if not server.start():
                remark("it ran already")
        api = Api(server.address.url, server.address.user, server.address.password)
        cuid = container(api)
        with step(f"Uploading {EXAMPLE}"):
            api.call("POST", f"/containers/{cuid}/upload-zip", packed(EXAMPLE), "application/zip")
        code = run(api, cuid)
        farewell(server, cuid)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nCut short. The server is still up; 'make stop' ends it.", file=sys.stderr)
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
