"""Bytes of a program's output in JSON: as text when they are UTF-8, else as base64."""

import base64
from typing import Literal

Encoding = Literal["utf8", "base64"]


def decoded(*outputs: bytes) -> tuple[*tuple[str, ...], Encoding]:
    """All `outputs` as text, and the one encoding that holds for them all."""
    try:
        return (*(output.decode() for output in outputs), "utf8")
    except UnicodeDecodeError:
        return (*(base64.b64encode(output).decode() for output in outputs), "base64")
