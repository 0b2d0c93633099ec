"""What one command is, and how those that talk to the server run."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from container_manager.cli import exits
from container_manager.client import Client, ClientError, Refused
from container_manager.settings import Address, SettingsError

Group = Literal["Containers", "What runs in them", "Files", "The server"]
Run = Callable[[argparse.Namespace], int]
Talk = Callable[[Client, argparse.Namespace], Awaitable[int]]

# What to type, where the server's own words cannot know that it is a command line that asks.
_NEXT_STEP = {
    "UNAUTHORIZED": "Set APP_USER and APP_PASS as in the server's .env",
    "CONTAINER_NOT_FOUND": "'container-manager ls' shows those there are",
    "CONTAINER_RUNNING": "Here that is 'container-manager stop', or --force",
    "ENGINE_UNAVAILABLE": "On the server, 'container-manager doctor' says why",
    "FILE_NOT_FOUND": "'container-manager files' shows what is there",
    "IMAGE_NOT_FOUND": "Check its name, or pull it on the server: docker pull IMAGE",
    "NAME_IN_USE": "Choose another --name",
    "NO_SPACE": "Make room on the server's disk",
    "PORT_IN_USE": "Publish another: container-manager set NAME -p HOST:CONTAINER",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A word of the command line. `examples` are whole lines, each with its own comment."""

    name: str
    group: Group
    summary: str
    run: Run
    arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    about: str = ""
    examples: str = ""
    json: bool = True
    """Whether it takes --json."""


def talking(talk: Talk, *, refused: int | None = None) -> Run:
    """A command that talks to the server. `refused`, if given, is its exit code for every error."""

    async def connected(arguments: argparse.Namespace) -> int:
        async with Client(Address.load()) as client:
            return await talk(client, arguments)

    def run(arguments: argparse.Namespace) -> int:
        try:
            return asyncio.run(connected(arguments))
        except SettingsError as error:
            raise exits.Stop(str(error), exits.WRONG_USE) from None
        except ClientError as error:
            raise exits.Stop(explain(error), refused or exit_code(error)) from None

    return run


def explain(error: ClientError) -> str:
    """What went wrong and what to do, as one line."""
    if not isinstance(error, Refused):
        return f"{error.message}. Is it running there? 'container-manager doctor' looks into it"
    faults = error.details.get("errors")
    message = error.message
    if isinstance(faults, list) and len(faults) > 1:
        message = "; ".join(f"{fault.get('field')}: {fault.get('message')}" for fault in faults)
    hint = _NEXT_STEP.get(error.code)
    return f"{message.rstrip('.')}. {hint}" if hint else message


def exit_code(error: ClientError) -> int:
    """The exit code that tells a script what kind of error it was."""
    if not isinstance(error, Refused):
        return exits.UNREACHABLE
    by_status = {
        401: exits.REFUSED,
        403: exits.REFUSED,
        429: exits.REFUSED,
        404: exits.NOT_FOUND,
        409: exits.NOT_NOW,
        422: exits.NOT_NOW,
        408: exits.UNREACHABLE,
        502: exits.UNREACHABLE,
        503: exits.UNREACHABLE,
        504: exits.UNREACHABLE,
    }
    return by_status.get(error.status, exits.FAILED)
