"""What a container runs: its own command, the mount's boot.py, or the image's command."""

import re
from collections.abc import Mapping
from typing import Any

from container_manager.errors import BootMissing
from container_manager.models import ContainerSpec, ImageFacts
from container_manager.settings import Settings

BOOT_FILE = "boot.py"

_INTERPRETER = re.compile(r"(?:.*/)?python[0-9.]*")

# One shell line for every image: `exec` leaves no shell behind, so that signals reach Python itself.
_LAUNCHER = """\
python=$(command -v python || command -v python3) ||
  { echo 'container-manager: this image has neither python nor python3' >&2; exit 127; }
exec "$python" -u /app/boot.py
"""


def boot_keys(settings: Settings) -> Mapping[str, Any]:
    """The Compose keys of a boot.py app: an ordinary user, no capabilities, no way to gain any."""
    uid, gid = settings.default_user_uid
    return {
        "entrypoint": ["sh", "-c", _LAUNCHER.replace("$", "$$")],
        "user": f"{uid}:{gid}",
        "working_dir": "/app",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "environment.HOME": "/app",
    }


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
