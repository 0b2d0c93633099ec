"""Bytes of a program's output in JSON: as text when they are UTF-8, else as base64."""

import base64
from typing import Literal

Encoding = Literal["utf8", "base64"]


def decoded(stdout: bytes, stderr: bytes = b"") -> tuple[str, str, Encoding]:
    """Both as text, and the one encoding that holds for both."""
    try:
        return stdout.decode(), stderr.decode(), "utf8"
    except UnicodeDecodeError:
        return base64.b64encode(stdout).decode(), base64.b64encode(stderr).decode(), "base64"
