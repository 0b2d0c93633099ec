"""One container's Compose file: written from a spec, read into one, whoever edited it in between."""

import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from container_manager.errors import ComposeFileBroken
from container_manager.models import (
    LABEL,
    NETWORKS,
    ContainerSpec,
    Cuid,
    Layout,
    PortMapping,
    Resources,
    Runs,
    Volume,
)
from container_manager.settings import Settings

EXTENSION = "x-container-manager"
"""The top-level key that holds what Compose has no word for."""

OWN_VARIABLES = ("CONTAINER_UID", "TAGS")
"""Environment variables that are the server's to set."""

_HEADER = """\
Written by container-manager. Edit it freely: comments, order and keys of your own
survive every change made through the API, and a change made here is seen at once.
"""

_PORT = re.compile(
    r"(?:(?:\[(?P<ip6>[0-9A-Fa-f:.]+)\]|(?P<ip>\d+\.\d+\.\d+\.\d+)):)?"
    r"(?:(?P<host>\d*):)?(?P<container>\d+)(?:/(?P<protocol>tcp|udp|sctp))?"
)


def quoted(value: str) -> str:
    """`value` so that it comes through YAML and Compose's interpolation exactly as it is."""
    return cast(str, DoubleQuotedScalarString(value.replace("$", "$$")))


def unquoted(value: Any) -> str:
    """What a process sees of a YAML scalar: the reverse of `quoted`, Compose's booleans included."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("$$", "$")


def round_trip() -> YAML:
    """A YAML reader and writer that keeps comments, order, quotes and anchors; never wraps a line."""
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 2**31
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def dump(document: CommentedMap) -> bytes:
    """The document as UTF-8 text."""
    text = io.StringIO()
    round_trip().dump(document, text)
    return text.getvalue().encode()


def load(text: bytes) -> dict[str, Any]:
    """The file as plain values (fast, C parser). ComposeFileBroken says what is wrong and where."""
    document = _loaded(YAML(typ="safe"), text)
    return cast(dict[str, Any], document)


def load_for_edit(text: bytes) -> CommentedMap:
    """The file with its comments. ComposeFileBroken says what is wrong and where."""
    return cast(CommentedMap, _loaded(round_trip(), text))


def _loaded(yaml: YAML, text: bytes) -> Any:
    try:
        document = yaml.load(text.decode())
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise ComposeFileBroken(f"line {line}: it is not UTF-8", line=line) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ComposeFileBroken(
            f"line {line}: {error.problem or error.context or 'it is no YAML'}", line=line
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ComposeFileBroken(f"it cannot be read as YAML: {reason}", line=1) from None
    if not isinstance(document, dict):
        raise ComposeFileBroken("line 1: it must be a mapping with a key 'services'", line=1)
    return document


def service_of(document: Mapping[str, Any], cuid: Cuid) -> Any:
    """The service of this container. ComposeFileBroken when there is none."""
    services = document.get("services")
    service = services.get(cuid) if isinstance(services, dict) else None
    if not isinstance(service, dict):
        raise ComposeFileBroken(f"it has no service {cuid} below 'services'", line=1)
    if not isinstance(service.get("image"), str):
        raise ComposeFileBroken(f"service {cuid} has no 'image'", line=1)
    return service


def render(spec: ContainerSpec, layout: Layout, settings: Settings) -> bytes:
    """The first version of a container's file."""
    extension = CommentedMap({"created": DoubleQuotedScalarString(spec.created_at.isoformat())})
    if spec.name is not None:
        extension["name"] = DoubleQuotedScalarString(spec.name)
    extension["tags"] = flow([quoted(tag) for tag in spec.tags])

    environment = CommentedMap({"CONTAINER_UID": quoted(spec.cuid), "TAGS": quoted(",".join(spec.tags))})
    environment.update({name: quoted(value) for name, value in spec.env.items()})

    resources = spec.resources
    service = CommentedMap(
        {
            "image": quoted(spec.image),
            "container_name": spec.cuid,
            "init": True,
            "labels": CommentedMap({LABEL: spec.cuid}),
            "environment": environment,
            "volumes": [_volume(Volume(str(layout.mount(spec.cuid)), "/app"))] + [_volume(v) for v in spec.volumes],
            "cpus": settings.default_cpus if resources.cpus is None else resources.cpus,
            "mem_limit": settings.default_memory if resources.memory is None else resources.memory,
            "pids_limit": settings.default_pids if resources.pids is None else resources.pids,
            "logging": CommentedMap(
                {"driver": "json-file", "options": CommentedMap({"max-size": quoted("10m"), "max-file": quoted("3")})}
            ),
        }
    )
    if spec.ports:
        service["ports"] = [port_line(port, settings.publish_address) for port in spec.ports]
    if spec.command is not None:
        service["command"] = flow([quoted(word) for word in spec.command])
    if spec.user is not None:
        service["user"] = quoted(spec.user)
    if spec.restart is not None:
        service["restart"] = quoted(spec.restart)

    document = CommentedMap({"name": spec.cuid, EXTENSION: extension, "services": CommentedMap({spec.cuid: service})})
    set_network(document, service, settings.network)
    document.yaml_set_start_comment(_HEADER)
    return dump(document)


