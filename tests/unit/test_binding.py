"""Bodies and queries: every wrong one is a list of faults, never another exception."""

import json
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, Field

from container_manager.api.binding import parse_body, read_query
from container_manager.api.faults import Fault
from container_manager.api.route import Route
from container_manager.api.schemas.base import Body, Commas, Query, fault


class Port(Body):
    host: int = Field(ge=1, le=65535)


class Create(Body):
    may_hold_nul = frozenset({"content"})

    image: str
    env: dict[str, str] = Field(default_factory=dict)
    password: str | None = None
    content: str = ""
    ports: list[Port] = Field(default_factory=list)
    command: str | list[str] | None = None
    cpus: float | None = None


class Listing(Query):
    status: Commas[str] = ()
    force: bool = False
    limit: int = Field(50, ge=1)


async def _handler(request: Any) -> None: ...


LISTING = Route("GET", "/x", _handler, "x.list", "List", query=Listing)


def body(raw: bytes | str) -> tuple[Create | None, list[Fault]]:
    faults: list[Fault] = []
    value = parse_body(raw.encode() if isinstance(raw, str) else raw, Create, faults)
    return value, faults  # type: ignore[return-value]


def query(raw: str) -> tuple[Listing | None, list[Fault]]:
    faults: list[Fault] = []
    value = read_query(raw, LISTING, faults)
    return value, faults  # type: ignore[return-value]


def test_a_right_body_is_its_model() -> None:
    value, faults = body('{"image": "a", "ports": [{"host": 1}], "command": ["x"], "cpus": 1}')
    assert not faults
    assert value == Create(image="a", ports=[Port(host=1)], command=["x"], cpus=1)


def test_a_missing_field_has_a_code_of_its_own() -> None:
    _, faults = body("{}")
    assert faults == [
        {"field": "image", "code": "MISSING_IMAGE", "message": "Image is required", "provided": None},
    ]


def test_every_fault_is_told_at_once() -> None:
    _, faults = body('{"ports": [{"host": 0}, {"host": "1"}], "cpus": true, "imgae": "x"}')
    assert {fault["field"] for fault in faults} == {"image", "ports.0.host", "ports.1.host", "cpus", "imgae"}
    unknown = next(fault for fault in faults if fault["field"] == "imgae")
    assert unknown["code"] == "UNKNOWN_FIELD"
    assert "image" in unknown["message"]


def test_a_union_is_one_fault() -> None:
    _, faults = body('{"image": "a", "command": 5}')
    assert [(fault["field"], fault["provided"]) for fault in faults] == [("command", 5)]
    assert "valid string" in faults[0]["message"]
    assert "valid array" in faults[0]["message"]


def test_secrets_are_never_echoed() -> None:
    _, faults = body('{"image": "a", "env": {"KEY": 17171}, "password": 28282, "passwort": "39393", "content": 41414}')
    assert len(faults) == 4
    told = json.dumps(faults)
    assert not any(secret in told for secret in ("17171", "28282", "39393", "41414"))


def test_long_values_are_cut() -> None:
    _, faults = body(json.dumps({"image": ["x" * 10_000], "cpus": "y" * 10_000}))
    assert len(json.dumps(faults)) < 2000


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\xff", "BAD_JSON"),
        (b"{", "BAD_JSON"),
        (b"[]", "BAD_JSON"),
        (b"null", "BAD_JSON"),
        (b"17", "BAD_JSON"),
        (b'{"image": NaN}', "BAD_JSON"),
        (b'{"cpus": Infinity}', "BAD_JSON"),
        (b'{"cpus": ' + b"9" * 5000 + b"}", "BAD_JSON"),
        (b"[" * 100_000, "BAD_JSON"),
        (b'{"image":' + b"[" * 33 + b"]" * 33 + b"}", "BAD_JSON"),
        (b'{"image": "a", "image": "b"}', "DUPLICATE_FIELD"),
        (b'{"image": "\\ud800"}', "BAD_TEXT"),
        (b'{"image": "a", "\\udfff": 1}', "BAD_TEXT"),
        (b'{"image": "a\\u0000"}', "BAD_TEXT"),
        (b'{"image": "a", "env": {"A\\u0000": "b"}}', "BAD_TEXT"),
    ],
)
def test_json_that_is_refused(raw: bytes, code: str) -> None:
    value, faults = body(raw)
    assert value is None or faults
    assert faults[0]["code"] == code


def test_an_empty_body_is_an_empty_object() -> None:
    class Optional(Body):
        name: str | None = None

    faults: list[Fault] = []
    assert parse_body(b"", Optional, faults) == Optional()
    assert parse_body(b" \r\n", Optional, faults) == Optional()
    assert not faults


def test_nul_passes_where_bytes_are_meant() -> None:
    value, faults = body(r'{"image": "a", "content": "x\u0000y"}')
    assert not faults
    assert value is not None
    assert value.content == "x\0y"


def test_a_byte_order_mark_is_no_fault() -> None:
    value, faults = body(b'\xef\xbb\xbf{"image": "a"}')
    assert not faults
    assert value == Create(image="a")


def _refuse(value: str) -> str:
    raise fault("BAD_NAME", f"{value} is no name")


class Named(Body):
    name: Annotated[str, AfterValidator(_refuse)]


def test_a_validator_may_name_its_code() -> None:
    faults: list[Fault] = []
    parse_body(b'{"name": "x"}', Named, faults)
    assert [(fault["code"], fault["message"]) for fault in faults] == [("BAD_NAME", "x is no name")]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("", Listing()),
        ("status=a,b", Listing(status=("a", "b"))),
        ("status=", Listing()),
        ("force=true&limit=7", Listing(force=True, limit=7)),
        ("force=0", Listing(force=False)),
        ("status=caf%C3%A9,a+b", Listing(status=("café", "a b"))),
    ],
)
def test_queries_are_read_as_their_types(raw: str, expected: Listing) -> None:
    value, faults = query(raw)
    assert not faults
    assert value == expected


@pytest.mark.parametrize(
    ("raw", "code", "field"),
    [
        ("force=maybe", "INVALID_VALUE", "force"),
        ("limit=0", "INVALID_VALUE", "limit"),
        ("limit=" + "9" * 5000, "INVALID_VALUE", "limit"),
        ("colour=red", "UNKNOWN_FIELD", "colour"),
        ("limit=1&limit=2", "DUPLICATE_FIELD", "limit"),
        ("status=%00", "BAD_TEXT", "status"),
        ("status=%FF", "BAD_QUERY", None),
        ("&".join(f"a{number}=1" for number in range(101)), "BAD_QUERY", None),
    ],
)
def test_queries_that_are_refused(raw: str, code: str, field: str | None) -> None:
    value, faults = query(raw)
    assert value is None
    assert (faults[0]["code"], faults[0]["field"]) == (code, field)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(Create.model_fields, JSON)))
def test_any_json_is_a_model_or_faults(data: Any) -> None:
    value, faults = body(json.dumps(data))
    assert (value is None) == bool(faults) or faults
    json.dumps(faults, allow_nan=False).encode()


@given(st.binary(max_size=64))
def test_any_bytes_are_a_model_or_faults(raw: bytes) -> None:
    value, faults = body(raw)
    assert faults or value is not None


@given(st.text(st.characters(max_codepoint=127), max_size=64))
def test_any_query_is_a_model_or_faults(raw: str) -> None:
    value, faults = query(raw)
    assert faults or value is not None
