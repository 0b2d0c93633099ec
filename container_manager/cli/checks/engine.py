"""The engine: its command, its daemon, Compose, and what it enforces."""

import json
import shutil
from collections.abc import Mapping
from typing import Any

from container_manager.cli.checks.finding import Finding
from container_manager.cli.options import DEFAULT_IMAGE
from container_manager.engine import compose
from container_manager.engine.network import ICC
from container_manager.engine.process import Finished, run
from container_manager.errors import AppError

_SECONDS = 10.0


def command(environment: Mapping[str, str]) -> Finding:
    """The client that the engine's events come through."""
    path = shutil.which("docker", path=environment["PATH"])
    if path is None:
        return Finding(
            "Docker command",
            "fail",
            "there is none on PATH",
            "Install it: apt-get install docker.io, or see https://docs.docker.com/engine/install/",
        )
    return Finding("Docker command", "ok", path)


async def ask(environment: Mapping[str, str]) -> dict[str, Any] | str | None:
    """What the engine says of itself, or its client's complaint, or None when there is no client."""
    try:
        finished = await run(["docker", "info", "--format", "{{json .}}"], environment, timeout=_SECONDS)
    except AppError as error:
        return error.message if error.code == "TIMEOUT" else None
    info = _json(finished)
    if info is None or info.get("ServerErrors") or not info.get("ServerVersion"):
        errors = (info or {}).get("ServerErrors") or [finished.stderr.decode(errors="replace").strip()]
        return str(errors[0])
    return info


def answers(engine: dict[str, Any] | str | None) -> Finding:
    """Whether the engine is there for this user."""
    if engine is None:
        return Finding("Engine", "fail", "cannot be asked without the docker command", "Install that first")
    if isinstance(engine, str):
        advice = "Start it: systemctl start docker. If it is elsewhere, set DOCKER_HOST"
        if "permission denied" in engine.lower():
            advice = "Let this user use it: usermod -aG docker $USER, then log in again; or run as root"
        return Finding("Engine", "fail", f"does not answer: {engine.splitlines()[0][:200] if engine else ''}", advice)
    return Finding("Engine", "ok", f"{engine['ServerVersion']} on {engine.get('OperatingSystem', 'an unknown system')}")


async def compose_version(environment: Mapping[str, str]) -> Finding:
    """The Compose binary that the server would use."""
    try:
        path, version = await compose.find(environment, _SECONDS)
    except AppError as error:
        what, _, advice = error.message.partition(". ")
        return Finding("Compose", "fail", what, advice)
    return Finding("Compose", "ok", f"{version} ({path})")


def limits(engine: Mapping[str, Any]) -> Finding:
    """Whether the kernel enforces what containers are allowed."""
    wanted = {"memory": "MemoryLimit", "cpus": "CpuCfsQuota", "pids": "PidsLimit"}
    missing = [name for name, key in wanted.items() if engine.get(key) is False]
    if missing:
        return Finding(
            "Limits",
            "warn",
            f"the kernel does not limit {', '.join(missing)}",
            "A container can use up this machine. Boot with cgroup_enable=memory swapaccount=1, or use another kernel",
        )
    return Finding("Limits", "ok", "memory, cpus and pids are enforced")


async def networking(info: Mapping[str, Any], environment: Mapping[str, str], kind: str) -> Finding:
    """Whether containers can reach anything, and with NETWORK=isolated not each other."""
    if kind == "none":
        return Finding("Network", "ok", "NETWORK is none: containers have no network")
    if info.get("IPv4Forwarding") is False:
        advice = "Containers reach nothing, nobody reaches their ports. Turn it on: sysctl net.ipv4.ip_forward=1"
        return Finding("Network", "warn", "IPv4 forwarding is off", advice)
    name = f"container-manager-{kind}"
    argv = ["docker", "network", "inspect", "--format", "{{json .Options}}", name]
    try:
        finished = await run(argv, environment, timeout=_SECONDS)
    except AppError as error:
        return Finding("Network", "fail", error.message, "See whether 'docker network ls' answers")
    if finished.code != 0:
        return Finding("Network", "ok", f"{name} is made at the first start")
    if kind == "isolated" and (_json(finished) or {}).get(ICC) != "false":
        advice = f"Remove it, the next start makes it anew: docker network rm {name}. Podman cannot keep them apart"
        return Finding("Network", "warn", f"{name} lets containers reach each other", advice)
    return Finding("Network", "ok", name)


async def base_image(environment: Mapping[str, str]) -> Finding:
    """The image that boot.py apps run on unless another is named."""
    argv = ["docker", "image", "inspect", "--format", "{{.Id}}", DEFAULT_IMAGE]
    try:
        finished = await run(argv, environment, timeout=_SECONDS)
    except AppError as error:
        return Finding("Image", "fail", error.message, "See whether 'docker images' answers")
    if finished.code != 0:
        return Finding(
            "Image",
            "warn",
            f"{DEFAULT_IMAGE} is not on this machine",
            f"The first start pulls it, and takes longer. Get it now: docker pull {DEFAULT_IMAGE}",
        )
    return Finding("Image", "ok", DEFAULT_IMAGE)


def _json(finished: Finished) -> dict[str, Any] | None:
    try:
        value = json.loads(finished.stdout)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
