"""A container's life on the real engine, from created to deleted, and every way in which a step is refused."""

import asyncio
import json
import socket

import pytest

from harness import BUSYBOX, PYTHON_IMAGE, Client, docker, eventually

HELLO = """
import os, sys
print("hello from", os.environ["CONTAINER_UID"], "tags", os.environ["TAGS"], flush=True)
print("uid", os.getuid(), "home", os.environ["HOME"], "in", os.getcwd(), flush=True)
print("to stderr", file=sys.stderr, flush=True)
open("/app/made.txt", "w").write("by the app")
"""

FOREVER = "import time\nprint('up', flush=True)\nwhile True: time.sleep(60)\n"


async def test_the_whole_life_of_an_app(client: Client) -> None:
    cuid = await client.create(PYTHON_IMAGE, tags=["a", "b"], env={"APP_ENV": "production"})
    shown = await client.call("GET", f"/containers/{cuid}")
    assert (shown["status"], shown["tags"], shown["env"]) == ("created", ["a", "b"], {"APP_ENV": "production"})
    await client.upload(cuid, {"boot.py": HELLO})
    started = await client.act(cuid, "start")
    assert started["changed"] is True
    state = await client.wait(cuid, "exited")
    assert state["exit_code"] == 0
    assert state["started_at"] < state["finished_at"]
    logs = await client.logs(cuid)
    assert f"hello from {cuid} tags a,b" in logs
    assert "uid 1000 home /app in /app" in logs
    assert "to stderr" in logs
    async with client.session.get(f"/containers/{cuid}/download", params={"path": "made.txt"}) as response:
        assert await response.text() == "by the app"
    assert (await client.call("DELETE", f"/containers/{cuid}")) == {"cuid": cuid, "deleted": True}
    await client.refused("GET", f"/containers/{cuid}", status=404, code="CONTAINER_NOT_FOUND")
    assert docker("ps", "-aq", "--filter", f"name={cuid}") == ""


async def test_every_step_is_idempotent_and_seen_at_once(client: Client) -> None:
    cuid = await client.run(FOREVER)
    steps = [
        ("start", False, "running"),
        ("pause", True, "paused"),
        ("pause", False, "paused"),
        ("unpause", True, "running"),
        ("unpause", False, "running"),
        ("restart", True, "running"),
        ("stop", True, "exited"),
        ("stop", False, "exited"),
        ("restart", True, "running"),
        ("stop", True, "exited"),
        ("start", True, "running"),
        ("pause", True, "paused"),
        ("stop", True, "exited"),
    ]
    for verb, changed, status in steps:
        answer = await client.act(cuid, verb)
        assert (answer["changed"], answer["status"]) == (changed, status), verb
        assert (await client.status(cuid))["status"] == status
        listed = await client.call("GET", "/containers", params={"status": status})
        assert cuid in [row["cuid"] for row in listed["containers"]]


async def test_steps_that_a_state_does_not_have(client: Client) -> None:
    cuid = await client.create()
    await client.refused("POST", f"/containers/{cuid}/pause", status=422, code="INVALID_TRANSITION")
    await client.refused("POST", f"/containers/{cuid}/unpause", status=422, code="INVALID_TRANSITION")
    assert (await client.act(cuid, "stop"))["changed"] is False
    running = await client.run()
    await client.act(running, "pause")
    await client.refused("POST", f"/containers/{running}/start", status=422, code="INVALID_TRANSITION")
    await client.refused("POST", f"/containers/{running}/restart", status=422, code="INVALID_TRANSITION")
    await client.refused("DELETE", f"/containers/{running}", status=422, code="CONTAINER_RUNNING")
    await client.delete(running)
    assert docker("ps", "-aq", "--filter", f"name={running}") == ""


async def test_nothing_to_run_is_told_before_anything_starts(client: Client) -> None:
    cuid = await client.create(PYTHON_IMAGE)
    error = await client.refused("POST", f"/containers/{cuid}/start", status=422, code="BOOT_MISSING")
    assert "boot.py" in error["message"]
    assert (await client.status(cuid))["status"] == "created"


async def test_an_image_that_nobody_has(client: Client) -> None:
    cuid = await client.create("localhost:9/no-such-image:1", command=["true"])
    await client.refused("POST", f"/containers/{cuid}/start", status=404, code="IMAGE_NOT_FOUND")
    await client.refused(
        "POST",
        "/containers",
        status=404,
        code="IMAGE_NOT_FOUND",
        json={"image": "localhost:9/no-such-image:1", "command": "true", "start": True, "name": "half"},
    )
    listed = await client.call("GET", "/containers")
    assert "half" not in [row["name"] for row in listed["containers"]]


