"""A program in the browser, from nothing to gone; its files; its log; what the page says when something is wrong."""

import json
import re
from pathlib import Path

from pages import Site, Visit, drop, load, row
from playwright.sync_api import expect

from harness import PYTHON_IMAGE, zipped

COUNTER = """
import itertools, time
for number in itertools.count():
    print("line", number)
    time.sleep(0 if number < 400 else 0.05)
"""


def test_a_folder_runs_in_one_step(visit: Visit, site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "My program"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "boot.py").write_text("print('it runs')")
    (folder / "__pycache__" / "boot.pyc").write_bytes(b"left out")
    page = visit()
    expect(page.get_by_role("heading", name="Run your first program")).to_be_visible()
    page.locator(".empty-first input[webkitdirectory]").set_input_files(folder)
    dialog = page.get_by_role("dialog", name="New container")
    expect(dialog.locator(".files-field")).to_contain_text("My program")
    expect(dialog.get_by_label("Name (optional)")).to_have_value("My-program")
    expect(dialog.get_by_label("Image", exact=True)).to_have_value(PYTHON_IMAGE)
    dialog.get_by_role("button", name="Create and start").click()
    expect(page.get_by_role("heading", name="My-program")).to_be_visible()
    expect(page.get_by_role("log")).to_have_text("it runs")
    (made,) = site.api("GET", "/containers").json()["containers"]
    entries = site.api("GET", f"/containers/{made['cuid']}/files").json()["entries"]
    assert "__pycache__" not in [entry["name"] for entry in entries]


def test_a_folder_without_a_boot_py_runs_by_a_command(visit: Visit, site: Site, tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "main.py").write_text("import sys; print('given', sys.argv[1:])")
    page = visit()
    page.locator(".empty-first input[webkitdirectory]").set_input_files(tmp_path / "tool")
    dialog = page.get_by_role("dialog", name="New container")
    expect(dialog.locator(".files-field")).to_contain_text("There is no boot.py at its top")
    dialog.get_by_text("A command", exact=True).click()
    expect(dialog.locator(".files-field")).not_to_contain_text("boot.py")
    dialog.get_by_label("Command", exact=True).fill("python -u /app/main.py 'a b'")
    dialog.get_by_role("button", name="Create and start").click()
    expect(page.get_by_role("log")).to_have_text("given ['a b']")


def test_files_dropped_on_the_list_run_in_a_container_of_their_own(visit: Visit, site: Site) -> None:
    site.create(PYTHON_IMAGE, name="there-already")
    page = visit()
    expect(page.locator(".row")).to_have_count(1)
    drop(page, ".dashboard", {"tool.zip": zipped({"readme.txt": "nothing to run"})})
    dialog = page.get_by_role("dialog", name="New container")
    expect(dialog.get_by_label("Name (optional)")).to_have_value("tool")
    dialog.get_by_role("button", name="Take the files away").click()
    expect(dialog.get_by_role("button", name="Create", exact=True)).to_be_visible()
    drop(page, "dialog form", {"boot.py": b"print('dropped')", "data.txt": b"x"})
    dialog.get_by_role("button", name="Create and start").click()
    expect(page.get_by_role("log")).to_have_text("dropped")


def test_the_pull_of_an_image_is_a_bar(visit: Visit, site: Site) -> None:
    site.create("registry.example/image:1", name="pulls")
    page = visit()
    told = {"image": "registry.example/image:1", "layers": 4, "layers_done": 1, "current": 30, "total": 60}
    stream = f"retry: 100\n\nevent: progress\ndata: {json.dumps({'cuid': None, **told})}\n\n"
    page.route("**/events", lambda route: route.fulfill(content_type="text/event-stream", body=stream))
    page.route("**/start", lambda route: None)
    load(page)
    page.get_by_role("button", name="Start pulls").click()
    expect(row(page, "pulls").locator(".state")).to_have_text("Pulling image 50 %")
    bar = row(page, "pulls").locator(".row-bar i")
    expect(bar).to_be_visible()
    assert bar.evaluate("(element) => element.style.getPropertyValue('--done')") == "0.5"
    expect(page.locator("#connection")).to_contain_text("Pulling image 50 %: registry.example/image:1")


