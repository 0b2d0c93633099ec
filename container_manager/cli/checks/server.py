"""The server: whether it answers on its port, or could."""

import socket

from container_manager.cli.checks.finding import Finding
from container_manager.client import Client, Refused, Unreachable
from container_manager.settings import Address, Settings, local_url

_SECONDS = 10.0


async def port(settings: Settings) -> Finding:
    """Whether the server answers on its port, or could."""
    where = f"port {settings.port}"
    if _free(settings.host, settings.port):
        return Finding("Server", "ok", f"does not run; {where} is free for it")
    address = Address(local_url(settings.host, str(settings.port)), settings.app_user, settings.app_pass)
    try:
        async with Client(address, timeout=_SECONDS) as client:
            health = await client.health()
    except Refused as error:
        return _refused(error, where)
    except Unreachable:
        return Finding("Server", "fail", f"something else listens on {where}", "End it, or set PORT to another number")
    return Finding("Server", "ok", f"runs on {where}, {health.get('status')}")


def _refused(error: Refused, where: str) -> Finding:
    if error.status == 401:
        return Finding(
            "Server", "warn", f"runs on {where}, with another password", "Set APP_USER and APP_PASS as it has them"
        )
    if error.status == 503:
        return Finding(
            "Server", "warn", f"runs on {where}, without an engine", "It goes on by itself once that answers"
        )
    if error.code:
        return Finding("Server", "warn", f"runs on {where}: {error.message}")
    return Finding("Server", "fail", f"something else listens on {where}", "End it, or set PORT to another number")


def _free(host: str, number: int) -> bool:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen()
    except OSError:
        return False
    return True
