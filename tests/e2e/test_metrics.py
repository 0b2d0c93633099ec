"""What /metrics tells after real operations."""

import re
from pathlib import Path

from harness import Client, eventually


async def figures(client: Client) -> dict[str, float]:
    """Every sample of ours by its name and labels."""
    async with client.session.get("/metrics") as response:
        assert response.status == 200
        text = await response.text()
    samples = re.findall(r"^(container_manager_\S+|process_\S+) (\S+)$", text, re.MULTILINE)
    return {name.removeprefix("container_manager_"): float(value) for name, value in samples}


async def test_operations_are_counted_by_verb_and_result(client: Client) -> None:
    cuid = await client.run()
    for verb in ("pause", "unpause", "restart", "stop", "start"):
        await client.act(cuid, verb)
    await client.exec(cuid, "true")
    missing = await client.create("tests-nowhere.invalid/none:1", command=["true"])
    async with client.session.post(f"/containers/{missing}/start") as response:
        assert response.status == 404
    await client.delete(cuid)
    told = await figures(client)
    for verb in ("up", "pause", "unpause", "restart", "stop", "start", "exec", "remove"):
        assert told[f'engine_operations_total{{result="ok",verb="{verb}"}}'] == 1, verb
        assert told[f'engine_operation_seconds_count{{verb="{verb}"}}'] >= 1
        assert told[f'engine_operation_seconds_sum{{verb="{verb}"}}'] > 0
    assert told['engine_operations_total{result="IMAGE_NOT_FOUND",verb="pull"}'] == 1
    assert told['requests_total{method="POST",route="/containers/{cuid}/start",status="404"}'] == 1
    await client.delete(missing)


async def test_the_state_of_things_is_told(client: Client) -> None:
    running, created = await client.run(), await client.create()
    broken = await client.create()
    path = client.settings.data_dir / "compose" / f"{broken}.yml"
    path.write_text("services: [")
    async with client.websocket(running, mode="shell") as terminal, client.websocket(running, mode="shell"):
        await terminal.send_json({"type": "stdin", "data": "echo he''llo\n", "encoding": "utf8"})
        shown = ""
        while "hello" not in shown:
            shown += (await terminal.receive_json()).get("data", "")

        async def seen() -> dict[str, float] | None:
            told = await figures(client)
            return told if told["broken_files"] == 1 and told["terminal_viewers"] == 2 else None

        told = await eventually(seen, what="the broken file and both terminals")
    assert told['containers{status="running"}'] == 1
    assert told['containers{status="created"}'] == 2
    assert told['containers{status="dead"}'] == 0
    assert (told["engine_up"], told["states_age_seconds"], told["terminal_sessions"]) == (1, 0, 2)
    assert (told["engine_running"], told["engine_waiting"], told["changes_running"]) == (0, 0, 0)
    assert 0 <= told["event_lag_seconds"] < 60
    assert told['terminal_bytes_total{direction="in"}'] == len("echo he''llo\n")
    before = told['terminal_bytes_total{direction="out"}']
    assert before >= len(shown)
    assert told["process_open_fds"] > 0

    async def ended() -> bool:
        later = await figures(client)
        # What sessions have had counts on when they are gone.
        return later["terminal_sessions"] == 0 and later['terminal_bytes_total{direction="out"}'] >= before

    await eventually(ended, what="the end of the terminals")
    for cuid in (running, created, broken):
        await client.delete(cuid)


async def test_bytes_of_files_are_counted_both_ways(client: Client) -> None:
    cuid = await client.create()
    before = await figures(client)
    body = b"x" * 5000
    await client.call("PUT", f"/containers/{cuid}/files", params={"path": "a"}, data=body)
    async with client.session.get(f"/containers/{cuid}/download", params={"path": "a"}) as response:
        assert await response.read() == body
    async with client.session.get(f"/containers/{cuid}/download-zip") as response:
        archive = len(await response.read())
    after = await figures(client)
    names = {way: f'file_bytes_total{{direction="{way}"}}' for way in ("in", "out")}
    counted = {way: after[name] - before[name] for way, name in names.items()}
    assert counted == {"in": len(body), "out": len(body) + archive}
    await client.delete(cuid)


async def test_every_metric_is_documented(client: Client) -> None:
    documented = (
        (Path(__file__).parents[2] / "docs" / "deployment.md").read_text().replace("`…_", "`container_manager_")
    )
    async with client.session.get("/metrics") as response:
        families = re.findall(r"^# TYPE (container_manager_\S+) (\S+)$", await response.text(), re.MULTILINE)
    assert len(families) > 15
    assert [name for name, kind in families if f"`{name}" not in documented and not name.endswith("_created")] == []
