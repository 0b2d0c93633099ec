"""From what a client asks for to what a session is made of: the commands, and why a process may have ended."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from container_manager.engine.engine import Engine
from container_manager.errors import EngineTimeout
from container_manager.models import SESSION_VARIABLE, Cuid, EngineState
from container_manager.settings import Settings
from container_manager.terminal.pipe_process import PipeProcess
from container_manager.terminal.process import Process, Size
from container_manager.terminal.pty_process import PtyProcess
from container_manager.terminal.session import Mode
from container_manager.terminal.shell import Shell, words
from container_manager.terminal.stream_process import StreamProcess

_NOTICED = 0.5
"""Seconds in which the table of states shows why a process was killed."""

_APP_ENDED = 5.0
"""Seconds in which the table shows the end of an app whose log has ended."""

# Set so that a session needs no other working directory: this server's own may hold a Compose file.
_CHANGE_DIRECTORY = ("sh", "-c", 'cd / && exec "$@"', "sh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a client asks for. `record` None: as RECORD_SESSIONS says."""

    mode: Mode = "auto"
    size: Size | None = None
    command: str = ""
    tty: bool = True
    record: bool | None = None
    record_input: bool = False
    resumable: bool = False

    @property
    def decided(self) -> Mode:
        """The mode, once `auto` is told apart: a client with a window wants a shell."""
        if self.command:
            return "command"
        return "shell" if self.mode == "auto" and self.size is not None else self.mode


class SessionCommands:
    """The processes of one session in one container, as it is now."""

    def __init__(self, engine: Engine, settings: Settings, cuid: Cuid, mark: str, opening: Opening) -> None:
        self._engine = engine
        self._cuid = cuid
        self._mark = mark
        self._opening = opening
        self._began = engine.states.get(cuid)

    def _exec(self, size: Size, *, tty: bool) -> Process:
        """The shell or the command in the container: by the engine's own stream, or else by a client of it."""
        command = words(size, self._opening.command)
        env = {SESSION_VARIABLE: self._mark} | ({"TERM": "xterm-256color"} if tty else {})
        stream = self._engine.exec_stream(self._cuid, command, env=env, tty=tty)
        if stream is not None:
            return StreamProcess(stream, size)
        argv = [*_CHANGE_DIRECTORY, *self._engine.exec_argv(self._cuid, command, env=env, tty=tty)]
        if tty:
            return PtyProcess(argv, self._engine.environment, size, raw=True)
        return PipeProcess(argv, self._engine.environment, takes_input=True)

    def process(self, size: Size) -> Process:
        """The shell, or the command."""
        if self._opening.command:
            return self._exec(size, tty=self._opening.tty)
        return Shell(partial(self._exec, tty=True), size)

    def logs(self, since: datetime | None) -> Process:
        """The app's output from `since` on: by the engine's own stream, or else by a client of it."""
        stream = self._engine.log_stream(self._cuid, since)
        if stream is not None:
            return StreamProcess(stream, self._opening.size or Size())
        moment = since.isoformat() if since is not None else None
        argv = self._engine.logs_argv(self._cuid, tail=None, follow=True, since=moment, timestamps=False)
        return PipeProcess([*_CHANGE_DIRECTORY, *argv], self._engine.environment, takes_input=False)

    async def signal(self, name: str) -> None:
        """Signal the foreground process group."""
        await self._engine.signal_foreground(self._cuid, self._mark, name, user=None)

    async def explain(self, code: int) -> tuple[int, str | None]:
        """The exit code to tell, and the reason when the container's own end was it."""
        if code == 0:
            return code, None
        return code, await self._why(_NOTICED if code > 128 else 0)

    async def explain_app(self, code: int) -> tuple[int, str | None]:
        """The app's exit code once its log has ended."""
        reason = await self._why(_APP_ENDED)
        state = self._engine.states.get(self._cuid)
        if reason is None:
            return code or 1, "the log ended before the app"
        return (state.exit_code if state is not None else None) or 0, reason

    async def _why(self, seconds: float) -> str | None:
        try:
            state = await self._engine.states.wait(self._cuid, self.has_ended, seconds)
        except EngineTimeout:
            return None
        return why(state)

    def has_ended(self, state: EngineState | None) -> bool:
        """Whether the run of the container that the session belongs to is over."""
        if state is None or state.status not in ("running", "paused"):
            return True
        began = self._began
        return began is not None and (state.container_id, state.started_at) != (began.container_id, began.started_at)


def why(state: EngineState | None) -> str:
    """Why a session ended with its container."""
    if state is None:
        return "the container was removed"
    if state.status in ("running", "paused", "restarting"):
        return "the container was restarted"
    if state.oom_killed:
        return "the container ran out of memory"
    return "the container stopped"
