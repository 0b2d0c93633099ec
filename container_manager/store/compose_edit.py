"""Changes to a Compose file that leave alone what they do not name: comments, order, keys by hand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import LiteralScalarString

from container_manager.errors import ComposeFileBroken, InternalError
from container_manager.models import Cuid, PortMapping, Resources, Runs
from container_manager.store.compose_file import EXTENSION, lifetimes, port_line, set_network
from container_manager.store.compose_read import read_environment, service_of
from container_manager.store.yaml_text import dump, flow, load, load_for_edit, quoted

_VARIABLE = "environment."

Change = Callable[["Editor"], None]


class Editor:
    """The open file during one change."""

    def __init__(self, cuid: Cuid, document: CommentedMap) -> None:
        self.document = document
        self.service: CommentedMap = service_of(document, cuid)
        extension = document.get(EXTENSION)
        if not isinstance(extension, CommentedMap):
            extension = CommentedMap()
            document[EXTENSION] = extension
        self.extension: CommentedMap = extension

    def set_image(self, image: str) -> None:
        """Another image."""
        self.service["image"] = quoted(image)

    def merge_env(self, env: Mapping[str, str | None]) -> None:
        """Set the variables of `env`, remove those that are None, keep the rest."""
        environment = self.service.get("environment")
        if isinstance(environment, CommentedSeq):
            self._merge_env_list(environment, env)
            return
        if not isinstance(environment, CommentedMap):
            environment = CommentedMap()
            self.service["environment"] = environment
        for name, value in env.items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = quoted(value)

    @staticmethod
    def _merge_env_list(items: CommentedSeq, env: Mapping[str, str | None]) -> None:
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
        if "networks" not in self.service:
            set_network(self.document, self.service, network)

    def set_runs(self, runs: Runs, boot: Mapping[str, Any]) -> None:
        """Write what the container runs: for boot.py the keys of `boot`, else none of them.

        `environment.NAME` in `boot` stands for one variable. A key that somebody else wrote is never
        overwritten; `set_for_boot` remembers which are ours.
        """
        before = [str(key) for key in self.extension.get("set_for_boot") or ()]
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
        if key.startswith(_VARIABLE):
            return read_environment(self.service.get("environment")).get(key.removeprefix(_VARIABLE))
        return self.service.get(key)

    def _put(self, key: str, value: Any) -> None:
        if key.startswith(_VARIABLE):
            self.merge_env({key.removeprefix(_VARIABLE): value})
        elif value is None:
            self.service.pop(key, None)
        else:
            self.service[key] = _styled(value)


def _styled(value: Any) -> Any:
    """A script inside a list as a block that a person can read."""
    if isinstance(value, list):
        return [_styled(item) for item in value]
    return LiteralScalarString(value) if isinstance(value, str) and "\n" in value else value


def edited(cuid: Cuid, text: bytes, change: Change) -> bytes:
    """The file after `change`, the same bytes when nothing differs. ComposeFileBroken when unreadable."""
    before = load(text)
    document = load_for_edit(text)
    change(Editor(cuid, document))
    result = dump(document)
    try:
        after = load(result)
    except ComposeFileBroken as error:
        # Never replace a readable file by one that is not.
        raise InternalError("The change would have broken the Compose file; nothing was changed") from error
    return text if after == before else result
