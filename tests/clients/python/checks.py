"""What the Python client programs share: the server's address, one line a check, and an app that runs."""

import base64
import contextlib
import io
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping

import requests

URL = os.environ["CM_URL"]
HOST = URL.removeprefix("http://")
IMAGE = os.environ.get("CM_IMAGE", "python:3.12-slim")
PATIENCE = 60.0
"""Seconds after which something that should have happened counts as failed."""


def authorization() -> dict[str, str]:
    """The header that every request carries."""
    pair = f"{os.environ['CM_USER']}:{os.environ['CM_PASS']}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def check(name: str, truth: object, *seen: object) -> None:
    """Print one line; end the program at the first failure, with what was `seen`."""
    print(f"{'ok' if truth else 'FAILED'}: {name}", *([] if truth else seen), flush=True)
    if not truth:
        sys.exit(1)


def eventually(name: str, probe: Callable[[], object]) -> None:
    """A check that may take a while to become true."""
    deadline = time.monotonic() + PATIENCE
    while not probe() and time.monotonic() < deadline:
        time.sleep(0.1)
    check(name, probe())


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip of `files`, made in memory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path, content in files.items():
            bundle.writestr(path, content)
    return buffer.getvalue()


@contextlib.contextmanager
def running_app(code: str) -> Iterator[str]:
    """The cuid of a container that runs `code` as its boot.py; removed at the end."""
    headers = authorization()
    created = requests.post(f"{URL}/containers", json={"image": IMAGE}, headers=headers, timeout=PATIENCE)
    check("an app's container is made", created.status_code == 201, created.text)
    container = f"{URL}/containers/{created.json()['cuid']}"
    try:
        uploaded = requests.post(
            f"{container}/upload-zip",
            data=archive({"boot.py": code.encode()}),
            headers={**headers, "Content-Type": "application/zip"},
            timeout=PATIENCE,
        )
        check("its code is uploaded", uploaded.status_code == 200, uploaded.text)
        started = requests.post(f"{container}/start", headers=headers, timeout=PATIENCE)
        check("it starts", started.status_code == 200, started.text)
        yield created.json()["cuid"]
    finally:
        requests.delete(container, params={"force": "true"}, headers=headers, timeout=PATIENCE)
