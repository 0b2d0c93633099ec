"""DATA_DIR: its folders, and the lock that keeps a second server out."""

import fcntl
import os
from pathlib import Path

from container_manager.models import Layout
from container_manager.settings import SettingsError


class DataDir:
    """Owns DATA_DIR from `claim` to `release`; the kernel releases it when the process dies."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self._lock: int | None = None

    def claim(self) -> None:
        """Make the folders and take the lock. SettingsError when that cannot be, with the reason."""
        layout = self.layout
        try:
            for directory in (layout.root, layout.mounts, layout.logs):
                directory.mkdir(parents=True, exist_ok=True)
            for private in (layout.compose, layout.staging):
                private.mkdir(mode=0o700, exist_ok=True)
                # The YAML holds env values, staging what was uploaded: nobody else's business.
                private.chmod(0o700)
            self._lock = os.open(layout.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError(f"DATA_DIR is wrong: {error.filename} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._lock, 32).decode("ascii", "replace").strip() or "unknown"
            self.release()
            raise SettingsError(
                f"DATA_DIR is in use: another server (process {owner}) works in {layout.root}. "
                "Stop it, or give this one a DATA_DIR of its own"
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
