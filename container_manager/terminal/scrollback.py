"""What a terminal showed lately, kept for a viewer that comes (back) later."""

import re

_QUERY = re.compile(
    rb"\x1b\[[>=?]?[\d;]*c"  # device attributes
    rb"|\x1b\[\??[\d;]*n"  # status and cursor reports
    rb"|\x1b\[\??[\d;]*\$p"  # is this mode set?
    rb"|\x1b\[>[\d;]*q"  # name and version
    rb"|\x1b\[[01]?x"  # terminal parameters
    rb"|\x1b\[(?:1[1345689]|2[01])(?:;\d*)*t"  # window reports
    rb"|\x1b\[\?u"  # keyboard protocol
    rb"|\x1b\[[\d;]*\*y"  # checksum of an area
    rb"|\x1b\[[\d;]*\$w"  # presentation state
    rb"|\x1b\](?:4;\d+|1[0-9]|5;\d+|52;[^;\x07\x1b]*);\?(?:\x07|\x1b\\)"  # colours, clipboard
    rb"|\x1bP[$+]q[^\x1b\x07]*(?:\x07|\x1b\\)"  # settings, capabilities
    rb"|\x1bZ|\x05"  # identify, enquiry
)

# One control sequence from its ESC on: CSI, a string ended by BEL or ST, or two or three characters.
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])")

_STRINGS = (b"]", b"P", b"^", b"_", b"X")
"""What opens a string after ESC; none of the output in it is shown."""

_MODE = re.compile(rb"\x1b\[\?([\d;]+)([hl])|\x1bc")

_LASTING_MODES = frozenset(
    b"%d" % mode
    for mode in (1, 7, 9, 12, 25, 47, 66, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1016, 1047, 1049, 2004)
)
"""Modes that outlive the output which set them: alternate screen, cursor, mouse, bracketed paste …"""

_LINE_WITHIN = 2048


def without_queries(data: bytes) -> bytes:
    """`data` without what a terminal would answer: a second answer would be typed into the shell as junk."""
    return _QUERY.sub(b"", data) if b"\x1b" in data or b"\x05" in data else data


def safe_cut(data: bytes | bytearray, at: int) -> int:
    """The first position from `at` on that lies neither in a control sequence nor in a character.

    Prefers the beginning of a line when one is near. `data` must itself begin at such a position.
    """
    # A sequence holds no ESC but its first byte and that of its terminator: the last ESC tells.
    escape = data.rfind(b"\x1b", 0, at)
    if escape > 0 and data[escape : escape + 2] == b"\x1b\\":
        opener = data.rfind(b"\x1b", 0, escape)
        escape = opener if opener >= 0 and data[opener + 1 : opener + 2] in _STRINGS else escape
    if escape >= 0:
        match = _SEQUENCE.match(data, escape)
        if match is None and data[escape + 1 : escape + 2] in _STRINGS:
            return len(data)  # it has not ended yet: nothing after it can be shown
        at = max(at, match.end() if match else escape + 1)
    newline = data.find(b"\n", at, at + _LINE_WITHIN)
    if newline >= 0 and data.find(b"\x1b", at, newline) < 0:
        return newline + 1
    while at < len(data) and data[at] & 0xC0 == 0x80:
        at += 1
    return at


class Scrollback:
    """The last `limit` bytes of output, always beginning at a safe place, and the modes set before them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self._modes: dict[bytes, bool] = {}
        self._cut = False

    def append(self, data: bytes) -> None:
        """Add output; forgets the oldest once there is twice the limit."""
        self._data += data
        if len(self._data) > 2 * self._limit:
            self._trim()

    def _trim(self) -> None:
        if len(self._data) <= self._limit:
            return
        at = safe_cut(self._data, len(self._data) - self._limit)
        for match in _MODE.finditer(self._data, 0, at):
            if match[1] is None:  # a full reset
                self._modes.clear()
                continue
            for mode in match[1].split(b";"):
                if mode in _LASTING_MODES:
                    self._modes[bytes(mode)] = match[2] == b"h"
        del self._data[:at]
        self._cut = True

    def clear(self) -> None:
        """Forget everything."""
        self._data.clear()
        self._modes.clear()
        self._cut = False

    def replay(self, *, queries: bool) -> bytes:
        """What to show a new viewer; with `queries`, those are left in for it to answer."""
        self._trim()
        modes = b"".join(b"\x1b[?%b%b" % (mode, b"h" if on else b"l") for mode, on in self._modes.items())
        data = bytes(self._data)
        return modes + (data if queries and not self._cut else without_queries(data))
