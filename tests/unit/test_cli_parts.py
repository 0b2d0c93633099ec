"""The parts of the command line that need no server."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from container_manager.cli import exits
from container_manager.cli.command import exit_code, explain
from container_manager.cli.output import age_text, port_text, size_text
from container_manager.cli.packing import LEFT_OUT, listing, pack
from container_manager.cli.shell import EscapeKeys
from container_manager.client import Refused, Unreachable
from container_manager.settings import Address, SettingsError

# --- Enter ~ . -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "passed", "ended"),
    [
        ([b"ls\r"], b"ls\r", False),
        ([b"~."], b"", True),
        ([b"ls\r", b"~", b"."], b"ls\r", True),
        ([b"a~."], b"a~.", False),
        ([b"~/bin\r"], b"~/bin\r", False),
        ([b"~~."], b"~.", False),
        ([b"\r~\r~."], b"\r~\r", True),
        ([b"x\r~.y"], b"x\r", True),
        (["ü\r~é".encode()], "ü\r~é".encode(), False),
    ],
)
def test_the_way_out_of_a_shell(typed: list[bytes], passed: bytes, ended: bool):
    keys, results = EscapeKeys(), []
    for piece in typed:
        results.append(keys.feed(piece))
        if results[-1][1]:
            break
    assert b"".join(result[0] for result in results) == passed
    assert results[-1][1] is ended


# --- packing ---------------------------------------------------------------------------------------


def make_tree(root: Path) -> None:
    for name in ("boot.py", "data/one.txt", ".git/config", "__pycache__/boot.pyc", ".env", "data/x.tmp"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (root / "empty").mkdir()
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)


def test_what_is_packed(tmp_path: Path):
    make_tree(tmp_path)
    names = [name for _, name in listing(tmp_path, LEFT_OUT, pytest.fail)]
    assert names == ["data/", "empty/", ".env", "boot.py", "run.sh", "data/one.txt", "data/x.tmp"]
    names = [name for _, name in listing(tmp_path, ("*.tmp", "data"), pytest.fail)]
    assert "data/" not in names
    assert ".git/config" in names


def test_links_become_files_or_are_told(tmp_path: Path):
    root, outside = tmp_path / "app", tmp_path / "secret"
    make_tree(root)
    outside.write_text("not yours")
    (root / "inside").symlink_to("boot.py")
    (root / "outside").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    (root / "folder").symlink_to("data")
    os.mkfifo(root / "pipe")
    skipped: list[str] = []
    names = [name for _, name in listing(root, LEFT_OUT, skipped.append)]
    assert "inside" in names
    assert sorted(skipped) == ["folder", "loop", "outside", "pipe"]


def test_a_packed_file_keeps_its_mode_and_content(tmp_path: Path):
    make_tree(tmp_path)
    os.utime(tmp_path / "boot.py", (0, 0))  # 1970: zip files begin at 1980
    buffer, sizes = io.BytesIO(), list[int]()
    pack(list(listing(tmp_path, LEFT_OUT, pytest.fail)), buffer, sizes.append)
    with zipfile.ZipFile(buffer) as archive:
        assert archive.testzip() is None
        assert archive.getinfo("run.sh").external_attr >> 16 & 0o777 == 0o755
        assert archive.read("boot.py") == b"boot.py"
    assert sum(sizes) == sum(info.file_size for info in zipfile.ZipFile(buffer).infolist())


# --- words -----------------------------------------------------------------------------------------


def refused(status: int, **body: object) -> Refused:
    return Refused(status, {"message": "It is so", **body})


def test_errors_say_what_to_do():
    assert explain(refused(404, code="CONTAINER_NOT_FOUND")) == "It is so. 'container-manager ls' shows those there are"
    assert explain(refused(400, code="SOMETHING_NEW")) == "It is so"
    many = refused(400, details={"errors": [{"field": "env", "message": "a"}, {"field": "tags", "message": "b"}]})
    assert explain(many) == "env: a; tags: b"
    assert "container-manager doctor" in explain(Unreachable("No server answers at http://x"))


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, exits.FAILED),
        (401, exits.REFUSED),
        (403, exits.REFUSED),
        (404, exits.NOT_FOUND),
        (408, exits.UNREACHABLE),
        (409, exits.NOT_NOW),
        (422, exits.NOT_NOW),
        (429, exits.REFUSED),
        (500, exits.FAILED),
        (503, exits.UNREACHABLE),
    ],
)
def test_exit_codes_tell_scripts_what_happened(status: int, code: int):
    assert exit_code(refused(status)) == code


def test_no_answer_has_its_own_exit_code():
    assert exit_code(Unreachable("")) == exits.UNREACHABLE


def test_sizes_ages_and_ports():
    assert [size_text(n) for n in (0, 999, 1000, 3_400_000, 5 * 10**12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "3.4 MB",
        "5.0 TB",
    ]
    assert age_text(None) == ""
    assert age_text("2000-01-01T00:00:00+00:00").endswith(" d ago")
    assert age_text("2999-01-01T00:00:00+00:00") == "0 s ago"
    assert port_text({"host": 1, "container": 2, "host_ip": "0.0.0.0"}) == "1→2/tcp"
    assert port_text({"host": 1, "container": 2, "protocol": "udp", "host_ip": "127.0.0.1"}) == "127.0.0.1:1→2/udp"


# --- where the server is ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"HOST": "0.0.0.0", "PORT": "9000"}, "http://127.0.0.1:9000"),
        ({"HOST": "::"}, "http://[::1]:8080"),
        ({"HOST": "school.example"}, "http://school.example:8080"),
        ({"CONTAINER_MANAGER_URL": "https://school.example/cm/", "PORT": "1"}, "https://school.example/cm"),
    ],
)
def test_the_address(environment: dict[str, str], url: str, tmp_path: Path):
    address = Address.load({"APP_PASS": "x", **environment}, tmp_path / ".env")
    assert (address.url, address.user, address.password) == (url, "admin", "x")


def test_the_address_comes_from_the_env_file(tmp_path: Path):
    file = tmp_path / ".env"
    file.write_text("APP_USER=eve\nAPP_PASS='a $b'\nPORT=9\n")
    assert Address.load({"PORT": "10"}, file) == Address("http://127.0.0.1:10", "eve", "a $b")


@pytest.mark.parametrize(
    "environment", [{}, {"APP_PASS": ""}, {"APP_PASS": "x", "CONTAINER_MANAGER_URL": "school.example"}]
)
def test_a_wrong_address_is_told(environment: dict[str, str], tmp_path: Path):
    with pytest.raises(SettingsError) as told:
        Address.load(environment, tmp_path / ".env")
    assert "\n" not in str(told.value)
