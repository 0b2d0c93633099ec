"""The JSON text frames of `/ws/{cuid}`. Total: any bytes give a frame or a BadFrame, never anything else."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, StringConstraints, TypeAdapter
from pydantic import ValidationError as PydanticError

from container_manager.errors import ValidationError
from container_manager.terminal.decoder import Chunk, Encoding
from container_manager.terminal.process import MAX_COLS, MAX_ROWS, Size, Stream

PONG = orjson.dumps({"type": "pong"})


class BadFrame(ValidationError):
    """A frame that is no frame: not JSON, of an unknown type, or with a wrong field."""

    code = "BAD_FRAME"


@dataclass(slots=True, kw_only=True)
class Stdin:
    """Bytes to type. `eof` ends the input after them: ^D on a terminal."""

    type: Literal["stdin"]
    data: str = ""
    encoding: Encoding = "utf8"
    eof: bool = False

    def decoded(self) -> bytes:
        """The bytes that `data` stands for. Raises BadFrame when it is no base64."""
        if self.encoding == "utf8":
            return self.data.encode()
        try:
            return base64.b64decode(self.data, validate=True)
        except (binascii.Error, ValueError):
            raise BadFrame.field("data", "data is not base64", code="BAD_FRAME") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """The client's window, in characters."""

    type: Literal["resize"]
    cols: Annotated[int, Field(ge=1, le=MAX_COLS)]
    rows: Annotated[int, Field(ge=1, le=MAX_ROWS)]

    @property
    def size(self) -> Size:
        """As a Size."""
        return Size(self.cols, self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A signal for the foreground process group: `INT`, `SIGINT` and `int` are the same."""

    type: Literal["signal"]
    name: Annotated[str, StringConstraints(max_length=16)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """End the session (an owner) or leave it (anybody else)."""

    type: Literal["close"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Answered with `pong`."""

    type: Literal["ping"]


ClientFrame = Stdin | Resize | Signal | Close | Ping

_parser: TypeAdapter[ClientFrame] = TypeAdapter(Annotated[ClientFrame, Field(discriminator="type")])


def parse(message: str | bytes) -> ClientFrame:
    """The frame that a client sent. Raises BadFrame with every fault found."""
    return _typed(message) or _checked(message)


def _typed(message: str | bytes) -> Stdin | None:
    """Nearly every frame is a key: it needs a tenth of the work that a thorough look takes."""
    try:
        found = orjson.loads(message)
    except ValueError:
        return None
    if type(found) is dict and len(found) == 3 and found.get("type") == "stdin" and found.get("encoding") == "utf8":
        data = found.get("data")
        return Stdin(type="stdin", data=data) if type(data) is str else None
    return None


def _checked(message: str | bytes) -> ClientFrame:
    try:
        return _parser.validate_json(message)
    except PydanticError as error:
        # The path begins with the frame's type: `resize.cols` is the field `cols` of a resize frame.
        raise BadFrame.of(
            [
                {
                    "field": ".".join(str(part) for part in fault["loc"][1:]) or "type",
                    "code": "BAD_FRAME",
                    "message": fault["msg"],
                    "provided": None,
                }
                for fault in error.errors(include_url=False, include_context=False, include_input=False)
            ]
        ) from None


def output(stream: Stream, chunk: Chunk) -> bytes:
    """`stdout` or `stderr`."""
    return orjson.dumps({"type": stream, "data": chunk.data, "encoding": chunk.encoding})


def sized(size: Size) -> bytes:
    """`size`: the terminal's, for viewers whose own window does not decide it."""
    return orjson.dumps({"type": "size", "cols": size.cols, "rows": size.rows})


def exited(code: int, reason: str | None = None) -> bytes:
    """`exit`, with a `reason` when it did not end by itself."""
    frame: dict[str, Any] = {"type": "exit", "code": code}
    if reason is not None:
        frame["reason"] = reason
    return orjson.dumps(frame)


def error(body: Mapping[str, Any]) -> bytes:
    """`error`, around the error object that every response of this API has."""
    return orjson.dumps({"type": "error", "error": body}, default=str)
