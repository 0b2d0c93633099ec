"""The programs that start boot.py inside a container, copied to where every container can read them."""

from pathlib import Path

from container_manager.models import Layout
from container_manager.store.atomic import sweep_temporaries, write_atomically

_SOURCE = Path(__file__).parents[1] / "launcher"
_FILES = ("start.sh", "install.py")
WHEELS = "wheels"
"""An empty directory in it, over which a container's wheel cache is mounted."""


def copy_launcher(layout: Layout) -> None:
    """Bring `launcher/` up to date, a file at a time, each in one step: containers may be starting meanwhile."""
    directory = layout.launcher
    for place in (directory, directory / WHEELS):
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
    sweep_temporaries(directory)
    for name in _FILES:
        data = (_SOURCE / name).read_bytes()
        path = directory / name
        if not path.is_file() or path.read_bytes() != data:
            write_atomically(path, data, 0o644)
