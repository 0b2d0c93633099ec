"""What the page does when something goes wrong around it: it says so, keeps what it knows, and goes on by itself."""

import re
import tempfile
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from pages import Site, Visit, load, row, tab
from playwright.sync_api import Browser, Locator, Page, expect
from switch import ENGINE, Switch

from container_manager.settings import Settings
from harness import PYTHON_IMAGE, make_settings

SLEEP = "sleep 3600"


@pytest.fixture(scope="module")
def engine_way() -> Iterator[Switch]:
    """The way from this module's server to the engine."""
    # Not pytest's own folder: the path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="switch-") as folder:
        switch = Switch(f"{folder}/engine.sock", ENGINE)
        switch.open()
        yield switch
        switch.cut()


@pytest.fixture(scope="module")
def live_settings(engine_way: Switch, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The server's engine can go away."""
    return make_settings(tmp_path_factory.mktemp("live"), docker_host=f"unix://{engine_way.listens}")


@pytest.fixture
def server_way(site: Site) -> Iterator[Switch]:
    """A way to the server, beside the straight one."""
    switch = Switch(("127.0.0.1", 0), ("127.0.0.1", urlsplit(site.url).port or 0))
    switch.open()
    yield switch
    switch.cut()


def by(way: Switch) -> str:
    """The server's address by that way."""
    return f"http://127.0.0.1:{way.listens[1]}/"


def banner(page: Page) -> Locator:
    """The line below the top of the page."""
    return page.locator(".banner")


def test_an_engine_that_goes_away_is_told_with_the_age_of_what_is_shown(
    visit: Visit, site: Site, engine_way: Switch
) -> None:
    site.create(PYTHON_IMAGE, name="app", command=SLEEP, start=True)
    site.create(PYTHON_IMAGE, name="other", command=SLEEP)
    page = visit()
    expect(row(page, "app").locator(".state")).to_have_text("Running")
    expect(banner(page)).to_be_hidden()
    engine_way.cut()
    try:
        expect(banner(page)).to_contain_text(re.compile(r"Docker does not answer\. Last seen \d+ s ago"))
        expect(page.locator("#connection")).to_contain_text("Engine away")
        expect(row(page, "app").locator(".state")).to_have_text("Running")
        page.get_by_role("button", name="Start other").click()
        expect(page.get_by_label("Messages").get_by_role("alert")).to_contain_text("Start the engine on the server")
        newcomer = visit()
        expect(banner(newcomer)).to_contain_text("Last seen")
    finally:
        engine_way.open()
    expect(banner(page)).to_be_hidden()
    expect(banner(newcomer)).to_be_hidden()
    page.get_by_role("button", name="Start other").click()
    expect(row(page, "other").locator(".state")).to_have_text("Running")


def test_a_server_that_goes_away_is_told_and_what_was_missed_is_caught_up(
    visit: Visit, site: Site, server_way: Switch
) -> None:
    site.create(PYTHON_IMAGE, name="before")
    page = visit(at=by(server_way))
    expect(row(page, "before")).to_be_visible()
    server_way.cut()
    expect(banner(page)).to_contain_text("The server does not answer")
    site.create(PYTHON_IMAGE, name="meanwhile")
    server_way.open()
    expect(banner(page)).to_be_hidden()
    expect(row(page, "meanwhile")).to_be_visible()
    expect(page.locator("#connection")).to_contain_text("Live")


def test_who_is_logged_out_is_told(visit: Visit, site: Site, server_way: Switch) -> None:
    page = visit(at=by(server_way))
    expect(page.locator("#connection")).to_contain_text("Live")
    # The browser's own question for the password, which a user has dismissed, cannot be shown here.
    refused = {"code": "UNAUTHORIZED", "message": "Wrong user name or password"}
    page.route(re.compile("/(events|healthz)$"), lambda route: route.fulfill(status=401, json=refused))
    server_way.cut()
    server_way.open()
    expect(banner(page)).to_contain_text("You are not logged in any more")
    page.unroute(re.compile("/(events|healthz)$"))
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#connection")).to_contain_text("Live")
    expect(banner(page)).to_be_hidden()


def test_a_broken_file_is_shown_with_its_line(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, name="broken")
    file = site.folder / "compose" / f"{cuid}.yml"
    whole = file.read_text()
    page = visit()
    file.write_text(whole.replace("services:", "services: [", 1))
    expect(row(page, "broken").locator(".state")).to_have_text("Broken file")
    page.get_by_role("link", name="broken").click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"cannot be read.*line \d+", re.DOTALL))
    tab(page, "Compose")
    expect(page.locator(".yaml")).to_contain_text("services: [")
    file.write_text(whole)
    expect(page.locator(".container-head .state")).to_have_text("Not started")


def test_a_container_that_is_deleted_elsewhere_is_told(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, name="gone")
    page = visit(f"#/c/{cuid}/files")
    expect(page.get_by_role("heading", name="gone")).to_be_visible()
    site.api("DELETE", f"/containers/{cuid}")
    expect(page.get_by_text("gone is deleted")).to_be_visible()
    expect(page.get_by_role("heading", name="Containers")).to_be_visible()
    load(page, f"{site.url}/#/c/{cuid}/files")
    expect(page.get_by_role("heading", name="There is no such container")).to_be_visible()


def test_a_page_that_did_not_arrive_whole_says_so(browser: Browser, site: Site) -> None:
    with browser.new_context(extra_http_headers={"Authorization": site.authorization}) as context:
        page = context.new_page()
        context.route("**/web/js/*", lambda route: route.abort())
        devtools = context.new_cdp_session(page)
        devtools.send("Animation.enable")
        devtools.send("Animation.setPlaybackRate", {"playbackRate": 50})
        page.goto(site.url)
        expect(page.get_by_role("heading", name="The page did not arrive whole")).to_be_visible()
        context.unroute("**/web/js/*")
        page.get_by_role("link", name="Load it again").click()
        expect(page.get_by_role("heading", name="Containers")).to_be_visible()
