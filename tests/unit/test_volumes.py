"""Which host paths may be mounted."""

import os
import socket
from datetime import UTC, datetime

import pytest

from container_manager.errors import VolumeRefused
from container_manager.models import ContainerSpec, Volume, new_cuid
from container_manager.services.volumes import Volumes
from harness import make_settings


class Containers:
    """Stands for the registry: containers that have these volumes."""

    def __init__(self, *volumes):
        self._volumes = volumes

    def after(self):
        yield ContainerSpec(new_cuid(), datetime.now(UTC), image="x", volumes=self._volumes)


@pytest.fixture
def shared(tmp_path):
    folder = tmp_path.resolve() / "shared"
    (folder / "data").mkdir(parents=True)
    return folder


@pytest.fixture
def admit(shared):
    async def admit(source, *, mounted=(), **settings):
        given = {"data_dir": shared.parent / "own", "allowed_volumes": (shared,), **settings}
        rule = Volumes(make_settings(**given), Containers(*mounted))
        async with rule.admitted([Volume(str(source), "/data")]):
            pass

    return admit


async def refused(attempt, words):
    with pytest.raises(VolumeRefused, match=words):
        await attempt


async def test_what_lies_below_an_allowed_directory_may_be_mounted(admit, shared):
    (shared / "notes.txt").write_text("x")
    for source in (shared, shared / "data", shared / "notes.txt"):
        await admit(source)


async def test_by_default_nothing_may_be_mounted(admit, shared):
    await refused(admit(shared, allowed_volumes=()), "ALLOWED_VOLUMES")


@pytest.mark.parametrize("source", ["/", "/etc", "/proc/self/root", "data", "", "./data", "name"])
async def test_what_lies_elsewhere_may_not(admit, source):
    await refused(admit(source), "absolute|ALLOWED_VOLUMES")


async def test_a_name_that_only_begins_alike_is_elsewhere(admit, shared):
    other = shared.with_name("shared-too")
    other.mkdir()
    await refused(admit(other), "ALLOWED_VOLUMES")


async def test_a_way_out_is_no_way(admit, shared):
    await refused(admit(f"{shared}/data/../../own"), "absolute")


async def test_a_link_is_not_followed(admit, shared):
    (shared / "link").symlink_to("/etc")
    await refused(admit(shared / "link"), "is a link")
    await refused(admit(shared / "link" / "ssl"), "is a link")


async def test_a_socket_a_pipe_and_what_is_missing_are_refused(admit, shared):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(shared / "socket"))
        await refused(admit(shared / "socket"), "neither")
    os.mkfifo(shared / "pipe")
    await refused(admit(shared / "pipe"), "neither")
    await refused(admit(shared / "missing"), "looked at")


async def test_the_servers_own_data_and_the_engines_socket_are_refused(admit, shared):
    own = shared / "own"
    (own / "mounts").mkdir(parents=True)
    for source in (shared, own, own / "mounts"):
        await refused(admit(source, data_dir=own), "own data")
    await refused(admit(shared, docker_host=f"unix://{shared}/data/engine.sock"), "socket")


async def test_no_container_may_write_where_anothers_volume_begins(admit, shared):
    outer, inner = Volume(str(shared), "/x"), Volume(str(shared / "data" / "inner"), "/x")
    (shared / "data" / "inner").mkdir()
    await refused(admit(shared / "data", mounted=[outer]), "another")
    await refused(admit(shared / "data", mounted=[inner]), "another")
    await admit(shared / "data", mounted=[Volume(str(shared), "/x", read_only=True)])
    await admit(shared, mounted=[outer])
