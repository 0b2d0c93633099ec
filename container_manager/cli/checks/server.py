"""The server: whether it answers on its port, or could."""

import os
import socket
from dataclasses import replace
from pathlib import Path

from container_manager.cli.checks.finding import Finding
from container_manager.client import Client, Refused, Unreachable
from container_manager.settings import Address, Settings, SettingsError

_SECONDS = 10.0


async def port(settings: Settings) -> Finding:
    """Whether the server answers on its port, or could."""
    where = f"port {settings.port}"
    if _free(settings.host, settings.port):
        return Finding("Server", "ok", f"does not run; {where} is free for it")
    try:
        address = Address.load()
    except SettingsError:
        return Finding(
            "Server", "warn", f"something listens on {where}", "Set APP_PASS, then it can be asked who it is"
        )
    try:
        async with Client(replace(address, url=_local(settings)), timeout=_SECONDS) as client:
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


def _local(settings: Settings) -> str:
    given = {"HOST": settings.host, "PORT": str(settings.port), "APP_PASS": settings.app_pass}
    return Address.load(given, Path(os.devnull)).url
