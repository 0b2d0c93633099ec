"""`create`, `ls`, `show` and `set`: what containers are."""

import argparse
from typing import Any

from container_manager.cli import exits, output
from container_manager.cli.command import Command, talking
from container_manager.cli.naming import SHORT, find
from container_manager.cli.options import (
    DEFAULT_IMAGE,
    configuration,
    configuration_arguments,
    creation,
    creation_arguments,
    one_container,
)
from container_manager.client import Client

STATUSES = ("created", "running", "paused", "restarting", "exited", "dead", "removing")


def _create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", nargs="?", default=DEFAULT_IMAGE, help=f"by default {DEFAULT_IMAGE}")
    creation_arguments(parser)
    parser.add_argument("--start", action="store_true", help="start it, too")


async def _create(client: Client, arguments: argparse.Namespace) -> int:
    container = await client.create(arguments.image, start=arguments.start or None, **creation(arguments))
    if arguments.json:
        output.print_json(container)
    else:
        # The cuid alone: `app=$(container-manager create)` is how scripts use it.
        print(container["cuid"])
    return exits.DONE


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-s", "--status", action="append", choices=STATUSES, metavar="STATUS", help="only these; may be given again"
    )
    parser.add_argument("-t", "--tag", help="only those with this tag")
    parser.add_argument("-q", "--quiet", action="store_true", help="print cuids alone")


async def _list(client: Client, arguments: argparse.Namespace) -> int:
    containers = [each async for each in client.containers(status=arguments.status or (), tag=arguments.tag)]
    if arguments.json:
        output.print_json(containers)
    elif arguments.quiet:
        for container in containers:
            print(container["cuid"])
    elif containers:
        output.print_table(
            ("CUID", "NAME", "STATUS", "IMAGE", "PORTS", "TAGS", "CREATED"),
            (
                (
                    container["cuid"][:SHORT],
                    container["name"] or "",
                    output.status_text(container["status"], container["exit_code"]),
                    container["image"],
                    _ports(container),
                    ", ".join(container["tags"]),
                    output.age_text(container["created_at"]),
                )
                for container in containers
            ),
        )
    else:
        print("No containers. 'container-manager run DIR' makes one out of a directory")
    return exits.DONE


async def _show(client: Client, arguments: argparse.Namespace) -> int:
    container = await client.get(await find(client, arguments.container))
    if arguments.json:
        output.print_json(container)
        return exits.DONE
    limits = container["resources"]
    output.print_facts(
        (
            ("Cuid", container["cuid"]),
            ("Name", container["name"] or ""),
            ("Status", output.status_text(container["status"], container["exit_code"])),
            ("Image", container["image"]),
            ("Runs", _what_runs(container)),
            ("Ports", _ports(container)),
            ("Tags", ", ".join(container["tags"])),
            ("Limits", ", ".join(f"{key} {value}" for key, value in limits.items() if value is not None)),
            ("Stops", _when_it_stops(container)),
            ("Env", "\n".join(f"{key}={value}" for key, value in container["env"].items())),
            ("Created", output.age_text(container["created_at"])),
            ("Started", output.age_text(container["started_at"])),
            ("Ended", output.age_text(container["finished_at"])),
            ("Problem", container["problem"] or ""),
        )
    )
    return exits.DONE


def _ports(container: dict[str, Any]) -> str:
    """The ports as really bound while it runs, else as configured."""
    return ", ".join(map(output.port_text, container["bound_ports"] or container["ports"]))


def _when_it_stops(container: dict[str, Any]) -> str:
    """Its lifetime, if it has one."""
    times = {"after its start": container["ttl"], "without use": container["idle_timeout"]}
    return ", ".join(f"{time:g} s {since}" for since, time in times.items() if time)


def _what_runs(container: dict[str, Any]) -> str:
    command = container["command"]
    if command:
        return command if isinstance(command, str) else " ".join(command)
    return {"boot": "/app/boot.py", "image": "the image's command"}.get(str(container.get("runs")), "")


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    one_container(parser)
    configuration_arguments(parser)
    parser.add_argument("--unset", action="append", metavar="NAME", help="remove a variable; may be given again")
    parser.add_argument("--no-tags", action="store_true", help="remove all tags")
    parser.add_argument("--no-ports", action="store_true", help="publish no port")
    parser.add_argument("--image", metavar="IMAGE", help="run on another image")


async def _set(client: Client, arguments: argparse.Namespace) -> int:
    changes = configuration(arguments)
    if arguments.unset:
        changes["env"] = changes.get("env", {}) | dict.fromkeys(arguments.unset)
    if arguments.no_tags:
        changes["tags"] = []
    if arguments.no_ports:
        changes["ports"] = []
    if arguments.image:
        changes["image"] = arguments.image
    if not changes:
        raise exits.Stop("Nothing to change. 'container-manager set --help' shows what can be", exits.WRONG_USE)
    cuid = await find(client, arguments.container)
    with output.waiting(f"change {arguments.container}"):
        answer = await client.update(cuid, **changes)
    if arguments.json:
        output.print_json(answer)
    else:
        print(f"{arguments.container}: {_APPLIED[answer['applied']]}")
    return exits.DONE


_APPLIED = {
    "recreated": "changed, and made anew with the change",
    "next_start": "changed; it takes effect at the next start",
    "unchanged": "nothing to change, it is so already",
}


COMMANDS = (
    Command(
        "create",
        "Containers",
        "make a container and print its cuid",
        talking(_create),
        arguments=_create_arguments,
        about="The image need not be on the server yet: the first start pulls it.",
        examples="""\
container-manager create                                  # Python, for a boot.py that you upload
container-manager create --name site -p 8000:80 nginx --start
container-manager create --name job -e DEBUG=1 --memory 512m --command 'python -m http.server' python:3.12-slim
app=$(container-manager create)                           # in a script""",
    ),
    Command(
        "ls",
        "Containers",
        "list containers, oldest first",
        talking(_list),
        arguments=_list_arguments,
        examples="""\
container-manager ls
container-manager ls -s running -t class-3b
container-manager stop $(container-manager ls -q -s running)
container-manager ls --json | jq '.[].image'""",
    ),
    Command(
        "show",
        "Containers",
        "show one container",
        talking(_show),
        arguments=one_container,
        examples="container-manager show hello\ncontainer-manager show hello --json | jq .status",
    ),
    Command(
        "set",
        "Containers",
        "change variables, tags, limits, ports or the image",
        talking(_set),
        arguments=_set_arguments,
        about="A running container is made anew with the change at once; its files stay.",
        examples="""\
container-manager set hello -e DEBUG=1 --unset OLD
container-manager set hello -t web -t v2            # these tags in place of the old ones
container-manager set hello -p 8000:80 --memory 2g""",
    ),
)
