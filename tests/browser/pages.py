"""What tests in the browser share: the server as its API shows it, and the ways of loading and dropping."""

import base64
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Error, Locator, Page, TimeoutError, expect

from harness import zipped

PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)

Visit = Callable[..., Page]
"""`visit("#/", viewport=…)` opens a page as a user of its own."""


class Site:
    """The server, as the API shows it: for what a test needs beside the page."""

    def __init__(self, url: str, user: str, password: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.credentials = (user, password)
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def api(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request, which must succeed."""
        response = requests.request(method, self.url + path, auth=self.credentials, timeout=60, **options)
        assert response.ok, response.text
        return response

    def create(self, image: str, *, files: Mapping[str, str] | None = None, start: bool = False, **given: Any) -> str:
        """A container with these files; its cuid."""
        cuid = str(self.api("POST", "/containers", json={"image": image, **given}).json()["cuid"])
        if files:
            headers = {"Content-Type": "application/zip"}
            self.api("POST", f"/containers/{cuid}/upload-zip", data=zipped(files), headers=headers)
        if start:
            self.api("POST", f"/containers/{cuid}/start")
        return cuid

    def read(self, cuid: str, path: str) -> bytes:
        """A file of a container."""
        return self.api("GET", f"/containers/{cuid}/download", params={"path": path}).content


def load(page: Page, url: str | None = None) -> None:
    """Load `url`, or what is shown once more, until its scripts run.

    Containers come and go on this machine, and Chromium cuts all its connections each time.
    """
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        try:
            page.goto(url) if url else page.reload()
            page.locator("#new-container").wait_for(state="attached", timeout=5000)
            return
        except Error as error:
            cut = "ERR_NETWORK_CHANGED" in error.message or isinstance(error, TimeoutError)
            if not cut or time.monotonic() > deadline:
                raise


def drop(page: Page, selector: str, files: Mapping[str, bytes]) -> None:
    """Drop files onto an element."""
    transfer = page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, content] of Object.entries(files)) {
                const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
                transfer.items.add(new File([bytes], name));
            }
            return transfer;
        }""",
        {name: base64.b64encode(content).decode() for name, content in files.items()},
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event(selector, event, {"dataTransfer": transfer})


def tab(page: Page, name: str) -> None:
    """Go to a tab of the container."""
    page.get_by_role("link", name=name, exact=True).click()


def row(page: Page, name: str) -> Locator:
    """A container's row in the list."""
    return page.locator(".row", has=page.get_by_role("link", name=name, exact=True))


def screen(page: Page) -> Locator:
    """What the terminal shows."""
    return page.locator(".pane-terminal .xterm-rows")


def shell(page: Page) -> Page:
    """`page`, once its shell can be typed to."""
    expect(page.locator(".terminal-state")).to_have_text("Connected")
    return page


def enter(page: Page, line: str) -> None:
    """Type a line into the terminal."""
    page.locator(".pane-terminal .xterm-helper-textarea").focus()
    page.keyboard.insert_text(line)
    page.keyboard.press("Enter")
