"""The pages around the containers: live states, filters, keys, widths, colours."""

import re

import pytest
from pages import Site, Visit, load, row, tab
from playwright.sync_api import Browser, Error, expect

from harness import PYTHON_IMAGE


def test_states_change_by_themselves(visit: Visit, site: Site) -> None:
    page = visit()
    expect(page.get_by_role("heading", name="Run your first program")).to_be_visible()

    cuid = site.create(PYTHON_IMAGE, name="elsewhere", command="sleep 3600")
    expect(row(page, "elsewhere").locator(".state")).to_have_text("Not started")
    for verb, word in {"start": "Running", "pause": "Paused", "unpause": "Running"}.items():
        site.api("POST", f"/containers/{cuid}/{verb}")
        expect(row(page, "elsewhere").locator(".state")).to_have_text(word)
    site.api("PATCH", f"/containers/{cuid}", json={"tags": ["changed"]})
    expect(row(page, "elsewhere").get_by_role("button", name="changed")).to_be_visible()
    site.api("DELETE", f"/containers/{cuid}?force=true")
    expect(row(page, "elsewhere")).to_be_hidden()


def test_filters_are_kept_in_the_address(visit: Visit, site: Site) -> None:
    site.create(PYTHON_IMAGE, name="alpha", tags=["web"], command="sleep 3600", start=True)
    site.create(PYTHON_IMAGE, name="beta", tags=["web"])
    site.create(PYTHON_IMAGE, name="gamma", tags=["jobs"])
    page = visit()
    expect(page.locator(".row")).to_have_count(3)

    page.get_by_role("group", name="Filter by tag").get_by_role("button", name="#web").click()
    expect(page.locator(".row")).to_have_count(2)
    page.get_by_role("group", name="Filter by state").get_by_role("button", name="Running").click()
    expect(page.locator(".row")).to_have_count(1)
    expect(page).to_have_url(re.compile("status=running&tag=web"))

    other = visit("#/?tag=web&q=bet")
    expect(other.locator(".row-name")).to_have_text("beta")
    other.get_by_label("Search containers").fill("nothing like it")
    other.get_by_role("button", name="Show all").click()
    expect(other.locator(".row")).to_have_count(3)


def test_everything_is_within_reach_of_the_keyboard(visit: Visit, site: Site) -> None:
    for name in ("first", "second"):
        site.create(PYTHON_IMAGE, name=name)
    page = visit()
    expect(page.locator(".row")).to_have_count(2)

    page.keyboard.press("n")
    expect(page.get_by_role("dialog", name="New container").get_by_label("Image", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    # The key that follows a closed dialog at once goes to the page.
    page.keyboard.press("/")
    expect(page.get_by_label("Search containers")).to_be_focused()
    page.keyboard.type("sec")
    expect(page.locator(".row")).to_have_count(1)
    page.locator(".row-name").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="second")).to_be_visible()
    page.keyboard.press("4")
    expect(page.get_by_role("region", name="Files of the container")).to_be_visible()
    page.keyboard.press("g")
    expect(page.locator(".row")).to_have_count(2)


def test_menus_and_dialogs_by_keyboard(visit: Visit, site: Site) -> None:
    site.create(PYTHON_IMAGE, name="one")
    page = visit()
    more = page.get_by_role("button", name="More for one")
    more.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Logs")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("menuitem", name="Delete…")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_be_hidden()
    expect(more).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name="Delete")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(row(page, "one")).to_be_visible()

    page.get_by_role("link", name="one").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="one")).to_be_visible()
    # The way on begins at the new page, and the skip link leads there, not to another page.
    expect(page.locator("#main")).to_be_focused()
    page.get_by_role("link", name="Skip to content").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.get_by_role("heading", name="one")).to_be_visible()


