"""The zip format as it stands in the file: the directory at its end, read strictly and in bounded memory."""

import stat
import struct
import time
from collections.abc import Iterator
from typing import NamedTuple

from container_manager.errors import BadZip
from container_manager.store.archive_file import ArchiveFile
from container_manager.store.archive_names import decode_name, refused

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s2BH4H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")

STORED, DEFLATED = 0, 8
_ENCRYPTED, _DESCRIPTOR, _PATCHED, _STRONG, _MASKED = 0x1, 0x8, 0x20, 0x40, 0x2000
_UNKNOWN = _ENCRYPTED | _PATCHED | _STRONG | _MASKED
_KIND = 0o170000
_KINDS = frozenset({0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK})
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_ZIP64, _TIMES = 0x0001, 0x5455
_LARGEST = _CENTRAL.size + 3 * _MAX16
"""What one record of the central directory may take."""
_READ = 1 << 20
MAX_NAMES_BYTES = 64 << 20
"""All names of one archive together: what they take in memory is bounded."""


class ArchiveEntry(NamedTuple):
    """One entry as the central directory tells it. Sizes in bytes, `mtime` in seconds."""

    name: str
    raw: bytes
    host: int
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    """As Unix has it, 0 when the archive does not say."""
    mtime: int
    offset: int
    """Of its local header, in the file."""

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.mode & _KIND == stat.S_IFLNK

    @property
    def is_directory(self) -> bool:
        """Whether its mode says that it is a directory; its name may say so too."""
        return self.mode & _KIND == stat.S_IFDIR


class Ending(NamedTuple):
    """Where the central directory lies in the file, and what is added to every offset (data before the archive)."""

    entries: int
    start: int
    size: int
    shift: int


def find_ending(file: ArchiveFile) -> Ending:
    """The end record of the archive, zip64 included. BadZip when there is none, two, or it contradicts itself."""
    tail_start = max(0, file.size - _END.size - _MAX16)
    tail = file.read(tail_start, file.size - tail_start)
    positions = list(_end_positions(tail))
    if not positions:
        raise _broken("it is no zip archive, or its end is missing")
    if len(positions) > 1:
        raise _broken("it has two ends")
    position = tail_start + positions[0]
    _, disk, first_disk, here, count, size, offset, _ = _END.unpack_from(tail, positions[0])
    end = position
    wide = _wide_ending(file, position)
    if wide is not None:
        end, fields = wide
        narrow = (disk, first_disk, here, count, size, offset)
        limits = (_MAX16,) * 4 + (_MAX32,) * 2
        if any(value not in (limit, other) for value, limit, other in zip(narrow, limits, fields, strict=True)):
            raise _broken("its two end records contradict each other")
        disk, first_disk, here, count, size, offset = fields
    if disk or first_disk or here != count:
        raise _broken("it is one part of several")
    if size + offset > end:
        raise _broken("its directory lies outside of it")
    return Ending(count, end - size, size, end - size - offset)


def _end_positions(tail: bytes) -> Iterator[int]:
    position = tail.rfind(b"PK\5\6")
    while position >= 0:
        if position + _END.size <= len(tail):
            comment = int.from_bytes(tail[position + 20 : position + 22], "little")
            if position + _END.size + comment == len(tail):
                yield position
        position = tail.rfind(b"PK\5\6", 0, position)


def _wide_ending(file: ArchiveFile, position: int) -> tuple[int, tuple[int, ...]] | None:
    """The zip64 end record before the end at `position`, when there is one: where it starts and what it says."""
    locator_at = position - _LOCATOR.size
    if locator_at < 0:
        return None
    magic, disk, offset, disks = _LOCATOR.unpack(file.read(locator_at, _LOCATOR.size))
    if magic != b"PK\6\7":
        return None
    if disk or disks > 1:
        raise _broken("it is one part of several")
    # With data before the archive the offset is too small: then the record is looked for right before its locator.
    for start in (offset, locator_at - _END64.size):
        if not 0 <= start <= locator_at - _END64.size:
            continue
        fields = _END64.unpack(file.read(start, _END64.size))
        if fields[0] == b"PK\6\6" and start + 12 + fields[1] == locator_at:
            return start, fields[4:]
    raise _broken("its zip64 end record is missing")


def read_entries(file: ArchiveFile, ending: Ending, max_entries: int) -> list[ArchiveEntry]:
    """Every entry of the central directory. BadZip for more than `max_entries` and for whatever does not fit."""
    if ending.entries > max_entries:
        raise _broken(f"it has more than {max_entries} entries (MAX_UNPACKED_FILES)")
    entries = []
    names = 0
    buffer, at = b"", 0
    start, end = ending.start, ending.start + ending.size
    for _ in range(ending.entries):
        if at + _LARGEST > len(buffer) and start + len(buffer) < end:
            start += at
            buffer, at = file.read(start, min(end - start, _READ)), 0
        if at + _CENTRAL.size > len(buffer):
            raise _broken("its directory is shorter than it says")
        fields = _CENTRAL.unpack_from(buffer, at)
        if fields[0] != b"PK\1\2":
            raise _broken("its directory is damaged")
        name_at = at + _CENTRAL.size
        extra_at = name_at + fields[11]
        comment_at = extra_at + fields[12]
        at = comment_at + fields[13]
        if at > len(buffer):
            raise _broken("its directory is shorter than it says")
        names += fields[11]
        if names > MAX_NAMES_BYTES:
            raise _broken("its names are too long together")
        entries.append(_entry(fields, buffer[name_at:extra_at], buffer[extra_at:comment_at], ending.shift))
    if start + at != end:
        raise _broken("its directory holds more than it says")
    return entries


