"""The one network that all containers share, made when it is first needed."""

import asyncio
import json
import logging
from typing import Literal

from container_manager.engine.docker import Docker
from container_manager.engine.failures import failure
from container_manager.errors import ComposeError

log = logging.getLogger(__name__)

ICC = "com.docker.network.bridge.enable_icc"
"""Docker's option for traffic between the containers of a bridge."""


class SharedNetwork:
    """The network of one kind; once seen it is believed in until `forget`."""

    def __init__(self, docker: Docker, kind: Literal["isolated", "bridge", "none"]) -> None:
        self._docker, self._kind = docker, kind
        self._known: int | None = None
        self._lock = asyncio.Lock()

    @property
    def name(self) -> str:
        """Its name at the engine; isolated and open ones are two networks, for their options differ."""
        return f"container-manager-{self._kind}"

    def forget(self) -> None:
        """Look again at the next `ensure`."""
        self._known = None

    async def ensure(self, connection: int, engine: str) -> str | None:
        """Its name, made if it is not there; None for no network. Looked at once per connection to the engine."""
        if self._kind == "none":
            return None
        async with self._lock:
            if self._known != connection:
                if not await self._exists(engine):
                    await self._create(engine)
                if self._kind == "isolated" and engine == "podman":
                    log.warning("Podman does not keep containers of one network apart: they can reach each other")
                self._known = connection
        return self.name

    async def _exists(self, engine: str) -> bool:
        finished = await self._docker.run("network", "inspect", "--format", "{{json .Options}}", self.name)
        if finished.code != 0:
            # Why it cannot be seen is told when it cannot be made either.
            return False
        options = json.loads(finished.stdout) or {}
        if self._kind == "isolated" and engine == "docker" and options.get(ICC) != "false":
            raise ComposeError(
                f"The network {self.name} lets containers reach each other: somebody else made it. "
                f"Remove it with 'docker network rm {self.name}'",
                network=self.name,
            )
        return True

    async def _create(self, engine: str) -> None:
        words = ["network", "create", "--driver", "bridge"]
        # Podman refuses options that it does not know.
        if self._kind == "isolated" and engine == "docker":
            words += ["--opt", f"{ICC}=false"]
        finished = await self._docker.run(*words, self.name)
        if finished.code != 0 and b"already exists" not in finished.stderr and b"already used" not in finished.stderr:
            raise failure([self._docker.binary, *words, self.name], finished.code, finished.stderr)
