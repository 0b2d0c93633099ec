"""Which host paths a container may be given: those below ALLOWED_VOLUMES, and none that could change hands."""

import asyncio
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from container_manager.errors import VolumeRefused
from container_manager.models import Volume
from container_manager.settings import Settings
from container_manager.store.registry import Registry

_DEFAULT_SOCKET = "/var/run/docker.sock"


class Volumes:
    """The rule for volumes: every way of asking for one comes here."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._registry = registry
        self._turn = asyncio.Lock()
        self._allowed = settings.allowed_volumes
        socket = settings.docker_host.removeprefix("unix://") if "://" in settings.docker_host else _DEFAULT_SOCKET
        self._own = (settings.data_dir, Path(socket))

    @asynccontextmanager
    async def admitted(self, wanted: Sequence[Volume]) -> AsyncIterator[None]:
        """Write the new container's file within this; nobody else gets volumes meanwhile. Raises VolumeRefused."""
        if not wanted:
            yield
            return
        async with self._turn:
            everyone = [volume for spec in self._registry.after() for volume in spec.volumes]
            for volume in wanted:
                self._check_place(Path(volume.source))
                for other in (*everyone, *wanted):
                    _check_nesting(volume, other)
                await asyncio.to_thread(self._check_on_disk, Path(volume.source))
            yield

    def _check_place(self, source: Path) -> None:
        if not source.is_absolute() or ".." in source.parts:
            raise _refused(source, "it is no absolute path")
        if not any(source.is_relative_to(directory) for directory in self._allowed):
            raise _refused(source, "it is not below a directory of ALLOWED_VOLUMES")

    def _check_on_disk(self, source: Path) -> None:
        try:
            for path in reversed((source, *source.parents)):
                mode = path.lstat().st_mode
                if stat.S_ISLNK(mode):
                    raise _refused(source, f"{path} is a link")
        except OSError as error:
            raise _refused(source, f"it cannot be looked at: {error.strerror}") from None
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise _refused(source, "it is neither a directory nor a file")
        for own in self._own:
            place = own.resolve()
            if source.is_relative_to(place) or place.is_relative_to(source):
                raise _refused(source, "it holds, or belongs to, the server's own data or the engine's socket")


def _check_nesting(volume: Volume, other: Volume) -> None:
    """The engine follows links in a source: nobody may be able to put one where another container's source lies."""
    for outer, inner in ((volume, other), (other, volume)):
        if outer.source != inner.source and not outer.read_only and Path(inner.source).is_relative_to(outer.source):
            raise _refused(Path(volume.source), "one container could write where another one's volume begins")


def _refused(source: Path, reason: str) -> VolumeRefused:
    return VolumeRefused(f"{source} may not be mounted: {reason}", source=str(source), reason=reason)
