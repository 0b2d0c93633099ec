"""Who asks: HTTP Basic, compared in constant time, and wrong ones slowed for each address."""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from aiohttp import web

from container_manager.api.context import EXCHANGE, SERVICES
from container_manager.errors import TooManyAttempts, Unauthenticated
from container_manager.models import Actor
from container_manager.settings import Settings

WINDOW = 60.0
"""Seconds that a wrong attempt counts."""
MOST_ADDRESSES = 10_000


class Attempts:
    """Wrong credentials of the last minute for each address, in bounded memory."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def failed(self, address: str) -> float | None:
        """Count a wrong attempt. Seconds to wait when there were too many already, else None."""
        if not self._limit:
            return None
        source = _source(address)
        wrong = self._wrong.setdefault(source, deque())
        self._wrong.move_to_end(source)
        if len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)
        moment = self._clock()
        while wrong and wrong[0] <= moment - WINDOW:
            wrong.popleft()
        if len(wrong) >= self._limit:
            return wrong[0] + WINDOW - moment
        wrong.append(moment)
        return None


def _source(address: str) -> str:
    """IPv6 clients own a whole /64, so that it counts as one address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))


class Credentials:
    """The one account."""

    def __init__(self, settings: Settings) -> None:
        self.user = settings.app_user
        self._digest = _digest(f"{settings.app_user}:{settings.app_pass}".encode())

    def match(self, header: str) -> bool:
        """Whether an Authorization header is right. Everything malformed is simply wrong."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(token.strip().encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError, ValueError):
            return False
        # Digests have one length: nothing is told about that of the password.
        return hmac.compare_digest(_digest(given), self._digest)


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


CREDENTIALS = web.AppKey("credentials", Credentials)
ATTEMPTS = web.AppKey("attempts", Attempts)


@web.middleware
async def authenticated(request: web.Request, handler: Any) -> web.StreamResponse:
    """Let nobody in without credentials, but for the routes that are open."""
    exchange = request[EXCHANGE]
    route = exchange.route
    if route is None or not route.open:
        exchange.actor = Actor(_user_of(request), exchange.actor.remote)
    response: web.StreamResponse = await handler(request)
    return response


def _user_of(request: web.Request) -> str:
    """The authenticated user. Raises Unauthenticated or TooManyAttempts."""
    given = request.headers.getall("Authorization", ())
    route, ticket = request[EXCHANGE].route, request.query.get("ticket")
    if route is not None and route.ticket and ticket:
        # First, because browsers send the credentials that they know along: the ticket is used up all the same.
        user = request.app[SERVICES].redeem_ticket(ticket, request.match_info.get("cuid", ""))
        if user is not None:
            return user
    elif not given:
        # Browsers ask without credentials first: that is no attempt.
        raise Unauthenticated("This needs credentials: HTTP Basic, as APP_USER and APP_PASS say")
    if len(given) == 1 and request.app[CREDENTIALS].match(given[0]):
        return request.app[CREDENTIALS].user
    wait = request.app[ATTEMPTS].failed(request[EXCHANGE].actor.remote)
    if wait is not None:
        seconds = max(1, math.ceil(wait))
        raise TooManyAttempts(f"Too many wrong credentials; try again in {seconds} s", retry_after=seconds)
    raise Unauthenticated("Wrong user name or password" if given else "Wrong ticket, used or too old")
