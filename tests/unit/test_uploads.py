"""Uploads in parts, as they stand on the disk."""

import json
import os
import time
from pathlib import Path

import pytest

from container_manager.errors import UploadNotFound
from container_manager.models import new_cuid
from container_manager.store.uploads import MAX_AGE, Uploads


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path)


def test_what_arrived_is_what_the_disk_says(uploads: Uploads) -> None:
    cuid = new_cuid()
    upload = uploads.create(cuid, "zip", "a/b", "merge", 10)
    assert (upload.offset, upload.state) == (0, "receiving")
    with uploads.opened(upload) as (_, data):
        os.pwrite(data, b"12345", 0)
    again = uploads.get(cuid, upload.id)
    assert (again.offset, again.path, again.size) == (5, "a/b", 10)
    assert uploads.of(cuid) == [again]
    assert uploads.of(new_cuid()) == []


def test_how_it_ended_is_kept_and_its_data_are_not(uploads: Uploads, tmp_path: Path) -> None:
    cuid = new_cuid()
    upload = uploads.create(cuid, "file", "x", "merge", 3)
    uploads.finish(upload, "done", {"files": 1})
    seen = uploads.get(cuid, upload.id)
    assert (seen.state, seen.offset, seen.result) == ("done", 3, {"files": 1})
    assert os.listdir(tmp_path / "uploads" / upload.id) == ["upload.json"]


@pytest.mark.parametrize("name", ["", "..", "../work", "x", "0" * 32, "0" * 31, "A" * 32, "\0", "ü"])
def test_other_ids_are_unknown(uploads: Uploads, name: str) -> None:
    with pytest.raises(UploadNotFound):
        uploads.get(new_cuid(), name)


def test_an_upload_belongs_to_one_container(uploads: Uploads) -> None:
    upload = uploads.create(new_cuid(), "zip", "", "merge", 1)
    with pytest.raises(UploadNotFound):
        uploads.get(new_cuid(), upload.id)


def test_old_broken_and_orphaned_ones_are_swept(uploads: Uploads, tmp_path: Path) -> None:
    known = new_cuid()
    fresh = uploads.create(known, "zip", "", "merge", 1)
    old = uploads.create(known, "zip", "", "merge", 1)
    uploads.create(new_cuid(), "zip", "", "merge", 1)
    past = time.time() - MAX_AGE - 1
    for path in (tmp_path / "uploads" / old.id).iterdir():
        os.utime(path, (past, past))
    for name, content in (("empty", None), ("torn", "{"), ("foreign", json.dumps({"x": 1})), ("list", "[]")):
        (tmp_path / "uploads" / name).mkdir()
        if content is not None:
            (tmp_path / "uploads" / name / "upload.json").write_text(content)
    (tmp_path / "uploads/file").touch()
    uploads.sweep({known})
    # The clock may have been set a moment ago: what is old must be so twice.
    assert set(os.listdir(tmp_path / "uploads")) == {fresh.id, old.id}
    uploads.sweep({known})
    assert os.listdir(tmp_path / "uploads") == [fresh.id]
