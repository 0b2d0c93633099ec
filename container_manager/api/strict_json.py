"""JSON from anyone: every way in which it may be wrong is a fault, none an exception."""

import json
from typing import Any, NoReturn

MAX_DEPTH = 32


class BadJson(ValueError):
    """What is wrong, and its `code`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse(raw: bytes) -> Any:
    """The value of a JSON text in UTF-8. Raises BadJson, and nothing else."""
    try:
        value = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_constant)
    except BadJson:
        raise
    except UnicodeDecodeError as error:
        raise BadJson("BAD_JSON", f"The body is not UTF-8 (at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise BadJson("BAD_JSON", f"The body is not JSON: {error.msg} (line {error.lineno})") from None
    except RecursionError:
        raise BadJson("BAD_JSON", f"The body is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        # Python converts no integer of more than 4,300 digits.
        raise BadJson("BAD_JSON", "The body holds a number with too many digits") from None
    _check(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadJson("DUPLICATE_FIELD", f"{shown(twice)} stands twice in one object")
    return value


def _constant(name: str) -> NoReturn:
    raise BadJson("BAD_JSON", f"{name} is not JSON")


def _check(value: Any) -> None:
    """Refuse depth and text that is no Unicode; without recursion."""
    rest = [(value, 1)]
    while rest:
        item, depth = rest.pop()
        if depth > MAX_DEPTH:
            raise BadJson("BAD_JSON", f"The body is nested deeper than {MAX_DEPTH} levels")
        if isinstance(item, str):
            if not is_unicode(item):
                raise BadJson("BAD_TEXT", "The body holds half of a surrogate pair, which is no character")
        elif isinstance(item, dict):
            rest.extend((part, depth + 1) for pair in item.items() for part in pair)
        elif isinstance(item, list):
            rest.extend((part, depth + 1) for part in item)


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8: it has no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(text: str) -> str:
    """A name from a request, short enough for a message."""
    return json.dumps(text if len(text) <= 64 else text[:64] + "…")


def nul_paths(value: Any) -> list[tuple[str | int, ...]]:
    """Where a parsed `value` holds a NUL character, names of fields included."""
    found: list[tuple[str | int, ...]] = []
    rest: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while rest:
        path, item = rest.pop()
        if isinstance(item, str) and "\0" in item:
            found.append(path)
        elif isinstance(item, dict):
            found.extend(path for name in item if "\0" in name)
            rest.extend(((*path, name), part) for name, part in item.items())
        elif isinstance(item, list):
            rest.extend(((*path, index), part) for index, part in enumerate(item))
    return found
