"""Fields of requests about containers, each with its rule."""

import ipaddress
import re
import shlex
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from container_manager.api.schemas.base import WHOLE, fault
from container_manager.models import parse_cuid
from container_manager.settings import parse_size
from container_manager.store.compose_file import OWN_VARIABLES

LONGEST_STRING = 128 * 1024
"""Bytes of one argument or variable that Linux passes to a program (MAX_ARG_STRLEN, execve(2))."""

LARGEST_ENVIRONMENT = 1024 * 1024
"""Bytes of all variables together, well below the 2 MiB that execve(2) has for both kinds."""

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?"
_IMAGE = (
    rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
"""An image reference as the distribution specification writes it."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def _image(value: str) -> str:
    if not re.fullmatch(_IMAGE, value) or len(value) > 400:
        raise fault("INVALID_IMAGE", "Not an image reference; write for example python:3.12-slim")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", value) or parse_cuid(value):
        raise fault("INVALID_NAME", "A name has 1 to 63 letters, digits, '_', '.' and '-', a letter or digit first")
    return value


def _memory(value: str) -> str:
    if not re.fullmatch(r"\d+(?:\.\d+)?[bkmgBKMG]?[bB]?", value):
        raise fault("INVALID_MEMORY", "Not an amount of memory; write for example 512m or 4g")
    size = parse_size(value.lower().removesuffix("b") or "0")
    if not 6 << 20 <= size < 1 << 60:
        raise fault("INVALID_MEMORY", "A container needs at least 6m of memory")
    return value


def _user(value: str) -> str:
    word = r"(?:[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?|\d{1,10})"
    if not re.fullmatch(rf"{word}(?::{word})?", value):
        raise fault("INVALID_USER", "Not a user; write a name, a uid, or uid:gid")
    if any(part.isdigit() and int(part) > 2**31 - 1 for part in value.split(":")):
        raise fault("INVALID_USER", "A uid or gid is at most 2147483647")
    return value


def _restart(value: str) -> str:
    if not re.fullmatch(r"no|always|unless-stopped|on-failure(?::[1-9]\d{0,4})?", value):
        raise fault("INVALID_RESTART", "One of no, always, unless-stopped, on-failure, on-failure:N")
    return value


def _tag(value: str) -> str:
    if not 0 < len(value) <= 128 or "," in value or _UNPRINTABLE.search(value):
        raise fault("INVALID_TAG", "A tag has 1 to 128 characters, no comma, no control character")
    return value


def _address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        address = None
    if address is None or "%" in value:
        raise fault("INVALID_ADDRESS", "Not an IP address; write for example 127.0.0.1")
    return str(address)


def check_environment[V: (str, str | None)](env: dict[str, V]) -> dict[str, V]:
    """Names that a shell could have, none of the server's own, values that Linux can pass on."""
    total = 0
    for name, value in env.items():
        if not _VARIABLE.fullmatch(name):
            raise fault("INVALID_VARIABLE", f"{name!r:.80} is no name of a variable: letters, digits, '_', '.', '-'")
        if name in OWN_VARIABLES:
            raise fault("RESERVED_VARIABLE", f"{name} is set by the server; choose another name")
        size = len(name) + len((value or "").encode("utf-8", "surrogatepass")) + 2
        if size > LONGEST_STRING:
            raise fault("VALUE_TOO_LONG", f"{name} is longer than the {LONGEST_STRING} bytes that Linux passes on")
        total += size
    if total > LARGEST_ENVIRONMENT:
        raise fault("VALUE_TOO_LONG", f"All variables together are over {LARGEST_ENVIRONMENT} bytes")
    return env


def split_command(command: str | list[str]) -> tuple[str, ...]:
    """The words of a command; a string is split as a shell splits it."""
    try:
        words = tuple(shlex.split(command) if isinstance(command, str) else command)
    except ValueError as error:
        raise fault("INVALID_COMMAND", f"The command cannot be split into words: {error}") from None
    if not words or not words[0]:
        raise fault("INVALID_COMMAND", "The command is empty")
    if any(len(word.encode("utf-8", "surrogatepass")) >= LONGEST_STRING for word in words) or len(words) > 4096:
        raise fault("VALUE_TOO_LONG", f"A command has at most 4096 words of {LONGEST_STRING} bytes")
    return words


def _line(value: str) -> str:
    if len(value.encode("utf-8", "surrogatepass")) >= LONGEST_STRING:
        raise fault("VALUE_TOO_LONG", f"A command line has less than {LONGEST_STRING} bytes")
    return value


def _command(value: str | list[str]) -> str | list[str]:
    split_command(value)
    return value


def _documented(*examples: Any, **schema: Any) -> Any:
    """What the OpenAPI document says of a rule that is checked, with a better message, by a function above."""
    return Field(examples=list(examples) or None, json_schema_extra=schema)


_ACCOUNT = r"([A-Za-z_][A-Za-z0-9_.-]{0,31}|\d{1,9})"
_MEMORY = r"(([6-9]|[1-9]\d{1,8})(\.\d{1,3})?[mM]|[1-9]\d{0,8}(\.\d{1,3})?[gG])[bB]?"
_VARIABLES = {"propertyNames": {"pattern": f"^{_VARIABLE.pattern}$", "not": {"enum": list(OWN_VARIABLES)}}}

Image = Annotated[
    str, AfterValidator(_image), _documented("python:3.12-slim", pattern=f"^{_IMAGE}$", minLength=1, maxLength=400)
]
Name = Annotated[str, AfterValidator(_name), _documented("student-7", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Tag = Annotated[
    str,
    AfterValidator(_tag),
    _documented(pattern=r"^[^,\u0000-\u001f\u007f\u0085\u2028\u2029]+$", minLength=1, maxLength=128),
]
Tags = Annotated[list[Tag], Field(max_length=64, examples=[["web", "production"]])]
User = Annotated[str, AfterValidator(_user), _documented("1000:1000", pattern=f"^{_ACCOUNT}(:{_ACCOUNT})?$")]
Restart = Annotated[
    str,
    AfterValidator(_restart),
    _documented("unless-stopped", pattern=r"^(no|always|unless-stopped|on-failure(:[1-9]\d{0,4})?)$"),
]
Memory = Annotated[str, AfterValidator(_memory), _documented("512m", pattern=f"^{_MEMORY}$")]
Address = Annotated[
    str, AfterValidator(_address), _documented("127.0.0.1", anyOf=[{"format": "ipv4"}, {"format": "ipv6"}])
]
Seconds = Annotated[int, Field(ge=0, le=10**9), WHOLE]
Environment = Annotated[
    dict[str, str], AfterValidator(check_environment), Field(max_length=4096, json_schema_extra=_VARIABLES)
]
EnvironmentChanges = Annotated[
    dict[str, str | None], AfterValidator(check_environment), Field(max_length=4096, json_schema_extra=_VARIABLES)
]
Words = Annotated[
    list[str],
    Field(min_length=1, max_length=4096, json_schema_extra={"prefixItems": [{"type": "string", "minLength": 1}]}),
]
CommandLine = Annotated[
    Annotated[str, Field(min_length=1)] | Words, AfterValidator(_command), Field(examples=[["sleep", "300"]])
]
ShellLine = Annotated[
    str, AfterValidator(_line), Field(min_length=1, max_length=LONGEST_STRING - 1, examples=["ls -la /tmp"])
]
"""A line for the container's shell, which alone knows what is wrong in it."""
