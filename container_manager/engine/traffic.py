"""How much a container has received over the network, as this machine's kernel counts it."""

import asyncio
from pathlib import Path

from container_manager.engine.docker import Docker

_COUNTED = {"Tcp": "InSegs", "Udp": "InDatagrams"}
"""What programs receive. Not what the interface does: other containers' ARP would count as this one's traffic."""


class Traffic:
    """Counters of network namespaces. Each container is asked for once per run, to learn its process."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker
        self._pids: dict[str, int | None] = {}

    async def received(self, container_id: str) -> int | None:
        """TCP segments and UDP datagrams that reached this run; None where that cannot be seen."""
        if container_id not in self._pids:
            self._pids[container_id] = await self._docker.pid(container_id)
        pid = self._pids[container_id]
        return None if pid is None else await asyncio.to_thread(_packets_received, pid)

    def forget(self, container_id: str) -> None:
        """Its run is over: the next one has another process."""
        self._pids.pop(container_id, None)


def _packets_received(pid: int) -> int | None:
    """Read /proc/<pid>/net/snmp (proc_pid_net(5)): only on the engine's own machine, and only with its rights."""
    try:
        lines = Path(f"/proc/{pid}/net/snmp").read_text().splitlines()
    except OSError:
        return None
    total = 0
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        protocol, _, fields = names.partition(":")
        if protocol in _COUNTED:
            counts = dict(zip(fields.split(), values.partition(":")[2].split(), strict=False))
            total += int(counts.get(_COUNTED[protocol], 0))
    return total
