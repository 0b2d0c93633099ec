"""What an installation rests on: every package pinned, every make target told and real, no stray executables."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PIN = re.compile(r"([A-Za-z0-9._-]+)==[A-Za-z0-9.+!]+")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(file: str) -> set[str]:
    """The names that `file` pins; an AssertionError for a line that does not pin exactly."""
    names = set()
    for line in (ROOT / file).read_text().splitlines():
        if line.startswith("#") or not line:
            continue
        if line.startswith("-r "):
            names |= pinned(line.removeprefix("-r "))
            continue
        found = PIN.fullmatch(line)
        assert found, f"{file}: {line}"
        names.add(normal(found[1]))
    return names


def named(requirements: list[str]) -> set[str]:
    return {normal(re.match(r"[A-Za-z0-9._-]+", requirement)[0]) for requirement in requirements}


def test_everything_that_the_server_needs_is_pinned():
    assert named(PROJECT["dependencies"]) <= pinned("requirements.txt")


def test_everything_that_the_tests_need_is_pinned():
    assert named(PROJECT["optional-dependencies"]["test"]) <= pinned("requirements-test.txt")


def test_everything_that_the_benchmarks_need_is_pinned():
    assert named(PROJECT["optional-dependencies"]["bench"]) <= pinned("requirements-bench.txt")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_make_alone_lists_every_target():
    told = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^ +make ([a-z-]+)", told, re.MULTILINE)) == targets()


def test_ci_calls_only_what_the_readme_names():
    called = re.findall(r"^make (.*)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert called
    readme = (ROOT / "README.md").read_text()
    for target in called:
        assert target in targets()
        assert f"make {target}" in readme


def test_scripts_that_make_calls_can_be_run():
    called = set(re.findall(r"@(scripts/\S+)", (ROOT / "Makefile").read_text()))
    assert called
    for script in called:
        assert os.access(ROOT / script, os.X_OK), script
