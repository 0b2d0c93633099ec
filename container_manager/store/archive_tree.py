"""An archive as the tree that it will become, judged before anything is unpacked."""

import os
import stat
from dataclasses import dataclass, field

from container_manager.errors import BadZip
from container_manager.store.archive_format import ArchiveEntry, find_ending, locate, read_entries
from container_manager.store.archive_names import refused, split_name
from container_manager.store.paths import Parts


@dataclass(frozen=True, slots=True)
class Limits:
    """What one archive may become, and what must be left of the disk. Bytes, but for `entries`."""

    unpacked: int
    entries: int
    free: int


@dataclass(slots=True)
class Folder:
    """A directory of the archive, its entry when it has one of its own."""

    children: dict[str, "Folder | ArchiveEntry"] = field(default_factory=dict)
    entry: ArchiveEntry | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """A judged archive. `ends` tells for each entry's offset where the next thing in the file begins."""

    descriptor: int
    tree: Folder
    links: tuple[tuple[Parts, ArchiveEntry], ...]
    ends: dict[int, int]
    files: int
    size: int
    """Of all files once unpacked, as the archive says."""

    def data_of(self, entry: ArchiveEntry) -> int:
        """Where the data of `entry` start. BadZip when its own header contradicts the directory."""
        return locate(self.descriptor, entry, self.ends[entry.offset])


def judge(descriptor: int, limits: Limits) -> Archive:
    """Read and judge the archive in the file `descriptor`. BadZip tells the entry and the reason."""
    ending = find_ending(descriptor)
    entries = read_entries(descriptor, ending, limits.entries)
    size = sum(entry.size for entry in entries)
    if size > limits.unpacked:
        reason = f"it would take {size} bytes unpacked, more than {limits.unpacked} (MAX_UNPACKED_BYTES)"
        raise BadZip(f"The archive is refused: {reason}", entry=None, reason=reason)
    ends = _ends(entries, ending.start)
    tree = Folder()
    links = []
    files, room = 0, limits.entries
    for entry in entries:
        parts, directory = split_name(entry.name, entry.host)
        directory = directory or stat.S_ISDIR(entry.mode)
        room -= _add(tree, entry, parts, directory, room)
        if entry.is_link:
            links.append((parts, entry))
        elif not directory:
            files += 1
    return Archive(descriptor, tree, tuple(links), ends, files, size)


def _ends(entries: list[ArchiveEntry], directory_start: int) -> dict[int, int]:
    """Where each entry must have ended: at the header of the next one in the file."""
    ordered = sorted(entries, key=lambda entry: entry.offset)
    starts = [*(entry.offset for entry in ordered), directory_start]
    ends = {}
    for entry, following in zip(ordered, starts[1:], strict=True):
        if entry.offset + len(entry.raw) + entry.packed + 30 > following:
            raise refused(entry.name, "overlaps what follows it")
        ends[entry.offset] = following
    return ends


def _add(tree: Folder, entry: ArchiveEntry, parts: Parts, directory: bool, room: int) -> int:
    """Put `entry` into the tree; how many names that added. BadZip for clashes, and for more than `room`."""
    added = 0
    at = tree
    for depth, name in enumerate(parts[: len(parts) if directory else -1]):
        below = at.children.get(name)
        if below is None:
            below = at.children[name] = Folder()
            added += 1
        elif not isinstance(below, Folder):
            raise refused(entry.name, f"lies below {'/'.join(parts[: depth + 1])!r}, which is a file in the archive")
        at = below
    if directory:
        if entry.size or entry.is_link:
            raise refused(entry.name, "is a directory that has content")
        at.entry = entry
    else:
        there = at.children.get(parts[-1])
        if isinstance(there, Folder):
            raise refused(entry.name, "is a file and a directory at once")
        if there is not None:
            raise refused(entry.name, "is there twice")
        at.children[parts[-1]] = entry
        added += 1
    if added > room:
        raise refused(entry.name, "is one too many: MAX_UNPACKED_FILES counts directories too")
    return added


def free_bytes(descriptor: int) -> int:
    """What is free for us on the file system of `descriptor`."""
    status = os.fstatvfs(descriptor)
    return status.f_bavail * status.f_frsize
