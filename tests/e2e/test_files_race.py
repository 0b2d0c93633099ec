"""A container that swaps its directories for links while the server reads and writes there."""

import asyncio
import os
import time
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from harness import PYTHON_IMAGE, Client, eventually, zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")

RACE_SECONDS = float(os.environ.get("RACE_SECONDS", "60"))
"""How long the race runs."""

SECRET = "outside"

# Each of three names is in turn a directory and a link to the host's temporary directory, as fast as one core can.
# The links name what lies outside by its path on the host: it is the server that must not follow them there.
ATTACK = """
import ctypes, itertools, os, shutil
libc = ctypes.CDLL(None)
outside = os.environ["OUTSIDE"]
links = itertools.cycle([outside, "../" * 12 + outside.lstrip("/"), "/proc/self/root" + outside])
def exchange(one, other):
    return libc.renameat2(-100, one.encode(), -100, other.encode(), 2) == 0
print("attacking", flush=True)
for turn in itertools.count():
    for name in "abc":
        here, aside = f"/app/{name}", f"/app/.{name}"
        if exchange(here, aside) and turn % 1000:
            continue
        try:
            for path in (here, aside):
                if os.path.islink(path):
                    os.unlink(path)
                else:
                    shutil.rmtree(path, ignore_errors=True)
            os.makedirs(here + "/sub", exist_ok=True)
            for path in (here + "/secret", here + "/sub/secret"):
                with open(path, "w") as file:
                    file.write("mine")
            os.symlink(next(links), aside)
        except OSError:
            pass
"""


async def test_nothing_outside_is_read_written_or_removed(client: Client, python_image: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    (outside / "secret").write_text(SECRET)
    (outside / "sub/secret").write_text(SECRET)
    os.chmod(tmp_path, 0o755)
    before = {str(path): path.stat().st_mtime_ns for path in (outside, *outside.rglob("*"))}
    cuid = await client.run(ATTACK, image=PYTHON_IMAGE, env={"OUTSIDE": str(outside)})
    await eventually(lambda: _attacking(client, cuid), what="the attack begins")
    counts: Counter[str] = Counter()
    leaks: list[str] = []
    ends = time.monotonic() + RACE_SECONDS
    url = f"/containers/{cuid}"
    archive = zipped({"secret": "uploaded", "sub/x": "uploaded"})

    async def keep(what: str, method: str, path: str, **options: object) -> None:
        while time.monotonic() < ends:
            for name in ("a", "b", "c"):
                target = path.replace("NAME", name)
                async with client.session.request(method, target, **options) as response:  # type: ignore[arg-type]
                    try:
                        body = await response.read()
                    except aiohttp.ClientPayloadError:
                        # A file that was truncated while it was sent.
                        body = b""
                    counts[f"{what} {response.status}"] += 1
                    if response.status >= 500 or SECRET.encode() in body.replace(str(outside).encode(), b""):
                        leaks.append(f"{what} {target}: {response.status} {body[:300]!r}")

    headers = {"Content-Type": "application/zip"}
    await asyncio.gather(
        keep("download", "GET", f"{url}/download?path=NAME/secret"),
        keep("download", "GET", f"{url}/download?path=NAME/sub/secret"),
        keep("list", "GET", f"{url}/files?path=NAME"),
        keep("zip", "GET", f"{url}/download-zip?path=NAME"),
        keep("zip", "GET", f"{url}/download-zip"),
        keep("upload", "POST", f"{url}/upload-zip?path=NAME", data=archive, headers=headers),
        keep("replace", "POST", f"{url}/upload-zip?path=NAME&mode=replace", data=archive, headers=headers),
        keep("write", "PUT", f"{url}/files?path=NAME/sub/new", data=b"written"),
        keep("remove", "DELETE", f"{url}/files?path=NAME/secret"),
        keep("remove", "DELETE", f"{url}/files?path=NAME&recursive=true"),
    )
    print(dict(sorted(counts.items())))
    assert leaks == []
    assert {str(path): path.stat().st_mtime_ns for path in (outside, *outside.rglob("*"))} == before
    assert (outside / "secret").read_text() == (outside / "sub/secret").read_text() == SECRET
    for what in ("download 200", "download 400", "list 200", "list 400", "upload 400"):
        assert counts[what], counts
    await client.delete(cuid)
    assert not (client.settings.data_dir / "mounts" / cuid).exists()
    assert os.listdir(client.settings.data_dir / "staging/work") == []


async def _attacking(client: Client, cuid: str) -> bool:
    return "attacking" in await client.logs(cuid)


async def test_what_a_container_wrote_as_any_user_is_removed(client: Client, busybox: str) -> None:
    """Root's read-only directories, a deep tree and special files go with their container."""
    script = (
        "cd /app && mkdir -p ro/sub && echo x > ro/sub/file && chmod 0555 ro/sub && chmod 0 ro && touch done; "
        "i=0; while [ $i -lt 300 ]; do mkdir d && cd d && i=$((i+1)); done; ls /app; sleep 1000"
    )
    cuid = await client.create(busybox, command=["sh", "-c", script], user="0:0")
    await client.act(cuid, "start")

    async def wrote() -> bool:
        return "done" in await client.logs(cuid)

    await eventually(wrote)
    await client.call("DELETE", f"/containers/{cuid}/files", params={"path": "ro", "recursive": "true"})
    await client.delete(cuid)
    assert not (client.settings.data_dir / "mounts" / cuid).exists()
    assert os.listdir(client.settings.data_dir / "staging/work") == []
