"""Ports and volumes of /api/v1, in every form in which Docker's and Podman's clients write them."""

import re
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, Field

from container_manager.api.schemas.base import Body, fault
from container_manager.models import LAUNCHER, PortMapping, Protocol, Volume

_PORT = re.compile(r"(?:(?P<address>\d{1,3}(?:\.\d{1,3}){3}):)?(?P<port>\d{1,5})(?:/(?P<protocol>tcp|udp|sctp))?")

type PortValue = int | str | None
type PortMap = dict[str, PortValue | list[PortValue]]


def port_mappings(ports: PortMap) -> tuple[PortMapping, ...]:
    """Both ways of writing a port.

    `{"8080": "80"}`, with `"80/udp"` for another protocol, is host → container. A key with a protocol
    is the container's, as Docker's own library has it: `{"80/tcp": 8080}`; several host ports are a
    list, an address stands first in one (`["127.0.0.1", 8080]`), and null lets the engine choose.
    """
    found: list[PortMapping] = []
    for key, value in ports.items():
        for target in _targets(value):
            found.append(_mapping(key, target))
    hosts = [(port.host, port.protocol, port.host_ip) for port in found if port.host]
    if len(set(hosts)) < len(hosts):
        raise fault("DUPLICATE_PORT", "A host port is asked for twice")
    return tuple(found)


def _targets(value: PortValue | list[PortValue]) -> list[PortValue]:
    if not isinstance(value, list):
        return [value]
    if len(value) == 2 and isinstance(value[0], str) and "." in value[0] and ":" not in value[0]:
        return [f"{value[0]}:{0 if value[1] is None else value[1]}"]
    return value


def _mapping(key: str, target: PortValue) -> PortMapping:
    left, right = _parsed(key), _parsed("0" if target is None else str(target))
    host, container = (right, left) if left[2] and not right[2] else (left, right)
    if left[2] and right[2] and left[2] != right[2]:
        raise fault("INVALID_PORT", f"{key!r:.60}: the host's port and the container's have different protocols")
    if container[0] or not container[1]:
        raise fault(
            "INVALID_PORT", f"{key!r:.60}: the container's port is a number from 1 to 65535, without an address"
        )
    return PortMapping(host[1], container[1], cast(Protocol, left[2] or right[2] or "tcp"), host[0])


def _parsed(text: str) -> tuple[str, int, str]:
    """Address, port and protocol; the first and the last may be empty."""
    match = _PORT.fullmatch(text)
    port = int(match["port"]) if match else 0
    address = (match["address"] or "") if match else ""
    if match is None or port > 65535 or any(int(part) > 255 for part in address.split(".") if part):
        raise fault("INVALID_PORT", f"{text!r:.60} is no port; write for example 8080, 53/udp or 127.0.0.1:8080")
    return address, port, match["protocol"] or ""


def _check_ports(ports: PortMap) -> PortMap:
    port_mappings(ports)
    return ports


Ports = Annotated[
    PortMap,
    AfterValidator(_check_ports),
    Field(
        max_length=256,
        description='Host to container, `{"8080": "80"}`, or, with a protocol in the key, container to host, '
        '`{"80/tcp": 8080}`',
        examples=[{"8080": "80"}],
        json_schema_extra={"propertyNames": {"pattern": r"^(\d{1,3}(\.\d{1,3}){3}:)?\d{1,5}(/(tcp|udp|sctp))?$"}},
    ),
]


Target = Annotated[str, Field(pattern="^/", examples=["/data"])]


class Bind(Body):
    """Where a host path goes, in Docker's library: the value of a map of volumes."""

    bind: Target
    mode: Literal["rw", "ro"] = "rw"


class Mount(Body):
    """A volume in Compose's long form."""

    type: Literal["bind"] = "bind"
    source: str = Field(min_length=1)
    target: Target
    read_only: bool = False


type VolumeForms = dict[str, str | Bind] | list[str | Mount]

_RESERVED = ("/", "/app", "/proc", "/sys", "/dev")
"""Targets that would hide the container's root, its mount, or what the kernel shows there."""


def volumes_of(forms: VolumeForms) -> tuple[Volume, ...]:
    """All forms as one: `{host: container}`, `{host: {bind, mode}}`, `"host:container[:ro]"`, `{type: bind, …}`."""
    if isinstance(forms, dict):
        found = [_from_pair(source, value) for source, value in forms.items()]
    else:
        found = [_from_item(item) for item in forms]
    targets = [volume.target for volume in found]
    if len(set(targets)) < len(targets):
        raise fault("DUPLICATE_VOLUME", "Two volumes have the same target")
    return tuple(found)


def _from_pair(source: str, value: str | Bind) -> Volume:
    if isinstance(value, Bind):
        return _volume(source, value.bind, read_only=value.mode == "ro")
    target, _, mode = value.partition(":")
    return _volume(source, target, read_only=_read_only(mode))


def _from_item(item: str | Mount) -> Volume:
    if isinstance(item, Mount):
        return _volume(item.source, item.target, read_only=item.read_only)
    source, _, rest = item.partition(":")
    target, _, mode = rest.partition(":")
    return _volume(source, target, read_only=_read_only(mode))


def _read_only(mode: str) -> bool:
    if mode not in ("", "rw", "ro"):
        raise fault("INVALID_VOLUME", f"{mode!r:.60} is no mode of a volume: rw or ro")
    return mode == "ro"


def _volume(source: str, target: str, *, read_only: bool) -> Volume:
    clean = _clean(target)
    if (
        not clean.startswith("/")
        or ".." in clean.split("/")
        or clean in _RESERVED
        or clean.startswith(("/proc/", "/sys/", "/dev/"))
    ):
        raise fault("INVALID_VOLUME", f"{target!r:.100} is no place for a volume: an absolute path in the container")
    if clean == LAUNCHER or clean.startswith(f"{LAUNCHER}/"):
        raise fault("INVALID_VOLUME", f"{LAUNCHER} is no place for a volume: what starts boot.py is mounted there")
    return Volume(_clean(source), clean, read_only)


def _clean(path: str) -> str:
    """`path` without what says nothing: doubled slashes, `.`, a slash at the end. `..` stays, to be refused."""
    if len(path.encode()) > 4095:
        raise fault("INVALID_VOLUME", "A path has at most 4095 bytes")
    root = "/" if path.startswith("/") else ""
    return root + "/".join(part for part in path.split("/") if part not in ("", "."))


def _check_volumes(forms: VolumeForms) -> VolumeForms:
    volumes_of(forms)
    return forms


Volumes = Annotated[
    VolumeForms,
    AfterValidator(_check_volumes),
    Field(
        description="Host to container; host paths lie below a directory of ALLOWED_VOLUMES",
        examples=[{"/srv/shared": "/data"}],
    ),
]
