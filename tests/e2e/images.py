"""Small images that lack one thing or another, made from this machine's static BusyBox and programs."""

import io
import re
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from harness import docker

BUSYBOX_BINARY = "/usr/bin/busybox"
FEW = "ash cat chmod chown cp echo env grep id ls mkdir mv ps rm sh sleep su test wc"
"""Programs of an image that has none to make accounts with."""

FOLDERS = {"bin": 0o755, "etc": 0o755, "tmp": 0o1777, "root": 0o700, "app": 0o755}
ACCOUNTS = {
    "etc/passwd": ("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n", 0o644),
    "etc/group": ("root:x:0:\nnogroup:x:65534:\n", 0o644),
    "etc/shadow": ("root:*:19000:0:99999:7:::\n", 0o640),
}


TERMINFO = "/lib/terminfo/x/xterm-256color"


def make_image(
    reference: str, applets: str | None = None, *, accounts: bool = True, programs: Sequence[str] = ()
) -> str:
    """An image with these `applets` (default: all) and a `su` that works, with or without /etc/passwd and its kin.

    `programs` of this machine come with the libraries that they need.
    """
    listed = subprocess.run([BUSYBOX_BINARY, "--list"], capture_output=True, text=True, check=True, timeout=10)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:

        def add(path: str, mode: int, kind: bytes, content: bytes = b"", target: str = "") -> None:
            member = tarfile.TarInfo(path)
            member.mode, member.type, member.size, member.linkname = mode, kind, len(content), target
            archive.addfile(member, io.BytesIO(content))

        for folder, mode in FOLDERS.items():
            add(folder, mode, tarfile.DIRTYPE)
        with open(BUSYBOX_BINARY, "rb") as binary:
            add("bin/busybox", 0o4755, tarfile.REGTYPE, binary.read())
        for applet in (applets or listed.stdout).split():
            if applet != "busybox":
                add(f"bin/{applet}", 0o777, tarfile.SYMTYPE, target="busybox")
        for file in _with_libraries(programs):
            add(file.lstrip("/"), 0o755, tarfile.REGTYPE, Path(file).read_bytes())
        for path, (text, mode) in ACCOUNTS.items() if accounts else ():
            add(path, mode, tarfile.REGTYPE, text.encode())
    docker("import", "--change", 'CMD ["sh"]', "-", reference, stdin=buffer.getvalue())
    return reference


def _with_libraries(programs: Sequence[str]) -> list[str]:
    """The programs, every library that they load, and what they know of the terminal."""
    if not programs:
        return []
    told = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True, timeout=10).stdout
    return [*programs, *sorted(set(re.findall(r"(/\S+) \(0x", told))), TERMINFO]
