"""Reads a container's Compose file into a spec, whoever wrote it and in whichever of Compose's forms."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from container_manager.errors import ComposeFileBroken
from container_manager.models import ContainerSpec, Cuid, PortMapping, Resources, Runs, Volume
from container_manager.store.compose_file import EVERY_ADDRESS, EXTENSION, OWN_VARIABLES
from container_manager.store.yaml_text import load, unquoted

VARIABLE = "environment."
VOLUME = "volumes."
"""How `set_for_boot` names one variable, and what is mounted at one target."""

_PORT = re.compile(
    r"(?:(?:\[(?P<ip6>[0-9A-Fa-f:.]+)\]|(?P<ip>\d+\.\d+\.\d+\.\d+)):)?"
    r"(?:(?P<host>\d{0,5}):)?(?P<container>\d{1,5})(?:/(?P<protocol>tcp|udp|sctp))?"
)


def service_of(document: Mapping[str, Any], cuid: Cuid) -> Any:
    """The service of this container. ComposeFileBroken when there is none."""
    services = document.get("services")
    service = services.get(cuid) if isinstance(services, dict) else None
    if not isinstance(service, dict):
        raise ComposeFileBroken(f"it has no service {cuid} below 'services'", line=1)
    if not isinstance(service.get("image"), str):
        raise ComposeFileBroken(f"service {cuid} has no 'image'", line=1)
    return service


def parse(cuid: Cuid, text: bytes) -> ContainerSpec:
    """The spec that the file holds; a file that cannot be read gives one whose `broken` says why."""
    try:
        document = load(text)
        service = service_of(document, cuid)
    except ComposeFileBroken as error:
        return ContainerSpec(cuid, datetime.fromtimestamp(0, UTC), image="", broken=error.message)
    extension = document.get(EXTENSION)
    extension = extension if isinstance(extension, dict) else {}
    boot_keys = [str(key) for key in sequence(extension.get("set_for_boot"))]
    boot_variables = [key.removeprefix(VARIABLE) for key in boot_keys if key.startswith(VARIABLE)]
    own_volumes = ["/app", *(key.removeprefix(VOLUME) for key in boot_keys if key.startswith(VOLUME))]
    environment = read_environment(service.get("environment"))
    name = extension.get("name")
    return ContainerSpec(
        cuid=cuid,
        created_at=_time(extension.get("created")),
        image=unquoted(service["image"]),
        name=str(name) if name is not None else None,
        env={name: value for name, value in environment.items() if name not in (*OWN_VARIABLES, *boot_variables)},
        tags=tuple(unquoted(tag) for tag in sequence(extension.get("tags"))),
        resources=Resources(
            cpus=_float(service.get("cpus")),
            memory=_string(service.get("mem_limit")),
            pids=_int(service.get("pids_limit")),
        ),
        ports=tuple(port for port in map(_port, sequence(service.get("ports"))) if port is not None),
        volumes=tuple(
            volume
            for volume in map(_bind, sequence(service.get("volumes")))
            if volume is not None and volume.target not in own_volumes
        ),
        command=_command(service.get("command")),
        user=None if "user" in boot_keys else _string(service.get("user")),
        restart=_string(service.get("restart")),
        ttl=max(_int(extension.get("ttl")) or 0, 0),
        idle_timeout=max(_int(extension.get("idle_timeout")) or 0, 0),
        runs=cast(Runs, extension["runs"]) if extension.get("runs") in ("command", "boot", "image") else None,
    )


def read_environment(environment: Any) -> dict[str, str]:
    """Both forms that Compose has, a mapping or a list of NAME=value."""
    if isinstance(environment, dict):
        return {str(name): unquoted(value) for name, value in environment.items() if value is not None}
    pairs = (str(item).partition("=") for item in sequence(environment))
    return {name: unquoted(value) for name, separator, value in pairs if separator}


def sequence(value: Any) -> Sequence[Any]:
    """`value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else ()


def _string(value: Any) -> str | None:
    return None if value is None else unquoted(value)


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _int(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _time(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = datetime.fromtimestamp(0, UTC)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(0, UTC)


def _command(value: Any) -> str | tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(unquoted(word) for word in value) if isinstance(value, list) else unquoted(value)


def _port(value: Any) -> PortMapping | None:
    """A port in the short or the long form; None for what has no single host port (ranges, variables)."""
    if isinstance(value, dict):
        target, published = _int(value.get("target")), _int(value.get("published") or 0)
        if target is None or published is None:
            return None
        protocol = value.get("protocol") if value.get("protocol") in ("udp", "sctp") else "tcp"
        return PortMapping(published, target, cast(Any, protocol), str(value.get("host_ip") or EVERY_ADDRESS))
    match = _PORT.fullmatch(str(value))
    if match is None:
        return None
    return PortMapping(
        host=int(match["host"] or 0),
        container=int(match["container"]),
        protocol=cast(Any, match["protocol"] or "tcp"),
        host_ip=match["ip6"] or match["ip"] or EVERY_ADDRESS,
    )


def _bind(value: Any) -> Volume | None:
    if isinstance(value, dict):
        if value.get("type") != "bind" or "source" not in value or "target" not in value:
            return None
        return Volume(unquoted(value["source"]), unquoted(value["target"]), bool(value.get("read_only")))
    source, separator, rest = str(value).partition(":")
    target, _, mode = rest.partition(":")
    return (
        Volume(unquoted(source), unquoted(target), "ro" in mode.split(","))
        if separator and source[:1] in "/."
        else None
    )


def volume_target(value: Any) -> str | None:
    """Where a volume of any form is mounted."""
    if isinstance(value, dict):
        return _string(value.get("target"))
    source, separator, rest = str(value).partition(":")
    return unquoted(rest.partition(":")[0] if separator else source)


def volume_source(value: Any) -> str:
    """What a volume of any form mounts; "" for one without a name."""
    source = value.get("source") if isinstance(value, dict) else str(value).rpartition(":")[0].partition(":")[0]
    return _string(source) or ""
