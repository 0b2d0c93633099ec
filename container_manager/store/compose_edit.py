"""Changes to a Compose file that leave alone what they do not name: comments, order, keys by hand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from container_manager.errors import ComposeFileBroken
from container_manager.models import LABEL, NETWORKS, Cuid, PortMapping, Resources, Runs, Volume
from container_manager.store.compose_file import EXTENSION, lifetimes, port_line, set_network, volume_entry
from container_manager.store.compose_read import (
    VARIABLE,
    VOLUME,
    read_environment,
    sequence,
    service_of,
    volume_source,
    volume_target,
)
from container_manager.store.yaml_splice import spliced
from container_manager.store.yaml_text import flow, load, quoted

Change = Callable[["Editor"], None]


class Editor:
    """What the file holds, during one change."""

    def __init__(self, cuid: Cuid, document: dict[str, Any]) -> None:
        self.document = document
        self.service: dict[str, Any] = service_of(document, cuid)
        extension = document.get(EXTENSION)
        self.extension: dict[str, Any] = extension if isinstance(extension, dict) else {}
        document[EXTENSION] = self.extension

    def set_identity(self, cuid: Cuid) -> None:
        """Name and label by which the container is found at the engine, whatever was written there by hand."""
        self.service["container_name"] = str(cuid)
        labels = self.service.get("labels")
        if isinstance(labels, list):
            if f"{LABEL}={cuid}" not in labels:
                labels[:] = [label for label in labels if str(label).partition("=")[0] != LABEL]
                labels.append(f"{LABEL}={cuid}")
        elif isinstance(labels, dict):
            labels[LABEL] = str(cuid)
        else:
            self.service["labels"] = {LABEL: str(cuid)}

    def set_image(self, image: str) -> None:
        """Another image."""
        self.service["image"] = quoted(image)

    def merge_env(self, env: Mapping[str, str | None]) -> None:
        """Set the variables of `env`, remove those that are None, keep the rest."""
        environment = self.service.get("environment")
        if isinstance(environment, list):
            self._merge_env_list(environment, env)
            return
        if not isinstance(environment, dict):
            environment = self.service["environment"] = {}
        for name, value in env.items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = quoted(value)

    @staticmethod
    def _merge_env_list(items: list[Any], env: Mapping[str, str | None]) -> None:
        places = {str(item).partition("=")[0]: index for index, item in enumerate(items)}
        for name, value in env.items():
            if value is not None and name in places:
                items[places[name]] = quoted(f"{name}={value}")
            elif value is not None:
                items.append(quoted(f"{name}={value}"))
        for index in sorted((places[n] for n, v in env.items() if v is None and n in places), reverse=True):
            del items[index]

    def set_tags(self, tags: Sequence[str]) -> None:
        """Replace the tags, in the file and in the container's environment."""
        self.extension["tags"] = flow([quoted(tag) for tag in tags])
        self.merge_env({"TAGS": ",".join(tags)})

    def merge_resources(self, resources: Resources) -> None:
        """Set the limits that are given, keep the others."""
        given = {"cpus": resources.cpus, "mem_limit": resources.memory, "pids_limit": resources.pids}
        self.service.update({key: value for key, value in given.items() if value is not None})

    def set_lifetimes(self, ttl: int | None, idle_timeout: int | None) -> None:
        """Set the bounds that are given, in seconds; 0 takes one away."""
        for key, seconds in lifetimes(ttl, idle_timeout).items():
            if seconds:
                self.extension[key] = seconds
            else:
                self.extension.pop(key, None)

    def set_ports(self, ports: Sequence[PortMapping], publish_address: str) -> None:
        """Replace the whole list of ports."""
        if ports:
            self.service["ports"] = [port_line(port, publish_address) for port in ports]
        else:
            self.service.pop("ports", None)

    def set_network(self, network: str) -> None:
        """Follow the NETWORK setting, unless somebody gave this container networks of its own."""
        networks = self.document.get("networks")
        default = networks.get("default") if isinstance(networks, dict) else None
        of_somebody = default is not None and (
            not isinstance(default, dict) or default.get("name") not in NETWORKS.values()
        )
        # "none" may be ours, of a time when NETWORK was none.
        mode_is_ours = self.service.get("network_mode") in (None, "none")
        if mode_is_ours and "networks" not in self.service and not of_somebody:
            set_network(self.document, self.service, network)

    def set_runs(self, runs: Runs, boot: Mapping[str, Any]) -> None:
        """Write what the container runs: for boot.py the keys of `boot`, else none of them.

        `environment.NAME` in `boot` stands for one variable, `volumes.TARGET` for what is mounted there, read-only.
        A key that somebody else wrote is never overwritten; `set_for_boot` remembers which are ours.
        """
        before = [str(key) for key in sequence(self.extension.get("set_for_boot"))]
        wanted = boot if runs == "boot" else {}
        ours = [key for key in wanted if key in before or self._value(key) is None]
        for key in before:
            if key not in wanted:
                self._put(key, None)
        for key in ours:
            if self._value(key) != wanted[key]:
                self._put(key, wanted[key])
        self.extension["runs"] = runs
        if ours:
            self.extension["set_for_boot"] = flow(ours)
        else:
            self.extension.pop("set_for_boot", None)

    def _value(self, key: str) -> Any:
        if key.startswith(VARIABLE):
            return read_environment(self.service.get("environment")).get(key.removeprefix(VARIABLE))
        if key.startswith(VOLUME):
            return next(map(volume_source, self._volumes_at(key.removeprefix(VOLUME))), None)
        return self.service.get(key)

    def _put(self, key: str, value: Any) -> None:
        if key.startswith(VARIABLE):
            self.merge_env({key.removeprefix(VARIABLE): value})
        elif key.startswith(VOLUME):
            self._put_volume(key.removeprefix(VOLUME), value)
        elif value is None:
            self.service.pop(key, None)
        else:
            self.service[key] = flow([quoted(word) for word in value]) if isinstance(value, list) else value

    def _volumes_at(self, target: str) -> list[Any]:
        return [item for item in sequence(self.service.get("volumes")) if volume_target(item) == target]

    def _put_volume(self, target: str, source: str | None) -> None:
        volumes = self.service.get("volumes")
        if not isinstance(volumes, list):
            volumes = self.service["volumes"] = []
        for item in self._volumes_at(target):
            volumes.remove(item)
        if source is not None:
            volumes.append(volume_entry(Volume(source, target, read_only=True)))


def edited(cuid: Cuid, text: bytes, change: Change) -> bytes:
    """The file after `change`, the same bytes when nothing differs. ComposeFileBroken when unreadable."""
    before = load(text)
    after = _apart(before)
    change(Editor(cuid, after))
    if after == before:
        return text
    result = spliced(text.decode(), before, after).encode()
    # Never replace a readable file by one that is not, or says something else.
    if _load_or_none(result) != after:
        raise ComposeFileBroken(
            "Parts of the Compose file are shared by an anchor, and this change would reach all that share them. "
            "Write out for this service what it has in common with others, and try again"
        )
    return result


def _load_or_none(text: bytes) -> dict[str, Any] | None:
    try:
        return load(text)
    except ComposeFileBroken:
        return None


def _apart(value: Any) -> Any:
    """A copy in which no two places share anything, aliases or not."""
    if isinstance(value, dict):
        return {key: _apart(item) for key, item in value.items()}
    return [_apart(item) for item in value] if isinstance(value, list) else value
