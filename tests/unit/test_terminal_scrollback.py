"""What a viewer who comes later is shown: bounded, begun at a safe place, and asking nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_manager.terminal.scrollback import Scrollback, safe_cut, without_queries

QUERIES = [
    b"\x1b[c",
    b"\x1b[0c",
    b"\x1b[>c",
    b"\x1b[=0c",
    b"\x1b[5n",
    b"\x1b[6n",
    b"\x1b[?6n",
    b"\x1b[?2026$p",
    b"\x1b[>0q",
    b"\x1b[18t",
    b"\x1b[14;2t",
    b"\x1b[?u",
    b"\x1b]10;?\x07",
    b"\x1b]11;?\x1b\\",
    b"\x1b]4;12;?\x07",
    b"\x1b]52;c;?\x07",
    b"\x1bP$qm\x1b\\",
    b"\x1bP+q544e\x1b\\",
    b"\x1bZ",
    b"\x05",
]
SHOWN = [
    b"\x1b[31mred\x1b[0m",
    b"\x1b[2J\x1b[H",
    b"\x1b[?1049h",
    b"\x1b]0;title\x07",
    b"\x1b]11;#000000\x07",
    b"\x1b]8;;http://x/?c\x1b\\link\x1b]8;;\x1b\\",
    b"\x1b[8;24;80t",
    b"\x1b(B",
    "üñ😀".encode(),
    b"\x1b[?25l",
    b"plain\r\n",
]


@pytest.mark.parametrize("query", QUERIES)
def test_queries_are_dropped(query: bytes) -> None:
    assert without_queries(b"before" + query + b"after") == b"beforeafter"


@pytest.mark.parametrize("shown", SHOWN)
def test_all_else_stays(shown: bytes) -> None:
    assert without_queries(shown) == shown


PIECES = st.lists(st.sampled_from([*QUERIES, *SHOWN, b"\x1bPq#0;2;0\n#1~~\x1b\\", b"x" * 50]), min_size=1, max_size=40)


SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P][^\x07\x1b]*(?:\x07|\x1b\\)|\(B|Z)")


@given(PIECES, st.integers(0, 2000))
def test_a_cut_is_never_inside_a_sequence_or_a_character(pieces: list[bytes], at: int) -> None:
    data = b"".join(pieces)
    at = min(at, len(data))
    cut = safe_cut(data, at)
    assert at <= cut <= len(data)
    assert not any(match.start() < cut < match.end() for match in SEQUENCE.finditer(data))
    assert data[cut:].decode() is not None


def test_it_keeps_the_last_bytes_within_its_limit() -> None:
    scrollback = Scrollback(1000)
    for number in range(1000):
        scrollback.append(b"line %d\r\n" % number)
    shown = scrollback.replay(queries=True)
    assert len(shown) <= 1000
    assert shown.endswith(b"line 999\r\n")
    assert shown.startswith(b"line ")


def test_the_first_viewer_gets_the_queries_a_later_one_does_not() -> None:
    scrollback = Scrollback(1000)
    scrollback.append(b"a\x1b[6nb")
    assert scrollback.replay(queries=True) == b"a\x1b[6nb"
    assert scrollback.replay(queries=False) == b"ab"


def test_modes_outlive_the_output_that_set_them() -> None:
    scrollback = Scrollback(100)
    scrollback.append(b"\x1b[?1049h\x1b[?25l\x1b[?12345h")
    scrollback.append(b"x" * 300)
    shown = scrollback.replay(queries=False)
    assert shown.startswith(b"\x1b[?1049h\x1b[?25l")
    assert b"12345" not in shown


def test_a_string_without_an_end_is_not_shown() -> None:
    scrollback = Scrollback(100)
    scrollback.append(b"text\x1b]0;" + b"x" * 300)
    assert scrollback.replay(queries=False) == b""
