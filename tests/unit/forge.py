"""Zip archives with any field forged: each entry and the end record take overrides by name."""

import stat
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

REGULAR, DIRECTORY, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777
DATE = (40 << 9) | (1 << 5) | 1


@dataclass
class Forged:
    """One entry. `local` and `central` override fields of the two headers; `shift` moves the offset told."""

    name: bytes | str = b"file"
    data: bytes = b"content"
    method: int = 8
    mode: int = REGULAR
    host: int = 3
    flags: int = 0
    local: dict[str, Any] = field(default_factory=dict)
    central: dict[str, Any] = field(default_factory=dict)
    packed: bytes | None = None
    descriptor: bytes | None = None
    local_extra: bytes = b""
    central_extra: bytes = b""
    shift: int = 0
    offset: int | None = None
    gap: bytes = b""

    @property
    def raw(self) -> bytes:
        return self.name.encode() if isinstance(self.name, str) else self.name


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def build(*entries: Forged, prefix: bytes = b"", comment: bytes = b"", wide: bool = False, **end: Any) -> bytes:
    """The archive of `entries`; `end` overrides fields of the end record."""
    out = bytearray(prefix)
    central = bytearray()
    for entry in entries:
        packed = entry.packed
        if packed is None:
            packed = deflated(entry.data) if entry.method == 8 else entry.data
        true = {
            "flags": entry.flags, "method": entry.method, "crc": zlib.crc32(entry.data), "packed": len(packed),
            "size": len(entry.data), "name": entry.raw, "version": 20,
        }  # fmt: skip
        later = {"crc": 0, "packed": 0, "size": 0} if entry.flags & 8 else {}
        offset = (len(out) - len(prefix) if entry.offset is None else entry.offset) + entry.shift
        head = true | later | entry.local
        out += struct.pack(
            "<4s5H3L2H", head.get("magic", b"PK\3\4"), head["version"], head["flags"], head["method"], 0, DATE,
            head["crc"], head["packed"], head["size"], len(head["name"]), len(entry.local_extra),
        ) + head["name"] + entry.local_extra + packed  # fmt: skip
        if entry.flags & 8:
            told = struct.pack("<4s3L", b"PK\7\10", true["crc"], true["packed"], true["size"])
            out += told if entry.descriptor is None else entry.descriptor
        out += entry.gap
        head = true | {"disk": 0, "attributes": entry.mode << 16, "offset": offset, "comment": b""} | entry.central
        central += struct.pack(
            "<4s2B5H3L5H2L", head.get("magic", b"PK\1\2"), 20, entry.host, head["version"], head["flags"],
            head["method"], 0, DATE, head["crc"], head["packed"], head["size"], len(head["name"]),
            len(entry.central_extra), len(head["comment"]), head["disk"], 0, head["attributes"], head["offset"],
        ) + head["name"] + entry.central_extra + head["comment"]  # fmt: skip
    start = len(out) - len(prefix)
    out += central
    told = {"disk": 0, "first": 0, "here": len(entries), "count": len(entries), "size": len(central), "offset": start}
    told |= {"comment_size": len(comment)} | end
    if wide:
        at = len(out) - len(prefix)
        numbers = (told["here"], told["count"], told["size"], told["offset"])
        out += struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, *numbers)
        out += struct.pack("<4sLQL", b"PK\6\7", 0, told.get("wide_at", at), 1)
        told |= {"here": 0xFFFF, "count": 0xFFFF, "size": 0xFFFFFFFF, "offset": 0xFFFFFFFF}
    fields = (told[k] for k in ("disk", "first", "here", "count", "size", "offset", "comment_size"))
    return bytes(out) + struct.pack("<4s4H2LH", b"PK\5\6", *fields) + comment
