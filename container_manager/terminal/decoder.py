"""Bytes of a process as JSON strings: UTF-8 where they are, base64 where they are not."""

import base64
from typing import Literal, NamedTuple

Encoding = Literal["utf8", "base64"]


class Chunk(NamedTuple):
    """A piece of output as it stands in a frame."""

    data: str
    encoding: Encoding

    def text(self) -> str:
        """As text, with U+FFFD for what is none."""
        return self.data if self.encoding == "utf8" else base64.b64decode(self.data).decode(errors="replace")


def split_tail(data: bytes) -> int:
    """How many bytes at the end of `data` begin a character that is not complete yet (0 to 3)."""
    for length in range(1, min(3, len(data)) + 1):
        byte = data[-length]
        if byte & 0xC0 == 0x80:  # a continuation: its lead stands before it
            continue
        needs = 2 if 0xC2 <= byte <= 0xDF else 3 if 0xE0 <= byte <= 0xEF else 4 if 0xF0 <= byte <= 0xF4 else 0
        return length if needs > length else 0
    return 0


def _chunk(data: bytes) -> Chunk:
    try:
        return Chunk(data.decode(), "utf8")
    except UnicodeDecodeError:
        return Chunk(base64.b64encode(data).decode("ascii"), "base64")


class Utf8Decoder:
    """Decodes one stream. A character split between two reads is held back until the rest of it comes."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Chunk | None:
        """The chunk to send now; None when all of it is held back."""
        if not self._held and data.isascii():
            return Chunk(data.decode("ascii"), "utf8") if data else None
        data = self._held + data
        tail = split_tail(data)
        self._held = data[len(data) - tail :]
        if tail:
            data = data[:-tail]
        return _chunk(data) if data else None

    def flush(self) -> Chunk | None:
        """What was held back when the stream ends: half a character, so base64."""
        held, self._held = self._held, b""
        return _chunk(held) if held else None
