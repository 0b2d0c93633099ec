"""Makes docs/screenshots/*.png: starts a server of its own, fills it with examples, and looks at it in Chromium.

Needs what `make test` installs, and an engine with the image python:3.12-slim.
"""

import base64
import contextlib
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import requests
from playwright.sync_api import Browser, Error, FilePayload, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from switch import ENGINE, Switch  # type: ignore[import-not-found]  # noqa: E402

TARGET = ROOT / "docs" / "screenshots"
IMAGE = "python:3.12-slim"
FLAGS = ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 780}

CRAWLER = """\
import itertools
import os
import time

COLOURS = {"INFO": 32, "WARN": 33}


def log(level: str, text: str) -> None:
    print(f"\\x1b[2m{time.strftime('%H:%M:%S')}\\x1b[0m \\x1b[{COLOURS[level]}m{level}\\x1b[0m  {text}", flush=True)


print("crawler for", os.environ["TAGS"], flush=True)
for page in itertools.count(1):
    if page % 7:
        log("INFO", f"fetched /catalogue/{page} in {37 * page % 91 + 9} ms")
    else:
        log("WARN", f"/catalogue/{page} answered 503, trying again")
    sum(number * number for number in range(page % 9 * 90_000))
    time.sleep(0.02 if page < 60 else 1)
"""

FILES = {
    "boot.py": CRAWLER,
    "requirements.txt": "",
    "config.toml": 'start = "https://shop.example/catalogue"\nworkers = 4\n',
    "data/pages.csv": "page,milliseconds\n1,46\n2,83\n",
    "data/errors.log": "7 answered 503\n",
}