def test_a_folder_is_zipped_in_the_browser(visit: Visit, site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "program"
    (folder / "data").mkdir(parents=True)
    (folder / "boot.py").write_text("print('boot')")
    (folder / "run.sh").write_text("#!/bin/sh\necho run\n")
    (folder / "data" / "ünï.txt").write_text("text " * 5000)
    (folder / "data" / "blob.bin").write_bytes(bytes(range(256)) * 400)
    cuid = site.create(PYTHON_IMAGE, name="folder")
    page = visit(f"#/c/{cuid}/files")

    page.locator("input[webkitdirectory]").set_input_files(folder)

    files = page.get_by_role("list", name="Files")
    expect(files.get_by_role("button", name="boot.py", exact=True)).to_be_visible()
    files.get_by_role("button", name="data", exact=True).click()
    expect(files.get_by_role("button", name="ünï.txt", exact=True)).to_be_visible()
    assert site.read(cuid, "data/ünï.txt") == b"text " * 5000
    assert site.read(cuid, "data/blob.bin") == bytes(range(256)) * 400
    modes = {entry["name"]: entry["mode"] for entry in site.api("GET", f"/containers/{cuid}/files").json()["entries"]}
    assert modes["run.sh"] == "0755"
    assert modes["boot.py"] == "0644"


def test_an_upload_shows_how_far_it_is_and_can_be_cancelled(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, name="uploads")
    page = visit(f"#/c/{cuid}/files")
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    page.route("**/upload-zip*", lambda route: None)
    drop(page, ".pane-files", {"app.zip": zipped({"boot.py": "print(1)"})})
    expect(page.get_by_role("progressbar", name="Upload")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Upload cancelled")).to_be_visible()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()


def test_files_are_made_edited_moved_and_deleted(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, name="editor")
    page = visit(f"#/c/{cuid}/files")
    files = page.get_by_role("list", name="Files")

    page.get_by_role("button", name="New file").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("notes.txt")
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_label("Content of notes.txt").fill("one\ntwo\n")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(files.get_by_role("button", name="notes.txt", exact=True)).to_be_visible()
    assert site.read(cuid, "notes.txt") == b"one\ntwo\n"

    files.get_by_role("button", name="notes.txt", exact=True).click()
    expect(page.get_by_label("Content of notes.txt")).to_have_value("one\ntwo\n")
    page.get_by_label("Content of notes.txt").fill("three")
    page.keyboard.press("Control+s")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert site.read(cuid, "notes.txt") == b"three"

    page.get_by_role("button", name="New folder").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("old")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(files.get_by_role("button", name="old", exact=True)).to_be_visible()
    page.get_by_role("button", name="More for notes.txt").click()
    page.get_by_role("menuitem", name="Rename or move…").click()
    page.get_by_label("New path below /app").fill("old/notes.txt")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(files.get_by_role("button", name="notes.txt", exact=True)).to_be_hidden()
    assert site.read(cuid, "old/notes.txt") == b"three"

    page.get_by_role("button", name="More for old").click()
    page.get_by_role("menuitem", name="Delete…").click()
    question = page.get_by_role("dialog", name="Delete old?")
    expect(question).to_contain_text("Its one entry, and all that lies below, will be gone for good.")
    question.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()


def test_unsaved_text_is_not_lost_by_one_key(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, files={"boot.py": "print(1)"})
    page = visit(f"#/c/{cuid}/files")
    page.get_by_role("button", name="boot.py", exact=True).click()
    page.get_by_label("Content of boot.py").fill("print(2)")
    page.keyboard.press("Escape")
    question = page.get_by_role("dialog", name="Leave boot.py unsaved?")
    question.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Content of boot.py")).to_have_value("print(2)")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert site.read(cuid, "boot.py") == b"print(2)"


def test_the_log_goes_on_and_leaves_the_reader_where_he_is(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, files={"boot.py": COUNTER}, name="counter", start=True)
    page = visit(f"#/c/{cuid}/logs")
    log = page.get_by_role("log")
    expect(log.get_by_text("line 420", exact=True)).to_be_attached()
    assert log.evaluate("(element) => element.scrollHeight - element.scrollTop - element.clientHeight") < 40

    log.evaluate("(element) => { element.scrollTop = 1000; }")
    expect(page.locator(".jump")).to_have_text(re.compile(r"[1-9]\d* new"))
    assert log.evaluate("(element) => element.scrollTop") == 1000
    page.locator(".jump").click()
    expect(page.locator(".jump")).to_be_hidden()

    page.get_by_label("Search the log").fill("line 399")
    expect(page.locator(".find-count")).to_have_text("1/1")
    expect(log.get_by_text("line 399", exact=True)).to_be_in_viewport()

    # Chromium breaks off downloads, too, when a container comes or goes: only what would be saved is looked at.
    saving = page.get_by_role("link", name="Save all")
    expect(saving).to_have_attribute("download", "counter.log")
    saved = site.api("GET", str(saving.get_attribute("href"))).text
    assert saved.splitlines()[399].endswith(" line 399")


def test_the_log_of_a_program_that_ends_at_once_is_there_on_every_visit(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, files={"boot.py": "print('only line')"}, start=True)
    page = visit(f"#/c/{cuid}/logs")
    for _ in range(3):
        expect(page.get_by_role("log")).to_have_text("only line")
        expect(page.locator(".log-status")).to_have_text("Ended")
        load(page)
    page.get_by_role("button", name=f"Start {cuid[:9]}").click()
    expect(page.get_by_role("log")).to_have_text("only lineonly line")


def test_errors_say_what_to_do(visit: Visit, site: Site) -> None:
    cuid = site.create(PYTHON_IMAGE, name="bare")
    page = visit(f"#/c/{cuid}/overview")
    page.get_by_role("button", name="Start bare").click()
    message = page.get_by_role("alert")
    expect(message).to_contain_text("There is nothing to run")
    message.get_by_role("button", name="Open files").click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()

    page.keyboard.press("n")
    dialog = page.get_by_role("dialog", name="New container")
    dialog.get_by_label("Image", exact=True).fill("No Such Image")
    dialog.get_by_label("Name (optional)").fill("-")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(dialog.locator("[data-field=image]")).to_contain_text("write for example python:3.12-slim")
    expect(dialog.locator("[data-field=name]")).to_contain_text("letter or digit first")
    dialog.get_by_label("Image", exact=True).fill("python:3.12-slim")
    dialog.get_by_label("Name (optional)").fill("bare")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(dialog).to_contain_text("Choose another name")


def test_odd_names_are_names(visit: Visit, site: Site) -> None:
    names = [
        "<img src=x onerror=alert(1)>.txt",
        "# hash?query=1&x=%41.txt",
        "-rf",
        "quote\"'.py",
        "ü 漢字.txt",
        "n" * 200,
    ]
    cuid = site.create(PYTHON_IMAGE, files={name: f"content of {name}" for name in names})
    page = visit(f"#/c/{cuid}/files")
    files = page.get_by_role("list", name="Files")
    for name in names:
        files.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_label(f"Content of {name}", exact=True)).to_have_value(f"content of {name}")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
