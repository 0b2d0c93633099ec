"""Writes a container's first Compose file."""

from typing import Any

from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from container_manager.models import LABEL, NETWORKS, ContainerSpec, Layout, PortMapping, Volume
from container_manager.settings import Settings
from container_manager.store.yaml_text import dump, flow, quoted

EXTENSION = "x-container-manager"
"""The top-level key that holds what Compose has no word for."""

OWN_VARIABLES = ("CONTAINER_UID", "TAGS")
"""Environment variables that are the server's to set."""

EVERY_ADDRESS = "0.0.0.0"
"""What it means when a file gives a port no address."""

_HEADER = """\
Written by container-manager. Edit it freely: comments, order and keys of your own
survive every change made through the API, and a change made here is seen at once.
"""


def render(spec: ContainerSpec, layout: Layout, settings: Settings) -> bytes:
    """The first version of a container's file."""
    extension = CommentedMap({"created": DoubleQuotedScalarString(spec.created_at.isoformat())})
    if spec.name is not None:
        extension["name"] = DoubleQuotedScalarString(spec.name)
    extension.update({key: value for key, value in lifetimes(spec.ttl, spec.idle_timeout).items() if value})
    extension["tags"] = flow([quoted(tag) for tag in spec.tags])
    if spec.runs is not None:
        extension["runs"] = spec.runs

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
            "volumes": [volume_entry(Volume(str(layout.mount(spec.cuid)), "/app"))]
            + [volume_entry(v) for v in spec.volumes],
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


def lifetimes(ttl: int | None, idle_timeout: int | None) -> dict[str, int]:
    """The keys that bound a container's running time, those that are given; 0 stands for no bound."""
    given = {"ttl": ttl, "idle_timeout": idle_timeout}
    return {key: seconds for key, seconds in given.items() if seconds is not None}


def set_network(document: dict[str, Any], service: dict[str, Any], network: str) -> None:
    """Put the service on the shared network, or on none, as the NETWORK setting says."""
    name = NETWORKS[network]
    networks = document.get("networks")
    if name is not None:
        service.pop("network_mode", None)
        default = {"default": {"name": name, "external": True}}
        document["networks"] = {**networks, **default} if isinstance(networks, dict) else default
        return
    service["network_mode"] = "none"
    if isinstance(networks, dict):
        networks.pop("default", None)
        if not networks:
            del document["networks"]


def port_line(port: PortMapping, publish_address: str) -> str:
    """A port in Compose's short form."""
    container = f"{port.container}/{port.protocol}"
    address = port.host_ip or publish_address
    if address == EVERY_ADDRESS:
        # Not written out: Podman would take it for an address that packets come to.
        return quoted(f"{port.host}:{container}" if port.host else container)
    if ":" in address:
        address = f"[{address}]"
    return quoted(f"{address}:{port.host or ''}:{container}")


def volume_entry(volume: Volume) -> CommentedMap:
    """A volume in Compose's long form."""
    mapping = CommentedMap({"type": "bind", "source": quoted(volume.source), "target": quoted(volume.target)})
    if volume.read_only:
        mapping["read_only"] = True
    return mapping
