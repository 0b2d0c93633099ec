"""What one route is: the list of these is the whole surface, and the OpenAPI document comes from it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from aiohttp import web
from pydantic import BaseModel

from container_manager.errors import AppError

Surface = Literal["main", "v1"]
Handler = Callable[..., Awaitable[BaseModel | web.StreamResponse | None]]
"""`handler(request, *, <path parameters>, body, query)`: it gets what its Route declares, checked."""

V1_PREFIX = "/api/v1"
READS = frozenset({"GET", "HEAD", "OPTIONS"})
_PARAMETER = re.compile(r"\{(\w+)(?::[^{}]*)?\}")


def surface_of(path: str) -> Surface:
    """Which surface `path` belongs to, whether or not a route has it."""
    return "v1" if path == V1_PREFIX or path.startswith(V1_PREFIX + "/") else "main"


@dataclass(frozen=True, slots=True)
class Media:
    """An answer that is not JSON: its media type, what it holds, and the types it may have instead."""

    type: str
    about: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """A header that the handler reads. `pattern` is what a useful value looks like, for the documentation."""

    name: str
    about: str
    pattern: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path. `action` is its name in the audit log ("container.start")."""

    method: str
    path: str
    handler: Handler
    action: str
    summary: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    returns: type[BaseModel] | Media | None = None
    status: int = 200
    errors: tuple[type[AppError], ...] = ()
    """Beyond those that every route has: `api/openapi.py` adds them."""
    consumes: tuple[str, ...] = ()
    """Media types of a body that the handler reads itself; a JSON body is declared with `body`."""
    body_optional: bool = False
    """With `consumes`: whether the handler can do without a body."""
    also: Mapping[int, str] = field(default_factory=dict)
    """Other statuses of success (206, 304 …) and what each means."""
    reads: tuple[RequestHeader, ...] = ()
    """Headers of the request that say more than those of every request."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the answer that a client may want, and what each says."""
    open: bool = False
    """Whether it is answered without credentials."""
    surface: Surface = "main"
    websocket: bool = False
    ticket: bool = False
    """Whether `?ticket=` may stand in for credentials, as browsers need it for a websocket."""
    detached: bool | None = None
    """Whether it runs on to its end when the client leaves; by default every change does."""
    description: str = ""
    tag: str = ""
    """Its chapter in the documentation; by default the first word of `action`."""

    @property
    def changes(self) -> bool:
        """Whether it may change something, which a page of another site must not ask for."""
        return self.method not in READS

    @property
    def runs_on(self) -> bool:
        """Whether the handler is finished even if the client is gone."""
        return self.changes if self.detached is None else self.detached

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the path's parameters."""
        return _parameters(self.path)

    @property
    def template(self) -> str:
        """The path as OpenAPI and the metrics write it: `{name}` without a pattern."""
        return _template(self.path)


@cache
def _parameters(path: str) -> tuple[str, ...]:
    return tuple(_PARAMETER.findall(path))


@cache
def _template(path: str) -> str:
    return _PARAMETER.sub(r"{\1}", path)
