"""Children: bounded output, timeouts, the end of the whole group."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from container_manager.engine.process import LINE_LIMIT, clean_environment, run, streaming
from container_manager.errors import EngineTimeout, EngineUnavailable
from harness import eventually

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def sh(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def running(pid: int) -> bool:
    """Whether the process lives; a zombie does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


async def gone(pid: int) -> None:
    await eventually(lambda: not running(pid), timeout=5)


async def test_output_and_exit_code() -> None:
    finished = await run(sh("echo out; echo err >&2; exit 3"), ENVIRONMENT, timeout=5)
    assert (finished.code, finished.stdout, finished.stderr, finished.cut) == (3, b"out\n", b"err\n", False)


async def test_stdin_is_fed_and_a_reader_that_leaves_is_no_failure() -> None:
    assert (await run(["cat"], ENVIRONMENT, timeout=5, stdin=b"x" * 300_000)).stdout == b"x" * 300_000
    assert (await run(["true"], ENVIRONMENT, timeout=5, stdin=b"x" * 3_000_000)).code == 0


async def test_output_over_the_limit_is_read_and_dropped() -> None:
    finished = await run(sh("head -c 1000000 /dev/zero; echo done >&2"), ENVIRONMENT, timeout=5, limit=1000)
    assert (len(finished.stdout), finished.cut, finished.stderr) == (1000, True, b"done\n")


async def test_stderr_keeps_its_end() -> None:
    finished = await run(sh("head -c 1000000 /dev/zero >&2; echo end >&2"), ENVIRONMENT, timeout=5)
    assert finished.stderr.endswith(b"end\n")
    assert len(finished.stderr) == 1 << 16


async def test_streams_may_be_one() -> None:
    finished = await run(sh("echo a; echo b >&2; echo c"), ENVIRONMENT, timeout=5, merge_stderr=True)
    assert finished.stdout == b"a\nb\nc\n"


async def test_a_timeout_kills_the_whole_group(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with pytest.raises(EngineTimeout) as caught:
        await run(sh(f"sleep 100 & echo $! > {note}; wait"), ENVIRONMENT, timeout=0.3)
    assert caught.value.details == {"seconds": 0.3}
    await gone(int(note.read_text()))


async def test_a_stranger_that_holds_the_pipe_does_not_hold_us(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = (
        f"import os, time\nif os.fork() == 0:\n os.setsid()\n"
        f" open({str(note)!r}, 'w').write(str(os.getpid()))\n time.sleep(60)"
    )
    try:
        with pytest.raises(EngineTimeout):
            await run([sys.executable, "-c", script], ENVIRONMENT, timeout=1)
    finally:
        os.kill(int(note.read_text()), 9)


async def test_cancelling_kills_the_child(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    task = asyncio.create_task(run(sh(f"echo $$ > {note}; exec sleep 100"), ENVIRONMENT, timeout=60))
    await eventually(lambda: note.exists() and note.read_text().strip(), timeout=5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(int(note.read_text()))


async def test_a_missing_program_is_an_unavailable_engine() -> None:
    with pytest.raises(EngineUnavailable, match="cannot be run"):
        await run(["/nonexistent/docker"], ENVIRONMENT, timeout=5)


async def test_lines_come_as_they_are_written_and_the_end_kills_the_writer() -> None:
    async with streaming(sh("echo one; echo two; exec sleep 100"), ENVIRONMENT) as child:
        lines = child.lines()
        assert [await anext(lines), await anext(lines)] == [b"one", b"two"]
        await lines.aclose()  # type: ignore[attr-defined]
    assert child.process.returncode == -9


async def test_a_line_without_end_is_dropped_and_the_next_is_read() -> None:
    script = f"head -c {3 * LINE_LIMIT} /dev/zero; echo; echo next; echo why >&2; printf last"
    async with streaming(sh(script), ENVIRONMENT) as child:
        assert [line async for line in child.lines()] == [b"next", b"last"]
        assert child.stderr == b"why\n"


async def test_chunks_tell_the_streams_apart() -> None:
    async with streaming(sh("printf out; printf err >&2"), ENVIRONMENT) as child:
        chunks = {name: data async for name, data in child.chunks()}
        assert chunks == {"stdout": b"out", "stderr": b"err"}
        assert await child.process.wait() == 0


async def test_leaving_a_stream_unread_does_not_wait_for_it() -> None:
    async with asyncio.timeout(5):
        async with streaming(["yes"], ENVIRONMENT) as child:
            pass
    assert child.process.returncode == -9


def test_the_environment_is_made_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "APP_PASS": "x",
        "COMPOSE_FILE": "x",
        "DOCKER_CERT_PATH": "/c",
        "DOCKER_HOST": "tcp://o",
    }.items():
        monkeypatch.setenv(name, value)
    environment = clean_environment("")
    assert not environment.keys() & {"APP_PASS", "COMPOSE_FILE", "DOCKER_HOST"}
    assert environment["DOCKER_CERT_PATH"] == "/c"
    assert environment["COMPOSE_DISABLE_ENV_FILE"] == "1"
    assert clean_environment("tcp://mine:1")["DOCKER_HOST"] == "tcp://mine:1"
