"""Pulling an image, with progress that a bar can show."""

import json
from collections.abc import Callable, Mapping

from container_manager.engine.compose import Compose
from container_manager.engine.failures import failure
from container_manager.engine.process import run
from container_manager.errors import EngineTimeout, ImageNotFound

PULL_TIMEOUT = 3600.0

Progress = Callable[[dict[str, object]], None]


class _Layers:
    """Sums Compose's lines, one a layer, into one figure for the image."""

    def __init__(self, reference: str, tell: Progress) -> None:
        self._reference, self._tell = reference, tell
        self._bytes: dict[str, tuple[int, int]] = {}
        self._done: set[str] = set()
        self._rest = b""
        self.stderr = bytearray()

    def add(self, chunk: bytes) -> None:
        """Take what Compose wrote; errors are kept for the failure's table."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"error": True}
            if not isinstance(entry, dict) or entry.get("error") or "id" not in entry:
                self.stderr = (self.stderr + line + b"\n")[-65536:]
            elif entry.get("parent_id"):
                self._layer(entry)
        self._rest = self._rest[-65536:]

    def _layer(self, entry: Mapping[str, object]) -> None:
        layer, text = str(entry["id"]), str(entry.get("text", ""))
        total, current = entry.get("total"), entry.get("current")
        if text == "Downloading" and isinstance(total, int) and isinstance(current, int):
            self._bytes[layer] = (current, total)
        else:
            self._bytes.setdefault(layer, (0, 0))
        if text in ("Download complete", "Pull complete", "Already exists"):
            self._bytes[layer] = (self._bytes[layer][1],) * 2
        if text in ("Pull complete", "Already exists"):
            self._done.add(layer)
        self._tell(
            {
                "image": self._reference,
                "layers": len(self._bytes),
                "layers_done": len(self._done),
                "current": sum(current for current, _ in self._bytes.values()),
                "total": sum(total for _, total in self._bytes.values()),
                "text": text,
            }
        )


async def pull(
    compose: Compose, environment: Mapping[str, str], reference: str, progress: Progress | None, timeout: float
) -> None:
    """Pull `reference`. ImageNotFound when no registry gives it, EngineUnavailable, NoSpace, EngineTimeout."""
    file = {"services": {"image": {"image": reference.replace("$", "$$")}}}
    layers = _Layers(reference, progress or (lambda _: None))
    argv = compose.pull()
    try:
        finished = await run(argv, environment, timeout=timeout, stdin=json.dumps(file).encode(), on_stderr=layers.add)
    except EngineTimeout as error:
        raise EngineTimeout(f"Pulling {reference} took longer than {timeout:g} seconds", seconds=timeout) from error
    if finished.code != 0:
        layers.add(b"\n")
        failed = failure(argv, finished.code, bytes(layers.stderr), otherwise=ImageNotFound)
        if isinstance(failed, ImageNotFound):
            message = f"There is no image {reference} here, and it cannot be pulled: {failed.message}"
            raise ImageNotFound(message, image=reference, **failed.details)
        raise failed
