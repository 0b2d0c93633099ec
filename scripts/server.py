"""The server in the background: `scripts/server.py start|stop|status`. Its pid and its output lie in logs/."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from container_manager.models import Layout
from container_manager.settings import Address, Settings, SettingsError

START_WITHIN = 30.0
"""Seconds until a server that was started answers."""


class Problem(Exception):
    """What is wrong and what to do about it, in a line or two."""


class Server:
    """The server that the settings here describe, whoever started it."""

    def __init__(self) -> None:
        # CONTAINER_MANAGER_URL may name a server elsewhere; this is about the one here.
        environment = {name: value for name, value in os.environ.items() if name != "CONTAINER_MANAGER_URL"}
        try:
            self.settings = Settings.load(environment)
            self.address = Address.load(environment)
        except SettingsError as error:
            raise Problem(str(error)) from None
        if self.settings.port == 0:
            raise Problem("PORT is 0, which means any free port: set PORT to a number so that it can be found")
        logs = Layout(self.settings.data_dir).logs
        self.log = logs / "server.log"
        self._pid_file = logs / "server.pid"

    @property
    def pid(self) -> int | None:
        """The process that `start` started, if it is alive and still that program."""
        try:
            pid = int(self._pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if b"container_manager" in command else None

    def answers(self) -> bool:
        """A container-manager listens at the address."""
        try:
            with urllib.request.urlopen(f"{self.address.url}/livez", timeout=5) as response:
                return bool(json.load(response) == {"status": "alive"})
        except (OSError, ValueError):
            return False

    def start(self) -> bool:
        """True when it had to be started, False when it ran already. Raises Problem when neither can be."""
        if self.answers():
            return False
        process = None
        if self.pid is None:
            self._check_port()
            process = self._spawn()
        deadline = time.monotonic() + START_WITHIN
        while not self.answers():
            ended = self.pid is None if process is None else process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise Problem(f"The server did not start. The end of {self._shown(self.log)}:\n{self._tail()}")
            time.sleep(0.05)
        return True

    def stop(self) -> bool:
        """End the server that `start` started, as SIGTERM does; False when there is none."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + self.settings.stop_timeout + 10
            while self.pid is not None:
                if time.monotonic() > deadline:
                    raise Problem(f"The server (process {pid}) does not end: see {self._shown(self.log)}")
                time.sleep(0.05)
        self._pid_file.unlink(missing_ok=True)
        return pid is not None

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "container_manager"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file.write_text(f"{process.pid}\n")
        return process

    def _check_port(self) -> None:
        with socket.socket(socket.AF_INET6 if ":" in self.settings.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.settings.host, self.settings.port))
            except OSError as error:
                raise Problem(
                    f"Cannot listen on {self.settings.host} port {self.settings.port}: {error.strerror}.\n"
                    f"End what listens there, or put another port into .env (PORT=8081) and run this again."
                ) from None

    def _tail(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-15:]
        except OSError:
            lines = []
        return "\n".join(f"  | {line}" for line in lines)

    @staticmethod
    def _shown(path: Path) -> Path:
        here = Path.cwd()
        return path.relative_to(here) if path.is_relative_to(here) else path


def main(arguments: list[str]) -> int:
    """Do what the one argument says."""
    try:
        server = Server()
        match arguments:
            case ["start"]:
                started = server.start()
                print(f"The server {'is up' if started else 'was up already'} at {server.address.url}")
            case ["stop"]:
                print("The server has ended" if server.stop() else "No server was running in the background")
            case ["status"]:
                print(f"The server {'answers' if server.answers() else 'does not answer'} at {server.address.url}")
            case _:
                raise Problem("Usage: scripts/server.py start|stop|status")
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
