"""From pydantic's errors to the faults that a client reads: {field, code, message, provided}."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic import ValidationError as PydanticError

from container_manager.api.strict_json import shown

Fault = dict[str, Any]
Path = tuple[str | int, ...]

MOST_FAULTS = 100
_SECRET = re.compile(r"pass|secret|token|ticket|key|auth|^env|^content$|^stdin$", re.IGNORECASE)
_LONGEST = 200


def fault(path: Path, code: str, message: str, provided: Any = None) -> Fault:
    """One fault in the field at `path`, its value left out where it may be a secret."""
    return {"field": name_of(path), "code": code, "message": message, "provided": _safe(path, provided)}


def name_of(path: Path) -> str | None:
    """A path as clients write it: `ports.0.host`. None is the whole body."""
    return ".".join(str(part)[:_LONGEST] for part in path) or None


def faults_of(error: PydanticError, data: Any, model: type[BaseModel]) -> list[Fault]:
    """Every fault that pydantic found in `data`, one for each field."""
    found: dict[str | None, Fault] = {}
    for entry in error.errors(include_url=False, include_context=False)[:MOST_FAULTS]:
        path = _path(entry["loc"], data)
        one = _fault(path, entry["type"], entry["msg"], entry["input"], model)
        known = found.setdefault(one["field"], one)
        # A union tells once for each of its members.
        if known is not one and one["message"] not in known["message"]:
            known["message"] += ", or " + one["message"].removeprefix(f"{one['field']} ")
    return list(found.values())


def _fault(path: Path, kind: str, message: str, provided: Any, model: type[BaseModel]) -> Fault:
    name = name_of(path)
    if kind == "missing":
        last = next((str(part) for part in reversed(path) if isinstance(part, str)), "field")
        return fault(path, f"MISSING_{_code(last)}", f"{last.replace('_', ' ').capitalize()} is required")
    if kind == "extra_forbidden":
        # What an unknown name means is unknown too: its value may be a secret.
        known = ", ".join(sorted(model.model_fields)) if len(path) == 1 else ""
        hint = f"; known are: {known}" if known else ""
        return fault(path, "UNKNOWN_FIELD", f"Unknown field {shown(name or '')}{hint}")
    text = message.removeprefix("Value error, ")
    if text.startswith("Input "):
        text = f"{name or 'The body'} {text.removeprefix('Input ')}"
    elif name and not kind.isupper() and name not in text:
        text = f"{name}: {text}"
    # Only our own validators (schemas.base.fault) raise a kind in capitals, with a message of their own.
    return fault(path, kind if kind.isupper() else "INVALID_VALUE", text, provided)


def _path(location: Sequence[str | int], data: Any) -> Path:
    """`location` without the names of union members and validators, which no client has written."""
    path: list[str | int] = []
    for index, part in enumerate(location):
        if isinstance(data, Mapping):
            if part in data:
                data = data[part]
            elif index < len(location) - 1 or part == "[key]":
                continue
        elif isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        path.append(part)
    return tuple(path)


def _code(name: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", name.upper())[:64]


def _safe(path: Path, value: Any) -> Any:
    """`value` as it may stand in an answer: no secret, no bulk."""
    if value is None or any(isinstance(part, str) and _SECRET.search(part) for part in path):
        return None
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
    if isinstance(value, bool | int | float):
        return value if abs(value) < 2**53 else str(value)[:_LONGEST]
    # Of objects and lists only the kind: what is in them may be secret or huge.
    return "object" if isinstance(value, Mapping) else "list"
