"""Files over HTTP: what a client gets, and how it is refused. No engine is needed."""

import asyncio
import io
import json
import os
import socket
import stat
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from harness import Client, eventually, zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")

ZIP = {"Content-Type": "application/zip"}
PART = {"Content-Type": "application/offset+octet-stream"}


@pytest.fixture
async def cuid(client: Client) -> str:
    return await client.create("example/none:1")


def mount_of(client: Client, cuid: str) -> Path:
    return client.settings.data_dir / "mounts" / cuid


def tree(root: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
        if not path.is_symlink()
    }


def is_clean(client: Client) -> bool:
    return not os.listdir(client.settings.data_dir / "staging" / "work")


async def fetch(client: Client, path: str, **options: Any) -> tuple[int, aiohttp.typedefs.LooseHeaders, bytes]:
    async with client.session.get(path, **options) as response:
        return response.status, response.headers, await response.read()


# --- upload-zip ---------------------------------------------------------------------------------


async def test_an_archive_is_unpacked_for_the_containers_user(client: Client, cuid: str) -> None:
    answer = await client.upload(cuid, {"boot.py": "print(1)", "data/config.json": "{}"})
    assert (answer["files"], answer["bytes"], answer["directories"]) == (2, 10, 1)
    root = mount_of(client, cuid)
    assert tree(root) == {"boot.py": b"print(1)", "data": None, "data/config.json": b"{}"}
    for path in (root, root / "boot.py", root / "data", root / "data/config.json"):
        assert (path.stat().st_uid, path.stat().st_gid) == (1000, 1000)
    assert is_clean(client)


async def test_a_numeric_user_of_the_container_owns_its_uploads(client: Client) -> None:
    cuid = await client.create("example/none:1", user="1234:2345")
    await client.upload(cuid, {"x": "1"})
    status = (mount_of(client, cuid) / "x").stat()
    assert (status.st_uid, status.st_gid) == (1234, 2345)


async def test_a_form_works_as_the_raw_body_does(client: Client, cuid: str) -> None:
    form = aiohttp.FormData()
    form.add_field("note", "ignored")
    form.add_field("file", zipped({"a.txt": "form"}), filename="a.zip", content_type="application/zip")
    answer = await client.call("POST", f"/containers/{cuid}/upload-zip", data=form)
    assert answer["files"] == 1
    assert tree(mount_of(client, cuid)) == {"a.txt": b"form"}


