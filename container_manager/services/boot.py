"""What a container runs: its own command, the mount's boot.py, or the image's command."""

import re
from collections.abc import Mapping
from typing import Any

from container_manager.errors import BootMissing
from container_manager.models import ContainerSpec, ImageFacts
from container_manager.settings import Settings

BOOT_FILE = "boot.py"

_INTERPRETER = re.compile(r"(?:.*/)?python[0-9.]*")

# Any image with a shell can run it. `exec` leaves no shell behind, so that signals reach Python itself.
_LAUNCHER = """\
python=$(command -v python || command -v python3) ||
  { echo 'container-manager: this image has neither python nor python3' >&2; exit 127; }
[ ! -f /app/requirements.txt ] || "$python" -c "$1" "$2"
exec "$python" -u /app/boot.py
"""

# HOME is /app, so that `--user` puts the packages into the mount, where Python looks for them by itself.
_INSTALLER = """\
import hashlib, os, signal, subprocess, sys

def say(text):
    print("container-manager:", text, file=sys.stderr, flush=True)

stamp = "/app/.local/requirements.sha256"
with open("/app/requirements.txt", "rb") as file:
    wanted = hashlib.sha256(file.read() + sys.version.encode()).hexdigest()
try:
    with open(stamp) as file:
        done = file.read()
except OSError:
    done = ""
if done != wanted:
    say("installing requirements.txt")
    pip = [sys.executable, "-m", "pip", "install", "--user", "--no-input", "--disable-pip-version-check"]
    pip += ["--progress-bar", "off", "-r", "/app/requirements.txt"]
    process = subprocess.Popen(pip, start_new_session=True, env=dict(os.environ, PIP_BREAK_SYSTEM_PACKAGES="1"))
    try:
        code = process.wait(float(sys.argv[1]))
        failure = "pip ended with code %d" % code if code else ""
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        failure = "it took longer than %s seconds" % sys.argv[1]
    if failure:
        say("requirements.txt is not installed: %s. boot.py starts all the same" % failure)
    else:
        os.makedirs(os.path.dirname(stamp), exist_ok=True)
        with open(stamp + ".new", "w") as file:
            file.write(wanted)
        os.replace(stamp + ".new", stamp)
"""


def boot_keys(settings: Settings) -> Mapping[str, Any]:
    """The Compose keys of a boot.py app: an ordinary user, no capabilities, no way to gain any."""
    uid, gid = settings.default_user_uid
    words = ["sh", "-c", _LAUNCHER, "boot", _INSTALLER, f"{settings.requirements_timeout:g}"]
    return {
        "entrypoint": [word.replace("$", "$$") for word in words],
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
