"""Everybody who looks at one session: what they see, and how slow they may be."""

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from container_manager.terminal import frames
from container_manager.terminal.channel import READ_AT_ONCE
from container_manager.terminal.decoder import Chunk, Utf8Decoder
from container_manager.terminal.process import Size, Stream
from container_manager.terminal.scrollback import Scrollback, without_queries
from container_manager.terminal.viewer import NORMAL, TOO_SLOW, Viewer

SLOW_FOR = 10.0
"""Seconds that one viewer may hold up the others with a full buffer."""

Kind = Literal["o", "i", "r"]
"""What a witness is told, as asciicast names it: output, input, a new size (`120x40`)."""


class Witness(Protocol):
    """Follows a session without being able to slow it: a recording, a stream of events. Never raises."""

    def saw(self, kind: Kind, text: str) -> None:
        """Something was shown, typed or resized."""

    def ended(self, code: int, reason: str | None) -> None:
        """The session is over."""


class Audience:
    """Viewers in the order in which they came, and witnesses.

    `pause` and `resume` stop and restart the output: it waits while any viewer's buffer is full. One that stays full
    for SLOW_FOR seconds is dropped, unless it is the only one.
    """

    def __init__(self, scrollback: int, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self.viewers: list[Viewer] = []
        self.witnesses: set[Witness] = set()
        self.paused = False
        self._pause = pause
        self._resume = resume
        self._limit = scrollback
        self._streams: dict[Stream, tuple[Scrollback, Utf8Decoder]] = {}
        self._slow: dict[Viewer, asyncio.TimerHandle] = {}
        self._seen = False

    @property
    def size(self) -> Size | None:
        """The smallest window of those who type; None when nobody has told one."""
        sizes = [viewer.size for viewer in self.viewers if viewer.types and viewer.size is not None]
        return Size(min(size.cols for size in sizes), min(size.rows for size in sizes)) if sizes else None

    def show(self, stream: Stream, data: bytes) -> None:
        """Output for everybody."""
        if stream not in self._streams:
            self._streams[stream] = Scrollback(self._limit), Utf8Decoder()
        shown, decoder = self._streams[stream]
        shown.append(data)
        chunk = decoder.feed(data)
        if chunk is not None:
            self._tell(stream, chunk)

    def _tell(self, stream: Stream, chunk: Chunk) -> None:
        frame = unasking = frames.output(stream, chunk)
        if len(self.viewers) > 1 and chunk.encoding == "utf8":
            # Every terminal would answer a query, and the program get as many answers.
            text = without_queries(chunk.data.encode()).decode()
            if text != chunk.data:
                unasking = frames.output(stream, Chunk(text, "utf8"))
        if frame is unasking:
            for viewer in self.viewers:
                viewer.offer(frame)
        else:
            asked = next((viewer for viewer in self.viewers if viewer.types), None)
            for viewer in self.viewers:
                viewer.offer(frame if viewer is asked else unasking)
        if self.witnesses:
            self.witness("o", chunk.text())
        for viewer in self.viewers:
            if viewer.full:
                self._balance()
                break

    def witness(self, kind: Kind, text: str) -> None:
        """Tell the witnesses."""
        for witness in tuple(self.witnesses):
            witness.saw(kind, text)

    def forget(self) -> None:
        """What comes now has nothing to do with what was shown."""
        self._streams.clear()

    def join(self, viewer: Viewer) -> None:
        """Show `viewer` what was shown lately, then all that follows."""
        for stream, (shown, _) in self._streams.items():
            # Nobody has answered the queries yet when nobody has seen them.
            data = shown.replay(queries=not self._seen)
            decoder = Utf8Decoder()
            for start in range(0, len(data), READ_AT_ONCE):
                chunk = decoder.feed(data[start : start + READ_AT_ONCE])
                if chunk is not None:
                    viewer.offer(frames.output(stream, chunk))
        self._seen = True
        viewer.on_room = self._balance
        self.viewers.append(viewer)
        self._balance()

    def part(self, viewer: Viewer) -> None:
        """Forget `viewer`."""
        if viewer in self.viewers:
            self.viewers.remove(viewer)
            viewer.on_room = None
            self._balance()

    def dismiss(self, code: int, reason: str | None) -> None:
        """The session is over: half characters, the `exit`, then everybody is closed."""
        for stream, (_, decoder) in self._streams.items():
            chunk = decoder.flush()
            if chunk is not None:
                self._tell(stream, chunk)
        for viewer in self.viewers:
            viewer.finish(NORMAL, reason or "ended", frames.exited(code, reason))
        for witness in tuple(self.witnesses):
            witness.ended(code, reason)
        for timer in self._slow.values():
            timer.cancel()
        self._slow.clear()

    def _balance(self) -> None:
        if not (self.paused or self._slow or any(viewer.full for viewer in self.viewers)):
            return
        full = [viewer for viewer in self.viewers if viewer.full]
        if bool(full) != self.paused:
            self.paused = bool(full)
            (self._pause if full else self._resume)()
        loop = asyncio.get_running_loop()
        for viewer in full:
            if viewer not in self._slow:
                self._slow[viewer] = loop.call_later(SLOW_FOR, self._too_slow, viewer)
        for viewer in [viewer for viewer in self._slow if viewer not in full]:
            self._slow.pop(viewer).cancel()

    def _too_slow(self, viewer: Viewer) -> None:
        del self._slow[viewer]
        if len(self.viewers) > 1:
            viewer.finish(TOO_SLOW, "too slow for the others")
            self.part(viewer)
        else:
            self._balance()
