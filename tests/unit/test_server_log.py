"""The server's log: one line an entry, with the id of the request it is about."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from container_manager.api.request_id import current
from container_manager.api.server_log import configure
from harness import make_settings


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def fail() -> None:
    token = current.set("the-id")
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("container_manager.test").exception("It %s", "failed")
    finally:
        current.reset(token)


def test_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(make_settings(tmp_path, log_format="json"))
    fail()
    logging.getLogger("container_manager.test").info("Quiet")
    failed, quiet = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (failed["level"], failed["request_id"], failed["message"]) == ("error", "the-id", "It failed")
    assert "ValueError: broken" in failed["traceback"]
    assert quiet["request_id"] is None


def test_plain_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(make_settings(tmp_path))
    fail()
    lines = capsys.readouterr().err.splitlines()
    assert "ERROR [the-id] container_manager.test: It failed" in lines[0]
    assert lines[-1] == "ValueError: broken"
