"""The command line as people type it: a server process, a real engine, each command once."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from harness import PATIENCE, PYTHON_IMAGE

ROOT = Path(__file__).parents[2]
BOOT = """\
import os, sys, time
print("hello from", os.environ.get("GREETING", "nobody"))
print("to stderr", file=sys.stderr)
while "--stay" in os.environ.get("MODE", ""):
    time.sleep(0.1)
"""


class Cli:
    """`container-manager` against one server, in a directory of its own."""

    def __init__(self, server, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TERM": "xterm",
            "PYTHONPATH": str(ROOT),
            "CONTAINER_MANAGER_URL": server.url,
            "APP_USER": server.user,
            "APP_PASS": server.password,
        }

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "container_manager", *words]

    def run(self, *words: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        done = subprocess.run(
            self.argv(*words),
            cwd=self.folder,
            env=self.environment | dict(environment or {}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return done.returncode, done.stdout, done.stderr

    def __call__(self, *words: str, stdin: str = "") -> str:
        """Standard output of a command that must work."""
        code, stdout, stderr = self.run(*words, stdin=stdin)
        assert code == 0, f"{words}: {code} {stdout}{stderr}"
        return stdout

    def json(self, *words: str) -> object:
        return json.loads(self(*words, "--json"))


@pytest.fixture(scope="module")
def cli(live_server, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    folder = tmp_path_factory.mktemp("cli")
    app = folder / "app"
    app.mkdir()
    (app / "boot.py").write_text(BOOT)
    (app / "data").mkdir()
    (app / "data" / "one.txt").write_text("one\n")
    return Cli(live_server, folder)


@pytest.fixture
def running(cli: Cli) -> Iterator[str]:
    """The name of a container that runs boot.py until it is stopped."""
    name = f"cli-{os.urandom(4).hex()}"
    cli("create", PYTHON_IMAGE, "--name", name, "-e", "GREETING=you", "-e", "MODE=--stay", "-t", "cli-test")
    cli("upload", name, "app")
    cli("start", name)
    try:
        yield name
    finally:
        cli.run("rm", "--force", name)


def test_the_life_of_a_container(cli: Cli):
    cuid = cli("create", PYTHON_IMAGE, "--name", "life", "-e", "GREETING=you", "-t", "a", "--memory", "64m").strip()
    assert re.fullmatch(r"c[0-9a-f-]{36}", cuid)
    uploaded = cli("upload", "life", "app")
    assert re.fullmatch(r"2 files, \d+ B: now in life\n", uploaded)
    assert cli("start", cuid[:13]) == f"{cuid[:13]} started\n"
    assert "hello from you" in cli("logs", "-f", "life")

    row = next(line for line in cli("ls").splitlines() if "life" in line)
    assert cuid[:9] in row
    assert "exited (0)" in row
    shown = cli("show", "life")
    assert cuid in shown
    assert "GREETING=you" in shown
    assert "memory 64m" in shown

    answer = cli.json("set", "life", "-e", "GREETING=me", "--unset", "NONE", "-t", "b", "--cpus", "0.5")
    assert isinstance(answer, dict)
    assert answer["applied"] == "next_start"
    assert (answer["tags"], answer["env"]["GREETING"]) == (["b"], "me")
    cli("restart", "life")
    assert "hello from me" in cli("logs", "-f", "life")
    assert cli("stop", "life") == "life was stopped already\n"

    assert cuid in cli("ls", "-q", "-t", "b")
    assert cuid not in cli("ls", "-q", "-t", "a")
    assert cli("rm", "life") == "life removed\n"
    assert cli.run("show", "life")[0] == 3


def test_run_does_it_all_in_one_step(cli: Cli):
    code, stdout, stderr = cli.run("run", "app", "--name", "once", "-e", "GREETING=all")
    assert code == 0, stderr
    assert "hello from all" in stdout
    assert "to stderr" in stdout
    cli("rm", "once")


def test_run_leaves_nothing_behind_when_it_cannot(cli: Cli):
    (cli.folder / "empty").mkdir()
    (cli.folder / "empty" / "other.py").write_text("")
    code, _, stderr = cli.run("run", "empty", "--name", "never")
    assert code == 4
    assert "boot.py" in stderr
    assert "never" not in cli("ls")


def test_pausing(cli: Cli, running: str):
    assert cli("pause", running) == f"{running} paused\n"
    assert cli.run("exec", running, "true")[0] == 125
    assert cli("unpause", running) == f"{running} unpaused\n"


def test_exec(cli: Cli, running: str):
    assert cli("exec", running, "cat", "data/one.txt") == "one\n"
    code, stdout, stderr = cli.run("exec", "-w", "/tmp", "-e", "A=b", running, "sh", "-c", "pwd; echo $A >&2; exit 7")
    assert (code, stdout, stderr) == (7, "/tmp\n", "b\n")
    assert cli("exec", "-i", running, "cat", stdin="grüße\n") == "grüße\n"
    code, _, stderr = cli.run("exec", "--timeout", "0.5", running, "sleep", "60")
    assert code == 125
    assert "0.5" in stderr
    assert cli.run("exec", running)[0] == 2


def test_files(cli: Cli, running: str):
    assert "boot.py" in cli("files", running)
    assert "one.txt" in cli("files", running, "data")
    cli("download", running, "data/one.txt")
    assert (cli.folder / "one.txt").read_text() == "one\n"
    assert "--force" in cli.run("download", running, "data/one.txt")[2]
    cli("download", running, "data/one.txt", "--force")
    assert cli("download", running, "data/one.txt", "-o", "-") == "one\n"
    cli("download", running, "-o", "all.zip")
    with zipfile.ZipFile(cli.folder / "all.zip") as archive:
        assert {"boot.py", "data/one.txt"} <= set(archive.namelist())
    cli("upload", running, "all.zip", "--path", "copy")
    assert "one.txt" in cli("files", running, "copy/data")
    assert cli.run("download", running, "no/such")[0] == 3
    assert not list(cli.folder.glob(".*.part"))


def test_logs_end_with_ctrl_c(cli: Cli, running: str):
    process = subprocess.Popen(
        cli.argv("logs", "-f", running),
        cwd=cli.folder,
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        lines = {process.stdout.readline(), process.stdout.readline()}
        assert lines == {b"hello from you\n", b"to stderr\n"}
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.communicate()


class Screen:
    """A process in a terminal of its own, and what it has shown so far."""

    def __init__(self, cli: Cli, *words: str) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(cli.folder)
            os.execve(sys.executable, cli.argv(*words), cli.environment)
        self.shown = b""
        self.resize(70, 20)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def until(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text.encode() not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} did not come: {self.shown!r}"
            if select.select([self.descriptor], [], [], 0.1)[0]:
                self.shown += os.read(self.descriptor, 65536)

    def end(self) -> int:
        """The exit code; its output is read to the end."""
        with contextlib.suppress(OSError):
            while chunk := os.read(self.descriptor, 65536):
                self.shown += chunk
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_shell(cli: Cli, running: str):
    screen = Screen(cli, "shell", running)
    screen.type("echo $((6*7)):$PWD\r")
    screen.until("42:/app")
    screen.resize(91, 33)
    deadline = time.monotonic() + PATIENCE
    while b"33 91" not in screen.shown:
        assert time.monotonic() < deadline, screen.shown
        screen.type("stty size; echo done-$((1+1))\r")
        screen.until("done-2")
        screen.shown = screen.shown.replace(b"done-2", b"")
    screen.type("sleep 1000\r")
    screen.until("sleep 1000")
    screen.type("\x03")
    screen.type("exit 5\r")
    assert screen.end() == 5


def test_a_shell_can_be_left(cli: Cli, running: str):
    screen = Screen(cli, "shell", running)
    screen.type("echo up-$((1+1))\r")
    screen.until("up-2")
    screen.type("sleep 4321\r")
    screen.type("\r~.")
    assert screen.end() == 0
    deadline = time.monotonic() + PATIENCE
    while "4321" in cli("exec", running, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"):
        assert time.monotonic() < deadline, "the shell's process outlived it"


def test_a_session_can_be_watched(cli: Cli, running: str):
    assert "Nobody" in cli("sessions", running)
    teacher_sees = "seen-$((2+2))"
    student = Screen(cli, "shell", running)
    student.type(f"echo {teacher_sees}\r")
    student.until("seen-4")
    (session,) = cli.json("sessions", running)
    assert session["sid"] in cli("sessions", running)
    watching = Screen(cli, "shell", running, "--session", session["sid"], "--watch")
    watching.until("seen-4")
    watching.type("exit 9\r")
    student.type("echo still-$((3+3)); exit 3\r")
    assert (student.end(), watching.end()) == (3, 3)
    assert b"still-6" in watching.shown


def test_exec_in_a_terminal(cli: Cli, running: str):
    screen = Screen(cli, "exec", "-t", running, "sh", "-c", "test -t 0 && exit 9")
    assert screen.end() == 9


def test_a_shell_needs_a_terminal(cli: Cli, running: str):
    code, _, stderr = cli.run("shell", running)
    assert code == 2
    assert "container-manager exec" in stderr


def test_errors_are_one_line_and_an_exit_code(cli: Cli, running: str):
    def told(code: int, *words: str, environment: Mapping[str, str] | None = None) -> str:
        ended, stdout, stderr = cli.run(*words, environment=environment)
        assert (ended, stdout) == (code, "")
        assert stderr.count("\n") == 1, stderr
        return stderr

    assert "container-manager ls" in told(3, "start", "nobody")
    assert "NAME" in told(4, "create", "--name", running).upper()
    assert "--force" in told(4, "rm", running)
    assert "APP_PASS" in told(6, "ls", environment={"APP_PASS": "wrong"})
    assert "No server answers" in told(5, "ls", environment={"CONTAINER_MANAGER_URL": "http://127.0.0.1:1"})
    assert "There is no" in told(2, "upload", running, "no-such-directory")
    assert "Nothing to change" in told(2, "set", running)


def test_one_failure_does_not_stop_the_others(cli: Cli, running: str):
    code, stdout, stderr = cli.run("stop", "nobody", running)
    assert code == 3
    assert stdout == f"{running} stopped\n"
    assert stderr.count("\n") == 1


def test_doctor_finds_the_server(cli: Cli, live_server):
    port = live_server.url.rpartition(":")[2].strip("/")
    code, stdout, _ = cli.run(
        "doctor", "--json", environment={"PORT": port, "HOST": "127.0.0.1", "MIN_FREE_BYTES": "0"}
    )
    findings = {finding["subject"]: finding for finding in json.loads(stdout)}
    assert code == 0, stdout
    assert findings["Server"]["text"].startswith(f"runs on port {port}")
    assert findings["Engine"]["level"] == "ok"


def test_serve_says_why_it_does_not(cli: Cli, live_server):
    port = live_server.url.rpartition(":")[2].strip("/")
    code, _, stderr = cli.run(
        "serve", environment={"PORT": port, "HOST": "127.0.0.1", "DATA_DIR": str(cli.folder / "d")}
    )
    assert code == 1
    assert "PORT" in stderr
    assert stderr.count("\n") == 1
    code, _, stderr = cli.run("serve", environment={"PORT": "0", "DATA_DIR": str(live_server.data_dir)})
    assert code == 2
    assert "DATA_DIR is in use" in stderr
    code, _, stderr = cli.run(environment={"PORT": "high"})
    assert code == 2
    assert "PORT is wrong" in stderr
