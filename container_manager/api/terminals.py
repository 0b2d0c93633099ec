"""Terminals: `/ws/{cuid}`, sessions, and tickets for browsers."""

from collections import Counter

from aiohttp import web

from container_manager.api.answers import json_response
from container_manager.api.context import EXCHANGE, SERVICES, note, services_of
from container_manager.api.recordings import RECORDING_ROUTES
from container_manager.api.route import Route
from container_manager.api.schemas.terminals import (
    ConnectQuery,
    EndedView,
    OpenSession,
    SessionsView,
    SessionView,
    TicketBody,
    TicketView,
)
from container_manager.api.websocket import Socket, serve
from container_manager.errors import (
    ContainerNotFound,
    LimitReached,
    NotRunning,
    RoleRefused,
    SessionNotFound,
    ValidationError,
)
from container_manager.models import Cuid, parse_cuid
from container_manager.services.terminals import Terminals
from container_manager.services.tickets import LIFETIME
from container_manager.terminal.session import Session
from container_manager.terminal.viewer import Viewer


async def connect(request: web.Request, *, cuid: Cuid, query: ConnectQuery) -> web.StreamResponse:
    """Attach to a session, or open one, over a websocket."""
    terminals, exchange = services_of(request).terminals, request[EXCHANGE]
    grant = terminals.tickets.take(request.query.get("ticket"))
    role = query.role or (grant.role if grant is not None else "owner")
    if query.session is not None:
        session = terminals.joinable(cuid, query.session, role, grant)
        socket = Socket(request, exchange.request_id)
    else:
        if role != "owner":
            raise ValidationError.field("role", "Without a session there is nobody to help or observe", role)
        terminals.require(cuid, query.opening(), grant)
        socket = Socket(request, exchange.request_id)
        session = await terminals.open(cuid, query.opening(), exchange.actor, exchange.request_id)
    note(request, session=session.plan.sid, role=role)
    response = await socket.open(session)
    await serve(socket, session, Viewer(socket, role, query.size, joined=query.session is not None))
    return response


async def list_sessions(request: web.Request, *, cuid: Cuid) -> SessionsView:
    """The live ones."""
    terminals = services_of(request).terminals
    return SessionsView(sessions=[_session(terminals, session) for session in terminals.of(cuid)])


async def open_session(request: web.Request, *, cuid: Cuid, body: OpenSession) -> web.Response:
    """Open one that outlives its connections."""
    terminals, exchange = services_of(request).terminals, request[EXCHANGE]
    session = await terminals.open(cuid, body.opening(), exchange.actor, exchange.request_id)
    note(request, session=session.plan.sid)
    location = f"/containers/{cuid}/sessions/{session.plan.sid}"
    return json_response(_session(terminals, session), status=201, headers={"Location": location})


async def get_session(request: web.Request, *, cuid: Cuid, sid: str) -> SessionView:
    """One of them."""
    terminals = services_of(request).terminals
    return _session(terminals, terminals.get(cuid, sid))


async def end_session(request: web.Request, *, cuid: Cuid, sid: str) -> EndedView:
    """End it, and every process that it started."""
    services_of(request).terminals.end(cuid, sid)
    note(request, session=sid)
    return EndedView(sid=sid)


def _session(terminals: Terminals, session: Session) -> SessionView:
    plan = session.plan
    return SessionView(
        sid=plan.sid,
        cuid=plan.cuid,
        mode=plan.mode,
        user=plan.user,
        created_at=session.created_at,
        cols=session.size.cols,
        rows=session.size.rows,
        viewers=dict(Counter(viewer.role for viewer in session.audience.viewers)),
        recording=terminals.recorded_as(session),
    )


async def issue_ticket(request: web.Request, *, body: TicketBody) -> web.Response:
    """Let the page open one websocket without its user's password."""
    terminals = services_of(request).terminals
    cuid = parse_cuid(body.cuid)
    if cuid is None:
        raise ContainerNotFound(body.cuid[:200])
    ticket = terminals.issue_ticket(cuid, body.role, body.session, request[EXCHANGE].actor.user)
    note(request, cuid=cuid, role=body.role)
    view = TicketView(ticket=ticket, expires_in=LIFETIME, cuid=cuid, session=body.session, role=body.role)
    return json_response(view, status=201)


async def hang_up(app: web.Application) -> None:
    """Close every terminal when the server ends: before it waits for its other requests."""
    app[SERVICES].terminals.shut_down()


TERMINAL_ROUTES = [
    Route(
        "GET",
        "/ws/{cuid}",
        connect,
        "terminal.connect",
        "A terminal, or an app's output, over a websocket",
        query=ConnectQuery,
        returns=None,
        status=101,
        errors=(ContainerNotFound, NotRunning, SessionNotFound, LimitReached, RoleRefused),
        websocket=True,
        ticket=True,
        detached=False,
        description="The frames are described in docs/terminal.md.",
        tag="terminals",
    ),
    Route(
        "GET",
        "/containers/{cuid}/sessions",
        list_sessions,
        "session.list",
        "The live sessions of a container",
        returns=SessionsView,
        errors=(ContainerNotFound,),
        tag="terminals",
    ),
    Route(
        "POST",
        "/containers/{cuid}/sessions",
        open_session,
        "session.open",
        "Open a session that outlives its connections",
        body=OpenSession,
        returns=SessionView,
        status=201,
        headers={"Location": "The session"},
        errors=(ContainerNotFound, NotRunning, LimitReached),
        tag="terminals",
    ),
    Route(
        "GET",
        "/containers/{cuid}/sessions/{sid}",
        get_session,
        "session.get",
        "One live session",
        returns=SessionView,
        errors=(ContainerNotFound, SessionNotFound),
        tag="terminals",
    ),
    Route(
        "DELETE",
        "/containers/{cuid}/sessions/{sid}",
        end_session,
        "session.end",
        "End a session",
        returns=EndedView,
        errors=(ContainerNotFound, SessionNotFound),
        tag="terminals",
    ),
    Route(
        "POST",
        "/ws-tickets",
        issue_ticket,
        "ticket.issue",
        "A ticket that opens one websocket, once and soon",
        body=TicketBody,
        returns=TicketView,
        status=201,
        errors=(ContainerNotFound, SessionNotFound),
        tag="terminals",
    ),
    *RECORDING_ROUTES,
]
