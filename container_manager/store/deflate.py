"""zlib as the archives use it: raw deflate and CRC-32.

zlib-ng has zlib's interface. On Python's own library a directory of source code was packed at 3.4 times the rate
(level 3 against 6, 4 % larger) and unpacked at 1.7 times; ISA-L is faster still, but its archives are 11 to 14 %
larger than those of `zip`.
"""

from typing import Protocol

from zlib_ng import zlib_ng

LEVEL = 3
_RAW = -15

crc32 = zlib_ng.crc32
error: type[Exception] = zlib_ng.error  # type: ignore[assignment]  # declared as an instance


class Inflater(Protocol):
    """A decompressor as zlib has it."""

    eof: bool
    unconsumed_tail: bytes
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most `max_length` bytes out of `data`."""


def inflater() -> Inflater:
    """A decompressor of raw deflate."""
    return zlib_ng.decompressobj(_RAW)


def deflate(data: bytes, before: bytes = b"", *, last: bool = True) -> bytes:
    """`data` as raw deflate. With `last` false it ends on a byte, and what follows may be put behind it.

    `before` is what precedes `data` in the same stream, of which the compressor may repeat parts.
    """
    settings = (LEVEL, zlib_ng.DEFLATED, _RAW, 9, zlib_ng.Z_DEFAULT_STRATEGY)
    compressor = zlib_ng.compressobj(*settings, before[-32768:]) if before else zlib_ng.compressobj(*settings)
    return compressor.compress(data) + compressor.flush(zlib_ng.Z_FINISH if last else zlib_ng.Z_SYNC_FLUSH)
