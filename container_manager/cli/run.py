"""`run`: a directory becomes a running container in one step."""

import argparse
from contextlib import suppress
from pathlib import Path

from container_manager.cli import exits, output
from container_manager.cli.command import Command, talking
from container_manager.cli.files import archive_of, send, source_arguments
from container_manager.cli.inside import print_logs
from container_manager.cli.lifecycle import start_patiently
from container_manager.cli.options import DEFAULT_IMAGE, creation, creation_arguments
from container_manager.client import Client, ClientError


def _arguments(parser: argparse.ArgumentParser) -> None:
    source_arguments(parser)
    creation_arguments(parser)
    parser.add_argument("--image", default=DEFAULT_IMAGE, help=f"by default {DEFAULT_IMAGE}")
    parser.add_argument("-d", "--detach", action="store_true", help="do not wait for its output")


def _run(arguments: argparse.Namespace) -> int:
    with archive_of(arguments) as archive:
        return talking(lambda client, given: _deploy(client, given, archive))(arguments)


async def _deploy(client: Client, arguments: argparse.Namespace, archive: Path) -> int:
    container = await client.create(arguments.image, **creation(arguments))
    cuid = container["cuid"]
    name = container["name"] or cuid
    try:
        await send(client, cuid, archive)
        with output.waiting(f"start {name}"):
            await start_patiently(client, cuid)
    except BaseException:
        # Nobody asked for a container that does not run; what is wrong is told, and the next try is clean.
        with suppress(ClientError):
            await client.delete(cuid, force=True)
        raise
    if arguments.detach:
        print(cuid)
        return exits.DONE
    output.note(f"{name} runs. Ctrl+C leaves it running; 'container-manager rm -f {name}' removes it")
    await print_logs(client, cuid, argparse.Namespace(tail="all", follow=True, since=None, timestamps=False))
    state = await client.status(cuid)
    return int(state["exit_code"] or 0)


COMMANDS = (
    Command(
        "run",
        "Containers",
        "create, upload, start and follow, in one step",
        _run,
        arguments=_arguments,
        about=(
            "The directory needs a boot.py, unless --command says what to run. The exit code is the program's\n"
            "own when it ends while you watch."
        ),
        examples="""\
container-manager run ./my-app --name hello
container-manager run ./my-app -p 8000:8000 -e DEBUG=1 --detach
container-manager run ./site --command 'python -m http.server 8000' -p 8000:8000""",
        json=False,
    ),
)
