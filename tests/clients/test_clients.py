"""Programs of our users' kinds, in their languages, against the real server on the real engine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

PROGRAMS = {
    "python/rest.py": [sys.executable],
    "python/terminal.py": [sys.executable],
    "python/orchestrator.py": [sys.executable],
    "python/named.py": [sys.executable],
    "javascript/rest.js": ["node"],
    "javascript/executor.js": ["node"],
    "go/update.go": ["go", "run"],
    "ruby/control.rb": ["ruby"],
    "shell/workflow.sh": ["sh"],
}


def test_every_program_is_run():
    suffixes = {".py", ".js", ".go", ".rb", ".sh"}
    found = {
        str(path.relative_to(HERE))
        for path in HERE.glob("*/*")
        if path.suffix in suffixes and path.stem != "checks" and path.parent.name != "node_modules"
    }
    assert found == set(PROGRAMS)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("program", PROGRAMS)
def test_client_program(program, live_server):
    command = PROGRAMS[program]
    if shutil.which(command[0]) is None:
        pytest.fail(f"{command[0]} is missing: scripts/clients.sh installs it")
    environment = {
        **os.environ,
        "CM_URL": live_server.url,
        "CM_USER": live_server.user,
        "CM_PASS": live_server.password,
        "CM_IMAGE": "python:3.12-slim",
        "CM_ACTIONS_LOG": str(live_server.data_dir / "logs" / "actions.jsonl"),
    }
    done = subprocess.run(
        [*command, HERE / program], env=environment, capture_output=True, text=True, timeout=200, cwd=HERE, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "ok: " in done.stdout
    assert "FAILED" not in done.stdout
