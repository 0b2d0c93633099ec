"""`start`, `stop`, `restart`, `pause`, `unpause` and `rm`, for one container or many."""

import argparse
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from container_manager.cli import exits, output
from container_manager.cli.command import Command, exit_code, explain, talking
from container_manager.cli.naming import find
from container_manager.cli.options import some_containers
from container_manager.client import Client, ClientError, Refused

Verb = Literal["start", "stop", "restart", "pause", "unpause"]


async def _each(
    client: Client, arguments: argparse.Namespace, step: Callable[[str, str], Awaitable[dict[str, Any]]]
) -> int:
    """Take `step(name, cuid)` for every container named. One that fails does not stop the others."""
    done: list[dict[str, Any]] = []
    worst = exits.DONE
    for name in arguments.containers:
        try:
            done.append(await step(name, await find(client, name)))
        except ClientError as error:
            output.complain(f"{name}: {explain(error)}")
            worst = worst or exit_code(error)
        except exits.Stop as stop:
            output.complain(stop.message)
            worst = worst or stop.code
    if arguments.json:
        output.print_json(done)
    return worst


async def start_patiently(client: Client, cuid: str) -> dict[str, Any]:
    """Start a container, however long its image takes to be pulled."""
    while True:
        try:
            return await client.start(cuid)
        except Refused as error:
            # The server answers before a client loses patience; the pull itself goes on.
            if error.code != "TIMEOUT" or "image" not in error.details:
                raise


def _lifecycle(verb: Verb, past: str) -> Callable[[Client, argparse.Namespace], Awaitable[int]]:
    async def act(client: Client, arguments: argparse.Namespace) -> int:
        async def step(name: str, cuid: str) -> dict[str, Any]:
            with output.waiting(f"{verb} {name}"):
                answer = await (start_patiently(client, cuid) if verb == "start" else client.act(cuid, verb))
            if not arguments.json:
                print(f"{name} {past}" if answer.get("changed", True) else f"{name} was {past} already")
            return answer

        return await _each(client, arguments, step)

    return act


async def _remove(client: Client, arguments: argparse.Namespace) -> int:
    async def step(name: str, cuid: str) -> dict[str, Any]:
        with output.waiting(f"remove {name}"):
            answer = await client.delete(cuid, force=arguments.force, keep_files=arguments.keep_files)
        if not arguments.json:
            print(f"{name} removed")
        return answer

    return await _each(client, arguments, step)


def _remove_arguments(parser: argparse.ArgumentParser) -> None:
    some_containers(parser)
    parser.add_argument("-f", "--force", action="store_true", help="even when it runs")
    parser.add_argument("--keep-files", action="store_true", help="leave its files on the server's disk")


def _step(verb: Verb, past: str, summary: str, examples: str) -> Command:
    return Command(
        verb, "Containers", summary, talking(_lifecycle(verb, past)), arguments=some_containers, examples=examples
    )


COMMANDS = (
    _step("start", "started", "start containers", "container-manager start hello"),
    _step("stop", "stopped", "stop containers", "container-manager stop hello site"),
    _step("restart", "restarted", "stop and start containers", "container-manager restart hello"),
    _step("pause", "paused", "freeze all processes of containers", "container-manager pause hello"),
    _step("unpause", "unpaused", "let frozen containers go on", "container-manager unpause hello"),
    Command(
        "rm",
        "Containers",
        "remove containers and their files",
        talking(_remove),
        arguments=_remove_arguments,
        examples="container-manager rm hello\ncontainer-manager rm --force --keep-files hello",
    ),
)
