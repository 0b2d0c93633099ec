"""Arguments and options that several commands share."""

import argparse
from typing import Any

from container_manager.cli.values import port, seconds, variable

DEFAULT_IMAGE = "python:3.12-slim"


def one_container(parser: argparse.ArgumentParser) -> None:
    """The argument that names a container."""
    parser.add_argument("container", metavar="CONTAINER", help="its name, its cuid or the beginning of that")


def some_containers(parser: argparse.ArgumentParser) -> None:
    """The arguments that name containers."""
    parser.add_argument("containers", nargs="+", metavar="CONTAINER", help="names, cuids or beginnings of those")


def configuration_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that `create` and `set` share."""
    parser.add_argument(
        "-e", "--env", type=variable, action="append", metavar="NAME=VALUE", help="set a variable; may be given again"
    )
    parser.add_argument("-t", "--tag", action="append", metavar="TAG", help="a tag; may be given again")
    parser.add_argument(
        "-p", "--port", type=port, action="append", metavar="HOST:CONTAINER", help="publish a port, e.g. 8000:80/tcp"
    )
    parser.add_argument("--cpus", type=float, metavar="N", help="processors it may use, e.g. 0.5")
    parser.add_argument("--memory", metavar="SIZE", help="memory it may use, e.g. 512m")
    parser.add_argument("--pids", type=int, metavar="N", help="processes it may have")
    parser.add_argument("--ttl", type=seconds, metavar="TIME", help="stop it this long after its start, e.g. 8h")
    parser.add_argument("--idle-timeout", type=seconds, metavar="TIME", help="stop it when unused this long, e.g. 30m")


def configuration(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those options as the fields of the API, only what was given."""
    limits = {key: getattr(arguments, key) for key in ("cpus", "memory", "pids")}
    fields: dict[str, Any] = {
        "env": dict(arguments.env or ()),
        "tags": arguments.tag,
        "ports": arguments.port,
        "resources": {key: value for key, value in limits.items() if value is not None},
    }
    found = {key: value for key, value in fields.items() if value}
    # Here 0 is a value: it takes the limit away.
    times = {key: getattr(arguments, key) for key in ("ttl", "idle_timeout")}
    return found | {key: value for key, value in times.items() if value is not None}


def creation_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `create` and `run`."""
    configuration_arguments(parser)
    parser.add_argument("--name", help="a name to use in place of the cuid")
    parser.add_argument("--command", metavar="COMMAND", help="what to run in place of boot.py or the image's command")
    parser.add_argument("--user", metavar="USER", help="user that --command runs as")
    parser.add_argument("--restart", metavar="POLICY", help="no, on-failure, always or unless-stopped")


def creation(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those options as the fields of the API."""
    given = {key: getattr(arguments, key) for key in ("name", "command", "user", "restart")}
    return configuration(arguments) | {key: value for key, value in given.items() if value is not None}