async def test_a_port_that_is_taken_names_its_owner(client: Client) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ports = [{"host": port, "container": 80}]
    first = await client.run(ports=ports)
    assert (await client.status(first))["ports"][0]["host"] == port
    second = await client.create(command=["sleep", "1000"], ports=ports)
    error = await client.refused("POST", f"/containers/{second}/start", status=409, code="PORT_IN_USE")
    assert error["details"]["owner"] == first
    await client.act(first, "stop")
    await client.act(second, "start")


async def test_the_engine_chooses_a_port_where_none_is_asked_for(client: Client) -> None:
    cuid = await client.run(ports=[{"container": 80}, {"container": 53, "protocol": "udp", "host_ip": "127.0.0.1"}])
    ports = {(port["container"], port["protocol"]): port["host"] for port in (await client.status(cuid))["ports"]}
    assert set(ports) == {(80, "tcp"), (53, "udp")}
    assert all(ports.values())


HOSTILE = {
    "DOLLAR": "$",
    "BRACES": "${APP_PASS}",
    "DOUBLE": "$$HOME$$$",
    "QUOTES": "'\"`\\",
    "LINES": "one\ntwo\r\n\tthree\n",
    "YAML": "a: [1, &x *x] # no comment",
    "DASH": "--privileged",
    "UNICODE": "ü 漢 🐍 \u2028 \x85",
    "EMPTY": "",
    "EQUALS": "a=b=c",
    "SPACES": "  x  ",
    "CONTROL": "\x01\x1b[31m\x7f",
}

TELL = "import json, os, time\nprint(json.dumps(dict(os.environ)), flush=True)\ntime.sleep(1000)\n"


async def environment(client: Client, cuid: str) -> dict[str, str]:
    logs = await eventually(lambda: _last_line(client, cuid), what="the environment in the logs")
    return dict(json.loads(logs))


async def _last_line(client: Client, cuid: str) -> str:
    lines = [line for line in (await client.logs(cuid)).split("\n") if line.startswith("{")]
    return lines[-1] if lines else ""


async def test_every_value_reaches_the_process_as_it_was_sent(client: Client) -> None:
    cuid = await client.run(TELL, env=HOSTILE, tags=["$x", "y z"])
    seen = await environment(client, cuid)
    assert {name: seen[name] for name in HOSTILE} == HOSTILE
    assert seen["TAGS"] == "$x,y z"
    assert "APP_PASS" not in seen
    # And again after changes, which read the file and write it anew.
    answer = await client.call(
        "PATCH", f"/containers/{cuid}", json={"env": {"EMPTY": None, "ONE_MORE": "${X:-y}"}, "tags": ["n"]}
    )
    assert answer["applied"] == "recreated"

    async def changed() -> dict[str, str] | None:
        seen = await environment(client, cuid)
        return seen if "ONE_MORE" in seen else None

    seen = await eventually(changed, what="the changed environment")
    assert {name: seen.get(name) for name in HOSTILE} == {**HOSTILE, "EMPTY": None}
    assert (seen["ONE_MORE"], seen["TAGS"]) == ("${X:-y}", "n")


async def test_words_of_a_command_are_passed_as_they_are(client: Client) -> None:
    cuid = await client.run(image=BUSYBOX, command=["sh", "-c", 'printf "%s|" "$@"', "x", "$HOME", "--", "-a", "'", ""])
    await client.wait(cuid, "exited")
    assert await client.logs(cuid) == "$HOME|--|-a|'||"


async def test_changes_wait_for_the_next_start_unless_it_runs(client: Client) -> None:
    cuid = await client.create(command="sleep 1000")
    changes = {"resources": {"memory": "48m", "pids": 17, "cpus": 0.25}}
    assert (await client.call("PATCH", f"/containers/{cuid}", json=changes))["applied"] == "next_start"
    assert (await client.call("PATCH", f"/containers/{cuid}", json=changes))["applied"] == "unchanged"
    await client.act(cuid, "start")
    limits = json.loads(docker("inspect", cuid, "--format", "{{json .HostConfig}}"))
    assert (limits["Memory"], limits["PidsLimit"], limits["NanoCpus"]) == (48 << 20, 17, 250_000_000)
    answer = await client.call("PATCH", f"/containers/{cuid}/ports", json={"ports": [{"container": 81}]})
    assert answer["applied"] == "recreated"
    assert answer["bound_ports"][0]["container"] == 81


