"""YAML as plain values, fast: the C parser's events, put together here without recursion.

Every file is read at start, thousands of them, and this takes a quarter of the time of the library's own constructor.
Plain words mean what YAML 1.2 says; timestamps stay text.
"""

import re
from functools import lru_cache
from typing import Any

from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|([0-9][0-9_]*))")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?)"
)
_BEYOND = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")


class _Collection:
    """A mapping or a list whose end has not come yet."""

    __slots__ = ("anchor", "items", "key", "mapping", "merged")

    def __init__(self, anchor: str | None, mapping: dict[Any, Any] | None) -> None:
        self.anchor = anchor
        self.mapping = mapping
        self.items: list[Any] = []
        self.key: Any = self
        """The key whose value is awaited; this object itself when none is."""
        self.merged: list[Any] = []

    def add(self, value: Any, event: Any) -> None:
        """The next item, key or value. MarkedYAMLError for what cannot be a key."""
        if self.mapping is None:
            self.items.append(value)
        elif self.key is not self:
            if self.key == "<<":
                self._merge(value if isinstance(value, list) else [value], event)
            else:
                self.mapping[self.key] = value
            self.key = self
        elif isinstance(value, dict | list):
            raise _wrong("a key must be a word, not a collection", event)
        elif value in self.mapping:
            raise _wrong(f'found duplicate key "{value}"', event)
        else:
            self.key = value

    def _merge(self, others: list[Any], event: Any) -> None:
        if not all(isinstance(other, dict) for other in others):
            raise _wrong("'<<' takes mappings", event)
        self.merged += others

    def ended(self) -> dict[Any, Any] | list[Any]:
        """The whole of it, with what `<<` takes over from elsewhere."""
        if self.mapping is None:
            return self.items
        for other in self.merged:
            for key, value in other.items():
                self.mapping.setdefault(key, value)
        return self.mapping


def parsed(text: str, deepest: int) -> Any:
    """The one document that `text` is. Errors are YAMLError; MarkedYAMLError knows the line."""
    open_ones: list[_Collection] = []
    anchors: dict[str, Any] = {}
    documents = 0
    document: Any = None
    parser = CParser(text)
    while parser.check_event():
        event = parser.get_event()
        kind = type(event)
        anchor = None
        if kind is ScalarEvent:
            value, anchor = _scalar(event), event.anchor
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if len(open_ones) >= deepest:
                raise _wrong(f"it is nested deeper than {deepest} levels of YAML", event)
            open_ones.append(_Collection(event.anchor, {} if kind is MappingStartEvent else None))
            continue
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            collection = open_ones.pop()
            value, anchor = collection.ended(), collection.anchor
        elif kind is AliasEvent:
            if event.anchor not in anchors:
                raise _wrong(f'alias "{event.anchor}" stands for nothing before it, or for what it is a part of', event)
            value = anchors[event.anchor]
        elif kind is DocumentStartEvent:
            documents += 1
            if documents > 1:
                raise _wrong("a second document begins here; only one is taken", event)
            continue
        else:
            continue
        if anchor is not None:
            anchors[anchor] = value
        if open_ones:
            open_ones[-1].add(value, event)
        else:
            document = value
    return document


def _scalar(event: Any) -> Any:
    if event.style is not None and event.style not in ("", ":"):
        return event.value
    return event.value if event.tag in _TEXT_TAGS else plain(event.value)


@lru_cache(maxsize=4096)
def plain(text: str) -> Any:
    """What a word without quotes means."""
    if text in _WORDS:
        return _WORDS[text]
    if match := _INTEGER.fullmatch(text):
        # Leading zeros are decimal in YAML 1.2.
        return int(text.replace("_", ""), 10 if match[1] else 0)
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    if match := _BEYOND.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def _wrong(problem: str, event: Any) -> MarkedYAMLError:
    return MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
