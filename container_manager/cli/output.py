"""What commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

# Wide enough that nothing is cut when the reader is a program.
_PIPE_WIDTH = 1000

_COLOURS = {
    "running": "green",
    "paused": "yellow",
    "restarting": "yellow",
    "exited": "dim",
    "created": "cyan",
    "dead": "red",
    "removing": "dim",
}


def console() -> Console:
    """Standard output, as wide as it is; coloured when it is a terminal."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """`value` as indented JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Rows under their column names, without lines."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    _print_lines(table)


def print_facts(facts: Iterable[tuple[str, str | Text]]) -> None:
    """Names and values, one a line; those without a value are left out."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        if value:
            table.add_row(name, value)
    _print_lines(table)


def _print_lines(table: Table) -> None:
    lines = console()
    with lines.capture() as captured:
        lines.print(table)
    # rich fills the last column up; a program that reads the lines would have to strip it.
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def status_text(status: str, exit_code: int | None = None) -> Text:
    """A status in its colour, with the exit code when it ended."""
    shown = f"{status} ({exit_code})" if status == "exited" and exit_code is not None else status
    return Text(shown, style=_COLOURS.get(status, ""))


def size_text(size: float) -> str:
    """Bytes for people: "3.4 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def age_text(moment: str | None) -> str:
    """How long ago an ISO 8601 moment was: "5 min ago"."""
    if not moment:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return f"{int(seconds)} s ago"


def port_text(port: dict[str, Any]) -> str:
    """A published port as Docker writes it: "8080→80/tcp"."""
    host_ip = port.get("host_ip") or ""
    shown = f"{host_ip}:" if host_ip not in ("", "0.0.0.0", "::") else ""
    return f"{shown}{port['host']}→{port['container']}/{port.get('protocol', 'tcp')}"


def complain(message: str) -> None:
    """A line on stderr, for what went wrong without ending the command."""
    print(f"container-manager: {message}", file=sys.stderr)


def note(message: str) -> None:
    """A line on stderr for the person at the terminal."""
    print(message, file=sys.stderr)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A moving sign on stderr while something takes its time; nothing when stderr is no terminal."""
    with Console(stderr=True).status(f"{what} …") if sys.stderr.isatty() else nullcontext():
        yield
