"""An app from nothing to its last line with aiohttp: create, upload, start, watch, stop, delete."""

import asyncio
import base64
import json

import aiohttp
from checks import HOST, IMAGE, PATIENCE, URL, archive, authorization, check

APP = """
import os, time
print("Hello from", os.environ.get("CONTAINER_UID"))
print("Mode:", os.environ.get("APP_ENV", "development"))
for step in range(1, 4):
    print("Step", step)
    time.sleep(0.3)
print("Done!")
"""


async def watch(cuid: str) -> tuple[str, int | None]:
    """What the app prints, from its start to its end, and its exit code."""
    output, code = "", None
    async with (
        asyncio.timeout(PATIENCE),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://{HOST}/ws/{cuid}", headers=authorization()) as socket,
    ):
        async for message in socket:
            frame = json.loads(message.data)
            if frame["type"] in ("stdout", "stderr"):
                raw = frame["encoding"] == "base64"
                output += base64.b64decode(frame["data"]).decode(errors="replace") if raw else frame["data"]
            elif frame["type"] == "exit":
                code = frame["code"]
    return output, code


async def deploy_and_run(session: aiohttp.ClientSession) -> None:
    wanted = {
        "image": IMAGE,
        "env": {"APP_ENV": "production"},
        "tags": ["automated"],
        "resources": {"cpus": 0.5, "memory": "1024m"},
    }
    async with session.post(f"{URL}/containers", json=wanted) as response:
        check("create", response.status == 201, await response.text())
        cuid = (await response.json())["cuid"]
    container = f"{URL}/containers/{cuid}"

    # The session's own header and the request's: clients send both.
    zipped = {**authorization(), "Content-Type": "application/zip"}
    async with session.post(f"{container}/upload-zip", data=archive({"boot.py": APP.encode()}), headers=zipped) as sent:
        check("upload", sent.status == 200, await sent.text())
    async with session.post(f"{container}/start") as response:
        check("start", response.status == 200, await response.text())

    output, code = await watch(cuid)
    check("the first line is not missed", f"Hello from {cuid}" in output, output)
    check("the variable is set", "Mode: production" in output, output)
    check("every step is seen", all(f"Step {step}" in output for step in (1, 2, 3)), output)
    check("so is the last line", "Done!" in output, output)
    check("and the app's exit code", code == 0, code)

    async with session.post(f"{container}/stop") as response:
        check("stopping what has ended is fine", response.status == 200, await response.text())
    async with session.delete(container) as response:
        check("delete", response.status == 200, await response.text())


async def batch_create(session: aiohttp.ClientSession) -> None:
    """Many at once, with images that nobody has pulled."""
    images = ["nginx:alpine", "redis:alpine", "postgres:alpine"]
    responses = await asyncio.gather(*(session.post(f"{URL}/containers", json={"image": image}) for image in images))
    check("all are made", [response.status for response in responses] == [201] * 3)
    cuids = [(await response.json())["cuid"] for response in responses]
    check("each with a cuid of its own", len(set(cuids)) == 3, cuids)
    for cuid in cuids:
        async with session.delete(f"{URL}/containers/{cuid}") as response:
            check("one is deleted", response.status == 200, await response.text())


async def main() -> None:
    async with aiohttp.ClientSession(headers=authorization()) as session:
        await batch_create(session)
        await deploy_and_run(session)


if __name__ == "__main__":
    asyncio.run(main())
