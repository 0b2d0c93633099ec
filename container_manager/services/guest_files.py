"""Files written anywhere in a container's own filesystem, through the container itself."""

import secrets

from container_manager.errors import GuestRefused, ValidationError
from container_manager.models import Cuid, ExecResult
from container_manager.services.commands import Command, Commands

_DIRECTORY, _SPECIAL = 21, 22
"""The script's exit codes for a path that is a directory, or a device, pipe or socket."""

# The new content stands beside the target until it is complete, then takes its place. A link is followed, as
# opening it would; it, and a file that is mounted by itself (/etc/hosts), can only be written in place.
_SCRIPT = r"""
set -eu
umask 022
target=$1 folder=${1%/*}
part=$folder/.$2
trap 'rm -f "$part" 2>/dev/null' EXIT
[ ! -d "$target" ] || exit 21
[ ! -e "$target" ] || [ -f "$target" ] || exit 22
[ -z "$folder" ] || [ -d "$folder" ] || mkdir -p "$folder"
# A copy first: it has the mode and the owner that the file keeps.
[ ! -f "$target" ] || cp -p "$target" "$part"
cat >"$part"
size=$(wc -c <"$part" 2>/dev/null) || size=$3
[ "$size" -eq "$3" ] || { echo "only $size bytes arrived" >&2; exit 1; }
if [ -L "$target" ] || ! mv -f "$part" "$target" 2>/dev/null; then cat "$part" >"$target"; fi
"""


class GuestFiles:
    """Writes files into running containers."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def write(self, cuid: Cuid, path: str, content: bytes) -> None:
        """Make or replace the file at the absolute `path`, folders above it included.

        Raises ValidationError when `path` is a directory or a device, GuestRefused when the container
        does not let it be written, NotRunning.
        """
        # Root first, who may write everywhere; without capabilities it may not where an app's own user may.
        result = await self._write(cuid, path, content, user="0:0")
        if result.exit_code not in (0, _DIRECTORY, _SPECIAL):
            result = await self._write(cuid, path, content, user=None)
        if result.exit_code == _DIRECTORY:
            raise ValidationError.field("dest_path", f"{path} is a directory", path, "IS_DIRECTORY")
        if result.exit_code == _SPECIAL:
            raise ValidationError.field("dest_path", f"{path} is a device, a pipe or a socket", path, "NOT_A_FILE")
        if result.exit_code != 0:
            raise GuestRefused(
                f"The container does not let {path} be written",
                stderr=result.stderr.decode(errors="replace")[-2000:].strip(),
                exit_code=result.exit_code,
            )

    async def _write(self, cuid: Cuid, path: str, content: bytes, *, user: str | None) -> ExecResult:
        words = ["sh", "-c", _SCRIPT, "sh", path, f"part-{secrets.token_hex(4)}", str(len(content))]
        return await self._commands.run(cuid, Command(words, user=user, workdir="/", stdin=content))
