"""Tests on the real engine: the module's server starts only once there is one, with the images that tests use."""

import pytest

from container_manager.settings import Settings
from harness import make_settings


@pytest.fixture(scope="module")
def server_settings(tmp_path_factory: pytest.TempPathFactory, busybox: str, python_image: str) -> Settings:
    return make_settings(tmp_path_factory.mktemp("data"))
