"""Archives that must be refused, by name; most are one lie each in an otherwise good archive."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator

from forge import DIRECTORY, LINK, Forged, build, deflated

Case = tuple[str, bytes]

UTF8 = 0x800
GOOD = Forged(b"good", b"good")


def _names() -> Iterator[Case]:
    """Names that lead up or away, in every spelling, from tools of every system."""
    up = [
        "../evil", "a/../../evil", "a/../evil", "..", "../", "./../evil", "a/..", ".././../x", "a//../..//x",
        "..\\evil", "a\\..\\..\\evil", "..\\..\\..\\etc\\passwd", "a/..\\x", "..\\/x", ".. /evil", "a/.. /x",
        "%2e%2e/evil", "%2e%2e%2fevil", "..%2fevil", "..%5cevil", "%252e%252e%252fevil", ".%2e/x", "%2E%2E\\x",
        "\uff0e\uff0e/evil", "\u2024\u2024/evil", "\u2025/evil", "a/\uff0e\uff0e/x", "..\u2215evil", "..\uff0fevil",
        "..\uff3cevil", ".\u2024/x",
    ]  # fmt: skip
    absolute = ["/etc/passwd", "//etc/passwd", "/", "///", "\\evil", "\\\\server\\share\\x", "C:\\evil", "C:/evil",
                "c:\\..\\x", "/app/x", "z:/x"]  # fmt: skip
    for name in up + absolute:
        for host in (3, 0):
            yield f"name {name!a} host {host}", build(GOOD, Forged(name, flags=UTF8, host=host))
    for raw in (b"a\0b", b"\0", b"good\0.txt", b"../\0", b"ok\0/../../x"):
        yield f"NUL {raw!r}", build(GOOD, Forged(raw))
    for raw in (b"\xc0\xae\xc0\xae/x", b"\xc0\xae\xc0\xae\xc0\xafx", b"a\xc0\xaf..", b"\xe0\x80\xae\xe0\x80\xae/x"):
        yield f"overlong {raw!r}", build(GOOD, Forged(raw))
    for raw in (b"\xff\xfe", b"caf\xe9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"):
        yield f"not UTF-8 {raw!r}", build(GOOD, Forged(raw, flags=UTF8))
    yield "empty name", build(GOOD, Forged(b""))
    yield "a file called .", build(GOOD, Forged(b"."), Forged(b"./."))
    yield "name of 256 bytes", build(GOOD, Forged(b"x" * 256))
    yield "name of 256 bytes in UTF-8", build(GOOD, Forged("ü" * 128, flags=UTF8))
    yield "path of 4001 bytes", build(GOOD, Forged(b"/".join([b"x" * 99] * 41)))
    yield "path of 65535 bytes", build(GOOD, Forged(b"a/" * 32767 + b"a"))
    hidden = struct.pack("<BL", 1, zlib.crc32(b"plain")) + b"../evil"
    yield (
        "unicode path leads up",
        build(GOOD, Forged(b"plain", central_extra=struct.pack("<2H", 0x7075, len(hidden)) + hidden)),
    )
    hidden = struct.pack("<BL", 1, zlib.crc32(b"plain")) + b"a\0b"
    yield (
        "unicode path with NUL",
        build(GOOD, Forged(b"plain", central_extra=struct.pack("<2H", 0x7075, len(hidden)) + hidden)),
    )


def _kinds() -> Iterator[Case]:
    """Devices, and links that point out of the mount."""
    for name, kind in (
        ("fifo", stat.S_IFIFO),
        ("char", stat.S_IFCHR),
        ("block", stat.S_IFBLK),
        ("sock", stat.S_IFSOCK),
    ):
        for host in (3, 0, 19):
            yield f"{name} host {host}", build(GOOD, Forged(name, mode=kind | 0o666, host=host))
    for bits in (0x3, 0x5, 0x7, 0xE, 0xF):
        yield f"kind {bits:x}", build(GOOD, Forged(b"odd", mode=bits << 12 | 0o644))
    targets = [
        b"/etc/passwd", b"/", b"..", b"../x", b"a/../../x", b"./../x", b"/apple", b"/app/../etc/passwd", b"//etc",
        b"/../app", b"..\\x", b"C:\\x", b"", b"a\0b", b"/proc/self/root",
    ]  # fmt: skip
    for target in targets:
        yield f"link to {target!r}", build(GOOD, Forged(b"link", target, mode=LINK, method=0))
    yield "link that leads out of its directory", build(GOOD, Forged(b"a/b/link", b"../../../x", mode=LINK))
    yield "link out, packed", build(GOOD, Forged(b"link", b"/etc/shadow", mode=LINK, method=8))
    yield "long link", build(GOOD, Forged(b"link", b"x/" * 3000, mode=LINK))
    yield "a file below a link", build(Forged(b"link", b"sub", mode=LINK), Forged(b"link/evil"))
    yield "a link above a file", build(Forged(b"link/evil"), Forged(b"link", b"sub", mode=LINK))
    yield "link and file", build(Forged(b"x", b"sub", mode=LINK), Forged(b"x"))
    yield "link written as a directory", build(GOOD, Forged(b"x/", b"sub", mode=LINK))
    yield (
        "link with a wrong checksum",
        build(GOOD, Forged(b"x", b"sub", mode=LINK, central={"crc": 1}, local={"crc": 1})),
    )


def _clashes() -> Iterator[Case]:
    """Two things of one name."""
    yield "file twice", build(Forged(b"a", b"1"), Forged(b"a", b"2"))
    yield "file twice, spelled apart", build(Forged(b"a/b"), Forged(b"a/./b"))
    yield "file twice, doubled slash", build(Forged(b"a/b"), Forged(b"a//b"))
    yield "file twice, leading dot", build(Forged(b"a"), Forged(b"./a"))
    yield "file twice, flag apart", build(Forged("ü", flags=UTF8), Forged("ü"))
    yield "file twice, backslash", build(Forged(b"a/b", host=0), Forged(b"a\\b", host=0))
    yield "file and directory", build(Forged(b"a"), Forged(b"a/", b"", mode=DIRECTORY))
    yield "directory and file", build(Forged(b"a/", b"", mode=DIRECTORY), Forged(b"a"))
    yield "file and implied directory", build(Forged(b"a"), Forged(b"a/b"))
    yield "implied directory and file", build(Forged(b"a/b"), Forged(b"a"))
    yield "directory with content", build(Forged(b"a/", b"content", mode=DIRECTORY))
    yield "directory by mode with content", build(Forged(b"a", b"content", mode=DIRECTORY))


def _lies() -> Iterator[Case]:
    """Headers that contradict each other, the data, or the format."""
    x = b"some content that is long enough to be packed, packed, packed"
    for where in ("local", "central"):
        for what, value in (("crc", 1), ("size", 5), ("size", 500), ("packed", 3), ("packed", 400), ("method", 0)):
            yield f"{where} {what} {value}", build(GOOD, Forged(data=x, **{where: {what: value}}))
        for method in (1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 14, 19, 93, 95, 97, 98, 99, 65535):
            if where == "central":
                yield f"method {method}", build(GOOD, Forged(data=x, method=method, packed=x))
        yield f"{where} encrypted", build(GOOD, Forged(data=x, **{where: {"flags": 1}}))
        yield f"{where} magic", build(GOOD, Forged(data=x, **{where: {"magic": b"PK\0\0"}}))
        yield f"{where} descriptor flag alone", build(GOOD, Forged(data=x, **{where: {"flags": 8}}))
    for size in (5, 500, 0):
        both = {"size": size}
        yield f"both say size {size}", build(GOOD, Forged(data=x, local=both, central=both))
    for flag in (1, 0x20, 0x40, 0x2000, 0x2041):
        yield f"flag {flag:x}", build(GOOD, Forged(data=x, flags=flag))
    yield "wrong checksum on both sides", build(GOOD, Forged(data=x, local={"crc": 7}, central={"crc": 7}))
    yield "stored, sizes differ", build(GOOD, Forged(data=x, method=0, local={"size": 3}, central={"size": 3}))
    yield "stored, wrong checksum", build(GOOD, Forged(data=x, method=0, local={"crc": 3}, central={"crc": 3}))
    yield "other name inside", build(GOOD, Forged(b"good-name", data=x, local={"name": b"evil-name"}))
    yield "shorter name inside", build(GOOD, Forged(b"good-name", data=x, local={"name": b"good"}))
    yield "lying descriptor", build(GOOD, Forged(data=x, flags=8, descriptor=struct.pack("<4s3L", b"PK\7\10", 1, 2, 3)))
    yield "missing descriptor", build(GOOD, Forged(data=x, flags=8, descriptor=b""))
    yield "missing descriptor at the end", build(Forged(data=x, flags=8, descriptor=b""))
    yield "zip64 size missing", build(GOOD, Forged(data=x, central={"size": 0xFFFFFFFF}))
    yield "zip64 offset missing", build(GOOD, Forged(data=x, central={"offset": 0xFFFFFFFF}))
    yield (
        "zip64 field too short",
        build(GOOD, Forged(data=x, central={"size": 0xFFFFFFFF}, central_extra=struct.pack("<2HL", 1, 4, 5))),
    )
    yield (
        "zip64 size of 2 EiB",
        build(GOOD, Forged(data=x, central={"size": 0xFFFFFFFF}, central_extra=struct.pack("<2HQ", 1, 8, 1 << 61))),
    )
    yield "damaged extra field", build(GOOD, Forged(data=x, central_extra=struct.pack("<2H", 1, 999) + b"ab"))
    yield "another disk", build(GOOD, Forged(data=x, central={"disk": 1}))
    packed = deflated(x)
    yield "deflate cut off", build(GOOD, Forged(data=x, packed=packed[:-4]))
    yield "deflate with rest", build(GOOD, Forged(data=x, packed=packed + b"rest"))
    yield "deflate garbage", build(GOOD, Forged(data=x, packed=b"\xff" * 40))
    yield "deflate empty", build(GOOD, Forged(data=x, packed=b""))
    yield "deflate of something else", build(GOOD, Forged(data=x, packed=deflated(b"something else")))
    yield "deflate block type 3", build(GOOD, Forged(data=x, packed=b"\x07" + b"\0" * 20))


def _overlaps() -> Iterator[Case]:
    """Entries that share bytes of the file: the densest bombs are made so."""
    a, b = Forged(b"a", b"x" * 1000, method=0), Forged(b"b", b"y" * 10, method=0)
    yield "one data, two entries", build(a, Forged(b"b", b"x" * 1000, method=0, offset=0, local={"name": b"a"}))
    yield "same header twice", build(a, Forged(b"b", b"x" * 1000, method=0, offset=0))
    yield "entry inside an entry", build(a, Forged(b"b", b"y" * 10, method=0, offset=40))
    yield "entry into its successor", build(Forged(b"a", b"xy", local={"packed": 60}, central={"packed": 60}), b)
    yield (
        "entry into the directory",
        build(Forged(b"a", b"x" * 50, method=0, local={"packed": 90, "size": 90}, central={"packed": 90, "size": 90})),
    )
    inner = build(Forged(b"inner", b"z"))
    yield "quoted overlap", build(Forged(b"outer", inner, method=0), Forged(b"inner", b"z", offset=35))
    kernel = Forged(b"k", b"\0" * 100_000)
    yield "overlapping bomb", build(kernel, *(Forged(f"k{n}", b"\0" * 100_000, offset=0) for n in range(50)))
    for shift in (1, -1, 1000, 1 << 30):
        yield f"offset off by {shift}", build(GOOD, Forged(b"a", shift=shift))


def _ends() -> Iterator[Case]:
    """No zip, half a zip, two zips."""
    good = build(GOOD, Forged(b"b", b"x" * 300))
    none = {
        "empty": b"",
        "text": b"hello",
        "zeros": bytes(1000),
        "gzip": b"\x1f\x8b\x08" + bytes(30),
        "tar": b"ustar" + bytes(600),
        "7z": b"7z\xbc\xaf'\x1c" + bytes(40),
        "rar": b"Rar!\x1a\7\0" + bytes(30),
        "signature alone": b"PK\5\6",
        "21 bytes": b"PK\5\6" + bytes(17),
    }
    for name, data in none.items():
        yield f"no zip: {name}", data
    for cut in (1, 10, 21, 22, 23, 60, len(good) // 2, len(good) - 30):
        yield f"cut off by {cut}", good[:-cut]
    for cut in (1, 4, 40):
        yield f"first {cut} bytes missing", good[cut:]
    yield "rest behind the end", good + b"rest"
    yield "another zip behind", good + build(GOOD)[:-1]
    yield "two ends", build(GOOD, comment=build(Forged(b"evil")))
    for field, value in (("count", 3), ("count", 1), ("count", 65535), ("here", 1), ("disk", 1), ("first", 1),
                         ("size", 10), ("size", 1 << 31), ("offset", 1 << 31), ("comment_size", 5)):  # fmt: skip
        yield f"end says {field} {value}", build(GOOD, Forged(b"b"), **{field: value})
    yield "both counts too small", build(GOOD, Forged(b"b"), count=1, here=1)
    yield "both counts too large", build(GOOD, Forged(b"b"), count=3, here=3)
    wide = build(GOOD, Forged(b"b"), wide=True)
    yield "zip64 record damaged", wide.replace(b"PK\6\6", b"PK\6\0")
    yield "zip64 contradicts", wide[:-22] + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 7, 7, 1, 1, 0)
    yield "zip64 locator astray", build(GOOD, wide=True, wide_at=1 << 40).replace(b"PK\6\6", b"PK\6\1")
    yield "directory entries damaged", good.replace(b"PK\1\2", b"PK\1\0")
    yield "split archive", b"PK\7\10" + build(GOOD, disk=1, first=1)


def _bombs() -> Iterator[Case]:
    """More than the limits of the tests allow (8 MiB, 2,000 names)."""
    yield "zeros", build(Forged(b"zeros", bytes(9 << 20)))
    yield "many zeros", build(*(Forged(f"z{n}", bytes(1 << 20)) for n in range(9)))
    yield "zeros that say less", build(Forged(b"z", bytes(9 << 20), local={"size": 10}, central={"size": 10}))
    yield "many files", build(*(Forged(f"f{n}", b"", method=0) for n in range(2001)))
    yield "many directories", build(*(Forged(f"d{n}/", b"", mode=DIRECTORY, method=0) for n in range(2001)))
    yield "deep directories", build(Forged(b"d/" * 1990 + b"f", b"x"), Forged(b"e/" * 20 + b"f", b"x"))
    yield "many implied directories", build(*(Forged(f"{n}/" + "a/" * 100, b"", mode=DIRECTORY) for n in range(21)))
    inner = build(Forged(b"z", bytes(1 << 20)))
    yield "nested bomb", build(*(Forged(f"{n}.zip", inner * 900, method=8) for n in range(12)))
    yield "4 GiB told", build(Forged(b"z", b"x", local={"size": 0xFFFFFFFE}, central={"size": 0xFFFFFFFE}))


def _encrypted() -> Iterator[Case]:
    yield "encrypted", build(GOOD, Forged(b"secret", b"x" * 40, flags=1, packed=b"\x12" * 52))
    aes = struct.pack("<2H7s", 0x9901, 7, b"\2\0AE\3\10\0")
    yield (
        "encrypted by AES",
        build(GOOD, Forged(b"secret", b"x", method=99, flags=1, packed=b"\1" * 40, central_extra=aes)),
    )
    yield "central directory encrypted", build(GOOD, Forged(b"secret", flags=0x2001))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("lzma", "x" * 1000)
    yield "lzma", buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("bzip2", "x" * 1000)
    yield "bzip2", buffer.getvalue()


def cases() -> list[Case]:
    """All of them."""
    parts = (_names, _kinds, _clashes, _lies, _overlaps, _ends, _bombs, _encrypted)
    return [case for part in parts for case in part()]
