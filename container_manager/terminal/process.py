"""What a session asks of the process behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Stream = Literal["stdout", "stderr"]
Output = Callable[[Stream, bytes], None]
"""Takes each piece of output, in order, on the event loop. Must neither block nor raise."""

MAX_COLS = 1000
MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Size:
    """A terminal's size in characters."""

    cols: int = 80
    rows: int = 24


class Process(Protocol):
    """One process with its input, output and end. Everything runs on the event loop."""

    async def start(self, output: Output) -> None:
        """Start it. Raises OSError when there is no such program."""

    def write(self, data: bytes) -> bool:
        """Give it input. Never blocks; False when no more should follow before `drain` returns."""

    async def drain(self) -> None:
        """Wait until it has taken enough of its input for more to be welcome."""

    def discard_input(self) -> None:
        """Forget input that it has not taken yet."""

    def end_input(self) -> None:
        """End its input after what was written so far."""

    def resize(self, size: Size) -> None:
        """Tell it the terminal's size, if it has a terminal."""

    def pause(self) -> None:
        """Stop reading its output, so that it has to wait."""

    def resume(self) -> None:
        """Read its output again."""

    async def wait(self) -> int:
        """Its exit code (128 + n for signal n), after all its output was handed over."""

    async def close(self) -> None:
        """End it by all means and free what it held. May be called at any time, more than once."""
