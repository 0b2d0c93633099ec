"""Real local processes on PTYs and pipes: input and output whole, sizes, signals, and nothing left behind."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from container_manager.terminal.pipe_process import PipeProcess
from container_manager.terminal.process import Process, Size
from container_manager.terminal.pty_process import PtyProcess
from container_manager.terminal.shell import Shell, words
from harness import eventually

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/", "TERM": "xterm-256color", "PS1": "$ ", "LANG": "C.UTF-8"}
PATIENCE = 10.0
STANDARD = Size(80, 24)


class Shown:
    """What a process wrote, and a way to wait for more of it."""

    def __init__(self) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._changed = asyncio.Event()

    def __call__(self, stream: str, data: bytes) -> None:
        (self.stdout if stream == "stdout" else self.stderr).extend(data)
        self._changed.set()

    async def wait(self, predicate: Callable[[bytes], bool]) -> None:
        """Until `predicate` holds for what was written to stdout."""
        async with asyncio.timeout(PATIENCE):
            while not predicate(bytes(self.stdout)):
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture(autouse=True)
async def no_descriptor_is_left() -> AsyncIterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
async def start() -> AsyncIterator[Callable[[Process], "asyncio.Future[Shown]"]]:
    """Starts processes and ends them after the test."""
    started: list[Process] = []

    async def run(process: Process) -> Shown:
        started.append(process)
        shown = Shown()
        await process.start(shown)
        return shown

    yield lambda process: asyncio.ensure_future(run(process))
    for process in started:
        await process.close()
        await process.close()


def pty(*argv: str, size: Size = STANDARD, raw: bool = False) -> PtyProcess:
    return PtyProcess(argv, ENVIRONMENT, size, raw=raw)


def bash(size: Size = STANDARD) -> PtyProcess:
    return pty("bash", "--norc", "--noprofile", "-i", size=size)


async def ended(process: Process) -> int:
    async with asyncio.timeout(PATIENCE):
        return await process.wait()


async def test_all_output_comes_before_the_exit_code(start) -> None:
    process = pty("sh", "-c", "seq 1 50000; exit 7")
    shown = await start(process)
    assert await ended(process) == 7
    assert shown.stdout.split() == [b"%d" % number for number in range(1, 50001)]


async def test_a_signal_is_128_and_its_number(start) -> None:
    process = pty("sh", "-c", "kill -TERM $$")
    await start(process)
    assert await ended(process) == 128 + signal.SIGTERM


async def test_a_program_that_does_not_exist(start) -> None:
    with pytest.raises(FileNotFoundError):
        await start(pty("no-such-program"))
    with pytest.raises(FileNotFoundError):
        await start(PipeProcess(["no-such-program"], ENVIRONMENT, takes_input=True))


async def test_the_size_is_there_from_the_first_moment_and_follows(start) -> None:
    process = bash(Size(101, 31))
    shown = await start(process)
    process.write(b"stty size\n")
    await shown.wait(lambda data: b"31 101" in data)
    process.resize(Size(90, 20))
    process.write(b"stty size\n")
    await shown.wait(lambda data: b"20 90" in data)


async def test_a_resize_signals_the_foreground(start) -> None:
    process = pty("bash", "-c", "trap 'echo WINCH' WINCH; echo ready; while :; do read -t 1; done")
    shown = await start(process)
    await shown.wait(lambda data: b"ready" in data)
    process.resize(Size(40, 10))
    await shown.wait(lambda data: b"WINCH" in data)


async def test_control_c_ends_the_command_and_not_the_shell(start) -> None:
    process = bash()
    shown = await start(process)
    process.write(b"""sh -c "echo run'ning'; exec sleep 1000"\n""")
    await shown.wait(lambda data: b"running" in data)
    process.write(b"\x03")
    await shown.wait(lambda data: data.count(b"$ ") == 2)
    process.write(b"echo still' 'here\n")
    await shown.wait(lambda data: b"still here" in data)
    process.write(b"exit 3\n")
    assert await ended(process) == 3


async def test_a_large_paste_arrives_whole(start, tmp_path: Path) -> None:
    target = tmp_path / "pasted"
    process = pty("sh", "-c", f"stty raw -echo; echo ready; head -c 300000 > {target}; echo done")
    shown = await start(process)
    await shown.wait(lambda data: b"ready" in data)
    pasted = bytes(range(256)) * 1200
    for at in range(0, 300_000, 30_000):
        process.write(pasted[at : at + 30_000])
        await process.drain()
    await shown.wait(lambda data: b"done" in data)
    assert target.read_bytes() == pasted[:300_000]


async def test_input_that_nobody_reads_is_bounded(start) -> None:
    process = pty("sleep", "1000", raw=True)
    await start(process)
    process.write(b"x" * 1_000_000)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(process.drain(), 0.2)
    process.discard_input()
    await process.drain()


async def test_a_raw_terminal_neither_echoes_nor_changes_anything(start) -> None:
    process = pty("sh", "-c", "printf 'ready\\n'; head -c 4; printf 'a\\nb'", raw=True)
    process_shown = await start(process)
    await process_shown.wait(lambda data: b"ready" in data)
    process.write(b"\r\n\x03\x04")
    assert await ended(process) == 0
    assert bytes(process_shown.stdout) == b"ready\n\r\n\x03\x04a\nb"


async def test_while_paused_the_process_waits(start, tmp_path: Path) -> None:
    written = tmp_path / "written"
    process = pty("sh", "-c", f"echo first; seq 1 200000; echo > {written}")
    shown = await start(process)
    await shown.wait(lambda data: b"first" in data)
    process.pause()
    size = len(shown.stdout)
    ending = asyncio.ensure_future(process.wait())
    await asyncio.wait([ending], timeout=0.5)
    assert len(shown.stdout) == size
    assert not ending.done()
    assert not written.exists()
    process.resume()
    async with asyncio.timeout(PATIENCE):
        assert await ending == 0
    assert shown.stdout.split()[-1] == b"200000"


@pytest.mark.parametrize("trap", ["", "trap '' HUP;", "trap '' HUP TERM;"])
async def test_close_ends_the_whole_session(start, trap: str) -> None:
    process = pty("sh", "-c", f"{trap} sleep 1000 & echo $! $$; wait; sleep 1000")
    shown = await start(process)
    await shown.wait(lambda data: data.count(b"\n") == 1)
    numbers = [int(number) for number in shown.stdout.split()]
    await process.close()
    await eventually(lambda: not any(lives(number) for number in numbers))


def lives(number: int) -> bool:
    """Whether this process runs: one that waits to be reaped by its new parent does not."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


