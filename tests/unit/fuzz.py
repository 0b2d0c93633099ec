"""A fuzzer of archives, of names in them and of path parameters; what it found is kept in `cases/`.

    python tests/unit/fuzz.py [--seconds N] [--seed N] [--keep]

It makes thousands of wrong things a second out of good and hostile ones and looks at what becomes of each. With
`--keep` a case that ends as no kept one does is added to `cases/`, the smallest of those alike; `test_fuzz.py` replays
all of them. A case that breaks a rule is written to `cases/` at once.
"""

import argparse
import base64
import io
import json
import os
import random
import re
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import hostile  # noqa: E402
from good import GOOD  # noqa: E402

from container_manager.errors import AppError, BadZip, NoSpace  # noqa: E402
from container_manager.store.archive_file import ArchiveFile  # noqa: E402
from container_manager.store.archive_names import decode_name, split_name  # noqa: E402
from container_manager.store.archive_tree import Limits, judge  # noqa: E402
from container_manager.store.archive_unpack import unpack  # noqa: E402
from container_manager.store.paths import parse_path  # noqa: E402

CASES = HERE / "cases"
LIMITS = Limits(unpacked=1 << 20, entries=500, free=0)
_LARGEST = 4096
"""Bytes of a seed: small ones are mutated in more interesting places."""


class Broken(AssertionError):
    """A rule does not hold."""


# --- what becomes of a case -----------------------------------------------------------------------


def archive_ends(data: bytes) -> str:
    """`taken`, with what came out, or `refused`, with the reason. Broken when something else happens."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        root = Path(name, "target")
        root.mkdir()
        source, into = os.memfd_create("archive"), os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.write(source, data)
            unpack(judge(ArchiveFile(source), LIMITS), into, (1000, 1000), LIMITS, lambda _: None)
        except BadZip as error:
            return f"refused: {error.details['reason']}"
        except NoSpace:
            return "refused: no space"
        finally:
            os.close(into)
            os.close(source)
            if os.listdir(name) != ["target"]:
                raise Broken("something was written outside")
        files = [path for path in root.rglob("*") if not path.is_dir()]
        if any(path.is_symlink() or path.stat().st_mode & 0o7000 for path in files):
            raise Broken("a link or a special bit was made")
        sums = sorted(zlib.crc32(path.read_bytes()) for path in files)
        _agree(data, sums)
        return f"taken: {len(files)} files {zlib.crc32(repr(sums).encode()):08x}"


def _agree(data: bytes, sums: list[int]) -> None:
    """Where Python's zipfile takes it too, both must have found the same content."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir() and info.external_attr >> 28 != 10]
            theirs = sorted(zlib.crc32(archive.read(info)) for info in infos if not _is_directory(info))
    except Exception:
        return
    if theirs != sums:
        raise Broken("zipfile reads something else")


def _is_directory(info: zipfile.ZipInfo) -> bool:
    # What we take for one by its mode, or because its name ends in "\\" or ".", is none for zipfile.
    return info.external_attr >> 28 == 4 or info.filename.replace("\\", "/").endswith(("/", "/."))


def name_ends(name: str) -> str:
    """What a name in an archive means on Unix and in DOS."""
    return " · ".join(_name_ends(name, host) for host in (3, 0))


def _name_ends(name: str, host: int) -> str:
    try:
        parts, directory = split_name(decode_name(name.encode(errors="surrogatepass"), 0x800, {}), host)
    except BadZip as error:
        return f"refused: {error.details['reason']}"
    _check_parts(parts)
    return f"taken: {len(parts)} deep{', a directory' if directory else ''}"


def path_ends(text: str) -> str:
    """What a path parameter means."""
    try:
        parts = parse_path(text)
    except AppError as error:
        return f"refused: {error.code}, {error.message.replace(text, '…')}"
    _check_parts(parts)
    return f"taken: {len(parts)} deep"


def _check_parts(parts: tuple[str, ...]) -> None:
    if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
        raise Broken("a part is no plain name")
    if not os.path.normpath("/base/" + "/".join(parts)).startswith("/base"):
        raise Broken("it leads up")


# --- making cases ---------------------------------------------------------------------------------


