"""One program in the browser, from the first log-in until it is gone."""

import re

from pages import Site, drop, enter, load, screen, shell, tab
from playwright.sync_api import Browser, expect

from harness import PYTHON_IMAGE, zipped

BOOT = """
import os, time
print("hello from", os.environ["GREETING"])
while True:
    time.sleep(1)
"""
GREETING = "a $HOME and a 'quote'"


def test_from_the_first_log_in_until_it_is_gone(browser: Browser, site: Site) -> None:
    user, password = site.credentials
    context = browser.new_context(
        http_credentials={"username": user, "password": password}, viewport={"width": 1440, "height": 900}
    )
    page = context.new_page()
    load(page, site.url)

    # Create.
    page.get_by_role("button", name="Create a container").click()
    dialog = page.get_by_role("dialog", name="New container")
    dialog.get_by_label("Image", exact=True).fill(PYTHON_IMAGE)
    dialog.get_by_label("Name (optional)").fill("first")
    dialog.get_by_label("Tags", exact=True).fill("demo, class-a")
    dialog.get_by_text("Environment").click()
    dialog.get_by_role("button", name="Add a variable").click()
    dialog.get_by_label("Name of the variable").fill("GREETING")
    dialog.get_by_label("Its value").fill(GREETING)
    dialog.get_by_text("Limits", exact=True).click()
    dialog.get_by_label("Memory", exact=True).fill("200m")
    dialog.get_by_label("Stop after").fill("8h")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(dialog).to_be_hidden()
    (made,) = site.api("GET", "/containers").json()["containers"]
    assert (made["tags"], made["ttl"], made["resources"]["memory"]) == (["demo", "class-a"], 8 * 3600, "200m")

    # Drop a zip, start, see its output.
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    drop(page, ".pane-files", {"app.zip": zipped({"boot.py": BOOT})})
    expect(page.get_by_role("list", name="Files").get_by_role("button", name="boot.py", exact=True)).to_be_visible()
    page.get_by_role("button", name="Start first").click()
    expect(page.locator(".container-head .state")).to_have_text("Running")
    tab(page, "Logs")
    expect(page.get_by_role("log")).to_have_text(f"hello from {GREETING}")

    # Type, resize, reload: it is the same shell.
    tab(page, "Terminal")
    shell(page)
    enter(page, "number=6; stty size | sed 's/^/wide: /'")
    expect(screen(page)).to_contain_text(re.compile(r"wide: \d+ 1\d\d"))
    page.set_viewport_size({"width": 700, "height": 800})
    enter(page, "stty size | sed 's/^/narrow: /'")
    expect(screen(page)).to_contain_text(re.compile(r"narrow: \d+ [5-9]\d(?!\d)"))
    load(page)
    shell(page)
    expect(screen(page)).to_contain_text("narrow: ")
    enter(page, "echo the same: $((number * 7))")
    expect(screen(page)).to_contain_text("the same: 42")
    assert len(site.api("GET", f"/containers/{made['cuid']}/sessions").json()["sessions"]) == 1

    # A second viewer opens the link that this page copies.
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    page.get_by_role("button", name="Share this shell").click()
    page.get_by_role("menuitem", name="Copy a link to watch").click()
    expect(page.get_by_text("Link copied")).to_be_visible()
    with browser.new_context(http_credentials={"username": user, "password": password}) as other:
        watcher = other.new_page()
        load(watcher, page.evaluate("navigator.clipboard.readText()"))
        expect(watcher.locator(".terminal-state")).to_have_text("Watching")
        expect(screen(watcher)).to_contain_text("the same: 42")
        enter(page, "echo seen by $((1 + 1))")
        expect(screen(watcher)).to_contain_text("seen by 2")

    # Record, and play it again.
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_role("button", name="Record", exact=True)).to_have_attribute("aria-pressed", "true")
    shell(page)
    enter(page, "echo recorded $((40 + 2))")
    expect(screen(page)).to_contain_text("recorded 42")
    enter(page, "exit")
    expect(page.get_by_role("heading", name="The shell has ended")).to_be_visible()
    tab(page, "Recordings")
    page.get_by_role("list", name="Recordings").get_by_role("button").first.click()
    player = page.get_by_role("dialog")
    player.get_by_label("Speed").select_option("8")
    expect(player.locator(".xterm-rows")).to_contain_text("recorded 42")
    page.keyboard.press("Escape")
    expect(player).to_be_hidden()

    # Delete.
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("heading", name="Run your first program")).to_be_visible()
    assert site.api("GET", "/containers").json()["containers"] == []
    context.close()
