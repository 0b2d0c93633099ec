"""`doctor` on machines that lack one thing or another; the engine's command is a small program here."""

import asyncio
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from container_manager.cli.checks import engine, machine, server
from container_manager.settings import Settings

WELL = {
    "ServerVersion": "28.0",
    "OperatingSystem": "Debian",
    "MemoryLimit": True,
    "CpuCfsQuota": True,
    "PidsLimit": True,
}


def fake_docker(folder: Path, script: str) -> dict[str, str]:
    """An environment whose docker command is `script`."""
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}


def test_no_docker_command(tmp_path: Path):
    finding = engine.command({"PATH": str(tmp_path)})
    assert finding.level == "fail"
    assert "apt-get install docker.io" in finding.advice
    assert engine.answers(None).level == "fail"


async def test_an_engine_that_is_well(tmp_path: Path):
    environment = fake_docker(tmp_path, f"echo '{json.dumps(WELL)}'")
    info = await engine.ask(environment)
    assert isinstance(info, dict)
    assert [engine.answers(info).level, engine.limits(info).level] == ["ok", "ok"]
    assert (await engine.base_image(environment)).level == "ok"


async def test_an_engine_that_is_away(tmp_path: Path):
    told = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
    environment = fake_docker(tmp_path, f"echo '{json.dumps({'ServerErrors': [told]})}'; exit 1")
    finding = engine.answers(await engine.ask(environment))
    assert finding.level == "fail"
    assert "systemctl start docker" in finding.advice


async def test_an_engine_that_this_user_may_not_use(tmp_path: Path):
    environment = fake_docker(tmp_path, "echo 'permission denied while trying to connect' >&2; exit 1")
    finding = engine.answers(await engine.ask(environment))
    assert "usermod -aG docker" in finding.advice


async def test_a_missing_image(tmp_path: Path):
    finding = await engine.base_image(fake_docker(tmp_path, "exit 1"))
    assert finding.level == "warn"
    assert "docker pull python:3.12-slim" in finding.advice


@pytest.mark.parametrize(
    ("script", "kind", "level"),
    [
        ("exit 1", "isolated", "ok"),
        ('echo \'{"com.docker.network.bridge.enable_icc":"false"}\'', "isolated", "ok"),
        ("echo null", "isolated", "warn"),
        ("echo null", "bridge", "ok"),
        ("exit 1", "none", "ok"),
    ],
)
async def test_the_network(tmp_path: Path, script: str, kind: str, level: str):
    assert (await engine.networking(WELL, fake_docker(tmp_path, script), kind)).level == level
    assert (await engine.networking({"IPv4Forwarding": False}, {}, "isolated")).level == "warn"


def test_a_kernel_without_limits():
    finding = engine.limits({**WELL, "MemoryLimit": False})
    assert finding.level == "warn"
    assert "memory" in finding.text


def test_folders(tmp_path: Path):
    assert machine.folders(Settings(app_pass="x", data_dir=tmp_path / "not" / "yet")).level != "fail"
    file = tmp_path / "file"
    file.write_text("")
    assert machine.disk(Settings(app_pass="x", data_dir=tmp_path, min_free_bytes=1 << 60)).level == "fail"


def test_few_descriptors(monkeypatch: pytest.MonkeyPatch):
    assert machine.descriptors().level == "ok"
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 1024))
    finding = machine.descriptors()
    assert finding.level == "warn"
    assert "LimitNOFILE" in finding.advice


def test_a_server_takes_as_many_descriptors_as_it_may():
    script = (
        "import resource; from container_manager.cli.serve import use_all_descriptors\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 2000)); use_all_descriptors()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.strip() == "(2000, 2000)"


def test_the_event_loop_goes_first_and_what_it_starts_does_not():
    script = (
        "import os, subprocess, threading; from container_manager.cli.serve import answer_first\n"
        "def priority(): print(os.getpriority(os.PRIO_PROCESS, 0), flush=True)\n"
        "answer_first(); priority(); subprocess.run(['nice'])\n"
        "thread = threading.Thread(target=priority); thread.start(); thread.join()\n"
    )

    def priorities(*before: str) -> list[str]:
        command = [*before, sys.executable, "-c", script]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()

    ours = os.getpriority(os.PRIO_PROCESS, 0)
    if ours == 0:
        raised = subprocess.run(
            ["nice", "-n", "-1", "nice"], capture_output=True, text=True, check=False
        ).stdout.strip()
        assert priorities() == ["-10" if raised == "-1" else "0", "0", "0"]
    # Somebody else has decided: it stays so.
    assert priorities("nice", "-n", "1") == [str(ours + 1)] * 3


async def test_the_port():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    # It accepts and says nothing of use: whoever it is, it is not the server.
    stranger = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = stranger.sockets[0].getsockname()[1]
    settings = Settings(app_pass="x", host="127.0.0.1", port=port)
    assert (await server.port(settings)).level == "fail"
    stranger.close()
    await stranger.wait_closed()
    assert (await server.port(settings)).level == "ok"


def doctor(environment: dict[str, str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "container_manager", "doctor", *words],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_sick_machine_from_end_to_end(tmp_path: Path):
    ended = doctor(fake_docker(tmp_path, "exit 1"), tmp_path, "--json")
    findings = {finding["subject"]: finding for finding in json.loads(ended.stdout)}
    assert ended.returncode == 1
    assert findings["Settings"]["level"] == "fail"
    assert "APP_PASS" in findings["Settings"]["text"]
    assert findings["Engine"]["level"] == "fail"
    assert findings["Python"]["level"] == "ok"


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_well_machine_from_end_to_end(tmp_path: Path, words: tuple[str, ...]):
    environment = fake_docker(tmp_path, f"echo '{json.dumps(WELL)}'")
    ended = doctor({**environment, "APP_PASS": "x", "PORT": "0", "MIN_FREE_BYTES": "0"}, tmp_path, *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "FAIL" not in ended.stdout
    assert "x" not in [finding["text"] for finding in (json.loads(ended.stdout) if words else [])]
