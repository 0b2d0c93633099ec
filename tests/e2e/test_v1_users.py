"""Users of /api/v1: on images with useradd, with BusyBox's adduser, and with neither."""

import asyncio
import itertools
import threading
from pathlib import Path

import pytest
from images import FEW, make_image
from surfaces import V1

from harness import Client, eventually

NUMBERS = itertools.count(1)
PASSWORD = 'it\'s "$ecret" \\ :;# \N{SNOWMAN} `id`'


@pytest.fixture
def v1(client: Client) -> V1:
    return V1(client)


@pytest.fixture(scope="module")
def images(engine: str, python_image: str) -> dict[str, str]:
    return {
        "useradd": python_image,
        "adduser": make_image("tests-adduser:latest"),
        "neither": make_image("tests-neither:latest", FEW),
        "no-passwd": make_image("tests-no-passwd:latest", FEW, accounts=False),
    }


@pytest.fixture(params=["useradd", "adduser", "neither", "no-passwd"])
async def container(request: pytest.FixtureRequest, v1: V1, images: dict[str, str]) -> str:
    return await started(v1, images[request.param])


async def started(v1: V1, image: str) -> str:
    name = f"users-{next(NUMBERS)}"
    status, body = await v1.create(name, image=image, command="sleep 100000")
    assert status == 200, body
    return name


async def logs_in(v1: V1, container: str, user: str, password: str) -> bool:
    """Whether `su` lets somebody who is not root become `user` with this password."""
    assert (await v1.write(container, "/tmp/typed", password + "\n"))[0] == 200
    code, output = await v1.run(container, f"su {user} -c 'echo I am $(id -un)' </tmp/typed", user="65534")
    return code == 0 and f"I am {user}\n" in output


async def test_a_user_logs_in_with_its_password_alone(v1: V1, container: str) -> None:
    status, body = await v1.add_user(container, username="newuser", password=PASSWORD, shell="/bin/sh")
    assert status == 200, body
    assert body["user"] == {"username": "newuser", "created": True}
    assert await logs_in(v1, container, "newuser", PASSWORD)
    assert not await logs_in(v1, container, "newuser", "wrong")

    code, output = await v1.run(
        container, "cd ~newuser; pwd; ls -ld .; touch mark && ls; grep newuser /etc/passwd", user="newuser"
    )
    home, listing, mark, entry = output.splitlines()
    assert (code, home, mark) == (0, "/home/newuser", "mark")
    assert listing.split()[2:4] == ["newuser", "newuser"]
    assert entry.split(":")[1] == "x"
    assert entry.endswith(":/home/newuser:/bin/sh")
    _, shadow = await v1.run(container, "ls -l /etc/shadow")
    assert shadow[7:10] == "---", "others must not read the hashes"


async def test_without_a_password_nobody_logs_in(v1: V1, container: str) -> None:
    assert (await v1.add_user(container, username="worker"))[0] == 200
    assert not await logs_in(v1, container, "worker", "")
    assert not await logs_in(v1, container, "worker", "!")
    assert await v1.run(container, "id -un", user="worker") == (0, "worker\n")


async def test_a_shell_that_the_image_lacks_becomes_bin_sh(v1: V1, container: str) -> None:
    status, body = await v1.add_user(container, username="visitor", password="x", shell="/bin/zsh")
    assert status == 200, body
    assert (await v1.run(container, "grep visitor /etc/passwd"))[1].endswith(":/bin/sh\n")
    assert await logs_in(v1, container, "visitor", "x")


async def test_a_name_that_is_taken_is_a_conflict(v1: V1, container: str) -> None:
    answers = await asyncio.gather(*(v1.add_user(container, username="twin", password=str(one)) for one in range(3)))
    assert sorted(status for status, _ in answers) == [200, 409, 409]
    _, output = await v1.run(container, "grep -c '^twin:' /etc/passwd /etc/group /etc/shadow")
    assert output.split() == ["/etc/passwd:1", "/etc/group:1", "/etc/shadow:1"]


async def test_users_do_not_share_an_id(v1: V1, container: str) -> None:
    for username in ("first", "second", "third"):
        assert (await v1.add_user(container, username=username, password=username))[0] == 200
    _, output = await v1.run(container, "for u in first second third; do id -u $u; id -g $u; done")
    uids = output.split()
    assert len(uids) == 6
    assert len(set(uids)) == 3
    assert await logs_in(v1, container, "first", "first")


@pytest.mark.parametrize("username", ["", "Anna", "a b", "a:b", "-f", "../x", "anna$(id)", "a" * 33, 7, None, "a\0b"])
async def test_what_is_no_user_name_is_a_400(v1: V1, username: object) -> None:
    status, body = await v1.add_user("any", username=username)
    assert status == 400, body
    assert "username" in body["error"]["message"].lower()


class Watcher:
    """Reads command lines and environments of all processes of this machine, in a thread of its own."""

    def __init__(self, *secrets: bytes) -> None:
        self.rounds = 0
        self._secrets = secrets
        self._seen: set[str] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.is_set():
            for part in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
                try:
                    text = part.read_bytes()
                except OSError:
                    continue
                if any(secret in text for secret in self._secrets):
                    self._seen.add(text.decode(errors="replace"))
            self.rounds += 1

    def end(self) -> set[str]:
        """Stop, and tell where a secret was seen."""
        self._done.set()
        self._thread.join()
        return self._seen


@pytest.mark.parametrize("kind", ["useradd", "neither"])
async def test_the_password_is_in_no_command_line_and_no_environment(v1: V1, images: dict[str, str], kind: str) -> None:
    container = await started(v1, images[kind])
    watcher = Watcher(b"TellNobody42", b"$6$")
    try:
        await eventually(lambda: watcher.rounds > 1)
        before = watcher.rounds
        assert (await v1.add_user(container, username="quiet", password="TellNobody42"))[0] == 200
        await eventually(lambda: watcher.rounds > before)
    finally:
        seen = await asyncio.to_thread(watcher.end)
    assert seen == set()
    log = await asyncio.to_thread((v1.client.settings.data_dir / "logs" / "actions.jsonl").read_text)
    assert "TellNobody42" not in log
    assert '"container.user"' in log
