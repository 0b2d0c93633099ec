"""Values of options, as argparse types: a wrong one is told before anything is asked of the server."""

import argparse
import re
from typing import Any

_PORT = re.compile(
    r"(?:(?P<ip>\[[0-9a-fA-F:]+\]|[0-9.]+):)?(?P<host>\d{1,5}):(?P<container>\d{1,5})(?:/(?P<protocol>tcp|udp|sctp))?"
)


def port(text: str) -> dict[str, Any]:
    """ "[IP:]HOST:CONTAINER[/PROTOCOL]" as the API's object."""
    match = _PORT.fullmatch(text)
    if match is None or not all(int(match[key]) <= 65535 for key in ("host", "container")):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no port; write HOST:CONTAINER, for example 8080:80 or 5353:53/udp"
        )
    found: dict[str, Any] = {
        "host": int(match["host"]),
        "container": int(match["container"]),
        "protocol": match["protocol"] or "tcp",
    }
    if match["ip"]:
        found["host_ip"] = match["ip"].strip("[]")
    return found


def variable(text: str) -> tuple[str, str]:
    """ "NAME=VALUE" as a pair; the value may hold any character."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is no variable; write NAME=VALUE")
    return name, value


def seconds(text: str) -> int:
    """ "90", "30m", "8h" or "2d" as seconds."""
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write for example 90s, 30m, 8h or 2d")
    return int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]
