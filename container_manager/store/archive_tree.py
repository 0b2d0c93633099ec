"""An archive as the tree that it will become, judged before anything is unpacked."""

import os
from typing import NamedTuple

from container_manager.errors import BadZip
from container_manager.store.archive_file import ArchiveFile
from container_manager.store.archive_format import ArchiveEntry, find_ending, locate, read_entries
from container_manager.store.archive_names import refused, split_name
from container_manager.store.paths import Parts


class Limits(NamedTuple):
    """What one archive may become, and what must be left of the disk. Bytes, but for `entries`."""

    unpacked: int
    entries: int
    free: int


class Folder:
    """A directory of the archive, `entry` when it has one of its own."""

    __slots__ = ("children", "entry", "where")

    def __init__(self, where: Parts) -> None:
        self.where = where
        self.children: dict[str, Folder | ArchiveEntry] = {}
        self.entry: ArchiveEntry | None = None


class Placed(NamedTuple):
    """A file or link, and where it goes. What follows it in the archive's file begins at `end`."""

    entry: ArchiveEntry
    folder: Folder
    name: str
    end: int


class Archive(NamedTuple):
    """A judged archive: its directories, parents first (the first is where all goes), its files in the file's order."""

    file: ArchiveFile
    folders: list[Folder]
    files: list[Placed]
    links: list[Placed]
    size: int
    """Of all files once unpacked, as the archive says."""


def judge(file: ArchiveFile, limits: Limits) -> Archive:
    """Read and judge an archive but for what is packed in it. BadZip tells the entry and the reason."""
    ending = find_ending(file)
    entries = read_entries(file, ending, limits.entries)
    size = sum([entry.size for entry in entries])
    if size > limits.unpacked:
        reason = f"it would take {size} bytes unpacked, more than {limits.unpacked} (MAX_UNPACKED_BYTES)"
        raise BadZip(f"The archive is refused: {reason}", entry=None, reason=reason)
    entries.sort(key=lambda entry: entry.offset)
    archive = Archive(file, [Folder(())], [], [], size)
    room = limits.entries
    starts = [*(entry.offset for entry in entries), ending.start]
    for entry, end in zip(entries, starts[1:], strict=True):
        # Each must have ended where the next one begins.
        if entry.offset + len(entry.raw) + entry.packed + 30 > end:
            raise refused(entry.name, "overlaps what follows it")
        parts, directory = split_name(entry.name, entry.host)
        directory = directory or entry.is_directory
        room -= _add(archive, entry, parts, end, directory)
        if room < 0:
            raise refused(entry.name, "is one too many: MAX_UNPACKED_FILES counts directories too")
    return archive


def _add(archive: Archive, entry: ArchiveEntry, parts: Parts, end: int, directory: bool) -> int:
    """Put `entry` into the tree; how many names that added. BadZip for clashes, and a header that contradicts."""
    before = len(archive.folders)
    # Most archives go directory by directory.
    at = archive.files[-1].folder if archive.files else archive.folders[0]
    where = parts if directory else parts[:-1]
    if at.where != where:
        at = archive.folders[0]
    for depth, name in enumerate(where if at.where != where else ()):
        below = at.children.get(name)
        if below is None:
            below = at.children[name] = Folder(parts[: depth + 1])
            archive.folders.append(below)
        elif not isinstance(below, Folder):
            raise refused(entry.name, f"lies below {'/'.join(parts[: depth + 1])!r}, which is a file in the archive")
        at = below
    added = len(archive.folders) - before
    if directory:
        if entry.size or entry.is_link:
            raise refused(entry.name, "is a directory that has content")
        locate(archive.file, entry, end)
        at.entry = entry
        return added
    there = at.children.get(parts[-1])
    if there is not None:
        raise refused(
            entry.name, "is a file and a directory at once" if isinstance(there, Folder) else "is there twice"
        )
    at.children[parts[-1]] = entry
    (archive.links if entry.is_link else archive.files).append(Placed(entry, at, parts[-1], end))
    return added + 1


def free_bytes(descriptor: int) -> int:
    """What is free for us on the file system of `descriptor`."""
    status = os.fstatvfs(descriptor)
    return status.f_bavail * status.f_frsize
