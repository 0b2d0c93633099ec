"""Moving in: all or nothing, whether a step fails, the container interferes, or the process is killed."""

import contextlib
import errno
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container_manager.errors import Conflict, PathExists, PathOutsideMount
from container_manager.models import Cuid, Layout, new_cuid
from container_manager.store import journal
from container_manager.store.intake import Mode, deliver
from container_manager.store.mounts import Mounts
from container_manager.store.staging import Work

Tree = dict[str, str | None]

OLD: Tree = {
    "a": "old", "b": "old", "d": None, "d/a": "old", "d/keep": "old", "d/e": None, "d/e/x": "old", "only": "old",
    "gone": None, "gone/x": "old",
}  # fmt: skip
NEW: Tree = {
    "a": "new", "d": None, "d/a": "new", "d/fresh": "new", "d/e": None, "d/e/x": "new", "f": None, "f/y": "new",
    "b": "new", "top": "new",
}  # fmt: skip


class Place:
    """A mount with the old tree in it."""

    def __init__(self, root: Path) -> None:
        layout = Layout(root)
        layout.mounts.mkdir(parents=True)
        self.mounts = Mounts(layout, (1000, 1000))
        self.cuid: Cuid = new_cuid()
        self.mounts.create(self.cuid)
        self.root = layout.mount(self.cuid)
        grow(self.root, OLD)

    def take(self, mode: Mode, *, before: Callable[[Work], None] = lambda _: None) -> None:
        with self.mounts.staging.work() as work, self.mounts.open(self.cuid) as mount:
            grow(Path(f"/proc/self/fd/{work.tree}"), NEW)
            before(work)
            deliver(mount, work, self.cuid, (), mode)

    def tree(self) -> Tree:
        return look(self.root)

    def is_clean(self) -> bool:
        return not list(self.mounts.staging.path.iterdir())


def grow(root: Path, tree: Tree) -> None:
    for name, content in tree.items():
        if content is None:
            (root / name).mkdir()
        else:
            (root / name).write_text(content)


def look(root: Path) -> Tree:
    return {str(path.relative_to(root)): path.read_text() if path.is_file() else None for path in root.rglob("*")}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "data")


EXPECTED: dict[Mode, Tree] = {"merge": OLD | NEW, "replace": NEW}
MODES: tuple[Mode, ...] = ("merge", "replace")


@pytest.mark.parametrize("mode", MODES)
def test_merge_and_replace(place: Place, mode: Mode) -> None:
    place.take(mode)
    assert place.tree() == EXPECTED[mode]
    assert place.is_clean()


def test_what_is_replaced_below_the_mount_is_swapped_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(place.root / "d", 7, 8)
    (place.root / "d").chmod(0o750)
    calls = counted(monkeypatch, lambda number: None)
    with place.mounts.staging.work() as work, place.mounts.open(place.cuid) as mount:
        grow(Path(f"/proc/self/fd/{work.tree}"), {"d": None, "d/other": "new"})
        deliver(mount, work, place.cuid, ("d",), "replace")
    assert calls == ["exchange"]
    assert {name: text for name, text in place.tree().items() if name.startswith("d")} == {"d": None, "d/other": "new"}
    status = (place.root / "d").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (7, 8, 0o750)


def test_directories_that_exist_keep_their_owner(place: Place) -> None:
    os.chown(place.root / "d", 7, 8)
    place.take("merge")
    assert (place.root / "d").stat().st_uid == 7
    assert (place.root / "d/keep").read_text() == "old"


def counted(monkeypatch: pytest.MonkeyPatch, at: Callable[[int], None]) -> list[str]:
    """Call `at` with its number before every rename that moves something in; the list of them."""
    calls: list[str] = []

    def watch(name: str) -> None:
        real: Any = getattr(journal, name)

        def watched(*args: Any, **options: Any) -> None:
            calls.append(name)
            at(len(calls) - 1)
            real(*args, **options)

        monkeypatch.setattr(journal, name, watched)

    watch("rename_new")
    watch("exchange")
    return calls


