"""The command line's grammar, its help and its examples."""

import argparse
import textwrap
from collections.abc import Sequence

from container_manager import __version__
from container_manager.cli import containers, doctor, files, inside, lifecycle, run, serve
from container_manager.cli.command import Command

PROGRAM = "container-manager"

COMMANDS: tuple[Command, ...] = (
    *run.COMMANDS,
    *containers.COMMANDS,
    *lifecycle.COMMANDS,
    *inside.COMMANDS,
    *files.COMMANDS,
    *serve.COMMANDS,
    *doctor.COMMANDS,
)

_ABOUT = """\
Run programs in containers at an API call.

CONTAINER is a container's name, its cuid, or the beginning of that. Which server is asked, and as whom,
is read from the environment, then from .env in this directory: CONTAINER_MANAGER_URL, or else HOST and
PORT, with APP_USER and APP_PASS.
"""

_FIRST_STEPS = """\
First steps:
  container-manager serve                     the server; leave it running and open a second terminal
  container-manager run ./my-app --name hello a directory with a boot.py in it, and what it prints
  container-manager shell hello               look around inside
  container-manager rm --force hello          away with it

'container-manager COMMAND --help' shows a command's options, with examples.
Exit codes: 0 done, 1 failed, 2 wrong use, 3 not found, 4 not in this state, 5 no answer, 6 not allowed."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """`arguments` as a namespace whose `run` is the command's function. No arguments mean `serve`."""
    return _parser().parse_args(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} COMMAND …",
        description=f"{_ABOUT}\n{_overview()}",
        epilog=_FIRST_STEPS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    # The overview lists the commands in groups, which argparse cannot.
    words = parser.add_subparsers(prog=PROGRAM, metavar="COMMAND", help=argparse.SUPPRESS)
    for command in COMMANDS:
        _add(words, command)
    parser.set_defaults(run=serve.run)
    return parser


def _overview() -> str:
    lines: list[str] = []
    for group in dict.fromkeys(command.group for command in COMMANDS):
        lines.append(f"{group}:")
        lines += [f"  {command.name:<10} {command.summary}" for command in COMMANDS if command.group == group]
        lines.append("")
    return "\n".join(lines)


def _add(words: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Command) -> None:
    examples = textwrap.indent(command.examples, "  ")
    parser = words.add_parser(
        command.name,
        description=f"{command.summary[0].upper()}{command.summary[1:]}.\n\n{command.about}".rstrip(),
        epilog=f"Examples:\n{examples}" if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.arguments(parser)
    if command.json:
        parser.add_argument("--json", action="store_true", help="print the answer as JSON, for programs")
    parser.set_defaults(run=command.run)
