"""What every schema of a request is built on."""

from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

T = TypeVar("T")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""For `Annotated[int, …, WHOLE]` in a body: takes 80.0 for 80, which is the same to JSON. Stands last."""


class Body(BaseModel):
    """A JSON body: no key that is not declared, no "1" for 1."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    may_hold_nul: ClassVar[frozenset[str]] = frozenset()
    """Top-level fields whose text may hold NUL characters: file contents, standard input."""


class Query(BaseModel):
    """The query string: every value is text and is read as its field's type."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """What a handler returns."""

    model_config = ConfigDict(frozen=True)


def fault(code: str, message: str) -> PydanticCustomError:
    """For validators to raise: a fault with a `code` of its own, in SCREAMING_SNAKE."""
    return PydanticCustomError(code, "{message}", {"message": message})


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Commas = Annotated[tuple[T, ...], BeforeValidator(_split)]
"""A query parameter that is a list: `Commas[Status]` reads "running,paused"."""
