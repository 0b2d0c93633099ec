"""Figures for readers: a table and a plot in docs/performance.md, made anew each time a benchmark is published.

`publish` keeps three things of a benchmark NAME: `docs/performance/NAME.json` (the figures and the machine),
`docs/performance/NAME.svg` (the plot) and what stands between `<!-- NAME -->` and `<!-- /NAME -->` in
docs/performance.md.
"""

import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "performance.md"
COLOURS = ["#2f6fde", "#b9bec9", "#d6a95b", "#8fae7f", "#a98cc4"]


@dataclass(frozen=True)
class Comparison:
    """One thing that was measured, ours first: medians in `unit`, by who did it."""

    what: str
    unit: str
    values: dict[str, float]
    goal: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours divided by the first alternative; None where there is none."""
        ours, *others = self.values.values()
        return ours / others[0] if others and others[0] else None


def publish(name: str, title: str, comparisons: list[Comparison], note: str = "") -> None:
    """Write the figures, the plot and the section of the benchmark `name`."""
    folder = DOCS / "performance"
    folder.mkdir(exist_ok=True)
    told = machine()
    data = {"machine": told, "note": note, "comparisons": [asdict(one) for one in comparisons]}
    (folder / f"{name}.json").write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    plot(folder / f"{name}.svg", title, comparisons)
    parts = [f"![{title}](performance/{name}.svg)", table(comparisons), note, f"Measured on {told}."]
    _replace_section(name, "\n\n".join(part for part in parts if part))


def table(comparisons: list[Comparison]) -> str:
    """A Markdown table with a column for each who, and the ratio to the first alternative."""
    whos = list(dict.fromkeys(who for one in comparisons for who in one.values))
    goals = any(one.goal for one in comparisons)
    ratios = any(one.ratio is not None for one in comparisons)
    head = ["", *whos, *(["ratio"] if ratios else []), *(["goal"] if goals else [])]
    lines = [head, ["---", *["--:"] * (len(head) - 1 - goals), *(["---"] if goals else [])]]
    for one in comparisons:
        cells = [f"{shown(one.values[who])} {one.unit}" if who in one.values else "" for who in whos]
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        lines.append([one.what, *cells, *([ratio] if ratios else []), *([one.goal] if goals else [])])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(value: float) -> str:
    """Three digits that mean something: 0.123, 4.56, 78.9, 1,234."""
    if value == int(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def plot(path: Path, title: str, comparisons: list[Comparison]) -> None:
    """A row of bars for each comparison, each row on a scale of its own."""
    import matplotlib

    matplotlib.use("svg")
    # Text stays text and the same figures give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": path.stem, "font.family": "sans-serif"})
    from matplotlib import pyplot

    heights = [len(one.values) + 0.9 for one in comparisons]
    figure, panels = pyplot.subplots(
        len(comparisons), 1, figsize=(9, 0.6 + 0.27 * sum(heights)), squeeze=False, height_ratios=heights
    )
    for panel, one in zip(panels[:, 0], comparisons, strict=True):
        whos = list(one.values)
        bars = panel.barh(whos, one.values.values(), color=COLOURS[: len(whos)], height=0.78)
        labels = [f"{shown(value)} {one.unit}" for value in one.values.values()]
        panel.bar_label(bars, labels, padding=4, fontsize=9)
        panel.set_title(one.what + (f"  (goal: {one.goal})" if one.goal else ""), loc="left", fontsize=10)
        panel.set_xlim(0, max(one.values.values()) * 1.18 or 1)
        panel.invert_yaxis()
        panel.xaxis.set_visible(False)
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        panel.tick_params(axis="y", length=0, labelsize=9)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    figure.tight_layout()
    save(figure, path)
    pyplot.close(figure)


def save(figure: object, path: Path) -> None:
    """An SVG without a date or an author, with a white ground so that it reads in a dark page too."""
    figure.savefig(path, metadata={"Date": None, "Creator": None}, facecolor="white")  # type: ignore[attr-defined]


def machine() -> str:
    """This machine and its engine in half a sentence."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    engine = _said_by("docker", "version", "--format", "{{.Server.Version}}")
    compose = _said_by(str(Path(sys.executable).with_name("docker-compose")), "version", "--short")
    return (
        f"{os.cpu_count()} × {cpu[1] if cpu else platform.machine()}, {memory:.0f} GiB, {system}, "
        f"Linux {'.'.join(platform.release().split('.')[:2])}, Python {platform.python_version()}, "
        f"Docker {engine}, Compose {compose}, load {os.getloadavg()[0]:.1f} at the end, {datetime.now(UTC):%Y-%m-%d}"
    )


def _said_by(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _replace_section(name: str, text: str) -> None:
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = PAGE.read_text().partition(begin)
    _, found_too, after = rest.partition(end)
    if not (found and found_too):
        raise SystemExit(f"{PAGE.name} has no place for these figures: add a line {begin} and a line {end} to it.")
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}")
