"""A bar on stderr for what takes long and has a size."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from container_manager.client import Progress as Report


@contextmanager
def bar(title: str, total: int | None = None) -> Iterator[Report]:
    """A function to call with the bytes done and their total. Shows nothing when stderr is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task(title, total=total)

        def report(done: int, size: int | None) -> None:
            progress.update(task, completed=done, total=size)

        yield report