async def test_a_change_that_fails_leaves_it_running_as_it_was(client: Client) -> None:
    owner = await client.run(ports=[{"container": 80}])
    taken = (await client.status(owner))["ports"][0]["host"]
    cuid = await client.run(env={"A": "1"})
    body = {"ports": [{"host": taken, "container": 80}]}
    await client.refused("PATCH", f"/containers/{cuid}/ports", status=409, code="PORT_IN_USE", json=body)
    await client.refused(
        "PATCH", f"/containers/{cuid}", status=404, code="IMAGE_NOT_FOUND", json={"image": "localhost:9/no:1"}
    )
    shown = await client.call("GET", f"/containers/{cuid}")
    assert (shown["status"], shown["image"], shown["ports"]) == ("running", BUSYBOX, [])


async def test_apps_have_no_powers_and_containers_with_a_command_keep_theirs(client: Client) -> None:
    app = await client.run(FOREVER)
    own = await client.run(command=["sleep", "1000"])
    rows = [json.loads(docker("inspect", cuid, "--format", "{{json .HostConfig}}")) for cuid in (app, own)]
    networks = docker(
        "inspect", app, own, "--format", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}"
    )
    assert networks.split() == ["container-manager-isolated"] * 2
    powers = [
        (await client.exec(cuid, "grep", "-E", "CapBnd|NoNewPrivs", "/proc/1/status"))["stdout"] for cuid in (app, own)
    ]
    assert powers[0].split() == ["CapBnd:", "0000000000000000", "NoNewPrivs:", "1"]
    assert "0000000000000000" not in powers[1]
    assert powers[1].split()[-1] == "0"
    for row in rows:
        assert row["Init"] is True
        assert row["Memory"] == 1 << 30
        # Podman's Docker interface does not tell the options of a log.
        options = row["LogConfig"]["Config"]
        assert options is None or options["max-size"] == "10m"


async def test_containers_cannot_reach_each_other(client: Client) -> None:
    server = await client.run(command=["sh", "-c", "while true; do echo hi | nc -l -p 7000; done"])
    caller = await client.run()
    address = docker("inspect", server, "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}").strip()
    inside = await client.exec(server, "nc", "-w", "2", "127.0.0.1", "7000")
    assert inside["stdout"] == "hi\n"
    outside = await client.exec(caller, "nc", "-w", "2", address, "7000")
    if (await client.call("GET", "/healthz"))["engine"]["name"] == "docker":
        assert outside["exit_code"] != 0
        assert outside["stdout"] == ""
    else:
        # Podman cannot: the documentation says so, and the log at the start of the first container.
        assert outside["stdout"] == "hi\n"


async def test_a_stop_takes_no_ten_seconds_though_the_app_ignores_nothing(client: Client) -> None:
    cuid = await client.run(command=["sleep", "1000"])
    answer = await client.act(cuid, "stop")
    # 143: ended by SIGTERM, not by the SIGKILL (137) that follows STOP_TIMEOUT.
    assert answer["exit_code"] == 143


async def test_requests_on_one_container_take_turns(client: Client) -> None:
    cuid = await client.create(command="sleep 1000")
    results = await asyncio.gather(
        *(client.act(cuid, "start") for _ in range(4)), *(client.status(cuid) for _ in range(4))
    )
    assert sum(answer.get("changed", False) for answer in results) == 1


async def test_exec_gives_streams_code_and_input(client: Client) -> None:
    cuid = await client.run()
    answer = await client.exec(cuid, "sh", "-c", "cat; echo err >&2; exit 7", stdin="in\x00put")
    assert (answer["exit_code"], answer["stdout"], answer["stderr"]) == (7, "in\x00put", "err\n")
    answer = await client.call(
        "POST", f"/containers/{cuid}/exec", json={"command": "echo $A; pwd", "env": {"A": "x"}, "workdir": "/tmp"}
    )
    assert answer["stdout"] == "x\n/tmp\n"
    answer = await client.exec(cuid, "sh", "-c", r"printf '\377'")
    assert (answer["encoding"], answer["stdout"]) == ("base64", "/w==")
    answer = await client.exec(cuid, "no-such-program")
    assert answer["exit_code"] in (126, 127)


async def test_exec_that_takes_too_long_is_ended_in_the_container(client: Client) -> None:
    cuid = await client.run()
    body = {"command": ["sleep", "4242"], "timeout": 0.5}
    await client.refused("POST", f"/containers/{cuid}/exec", status=408, code="TIMEOUT", json=body)
    await eventually(lambda: _no_process(client, cuid, "4242"), what="the process gone")


