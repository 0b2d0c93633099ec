"""Writes a change into YAML text in the places that it concerns; every other character stays as a person wrote it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from textwrap import dedent
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    MappingStartEvent,
    ScalarEvent,
)
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from container_manager.store.yaml_text import dump, flow

MERGE = "<<"


@dataclass(slots=True)
class _Node:
    """A part of the text. A mapping's `children` are key, value, key, value …; places are counted in characters."""

    kind: Literal["scalar", "alias", "mapping", "sequence"]
    start: int
    end: int
    column: int
    value: str = ""
    anchor: str | None = None
    flow: bool = False
    children: list["_Node"] = field(default_factory=list)

    @property
    def pairs(self) -> Iterator[tuple["_Node", "_Node"]]:
        """Keys and values of a mapping."""
        return zip(self.children[::2], self.children[1::2], strict=True)


def spliced(text: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """`text`, which holds `before`, changed so that it holds `after`.

    What several places share by an anchor is not changed for one of them: the caller must look at the outcome.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    newline = "\r\n" if "\r\n" in text else "\n"
    text = text.removeprefix(mark)
    if not text.endswith("\n"):
        text += newline
    splicer = _Splicer(text)
    splicer.document(_tree(text), before, after)
    return mark + splicer.result(newline)


def _tree(text: str) -> _Node:
    """The root of the one document in `text`."""
    above: list[_Node] = [_Node("sequence", 0, 0, 0)]
    for event in YAML(typ="safe").parse(text):
        if isinstance(event, CollectionEndEvent):
            ended = above.pop()
            # A block has no end of its own: its mark is where the next thing begins.
            ended.end = event.end_mark.index if ended.flow or not ended.children else ended.children[-1].end
        elif isinstance(event, CollectionStartEvent | ScalarEvent | AliasEvent):
            node = _Node(
                kind="alias" if isinstance(event, AliasEvent) else "scalar",
                start=event.start_mark.index,
                end=event.end_mark.index,
                column=event.start_mark.column,
                anchor=event.anchor,
            )
            above[-1].children.append(node)
            if isinstance(event, CollectionStartEvent):
                node.kind = "mapping" if isinstance(event, MappingStartEvent) else "sequence"
                node.flow = bool(event.flow_style)
                above.append(node)
            elif isinstance(event, ScalarEvent):
                node.value = event.value
    return above[0].children[0]


class _Splicer:
    """Collects what is to be replaced in `text`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._edits: list[tuple[int, int, str]] = []

    def result(self, newline: str) -> str:
        """The text with every edit in it; those at one place in the order in which they were made."""
        parts: list[str] = []
        position = 0
        for start, end, new in sorted(self._edits, key=lambda edit: edit[0]):
            parts += (self._text[position:start], new.replace("\n", newline))
            position = max(position, end)
        return "".join([*parts, self._text[position:]])

    def document(self, root: _Node, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """The whole of it."""
        if root.flow:
            self._edits.append((root.start, root.end, _rendered(after).rstrip("\n")))
        else:
            self._mapping(root, before, after)

    def _mapping(self, node: _Node, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        own = {key.value: (key, value) for key, value in node.pairs}
        gone = [name for name in before if name not in after]
        merged = MERGE in own and any(name not in own for name in gone)
        if merged:
            # A key that came by "<<" cannot be taken away again: all that came so is written out, but for that.
            self._delete(*own[MERGE])
        for name in gone:
            if name in own:
                self._delete(*own[name])
        added = {}
        for name, value in after.items():
            differs = name not in before or before[name] != value
            if name in own and differs:
                self._change(*own[name], before.get(name), value)
            elif name not in own and (differs or merged):
                added[name] = value
        if added:
            place = self._line_end(node.end)
            self._edits.append((place, place, _indented(_rendered(added), node.children[0].column)))

    def _change(self, key: _Node, node: _Node, before: Any, after: Any) -> None:
        """The value of one key."""
        block = not node.flow and bool(after)
        if block and node.kind == "mapping" and isinstance(after, dict):
            self._mapping(node, before, after)
        elif block and node.kind == "sequence" and isinstance(after, list):
            self._sequence(node, before, after)
        elif node.kind == "scalar" and not isinstance(after, dict | list):
            self._scalar(node, after)
        else:
            comment = self._comment(key, node)
            first, newline, rest = _rendered({key.value: after}).partition("\n")
            first += f"  {comment}" if comment else ""
            new = first + newline + _indented(rest, key.column)
            self._edits.append((key.start, self._line_end(node.end), new))

    def _scalar(self, node: _Node, value: Any) -> None:
        # An anchor stays where it is.
        anchor = re.match(r"&\S+[ \t]+", self._text[node.start : node.end])
        new = (anchor[0] if anchor else "") + _rendered({"k": value}).removeprefix("k:").strip()
        empty, line = node.start == node.end, self._text[node.start : node.end].endswith("\n")
        self._edits.append((node.start, node.end, (" " if empty else "") + new + ("\n" if line else "")))

    def _sequence(self, node: _Node, before: Sequence[Any], after: Sequence[Any]) -> None:
        first = self._line_start(node.children[0].start)
        dash = re.match(r" *", self._text[first:])
        column = len(dash[0]) if dash else 0
        matcher = SequenceMatcher(None, [repr(item) for item in before], [repr(item) for item in after], autojunk=False)
        for _, start, end, new_start, new_end in (code for code in matcher.get_opcodes() if code[0] != "equal"):
            items, new = node.children[start:end], list(after[new_start:new_end])
            while items and new and items[0].kind == "scalar" and not isinstance(new[0], dict | list):
                self._scalar(items.pop(0), new.pop(0))
                start += 1
            for item in items:
                self._edits.append((self._line_start(item.start), self._line_end(item.end), ""))
            if new:
                place = self._line_end(node.children[start - 1].end) if start else first
                self._edits.append((place, place, _indented(dedent(_rendered(new)), column)))

    def _delete(self, key: _Node, value: _Node) -> None:
        self._edits.append((self._line_start(key.start), self._line_end(value.end), ""))

    def _comment(self, key: _Node, value: _Node) -> str:
        """What stands behind the value, or behind the key when the value begins below."""
        line_end = self._text.index("\n", key.end)
        behind = value.end if value.end <= line_end else key.end
        found = re.search(r"(?:^|\s)(#.*)", self._text[behind:line_end])
        return found[1].rstrip() if found else ""

    def _line_start(self, place: int) -> int:
        return self._text.rfind("\n", 0, place) + 1

    def _line_end(self, place: int) -> int:
        """Where the line of what ends at `place` is over; a block of text ends with its line."""
        if place and self._text[place - 1] == "\n":
            return place
        return self._text.index("\n", place) + 1


def _indented(lines: str, column: int) -> str:
    return re.sub(r"(?m)^(?=.)", " " * column, lines)


def _rendered(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """New text. No string in it has a line break or depends on what a bare word means."""
    return dump(_dressed(value)).decode()


def _dressed(value: Any) -> Any:
    if isinstance(value, dict):
        return CommentedMap({name: _dressed(item) for name, item in value.items()})
    if isinstance(value, list):
        items = [_dressed(item) for item in value]
        return flow(items) if isinstance(value, CommentedSeq) and value.fa.flow_style() else items
    return DoubleQuotedScalarString(value) if isinstance(value, str) else value
