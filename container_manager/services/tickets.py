"""Tickets: let a browser open a websocket, once and soon, without its user's password in the URL."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from container_manager.models import Cuid
from container_manager.terminal.viewer import Role

LIFETIME = 30.0
"""Seconds in which a ticket must be used."""

_MOST = 1000
"""Tickets at once; the oldest gives way."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a ticket is good for. `session` None: for a new session."""

    cuid: Cuid
    role: Role
    session: str | None
    user: str
    until: float


class Tickets:
    """Those that were issued and not used, in memory alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._issued: OrderedDict[str, Grant] = OrderedDict()
        self._redeemed: OrderedDict[str, Grant] = OrderedDict()

    def issue(self, cuid: Cuid, role: Role, session: str | None, user: str) -> str:
        """A new ticket."""
        ticket = secrets.token_urlsafe(32)
        self._issued[ticket] = Grant(cuid, role, session, user, self._clock() + LIFETIME)
        while len(self._issued) > _MOST:
            self._issued.popitem(last=False)
        return ticket

    def redeem(self, ticket: str, cuid: str) -> str | None:
        """The user that `ticket` stands for at `cuid`; None when it is wrong, used or too old. Uses it up."""
        grant = self._issued.pop(ticket, None)
        if grant is None or grant.cuid != cuid or grant.until < self._clock():
            return None
        self._redeemed[ticket] = grant
        while len(self._redeemed) > _MOST:
            self._redeemed.popitem(last=False)
        return grant.user

    def take(self, ticket: str | None) -> Grant | None:
        """What a ticket grants that was just redeemed; None when the client came with its password."""
        return None if ticket is None else self._redeemed.pop(ticket, None)
