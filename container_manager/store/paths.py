"""Paths as clients write them, parsed once into names; nothing below this parses a path again."""

import re

from container_manager.errors import PathOutsideMount, ValidationError

Parts = tuple[str, ...]
"""Names from the mount down; () is the mount itself."""

MOUNT_POINT = "app"
"""Where the container sees its mount: `/app/x` and `x` mean the same file."""

_SURROGATE = re.compile("[\ud800-\udfff]")

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4000
"""Below the kernel's 4096, so that what can be named can be opened."""


def parse_path(text: str, field: str = "path") -> Parts:
    """`text` as names below the mount.

    Raises PathOutsideMount for `..` and foreign absolute paths, ValidationError for what no file can be called.
    """
    if "\0" in text:
        raise ValidationError.field(field, "A path cannot hold a NUL character", printable(text))
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise ValidationError.field(field, "The path is not valid Unicode", printable(text)) from None
    if len(encoded) > MAX_PATH_BYTES:
        raise ValidationError.field(field, f"The path is longer than {MAX_PATH_BYTES} bytes", text[:200])
    names = [name for name in text.split("/") if name not in ("", ".")]
    if ".." in names:
        raise PathOutsideMount("'..' is not allowed in a path", field=field, provided=text)
    if text.startswith("/"):
        if names[:1] != [MOUNT_POINT]:
            raise PathOutsideMount(
                f"{text} is outside of /{MOUNT_POINT}: give a path relative to it", field=field, provided=text
            )
        names = names[1:]
    for name in names:
        if len(name.encode()) > MAX_NAME_BYTES:
            raise ValidationError.field(field, f"A name is longer than {MAX_NAME_BYTES} bytes", text[:200])
    return tuple(names)


def shown(parts: Parts) -> str:
    """The path as messages and answers write it: relative, "." for the mount itself."""
    return printable("/".join(parts)) or "."


def printable(name: str) -> str:
    """`name` fit for JSON: what is no Unicode (file names are bytes) is replaced by U+FFFD."""
    return _SURROGATE.sub("\ufffd", name)
