"""What `docker stats` prints, as numbers."""

import json
import re
from dataclasses import dataclass

_QUANTITY = re.compile(r"([\d.]+)\s*([kKMGTP]?)(i?)B")
_ROW = re.compile(rb"\{.*\}")
_POWER = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}


@dataclass(frozen=True, slots=True)
class Sample:
    """What a container uses at one moment. `cpu` is in cores, the network counts since its start; else bytes."""

    cpu: float
    memory: int
    memory_limit: int
    processes: int
    received: int
    sent: int


def stats_argv(binary: str, name: str) -> list[str]:
    """The command line that prints one row about once a second, for as long as it runs."""
    return [binary, "stats", "--no-trunc", "--format", "{{json .}}", "--", name]


def parse(line: bytes) -> Sample | None:
    """A line as a Sample; None when it has no row, or one of a container that does not run."""
    found = _ROW.search(line)
    if found is None:
        return None
    try:
        row = json.loads(found[0])
        memory, limit = (_bytes(part) for part in row["MemUsage"].split("/"))
        received, sent = (_bytes(part) for part in row["NetIO"].split("/"))
        cpu = round(float(row["CPUPerc"].rstrip("%")) / 100, 4)
        return Sample(cpu, memory, limit, int(row["PIDs"]), received, sent)
    except (ValueError, KeyError, AttributeError):
        # A container that is stopping or gone has "--" in every column.
        return None


def _bytes(text: str) -> int:
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    number, prefix, binary = found.groups()
    return int(float(number) * float(1024 if binary else 1000) ** _POWER[prefix])