def archives(chance: random.Random) -> Iterator[bytes]:
    """Archives with some bytes changed."""
    seeds = [data for data, _ in GOOD.values()] + [data for _, data in hostile.cases()]
    seeds = [data for data in seeds if 0 < len(data) <= _LARGEST]
    while True:
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data) + 1)
            match chance.randrange(7):
                case 0:
                    data[at : at + 1] = bytes([chance.randrange(256)])
                case 1:
                    data[at : at + 1] = bytes(byte ^ 1 << chance.randrange(8) for byte in data[at : at + 1])
                case 2:
                    del data[at : at + chance.randint(1, 40)]
                case 3:
                    data[at:at] = chance.randbytes(chance.randrange(10))
                case 4:
                    start = chance.randrange(len(data) + 1)
                    data[at:at] = data[start : start + chance.randrange(200)]
                case 5:
                    width = chance.choice((2, 4, 8))
                    data[at : at + width] = chance.choice((b"\xff", b"\0", b"\x7f"))[:1] * width
                case 6:
                    # The headers are where it is decided.
                    if marks := [found.start() for found in _HEADER.finditer(data)]:
                        field = chance.choice(marks) + chance.randrange(4, 46)
                        data[field : field + 2] = chance.randbytes(2)
        yield bytes(data)


_HEADER = re.compile(rb"PK(?:\x01\x02|\x03\x04|\x05\x06|\x06\x06|\x06\x07|\x07\x08)")
_BITS = (
    *(
        "..",
        ".",
        "/",
        "\\",
        "//",
        "\0",
        "%2e",
        "%2f",
        "%5c",
        "%25",
        "C:",
        "c:/",
        "app",
        "/app",
        "a",
        "b",
        " ",
        "~",
        "-",
    ),
    *("\uff0e", "\uff0f", "\u2024", "\u2025", "\u2215", "\u202e", "ü", "\U0001f600", "\ud800", "x" * 255, "\n", "\x7f"),
)


def texts(chance: random.Random) -> Iterator[str]:
    """Names and paths out of what has ever led anybody astray."""
    while True:
        yield "".join(chance.choice(_BITS) for _ in range(chance.randint(1, 8)))


KINDS: dict[str, tuple[Callable[[random.Random], Iterator[Any]], Callable[[Any], str]]] = {
    "archives": (archives, archive_ends),
    "names": (texts, name_ends),
    "paths": (texts, path_ends),
}


# --- kept cases -----------------------------------------------------------------------------------


def kept(kind: str) -> dict[str, Any]:
    """The kept cases of a kind: how it ends → the case."""
    file = CASES / f"{kind}.json"
    if not file.exists():
        return {}
    found: dict[str, str] = json.loads(file.read_text())
    return {end: base64.b64decode(case) for end, case in found.items()} if kind == "archives" else dict(found)


def keep(kind: str, cases: dict[str, Any]) -> None:
    if kind == "archives":
        cases = {end: base64.b64encode(case).decode() for end, case in cases.items()}
    (CASES / f"{kind}.json").write_text(json.dumps(dict(sorted(cases.items())), indent=1) + "\n")


def class_of(kind: str, end: str) -> str:
    """Ends that are alike: for archives sums, limits and names aside."""
    if kind == "archives":
        return re.sub(r" [0-9a-f]{8}$", "", end) if end.startswith("taken") else re.sub(r"\d+|'.*'", "#", end)
    return end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30, help="for each kind")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="add what ends in a new way to cases/")
    arguments = parser.parse_args()
    for kind, (make, ends) in KINDS.items():
        chance = random.Random(arguments.seed)
        cases = kept(kind)
        classes = {class_of(kind, end): end for end in cases}
        count, until = 0, time.monotonic() + arguments.seconds
        for case in make(chance):
            if time.monotonic() > until:
                break
            count += 1
            try:
                end = ends(case)
            except Exception as error:
                keep(kind, cases | {f"broken: {error!r}": case})
                raise
            there = classes.get(class_of(kind, end))
            if there is None or len(cases[there]) > len(case):
                if there is not None:
                    del cases[there]
                cases[end] = case
                classes[class_of(kind, end)] = end
        print(f"{kind}: {count} tried, {len(cases)} ways in which they end")
        if arguments.keep:
            keep(kind, cases)


if __name__ == "__main__":
    main()
