"""An archive's file, read in large pieces: most of what is asked for came with what was asked before."""

import os

from container_manager.errors import BadZip

_WINDOW = 256 << 10
_FIRST = 4 << 10
"""Read where nothing near was asked for before."""


class ArchiveFile:
    """The file open at `descriptor`. Not to be shared by threads."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self._window, self._start = b"", 0

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`. BadZip when the file ends before."""
        data = self.read_some(offset, size)
        if len(data) < size:
            raise BadZip("The archive is refused: it is cut off", entry=None, reason="it is cut off")
        return data

    def read_some(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset`, fewer where the file ends before."""
        at = offset - self._start
        if at < 0 or at + size > len(self._window):
            if size > _WINDOW:
                return os.pread(self.descriptor, size, offset)
            near = 0 <= at <= len(self._window) + _FIRST
            self._window = os.pread(self.descriptor, _WINDOW if near else max(size, _FIRST), offset)
            self._start, at = offset, 0
        return self._window[at : at + size]
