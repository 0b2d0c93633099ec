"""The registry: in step with the files on disk, whoever writes them."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from container_manager.errors import ComposeFileBroken, ContainerNotFound, LimitReached, NameInUse
from container_manager.models import ContainerSpec, new_cuid
from container_manager.settings import Settings, SettingsError
from container_manager.store.data_dir import DataDir
from container_manager.store.locks import MAX_WAITING, Locks
from container_manager.store.registry import Registry

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def data_dir(tmp_path: Path):
    directory = DataDir(tmp_path)
    directory.claim()
    yield directory
    directory.release()


@pytest.fixture
def registry(data_dir: DataDir) -> Registry:
    return opened(data_dir)


def opened(data_dir: DataDir) -> Registry:
    return Registry(data_dir.layout, Settings(app_pass="x", data_dir=data_dir.layout.root))


def spec(index: int = 0, name: str | None = None) -> ContainerSpec:
    return ContainerSpec(new_cuid(), START + timedelta(seconds=index), "busybox", name=name)


async def test_what_was_added_is_there_after_a_restart_oldest_first(data_dir: DataDir, registry: Registry) -> None:
    specs = [spec(index) for index in (2, 0, 1)]
    for one in specs:
        await registry.add(one)
    again = opened(data_dir)
    assert await again.load() == []
    expected = sorted((one.cuid for one in specs), key=lambda cuid: again.get(cuid).created_at)
    assert [one.cuid for one in again.after()] == expected == [one.cuid for one in registry.after()]
    first = again.get(expected[0])
    assert [one.cuid for one in again.after((first.created_at, first.cuid))] == expected[1:]


async def test_the_page_behind_a_container_stays_right_when_it_goes(registry: Registry) -> None:
    specs = [spec(index) for index in range(4)]
    for one in specs:
        await registry.add(one)
    await registry.condemn(specs[1].cuid)
    assert [one.cuid for one in registry.after((specs[1].created_at, specs[1].cuid))] == [s.cuid for s in specs[2:]]


async def test_files_are_the_servers_users_alone(data_dir: DataDir, registry: Registry) -> None:
    one = spec()
    await registry.add(one)
    assert data_dir.layout.compose_file(one.cuid).stat().st_mode & 0o777 == 0o600
    assert data_dir.layout.compose.stat().st_mode & 0o777 == 0o700


async def test_a_name_is_taken_once_and_free_again_after(registry: Registry) -> None:
    first, second = spec(name="web"), spec(name="web")
    await registry.add(first)
    with pytest.raises(NameInUse) as refused:
        await registry.add(second)
    assert refused.value.details["owner"] == first.cuid
    assert second.cuid not in registry
    await registry.condemn(first.cuid)
    await registry.add(second)
    assert registry.by_name("web").cuid == second.cuid


async def test_an_edit_by_hand_is_seen_and_a_broken_one_told(data_dir: DataDir, registry: Registry) -> None:
    one = spec(name="web")
    await registry.add(one)
    path = data_dir.layout.compose_file(one.cuid)
    good = path.read_text()
    path.write_text(good.replace("busybox", "debian"))
    await registry.refresh(one.cuid)
    assert registry.get(one.cuid).image == "debian"
    path.write_text(good + "\n  : : [")
    await registry.refresh(one.cuid)
    assert "line" in (registry.get(one.cuid).broken or "")
    assert registry.by_name("web").cuid == one.cuid
    with pytest.raises(ComposeFileBroken):
        registry.usable(one.cuid)
    path.write_text(good)
    await registry.refresh(one.cuid)
    assert registry.get(one.cuid) == one.__class__(**{**_fields(one), **_limits(registry, one)})


def _fields(one: ContainerSpec) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__slots__}


def _limits(registry: Registry, one: ContainerSpec) -> dict[str, object]:
    return {"resources": registry.get(one.cuid).resources}


async def test_a_link_to_a_file_elsewhere_stays_a_link(data_dir: DataDir, registry: Registry, tmp_path: Path) -> None:
    one = spec()
    await registry.add(one)
    path, elsewhere = data_dir.layout.compose_file(one.cuid), tmp_path / "mine" / "app.yml"
    elsewhere.parent.mkdir()
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    await registry.edit(one.cuid, lambda editor: editor.set_image("debian"))
    assert path.is_symlink()
    assert b"debian" in elsewhere.read_bytes()
    assert registry.get(one.cuid).image == "debian"
    await registry.condemn(one.cuid)
    await registry.finish_removal(one.cuid)
    assert elsewhere.exists()


async def test_what_is_no_file_is_told_once_on_its_container_alone(data_dir: DataDir, registry: Registry) -> None:
    good, told = spec(), []
    await registry.add(good)
    folder, pipe, dangling, latin = (data_dir.layout.compose_file(new_cuid()) for _ in range(4))
    folder.mkdir()
    os.mkfifo(pipe)
    dangling.symlink_to("/nowhere")
    latin.write_bytes(b"services:\n  x: \xe4\n")
    registry.on_change(told.append)
    for _ in range(2):
        await registry._scan()
    assert sorted(told) == sorted(path.stem for path in (folder, pipe, latin))
    problems = {one.cuid: one.broken for one in registry.after()}
    assert problems == {
        good.cuid: None,
        folder.stem: "it is not a regular file",
        pipe.stem: "it is not a regular file",
        latin.stem: "line 2: it is not UTF-8",
    }


async def test_the_follower_sees_files_come_change_and_go(
    data_dir: DataDir, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("container_manager.store.registry.POLL_SECONDS", 0.05)
    told: asyncio.Queue[str] = asyncio.Queue()
    registry.on_change(told.put_nowait)
    follower = asyncio.create_task(registry.follow())
    try:
        cuid = new_cuid()
        path = data_dir.layout.compose_file(cuid)
        for text in (f"services: {{{cuid}: {{image: a}}}}", f"services: {{{cuid}: {{image: bcd}}}}"):
            path.write_text(text)
            assert await asyncio.wait_for(told.get(), 10) == cuid
        assert registry.get(cuid).image == "bcd"
        path.unlink()
        assert await asyncio.wait_for(told.get(), 10) == cuid
        with pytest.raises(ContainerNotFound):
            registry.get(cuid)
    finally:
        follower.cancel()


async def test_a_removal_that_was_cut_off_is_told_at_the_next_start(data_dir: DataDir, registry: Registry) -> None:
    one = spec()
    await registry.add(one)
    await registry.condemn(one.cuid)
    again = opened(data_dir)
    assert await again.load() == [(one.cuid, False)]
    assert one.cuid not in again
    await again.finish_removal(one.cuid)
    assert await opened(data_dir).load() == []


@pytest.mark.parametrize("keep_files", [False, True])
async def test_a_removal_that_a_kill_cut_off_is_finished_unless_it_had_failed(
    data_dir: DataDir, registry: Registry, *, keep_files: bool
) -> None:
    spared, doomed = spec(), spec()
    for one in (spared, doomed):
        await registry.add(one)
        await registry.doom(one.cuid, keep_files=keep_files)
    await registry.spare(spared.cuid)
    assert {one.cuid for one in registry.after()} == {spared.cuid, doomed.cuid}
    again = opened(data_dir)
    assert await again.load() == [(doomed.cuid, keep_files)]
    assert [one.cuid for one in again.after()] == [spared.cuid]
    await again.finish_removal(doomed.cuid)
    assert {path.name for path in data_dir.layout.compose.iterdir()} == {f"{spared.cuid}.yml"}


async def test_litter_of_a_killed_write_is_swept(data_dir: DataDir, registry: Registry) -> None:
    litter = data_dir.layout.compose / ".tmp-x.yml-1234"
    litter.write_text("half")
    await registry.load()
    assert not litter.exists()


def test_a_second_server_is_told_who_has_the_directory(data_dir: DataDir) -> None:
    with pytest.raises(SettingsError, match="in use"):
        DataDir(data_dir.layout.root).claim()


async def test_locks_take_turns_in_order_and_only_per_container() -> None:
    locks, order = Locks(), []
    one, other = new_cuid(), new_cuid()
    release = asyncio.Event()

    async def use(cuid, label: str) -> None:
        async with locks.hold(cuid):
            order.append(label)
            if label == "first":
                await release.wait()

    tasks = [asyncio.create_task(use(one, label)) for label in ("first", "second", "third")]
    await asyncio.create_task(use(other, "elsewhere"))
    assert order == ["first", "elsewhere"]
    release.set()
    await asyncio.gather(*tasks)
    assert order == ["first", "elsewhere", "second", "third"]
    assert not locks._locks


async def test_a_lock_has_no_endless_queue() -> None:
    locks, cuid = Locks(), new_cuid()

    async def use() -> None:
        async with locks.hold(cuid):
            await asyncio.sleep(0)

    results = await asyncio.gather(*(use() for _ in range(MAX_WAITING + 5)), return_exceptions=True)
    assert sum(isinstance(result, LimitReached) for result in results) == 4
    assert not locks._locks
