"""What a request may reach: the services of the application, and what is known of the request itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from aiohttp import web

from container_manager.errors import AppError
from container_manager.models import Actor, Layout
from container_manager.settings import Settings

if TYPE_CHECKING:
    from asyncio import Task

    from container_manager.api.metrics import Metrics
    from container_manager.api.mutation import Mutations
    from container_manager.api.route import Route
    from container_manager.api.views import Views
    from container_manager.audit import Audit
    from container_manager.engine.engine import Engine
    from container_manager.services.accounts import Accounts
    from container_manager.services.commands import Commands
    from container_manager.services.configuration import Configuration
    from container_manager.services.events import Events
    from container_manager.services.files import Files
    from container_manager.services.guest_files import GuestFiles
    from container_manager.services.images import Images
    from container_manager.services.lifecycle import Lifecycle
    from container_manager.services.lifetimes import Lifetimes
    from container_manager.services.terminals import Terminals
    from container_manager.services.usage import Usage
    from container_manager.store.mounts import Mounts
    from container_manager.store.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that handlers use, built once by `app.py`."""

    settings: Settings
    layout: Layout
    engine: "Engine"
    registry: "Registry"
    mounts: "Mounts"
    images: "Images"
    lifecycle: "Lifecycle"
    configuration: "Configuration"
    commands: "Commands"
    accounts: "Accounts"
    guest_files: "GuestFiles"
    files: "Files"
    terminals: "Terminals"
    lifetimes: "Lifetimes"
    events: "Events"
    usage: "Usage"
    audit: "Audit"
    views: "Views"
    metrics: "Metrics"
    mutations: "Mutations"
    redeem_ticket: Callable[[str, str], str | None] = field(default=lambda ticket, cuid: None)
    """The user that a websocket ticket stands for, with the cuid it must be bound to; None refuses it."""

    arrived: Callable[[], None] = field(default=lambda: None)
    """Called in the task of each change before anything else: from then on it has its place in the engine's queue."""

    used: Callable[[str], None] = field(default=lambda cuid: None)
    """Told the cuid of every request that was answered: its container is in use."""


SERVICES = web.AppKey("services", Services)


class AuditDetails(TypedDict, total=False):
    """All that a request's audit line may tell in `details`. No env value, content or secret is among it."""

    name: str
    image: str
    changed: bool
    applied: str
    fields: list[str]
    ports: list[str]
    force: bool
    keep_files: bool
    path: str
    target: str
    mode: str
    files: int
    bytes: int
    upload: str
    session: str
    role: str
    recording: str
    exit_code: int
    user: str
    timed_out: bool
    client_left: bool


@dataclass(slots=True)
class Exchange:
    """One request and its answer, for the middlewares and the audit line. `started` is monotonic seconds."""

    request_id: str
    started: float
    actor: Actor
    route: "Route | None" = None
    cuid: str | None = None
    error: AppError | None = None
    details: dict[str, Any] = field(default_factory=dict)
    answer: web.StreamResponse | None = None
    """The answer whose head is already sent: nothing else can be sent then."""
    task: "Task[Any] | None" = None
    """The change that runs on although the client may leave."""


EXCHANGE = web.RequestKey("exchange", Exchange)


def services_of(request: web.Request) -> Services:
    """The services of the application that got `request`."""
    return request.app[SERVICES]


def note(request: web.Request, *, cuid: str | None = None, **details: Unpack[AuditDetails]) -> None:
    """Add to the request's audit line: which container it was about, and details from the allow-list."""
    exchange = request[EXCHANGE]
    if cuid is not None:
        exchange.cuid = cuid
    exchange.details.update({key: value for key, value in details.items() if key in AuditDetails.__annotations__})
