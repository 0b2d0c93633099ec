"""`doctor`: whether this machine can serve, and what to do where it cannot. Needs no server."""

import argparse
import asyncio

from rich.text import Text

from container_manager.cli import exits, output
from container_manager.cli.command import Command

_SIGNS = {"ok": ("ok", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "bold red")}


def _doctor(arguments: argparse.Namespace) -> int:
    return asyncio.run(_look(arguments))


async def _look(arguments: argparse.Namespace) -> int:
    # Imported here: the checks need the engine's modules, the other commands do not.
    from container_manager.cli.checks import findings

    found = []
    async for finding in findings():
        found.append(finding)
        if not arguments.json:
            sign, style = _SIGNS[finding.level]
            output.console().print(Text(f"{sign:<5}", style), Text(f"{finding.subject:<15}"), Text(finding.text))
            if finding.advice:
                output.console().print(Text(" " * 22 + finding.advice, "dim"))
    failed = sum(finding.level == "fail" for finding in found)
    if arguments.json:
        output.print_json([finding.as_json() for finding in found])
    elif failed:
        output.note(f"\n{failed} of {len(found)} must be put right before the server can work.")
    return exits.FAILED if failed else exits.DONE


COMMANDS = (
    Command(
        "doctor",
        "The server",
        "look at this machine: engine, Compose, folders, ports, …",
        _doctor,
        about="It works without a server. The exit code is 1 when something must be put right.",
        examples="container-manager doctor",
    ),
)
