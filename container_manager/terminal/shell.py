"""The interactive shell of a container: which one, how it starts, and what if it does not."""

import asyncio
from collections.abc import Callable

from container_manager.terminal.channel import INPUT_HIGH
from container_manager.terminal.process import Output, Process, Size, Stream

STARTS_WITHIN = 5.0
"""Seconds within which a shell shows its prompt. An engine under load loses the streams of an exec now and then:
such a shell stays silent for ever, and is started again."""

_ATTEMPTS = 3
_EOF = b"\x04"

# Arguments: columns, rows, and a command for `sh`, or nothing for a shell to type in.
# Without a UTF-8 locale readline shows "ü" as "\303\274". A history file would lie among the app's files. A user
# without an entry in /etc/passwd, as of boot.py apps, has no name: bash says so in every prompt, programs fail over it.
_SCRIPT = r"""cd /app 2>/dev/null || cd
stty cols "$1" rows "$2" 2>/dev/null
export LANG="${LANG:-C.UTF-8}" HISTFILE=
[ -z "$3" ] || exec sh -c "$3"
command -v bash >/dev/null 2>&1 || exec sh
if command -v id >/dev/null 2>&1 && ! id -un >/dev/null 2>&1; then
    export USER="${USER:-app}"
    export LOGNAME="${LOGNAME:-$USER}" PROMPT_COMMAND='PS1=${PS1//\\u/$USER}'
fi
exec bash
"""


def words(size: Size, command: str = "") -> tuple[str, ...]:
    """What to run in a container: `command`, or else the best shell it has; in /app, at `size` from the beginning."""
    return ("sh", "-c", _SCRIPT, "sh", str(size.cols), str(size.rows), command)


class Shell:
    """A process that greets before it listens: its input is kept until its first output.

    Input that came before the shell has set up its terminal would be echoed twice, and be lost with a shell that has
    to be started again.
    """

    def __init__(self, make: Callable[[Size], Process], size: Size) -> None:
        self._make = make
        self._size = size
        self._process = make(size)
        self._held = bytearray()
        self._listens = False
        self._greeted = asyncio.Event()
        self._output: Output | None = None

    async def start(self, output: Output) -> None:
        """Start the first attempt; `wait` makes the others."""
        self._output = output
        await self._process.start(self._received)

    def _received(self, stream: Stream, data: bytes) -> None:
        if not self._listens:
            self._listen()
        if self._output is not None:
            self._output(stream, data)

    def _listen(self) -> None:
        self._listens = True
        self._greeted.set()
        self._process.write(bytes(self._held))
        self._held.clear()

    async def wait(self) -> int:
        """The exit code of the shell that greeted, or of the last attempt."""
        for _ in range(_ATTEMPTS - 1):
            if await self._ended_or_greeted():
                break
            await self._process.close()
            self._process = self._make(self._size)
            await self._process.start(self._received)
        else:
            # It may be one without a prompt.
            if not await self._ended_or_greeted():
                self._listen()
        return await self._process.wait()

    async def _ended_or_greeted(self) -> bool:
        waiting = [asyncio.ensure_future(self._greeted.wait()), asyncio.ensure_future(self._process.wait())]
        try:
            done, _ = await asyncio.wait(waiting, timeout=STARTS_WITHIN, return_when=asyncio.FIRST_COMPLETED)
            return bool(done)
        finally:
            for task in waiting:
                task.cancel()
            # Their own cancellation is a result here; one that is raised is meant for whoever waits for the shell.
            await asyncio.gather(*waiting, return_exceptions=True)

    def write(self, data: bytes) -> bool:
        """Type `data`, as soon as somebody listens."""
        if self._listens:
            return self._process.write(data)
        self._held += data
        return len(self._held) <= INPUT_HIGH

    async def drain(self) -> None:
        """Wait until most of the input was taken."""
        if len(self._held) > INPUT_HIGH:
            await self._greeted.wait()
        await self._process.drain()

    def discard_input(self) -> None:
        """Forget what was not taken yet; what is kept for the start stays."""
        self._process.discard_input()

    def end_input(self) -> None:
        """Type ^D."""
        self.write(_EOF)

    def resize(self, size: Size) -> None:
        """Set the terminal's size."""
        self._size = size
        self._process.resize(size)

    def pause(self) -> None:
        """Stop reading."""
        self._process.pause()

    def resume(self) -> None:
        """Read on."""
        self._process.resume()

    async def close(self) -> None:
        """End it."""
        await self._process.close()
        self._greeted.set()  # whoever waits in drain() need not any more
