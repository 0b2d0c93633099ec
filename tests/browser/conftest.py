"""A real browser on a real server. Every page that a test opens must keep to our own origin and to its policy."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from pages import Site, Visit, load
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    # Without WebGL the terminal draws text into the document, where a test can read it.
    "--disable-3d-apis",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a module: Playwright's loop must be gone before another module's begins."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def site(live_server: Any) -> Site:
    """The module's server."""
    return Site(live_server.url, live_server.user, live_server.password, live_server.data_dir)


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """Pages on the server; when the test ends they have done nothing wrong, and every container is gone."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def open_page(fragment: str = "", *, at: str = f"{site.url}/", **options: Any) -> Page:
        # As a browser does once its user has logged in.
        context = browser.new_context(extra_http_headers={"Authorization": site.authorization}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.extend(_violations(message)))
        page.on("request", lambda request: complaints.extend(_foreign(request.url, at)))
        load(page, f"{at}{fragment}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    for container in site.api("GET", "/containers?limit=100").json()["containers"]:
        site.api("DELETE", f"/containers/{container['cuid']}?force=true")
    assert not complaints


def _violations(message: ConsoleMessage) -> list[str]:
    """What the browser refused because of the Content-Security-Policy."""
    return [message.text] if "Content Security Policy" in message.text else []


def _foreign(url: str, ours: str) -> list[str]:
    """A request to anybody else."""
    return [] if url.startswith(("data:", "blob:")) or urlsplit(url).port == urlsplit(ours).port else [url]
