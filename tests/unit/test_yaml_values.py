"""YAML as plain values: the same as the library's own reading, for whatever a Compose file may hold."""

import contextlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from container_manager.store.yaml_text import dump
from container_manager.store.yaml_values import parsed, plain

DEEPEST = 100

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(DOCUMENTS)
def test_what_is_written_is_read_as_the_library_reads_it(document: Any) -> None:
    text = dump({"document": document}).decode()
    assert parsed(text, DEEPEST) == YAML(typ="safe").load(text)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("True", True),
        ("false", False),
        ("yes", "yes"),
        ("on", "on"),
        ("no", "no"),
        ("1_000", 1000),
        ("-5", -5),
        ("0777", 777),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b101", 5),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("1.2.3", "1.2.3"),
        ("8080:80", "8080:80"),
        ("512m", "512m"),
        ("2026-01-01", "2026-01-01"),
        ("<<", "<<"),
        ("_", "_"),
    ],
)
def test_plain_words(word: str, value: Any) -> None:
    found = plain(word)
    assert found == value
    assert type(found) is type(value)


def test_not_a_number() -> None:
    assert math.isnan(plain(".nan"))


@pytest.mark.parametrize("text", ["'1'", '"1"', "!!str 1", "! 1"])
def test_quoted_and_tagged_words_are_text(text: str) -> None:
    assert parsed(text, DEEPEST) == "1"


def test_anchors_and_merges() -> None:
    text = """
    x-a: &a {one: 1, two: 2}
    x-b: &b {two: 22, three: 3}
    single: {<<: *a, one: 11}
    several: {one: 11, <<: [*a, *b]}
    list: &l [1, 2]
    again: *l
    """
    found = parsed(text, DEEPEST)
    assert found["single"] == {"one": 11, "two": 2}
    assert found["several"] == {"one": 11, "two": 2, "three": 3}
    assert found["again"] is found["list"]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "duplicate"),
        ("a: *nowhere\n", 1, "alias"),
        ("a: &a [*a]\n", 1, "alias"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("? [1]\n: 2\n", 1, "key"),
        ("a:\n  <<: 5\n", 2, "<<"),
        ("a: [1\nb: 2\n", 2, ""),
        ("[" * 200 + "]" * 200, 1, "nested deeper"),
    ],
)
def test_errors_name_the_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(MarkedYAMLError) as caught:
        parsed(text, DEEPEST)
    assert problem in caught.value.problem
    assert caught.value.problem_mark.line + 1 == line


@given(st.text() | st.text(alphabet="&*!|>'\"%@`{}[],:-?#<~ \n\t0a"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(YAMLError, ValueError):
        parsed(text, DEEPEST)
