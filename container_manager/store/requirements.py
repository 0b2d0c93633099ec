"""Which requirements.txt the server may fetch wheels for: one that names packages and versions, and nothing else."""

import re

LARGEST = 64 << 10
"""Bytes of a requirements.txt that is looked at; larger ones are installed without the cache."""

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRAS = rf"(?:\s*\[\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\])?"
_VERSION = r"(?:===?|~=|!=|<=?|>=?)\s*[A-Za-z0-9.*+!_]+"
_SPECIFIERS = rf"(?:\s*{_VERSION}(?:\s*,\s*{_VERSION})*)?"
# Quotes, comparisons and brackets of an environment marker: nothing here can begin an option or a path.
_MARKER = r"(?:\s*;[\sA-Za-z0-9._\"'<>=!~(),]+)?"
_PLAIN = re.compile(_NAME + _EXTRAS + _SPECIFIERS + _MARKER + r"\s*", re.ASCII)
_COMMENT = re.compile(r"(?:^|\s)#.*$")


def plain_requirements(content: bytes) -> list[str] | None:
    """The lines of `content` without comments; None unless each is `name[extras] specifier; marker`.

    One option, URL, path or variable, and the whole file is none for the cache: what it means depends on who reads
    it, and a name that is private to an index of its own must not be looked for at another.
    """
    if len(content) > LARGEST:
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    lines = [_COMMENT.sub("", line).strip() for line in re.split(r"\r\n|\r|\n", text)]
    lines = [line for line in lines if line]
    return lines if lines and all(map(_PLAIN.fullmatch, lines)) else None
