"""Whether something comes to a container's ports, as this machine's kernel counts it."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

from container_manager.engine.docker import Docker

type Mark = tuple[int, int | None, int | None]
"""Connections that were taken; TCP segments while such a one is open; datagrams while a UDP port is."""

_ESTABLISHED, _LISTEN, _UNCONNECTED = "01", "0A", "07"


class Traffic:
    """What network namespaces tell. Each container is asked for once per run, to learn its process."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker
        self._pids: dict[str, int | None] = {}

    async def mark(self, container_id: str) -> Mark | None:
        """Differs from the one before when something came to a port of this run; None where that cannot be seen."""
        if container_id not in self._pids:
            self._pids[container_id] = await self._docker.pid(container_id)
        pid = self._pids[container_id]
        return None if pid is None else await asyncio.to_thread(_read, pid)

    def forget(self, container_id: str) -> None:
        """Its run is over: the next one has another process."""
        self._pids.pop(container_id, None)


def _read(pid: int) -> Mark | None:
    """From /proc/<pid>/net (proc_pid_net(5)): only on the engine's own machine, and only with its rights."""
    folder = Path(f"/proc/{pid}/net")
    try:
        counted = counters((folder / "snmp").read_text())
        sockets = {name: (folder / name).read_text() if (folder / name).exists() else "" for name in _TABLES}
    except OSError:
        return None
    return mark(counted, sockets["tcp"] + sockets["tcp6"], sockets["udp"] + sockets["udp6"])


_TABLES = ("tcp", "tcp6", "udp", "udp6")


def counters(snmp: str) -> dict[str, int]:
    """`Tcp.InSegs` and the like: lines of names, each followed by one of values."""
    found: dict[str, int] = {}
    lines = snmp.splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        protocol, _, fields = names.partition(":")
        numbers = values.partition(":")[2].split()
        found |= {f"{protocol}.{name}": int(number) for name, number in zip(fields.split(), numbers, strict=False)}
    return found


def mark(counted: Mapping[str, int], tcp: str, udp: str) -> Mark:
    """What came in. Answers to what the container itself asks elsewhere are none of it."""
    ends = [(local.rpartition(":")[2], state) for local, state in _sockets(tcp.splitlines())]
    listening = {port for port, state in ends if state == _LISTEN}
    taken = any(state == _ESTABLISHED and port in listening for port, state in ends)
    serves_udp = any(state == _UNCONNECTED for _, state in _sockets(udp.splitlines()))
    return (
        counted.get("Tcp.PassiveOpens", 0),
        counted.get("Tcp.InSegs", 0) if taken else None,
        counted.get("Udp.InDatagrams", 0) if serves_udp else None,
    )


def _sockets(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Local address and state of each socket in a table of the kernel."""
    for line in lines:
        words = line.split()
        if len(words) > 3 and words[0].endswith(":"):
            yield words[1], words[3]