def _entry(fields: tuple[int, ...], raw: bytes, extra: bytes, shift: int) -> ArchiveEntry:
    """One record of the central directory, with its kind, flags and method judged."""
    _, _, host, _, flags, method, clock, date, crc, packed, size, _, _, _, disk, _, attributes, offset = fields
    extras = _extras(raw, extra) if extra else {}
    name = decode_name(raw, flags, extras)
    if flags & _UNKNOWN:
        raise refused(name, "is a patch, not a file" if flags & _UNKNOWN == _PATCHED else "is encrypted")
    if method not in (STORED, DEFLATED):
        raise refused(name, f"is packed by a method that is not taken ({method}); use deflate")
    if _MAX32 in (size, packed, offset) or disk == _MAX16:
        size, packed, offset, disk = _widened(name, extras.get(_ZIP64), size, packed, offset, disk)
    if disk:
        raise refused(name, "lies in another part of the archive")
    if method == STORED and packed != size:
        raise refused(name, "is stored, but its two sizes differ")
    mode = attributes >> 16
    if mode & _KIND not in _KINDS:
        raise refused(name, "is a device, a pipe or a socket")
    return ArchiveEntry(
        name, raw, host, flags, method, crc, packed, size, mode, _mtime(extras, date, clock), offset + shift
    )


def _extras(raw: bytes, extra: bytes) -> dict[int, bytes]:
    """The extra fields by id; the first of each counts. A rest too short to be one is padding."""
    found: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, position)
        position += 4
        if position + size > len(extra):
            raise refused(raw, "has a damaged extra field")
        found.setdefault(kind, extra[position : position + size])
        position += size
    return found


def _widened(name: str, wide: bytes | None, size: int, packed: int, offset: int, disk: int) -> tuple[int, ...]:
    """The four values, each taken from the zip64 field where its own place says so."""
    position = 0
    values = []
    for value, limit, width in ((size, _MAX32, 8), (packed, _MAX32, 8), (offset, _MAX32, 8), (disk, _MAX16, 4)):
        if value == limit:
            if wide is None or position + width > len(wide):
                raise refused(name, "lacks its zip64 sizes")
            value = int.from_bytes(wide[position : position + width], "little")
            position += width
        values.append(value)
    return tuple(values)


def _mtime(extras: dict[int, bytes], date: int, clock: int) -> int:
    """Modification time: seconds since 1970 where the archive has them, else its local time taken as ours."""
    times = extras.get(_TIMES)
    if times and len(times) >= 5 and times[0] & 1:
        return int.from_bytes(times[1:5], "little", signed=True)
    day = ((date >> 9) + 1980, date >> 5 & 15, date & 31)
    try:
        return int(time.mktime((*day, clock >> 11, clock >> 5 & 63, (clock & 31) * 2, 0, 0, -1)))
    except (OverflowError, ValueError):
        return 0


def locate(file: ArchiveFile, entry: ArchiveEntry, limit: int) -> int:
    """Where the entry's data start. BadZip unless its local header agrees with the directory and all fits in."""
    head = file.read(entry.offset, _LOCAL.size + len(entry.raw))
    magic, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _LOCAL.unpack_from(head)
    if magic != b"PK\3\4":
        raise refused(entry.name, "has no header where the directory says")
    if name_size != len(entry.raw) or head[_LOCAL.size :] != entry.raw:
        raise refused(entry.name, "has another name in its own header")
    if method != entry.method or (flags ^ entry.flags) & (_ENCRYPTED | _DESCRIPTOR):
        raise refused(entry.name, "is told differently by its own header")
    start: int = entry.offset + len(head) + extra_size
    end = start + entry.packed
    if end > limit:
        raise refused(entry.name, "overlaps what follows it")
    if (crc, packed, size) == (entry.crc, entry.packed, entry.size) and not flags & _DESCRIPTOR:
        return start
    later = bool(flags & _DESCRIPTOR)
    for told, true, unknown in ((crc, entry.crc, None), (packed, entry.packed, _MAX32), (size, entry.size, _MAX32)):
        if told != true and told != unknown and not (later and told == 0):
            raise refused(entry.name, "is told differently by its own header")
    if (packed, size) != (entry.packed, entry.size) and _MAX32 in (packed, size):
        extra = file.read(entry.offset + len(head), extra_size)
        wide = _widened(entry.name, _extras(entry.raw, extra).get(_ZIP64), size, packed, 0, 0)
        if wide[:2] != (entry.size, entry.packed) and not (later and wide[:2] == (0, 0)):
            raise refused(entry.name, "is told differently by its own header")
    if later:
        _check_descriptor(file, entry, end, limit)
    return start


def _check_descriptor(file: ArchiveFile, entry: ArchiveEntry, end: int, limit: int) -> None:
    """What a streaming writer puts behind the data must say the same once more."""
    data = file.read_some(end, min(24, limit - end))
    for form in ("<3L", "<L2Q"):
        try:
            plain = struct.pack(form, entry.crc, entry.packed, entry.size)
        except struct.error:
            continue
        if data.startswith((plain, b"PK\7\10" + plain)):
            return
    raise refused(entry.name, "is told differently by the record behind it")


def _broken(reason: str) -> BadZip:
    return BadZip(f"The archive is refused: {reason}", entry=None, reason=reason)
