"""The house: imports run one way, libraries stay in their place, modules stay short, and nothing is a ring."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "container_manager"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 330  # 300, and a tenth for those that would not be clearer in two

# What each part may import of the others. A part is a folder or a module of the package.
VALUES = {"errors", "models", "settings", "__init__"}
MAY_IMPORT = {
    "errors": {"__init__"},
    "models": {"__init__"},
    "settings": {"__init__"},
    "launcher": set[str](),
    "engine": VALUES,
    "store": VALUES,
    "terminal": VALUES,
    "audit": VALUES,
    "services": VALUES | {"engine", "store", "terminal", "audit"},
    "api": VALUES | {"services", "engine", "store", "terminal", "audit"},
    "app": VALUES | {"api", "services", "engine", "store", "terminal", "audit"},
    "client": VALUES,
    "cli": VALUES | {"client", "app", "api", "engine", "store"},
    "__main__": VALUES | {"cli", "app"},
    "__init__": set[str](),
}
MAY_USE = {
    "aiohttp": {"api", "app", "__main__", "client", "cli"},
    "pydantic": {"api", "terminal"},
    "prometheus_client": {"api"},
    "ruamel": {"store"},
    "dotenv": {"settings"},
}


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> tuple[tuple[str, int], ...]:
    """Every module that `path` imports anywhere, in full, with the line; those for type checkers alone too."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    package = ".".join(path.relative_to(PACKAGE.parent).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]).rstrip(".")
            for alias in node.names:
                submodule = PACKAGE.parent.joinpath(*base.split("."), alias.name)
                inside = submodule.is_dir() or submodule.with_suffix(".py").is_file()
                yield (f"{base}.{alias.name}" if inside else base), node.lineno


def test_every_part_has_its_place():
    assert {part(path) for path in MODULES} <= set(MAY_IMPORT)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    own = part(path)
    for name, line in imports(path):
        if not name.startswith("container_manager"):
            continue
        other = [*name.split("."), "__init__"][1]
        assert other == own or other in MAY_IMPORT[own], f"{path}:{line}: {own} may not import {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_stay_in_their_place(path):
    for name, line in imports(path):
        allowed = MAY_USE.get(name.split(".")[0])
        assert allowed is None or part(path) in allowed, f"{path}:{line}: {part(path)} may not use {name}"
        in_frames = path == PACKAGE / "terminal" / "frames.py"
        assert part(path) != "terminal" or name.split(".")[0] != "pydantic" or in_frames, f"{path}:{line}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_are_short(path):
    lines = len(path.read_text().splitlines())
    assert lines <= MAX_LINES


def test_no_module_is_a_drawer_for_everything():
    assert not {path.stem for path in MODULES} & {"utils", "util", "helpers", "common", "misc"}


def test_modules_do_not_import_each_other_in_a_ring():
    names = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in MODULES}
    graph = {name: {other for other, _ in imports(path) if other in names} for name, path in names.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_only_the_settings_read_the_environment():
    # The engine hands PATH, HOME and Docker's own variables on to its commands, and what unpacks beside the server the
    # time zone; they take no setting from there.
    for path in MODULES:
        if part(path) in ("settings", "engine", "launcher") or path.name == "unpacking.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            reads = isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv")
            assert not reads, f"{path}:{node.lineno} reads the environment"


def test_the_values_import_no_library_but_dotenv():
    """What every part builds on is light: it loads in a fresh interpreter without any of the server's libraries."""
    code = "import sys; from container_manager import errors, models, settings; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert not {"aiohttp", "pydantic", "ruamel", "asyncio"} & set(done.stdout.split())
