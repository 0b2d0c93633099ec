"""A directory as a zip file, for `upload` and `run`."""

import fnmatch
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

LEFT_OUT = (".git", ".venv", "__pycache__", "*.pyc", ".DS_Store")
"""Names that are not packed unless asked for: nobody runs them, and they are big."""


def listing(directory: Path, left_out: Sequence[str], skipped: Callable[[str], None]) -> Iterator[tuple[Path, str]]:
    """Every file and directory below `directory` with its name in the archive, sorted.

    `left_out` are patterns of names. `skipped` is told every link that leads out of the directory and
    everything that is neither file nor directory; such things are not packed.
    """
    root = directory.resolve()
    for place, directories, files in os.walk(root):
        directories[:] = sorted(name for name in directories if not _matches(name, left_out))
        for name in (*directories, *sorted(name for name in files if not _matches(name, left_out))):
            path = Path(place, name)
            inside = path.relative_to(root).as_posix()
            if path.is_symlink() and not (path.is_file() and path.resolve().is_relative_to(root)):
                skipped(inside)
            elif path.is_dir():
                yield path, inside + "/"
            elif path.is_file():
                yield path, inside
            else:
                skipped(inside)


def pack(entries: Sequence[tuple[Path, str]], into: IO[bytes], packed: Callable[[int], None]) -> None:
    """Write `entries` as a zip file; `packed` is called with each one's size in bytes once it is in.

    Links become the files that they lead to. Modes are kept: what is executable stays so.
    """
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False) as archive:
        for path, inside in entries:
            archive.write(path, inside)
            packed(0 if inside.endswith("/") else path.stat().st_size)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
