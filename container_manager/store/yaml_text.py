"""YAML that keeps what a person wrote, values that come through it exactly, errors that name the line."""

import io
from collections.abc import Sequence
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from container_manager.errors import ComposeFileBroken
from container_manager.store.yaml_values import parsed

LARGEST_FILE = 4 << 20
DEEPEST_NESTING = 100
MOST_VALUES = 100_000


def quoted(value: str) -> str:
    """`value` so that it comes through YAML and Compose's interpolation exactly as it is."""
    return cast(str, DoubleQuotedScalarString(value.replace("$", "$$")))


def unquoted(value: Any) -> str:
    """What a process sees of a YAML scalar: the reverse of `quoted`, Compose's booleans included."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("$$", "$")


def dump(document: Any) -> bytes:
    """The document as UTF-8 text, in its order and with the quotes that it has; no line is wrapped."""
    yaml = YAML(typ="rt")
    yaml.width = 2**31
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    yaml.dump(document, text)
    return text.getvalue().encode()


def load(text: bytes) -> dict[str, Any]:
    """The file as plain values. ComposeFileBroken says what is wrong and where."""
    if len(text) > LARGEST_FILE:
        raise ComposeFileBroken(f"it is larger than {LARGEST_FILE} bytes", line=1)
    try:
        document = parsed(text.decode(), DEEPEST_NESTING)
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise ComposeFileBroken(f"line {line}: it is not UTF-8", line=line) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ComposeFileBroken(
            f"line {line}: {error.problem or error.context or 'it is no YAML'}", line=line
        ) from None
    except (YAMLError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ComposeFileBroken(f"it cannot be read as YAML: {reason}", line=1) from None
    if not isinstance(document, dict):
        raise ComposeFileBroken("line 1: it must be a mapping with a key 'services'", line=1)
    if b"*" in text:
        _refuse_endless(document)
    return document


def _refuse_endless(document: Any) -> None:
    """Aliases can make a few lines stand for any number of values."""
    sizes: dict[int, int] = {}

    def size(value: Any) -> int:
        if not isinstance(value, dict | list):
            return 1
        if id(value) not in sizes:
            sizes[id(value)] = 1 + sum(map(size, value.values() if isinstance(value, dict) else value))
        return sizes[id(value)]

    if size(document) > MOST_VALUES:
        raise ComposeFileBroken(f"with its aliases written out it holds more than {MOST_VALUES} values", line=1)


def flow(items: Sequence[Any]) -> CommentedSeq:
    """A list on one line."""
    sequence = CommentedSeq(items)
    sequence.fa.set_flow_style()
    return sequence
