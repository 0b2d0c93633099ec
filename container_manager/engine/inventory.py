"""The containers at the engine, by its own ids. A cuid has two for a moment, while its container is made anew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from container_manager.models import Cuid, EngineState


@dataclass(slots=True)
class Container:
    """One container at the engine, and what no event tells of it; None: not known yet."""

    state: EngineState
    publishes: bool | None = None
    restarts: bool | None = None
    listed_ports: str = field(default="", compare=False)


class Inventory:
    """Containers by the engine's id and by cuid."""

    def __init__(self) -> None:
        self._containers: dict[str, Container] = {}
        self._ids: dict[Cuid, list[str]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._containers)

    def __contains__(self, key: str) -> bool:
        return key in self._containers

    def __getitem__(self, key: str) -> Container:
        return self._containers[key]

    def get(self, key: str) -> Container | None:
        """The container with this id."""
        return self._containers.get(key)

    def ids(self, cuid: Cuid) -> Sequence[str]:
        """The ids of the containers of `cuid`, in the order in which they were seen."""
        return self._ids.get(cuid, ())

    def remember(self, key: str, container: Container) -> Container:
        """Take in a container that is not known yet."""
        self._containers[key] = container
        self._ids.setdefault(container.state.cuid, []).append(key)
        return container

    def forget(self, key: str) -> Cuid | None:
        """Drop a container; whose it was, None when it is not known."""
        known = self._containers.pop(key, None)
        if known is None:
            return None
        cuid = known.state.cuid
        self._ids[cuid].remove(key)
        if not self._ids[cuid]:
            del self._ids[cuid]
        return cuid

    def state(self, cuid: Cuid) -> EngineState | None:
        """The state of the one container that stands for `cuid`: an active one, else the oldest."""
        states = [self._containers[key].state for key in self.ids(cuid)]
        active = [state for state in states if state.status in ("running", "paused", "restarting")]
        return active[-1] if active else states[0] if states else None
