"""Compose files that people edit, break, remove and copy while the server runs."""

import shutil
import uuid
from pathlib import Path

from container_manager.models import new_cuid
from harness import Client, docker, eventually

ODD = """\
x-limits: &limits  # shared
  mem_limit: 64m
  pids_limit: 100
services:
  {cuid}:
    <<: *limits
    image: tests-busybox:latest   # ours
    container_name: {cuid}
    command: sleep 1000000
    labels: ["container-manager.cuid={cuid}"]
    environment:
      - KEPT=$$HOME
      - OTHER=1  # by hand
    network_mode: host
    stop_signal: SIGKILL
"""


def file_of(client: Client, cuid: str) -> Path:
    return client.settings.data_dir / "compose" / f"{cuid}.yml"


async def test_an_odd_file_works_and_keeps_what_is_its_own(client: Client) -> None:
    cuid = await client.create()
    path = file_of(client, cuid)
    path.write_text(ODD.format(cuid=cuid))

    async def seen() -> bool:
        return bool((await client.call("GET", f"/containers/{cuid}"))["env"] == {"KEPT": "$HOME", "OTHER": "1"})

    await eventually(seen, what="the edit by hand")
    assert (await client.act(cuid, "start"))["status"] == "running"
    changed = await client.call("PATCH", f"/containers/{cuid}", json={"env": {"OTHER": "2"}, "tags": ["t"]})
    assert changed["env"] == {"KEPT": "$HOME", "OTHER": "2"}
    text = path.read_text()
    for own in (
        "&limits",
        "# shared",
        "<<: *limits",
        "# ours",
        "# by hand",
        "network_mode: host",
        "stop_signal: SIGKILL",
    ):
        assert own in text
    seen_inside = (await client.exec(cuid, "env"))["stdout"]
    assert "KEPT=$HOME\n" in seen_inside
    assert "OTHER=2\n" in seen_inside
    await client.delete(cuid)


async def test_a_file_of_a_few_lines_is_a_container(client: Client) -> None:
    """What finds it at the engine is put right: nobody need know of it."""
    cuid = new_cuid()
    path = file_of(client, cuid)
    path.write_text(
        f"services:\n  {cuid}:\n    image: tests-busybox:latest\n    container_name: mine  # by hand\n"
        "    command: sleep 1000000\n    labels: {mine: yes}\n    pids_limit: 100\n    mem_limit: 64m\n"
    )
    await eventually(lambda: listed(client, cuid), what="its row")
    client.created.append(cuid)
    assert (await client.act(cuid, "start"))["status"] == "running"
    assert (await client.exec(cuid, "sh", "-c", "echo inside"))["stdout"] == "inside\n"
    assert "# by hand" in path.read_text()
    await client.delete(cuid)


async def test_a_broken_file_is_told_on_its_container_alone(client: Client) -> None:
    broken, other = await client.run(), await client.run()
    path = file_of(client, broken)
    good = path.read_text()
    path.write_text(good.replace("services:", "services: [", 1))

    async def told() -> str | None:
        problem: str | None = (await client.status(broken))["problem"]
        return problem

    assert "line " in await eventually(told, what="the broken file")
    assert (await client.status(other))["problem"] is None
    await client.refused(
        "PATCH", f"/containers/{broken}", status=500, code="COMPOSE_FILE_BROKEN", json={"env": {"A": "1"}}
    )
    # What needs no file goes on.
    assert (await client.act(broken, "stop"))["status"] == "exited"
    path.write_text(good)
    assert (await client.act(broken, "start"))["status"] == "running"
    path.write_text("\0")
    await client.delete(broken)
    assert not path.exists()


async def test_a_file_that_is_removed_by_hand_takes_its_container_off_the_list(client: Client) -> None:
    cuid = await client.run()
    path = file_of(client, cuid)
    text = path.read_text()
    path.unlink()

    async def gone() -> bool:
        async with client.session.get(f"/containers/{cuid}") as response:
            return response.status == 404

    await eventually(gone, what="the end of its row")
    await client.refused("POST", f"/containers/{cuid}/stop", status=404, code="CONTAINER_NOT_FOUND")
    # The container itself goes on, and is back with its file.
    assert docker("ps", "--quiet", "--filter", f"name={cuid}").strip()
    path.write_text(text)
    await eventually(lambda: listed(client, cuid), what="its return")
    assert (await client.status(cuid))["status"] == "running"
    await client.delete(cuid)


async def test_a_file_that_was_copied_under_another_cuid(client: Client) -> None:
    """It still describes the one that it was copied from: that is told, and neither is harmed."""
    cuid = await client.run()
    copy = f"c{uuid.uuid4()}"
    shutil.copyfile(file_of(client, cuid), file_of(client, copy))
    await eventually(lambda: listed(client, copy), what="the copy's row")
    assert copy in (await client.status(copy))["problem"]
    await client.refused("POST", f"/containers/{copy}/start", status=500, code="COMPOSE_FILE_BROKEN")
    await client.delete(copy)
    assert (await client.status(cuid))["status"] == "running"
    assert not file_of(client, copy).exists()


async def listed(client: Client, cuid: str) -> bool:
    answer = await client.call("GET", "/containers", params={"limit": 200})
    return cuid in [row["cuid"] for row in answer["containers"]]
