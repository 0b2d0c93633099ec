"""The command line's grammar: its help teaches what works."""

import shlex
import subprocess
import sys

import pytest

from container_manager.cli import serve
from container_manager.cli.parser import COMMANDS, parse
from container_manager.cli.values import port, seconds, variable

NAMES = [command.name for command in COMMANDS]


def example_lines() -> list[str]:
    return [line for command in COMMANDS for line in command.examples.splitlines()]


def test_no_arguments_serve():
    assert parse([]).run is parse(["serve"]).run is serve.run


@pytest.mark.parametrize("line", example_lines())
def test_every_example_of_the_help_is_a_command(line: str):
    # Of a pipe, the part that is ours; `$(…)` stands for a cuid.
    ours = next(
        part for part in line.replace("$(container-manager ls -q -s running)", "c1").split("|") if "container-" in part
    )
    if ours.startswith("app=$("):
        ours = ours.removeprefix("app=$(").replace(")", "", 1)
    words = shlex.split(ours, comments=True)
    words = words[words.index("container-manager") + 1 :]
    assert callable(parse(words).run)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        parse([name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "Examples:" in shown
    assert f"container-manager {name}" in shown


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parse(["--help"])
    shown = capsys.readouterr().out
    for name in NAMES:
        assert f"\n  {name} " in shown


def test_an_unknown_command_is_wrong_use(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        parse(["fly"])
    assert ended.value.code == 2
    assert "fly" in capsys.readouterr().err


def test_options_after_the_container_belong_to_the_command():
    arguments = parse(["exec", "-u", "root", "hello", "ls", "-u", "--json"])
    assert (arguments.user, arguments.container, arguments.command) == ("root", "hello", ["ls", "-u", "--json"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8080:80", {"host": 8080, "container": 80, "protocol": "tcp"}),
        ("0:53/udp", {"host": 0, "container": 53, "protocol": "udp"}),
        ("127.0.0.1:1:2", {"host": 1, "container": 2, "protocol": "tcp", "host_ip": "127.0.0.1"}),
        ("[::1]:1:2/sctp", {"host": 1, "container": 2, "protocol": "sctp", "host_ip": "::1"}),
    ],
)
def test_ports(text: str, value: dict[str, object]):
    assert port(text) == value


@pytest.mark.parametrize("text", ["80", "80:", ":80", "80:70000", "80:80/icmp", "a:80", "80:80:80:80", ""])
def test_wrong_ports_are_told(text: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        parse(["create", "-p", text])
    assert ended.value.code == 2
    assert "HOST:CONTAINER" in capsys.readouterr().err


def test_times(capsys: pytest.CaptureFixture[str]):
    assert [seconds(text) for text in ("0", "90", "90s", "30m", "8h", "2d")] == [0, 90, 90, 1800, 28800, 172800]
    with pytest.raises(SystemExit):
        parse(["create", "--ttl", "soon"])
    assert "30m" in capsys.readouterr().err


def test_variables():
    assert variable("A=b=c\n") == ("A", "b=c\n")
    with pytest.raises(SystemExit):
        parse(["create", "-e", "A"])


def test_a_reader_that_leaves_is_no_error():
    ended = subprocess.run(
        f"{shlex.quote(sys.executable)} -m container_manager --help | head -1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        timeout=60,
    )
    assert ended.stderr == b""