async def test_a_form_without_the_field_is_refused(client: Client, cuid: str) -> None:
    form = aiohttp.FormData()
    form.add_field("other", b"x", filename="a.zip")
    await client.refused("POST", f"/containers/{cuid}/upload-zip", data=form, status=400, code="MISSING_FILE")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        b"--x\r\n",
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc',
        b"--x--\r\n",
    ],
)
async def test_a_broken_form_is_refused(client: Client, cuid: str, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    error = await client.call("POST", f"/containers/{cuid}/upload-zip", data=body, headers=headers, expect=400)
    assert error["error"] == "validation_error"


async def test_a_form_without_a_boundary_is_refused(client: Client, cuid: str) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    await client.refused(
        "POST", f"/containers/{cuid}/upload-zip", data=b"--x", headers=headers, status=400, code="BAD_FORM"
    )


async def test_other_content_types_are_refused(client: Client, cuid: str) -> None:
    url = f"/containers/{cuid}/upload-zip"
    headers = {"Content-Type": "text/plain"}
    await client.refused("POST", url, data=b"PK", headers=headers, status=415, code="UNSUPPORTED_MEDIA_TYPE")


async def test_merge_keeps_and_replace_removes(client: Client, cuid: str) -> None:
    await client.upload(cuid, {"a": "1", "d/b": "1", "d/c": "1"})
    await client.upload(cuid, {"a": "2", "d/b": "2", "new/x": "2"})
    assert tree(mount_of(client, cuid)) == {
        "a": b"2", "d": None, "d/b": b"2", "d/c": b"1", "new": None, "new/x": b"2",
    }  # fmt: skip
    await client.upload(cuid, {"b": "3"}, path="/app/d", mode="replace")
    assert tree(mount_of(client, cuid)) == {"a": b"2", "d": None, "d/b": b"3", "new": None, "new/x": b"2"}
    await client.upload(cuid, {"only": "4"}, mode="replace")
    assert tree(mount_of(client, cuid)) == {"only": b"4"}
    assert is_clean(client)


async def test_a_path_is_made_with_its_directories(client: Client, cuid: str) -> None:
    answer = await client.upload(cuid, {"x": "1"}, path="a/b/c")
    assert answer["path"] == "a/b/c"
    assert tree(mount_of(client, cuid)) == {"a": None, "a/b": None, "a/b/c": None, "a/b/c/x": b"1"}


async def test_a_refused_archive_changes_nothing_and_says_why(client: Client, cuid: str) -> None:
    await client.upload(cuid, {"a": "old"})
    error = await client.refused(
        "POST", f"/containers/{cuid}/upload-zip", data=zipped({"a": "new", "../evil": "x"}), headers=ZIP,
        status=400, code="BAD_ZIP",
    )  # fmt: skip
    assert error["details"]["entry"] == "../evil"
    assert "leads up" in error["details"]["reason"]
    assert tree(mount_of(client, cuid)) == {"a": b"old"}
    assert is_clean(client)


async def test_a_file_stands_where_the_archive_has_a_directory(client: Client, cuid: str) -> None:
    await client.upload(cuid, {"a": "file", "d/x": "1"})
    for files in ({"a/b": "x"}, {"d": "now a file"}):
        await client.refused(
            "POST", f"/containers/{cuid}/upload-zip", data=zipped(files), headers=ZIP, status=409, code="PATH_EXISTS"
        )
    assert tree(mount_of(client, cuid)) == {"a": b"file", "d": None, "d/x": b"1"}


async def test_nothing_is_written_through_a_link(client: Client, cuid: str, tmp_path: Path) -> None:
    os.symlink(tmp_path, mount_of(client, cuid) / "out")
    os.symlink(tmp_path / "target", mount_of(client, cuid) / "file")
    for call in (
        ("POST", f"/containers/{cuid}/upload-zip?path=out", zipped({"x": "1"}), ZIP),
        ("POST", f"/containers/{cuid}/upload-zip", zipped({"out/x": "1"}), ZIP),
        ("PUT", f"/containers/{cuid}/files?path=out/x", b"1", {}),
    ):
        method, url, data, headers = call
        await client.refused(method, url, data=data, headers=headers, status=400, code="PATH_OUTSIDE_MOUNT")
    await client.upload(cuid, {"file": "replaces the link itself"})
    assert not (mount_of(client, cuid) / "file").is_symlink()
    assert os.listdir(tmp_path) == []


async def uploading(client: Client, cuid: str, body: bytes) -> asyncio.StreamWriter:
    """A connection on which an upload of `body` has begun; nothing of it is sent yet."""
    url = urlsplit(client.url)
    _reader, writer = await asyncio.open_connection(url.hostname, url.port)
    auth = aiohttp.encode_basic_auth(client.settings.app_user, client.settings.app_pass)
    head = (
        f"POST /containers/{cuid}/upload-zip HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n"
        f"Content-Type: application/zip\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode())
    return writer


async def uploads_of(client: Client, cuid: str) -> list[dict[str, Any]]:
    uploads: list[dict[str, Any]] = (await client.call("GET", f"/containers/{cuid}/uploads"))["uploads"]
    return uploads


async def test_a_client_that_leaves_half_way_leaves_nothing(client: Client, cuid: str) -> None:
    body = zipped({"x": os.urandom(3 << 20)})
    writer = await uploading(client, cuid, body)
    writer.write(body[: 2 << 20])
    await writer.drain()
    [seen] = await eventually(lambda: uploads_of(client, cuid))
    assert (seen["state"], seen["resumable"], seen["size"]) == ("receiving", False, len(body))
    writer.close()
    await eventually(lambda: ended(client, cuid))
    assert is_clean(client)
    assert tree(mount_of(client, cuid)) == {}


async def ended(client: Client, cuid: str) -> bool:
    return not await uploads_of(client, cuid)


async def test_a_client_that_leaves_a_large_archive_to_be_unpacked_changes_all_or_nothing(
    client: Client, cuid: str
) -> None:
    files = {f"{number % 10}/{number}": os.urandom(4000) for number in range(1500)}
    body = zipped(files)
    writer = await uploading(client, cuid, body)
    writer.write(body)
    await writer.drain()
    await eventually(lambda: arrived(client, cuid))
    writer.close()
    await eventually(lambda: ended(client, cuid))
    assert is_clean(client)
    there = {name: content for name, content in tree(mount_of(client, cuid)).items() if content is not None}
    assert there in ({}, files)


async def arrived(client: Client, cuid: str) -> bool:
    return all(upload["state"] == "unpacking" for upload in await uploads_of(client, cuid))


async def test_a_large_archive_is_unpacked_as_a_small_one_is(client: Client, cuid: str) -> None:
    files = {f"{number % 10}/{number}": os.urandom(4000) for number in range(1000)}
    answer = await client.upload(cuid, files)
    assert (answer["files"], answer["bytes"], answer["directories"]) == (1000, 4_000_000, 10)
    root = mount_of(client, cuid)
    assert {name: content for name, content in tree(root).items() if content is not None} == files
    assert {(path.stat().st_uid, path.stat().st_gid) for path in root.rglob("*")} == {(1000, 1000)}
    broken = bytearray(zipped(files))
    broken[len(broken) // 2] ^= 1
    url = f"/containers/{cuid}/upload-zip?mode=replace"
    answer = await client.refused("POST", url, data=bytes(broken), headers=ZIP, status=400, code="BAD_ZIP")
    assert answer["details"]["entry"]
    assert {name: content for name, content in tree(root).items() if content is not None} == files
    assert is_clean(client)


async def test_unknown_containers_and_modes_are_refused(client: Client, cuid: str) -> None:
    url = f"/containers/{cuid}/upload-zip"
    await client.refused("POST", "/containers/c00000000-0000-4000-8000-000000000000/upload-zip", data=b"x", headers=ZIP,
                         status=404, code="CONTAINER_NOT_FOUND")  # fmt: skip
    await client.refused("POST", f"{url}?mode=sideways", data=b"x", headers=ZIP, status=400, code="INVALID_VALUE")


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "..", "/", "/app/../x", "//etc"])
async def test_paths_that_lead_out_are_refused(client: Client, cuid: str, path: str) -> None:
    expected = {"/": "PATH_OUTSIDE_MOUNT"}.get(path, "PATH_OUTSIDE_MOUNT")
    for method, verb in (("GET", "download"), ("GET", "files"), ("GET", "download-zip"), ("DELETE", "files")):
        await client.refused(method, f"/containers/{cuid}/{verb}", params={"path": path}, status=400, code=expected)


@pytest.mark.parametrize("query", ["path=%00", "path=a%00b", "path=%ff", "path=%ed%a0%80", "path=" + "x" * 5000])
async def test_paths_that_no_file_can_have_are_refused(client: Client, cuid: str, query: str) -> None:
    for method, verb in (("GET", "download"), ("GET", "files"), ("PUT", "files"), ("DELETE", "files")):
        error = await client.call(method, f"/containers/{cuid}/{verb}?{query}", expect=400)
        assert error["error"] == "validation_error"


# --- download -----------------------------------------------------------------------------------


async def test_a_file_is_sent_whole_in_part_or_not_at_all(client: Client, cuid: str) -> None:
    content = os.urandom(1_500_000)
    await client.upload(cuid, {"data.bin": content})
    url = f"/containers/{cuid}/download?path=data.bin"
    status, headers, body = await fetch(client, url)
    assert (status, body) == (200, content)
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Length"] == str(len(content))
    etag = headers["ETag"]
    for asked, start, end in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, len(content)),
        ("bytes=-7", len(content) - 7, len(content)),
        ("bytes=1499999-9999999", 1_499_999, len(content)),
    ):
        status, headers, body = await fetch(client, url, headers={"Range": asked})
        assert (status, body) == (206, content[start:end])
        assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(content)}"
    for asked in ("bytes=9-5", "bytes=x", "lines=1-2", "bytes=0-1,5-6", "bytes=-"):
        assert (await fetch(client, url, headers={"Range": asked}))[0] == 200
    for asked in ("bytes=1500000-", "bytes=-0"):
        status, headers, body = await fetch(client, url, headers={"Range": asked})
        assert (status, headers["Content-Range"]) == (416, "bytes */1500000")
        assert json.loads(body)["code"] == "RANGE_NOT_SATISFIABLE"
    assert (await fetch(client, url, headers={"If-None-Match": etag}))[::2] == (304, b"")
    assert (await fetch(client, url, headers={"If-None-Match": f'"other", W/{etag}'}))[0] == 304
    assert (await fetch(client, url, headers={"If-None-Match": '"other"'}))[0] == 200
    assert (await fetch(client, url, headers={"If-Modified-Since": headers["Date"]}))[0] in (200, 304)
    assert (await fetch(client, url, headers={"Range": "bytes=0-9", "If-Range": etag}))[0] == 206
    assert (await fetch(client, url, headers={"Range": "bytes=0-9", "If-Range": '"old"'}))[0] == 200
    async with client.session.head(url) as head:
        assert (head.status, head.headers["Content-Length"], head.headers["ETag"]) == (200, "1500000", etag)


