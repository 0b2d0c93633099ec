"""Archives that must be taken, by name, and what comes out of each: one habit of some tool at a time."""

import struct
import zlib

from forge import DIRECTORY, LINK, Forged, build, deflated

LINE = b"x" * 99
TOLD = (zlib.crc32(LINE), len(deflated(LINE)), len(LINE))


def jar() -> bytes:
    """As Java's JarOutputStream writes: an extra field of its own first, descriptors, packed directories."""
    marker = struct.pack("<2H", 0xCAFE, 0)
    return build(
        Forged(b"META-INF/", b"", mode=0, host=0, method=8, local_extra=marker, central_extra=marker),
        Forged(b"META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n", mode=0, host=0, flags=0x808),
        Forged(b"Main.class", b"\xca\xfe\xba\xbe" * 100, mode=0, host=0, flags=0x808),
    )


GOOD: dict[str, tuple[bytes, dict[str, bytes | None]]] = {
    "empty": (build(), {}),
    "jar": (
        jar(),
        {
            "META-INF": None,
            "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\r\n",
            "Main.class": b"\xca\xfe\xba\xbe" * 100,
        },
    ),
    "prefix": (build(Forged(b"a"), prefix=b"#!/bin/sh\nexit\n"), {"a": b"content"}),
    "zip64 end": (build(Forged(b"a"), wide=True), {"a": b"content"}),
    "zip64 end and prefix": (build(Forged(b"a"), wide=True, prefix=b"x" * 99), {"a": b"content"}),
    "zip64 sizes": (
        build(
            Forged(
                b"a",
                local={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF},
                method=0,
                central={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF},
                local_extra=struct.pack("<2H2Q", 1, 16, 7, 7),
                central_extra=struct.pack("<2H2Q", 1, 16, 7, 7),
            )
        ),
        {"a": b"content"},
    ),
    "comment": (build(Forged(b"a"), comment=b"a comment, PK\5\6 in it"), {"a": b"content"}),
    "entry comment": (build(Forged(b"a", central={"comment": b"note" * 100})), {"a": b"content"}),
    "descriptor without signature": (
        build(Forged(b"a", LINE, flags=8, descriptor=struct.pack("<3L", *TOLD))),
        {"a": LINE},
    ),
    "descriptor of 64 bits": (
        build(Forged(b"a", LINE, flags=8, descriptor=struct.pack("<4sL2Q", b"PK\7\10", *TOLD))),
        {"a": LINE},
    ),
    "gaps between entries": (
        build(Forged(b"a", gap=bytes(64)), Forged(b"b", gap=b"PK\3\4 old")),
        {"a": b"content", "b": b"content"},
    ),
    "padding in extra fields": (build(Forged(b"a", local_extra=b"\0\0\0", central_extra=b"\0")), {"a": b"content"}),
    "backslashes from Windows": (
        build(Forged(b"dir\\a", host=0), Forged(b"dir\\sub\\", b"", host=0, mode=0)),
        {"dir": None, "dir/a": b"content", "dir/sub": None},
    ),
    "backslash from Unix": (build(Forged(b"a\\b")), {"a\\b": b"content"}),
    "cp437": (build(Forged("Übung.txt".encode("cp437"), host=0, mode=0)), {"Übung.txt": b"content"}),
    "UTF-8 by flag": (build(Forged("日本.txt", flags=0x800)), {"日本.txt": b"content"}),
    "UTF-8 without flag, as macOS writes": (build(Forged("日本.txt")), {"日本.txt": b"content"}),
    "unicode path": (
        build(Forged(b"?", central_extra=struct.pack("<2HBL", 0x7075, 10, 1, zlib.crc32(b"?")) + "日x.".encode())),
        {"日x.": b"content"},
    ),
    "stale unicode path": (
        build(Forged(b"plain", central_extra=struct.pack("<2HBL", 0x7075, 6, 1, 5) + b"x")),
        {"plain": b"content"},
    ),
    "macOS": (
        build(Forged(b"__MACOSX/._a", b"resource"), Forged(b"a"), Forged(b"Icon\r")),
        {"__MACOSX": None, "__MACOSX/._a": b"resource", "a": b"content", "Icon\r": b"content"},
    ),
    "dots": (
        build(
            Forged(b"./", b"", mode=DIRECTORY),
            Forged(b"./a"),
            Forged(b"x//./y"),
            Forged(b"...", b"3"),
            Forged(b"..x", b"4"),
        ),
        {"a": b"content", "x": None, "x/y": b"content", "...": b"3", "..x": b"4"},
    ),
    "odd names": (
        build(*(Forged(name, b"1") for name in (b"-rf", b" ", b"a b", b"100%", b"c:d", b"~", b"*", b"%41"))),
        dict.fromkeys(("-rf", " ", "a b", "100%", "c:d", "~", "*", "%41"), b"1"),
    ),
    "directory twice": (build(Forged(b"d/", b"", mode=DIRECTORY), Forged(b"d/", b"", mode=DIRECTORY)), {"d": None}),
    "directory after its file": (
        build(Forged(b"d/a"), Forged(b"d/", b"", mode=DIRECTORY)),
        {"d": None, "d/a": b"content"},
    ),
    "directory by mode alone": (build(Forged(b"d", b"", mode=DIRECTORY, method=0)), {"d": None}),
    "links inside": (
        build(
            Forged(b"a"),
            Forged(b"l", b"a", mode=LINK),
            Forged(b"m/n", b"../a", mode=LINK, method=0),
            Forged(b"o", b"/app/a", mode=LINK),
        ),
        {"a": b"content", "m": None},
    ),
    "empty, packed without data": (build(Forged(b"a", b"", packed=b"")), {"a": b""}),
    "out of order": (build(Forged(b"a", b"1", offset=None), Forged(b"b", b"2")), {"a": b"1", "b": b"2"}),
}
