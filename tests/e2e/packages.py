"""Wheels made by hand, a small package index on this machine that containers can reach, and an image with pip."""

import contextlib
import hashlib
import io
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pip

from harness import PYTHON_IMAGE, docker

_NO_PIP = "rm -rf /usr/local/lib/python3*/*-packages/pip /usr/lib/python3*/*-packages/pip"
PIP_IMAGE = "tests-pip:latest"
NO_PIP_IMAGE = "tests-no-pip:latest"


def pip_image() -> str:
    """The image of boot.py apps, with this Python's own pip put in where it has none."""
    made, reference = _made(PIP_IMAGE)
    if made:
        return PIP_IMAGE
    name = docker("create", "--pids-limit", "200", "--network", "none", PYTHON_IMAGE, "sleep", "600").strip()
    try:
        docker("start", name)
        asked = "import importlib.util, site; print(importlib.util.find_spec('pip') and 1, site.getsitepackages()[0])"
        has, place = docker("exec", name, "python3", "-c", asked).split()
        if has == "None":
            docker("cp", "-", f"{name}:{place}", stdin=_pip())
            # Root alone could do it later: every use of pip would compile it anew.
            docker("exec", name, "python3", "-m", "compileall", "-q", f"{place}/pip")
        _keep(name, PIP_IMAGE, f"LABEL of={reference}")
    finally:
        docker("rm", "--force", name)
    return PIP_IMAGE


def image_without_pip() -> str:
    """The image of boot.py apps, with pip taken out."""
    made, reference = _made(NO_PIP_IMAGE)
    if made:
        return NO_PIP_IMAGE
    name = docker("create", "--network", "none", "--pids-limit", "200", PYTHON_IMAGE, "sh", "-c", _NO_PIP).strip()
    try:
        docker("start", name)
        assert docker("wait", name).strip() == "0"
        _keep(name, NO_PIP_IMAGE, f"LABEL of={reference}")
    finally:
        docker("rm", "--force", name)
    return NO_PIP_IMAGE


def _made(image: str) -> tuple[bool, str]:
    """Whether an earlier run has made `image` of the image of boot.py apps as that is now, and the id of that."""
    reference = docker("image", "inspect", "--format", "{{.Id}}", PYTHON_IMAGE).strip()
    known = subprocess.run(
        ["docker", "image", "inspect", "--format", '{{index .Config.Labels "of"}}', image],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return known.stdout.strip() == reference, reference


def _keep(container: str, reference: str, *changes: str) -> None:
    """Make an image of what is in the container. Not with `docker commit`: Podman 4 does not understand it."""
    options = [word for change in ('CMD ["python3"]', *changes) for word in ("--change", change)]
    with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as export:
        subprocess.run(["docker", "import", *options, "-", reference], stdin=export.stdout, check=True, timeout=120)
    assert export.returncode == 0


def _pip() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(
            Path(pip.__file__).parent, "pip", filter=lambda member: None if "__pycache__" in member.name else member
        )
    return buffer.getvalue()


def wheel(name: str, version: str, code: str) -> tuple[str, bytes]:
    """The file name and content of a wheel with one module."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return f"{name}-{version}-py3-none-any.whl", buffer.getvalue()


class Index:
    """What it offers, and which paths were asked for. `hold` keeps every answer back until it is set."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.host = url.split("/")[2].partition(":")[0]
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.hold = threading.Event()
        self.hold.set()

    def offer(self, name: str, version: str, code: str) -> None:
        """Have that wheel."""
        file, content = wheel(name, version, code)
        self.files[file] = content

    def answer(self, path: str) -> bytes | None:
        """A page of links, or a wheel; None for what there is not."""
        self.asked.append(path)
        self.hold.wait(30)
        last = path.strip("/").rpartition("/")[2]
        if last.endswith(".whl"):
            return self.files.get(last)
        found = {
            file: hashlib.sha256(data).hexdigest() for file, data in self.files.items() if file.startswith(f"{last}-")
        }
        return (
            "".join(f'<a href="/files/{f}#sha256={s}">{f}</a>\n' for f, s in found.items()).encode() if found else None
        )


@contextlib.contextmanager
def index() -> Iterator[Index]:
    """An index at an address of this machine that containers of the shared network reach: their gateway."""
    form = "{{(index .IPAM.Config 0).Gateway}}"
    gateway = docker("network", "inspect", "--format", form, "container-manager-isolated").strip()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = offered.answer(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    server.daemon_threads = True
    offered = Index(f"http://{gateway}:{server.server_address[1]}/simple")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield offered
    finally:
        offered.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