async def test_an_empty_file_is_sent(client: Client, cuid: str) -> None:
    await client.upload(cuid, {"empty": ""})
    assert (await fetch(client, f"/containers/{cuid}/download?path=empty"))[::2] == (200, b"")


@pytest.mark.parametrize(
    "name", ["täst.txt", "日本語 €.md", 'a"b\\c.txt', "new\nline", "semi;colon", "%2e%2e", "🚀", "-x"]
)
async def test_every_name_can_be_downloaded(client: Client, cuid: str, name: str) -> None:
    (mount_of(client, cuid) / name).write_bytes(b"here")
    async with client.session.get(f"/containers/{cuid}/download", params={"path": name}) as response:
        assert await response.read() == b"here"
        disposition = response.headers["Content-Disposition"]
        assert disposition.startswith("attachment; filename=")
        assert response.content_disposition is not None
        assert response.content_disposition.filename == name
    listing = await client.call("GET", f"/containers/{cuid}/files")
    assert [entry["name"] for entry in listing["entries"]] == [name]


async def test_links_are_followed_inside_and_never_out(client: Client, cuid: str, tmp_path: Path) -> None:
    root = mount_of(client, cuid)
    (root / "releases").mkdir()
    (root / "releases/1").write_text("inside")
    (tmp_path / "secret").write_text("secret")
    os.symlink("releases/1", root / "current")
    os.symlink(tmp_path, root / "out")
    os.symlink("/proc/self/root/etc/passwd", root / "magic")
    os.mkfifo(root / "pipe")
    os.mknod(root / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    url = f"/containers/{cuid}/download"
    assert (await fetch(client, url, params={"path": "current"}))[2] == b"inside"
    for path in ("out/secret", "magic", "out"):
        await client.refused("GET", url, params={"path": path}, status=400, code="PATH_OUTSIDE_MOUNT")
    for path in ("pipe", "zero", "releases", "absent", "releases/1/x"):
        await client.refused("GET", url, params={"path": path}, status=404, code="FILE_NOT_FOUND")
    await client.refused("GET", f"/containers/{cuid}/files?path=out", status=400, code="PATH_OUTSIDE_MOUNT")
    await client.refused("GET", f"/containers/{cuid}/download-zip?path=out", status=400, code="PATH_OUTSIDE_MOUNT")
    _, _, body = await fetch(client, f"/containers/{cuid}/download-zip")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert sorted(archive.namelist()) == ["current", "releases/", "releases/1"]
        assert stat.S_ISLNK(archive.getinfo("current").external_attr >> 16)
        assert archive.read("current") == b"releases/1"


async def test_a_directory_comes_as_an_archive_that_can_go_back(client: Client, cuid: str) -> None:
    files = {
        "a.txt": b"a" * 100_000,
        "sub/b.bin": os.urandom(2_500_000),
        "sub/deep/ü": b"",
        "big.txt": b"line\n" * 900_000,
    }
    await client.upload(cuid, files)
    root = mount_of(client, cuid)
    (root / "a.txt").chmod(0o755)
    os.utime(root / "a.txt", (1_600_000_001, 1_600_000_001))
    (root / "empty").mkdir()
    status, headers, body = await fetch(client, f"/containers/{cuid}/download-zip")
    assert (status, headers["Content-Type"]) == (200, "application/zip")
    assert f"{cuid}.zip" in headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        assert archive.getinfo("a.txt").external_attr >> 16 == stat.S_IFREG | 0o755
        assert "empty/" in archive.namelist()
    other = await client.create("example/none:1")
    await client.call("POST", f"/containers/{other}/upload-zip", data=body, headers=ZIP)
    assert tree(mount_of(client, other)) == tree(root)
    assert (mount_of(client, other) / "a.txt").stat().st_mtime == 1_600_000_001
    assert (mount_of(client, other) / "a.txt").stat().st_mode & 0o777 == 0o755
    _, _, part = await fetch(client, f"/containers/{cuid}/download-zip?path=sub")
    with zipfile.ZipFile(io.BytesIO(part)) as archive:
        assert sorted(archive.namelist()) == ["b.bin", "deep/", "deep/ü"]


async def test_a_client_may_leave_an_archive_at_any_time(client: Client, cuid: str) -> None:
    await client.upload(cuid, {f"{number}.bin": os.urandom(4 << 20) for number in range(6)})
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        response = await client.session.get(f"/containers/{cuid}/download-zip")
        await response.content.readexactly(100_000)
        response.close()
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= before, what="descriptors closed")