class Site:
    """The server and its API."""

    def __init__(self, url: str, password: str, engine: Switch) -> None:
        self.url = url
        self.engine = engine
        self.headers = {"Authorization": "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()}

    def api(self, method: str, path: str, **options: object) -> requests.Response:
        """One request, which must succeed."""
        response = requests.request(method, self.url + path, headers=self.headers, timeout=120, **options)  # type: ignore[arg-type]
        if not response.ok:
            raise SystemExit(f"{method} {path}: {response.text}")
        return response

    def create(self, name: str, *steps: str, files: dict[str, str] | None = None, **given: object) -> str:
        """A container with its files, after these steps of its life; its cuid."""
        cuid = str(self.api("POST", "/containers", json={"image": IMAGE, "name": name, **given}).json()["cuid"])
        for path, content in (files or {}).items():
            self.api("PUT", f"/containers/{cuid}/files", params={"path": path}, data=content.encode())
        for step in steps:
            self.api("POST", f"/containers/{cuid}/{step}")
        return cuid


@contextlib.contextmanager
def served() -> Iterator[Site]:
    """A server with an empty data directory, until the block is left; its containers go with it."""
    password = secrets.token_urlsafe(12)
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        log = Path(folder) / "server.log"
        engine = Switch(f"{folder}/engine.sock", ENGINE)
        engine.open()
        given = {"APP_PASS": password, "HOST": "127.0.0.1", "PORT": "0", "DATA_DIR": folder, "PYTHONPATH": str(ROOT)}
        environment = {**os.environ, **given, "DOCKER_HOST": f"unix://{engine.listens}"}
        with log.open("wb") as output:
            server = subprocess.Popen(
                [sys.executable, "-m", "container_manager"],
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            site = Site(_address(server, log), password, engine)
            try:
                yield site
            finally:
                for container in site.api("GET", "/containers?limit=100").json()["containers"]:
                    site.api("DELETE", f"/containers/{container['cuid']}?force=true")
        finally:
            server.terminate()
            server.wait(timeout=30)


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    """The address that the server prints once it can be asked."""
    deadline = time.monotonic() + 60
    while not (found := re.search(r"http://\S+:\d+", log.read_text())):
        if server.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"The server did not start:\n{log.read_text()}")
        time.sleep(0.1)
    return found[0]


@contextlib.contextmanager
def opened(browser: Browser, site: Site, fragment: str, *, dark: bool = False, phone: bool = False) -> Iterator[Page]:
    """The page at `fragment`, for one picture or more."""
    context = browser.new_context(
        extra_http_headers=site.headers,
        viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        device_scale_factor=2 if phone else 1,
        has_touch=phone,
        is_mobile=phone,
        locale="en-GB",
    )
    page = context.new_page()
    while True:
        try:
            page.goto(f"{site.url}/{fragment}")
            page.locator("#new-container").wait_for(state="attached", timeout=10_000)
            break
        except Error as error:
            # Chromium cuts its connections when a container's network comes or goes.
            if "ERR_NETWORK_CHANGED" not in error.message and "Timeout" not in error.message:
                raise
    yield page
    context.close()


def shoot(page: Page, name: str) -> None:
    """Write the picture `name`."""
    page.evaluate("document.fonts.ready")
    page.screenshot(path=TARGET / f"{name}.png", animations="disabled")
    print(f"docs/screenshots/{name}.png")


def enter(page: Page, line: str) -> None:
    """Type a line into the terminal that has the focus."""
    page.locator(".pane-terminal .xterm-helper-textarea").focus()
    page.keyboard.insert_text(line)
    page.keyboard.press("Enter")


def connected(page: Page) -> None:
    """Wait until the terminal is."""
    expect(page.locator(".terminal-state")).to_have_attribute("data-tone", "good")


def shown(page: Page, text: str) -> None:
    """Wait until the terminal has printed `text`."""
    expect(page.locator(".pane-terminal .xterm-rows")).to_contain_text(text)


def fill(site: Site) -> str:
    """Containers in every state; the cuid of the one to look into."""
    serve = "python3 -m http.server 8000"
    site.create("storefront", "start", command=serve, tags=["web", "production"], ports=[{"container": 8000}])
    cuid = site.create(
        "catalogue-crawler",
        "start",
        files=FILES,
        tags=["jobs"],
        env={"START_URL": "https://shop.example", "WORKERS": "4", "API_TOKEN": "not-shown"},
        resources={"cpus": 0.5, "memory": "256m", "pids": 128},
    )
    site.create("student-07", "start", "pause", command="sleep 36000", tags=["class-a"])
    site.create("student-12", "start", command="sh -c 'exit 3'", tags=["class-a"])
    site.create("nightly-report", "start", command="sh -c 'echo done'", tags=["jobs", "nightly"])
    site.create("student-15", tags=["class-a"])
    site.create("preview", "start", command=serve, tags=["web"], ports=[{"container": 8000}])
    return cuid


def pictures(browser: Browser, site: Site) -> None:
    """Every page, once."""
    with opened(browser, site, "") as page:
        expect(page.get_by_role("heading", name="Run your first program")).to_be_visible()
        shoot(page, "first-steps")

    cuid = fill(site)
    for dark in (False, True):
        with opened(browser, site, "", dark=dark) as page:
            expect(page.locator(".row")).to_have_count(7)
            expect(page.locator(".state", has_text="Live")).to_be_visible()
            shoot(page, "dashboard-dark" if dark else "dashboard")

    with opened(browser, site, "") as page:
        expect(page.locator(".row")).to_have_count(7)
        page.get_by_role("button", name="New container").click()
        dialog = page.get_by_role("dialog")
        archive = FilePayload(name="chat-bot.zip", mimeType="application/zip", buffer=bytes(48_000))
        dialog.get_by_label("Files to upload").set_input_files([archive])
        expect(dialog.get_by_label("Name (optional)")).to_have_value("chat-bot")
        dialog.get_by_label("Tags", exact=True).fill("demo, class-a")
        dialog.get_by_text("Ports", exact=True).first.click()
        dialog.get_by_role("button", name="Add a port").click()
        dialog.get_by_label("Port on the server").fill("8081")
        dialog.get_by_label("Port in the container").fill("8000")
        shoot(page, "create")

    with opened(browser, site, f"#/c/{cuid}/overview") as page:
        expect(page.get_by_role("heading", name="Environment")).to_be_visible()
        # The charts have something to show once there are some samples.
        expect(page.locator(".chart path").nth(1)).to_have_attribute("d", re.compile(r"(L.*){12}"))
        shoot(page, "overview")
        page.get_by_role("link", name="Files", exact=True).click()
        expect(page.get_by_role("button", name="boot.py", exact=True)).to_be_visible()
        shoot(page, "files")
        page.get_by_role("button", name="boot.py", exact=True).click()
        expect(page.get_by_label("Content of boot.py")).to_be_visible()
        shoot(page, "edit")
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Compose", exact=True).click()
        expect(page.locator(".yaml")).to_contain_text("mem_limit")
        shoot(page, "compose")

    with opened(browser, site, f"#/c/{cuid}/terminal", dark=True) as page:
        page.get_by_role("button", name="Side by side").click()
        expect(page.get_by_role("log")).to_contain_text("/catalogue/60")
        connected(page)
        page.get_by_role("button", name="Record", exact=True).click()
        expect(page.get_by_role("button", name="Record", exact=True)).to_have_attribute("aria-pressed", "true")
        connected(page)
        for line in ("ls -l --color", "cat config.toml", "echo $WORKERS workers, $(nproc) cores"):
            enter(page, line)
            page.wait_for_timeout(900)  # a recording takes its time
        shown(page, "4 workers")
        shoot(page, "console")
        enter(page, "exit")
        expect(page.get_by_role("heading", name="The shell has ended")).to_be_visible()
        page.get_by_role("link", name="Recordings", exact=True).click()
        page.get_by_role("list", name="Recordings").get_by_role("button").first.click()
        player = page.get_by_role("dialog")
        player.get_by_label("Speed").select_option("8")
        expect(player.get_by_role("button", name="Play", exact=True)).to_be_visible()
        shoot(page, "recording")

    with opened(browser, site, f"#/c/{cuid}/logs") as page:
        expect(page.get_by_role("log")).to_contain_text("/catalogue/60")
        page.get_by_label("Search the log").fill("503")
        expect(page.locator(".find-count")).to_have_text(re.compile(r"\d+/\d+"))
        shoot(page, "logs")

    with opened(browser, site, "") as page:
        page.get_by_role("button", name="Start student-15").click()
        expect(page.get_by_label("Messages").get_by_role("alert")).to_be_visible()
        shoot(page, "error")

    with opened(browser, site, "", phone=True) as page:
        expect(page.locator(".row")).to_have_count(7)
        shoot(page, "phone")
    with opened(browser, site, f"#/c/{cuid}/terminal", phone=True, dark=True) as page:
        connected(page)
        enter(page, "ls --color")
        shown(page, "config.toml")
        shoot(page, "phone-terminal")

    with opened(browser, site, "") as page:
        expect(page.locator(".state", has_text="Live")).to_be_visible()
        site.engine.cut()
        expect(page.locator(".banner")).to_contain_text("4 s ago")
        shoot(page, "engine-away")
        site.engine.open()
        expect(page.locator(".banner")).to_be_hidden()


def main() -> None:
    """All of it."""
    TARGET.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright, served() as site:
        # Without WebGL the terminal's text can be waited for.
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[*FLAGS, "--disable-gpu", "--disable-3d-apis"]
        )
        pictures(browser, site)
        browser.close()


if __name__ == "__main__":
    main()
