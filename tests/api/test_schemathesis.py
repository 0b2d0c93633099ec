"""The OpenAPI document against a live server: schemathesis writes the requests, right ones and wrong ones."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

HERE = Path(__file__).parent
RUNNING = 6
"""Containers that requests are told of; those that are deleted on the way are 404 from then on."""


@pytest.fixture
def containers(live_server, busybox):
    """Cuids and names of containers that run."""
    cuids = []
    for number in range(RUNNING):
        wanted = {"image": busybox, "name": f"one-{number}", "command": ["sleep", "100000"], "start": True}
        credentials = (live_server.user, live_server.password)
        made = requests.post(f"{live_server.url}/containers", json=wanted, auth=credentials, timeout=60)
        assert made.status_code == 201, made.text
        cuids.append(made.json()["cuid"])
    return cuids, [f"one-{number}" for number in range(RUNNING)]


@pytest.mark.timeout(320)
def test_every_answer_is_a_documented_one(live_server, containers, tmp_path):
    config = tmp_path / "schemathesis.toml"
    cuids, names = containers
    config.write_text(
        f"""\
{(HERE / "schemathesis.toml").read_text()}
[dictionaries]
cuids.values = {json.dumps(cuids)}
names.values = {json.dumps(names)}

[parameters]
"path.cuid" = {{ dictionary = "cuids", probability = 0.8 }}
"path.name" = {{ dictionary = "names", probability = 0.8 }}
"""
    )
    program = Path(sys.executable).with_name("schemathesis")
    arguments = ["--checks", "all", "--max-examples", "3", "--no-color", "--warnings", "off"]
    done = subprocess.run(
        [
            *(program, "--config-file", config, "run", f"{live_server.url}/openapi.json"),
            *("--auth", f"{live_server.user}:{live_server.password}", *arguments),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    counts = re.search(r"Test cases:\n\s+(\d+) generated, (.*)", done.stdout)
    assert counts, done.stdout + done.stderr
    print(f"schemathesis: {counts[1]} requests, {counts[2]}")
    assert done.returncode == 0, done.stdout
    assert int(counts[1]) > 1000
    assert "Traceback" not in live_server.log.read_text(errors="replace")
