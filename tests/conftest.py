"""Fixtures of all tests. A server, its data and its loop belong to one test module."""

import contextlib
import dataclasses
import hashlib
import io
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
import pytest_asyncio
from blockbuster import BlockBuster

from container_manager.settings import Settings
from harness import BUSYBOX, PATIENCE, PYTHON_IMAGE, Client, docker, make_settings, remove_containers, serve

ROOT = Path(__file__).parents[1]
# Machines are shared: how long an example took says nothing of the code.
hypothesis.settings.register_profile("shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("shared")
# A shell that runs the tests in the background makes them ignore Ctrl+C, and so every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
APPLETS = (
    "ash cat chmod cut env false grep head id kill ls mkdir nc ps pwd seq sh sleep stty tail test touch true tty yes"
)


@pytest.fixture(scope="session")
def engine() -> str:
    """The version of the engine that answers. Without one a test fails: it is never skipped."""
    try:
        return docker("version", "--format", "{{.Server.Version}}").strip()
    except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
        pytest.fail(f"No container engine answers: 'make setup' installs and starts one. {error}", pytrace=False)


@pytest.fixture(scope="session")
def busybox(engine: str) -> str:
    """An image of a few hundred kilobytes, made from this machine's static BusyBox."""
    path = Path("/usr/bin/busybox")
    if not path.exists():
        pytest.fail("/usr/bin/busybox is missing: 'make test' installs it (busybox-static)", pytrace=False)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("bin", "etc", "tmp", "root", "app"):
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(member)
        archive.add(path, "bin/busybox")
        for applet in APPLETS.split():
            member = tarfile.TarInfo(f"bin/{applet}")
            member.type, member.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(member)
        for name, text in {"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\n"}.items():
            member = tarfile.TarInfo(f"etc/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    # Made once: one that is made anew while other tests run would have their containers made anew too.
    data = buffer.getvalue()
    made_of = hashlib.sha256(data).hexdigest()
    with contextlib.suppress(AssertionError):
        if docker("image", "inspect", "--format", '{{index .Config.Labels "made-of"}}', BUSYBOX).strip() == made_of:
            return BUSYBOX
    docker("import", "--change", 'CMD ["sh"]', "--change", f"LABEL made-of={made_of}", "-", BUSYBOX, stdin=data)
    return BUSYBOX


@pytest.fixture(scope="session")
def python_image(engine: str) -> str:
    """The image that boot.py apps use here."""
    try:
        docker("image", "inspect", PYTHON_IMAGE)
    except AssertionError as error:
        pytest.fail(f"There is no image {PYTHON_IMAGE}: 'make setup' gets one. {error}", pytrace=False)
    return PYTHON_IMAGE


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings for a server of one test's own: `async with serve(settings) as client`."""
    return make_settings(tmp_path)


@pytest.fixture(scope="module")
def server_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the module's `server`; a module that needs others overrides this fixture."""
    return make_settings(tmp_path_factory.mktemp("data"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(server_settings: Settings) -> AsyncIterator[Client]:
    """The real server in the module's loop, and a client of it."""
    async with serve(server_settings) as client:
        yield client


@pytest.fixture
def client(server: Client) -> Client:
    """The client of the module's server: the name that tests use."""
    return server


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[None]:
    """A call of the server's own code that blocks the event loop fails the test."""
    detector = BlockBuster(scanned_modules=["container_manager"])
    detector.activate()
    try:
        yield
    finally:
        detector.deactivate()


@dataclasses.dataclass(frozen=True)
class LiveServer:
    """A server in a process of its own, as users run it."""

    url: str
    user: str
    password: str
    data_dir: Path
    process: subprocess.Popen[bytes]
    log: Path


@contextlib.contextmanager
def live(settings: Settings, log: Path) -> Iterator[LiveServer]:
    """`python -m container_manager`, until SIGTERM, which must end it with exit code 0."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "APP_PASS": settings.app_pass,
        "HOST": settings.host,
        "PORT": "0",
        "DATA_DIR": str(settings.data_dir),
        "DOCKER_HOST": settings.docker_host,
        "MIN_FREE_BYTES": "0",
        "PYTHONPATH": str(ROOT),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "container_manager"],
            cwd=settings.data_dir,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = _announced(process, log)
        yield LiveServer(url, settings.app_user, settings.app_pass, settings.data_dir, process, log)
    finally:
        process.terminate()
        try:
            code = process.wait(timeout=settings.stop_timeout + 10)
        finally:
            process.kill()
            remove_containers(settings)
    assert code == 0, log.read_text(errors="replace")


def _announced(process: subprocess.Popen[bytes], log: Path) -> str:
    """The address that a server prints as soon as it can be asked."""
    deadline = time.monotonic() + PATIENCE
    while not (found := re.search(r"http://\S+:\d+", log.read_text(errors="replace"))):
        assert process.poll() is None, f"The server ended: {log.read_text(errors='replace')}"
        assert time.monotonic() < deadline, f"The server says no address: {log.read_text(errors='replace')}"
        time.sleep(0.05)
    return found[0]


@pytest.fixture(scope="module")
def live_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the module's `live_server`; a module that needs others overrides this fixture."""
    return make_settings(tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def live_server(engine: str, python_image: str, live_settings: Settings) -> Iterator[LiveServer]:
    """A server process of the module's own."""
    with live(live_settings, live_settings.data_dir / "server.out") as started:
        yield started
