"""A directory as a zip archive, made while it is read.

Files are cut into pieces that a few threads pack at once; the pieces go out in order, and only so many are
under way that memory stays bounded, whatever the directory holds.
"""

import contextlib
import os
import stat
import struct
import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Executor, Future
from typing import NamedTuple

from container_manager.store.archive_format import DEFLATED, STORED
from container_manager.store.archive_names import leads_out
from container_manager.store.deflate import crc32, deflate, deflate_piece
from container_manager.store.mount import Mount, OpenFile
from container_manager.store.paths import Parts
from container_manager.store.walk import walk

_PIECE = 1 << 20
_WINDOW = 6 << 20
"""Bytes under way at once: enough for every packing thread and the next reads."""
_PIECES = 256
"""And pieces, because small ones come with more than their bytes."""
_INLINE = 16 << 10
"""Smaller files are packed where they are read: handing them over would take longer."""
_OUTPUT = 256 << 10
_SAMPLE = 64 << 10
_SPOOL = 4 << 20
"""The central directory is kept in memory up to this size, then in a nameless file."""
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_WIDE = 0xF0000000
"""From this size on a file gets 64-bit fields; deflate may make it a little larger."""
_WORTH = 0.97
"""A large file whose beginning does not get smaller than this part of it is not packed."""
_UTF8, _LATER = 0x800, 0x8
_UNIX = 3
_SPECIAL_BITS = 0o7000
_DOS_FIRST, _DOS_LAST = 315_705_600, 4_354_732_800
"""1980-01-03 and 2107-12-30, in UTC: inside what the format's dates can say in any time zone."""


class _Member:
    """One entry under way. `whole`: its data are one piece, so that its header can tell everything."""

    __slots__ = (
        "clock",
        "crc",
        "date",
        "flags",
        "method",
        "mode",
        "name",
        "offset",
        "packed",
        "size",
        "times",
        "whole",
        "wide",
    )

    def __init__(self, name: bytes, status: os.stat_result, *, whole: bool) -> None:
        self.name = name
        self.mode = status.st_mode
        self.whole = whole
        self.wide = not whole and status.st_size >= _WIDE
        self.flags = (0 if whole else _LATER) | (_UTF8 if _is_utf8(name) else 0)
        self.clock, self.date = _dos_time(status)
        self.times = _times(status)
        self.method = DEFLATED
        self.offset = self.crc = self.size = self.packed = 0


class _Piece(NamedTuple):
    """Part of a member: its data, and what they are packed to (None: they go in as they are)."""

    member: _Member
    data: bytes
    packed: "bytes | Future[bytes] | None"
    first: bool
    last: bool


def zip_directory(start: Mount, pool: Executor) -> Generator[bytes]:
    """The archive of everything below `start`, in chunks of some 256 KiB. Close the generator to end it early.

    Names are relative to `start`; modes and times are kept; links are kept as links unless they point out of the
    mount, which no upload would take back.
    """
    out = bytearray()
    count = offset = 0
    with tempfile.SpooledTemporaryFile(_SPOOL) as directory, contextlib.closing(_in_order(start, pool)) as pieces:
        for piece in pieces:
            before = len(out)
            _emit(piece, out, offset)
            offset += len(out) - before
            if piece.last:
                directory.write(_central(piece.member))
                count += 1
            if len(out) >= _OUTPUT:
                yield bytes(out)
                out.clear()
        size = directory.tell()
        directory.seek(0)
        while chunk := directory.read(_OUTPUT):
            yield bytes(out) + chunk
            out.clear()
    yield bytes(out) + _ending(count, size, offset)


def _in_order(start: Mount, pool: Executor) -> Generator[_Piece]:
    """All pieces, read ahead by as much as the window holds, so that the pool packs while others are written."""
    under_way: deque[_Piece] = deque()
    size = 0
    with contextlib.closing(_pieces(start, pool)) as pieces:
        try:
            for piece in pieces:
                under_way.append(piece)
                size += len(piece.data)
                while size >= _WINDOW or len(under_way) >= _PIECES:
                    size -= len(under_way[0].data)
                    yield under_way.popleft()
            while under_way:
                yield under_way.popleft()
        finally:
            for piece in under_way:
                if isinstance(piece.packed, Future):
                    piece.packed.cancel()


def _pieces(start: Mount, pool: Executor) -> Generator[_Piece]:
    here: Parts | None = None
    for found in walk(start):
        if found.directory is not here:
            here = found.directory
            prefix = os.fsencode("".join(f"{part}/" for part in here))
        name = prefix + os.fsencode(found.name)
        if found.file is not None:
            with contextlib.closing(found.file):
                yield from _file_pieces(name, found.file, pool)
        elif found.link is None:
            yield _small(name + b"/", found.status, b"")
        elif not leads_out(found.link, (*here, found.name)):
            yield _small(name, found.status, os.fsencode(found.link))