def set_network(document: CommentedMap, service: CommentedMap, network: str) -> None:
    """Put the service on the shared network, or on none, as the NETWORK setting says."""
    name = NETWORKS[network]
    if name is None:
        service["network_mode"] = "none"
        document.pop("networks", None)
    else:
        service.pop("network_mode", None)
        document["networks"] = CommentedMap({"default": CommentedMap({"name": name, "external": True})})


def flow(items: Sequence[Any]) -> CommentedSeq:
    """A list on one line."""
    sequence = CommentedSeq(items)
    sequence.fa.set_flow_style()
    return sequence


def port_line(port: PortMapping, publish_address: str) -> str:
    """A port in Compose's short form, the address always written out."""
    address = port.host_ip or publish_address
    if ":" in address:
        address = f"[{address}]"
    return quoted(f"{address}:{port.host or ''}:{port.container}/{port.protocol}")


def _volume(volume: Volume) -> CommentedMap:
    mapping = CommentedMap({"type": "bind", "source": quoted(volume.source), "target": quoted(volume.target)})
    if volume.read_only:
        mapping["read_only"] = True
    return mapping


def parse(cuid: Cuid, text: bytes) -> ContainerSpec:
    """The spec that the file holds; a file that cannot be read gives one whose `broken` says why."""
    try:
        document = load(text)
        service = service_of(document, cuid)
    except ComposeFileBroken as error:
        return ContainerSpec(cuid, datetime.fromtimestamp(0, UTC), image="", broken=error.message)
    extension = document.get(EXTENSION)
    extension = extension if isinstance(extension, dict) else {}
    boot_keys = extension.get("set_for_boot") or ()
    name = extension.get("name")
    return ContainerSpec(
        cuid=cuid,
        created_at=_time(extension.get("created")),
        image=unquoted(service["image"]),
        name=str(name) if name is not None else None,
        env={k: v for k, v in read_environment(service.get("environment")).items() if k not in OWN_VARIABLES},
        tags=tuple(unquoted(tag) for tag in _sequence(extension.get("tags"))),
        resources=Resources(
            cpus=_float(service.get("cpus")),
            memory=_string(service.get("mem_limit")),
            pids=_int(service.get("pids_limit")),
        ),
        ports=tuple(port for port in map(_port, _sequence(service.get("ports"))) if port is not None),
        volumes=tuple(v for v in map(_bind, _sequence(service.get("volumes"))) if v is not None and v.target != "/app"),
        command=None if "command" in boot_keys else _command(service.get("command")),
        user=None if "user" in boot_keys else _string(service.get("user")),
        restart=_string(service.get("restart")),
        runs=cast(Runs, extension["runs"]) if extension.get("runs") in ("command", "boot", "image") else None,
    )


def read_environment(environment: Any) -> dict[str, str]:
    """Both forms that Compose has, a mapping or a list of NAME=value."""
    if isinstance(environment, dict):
        return {str(name): unquoted(value) for name, value in environment.items() if value is not None}
    pairs = (str(item).partition("=") for item in _sequence(environment))
    return {name: unquoted(value) for name, separator, value in pairs if separator}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _string(value: Any) -> str | None:
    return None if value is None else unquoted(value)


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _int(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
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
        return PortMapping(published, target, cast(Any, protocol), str(value.get("host_ip") or ""))
    match = _PORT.fullmatch(str(value))
    if match is None:
        return None
    return PortMapping(
        host=int(match["host"] or 0),
        container=int(match["container"]),
        protocol=cast(Any, match["protocol"] or "tcp"),
        host_ip=match["ip6"] or match["ip"] or "",
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
