"""`logs` and `exec`: what a container says, and a command in it."""

import argparse
import shlex
import sys
from typing import Literal

from container_manager.cli import exits, output
from container_manager.cli.command import Command, talking
from container_manager.cli.naming import find
from container_manager.cli.options import one_container
from container_manager.cli.shell import attach
from container_manager.cli.values import variable
from container_manager.client import Client


async def print_logs(client: Client, cuid: str, arguments: argparse.Namespace) -> None:
    """A container's output on standard output, as it comes."""
    async for piece in client.logs(
        cuid,
        tail=arguments.tail,
        follow=arguments.follow,
        since=arguments.since,
        timestamps=arguments.timestamps,
    ):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def _lines(text: str) -> int | Literal["all"]:
    """ "100" or "all"."""
    return "all" if text == "all" else int(text)


def _logs_arguments(parser: argparse.ArgumentParser) -> None:
    one_container(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the container ends, or Ctrl+C")
    parser.add_argument(
        "-n", "--tail", type=_lines, default=100, metavar="N", help="the last lines; by default 100; or all"
    )
    parser.add_argument("--since", metavar="WHEN", help="only what is newer: 2026-01-31T12:00:00Z, or 10m")
    parser.add_argument("--timestamps", action="store_true", help="begin each line with its time")


async def _logs(client: Client, arguments: argparse.Namespace) -> int:
    await print_logs(client, await find(client, arguments.container), arguments)
    return exits.DONE


# --- exec -----------------------------------------------------------------------------------------


def _exec_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-u", "--user", help="run as this user")
    parser.add_argument("-w", "--workdir", metavar="DIR", help="run in this directory")
    parser.add_argument(
        "-e", "--env", type=variable, action="append", metavar="NAME=VALUE", help="set a variable; may be given again"
    )
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="end it after this long")
    parser.add_argument("-i", "--stdin", action="store_true", help="give it this command's standard input")
    parser.add_argument("-t", "--terminal", action="store_true", help="run it in a terminal: for editors, REPLs, top")
    one_container(parser)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND …", help="the command and its arguments")


async def _exec(client: Client, arguments: argparse.Namespace) -> int:
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise exits.Stop("No command. Write for example: container-manager exec NAME ls -l", exits.WRONG_USE)
    cuid = await find(client, arguments.container)
    if arguments.terminal:
        return await attach(client, cuid, cmd=shlex.join(command), tty=1)
    ran = await client.exec(
        cuid,
        command,
        user=arguments.user,
        workdir=arguments.workdir,
        env=dict(arguments.env) if arguments.env else None,
        stdin=sys.stdin.read() if arguments.stdin else None,
        timeout=arguments.timeout,
    )
    if arguments.json:
        output.print_json(
            {
                "exit_code": ran.exit_code,
                "stdout": ran.stdout.decode(errors="replace"),
                "stderr": ran.stderr.decode(errors="replace"),
                "duration_ms": round(ran.duration * 1000),
            }
        )
        return exits.DONE
    sys.stdout.buffer.write(ran.stdout)
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(ran.stderr)
    sys.stderr.buffer.flush()
    return ran.exit_code


# --- shell, sessions ------------------------------------------------------------------------------


def _shell_arguments(parser: argparse.ArgumentParser) -> None:
    one_container(parser)
    parser.add_argument("--session", metavar="ID", help="join a session that is there; 'sessions' lists them")
    parser.add_argument("--watch", action="store_true", help="with --session: look, and type nothing")


async def _shell(client: Client, arguments: argparse.Namespace) -> int:
    if arguments.watch and not arguments.session:
        raise exits.Stop("--watch needs --session: 'container-manager sessions NAME' lists them", exits.WRONG_USE)
    cuid = await find(client, arguments.container)
    if not arguments.session:
        return await attach(client, cuid, mode="shell")
    role = "observer" if arguments.watch else "helper"
    return await attach(client, cuid, watch=arguments.watch, session=arguments.session, role=role)


async def _sessions(client: Client, arguments: argparse.Namespace) -> int:
    sessions = await client.sessions(await find(client, arguments.container))
    if arguments.json:
        output.print_json(sessions)
    elif sessions:
        output.print_table(
            ("ID", "RUNS", "BY", "SIZE", "WHO LOOKS", "RECORDED", "OPENED"),
            (
                (
                    session["sid"],
                    session["mode"],
                    session["user"],
                    f"{session['cols']}x{session['rows']}",
                    ", ".join(f"{count} {role}" for role, count in session["viewers"].items()),
                    "yes" if session["recording"] else "",
                    output.age_text(session["created_at"]),
                )
                for session in sessions
            ),
        )
    else:
        print(f"Nobody has a terminal in {arguments.container}")
    return exits.DONE


COMMANDS = (
    Command(
        "logs",
        "What runs in them",
        "show what a container printed",
        talking(_logs),
        arguments=_logs_arguments,
        examples="""\
container-manager logs hello
container-manager logs -f hello                      # Ctrl+C ends it, not the container
container-manager logs hello -n all --since 10m --timestamps""",
        json=False,
    ),
    Command(
        "shell",
        "What runs in them",
        "open a shell in a running container",
        talking(_shell, refused=exits.CANNOT_RUN),
        arguments=_shell_arguments,
        about="It exits with the shell's exit code. Enter ~ . ends a shell that answers to nothing.",
        examples="""\
container-manager shell hello
container-manager shell hello --session 2cfb4eb0d6854aebb1feb9daffb8823a --watch""",
        json=False,
    ),
    Command(
        "sessions",
        "What runs in them",
        "list the terminals that are open in a container",
        talking(_sessions),
        arguments=one_container,
        examples="container-manager sessions hello",
    ),
    Command(
        "exec",
        "What runs in them",
        "run one command in a running container",
        talking(_exec, refused=exits.CANNOT_RUN),
        arguments=_exec_arguments,
        about=(
            "Options stand before the container's name. It exits with the command's exit code, or with 125 when\n"
            "the command could not be run at all."
        ),
        examples="""\
container-manager exec hello ls -l /app
container-manager exec -u root -w /tmp hello sh -c 'echo $PWD'
echo 'print(6 * 7)' | container-manager exec -i hello python3 -
container-manager exec -t hello python3              # a terminal of its own""",
    ),
)
