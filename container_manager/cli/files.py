"""`upload`, `files` and `download`."""

import argparse
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from container_manager.cli import exits, output
from container_manager.cli.command import Command, talking
from container_manager.cli.naming import find
from container_manager.cli.options import one_container
from container_manager.cli.packing import LEFT_OUT, listing, pack
from container_manager.cli.progress import bar
from container_manager.client import Client, Refused


def source_arguments(parser: argparse.ArgumentParser) -> None:
    """What to upload."""
    parser.add_argument("source", type=Path, metavar="DIR|ZIP", help="a directory, or a zip file")
    parser.add_argument(
        "-x", "--exclude", action="append", metavar="PATTERN", help="leave out names like this; may be given again"
    )
    parser.add_argument("--everything", action="store_true", help=f"pack {', '.join(LEFT_OUT)}, too")


@contextmanager
def archive_of(arguments: argparse.Namespace) -> Iterator[Path]:
    """`arguments.source` as a zip file: itself, or a directory packed into a temporary one.

    It is made before anything is asked of the server, and outside of the loop, so that Ctrl+C ends it.
    """
    source: Path = arguments.source
    if source.is_dir():
        left_out = (*(() if arguments.everything else LEFT_OUT), *(arguments.exclude or ()))
        with tempfile.NamedTemporaryFile(prefix="container-manager-", suffix=".zip") as packed:
            _pack(source, left_out, packed)
            yield Path(packed.name)
    elif not source.is_file():
        raise exits.Stop(f"There is no directory or zip file {source}", exits.WRONG_USE)
    elif not zipfile.is_zipfile(source):
        raise exits.Stop(f"{source} is no zip file. Give a directory, or a zip file", exits.WRONG_USE)
    else:
        yield source


def _pack(source: Path, left_out: tuple[str, ...], into: IO[bytes]) -> None:
    def skipped(name: str) -> None:
        output.complain(f"{name} is left out: it is a link out of {source}, or no file")

    entries = list(listing(source, left_out, skipped))
    if not entries:
        raise exits.Stop(f"{source} is empty: there is nothing to upload", exits.WRONG_USE)
    total = sum(path.stat().st_size for path, inside in entries if not inside.endswith("/"))
    done = 0
    with bar("Packing", total) as report:

        def packed(size: int) -> None:
            nonlocal done
            done += size
            report(done, total)

        pack(entries, into, packed)
    into.flush()


async def send(
    client: Client, cuid: str, archive: Path, path: str = "", mode: Literal["merge", "replace"] = "merge"
) -> dict[str, Any]:
    """Upload `archive` with a bar."""
    with bar("Uploading") as report:
        return await client.files.upload(cuid, archive, path, mode=mode, progress=report)


def _upload_arguments(parser: argparse.ArgumentParser) -> None:
    one_container(parser)
    source_arguments(parser)
    parser.add_argument("--path", default="", metavar="DIR", help="where below /app; by default /app itself")
    parser.add_argument("--replace", action="store_true", help="remove what was there before; by default it is kept")


def _upload(arguments: argparse.Namespace) -> int:
    with archive_of(arguments) as archive:

        async def upload(client: Client, arguments: argparse.Namespace) -> int:
            cuid = await find(client, arguments.container)
            answer = await send(client, cuid, archive, arguments.path, "replace" if arguments.replace else "merge")
            if arguments.json:
                output.print_json(answer)
            else:
                count = "1 file" if answer["files"] == 1 else f"{answer['files']} files"
                print(f"{count}, {output.size_text(answer['bytes'])}: now in {arguments.container}")
                for link in answer["skipped"]:
                    output.note(f"{link} is a link, and was left out")
            return exits.DONE

        return talking(upload)(arguments)


# --- files ----------------------------------------------------------------------------------------


_KINDS = {"directory": "/", "link": "@"}
"""What follows a name, as `ls -F` has it."""


def _files_arguments(parser: argparse.ArgumentParser) -> None:
    one_container(parser)
    parser.add_argument("path", nargs="?", default="", help="a directory below /app; by default /app itself")


async def _files(client: Client, arguments: argparse.Namespace) -> int:
    cuid = await find(client, arguments.container)
    entries = [entry async for entry in client.files.list(cuid, arguments.path)]
    if arguments.json:
        output.print_json(entries)
        return exits.DONE
    output.print_table(
        ("MODE", "SIZE", "CHANGED", "NAME"),
        (
            (
                entry["mode"],
                output.size_text(entry["size"]) if entry["type"] == "file" else "",
                output.age_text(entry["mtime"]),
                entry["name"] + _KINDS.get(entry["type"], ""),
            )
            for entry in entries
        ),
    )
    return exits.DONE


# --- download -------------------------------------------------------------------------------------


def _download_arguments(parser: argparse.ArgumentParser) -> None:
    one_container(parser)
    parser.add_argument("path", nargs="?", default="", help="a file or directory below /app; by default all of it")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; - is standard output")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite a file that is there")


async def _download(client: Client, arguments: argparse.Namespace) -> int:
    cuid = await find(client, arguments.container)
    path = arguments.path.strip("/")
    whole = await _is_directory(client, cuid, path)
    fetch = client.files.download_zip if whole else client.files.download
    if arguments.output == "-":
        await fetch(cuid, path=path, to=sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return exits.DONE
    name = os.path.basename(path) or arguments.container
    target = _target(arguments, f"{name}.zip" if whole else name)
    with _written(target) as part:
        with bar(f"Downloading {target.name}") as report:
            await fetch(cuid, path=path, to=part, progress=report)
        size = part.tell()
    print(f"{target}: {output.size_text(size)}")
    return exits.DONE


def _target(arguments: argparse.Namespace, name: str) -> Path:
    """The file to write: `--output`, or `name` here or in the directory that `--output` is."""
    target = Path(arguments.output or name)
    if target.is_dir():
        target /= name
    if target.exists() and not arguments.force:
        raise exits.Stop(f"{target} is there already. Choose another with -o, or overwrite it with --force")
    return target


@contextmanager
def _written(target: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name when it is whole: a download that breaks leaves nothing."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(target)
    except OSError as error:
        raise exits.Stop(f"{error.filename} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


async def _is_directory(client: Client, cuid: str, path: str) -> bool:
    """Whether `path` is downloaded as a zip. Asks for the listing of the directory that holds it."""
    if path in ("", "app"):
        return True
    parent, _, name = path.rpartition("/")
    try:
        async for entry in client.files.list(cuid, parent):
            if entry["name"] == name:
                return bool(entry["type"] == "directory")
    except Refused:
        # No such directory: the download itself will say so.
        pass
    return False


COMMANDS = (
    Command(
        "upload",
        "Files",
        "send a directory or a zip file into a container's /app",
        _upload,
        arguments=_upload_arguments,
        about=(
            "It arrives whole or, if anything is wrong with it, not at all. A boot.py at its top is what the\n"
            "next start runs; a requirements.txt beside that is installed first."
        ),
        examples="""\
container-manager upload hello ./my-app
container-manager upload hello my-app.zip --replace
container-manager upload hello ./data --path data -x '*.tmp'""",
    ),
    Command(
        "files",
        "Files",
        "list a directory of a container",
        talking(_files),
        arguments=_files_arguments,
        examples="container-manager files hello\ncontainer-manager files hello data/2026",
    ),
    Command(
        "download",
        "Files",
        "fetch a file, or a directory as a zip file",
        talking(_download),
        arguments=_download_arguments,
        examples="""\
container-manager download hello data/result.csv
container-manager download hello -o backup.zip       # all of /app
container-manager download hello log.txt -o - | tail""",
        json=False,
    ),
)
