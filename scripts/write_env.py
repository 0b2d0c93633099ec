"""Write `.env` with a random password if there is none. An existing one is left as it is."""

import os
import secrets
import sys
from pathlib import Path

TEXT = """\
# Settings of this server; .env.example has them all. The environment wins over this file.
APP_USER=admin
APP_PASS={password}
"""


def main() -> int:
    """Make the file complete or not at all, readable by its owner alone."""
    target = Path(".env")
    if target.exists():
        return 0
    beside = Path(f".env.{os.getpid()}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(TEXT.format(password=secrets.token_urlsafe(18)))
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, does not replace a file that somebody made meanwhile.
        os.link(beside, target)
    except FileExistsError:
        return 0
    finally:
        beside.unlink(missing_ok=True)
    print("Wrote .env with a random password for the user admin")
    return 0


if __name__ == "__main__":
    sys.exit(main())
