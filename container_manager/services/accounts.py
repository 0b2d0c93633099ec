"""User accounts inside a container, whatever its image has to make them with."""

import asyncio
import time
from dataclasses import dataclass

from passlib.hash import sha512_crypt

from container_manager.errors import GuestRefused, UserExists
from container_manager.models import Cuid
from container_manager.services.commands import Command, Commands
from container_manager.store.locks import Locks

_EXISTS = 9
"""The script's exit code for a name that is taken; useradd's own."""

# Needs a shell and mkdir, no more. The shadow entry comes in on stdin, and only the shell itself ever
# holds it: `read` and `printf` are built in, so that no command line and no environment shows it.
_SCRIPT = r"""
set -eu
PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin
name=$1 shell=$2
IFS= read -r shadow
[ -x "$shell" ] || shell=/bin/sh

# field N FILE: that field of each line.
field() {
    [ -e "$2" ] || return 0
    while IFS=: read -r first _ third _; do
        if [ "$1" = 1 ]; then printf '%s\n' "$first"; else printf '%s\n' "$third"; fi
    done <"$2"
}

# entry FILE LINE: LINE instead of the user's line in FILE, which keeps its owner and mode.
entry() {
    rest=
    if [ -e "$1" ]; then
        while IFS= read -r line || [ -n "$line" ]; do
            case $line in "$name":*) ;; *) rest="$rest$line
" ;; esac
        done <"$1"
    fi
    printf '%s%s\n' "$rest" "$2" >"$1"
}

for taken in $(field 1 /etc/passwd); do
    [ "$taken" != "$name" ] || exit 9
done

if command -v useradd >/dev/null; then
    useradd -m -s "$shell" "$name" </dev/null >&2
else
    case $(adduser --help 2>&1 </dev/null || true) in
    *BusyBox*) adduser -D -s "$shell" "$name" </dev/null >&2 ;;
    *)
        id=1000
        for taken in $(field 3 /etc/passwd; field 3 /etc/group); do
            case $taken in *[!0-9]*) continue ;; esac
            if [ "$taken" -ge "$id" ] && [ "$taken" -lt 60000 ]; then id=$((taken + 1)); fi
        done
        mkdir -p "/home/$name"
        chown "$id:$id" "/home/$name"
        entry /etc/group "$name:x:$id:"
        entry /etc/passwd "$name:x:$id:$id::/home/$name:$shell"
        ;;
    esac
fi
[ -e /etc/shadow ] || (umask 077; : >/etc/shadow)
entry /etc/shadow "$shadow"
"""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to make. Without a password nobody can log in to it; `shell` is what the client would like."""

    username: str
    password: str | None = None
    shell: str = "/bin/bash"


class Accounts:
    """Makes accounts in running containers."""

    def __init__(self, commands: Commands, locks: Locks) -> None:
        self._commands = commands
        self._locks = locks

    async def add(self, cuid: Cuid, account: NewAccount) -> None:
        """Make the account and its home. Its shell is /bin/sh where the container lacks the one asked for.

        Raises UserExists, GuestRefused with what the container's tools said, NotRunning.
        """
        entry = await asyncio.to_thread(_shadow_entry, account)
        async with self._locks.hold(cuid):
            result = await self._commands.run(
                cuid,
                Command(
                    ["sh", "-c", _SCRIPT, "sh", account.username, account.shell],
                    user="0:0",
                    workdir="/",
                    stdin=f"{entry}\n".encode(),
                ),
            )
        if result.exit_code == _EXISTS:
            raise UserExists(f"The container has a user {account.username} already", username=account.username)
        if result.exit_code != 0:
            raise GuestRefused(
                f"The user {account.username} could not be made in this container",
                stderr=result.stderr.decode(errors="replace")[-2000:].strip(),
                exit_code=result.exit_code,
            )


def _shadow_entry(account: NewAccount) -> str:
    """The line for /etc/shadow: a hash of the password, or `!`, which no password matches."""
    hashed = sha512_crypt.hash(account.password) if account.password else "!"
    today = int(time.time() // 86400)
    return f"{account.username}:{hashed}:{today}:0:99999:7:::"
