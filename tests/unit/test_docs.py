"""The documentation is complete: no route, error, command or method without its place, no link that leads nowhere."""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from container_manager import errors
from container_manager.api.routes import ROUTES
from container_manager.cli.parser import COMMANDS
from container_manager.client import Client, Files

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
API = (ROOT / "docs/api.md").read_text()
HEADING = re.compile(r"^### `([A-Z]+) (/[^`]*)`$", re.MULTILINE)


def sections() -> dict[str, str]:
    """ "POST /containers" → what docs/api.md says of it."""
    parts = HEADING.split(API)[1:]
    return {
        f"{method} {path}": re.split(r"^## ", text, flags=re.MULTILINE)[0]
        for method, path, text in zip(*[iter(parts)] * 3, strict=True)
    }


def subclasses(kind: type[errors.AppError]) -> Iterator[type[errors.AppError]]:
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
            yield from subclasses(each)


def test_every_route_is_documented_and_no_other():
    documented = [f"{method} {path}" for method, path in HEADING.findall(API)]
    assert sorted(documented) == sorted({f"{route.method} {route.template}" for route in ROUTES})


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_every_route_has_a_sample(route):
    text = sections()[f"{route.method} {route.template}"]
    if not route.websocket:
        sample = re.search(r"```bash\n(.*?)```", text, re.DOTALL)
        assert sample, "no sample"
        assert "curl " in sample[1]
        assert route.method in ("GET", "POST") or f"-X {route.method}" in sample[1]


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body], ids=lambda route: route.template)
def test_every_field_of_a_body_is_named(route):
    text = sections()[f"{route.method} {route.template}"]
    for name, field in route.body.model_fields.items():
        assert f"{field.alias or name}" in text, name


@pytest.mark.parametrize("route", [route for route in ROUTES if route.query], ids=lambda route: route.template)
def test_every_parameter_of_a_query_is_named(route):
    text = sections()[f"{route.method} {route.template}"]
    for name, field in route.query.model_fields.items():
        assert (field.alias or name) in text, name


def test_every_error_is_documented():
    for kind in subclasses(errors.AppError):
        assert f"`{kind.code}`" in API, kind
        assert f"`{kind.family}`" in API, kind


def test_every_answer_that_is_shown_is_json():
    for text in re.findall(r"```json\n(.*?)```", API, re.DOTALL):
        json.loads(text)


def test_every_command_is_documented():
    page = (ROOT / "docs/cli.md").read_text()
    for command in COMMANDS:
        assert re.search(rf"^\| .*`{command.name}\b", page, re.MULTILINE), command.name


@pytest.mark.parametrize("kind", [Client, Files])
def test_every_method_of_the_client_is_documented(kind):
    page = (ROOT / "docs/python-client.md").read_text()
    for name, _ in inspect.getmembers(kind, inspect.isroutine):
        if not name.startswith("_") and name in vars(kind):
            assert f"{name}(" in page, name


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_leads_nowhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target
