"""Whose address counts behind reverse proxies: never one that a client can choose."""

import ipaddress

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from container_manager.api.remote import client_address

TRUSTED = tuple(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "fd00::/8", "127.0.0.1"))


def address(peer: str, *forwarded: str, trusted: bool = True) -> str:
    headers = CIMultiDict(("X-Forwarded-For", text) for text in forwarded)
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)
    return client_address(request, TRUSTED if trusted else ())


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.1.2.3", ["203.0.113.5"], "203.0.113.5"),
        ("10.1.2.3", ["203.0.113.5, 10.9.9.9"], "203.0.113.5"),
        ("10.1.2.3", ["198.51.100.1, 203.0.113.5, 10.9.9.9"], "203.0.113.5"),
        ("10.1.2.3", ["198.51.100.1", "203.0.113.5"], "203.0.113.5"),
        ("fd00::1", ["2001:db8::5"], "2001:db8::5"),
        ("::ffff:10.1.2.3", ["203.0.113.5"], "203.0.113.5"),
        ("10.1.2.3", ["203.0.113.5:4711"], "203.0.113.5"),
        ("10.1.2.3", ["[2001:db8::5]:4711"], "2001:db8::5"),
        ("10.1.2.3", ["[2001:db8::5]"], "2001:db8::5"),
        ("10.1.2.3", ["::ffff:203.0.113.5"], "203.0.113.5"),
    ],
)
def test_a_trusted_proxy_tells_the_clients_address(peer: str, forwarded: list[str], client: str) -> None:
    assert address(peer, *forwarded) == client


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", [""], "10.1.2.3"),
        ("10.1.2.3", ["unknown"], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1, _hidden, 10.9.9.9"], "10.9.9.9"),
        ("10.1.2.3", ["198.51.100.1, 999.1.1.1"], "10.1.2.3"),
        ("10.1.2.3", ["10.5.5.5, 10.9.9.9"], "10.5.5.5"),
        ("", ["203.0.113.5"], ""),
    ],
)
def test_what_nobody_trusted_has_said_does_not_count(peer: str, forwarded: list[str], client: str) -> None:
    assert address(peer, *forwarded) == client


def test_without_trusted_proxies_the_header_is_ignored() -> None:
    assert address("10.1.2.3", "203.0.113.5", trusted=False) == "10.1.2.3"
