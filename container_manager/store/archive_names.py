"""What the names in an archive mean, and which are refused."""

import re
import unicodedata

from container_manager.errors import BadZip
from container_manager.store.deflate import crc32
from container_manager.store.paths import MAX_NAME_BYTES, MAX_PATH_BYTES, MOUNT_POINT, Parts

DOS_HOSTS = frozenset({0, 6, 10, 11, 14})
"""Systems (FAT, HPFS, NTFS, …) whose tools may write "\\" between names."""

_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_PLAIN = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.,+=@ -]*+/)*+[A-Za-z0-9_-][A-Za-z0-9_.,+=@ -]*+")
_OVERLONG = re.compile(rb"\xc0[\xae\xaf]|\xe0\x80[\xae\xaf]")


def refused(name: str | bytes, reason: str) -> BadZip:
    """The error for an entry that cannot be taken."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    text = text if len(text) <= 200 else f"{text[:200]}…"
    return BadZip(f"The archive is refused: {text!r} {reason}", entry=text, reason=reason)


def decode_name(raw: bytes, flags: int, extra: dict[int, bytes]) -> str:
    """An entry's name as text: UTF-8 where it says so or is such, else the PC's old code page 437."""
    if b"\0" in raw:
        raise refused(raw, "has a NUL character in its name")
    if raw.isascii() and _UNICODE_PATH not in extra:
        return raw.decode()
    if _OVERLONG.search(raw):
        raise refused(raw, "hides dots or slashes in its name")
    try:
        unicode_path = extra.get(_UNICODE_PATH)
        if unicode_path and unicode_path[:1] == b"\1" and int.from_bytes(unicode_path[1:5], "little") == crc32(raw):
            name = unicode_path[5:].decode()
            if "\0" in name:
                raise refused(raw, "has a NUL character in its name")
            return name
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        if flags & _UTF8_FLAG or _UNICODE_PATH in extra:
            raise refused(raw, "has a name that is not UTF-8") from None
        return raw.decode("cp437")


def split_name(name: str, host: int) -> tuple[Parts, bool]:
    """The names of a path in an archive, and whether it is written as a directory. Raises BadZip.

    A path that leads up or away is refused however it is spelled, even where Linux would see plain letters in it.
    """
    if _PLAIN.fullmatch(name):
        # Nearly every name is like this: nothing in it could be read as anything else.
        parts = tuple(name.split("/"))
        if len(name) <= MAX_NAME_BYTES:
            return parts, False
    if not name:
        raise refused(name, "has no name")
    if _DRIVE.match(name) or name.startswith("\\"):
        raise refused(name, "has an absolute name")
    path = name.replace("\\", "/") if host in DOS_HOSTS or _leads_up(name.replace("\\", "/")) else name
    if path.startswith("/"):
        raise refused(name, "has an absolute name")
    if _leads_up(path) or (("%" in path or not path.isascii()) and _leads_up(_folded(path))):
        raise refused(name, "has a name that leads up ('..')")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if len(path.encode()) > MAX_PATH_BYTES:
        raise refused(name, f"has a path of more than {MAX_PATH_BYTES} bytes")
    for part in parts:
        if len(part) * 4 > MAX_NAME_BYTES and len(part.encode()) > MAX_NAME_BYTES:
            raise refused(name, f"has a name of more than {MAX_NAME_BYTES} bytes")
    directory = path.endswith(("/", "/."))
    if not parts and not directory:
        raise refused(name, "has no name")
    return parts, directory


def leads_out(target: str, where: Parts) -> bool:
    """Whether a link at `where` with the text `target` points out of the mount, as its text says."""
    if "\0" in target or "\\" in target or not target:
        return True
    depth = len(where) - 1
    names = target.split("/")
    if target.startswith("/"):
        names = [name for name in names if name]
        if names[:1] != [MOUNT_POINT]:
            return True
        names, depth = names[1:], 0
    for name in names:
        if name == "..":
            depth -= 1
        elif name not in ("", "."):
            depth += 1
        if depth < 0:
            return True
    return False


def _leads_up(path: str) -> bool:
    return ".." in path and any(part.rstrip(" ") == ".." for part in path.split("/"))


def _folded(path: str) -> str:
    """The path as somebody might read it who decodes too much: percent signs, look-alikes of dot and slash."""
    # Few archives have such names: its import takes longer than all else here.
    from urllib.parse import unquote

    return unicodedata.normalize("NFKC", unquote(unquote(path))).replace("\\", "/").replace("\u2215", "/")
