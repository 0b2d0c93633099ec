"""Frozen settings, and the only reader of the environment and of `.env`."""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from dotenv import dotenv_values

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsError(Exception):
    """A setting is missing or wrong. The message is one line that names it and says what to do."""


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_FACTOR = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_size(text: str) -> int:
    """Bytes from "4GiB", "512m", "1024"; powers of 1024. ValueError when it is no size."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size; write for example 512m or 4GiB")
    return int(float(match[1]) * _FACTOR[match[2].lower()])


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("it is empty")
    return value


def _owner(value: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,10})(?::(\d{1,10}))?", value.strip())
    if match is None:
        raise ValueError(f"{value!r} is not UID:GID; write for example 1000:1000")
    uid, gid = int(match[1]), int(match[2] or match[1])
    if not (0 < uid < 2**32 - 1 and 0 <= gid < 2**32 - 1):
        raise ValueError("the uid must not be 0 (root), nor over 4294967294")
    return uid, gid


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a number") from None
        if not low <= number <= high:
            raise ValueError(f"{value} is not between {low:g} and {high:g}")
        return number

    return parse


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a whole number") from None
        if not low <= number <= high:
            raise ValueError(f"{value} is not between {low} and {high}")
        return number

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"{value!r} is none of {', '.join(choices)}")
        return value

    return parse


def _flag(value: str) -> bool:
    if value.lower() not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise ValueError(f"{value!r} is neither true nor false")
    return value.lower() in ("true", "1", "yes", "on")


def _memory(value: str) -> str:
    if parse_size(value) < 6 << 20:
        raise ValueError(f"{value} is less than the 6m that a container needs")
    return value.lower().removesuffix("ib").removesuffix("b")


def _directory(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _directories(value: str) -> tuple[Path, ...]:
    paths = [Path(part.strip()) for part in value.split(",") if part.strip()]
    for path in paths:
        if not path.is_absolute() or ".." in path.parts or path == Path("/"):
            raise ValueError(f"{path} is not an absolute path below /")
    return tuple(paths)


def _origins(value: str) -> tuple[str, ...]:
    origins = tuple(part.strip().rstrip("/").lower() for part in value.split(",") if part.strip())
    for origin in origins:
        if not re.fullmatch(r"https?://[^/\s]+", origin):
            raise ValueError(f"{origin!r} is no origin; write for example https://school.example")
    return origins


def _networks(value: str) -> tuple[Network, ...]:
    networks = []
    for part in (part.strip() for part in value.split(",")):
        if part:
            try:
                networks.append(ipaddress.ip_network(part))
            except ValueError:
                raise ValueError(
                    f"{part!r} is no address or network; write for example 127.0.0.1 or 10.0.0.0/8"
                ) from None
    return tuple(networks)


def _read(environment: Mapping[str, str] | None, env_file: Path | None) -> dict[str, str]:
    """`environment` over `env_file`. Raises SettingsError when the file cannot be read."""
    env_file = Path(".env") if env_file is None else env_file
    given: dict[str, str] = {}
    if env_file.is_file():
        try:
            values = dotenv_values(env_file, interpolate=False, encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{env_file} cannot be read: {error}") from error
        given.update({key: value for key, value in values.items() if value is not None})
    given.update(os.environ if environment is None else environment)
    return given


def _setting(parse: Callable[[str], Any], default: Any = MISSING, *, about: str) -> Any:
    metadata = {"parse": parse, "about": about}
    if default is MISSING:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, with its type, default and meaning. Sizes are bytes, times seconds."""

    app_user: str = _setting(_text, "admin", about="User name of the one account")
    app_pass: str = _setting(_text, about="Its password; the server refuses to start without one")
    default_user_uid: tuple[int, int] = _setting(
        _owner, (1000, 1000), about="UID:GID that boot.py apps run as and uploads belong to"
    )
    host: str = _setting(_text, "0.0.0.0", about="Address to listen on")
    port: int = _setting(_integer(0, 65535), 8080, about="Port to listen on; 0 takes a free one")
    data_dir: Path = _setting(_directory, Path("."), about="Holds compose/, mounts/, logs/")
    app_env: Literal["production", "development"] = _setting(
        _one_of("production", "development"), "production", about="development adds stack traces to errors"
    )
    request_timeout: float = _setting(
        _number(0.1, 86400), 30.0, about="Seconds that the engine may take over one operation"
    )
    stop_timeout: float = _setting(
        _number(0, 3600), 10.0, about="Seconds that a container, or this server, gets to end before it is killed"
    )
    max_workers: int = _setting(_integer(1, 256), 3, about="Engine operations at once")
    allowed_volumes: tuple[Path, ...] = _setting(
        _directories, (), about="Host directories, by commas, that /api/v1 may mount from; none by default"
    )
    publish_address: str = _setting(_text, "0.0.0.0", about="Address that published ports listen on")
    default_cpus: float = _setting(_number(0.01, 4096), 1.0, about="CPUs of a container that asks for none")
    default_memory: str = _setting(_memory, "1g", about="Memory of a container that asks for none")
    default_pids: int = _setting(_integer(1, 4194304), 512, about="Processes of a container that asks for none")
    auth_attempts: int = _setting(
        _integer(0, 1000000), 60, about="Wrong passwords a minute from one address before 429; 0 = no limit"
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        _networks, (), about="Reverse proxies, by commas, whose X-Forwarded-For tells the client's address"
    )
    max_upload_bytes: int = _setting(parse_size, 0, about="Largest archive or file taken; 0 = no limit")
    max_unpacked_bytes: int = _setting(parse_size, 4 << 30, about="Largest archive once unpacked")
    max_unpacked_files: int = _setting(_integer(1, 10000000), 100000, about="Most entries of one archive")
    min_free_bytes: int = _setting(parse_size, 256 << 20, about="Disk space that uploads leave free")
    requirements_timeout: float = _setting(
        _number(1, 86400), 300.0, about="Seconds that installing requirements.txt may take"
    )
    wheel_cache_bytes: int = _setting(
        parse_size, 2 << 30, about="Wheels kept for containers with the same requirements.txt; 0 = none"
    )
    allowed_origins: tuple[str, ...] = _setting(
        _origins, (), about="Other origins, by commas, whose pages may change things here"
    )
    docker_host: str = _setting(str.strip, "", about="The engine's address, as the docker command reads it")
    network: Literal["isolated", "bridge", "none"] = _setting(
        _one_of("isolated", "bridge", "none"),
        "isolated",
        about="isolated: one network, containers cannot reach each other; bridge: they can; none: no network",
    )
    session_grace: float = _setting(
        _number(0, 86400), 60.0, about="Seconds that a terminal outlives its last connection"
    )
    max_sessions: int = _setting(_integer(1, 10000), 32, about="Terminal sessions of one container at once")
    max_viewers: int = _setting(_integer(1, 10000), 64, about="Connections to one terminal session at once")
    scrollback_bytes: int = _setting(
        parse_size, 256 << 10, about="Terminal output kept for a connection that comes back"
    )
    record_sessions: bool = _setting(_flag, False, about="Record every terminal session under logs/sessions/")
    log_format: Literal["plain", "json"] = _setting(
        _one_of("plain", "json"), "plain", about="How the server's own log on stderr is written"
    )

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, env_file: Path | None = None) -> "Settings":
        """Read `environment` (default: the process's), then `env_file` (default: `.env` here).

        Raises SettingsError: one line that names the wrong setting.
        """
        given = _read(environment, env_file)
        values_read: dict[str, Any] = {}
        for setting in fields(cls):
            name = setting.name.upper()
            if name not in given or (given[name] == "" and setting.default is not MISSING):
                if setting.default is MISSING:
                    raise SettingsError(
                        f"{name} is not set: put it into the environment or into .env ('make setup' writes one)"
                    )
                continue
            try:
                values_read[setting.name] = setting.metadata["parse"](given[name])
            except ValueError as error:
                # A password never stands in a message.
                shown = "it is empty" if setting.name == "app_pass" else error
                raise SettingsError(f"{name} is wrong: {shown}") from None
        if ":" in values_read.get("app_user", ""):
            raise SettingsError("APP_USER is wrong: Basic authentication allows no ':' in a user name")
        settings = cls(**values_read)
        if not settings.data_dir.is_absolute():
            object.__setattr__(settings, "data_dir", settings.data_dir.absolute())
        return settings


@dataclass(frozen=True, slots=True)
class Address:
    """Where a client finds the server, and as whom it asks."""

    url: str
    user: str
    password: str

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, env_file: Path | None = None) -> "Address":
        """CONTAINER_MANAGER_URL, else HOST and PORT, with APP_USER and APP_PASS, read as Settings are.

        Raises SettingsError: one line that says what to set.
        """
        given = _read(environment, env_file)
        url = given.get("CONTAINER_MANAGER_URL", "").strip().rstrip("/") or local_url(
            given.get("HOST", "").strip(), given.get("PORT", "").strip()
        )
        if not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", url):
            raise SettingsError(
                f"CONTAINER_MANAGER_URL is wrong: {url!r} is no address; write for example http://localhost:8080"
            )
        if not given.get("APP_PASS"):
            raise SettingsError(
                "APP_PASS is not set: put the server's password into the environment, or call this where its .env lies"
            )
        return cls(url, given.get("APP_USER") or "admin", given["APP_PASS"])


def local_url(host: str, port: str) -> str:
    """The server of this machine that listens at HOST and PORT. One that listens everywhere: at the loopback."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    if ":" in host:
        host = f"[{host}]"
    return f"http://{host}:{port or '8080'}"