async def test_a_missing_directory_is_not_found(client: Client, cuid: str) -> None:
    for verb in ("download-zip", "files", "download"):
        await client.refused("GET", f"/containers/{cuid}/{verb}?path=no", status=404, code="FILE_NOT_FOUND")


# --- single files, directories ------------------------------------------------------------------


async def test_a_directory_is_listed_page_by_page(client: Client, cuid: str) -> None:
    await client.upload(cuid, {f"d/{number:03}": "x" * number for number in range(25)})
    (mount_of(client, cuid) / os.fsdecode(b"d/\xff")).write_text("")
    names: list[str] = []
    cursor: str | None = None
    while True:
        params = {"path": "d", "limit": "10"} | ({"cursor": cursor} if cursor else {})
        page = await client.call("GET", f"/containers/{cuid}/files", params=params)
        names += [entry["name"] for entry in page["entries"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == [f"{number:03}" for number in range(25)] + ["\ufffd"]
    first = page["entries"][0]
    assert (first["type"], first["size"], first["mode"]) == ("file", 20, "0600")
    for cursor in ("!", "ä", "a"):
        await client.refused(
            "GET", f"/containers/{cuid}/files", params={"cursor": cursor}, status=400, code="INVALID_CURSOR"
        )


async def test_a_file_is_written_read_changed_and_removed(client: Client, cuid: str) -> None:
    url = f"/containers/{cuid}/files"
    path = {"path": "conf/app.ini"}
    made = await client.call("PUT", url, params=path, data=b"a=1")
    assert (made["created"], made["size"], made["path"]) == (True, 3, "conf/app.ini")
    target = mount_of(client, cuid) / "conf/app.ini"
    assert (target.read_bytes(), target.stat().st_uid, target.parent.stat().st_uid) == (b"a=1", 1000, 1000)
    new = await client.call("PUT", url, params=path, data=b"a=1", headers={"If-Match": made["etag"]})
    target.chmod(0o750)
    async with client.session.head(f"/containers/{cuid}/download", params=path) as head:
        made["etag"] = head.headers["ETag"]
    new = await client.call("PUT", url, params=path, data=b"a=2", headers={"If-Match": made["etag"]})
    assert new["created"] is False
    assert target.stat().st_mode & 0o777 == 0o750
    stale = {"If-Match": made["etag"]}
    await client.refused("PUT", url, params=path, data=b"a=3", headers=stale, status=409, code="FILE_CHANGED")
    there = {"If-None-Match": "*"}
    await client.refused("PUT", url, params=path, data=b"a=3", headers=there, status=409, code="FILE_CHANGED")
    assert target.read_bytes() == b"a=2"
    await client.refused("PUT", url, params={"path": "conf"}, data=b"x", status=409, code="PATH_EXISTS")
    await client.refused("DELETE", url, params={"path": "conf"}, status=409, code="DIRECTORY_NOT_EMPTY")
    await client.call("DELETE", url, params=path)
    assert not target.exists()
    await client.refused("DELETE", url, params=path, status=404, code="FILE_NOT_FOUND")
    await client.call("DELETE", url, params={"path": "conf"})
    await client.refused("DELETE", url, params={"path": "."}, status=400, code="INVALID_VALUE")
    assert is_clean(client)


async def test_directories_are_made_and_things_moved(client: Client, cuid: str) -> None:
    made = await client.call("POST", f"/containers/{cuid}/directories", json={"path": "a/b"})
    assert made == {"cuid": cuid, "path": "a/b", "created": True}
    again = await client.call("POST", f"/containers/{cuid}/directories", json={"path": "/app/a/b"})
    assert again["created"] is False
    await client.call("PUT", f"/containers/{cuid}/files?path=a/x", data=b"x")
    await client.call("PUT", f"/containers/{cuid}/files?path=a/y", data=b"y")
    url = f"/containers/{cuid}/move"
    await client.refused("POST", url, json={"from": "a/x", "to": "a/y"}, status=409, code="PATH_EXISTS")
    await client.refused("POST", url, json={"from": "a/no", "to": "z"}, status=404, code="FILE_NOT_FOUND")
    await client.refused("POST", url, json={"from": "a", "to": "a/b/c"}, status=400, code="INVALID_VALUE")
    await client.refused("POST", url, json={"from": "a", "to": "../c"}, status=400, code="PATH_OUTSIDE_MOUNT")
    await client.call("POST", url, json={"from": "a/x", "to": "a/y", "overwrite": True})
    await client.call("POST", url, json={"from": "a/b", "to": "top"})
    assert tree(mount_of(client, cuid)) == {"a": None, "a/y": b"x", "top": None}
    await client.refused(
        "POST", f"/containers/{cuid}/directories", json={"path": "a/y/z"}, status=409, code="PATH_EXISTS"
    )


async def test_removal_takes_what_anybody_wrote(client: Client, cuid: str) -> None:
    root = mount_of(client, cuid) / "old"
    (root / "locked").mkdir(parents=True)
    (root / "locked/file").write_text("x")
    os.chown(root / "locked", 5, 5)
    (root / "locked").chmod(0o000)
    await client.call("DELETE", f"/containers/{cuid}/files?path=old&recursive=true")
    assert tree(mount_of(client, cuid)) == {}


# --- uploads in parts ---------------------------------------------------------------------------


async def send_part(client: Client, url: str, offset: int, data: bytes, expect: int = 200) -> Any:
    return await client.call("PATCH", url, data=data, headers={**PART, "Upload-Offset": str(offset)}, expect=expect)


async def test_an_upload_comes_in_parts(client: Client, cuid: str) -> None:
    body = zipped({"a": os.urandom(300_000), "d/b": "x"})
    begun = await client.call("POST", f"/containers/{cuid}/uploads", expect=201, json={"size": len(body), "path": "in"})
    url = f"/containers/{cuid}/uploads/{begun['id']}"
    assert (begun["offset"], begun["state"], begun["resumable"]) == (0, "receiving", True)
    assert (await send_part(client, url, 0, body[:100_000]))["offset"] == 100_000
    conflict = await send_part(client, url, 0, b"x", expect=409)
    assert (conflict["code"], conflict["details"]["offset"]) == ("UPLOAD_OFFSET", 100_000)
    async with client.session.head(url) as head:
        assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("100000", str(len(body)))
    done = await send_part(client, url, 100_000, body[100_000:])
    assert (done["state"], done["result"]["files"]) == ("done", 2)
    assert set(tree(mount_of(client, cuid))) == {"in", "in/a", "in/d", "in/d/b"}
    assert (await client.call("GET", url))["state"] == "done"
    assert (await send_part(client, url, len(body), b"", expect=409))["code"] == "UPLOAD_ENDED"
    await client.call("DELETE", url)
    await client.refused("GET", url, status=404, code="UPLOAD_NOT_FOUND")


async def test_one_file_comes_in_parts(client: Client, cuid: str) -> None:
    begun = await client.call(
        "POST", f"/containers/{cuid}/uploads", expect=201, json={"size": 6, "path": "d/f.bin", "kind": "file"}
    )
    url = f"/containers/{cuid}/uploads/{begun['id']}"
    await send_part(client, url, 0, b"abc")
    await send_part(client, url, 3, b"def")
    target = mount_of(client, cuid) / "d/f.bin"
    assert (target.read_bytes(), target.stat().st_uid, target.stat().st_nlink) == (b"abcdef", 1000, 1)


async def test_a_refused_archive_ends_its_upload(client: Client, cuid: str) -> None:
    begun = await client.call("POST", f"/containers/{cuid}/uploads", expect=201, json={"size": 4})
    url = f"/containers/{cuid}/uploads/{begun['id']}"
    assert (await send_part(client, url, 0, b"nope", expect=400))["code"] == "BAD_ZIP"
    seen = await client.call("GET", url)
    assert (seen["state"], seen["result"]["code"]) == ("failed", "BAD_ZIP")


async def test_more_than_announced_is_refused(client: Client, cuid: str) -> None:
    begun = await client.call("POST", f"/containers/{cuid}/uploads", expect=201, json={"size": 4})
    url = f"/containers/{cuid}/uploads/{begun['id']}"
    assert (await send_part(client, url, 0, b"12345", expect=413))["code"] == "TOO_LARGE"
    assert (await client.call("GET", url))["offset"] == 0
    await client.refused("PATCH", url, data=b"1", headers=PART, status=400, code="INVALID_VALUE")


async def test_a_connection_that_broke_is_gone_on_from(client: Client, cuid: str) -> None:
    body = zipped({"a": os.urandom(2 << 20)})
    begun = await client.call("POST", f"/containers/{cuid}/uploads", expect=201, json={"size": len(body)})
    path = f"/containers/{cuid}/uploads/{begun['id']}"
    url = urlsplit(client.url)
    auth = aiohttp.encode_basic_auth(client.settings.app_user, client.settings.app_pass)
    head = (
        f"PATCH {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\nUpload-Offset: 0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    # The first connection neither goes on nor ends: the network went away.
    with socket.create_connection((url.hostname, url.port)) as silent:
        await asyncio.to_thread(silent.sendall, head.encode() + body[: 3 << 19])

        async def arrived() -> bool:
            return bool((await client.call("GET", path))["offset"] >= 1 << 20)

        await eventually(arrived)
        refused = await send_part(client, path, 0, b"", expect=409)
        offset = refused["details"]["offset"]
        done = await send_part(client, path, offset, body[offset:])
    assert done["state"] == "done"
    assert len(tree(mount_of(client, cuid))["a"] or b"") == 2 << 20