def test_five_hundred_containers(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, name="pattern")
    pattern = site.api("GET", f"/containers/{cuid}").json()
    many = [
        {**pattern, "cuid": f"c{index:08}-0000-4000-8000-000000000000", "name": f"student-{index}", "tags": ["a" * 120]}
        for index in range(500)
    ]
    page = visit()
    page.route("**/containers?*", lambda route: route.fulfill(json={"containers": many, "next_cursor": None}))
    load(page)
    expect(page.locator(".row")).to_have_count(500)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Search containers").fill("student-49")
    expect(page.locator(".row")).to_have_count(11)
    page.get_by_role("button", name="More for student-499").click()
    expect(page.get_by_role("menuitem", name="Delete…")).to_be_in_viewport()


@pytest.mark.parametrize("width", [360, 768])
def test_nothing_is_wider_than_the_window(visit: Visit, site: Site, width: int) -> None:
    files = {"a-file-with-a-name-that-is-longer-than-any-telephone-is-wide.txt": "x"}
    settings = {"env": {"VARIABLE": "value" * 80}, "tags": ["tag"] * 1, "ports": [{"container": 80}]}
    cuid = site.create(PYTHON_IMAGE, name="a-long-name-for-a-container", files=files, command="sleep 3600", **settings)
    site.api("POST", f"/containers/{cuid}/start")
    page = visit(viewport={"width": width, "height": 740})
    expect(page.locator(".row")).to_have_count(1)
    places = ["list"]
    widths = [page.evaluate("document.documentElement.scrollWidth")]
    page.get_by_role("link", name="a-long-name-for-a-container").click()
    for name in ("Overview", "Logs", "Terminal", "Files", "Recordings", "Compose"):
        tab(page, name)
        expect(page.locator(f"[data-pane={name.lower()}]")).to_be_visible()
        places.append(name)
        widths.append(page.evaluate("document.documentElement.scrollWidth"))
    assert {place: wide for place, wide in zip(places, widths, strict=True) if wide > width} == {}


def test_light_and_dark(visit: Visit) -> None:
    brightness = (
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number).reduce((a, b) => a + b) / 3"
    )
    page = visit(color_scheme="dark")
    expect(page.get_by_role("heading", name="Containers")).to_be_visible()
    assert page.evaluate(brightness) < 60
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(brightness) > 200
    load(page)
    expect(page.get_by_role("heading", name="Containers")).to_be_visible()
    assert page.evaluate(brightness) > 200


def test_a_change_of_the_set_up_is_applied(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, name="settings", command="sleep 3600", env={"OLD": "1", "KEPT": "2"})
    page = visit(f"#/c/{cuid}/overview")
    page.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog", name="Change settings")
    dialog.get_by_label("Tags", exact=True).fill("new")
    dialog.get_by_label("Memory", exact=True).fill("300m")
    dialog.get_by_role("button", name="Remove this line").first.click()
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("They take effect at its next start.")).to_be_visible()
    view = site.api("GET", f"/containers/{cuid}").json()
    assert view["env"] == {"KEPT": "2"}
    assert view["tags"] == ["new"]
    assert view["resources"]["memory"] == "300m"

    tab(page, "Compose")
    expect(page.locator(".yaml")).to_contain_text("300m")


def test_a_user_logs_in(browser: Browser, site: Site) -> None:
    user, password = site.credentials
    with browser.new_context() as stranger:
        page = stranger.new_page()
        with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
            load(page, site.url)
    with browser.new_context(http_credentials={"username": user, "password": password}) as known:
        page = known.new_page()
        load(page, site.url)
        expect(page.get_by_role("heading", name="Run your first program")).to_be_visible()


def test_credentials_in_the_address_do_no_harm(browser: Browser, site: Site) -> None:
    user, password = site.credentials
    context = browser.new_context()
    page = context.new_page()
    load(page, site.url.replace("//", f"//{user}:{password}@"))
    expect(page.get_by_role("heading", name="Run your first program")).to_be_visible()
    context.close()


def test_use_is_drawn_while_it_runs(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, command="sleep 3600", resources={"memory": "200m"}, start=True)
    page = visit(f"#/c/{cuid}/overview")
    expect(page.get_by_role("heading", name="Usage")).to_be_visible()
    expect(page.locator(".charts")).to_contain_text("of 200 MB")
    site.api("POST", f"/containers/{cuid}/stop")
    expect(page.get_by_role("heading", name="Usage")).to_be_hidden()
