"""Unpacking a judged archive into staging, counting and checking what really comes out."""

import os
import stat
from collections.abc import Callable, Iterable
from typing import NamedTuple

from container_manager.errors import NoSpace
from container_manager.store import deflate
from container_manager.store.archive_file import ArchiveFile
from container_manager.store.archive_format import STORED, ArchiveEntry, locate
from container_manager.store.archive_names import leads_out, refused
from container_manager.store.archive_tree import Archive, Folder, Limits, Placed, free_bytes
from container_manager.store.beneath import best
from container_manager.store.staging import DIRECTORY_MODE, FEW, FILE_MODE, Owner, give, make_directory
from container_manager.store.syscalls import sync_filesystem
from container_manager.store.tree import DIRECTORY

_READ = 256 << 10
_WRITE = 1 << 20
_MAX_LINK = 4096

Progress = Callable[[int], None]
"""Called with the bytes unpacked since the last call; may raise to end the work."""


class Unpacked(NamedTuple):
    """What came out of an archive. `skipped` are its links, which are not kept."""

    files: int
    bytes: int
    directories: int
    skipped: tuple[str, ...]


def unpack(archive: Archive, into: int, owner: Owner, limits: Limits, progress: Progress) -> Unpacked:
    """Unpack into directory `into`, durably. BadZip tells what is wrong with which entry, NoSpace what is lacking."""
    prepare(archive, into, owner, limits)
    few = len(archive.files) <= FEW
    unpack_files(archive.file, archive.files, into, owner, progress, sync=few)
    if few:
        for folder in archive.folders:
            at = best()(into, folder.where, DIRECTORY, False)
            try:
                os.fsync(at)
            finally:
                os.close(at)
    else:
        sync_filesystem(into)
    return outcome(archive)


def outcome(archive: Archive) -> Unpacked:
    """What there is once all of `archive` is unpacked."""
    return Unpacked(
        len(archive.files), archive.size, len(archive.folders) - 1, tuple(link.entry.name for link in archive.links)
    )


def prepare(archive: Archive, into: int, owner: Owner, limits: Limits) -> None:
    """Make the directories of `archive` in `into`. NoSpace, BadZip for links that point out."""
    check_room(into, archive.size, limits.free)
    for link in archive.links:
        target = _read_whole(archive.file, link)
        if leads_out(target.decode("utf-8", "replace"), (*link.folder.where, link.name)):
            raise refused(link.entry.name, "is a link that points out of the mount")
    for folder in archive.folders[1:]:
        at = best()(into, folder.where[:-1], DIRECTORY, False)
        try:
            os.close(make_directory(at, folder.where[-1], owner, _directory_mode(folder)))
        finally:
            os.close(at)


def unpack_files(
    file: ArchiveFile, files: Iterable[Placed], into: int, owner: Owner | None, progress: Progress, *, sync: bool
) -> None:
    """Make `files`, whose directories are there. Without `owner` new files are right as the system makes them."""
    at, here = -1, None
    try:
        for placed in files:
            if placed.folder is not here:
                if at >= 0:
                    os.close(at)
                    at = -1
                at, here = best()(into, placed.folder.where, DIRECTORY, False), placed.folder
            _unpack_file(file, placed, at, owner, progress, sync=sync)
    finally:
        if at >= 0:
            os.close(at)


def check_room(descriptor: int, needed: int, free: int) -> None:
    """NoSpace unless `needed` bytes fit on the disk and `free` are left then."""
    available = free_bytes(descriptor)
    if needed + free > available:
        raise NoSpace(
            f"The disk has {available} bytes free, {needed} are needed and {free} must be left (MIN_FREE_BYTES)",
            available=available,
            needed=needed,
            min_free=free,
        )


def _unpack_file(
    file: ArchiveFile, placed: Placed, at: int, owner: Owner | None, progress: Progress, *, sync: bool
) -> None:
    entry = placed.entry
    start = locate(file, entry, placed.end)
    mode = _file_mode(entry.mode)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    target = os.open(placed.name, flags, mode if owner is None else 0o600, dir_fd=at)
    try:
        _inflate(file, entry, start, target, progress)
        if owner is not None:
            give(target, owner, mode)
        os.utime(target, (entry.mtime, entry.mtime))
        if sync:
            os.fsync(target)
    finally:
        os.close(target)


def _inflate(file: ArchiveFile, entry: ArchiveEntry, start: int, target: int, progress: Progress) -> None:
    """Write what `entry` holds to `target`: as many bytes as it says, with the checksum that it says."""
    left, crc = entry.size, 0
    position, end = start, start + entry.packed
    inflater = None if entry.method == STORED else deflate.inflater()
    while position < end:
        data = file.read(position, min(_READ, end - position))
        position += len(data)
        while data:
            piece, data = (data, b"") if inflater is None else _step(inflater, data, entry)
            left -= len(piece)
            if left < 0:
                raise refused(entry.name, "is longer than it says")
            crc = deflate.crc32(piece, crc)
            _write(target, piece)
            progress(len(piece))
    if inflater is not None and not inflater.eof and entry.packed:
        raise refused(entry.name, "is cut off")
    if left:
        raise refused(entry.name, "is shorter than it says")
    if crc != entry.crc:
        raise refused(entry.name, "has a wrong checksum")


def _step(inflater: deflate.Inflater, data: bytes, entry: ArchiveEntry) -> tuple[bytes, bytes]:
    """The next piece, at most 1 MiB, and what is left of `data`."""
    try:
        piece = inflater.decompress(data, _WRITE)
    except deflate.error as error:
        raise refused(entry.name, "is damaged") from error
    if inflater.unused_data or (inflater.eof and inflater.unconsumed_tail):
        raise refused(entry.name, "has more packed data than it needs")
    if not piece and inflater.unconsumed_tail == data:
        raise refused(entry.name, "is damaged")
    return piece, inflater.unconsumed_tail


def _write(target: int, data: bytes) -> None:
    written = os.write(target, data)
    if written < len(data):
        view = memoryview(data)[written:]
        while view:
            view = view[os.write(target, view) :]


def _read_whole(file: ArchiveFile, link: Placed) -> bytes:
    """What a link says: small, checked as any file is."""
    if link.entry.size > _MAX_LINK:
        raise refused(link.entry.name, "is a link of more than 4096 bytes")
    start = locate(file, link.entry, link.end)
    memory = os.memfd_create("link", os.MFD_CLOEXEC)
    try:
        _inflate(file, link.entry, start, memory, lambda _: None)
        return os.pread(memory, _MAX_LINK, 0)
    finally:
        os.close(memory)


def _file_mode(mode: int) -> int:
    """Permissions as archived, writable for the owner; no setuid, setgid or sticky bit."""
    return mode & 0o777 | 0o600 if stat.S_IMODE(mode) else FILE_MODE


def _directory_mode(folder: Folder) -> int:
    mode = folder.entry.mode if folder.entry else 0
    return mode & 0o777 | 0o700 if stat.S_IMODE(mode) else DIRECTORY_MODE