@pytest.mark.parametrize("mode", MODES)
def test_a_step_that_fails_undoes_those_before(place: Place, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    for failing in range(20):
        with monkeypatch.context() as patched:
            reached = False

            def fail(number: int, failing: int = failing) -> None:
                nonlocal reached
                if number == failing:
                    reached = True
                    raise OSError(errno.ENOSPC, "No space left on device")

            counted(patched, fail)
            with contextlib.suppress(OSError):
                place.take(mode)
        if not reached:
            break
        assert place.tree() == OLD
        assert place.is_clean()
    assert failing >= 5
    assert place.tree() == EXPECTED[mode]


def test_a_container_that_interferes_loses_or_wins_but_nothing_mixes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It creates what is about to be created: the plan is made again."""

    def meddle(number: int) -> None:
        if number == 2 and not (place.root / "top").exists():
            (place.root / "top").write_text("the container's")

    counted(monkeypatch, meddle)
    place.take("merge")
    assert place.tree() == OLD | NEW


def test_a_container_that_never_stops_interfering_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def raced(*_: object, **__: object) -> None:
        raise FileExistsError

    monkeypatch.setattr(journal, "rename_new", raced)
    with pytest.raises(Conflict):
        place.take("merge")
    assert place.tree() == OLD
    assert place.is_clean()


@pytest.mark.parametrize("mode", MODES)
def test_links_and_kinds_in_the_way_are_refused(place: Place, mode: Mode, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    with place.mounts.staging.work() as work, place.mounts.open(place.cuid) as mount:
        os.symlink(tmp_path / "outside", place.root / "link")
        grow(Path(f"/proc/self/fd/{work.tree}"), {"link": None, "link/sub": None, "link/sub/x": "new"})
        with pytest.raises(PathOutsideMount):
            deliver(mount, work, place.cuid, ("link", "sub"), mode)
    with place.mounts.staging.work() as work, place.mounts.open(place.cuid) as mount:
        grow(Path(f"/proc/self/fd/{work.tree}"), {"a": None, "a/x": "new"})
        with pytest.raises(PathExists):
            deliver(mount, work, place.cuid, ("a",), mode)
    (place.root / "link").unlink()
    assert place.tree() == OLD
    assert list((tmp_path / "outside").iterdir()) == []


# --- kill -9 ------------------------------------------------------------------------------------


def killed(work: Callable[[], None], *, after: float | None = None) -> bool:
    """Run `work` in a child of its own; whether it was killed, by itself or `after` seconds."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("mode", MODES)
def test_killed_before_any_step_the_next_start_puts_it_right(
    tmp_path: Path, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = 0
    for dying in range(40):
        place = Place(tmp_path / str(dying))

        def die(number: int, dying: int = dying) -> None:
            if number == dying:
                os.kill(os.getpid(), signal.SIGKILL)

        def run(place: Place = place, die: Callable[[int], None] = die) -> None:
            counted(monkeypatch, die)
            place.take(mode)

        if not killed(run):
            break
        rounds += 1
        place.mounts.sweep({place.cuid})
        assert place.tree() == OLD
        assert place.is_clean()
        # What was undone can be done again.
        place.take(mode)
        assert place.tree() == EXPECTED[mode]
    assert rounds >= 5


def test_killed_at_any_moment_it_is_the_old_tree_or_the_new_one(tmp_path: Path) -> None:
    random.seed(4)
    seen = {"old": 0, "new": 0}
    for round_number in range(50):
        mode = MODES[round_number % 2]
        place = Place(tmp_path / str(round_number))
        killed(lambda place=place, mode=mode: place.take(mode), after=random.uniform(0, 0.012))  # type: ignore[misc]
        place.mounts.sweep({place.cuid})
        tree = place.tree()
        assert tree in (OLD, EXPECTED[mode])
        assert place.is_clean()
        seen["old" if tree == OLD else "new"] += 1
    assert sum(seen.values()) == 50


def test_killed_while_a_mount_is_removed_nothing_is_left(tmp_path: Path) -> None:
    for after in (0.0, 0.001, 0.002, 0.004, 0.008):
        place = Place(tmp_path / str(after))
        killed(lambda place=place: place.mounts.remove(place.cuid), after=after)  # type: ignore[misc]
        place.mounts.sweep(set())
        assert place.is_clean()
        assert not place.root.exists() or place.tree() == OLD
