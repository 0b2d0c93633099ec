"""This machine: the interpreter, the settings, folders, disk and kernel."""

import os
import resource
import shutil
import sys
from pathlib import Path

from container_manager.cli.checks.finding import Finding
from container_manager.models import Layout
from container_manager.settings import Settings, SettingsError
from container_manager.store.beneath import best, by_kernel

_PYTHON = (3, 12)
_COMFORTABLE_DISK = 2 << 30
_COMFORTABLE_DESCRIPTORS = 4096


def python() -> Finding:
    """The interpreter that runs this."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _PYTHON:
        return Finding("Python", "fail", version, "Python 3.12 or newer is needed; 'make setup' finds one")
    return Finding("Python", "ok", version)


def load_settings() -> tuple[Settings, Finding]:
    """The settings, or the defaults when one of them is wrong: the rest can be looked at with these."""
    try:
        settings = Settings.load()
    except SettingsError as error:
        advice = "The rest is looked at with the default settings"
        return Settings(app_pass="", data_dir=Path.cwd()), Finding("Settings", "fail", str(error), advice)
    if settings.app_env == "development":
        advice = "Errors carry stack traces: not for a server that others reach"
        return settings, Finding("Settings", "warn", "APP_ENV is development", advice)
    return settings, Finding("Settings", "ok", f"user {settings.app_user}, data in {settings.data_dir}")


def folders(settings: Settings) -> Finding:
    """Whether this user can write where the data lies."""
    layout = Layout(settings.data_dir)
    wanted = (layout.root, layout.compose, layout.mounts, layout.logs, layout.staging)
    closed = [path for path in wanted if not os.access(_existing(path), os.W_OK | os.X_OK)]
    if closed:
        return Finding(
            "Folders",
            "fail",
            f"{closed[0]} cannot be written",
            "Give it to this user, or set DATA_DIR to another place",
        )
    if os.geteuid() != 0:
        return Finding(
            "Folders",
            "warn",
            f"{layout.root} can be written, but not as root",
            "Files cannot be given to DEFAULT_USER_UID: set it to this user's own, "
            f"DEFAULT_USER_UID={os.geteuid()}:{os.getegid()}",
        )
    return Finding("Folders", "ok", f"{layout.root} can be written")


def disk(settings: Settings) -> Finding:
    """Whether there is room for uploads."""
    free = shutil.disk_usage(_existing(settings.data_dir)).free
    text = f"{free / 1e9:.1f} GB free"
    if free < settings.min_free_bytes:
        return Finding(
            "Disk", "fail", text, "Uploads are refused: make room, or lower MIN_FREE_BYTES. 'docker system df' may help"
        )
    if free < settings.min_free_bytes + _COMFORTABLE_DISK:
        return Finding("Disk", "warn", text, "That is little for uploads and images: make room")
    return Finding("Disk", "ok", text)


def confinement() -> Finding:
    """Whether the kernel itself keeps file access inside a container's directory."""
    if best() is by_kernel:
        return Finding("File access", "ok", "confined by the kernel (openat2)")
    return Finding(
        "File access",
        "warn",
        "the kernel has no openat2",
        "A slower way that is as safe is used. Linux 5.6 or newer has it",
    )


def descriptors() -> Finding:
    """Whether there is room for many connections and terminals."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most >= _COMFORTABLE_DESCRIPTORS:
        return Finding("Descriptors", "ok", f"{'any number' if most < 0 else most} may be open")
    return Finding(
        "Descriptors",
        "warn",
        f"{most} may be open; a connection takes one, a terminal four",
        "Allow more: LimitNOFILE=65536 in the systemd unit, or 'ulimit -Hn 65536' as root before the start",
    )


def _existing(path: Path) -> Path:
    """`path`, or the nearest directory above it that is there."""
    while not path.exists():
        path = path.parent
    return path
