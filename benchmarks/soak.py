"""A long day in a few minutes: thousands of mixed operations, and what the server holds before, meanwhile and after.

    python benchmarks/soak.py [--operations N] [--engine-share SHARE] [--json FILE] [--publish]

Reads, changes, uploads, downloads, terminals, streams, errors of every kind, requests without credentials, clients that
leave in the middle. Needs a running engine and the image python:3.12-slim.
"""

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import aiohttp
from _report import DOCS, Comparison, publish, save
from _server import PASSWORD, remove_containers, server
from _traffic import Held, Traffic, held, settled

IMAGE = "python:3.12-slim"
HEADERS = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
WARM_UP = 0.1
"""Of the operations: those after which everything that is kept for good is there (threads, caches, code)."""
GRACE = 2
"""SESSION_GRACE: terminals that nobody comes back to are over soon."""
MIB = 1 << 20


async def soaked(data_dir: Path, operations: int, share: float) -> tuple[list[tuple[float, Held]], Held, Held, Traffic]:
    """Samples over time (minutes), what was held after the warm-up and at the end, and the traffic."""
    async with server(data_dir, SESSION_GRACE=GRACE, AUTH_ATTEMPTS=1000000) as one:
        samples: list[tuple[float, Held]] = []
        began = time.monotonic()

        async def take() -> Held:
            found = await held(one.process.pid, data_dir, one.session)
            samples.append(((time.monotonic() - began) / 60, found))
            return found

        async def told(number: int) -> None:
            await take()

        for count, seed in ((round(operations * WARM_UP), 1), (operations - round(operations * WARM_UP), 2)):
            traffic = Traffic(one.url, HEADERS, IMAGE, engine_share=share, seed=seed)
            await traffic.begin()
            await traffic.run(count, told)
            await traffic.end()
            after = await settled(take, GRACE + 8)
            if seed == 1:
                before = after
        return samples, before, after, traffic


def plotted(samples: list[tuple[float, Held]], path: Path) -> None:
    """Memory and descriptors over time."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": path.stem, "font.family": "sans-serif"})
    from matplotlib import pyplot

    figure, (memory, counts) = pyplot.subplots(2, 1, figsize=(9, 5), sharex=True)
    minutes = [minute for minute, _ in samples]
    memory.plot(minutes, [one.memory / MIB for _, one in samples], color="#2f6fde")
    memory.set_ylabel("memory, MiB")
    memory.set_ylim(bottom=0)
    for what, colour in (
        ("descriptors", "#2f6fde"),
        ("tasks", "#d6a95b"),
        ("threads", "#8fae7f"),
        ("children", "#a98cc4"),
    ):
        counts.plot(minutes, [getattr(one, what) for _, one in samples], color=colour, label=what, linewidth=1)
    counts.set_xlabel("minutes")
    counts.set_ylim(bottom=0)
    counts.legend(frameon=False, ncols=4, loc="upper left", fontsize=9)
    for panel in (memory, counts):
        panel.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    save(figure, path)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=20_000)
    parser.add_argument("--engine-share", type=float, default=0.08, help="part of them that needs the engine")
    parser.add_argument("--json", type=Path, help="also write the samples to this file")
    parser.add_argument("--publish", action="store_true", help="put the figures into docs/performance.md")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        try:
            samples, before, after, traffic = await soaked(Path(name), arguments.operations, arguments.engine_share)
        finally:
            remove_containers(Path(name))
    minutes = (time.monotonic() - began) / 60
    print(
        json.dumps({"before": asdict(before), "after": asdict(after), "done": traffic.done, "answers": traffic.answers})
    )
    if arguments.json:
        arguments.json.write_text(json.dumps([[minute, asdict(one)] for minute, one in samples]) + "\n")
    if arguments.publish:
        figures = [
            Comparison(what, unit, {"after": value(after), "before": value(before)}, "as before")
            for what, unit, value in (
                ("memory", "MiB", lambda one: one.memory / MIB),
                ("descriptors", "", lambda one: one.descriptors),
                ("tasks", "", lambda one: one.tasks),
                ("threads", "", lambda one: one.threads),
                ("child processes", "", lambda one: one.children),
                ("files in staging", "", lambda one: one.staged),
            )
        ]
        warm = round(arguments.operations * WARM_UP)
        note = (
            f"Before: after the first {warm:,} operations. After: {arguments.operations - warm:,} operations later, "
            f"{traffic.answers.total():,} answers, {minutes:.0f} minutes in all. Meanwhile:\n\n"
            "![Memory, descriptors, tasks, threads and children over time](performance/soak-time.svg)"
        )
        publish("soak", "A long day", figures, note)
        plotted(samples, DOCS / "performance" / "soak-time.svg")


if __name__ == "__main__":
    asyncio.run(main())
