"""The terminal in the browser: sizes, colours, search, watchers, helpers, keys. See test_whole_life.py for the rest."""

import re

from pages import Site, Visit, enter, screen, shell
from playwright.sync_api import expect

from harness import PYTHON_IMAGE

SLEEP = "sleep 3600"


def test_the_shell_has_the_size_of_its_window(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, command=SLEEP, start=True)
    page = shell(visit(f"#/c/{cuid}/terminal", viewport={"width": 1400, "height": 900}))
    screen = page.locator(".pane-terminal .xterm-rows")
    enter(page, "stty size | sed 's/^/wide: /'")
    expect(screen).to_contain_text(re.compile(r"wide: \d+ \d+"))
    wide = columns(screen.inner_text(), "wide")

    page.get_by_role("button", name="Side by side").click()
    expect(page.get_by_role("region", name="Logs")).to_be_visible()
    enter(page, "stty size | sed 's/^/beside: /'")
    expect(screen).to_contain_text(re.compile(r"beside: \d+ \d+"))
    assert columns(screen.inner_text(), "beside") < wide * 0.6


def columns(text: str, label: str) -> int:
    """What `stty size` printed behind `label`."""
    found = re.search(rf"{label}: \d+ (\d+)", text.replace("\xa0", " "))
    assert found
    return int(found[1])


def test_colours_and_search_keep_to_the_policy(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, command=SLEEP, start=True)
    page = shell(visit(f"#/c/{cuid}/terminal"))
    enter(page, r"printf '\033[38;2;255;100;0mor\141nge\033[0m and again or\141nge\n'")
    coloured = screen(page).get_by_text("orange", exact=True)
    expect(coloured).to_have_css("color", "rgb(255, 100, 0)")

    page.get_by_role("button", name="Search the terminal").click()
    page.get_by_role("searchbox", name="Search the terminal").fill("orange")
    expect(page.locator(".pane-terminal .find-count")).to_have_text("2/2")
    page.keyboard.press("Enter")
    expect(page.locator(".pane-terminal .find-count")).to_have_text("1/2")
    page.keyboard.press("Escape")
    expect(page.locator(".xterm-helper-textarea")).to_be_focused()


def test_a_second_viewer_watches_and_cannot_type(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, command=SLEEP, start=True)
    owner = shell(visit(f"#/c/{cuid}/terminal"))
    enter(owner, "echo before $((1 + 1))")
    expect(owner.locator(".xterm-rows")).to_contain_text("before 2")
    sid = site.api("GET", f"/containers/{cuid}/sessions").json()["sessions"][0]["sid"]

    watcher = visit(f"#/c/{cuid}/terminal?session={sid}&role=observer", viewport={"width": 800, "height": 500})
    expect(watcher.locator(".terminal-state")).to_have_text("Watching")
    expect(watcher.locator(".xterm-rows")).to_contain_text("before 2")
    enter(watcher, "echo from the watcher")
    enter(owner, "echo after $((2 + 2))")
    expect(watcher.locator(".xterm-rows")).to_contain_text("after 4")
    assert "watcher" not in owner.locator(".xterm-rows").inner_text()

    enter(owner, "exit")
    expect(watcher.get_by_role("heading", name="The shell has ended")).to_be_visible()
    expect(owner.get_by_role("button", name="New shell").last).to_be_visible()


def test_a_helper_types_along(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, command=SLEEP, start=True)
    owner = shell(visit(f"#/c/{cuid}/terminal"))
    sid = site.api("GET", f"/containers/{cuid}/sessions").json()["sessions"][0]["sid"]
    helper = visit(f"#/c/{cuid}/terminal?session={sid}&role=helper", viewport={"width": 800, "height": 500})
    expect(helper.locator(".terminal-state")).to_have_text("Helping")
    enter(helper, "echo from the helper $((3 * 3))")
    expect(screen(owner)).to_contain_text("from the helper 9")


def test_a_container_that_starts_gets_its_shell_by_itself(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, command=SLEEP, name="late")
    page = visit(f"#/c/{cuid}/terminal")
    page.get_by_role("button", name="Start it").click()
    enter(shell(page), "echo up $((20 + 3))")
    expect(page.locator(".xterm-rows")).to_contain_text("up 23")

    site.api("POST", f"/containers/{cuid}/stop")
    expect(page.get_by_role("heading", name="The shell has ended")).to_be_visible()
    site.api("POST", f"/containers/{cuid}/start")
    enter(shell(page), "echo again $((20 + 4))")
    expect(page.locator(".xterm-rows")).to_contain_text("again 24")


def test_the_keyboard_is_never_caught(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, command=SLEEP, start=True)
    page = shell(visit(f"#/c/{cuid}/terminal"))
    expect(page.locator(".xterm-helper-textarea")).to_be_focused()
    # The page's own keys are the shell's here.
    page.keyboard.type("n?/1g")
    expect(screen(page)).to_contain_text("n?/1g")
    page.keyboard.press("F6")
    expect(page.get_by_role("link", name="Terminal", exact=True)).to_be_focused()
