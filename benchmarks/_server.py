"""A server of a benchmark's own, and requests to it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PASSWORD = "benchmark"
ZIP = {"Content-Type": "application/zip"}


class Server:
    """A server process and what is known of it."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], session: aiohttp.ClientSession) -> None:
        self.url, self.process, self.session = url, process, session

    def memory(self) -> int:
        """Bytes resident now."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024

    def descriptors(self) -> int:
        """Descriptors open now."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def processor(self) -> float:
        """Seconds of processor that it has taken so far."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            user, system = stat.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    async def create(self, **fields: Any) -> str:
        """The cuid of a new container."""
        async with self.session.post("/containers", json={"image": "example/none:1", **fields}) as response:
            assert response.status == 201, await response.text()
            return str((await response.json())["cuid"])

    async def act(self, method: str, path: str) -> None:
        """A request that must succeed."""
        async with self.session.request(method, path) as response:
            assert response.status == 200, await response.text()

    async def upload(self, cuid: str, archive: Path) -> None:
        with archive.open("rb") as body:
            url = f"/containers/{cuid}/upload-zip"
            async with self.session.post(url, data=body, headers=ZIP) as response:
                assert response.status == 200, await response.text()

    async def download(self, cuid: str) -> int:
        size = 0
        async with self.session.get(f"/containers/{cuid}/download-zip") as response:
            assert response.status == 200
            async for chunk in response.content.iter_chunked(1 << 20):
                size += len(chunk)
        return size


@asynccontextmanager
async def server(data_dir: Path, **settings: object) -> AsyncIterator[Server]:
    environment = os.environ | {
        "APP_PASS": PASSWORD, "HOST": "127.0.0.1", "PORT": "0", "DATA_DIR": str(data_dir),
        "PYTHONPATH": str(Path(__file__).parents[1]), **{name: str(value) for name, value in settings.items()},
    }  # fmt: skip
    log = data_dir / "server.out"
    process = started(environment, data_dir, log)
    try:
        while "http://" not in log.read_text():
            assert process.poll() is None, log.read_text()
            await asyncio.sleep(0.05)
        url = "http://" + log.read_text().split("http://")[1].split()[0].rstrip("/.,")
        timeout = aiohttp.ClientTimeout(total=None)
        headers = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
        async with aiohttp.ClientSession(url, headers=headers, timeout=timeout) as session:
            yield Server(url, process, session)
    finally:
        process.terminate()
        process.wait()


def remove_containers(data_dir: Path) -> None:
    """Remove at the engine whatever belongs to the containers of `data_dir`."""
    cuids = {path.stem for path in (data_dir / "compose").glob("c*.yml")}
    listing = ["docker", "ps", "--all", "--format", "{{.Names}}"]
    seen = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split()
    ours = sorted(cuids.intersection(seen))
    with ThreadPoolExecutor(4) as pool:
        for part in (ours[number::4] for number in range(4)):
            if part:
                pool.submit(subprocess.run, ["docker", "rm", "--force", *part], check=True, capture_output=True)


def started(environment: dict[str, str], where: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        command = [sys.executable, "-m", "container_manager"]
        return subprocess.Popen(command, cwd=where, env=environment, stdout=output, stderr=output)