async def test_a_helper_left_behind_does_not_hold_up_the_end(start) -> None:
    process = pty("sh", "-c", "trap '' HUP; (trap '' HUP; sleep 1000) & echo $!; exit 5")
    await start(process)
    assert await ended(process) == 5


async def test_pipes_tell_stdout_and_stderr_apart(start) -> None:
    process = PipeProcess(["sh", "-c", "echo out; echo err >&2; cat; exit 4"], ENVIRONMENT, takes_input=True)
    shown = await start(process)
    process.write(b"typed\n")
    process.end_input()
    assert await ended(process) == 4
    assert bytes(shown.stdout) == b"out\ntyped\n"
    assert bytes(shown.stderr) == b"err\n"


@pytest.mark.parametrize("tty", [True, False])
async def test_input_that_comes_before_the_start_is_kept(start, tty: bool) -> None:
    argv = ["sh", "-c", "read line; echo got $line"]
    process = pty(*argv, raw=True) if tty else PipeProcess(argv, ENVIRONMENT, takes_input=True)
    process.write(b"early\n")
    process.end_input()
    shown = await start(process)
    assert await ended(process) == 0
    assert bytes(shown.stdout) == b"got early\n"


async def test_without_input_a_process_reads_nothing(start) -> None:
    process = PipeProcess(["cat"], ENVIRONMENT, takes_input=False)
    shown = await start(process)
    assert await ended(process) == 0
    assert not shown.stdout


async def test_a_process_that_closes_its_input_is_no_error(start) -> None:
    process = PipeProcess(["sh", "-c", "exec 0<&-; echo closed; sleep 0.2"], ENVIRONMENT, takes_input=True)
    shown = await start(process)
    await shown.wait(lambda data: b"closed" in data)
    process.write(b"x" * 1_000_000)
    await process.drain()
    assert await ended(process) == 0


async def test_a_shell_keeps_what_is_typed_before_its_prompt(start) -> None:
    shell = Shell(lambda size: bash(size), STANDARD)
    shell.write(b"echo early' 'bird\n")
    shown = await start(shell)
    shell.write(b"exit 9\n")
    assert await ended(shell) == 9
    assert b"early bird" in shown.stdout
    assert shown.stdout.count(b"echo early") == 1, "echoed once: by the shell, not by the terminal before it"


async def test_a_shell_that_stays_silent_is_started_again(start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("container_manager.terminal.shell.STARTS_WITHIN", 0.3)
    made: list[PtyProcess] = []

    def make(size: Size) -> PtyProcess:
        made.append(bash(size) if made else pty("sleep", "1000"))
        return made[-1]

    shell = Shell(make, Size(70, 20))
    shown = await start(shell)
    shell.write(b"stty size; exit 2\n")
    assert await ended(shell) == 2
    assert len(made) == 2
    assert b"20 70" in shown.stdout


async def test_a_shell_without_a_prompt_gets_its_input_in_the_end(start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("container_manager.terminal.shell.STARTS_WITHIN", 0.1)
    shell = Shell(lambda size: pty("sh", "-c", "read code; exit $code"), STANDARD)
    await start(shell)
    shell.write(b"6\n")
    assert await ended(shell) == 6


async def test_the_best_shell_is_chosen(start) -> None:
    shell = Shell(lambda size: pty(*words(size), size=size), Size(66, 22))
    shown = await start(shell)
    shell.write(b"echo ${BASH_VERSION:+it is bash}; stty size; exit\n")
    assert await ended(shell) == 0
    assert b"it is bash" in shown.stdout
    assert b"22 66" in shown.stdout


async def test_processes_that_are_closed_while_they_start_leave_nothing() -> None:
    for delay in range(10):
        process = bash()
        starting = asyncio.ensure_future(process.start(Shown()))
        await asyncio.wait([starting], timeout=delay * 0.0003)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await process.close()
