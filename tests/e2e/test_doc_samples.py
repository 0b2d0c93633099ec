"""The samples of docs/api.md and of the Python client's page, run as they stand against a real server."""

import os
import re
import subprocess
import sys
from pathlib import Path

from harness import PATIENCE

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(<!-- endless -->\n)?```(bash|python)\n(.*?)```", re.DOTALL)

# A refusal fails the sample; a stream without end is watched for a moment. The answer follows the sample on a line of
# its own, so that a failure shows which it was.
PRELUDE = """\
set -euo pipefail
curl() { command curl --noproxy '*' --fail-with-body --max-time 60 "$@"; }
"""
ENDLESS = """\
{ command curl --noproxy '*' --max-time 1 %s || [ $? = 28 ]; }
"""


def blocks(page: str, language: str) -> list[tuple[bool, str]]:
    """(endless, code) of every block of `language`."""
    found = BLOCK.findall((ROOT / "docs" / page).read_text())
    return [(bool(endless), code) for endless, kind, code in found if kind == language]


def environment(server) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(ROOT),
        "CM": server.url.rstrip("/"),
        "AUTH": f"{server.user}:{server.password}",
        "CONTAINER_MANAGER_URL": server.url,
        "APP_USER": server.user,
        "APP_PASS": server.password,
    }


def run(argv: list[str], server, folder: Path) -> str:
    done = subprocess.run(
        argv,
        cwd=folder,
        env=environment(server),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * PATIENCE,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_every_sample_of_the_api_works(live_server, tmp_path):
    samples = blocks("api.md", "bash")
    assert len(samples) > 50
    script = PRELUDE
    for endless, code in samples:
        script += f"echo; cat <<'SAMPLE'\n$ {code}SAMPLE\n"
        script += ENDLESS % code.strip().removeprefix("curl ") if endless else code
    shown = run(["bash", "-c", script], live_server, tmp_path)
    for expected in ('"applied":"next_start"', '"state":"done"', "hello from c", '"stdout":"typed\\n"'):
        assert expected in shown


def test_the_first_sample_of_the_client_works(live_server, tmp_path):
    (tmp_path / "boot.py").write_text("print('it ran')\n")
    run([sys.executable, "-m", "zipfile", "-c", "my-app.zip", "boot.py"], live_server, tmp_path)
    (tmp_path / "sample.py").write_text(blocks("python-client.md", "python")[0][1])
    assert run([sys.executable, "sample.py"], live_server, tmp_path) == "it ran\nexit code 0\n"