async def _no_process(client: Client, cuid: str, word: str) -> bool:
    return word not in await asyncio.to_thread(docker, "top", cuid)


async def test_exec_needs_a_running_container(client: Client) -> None:
    cuid = await client.create()
    await client.refused("POST", f"/containers/{cuid}/exec", status=422, code="NOT_RUNNING", json={"command": "ls"})


async def test_logs_follow_until_the_end(client: Client) -> None:
    # Each line in one piece: Podman stamps pieces.
    code = "import sys, time\nfor n in range(5):\n    sys.stdout.write(f'line {n}\\n')\n    time.sleep(0.2)\n"
    cuid = await client.run(code)
    text = await client.logs(cuid, follow="true")
    assert text == "".join(f"line {n}\n" for n in range(5))
    assert (await client.status(cuid))["exit_code"] == 0
    assert await client.logs(cuid, tail="2") == "line 3\nline 4\n"
    assert await client.logs(cuid, tail="0") == ""
    stamped = await client.logs(cuid, tail="1", timestamps="true")
    assert stamped.endswith("Z line 4\n")
    async with client.session.get(f"/containers/{cuid}/logs", headers={"Accept": "text/event-stream"}) as response:
        assert response.content_type == "text/event-stream"
        body = await response.text()
    assert body.startswith("data: line 0\n\n")
    assert body.endswith("event: end\ndata:\n\n")


async def test_logs_of_a_container_that_never_ran_are_empty(client: Client) -> None:
    assert await client.logs(await client.create()) == ""


async def test_what_was_edited_by_hand_is_used_and_survives(client: Client) -> None:
    cuid = await client.create(command="sleep 1000")
    path = client.settings.data_dir / "compose" / f"{cuid}.yml"
    text = path.read_text().replace("    init: true\n", "    init: true\n    # mine\n    hostname: by-hand\n")
    path.write_text(text)
    await client.act(cuid, "start")
    assert (await client.exec(cuid, "cat", "/etc/hostname"))["stdout"].strip() == "by-hand"
    await client.call("PATCH", f"/containers/{cuid}", json={"env": {"B": "2"}})
    assert "    # mine\n    hostname: by-hand\n" in path.read_text()
    async with client.session.get(f"/containers/{cuid}/compose") as response:
        assert await response.text() == path.read_text()


async def test_a_broken_file_is_told_on_its_container_alone(client: Client) -> None:
    cuid, other = await client.create(), await client.run()
    path = client.settings.data_dir / "compose" / f"{cuid}.yml"
    good = path.read_text()
    path.write_text(good + "\n bad: [\n")

    async def told() -> bool:
        return (await client.status(cuid))["problem"] is not None

    await eventually(told, what="the problem")
    assert "line" in (await client.status(cuid))["problem"]
    await client.refused("POST", f"/containers/{cuid}/start", status=500, code="COMPOSE_FILE_BROKEN")
    assert (await client.status(other))["status"] == "running"
    path.write_text(good)
    assert (await client.call("PATCH", f"/containers/{cuid}", json={"tags": ["ok"]}))["tags"] == ["ok"]


async def test_pages_of_the_list_stay_right_while_containers_go(client: Client) -> None:
    cuids = [await client.create(tags=["paged"]) for _ in range(5)]
    page = await client.call("GET", "/containers", params={"tag": "paged", "limit": "2"})
    assert [row["cuid"] for row in page["containers"]] == cuids[:2]
    await client.delete(cuids[1])
    await client.delete(cuids[2])
    page = await client.call("GET", "/containers", params={"tag": "paged", "limit": "2", "cursor": page["next_cursor"]})
    assert [row["cuid"] for row in page["containers"]] == cuids[3:]
    assert page["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["x", "%00", "bm90IG91cnM", "A" * 600])
async def test_a_cursor_that_is_none(client: Client, cursor: str) -> None:
    async with client.session.get("/containers", params={"cursor": cursor}) as response:
        assert response.status == 400
        assert (await response.json())["error"] == "validation_error"


async def test_files_can_be_kept(client: Client) -> None:
    cuid = await client.create()
    await client.upload(cuid, {"data.txt": "x"})
    await client.call("DELETE", f"/containers/{cuid}", params={"keep_files": "true"})
    assert (client.settings.data_dir / "mounts" / cuid / "data.txt").read_text() == "x"
    assert not (client.settings.data_dir / "compose" / f"{cuid}.yml").exists()
