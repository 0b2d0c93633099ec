"""One table from what Compose and Docker say on stderr to the errors of this program."""

import json
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from container_manager.errors import (
    AppError,
    ComposeError,
    ComposeFileBroken,
    EngineUnavailable,
    ImageNotFound,
    NameInUse,
    NoSpace,
    NotRunning,
    PortInUse,
    StartRefused,
)

STDERR_TAIL = 4000
HIDDEN = "***"

Make = Callable[[re.Match[str], dict[str, Any]], AppError]


class NetworkMissing(ComposeError):
    """The network that a Compose file names was removed behind our back."""

    code = "NETWORK_MISSING"


class PausedAlready(NotRunning):
    """It is frozen, and this needs it thawed."""


def _port_in_use(match: re.Match[str], details: dict[str, Any]) -> AppError:
    port = int(match["port"])
    return PortInUse(f"Port {port} of the host is in use", port=port, **details)


def _refused(message: str) -> Make:
    def make(match: re.Match[str], details: dict[str, Any]) -> AppError:
        return StartRefused(message.format(match[0].strip()), **details)

    return make


def _plain(kind: type[AppError], message: str) -> Make:
    return lambda match, details: kind(message, **details)


def _broken(match: re.Match[str], details: dict[str, Any]) -> AppError:
    line = match["line"] or match["line2"]
    where = f" at line {line}" if line else ""
    return ComposeFileBroken(f"The Compose file cannot be read{where}", line=int(line) if line else None, **details)


TABLE: tuple[tuple[str, Make], ...] = (
    # The port stands after an address, in words that changed with every release of the engine.
    (
        r"(?:[\d.\]:\s]|localhost):(?P<port>\d{1,5})\b[^\n]{0,120}?"
        r"(?:port is already allocated|address already in use)",
        _port_in_use,
    ),
    (r"no space left on device|disk quota exceeded", _plain(NoSpace, "The engine's disk is full")),
    (
        r"(?<!lookup )(?:cannot connect to the docker daemon|failed to connect to the docker api"
        r"|error during connect|unable to resolve docker endpoint|cannot connect to podman"
        r"|docker daemon is not running|connection reset by peer|unexpected EOF|error while dialing"
        r"|(?:^|\n)(?:error )?dial unix)",
        _plain(EngineUnavailable, "The engine does not answer"),
    ),
    (
        r"no such image|image [^\n]* not found|manifest unknown|image not known|pull access denied",
        _plain(ImageNotFound, "The engine has no such image"),
    ),
    (
        r"container name [^\n]* is already in use|name [^\n]* is in use",
        _plain(NameInUse, "A container that is not ours has this name at the engine"),
    ),
    (
        r"network (?P<name>\S+) (?:declared as external, but could )?not (?:be )?found|network not found",
        _plain(NetworkMissing, "The network of the containers is gone"),
    ),
    (
        r"is paused, unpause|is already paused|container is paused|can only [^\n]*running[^\n]*paused",
        _plain(PausedAlready, "The container is paused"),
    ),
    (
        r"no such container|no container found for project|is not running|no container with name"
        r"|container state improper|has no container to start|is not paused|is restarting, wait",
        _plain(NotRunning, "The engine has no running container of this id"),
    ),
    (
        r"failed to parse \S+\.ya?ml(?:[^\n]* at L(?P<line>\d+))?|validating \S+\.ya?ml|yaml: (?:line (?P<line2>\d+))?"
        r"|invalid compose project|compose file \S+ is invalid|invalid interpolation format",
        _broken,
    ),
    (
        r"exec: \\?\"[^\n]*?: executable file not found|executable file [^\n]* not found in \$PATH"
        r"|exec: [^\n]*(?:no such file or directory|permission denied|exec format error)",
        _refused("The command cannot be run: {}"),
    ),
    (r"unable to find (?:user|group) [^\n:]+|no matching entries in (?:passwd|group) file", _refused("{}")),
    (
        r"Range of CPUs is from [^\n\"]+|Minimum memory limit allowed[^\n\"]+|Minimum memoryswap[^\n\"]+"
        r"|cannot assign requested address|invalid (?:CPU|memory|pids|restart policy)[^\n\"]+"
        r"|Cannot mkdir: [^\n]+|error mounting [^\n]+: not a directory",
        _refused("The engine refuses the settings: {}"),
    ),
)
_ROWS = tuple((re.compile(pattern, re.IGNORECASE), make) for pattern, make in TABLE)


def message_of(stderr: str) -> str:
    """What was told to a person: Compose's JSON lines give their messages, other lines stand as they are."""
    told: list[str] = []
    for line in stderr.splitlines():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            told.append(line)
            continue
        if not isinstance(entry, dict):
            told.append(line)
        elif entry.get("error") is True:
            told.append(str(entry.get("message", "")))
        elif "msg" in entry:
            told.append(str(entry["msg"]))
    return "\n".join(filter(None, told))


def hide_values(argv: Sequence[str]) -> list[str]:
    """`argv` with the values of environment variables hidden."""
    hidden: list[str] = []
    for index, word in enumerate(argv):
        after = index > 0 and argv[index - 1] in ("-e", "--env")
        name, equals, _ = word.removeprefix("--env=").partition("=")
        if word.startswith("--env=") or after:
            prefix = "" if after else "--env="
            hidden.append(f"{prefix}{name}={HIDDEN}" if equals else word)
        else:
            hidden.append(word)
    return hidden


def hide(text: str, secrets: Collection[str]) -> str:
    """`text` without the `secrets`, longest first; very short ones would hide everything, and reveal nothing."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 3:
            text = text.replace(secret, HIDDEN)
    return text


def failure(
    argv: Sequence[str],
    code: int,
    stderr: bytes,
    *,
    secrets: Collection[str] = (),
    otherwise: type[AppError] = ComposeError,
) -> AppError:
    """The error that a failed command means; `otherwise` when no row of the table knows it."""
    text = hide(message_of(stderr.decode(errors="replace")), secrets).strip()
    details: dict[str, Any] = {
        "argv": [hide(word, secrets) for word in hide_values(argv)],
        "exit_code": code,
        "stderr": text[-STDERR_TAIL:],
    }
    for pattern, make in _ROWS:
        if match := pattern.search(text):
            return make(match, details)
    last = text.rsplit("\n", 1)[-1] or f"exit code {code}"
    return otherwise(last.removeprefix("Error response from daemon: "), **details)
