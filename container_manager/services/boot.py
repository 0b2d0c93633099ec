"""What a container runs: its own command, the mount's boot.py, or the image's command."""

import re
from collections.abc import Mapping
from typing import Any

from container_manager.errors import BootMissing
from container_manager.models import LAUNCHER, ContainerSpec, ImageFacts, Layout
from container_manager.services.wheels import Wheels
from container_manager.settings import Settings
from container_manager.store.launcher import WHEELS

BOOT_FILE = "boot.py"

_INTERPRETER = re.compile(r"(?:.*/)?python[0-9.]*")


class Boot:
    """The Compose keys of boot.py apps: an ordinary user without powers, and what starts boot.py."""

    def __init__(self, settings: Settings, layout: Layout, wheels: Wheels) -> None:
        uid, gid = settings.default_user_uid
        self._wheels = wheels
        self._keys: Mapping[str, Any] = {
            "entrypoint": ["sh", f"{LAUNCHER}/start.sh", f"{settings.requirements_timeout:g}"],
            "user": f"{uid}:{gid}",
            "working_dir": "/app",
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            # So that `pip install --user` puts packages into the mount, where Python looks for them by itself.
            "environment.HOME": "/app",
            f"volumes.{LAUNCHER}": str(layout.launcher),
        }

    def keys(self, spec: ContainerSpec) -> Mapping[str, Any]:
        """The keys of this app, as `Editor.set_runs` takes them. Blocks."""
        wheels = self._wheels.directory(spec)
        return self._keys if wheels is None else {**self._keys, f"volumes.{LAUNCHER}/{WHEELS}": str(wheels)}

    def started(self, spec: ContainerSpec) -> None:
        """It runs: what it installs is worth keeping for others."""
        if spec.runs == "boot":
            self._wheels.want(spec)


def refuse_bare_interpreter(spec: ContainerSpec, facts: ImageFacts) -> None:
    """BootMissing for an image that by itself only starts an interactive Python: it would end at once."""
    words = facts.entrypoint + facts.command
    if len(words) == 1 and _INTERPRETER.fullmatch(words[0]):
        raise BootMissing(
            f"There is nothing to run: {spec.image} alone starts a bare {words[0]}, and the mount has no boot.py. "
            "Upload a zip with a boot.py, or create the container with a command",
            image=spec.image,
            cuid=spec.cuid,
        )
