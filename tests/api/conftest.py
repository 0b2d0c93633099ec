"""Tests of the API alone: there is no engine at the address, so they need none and say what happens without."""

from pathlib import Path

import pytest

from container_manager.settings import Settings
from harness import make_settings

NO_ENGINE = "unix:///nonexistent/engine.sock"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path, docker_host=NO_ENGINE)


@pytest.fixture(scope="module")
def server_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_settings(tmp_path_factory.mktemp("data"), docker_host=NO_ENGINE)