def _small(name: bytes, status: os.stat_result, data: bytes) -> _Piece:
    return _Piece(_Member(name, status, whole=True), data, None, first=True, last=True)


def _file_pieces(name: bytes, file: OpenFile, pool: Executor) -> Iterator[_Piece]:
    """The pieces of one file, as long as it was when it was opened, or shorter if it has shrunk."""
    left = file.size
    data = os.read(file.descriptor, min(left, _PIECE))
    if left <= len(data) or not data:
        packed = deflate(data) if len(data) <= _INLINE else pool.submit(deflate, data)
        yield _Piece(_Member(name, file.status, whole=True), data, packed, first=True, last=True)
        return
    member = _Member(name, file.status, whole=False)
    sample = data[:_SAMPLE]
    if len(deflate(sample)) > len(sample) * _WORTH:
        member.method = STORED
    before, first = b"", True
    while data:
        job = None if member.method == STORED else pool.submit(deflate_piece, data, before)
        yield _Piece(member, data, job, first=first, last=False)
        left -= len(data)
        before, first = data, False
        data = os.read(file.descriptor, min(left, _PIECE))
    # Only now it is known that nothing follows: an empty block says so.
    yield _Piece(
        member, b"", None if member.method == STORED else deflate_piece(b"", last=True), first=False, last=True
    )


def _emit(piece: _Piece, out: bytearray, offset: int) -> None:
    """Append what `piece` comes to; `offset` is where that begins in the archive."""
    member = piece.member
    packed = piece.packed.result() if isinstance(piece.packed, Future) else piece.packed
    if packed is None or (member.whole and len(packed) >= len(piece.data)):
        packed = piece.data
        member.method = STORED
    member.crc = crc32(piece.data, member.crc)
    member.size += len(piece.data)
    member.packed += len(packed)
    if piece.first:
        member.offset = offset
        out += _local(member)
    out += packed
    if piece.last and not member.whole:
        form = "<4sL2Q" if member.wide else "<4s3L"
        out += struct.pack(form, b"PK\7\10", member.crc, member.packed, member.size)


def _local(member: _Member) -> bytes:
    extra = member.times
    crc = packed = size = 0
    if member.whole:
        crc, packed, size = member.crc, member.packed, member.size
    elif member.wide:
        packed = size = _MAX32
        extra += struct.pack("<2H2Q", 1, 16, 0, 0)
    head = struct.pack(
        "<4s3H2H3L2H",
        b"PK\3\4",
        45 if member.wide else 20,
        member.flags,
        member.method,
        member.clock,
        member.date,
        crc,
        packed,
        size,
        len(member.name),
        len(extra),
    )
    return head + member.name + extra


def _central(member: _Member) -> bytes:
    values = (member.size, member.packed, member.offset)
    large = [value for value in values if value >= _MAX32]
    size, packed, offset = (min(value, _MAX32) for value in values)
    extra = member.times
    if large:
        extra += struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large)
    version = 45 if large or member.wide else 20
    is_directory = 0x10 if stat.S_ISDIR(member.mode) else 0
    head = struct.pack(
        "<4s2B3H2H3L5H2L",
        b"PK\1\2",
        version,
        _UNIX,
        version,
        member.flags,
        member.method,
        member.clock,
        member.date,
        member.crc,
        packed,
        size,
        len(member.name),
        len(extra),
        0,
        0,
        0,
        (member.mode & ~_SPECIAL_BITS) << 16 | is_directory,
        offset,
    )
    return head + member.name + extra


def _ending(count: int, size: int, offset: int) -> bytes:
    """The records at the end, 64 bits wide where the values ask for it."""
    wide = b""
    if count >= _MAX16 or size >= _MAX32 or offset >= _MAX32:
        wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
        wide += struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1)
    narrow = min(count, _MAX16), min(count, _MAX16), min(size, _MAX32), min(offset, _MAX32)
    return wide + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *narrow, 0)


def _times(status: os.stat_result) -> bytes:
    """Modification time in UTC, where 32 bits hold it."""
    seconds = int(status.st_mtime)
    return struct.pack("<2HBl", 0x5455, 5, 1, seconds) if -(1 << 31) <= seconds < 1 << 31 else b""


def _dos_time(status: os.stat_result) -> tuple[int, int]:
    """Time and date as the format was born with: local, in steps of two seconds, from 1980 on."""
    moment = time.localtime(min(max(status.st_mtime, _DOS_FIRST), _DOS_LAST))
    clock = moment.tm_hour << 11 | moment.tm_min << 5 | moment.tm_sec // 2
    return clock, max(moment.tm_year - 1980, 0) << 9 | moment.tm_mon << 5 | moment.tm_mday


def _is_utf8(name: bytes) -> bool:
    """Whether the flag for UTF-8 belongs to the name: other bytes stay as they are."""
    if name.isascii():
        return False
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
