"""Print one setting as the server would read it: `scripts/setting.py docker_host`."""

import sys

from container_manager.settings import Settings, SettingsError

if __name__ == "__main__":
    try:
        print(getattr(Settings.load(), sys.argv[1]))
    except SettingsError as error:
        sys.exit(str(error))
