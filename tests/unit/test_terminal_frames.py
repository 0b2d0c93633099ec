"""Any bytes give a frame or a BadFrame; output comes back from its frames byte for byte."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_manager.terminal import frames
from container_manager.terminal.decoder import Chunk, Utf8Decoder
from container_manager.terminal.process import Size


@pytest.mark.parametrize(
    "message",
    [
        "",
        "null",
        "[]",
        "{}",
        '"stdin"',
        "not json",
        b"\xff\xfe\x00",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"type":"unknown"}',
        '{"type":["stdin"]}',
        '{"type":"stdin","data":5}',
        '{"type":"stdin","data":"\\ud800"}',
        '{"type":"stdin","data":"x","encoding":"latin1"}',
        '{"type":"resize"}',
        '{"type":"resize","cols":0,"rows":24}',
        '{"type":"resize","cols":80,"rows":' + "9" * 5000 + "}",
        '{"type":"resize","cols":80.5,"rows":24}',
        '{"type":"resize","cols":1e999,"rows":24}',
        '{"type":"signal"}',
        '{"type":"signal","name":"' + "A" * 100 + '"}',
    ],
)
def test_what_is_no_frame_is_a_bad_frame(message: str | bytes) -> None:
    with pytest.raises(frames.BadFrame) as caught:
        frames.parse(message)
    assert caught.value.code == "BAD_FRAME"
    assert caught.value.message
    assert caught.value.details["errors"]
    json.dumps(caught.value.details)


@given(st.one_of(st.text(), st.binary()))
def test_nothing_else_is_raised(message: str | bytes) -> None:
    with contextlib.suppress(frames.BadFrame):
        frames.parse(message)


def test_every_fault_is_told_with_its_field() -> None:
    with pytest.raises(frames.BadFrame) as caught:
        frames.parse('{"type":"resize","cols":"x","rows":0}')
    assert [fault["field"] for fault in caught.value.details["errors"]] == ["cols", "rows"]


def test_frames_of_the_contract() -> None:
    typed = frames.parse('{"type":"stdin","data":"ü\\n","encoding":"utf8"}')
    assert isinstance(typed, frames.Stdin)
    assert typed.decoded() == "ü\n".encode()
    assert frames.parse('{"type":"stdin","data":"ls"}').decoded() == b"ls"  # type: ignore[union-attr]
    raw = frames.parse(
        json.dumps({"type": "stdin", "data": base64.b64encode(b"\x00\xff").decode(), "encoding": "base64"})
    )
    assert isinstance(raw, frames.Stdin)
    assert raw.decoded() == b"\x00\xff"
    resized = frames.parse('{"type":"resize","cols":120,"rows":40}')
    assert isinstance(resized, frames.Resize)
    assert resized.size == Size(120, 40)
    assert isinstance(frames.parse('{"type":"signal","name":"INT"}'), frames.Signal)
    assert isinstance(frames.parse('{"type":"close"}'), frames.Close)
    assert isinstance(frames.parse('{"type":"ping","more":"is ignored"}'), frames.Ping)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=2), max_size=2)


@given(
    st.fixed_dictionaries(
        {"type": st.just("stdin")},
        optional={
            "data": VALUES,
            "encoding": st.sampled_from(["utf8", "base64", "", None]),
            "eof": VALUES,
            "more": VALUES,
        },
    )
)
def test_the_quick_look_at_a_key_finds_what_the_thorough_one_does(frame: dict[str, object]) -> None:
    message = json.dumps(frame)
    quick = frames._typed(message)
    assert quick is None or quick == frames._checked(message)


@pytest.mark.parametrize("data", ["?", "abc", "é", "YQ==\n"])
def test_what_is_no_base64_is_a_bad_frame(data: str) -> None:
    frame = frames.parse(json.dumps({"type": "stdin", "data": data, "encoding": "base64"}))
    assert isinstance(frame, frames.Stdin)
    with pytest.raises(frames.BadFrame):
        frame.decoded()


def test_frames_to_the_client() -> None:
    assert json.loads(frames.output("stderr", Chunk("ü\x1b", "utf8"))) == {
        "type": "stderr",
        "data": "ü\x1b",
        "encoding": "utf8",
    }
    assert json.loads(frames.exited(0)) == {"type": "exit", "code": 0}
    assert json.loads(frames.exited(137, "stopped")) == {"type": "exit", "code": 137, "reason": "stopped"}
    assert json.loads(frames.error({"code": "X"})) == {"type": "error", "error": {"code": "X"}}
    assert json.loads(frames.PONG) == {"type": "pong"}


def decoded(chunks: list[Chunk | None]) -> bytes:
    return b"".join(
        chunk.data.encode() if chunk.encoding == "utf8" else base64.b64decode(chunk.data) for chunk in chunks if chunk
    )


@given(st.lists(st.binary(max_size=9)))
def test_no_byte_is_lost_or_moved(pieces: list[bytes]) -> None:
    decoder = Utf8Decoder()
    chunks = [decoder.feed(piece) for piece in pieces]
    assert decoded([*chunks, decoder.flush()]) == b"".join(pieces)


@given(st.text(), st.integers(1, 5))
def test_text_stays_text_wherever_it_is_split(text: str, step: int) -> None:
    data = text.encode()
    decoder = Utf8Decoder()
    chunks = [decoder.feed(data[at : at + step]) for at in range(0, len(data), step)]
    assert decoder.flush() is None
    assert all(chunk.encoding == "utf8" for chunk in chunks if chunk)
    assert decoded(chunks) == data


def test_half_a_character_is_held_back_and_told_at_the_end() -> None:
    decoder = Utf8Decoder()
    assert decoder.feed("a€".encode()[:-1]) == Chunk("a", "utf8")
    assert decoder.feed(b"\xac") == Chunk("€", "utf8")
    assert decoder.feed(b"\xe2\x82") is None
    assert decoder.flush() == Chunk(base64.b64encode(b"\xe2\x82").decode(), "base64")


def test_what_is_no_utf8_is_base64() -> None:
    decoder = Utf8Decoder()
    assert decoder.feed(b"caf\xe9 au lait") == Chunk(base64.b64encode(b"caf\xe9 au lait").decode(), "base64")
    assert decoder.feed(b"then text") == Chunk("then text", "utf8")
