"""X-Request-ID: the client's own when it is a UUID, else a new one."""

import random
import time
import uuid
from contextvars import ContextVar
from typing import Any

from aiohttp import web

from container_manager.api.context import EXCHANGE, SERVICES, Exchange
from container_manager.api.remote import client_address
from container_manager.models import Actor

HEADER = "X-Request-ID"

current: ContextVar[str] = ContextVar("request_id", default="-")
"""The request that the running task belongs to, for the server's own log."""


def request_id_of(headers: Any) -> str:
    """The valid UUID that `headers` carry, or a fresh one."""
    given = headers.get(HEADER, "")
    # uuid.UUID also takes braces, "urn:uuid:" and missing dashes: only the usual text form is kept.
    if len(given) == 36:
        try:
            if str(uuid.UUID(given)) == given.lower():
                return str(given)
        except ValueError:
            pass
    # It is a name, not a secret: no system call for each request.
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


@web.middleware
async def identified(request: web.Request, handler: Any) -> web.StreamResponse:
    """Begin the exchange: everything after this may read `request[EXCHANGE]`."""
    request_id = request_id_of(request.headers)
    current.set(request_id)
    remote = client_address(request, request.app[SERVICES].settings.trusted_proxies)
    request[EXCHANGE] = Exchange(request_id, time.monotonic(), Actor("", remote))
    response: web.StreamResponse = await handler(request)
    return response
