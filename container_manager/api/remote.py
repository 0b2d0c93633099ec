"""Which address a request comes from, also behind reverse proxies."""

import ipaddress
import re

from aiohttp import web

from container_manager.settings import Network

HEADER = "X-Forwarded-For"

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d+)?|([^:]*):\d+")
"""`[::1]:80`, `[::1]` and `10.0.0.1:80`; an IPv6 address without brackets has no port."""


def client_address(request: web.BaseRequest, trusted: tuple[Network, ...]) -> str:
    """The client's address: the peer's, unless that is a proxy of `trusted`, which tells whom it speaks for.

    Every proxy adds its own peer at the right, and anybody can begin the list: what trusted ones have added counts.
    """
    known = request.remote or ""
    if not trusted:
        return known
    for told in [known, *reversed(",".join(request.headers.getall(HEADER, ())).split(","))]:
        address = _parsed(told)
        if address is None:
            break
        known = str(address)
        if not any(address in network for network in trusted):
            break
    return known


def _parsed(text: str) -> _Address | None:
    text = text.strip().partition("%")[0]
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2] or ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
