"""The websocket protocol: who is shaken hands with, and what any bytes of a client mean."""

import contextlib
import os
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_manager.api.rfc6455 import (
    BINARY,
    CLOSE,
    CONTINUATION,
    NO_CODE,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    TOO_LARGE,
    Broken,
    Message,
    Messages,
    accepted,
    close_code,
    frame,
)

LARGEST = 1000


def sent(opcode: int, payload: bytes = b"", *, final: bool = True, mask: bytes | None = None) -> bytes:
    """A frame as a client sends it."""
    mask = os.urandom(4) if mask is None else mask
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
    if size >= 1 << 16:
        length = b"\xff" + size.to_bytes(8)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes([opcode | (0x80 if final else 0)]) + length + mask + masked


def read(data: bytes, step: int | None = None, largest: int = LARGEST) -> list[Message]:
    """What a reader makes of `data`, in pieces of `step` bytes."""
    messages, found = Messages(largest), []
    for at in range(0, len(data), step or len(data)):
        found += list(messages.feed(data[at : at + (step or len(data))]))
    return found


MESSAGES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([TEXT, BINARY]), st.binary(max_size=300)),
        st.tuples(st.sampled_from([CLOSE, PING, PONG]), st.binary(max_size=125)),
    ),
    max_size=6,
)


@given(MESSAGES, st.integers(1, 400))
def test_messages_come_whole_however_their_bytes_come(messages: list[Message], step: int) -> None:
    assert read(b"".join(sent(opcode, payload) for opcode, payload in messages), step) == messages


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=6), st.integers(1, 100))
def test_a_message_in_parts_is_one_and_a_ping_may_come_between(parts: list[bytes], step: int) -> None:
    data = b""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        data += sent(CONTINUATION if number else TEXT, part, final=last) + (b"" if last else sent(PING, b"?"))
    assert read(data, step) == [(PING, b"?")] * (len(parts) - 1) + [(TEXT, b"".join(parts))]


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_are_messages_or_broken_and_little_is_kept(data: bytes, step: int) -> None:
    messages = Messages(LARGEST)
    with contextlib.suppress(Broken):
        for at in range(0, len(data), step):
            for opcode, payload in messages.feed(data[at : at + step]):
                assert opcode in (TEXT, BINARY, CLOSE, PING, PONG)
                assert len(payload) <= LARGEST


BROKEN = {
    "a reserved bit": bytes([0xC1, 0x80, 0, 0, 0, 0]),
    "an unknown opcode": sent(0x3),
    "an unknown control opcode": sent(0xB),
    "no mask": b"\x81\x01x",
    "a control frame in parts": sent(PING, final=False),
    "a long control frame": sent(PING, b"x" * 126),
    "a message within a message": sent(TEXT, b"a", final=False) + sent(TEXT, b"b"),
    "a continuation of nothing": sent(CONTINUATION, b"a"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("step", [1, 1000])
def test_what_is_no_websockets(data: bytes, step: int) -> None:
    with pytest.raises(Broken) as caught:
        read(data, step)
    assert caught.value.code == PROTOCOL_ERROR
    assert str(caught.value)


def in_parts(sizes: Iterable[int]) -> bytes:
    return b"".join(
        sent(CONTINUATION if number else TEXT, b"x" * size, final=False) for number, size in enumerate(sizes)
    )


@pytest.mark.parametrize(
    "data",
    [
        sent(TEXT, b"x" * (LARGEST + 1)),
        b"\x81\xff" + b"\xff" * 8,
        b"\x81\xff" + (LARGEST + 1).to_bytes(8),
        in_parts([400, 400, 201]),
    ],
)
def test_what_is_too_large_is_refused_before_it_has_come(data: bytes) -> None:
    with pytest.raises(Broken) as caught:
        read(data)
    assert caught.value.code == TOO_LARGE
    assert read(sent(TEXT, b"x" * LARGEST)) == [(TEXT, b"x" * LARGEST)]


def test_messages_before_a_fault_are_kept() -> None:
    messages = Messages(LARGEST).feed(sent(TEXT, b"before") + sent(0x3) + sent(TEXT, b"after"))
    assert next(messages) == (TEXT, b"before")
    with pytest.raises(Broken):
        next(messages)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
def test_frames_of_the_server(size: int) -> None:
    payload = os.urandom(size)
    data = frame(TEXT, payload)
    assert data[0] == 0x81
    assert not data[1] & 0x80
    head = 2 if size < 126 else 4 if size < 1 << 16 else 10
    assert data[head:] == payload
    assert head == 2 or int.from_bytes(data[2:head]) == size


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\0\xff\0", b"abcd"])
@pytest.mark.parametrize("size", range(10))
def test_masks(mask: bytes, size: int) -> None:
    payload = bytes(range(size))
    assert read(sent(TEXT, payload, mask=mask)) == [(TEXT, payload)]


def test_close_codes() -> None:
    assert close_code(b"\x03\xe8why") == 1000
    assert close_code(b"") == close_code(b"\x03") == NO_CODE


ASKED = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize("change", [{}, {"Connection": "keep-alive, Upgrade"}, {"Upgrade": "WebSocket"}])
def test_the_handshake_of_the_rfc(change: dict[str, str]) -> None:
    assert accepted(ASKED | change) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    "change",
    [
        {"Upgrade": ""},
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
        {"Sec-WebSocket-Version": "12"},
        {"Sec-WebSocket-Version": ""},
        {"Sec-WebSocket-Key": ""},
        {"Sec-WebSocket-Key": "é"},
        {"Sec-WebSocket-Key": "c2hvcnQ="},
        {"Sec-WebSocket-Key": "????????????????????????"},
    ],
)
def test_other_handshakes_are_none(change: dict[str, str]) -> None:
    assert accepted(ASKED | change) is None
