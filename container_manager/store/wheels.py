"""The wheel cache on disk: for each image and index a directory of wheels, and of lists that name them.

A list is named after the requirements.txt that it serves, and gives the sum of every wheel. Only the server writes
here; containers see the directory of their own image and index, read-only.
"""

import contextlib
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from container_manager.errors import ValidationError
from container_manager.models import LAUNCHER, Layout
from container_manager.store.atomic import sweep_temporaries, write_atomically
from container_manager.store.launcher import WHEELS
from container_manager.store.staging import Owner, make_directory
from container_manager.store.tree import DIRECTORY, remove_tree

FRESH_SECONDS = 24 * 3600.0
"""Age at which a list is forgotten, so that new versions are seen, and withdrawn ones go."""

_INCOMING = ".incoming-"
_LIST = ".txt"
_WHEEL = re.compile(r"[A-Za-z0-9_.+!]{1,100}(?:-[A-Za-z0-9_.+!]{1,100}){4,5}\.whl")
_SUM = re.compile(rb"[0-9a-f]{64}")
_MOST_ENTRIES = 5000


class WheelCache:
    """`wheels/`, `limit` bytes at most. Every method blocks; filling is one at a time, the caller sees to that."""

    def __init__(self, layout: Layout, limit: int) -> None:
        self._root = layout.wheels
        self.limit = limit

    def prepare(self) -> None:
        """Remove what a killed run was fetching, and what is too old."""
        self._root.mkdir(exist_ok=True)
        self._root.chmod(0o755)
        with _directory(self._root) as root:
            for name in os.listdir(root):
                if name.startswith(_INCOMING):
                    remove_tree(root, name)
                else:
                    sweep_temporaries(self._root / name)
        self.trim()

    def directory(self, key: str) -> Path:
        """The directory of one image and index, made if it is missing, without lists that are too old."""
        path = self._root / key
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
        for found in path.glob(f"*{_LIST}"):
            with contextlib.suppress(FileNotFoundError):
                if found.stat().st_mtime < time.time() - FRESH_SECONDS:
                    found.unlink()
        return path

    def serves(self, key: str, requirements: str) -> bool:
        """Whether there is a list for the requirements.txt of that sum."""
        return (self._root / key / f"{requirements}{_LIST}").exists()

    def incoming(self, lines: Sequence[str], owner: Owner) -> Path:
        """A directory of `owner` to fetch into, with a requirements.txt of `lines`; `discard` it in any case."""
        path = self._root / f"{_INCOMING}{secrets.token_hex(8)}"
        with _directory(self._root) as root:
            directory = make_directory(root, path.name, owner, 0o700)
            for below in ("found", "tmp"):
                os.close(make_directory(directory, below, owner, 0o700))
            os.close(directory)
        write_atomically(path / "requirements.txt", "\n".join([*lines, ""]).encode(), 0o644)
        return path

    def discard(self, incoming: Path) -> None:
        """Remove it, whatever it holds."""
        with _directory(self._root) as root:
            remove_tree(root, incoming.name)

    def take_in(self, key: str, requirements: str, incoming: Path) -> int:
        """Move the wheels found into the cache, list them for `requirements`, and return how many there are.

        Nobody writes to `incoming` any more, but whoever did is not trusted: ValidationError, and nothing is listed.
        """
        directory = self.directory(key)
        with _directory(incoming) as source, _directory(incoming / "found") as found, _directory(directory) as target:
            index = _read_sum(source)
            names = sorted(os.listdir(found))
            sums = [_admit(found, name) for name in names]
            for name in names:
                os.rename(name, name, src_dir_fd=found, dst_dir_fd=target)
            os.fsync(target)
        # In the container's terms, for pip reads it there.
        lines = [f"{LAUNCHER}/{WHEELS}/{name} --hash=sha256:{digest}" for name, digest in zip(names, sums, strict=True)]
        text = "\n".join([f"# {index}", *lines, ""])
        write_atomically(directory / f"{requirements}{_LIST}", text.encode(), 0o644)
        self.trim()
        return len(names)

    def trim(self) -> None:
        """Keep the newest lists that fit into `limit` with their wheels; remove all else."""
        listed = sorted(self._root.glob(f"c*/*{_LIST}"), key=lambda path: path.stat().st_mtime, reverse=True)
        kept: set[Path] = set()
        total = 0
        for path in listed:
            words = (line.partition(" ")[0] for line in path.read_text().splitlines()[1:])
            wheels = {path.parent / os.path.basename(word) for word in words} - kept
            size = sum(wheel.stat().st_size for wheel in wheels if wheel.exists())
            if total + size > self.limit or path.stat().st_mtime < time.time() - FRESH_SECONDS:
                path.unlink()
            else:
                total += size
                kept |= wheels
        for wheel in self._root.glob("c*/*.whl"):
            if wheel not in kept:
                wheel.unlink()


def size_below(incoming: Path) -> int:
    """Bytes below a directory that somebody is writing to; as many as there can be, when it has too many entries."""
    total = seen = 0
    for at, directories, files in os.walk(incoming):
        seen += len(directories) + len(files)
        if seen > _MOST_ENTRIES:
            return 2**63
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(at, name)).st_size
    return total


def free_bytes(path: Path) -> int:
    """What the disk of `path` has left for others than root."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def _read_sum(directory: int) -> str:
    with _regular(directory, "index") as descriptor:
        text = os.read(descriptor, 65)
    if not _SUM.fullmatch(text):
        raise ValidationError("what pip was configured with is not told")
    return text.decode()


def _admit(found: int, name: str) -> str:
    """The sum of one wheel, which from then on is the server's own. ValidationError when it is none."""
    if not _WHEEL.fullmatch(name):
        raise ValidationError(f"{name[:100]!r} is no wheel")
    with _regular(found, name) as descriptor, open(descriptor, "rb", closefd=False) as file:
        if os.geteuid() == 0:
            os.fchown(descriptor, 0, 0)
        os.fchmod(descriptor, 0o644)
        os.fsync(descriptor)
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, DIRECTORY)
    except OSError as error:
        raise ValidationError(f"{path} cannot be opened: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _regular(at: int, name: str) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=at)
    except OSError as error:
        raise ValidationError(f"{name} cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise ValidationError(f"{name} is no file of its own")
        yield descriptor
    finally:
        os.close(descriptor)
