"""`serve`: run the server until it is told to end."""

import argparse
import asyncio
import contextlib
import errno
import os
import resource
import signal
import threading

from aiohttp import web

from container_manager import __version__
from container_manager.cli import exits
from container_manager.cli.command import Command
from container_manager.errors import AppError
from container_manager.settings import Settings, SettingsError

# Of STOP_TIMEOUT, the part that open requests get. aiohttp waits for it twice before it cancels them;
# what remains is for the cleanup after them.
_SHARE_OF_REQUESTS = 0.1

_MOST_DESCRIPTORS = 1 << 20
_PRIORITY = -10


def run(arguments: argparse.Namespace) -> int:
    """Serve with the settings of the environment and `.env`; the exit code is 0 after SIGTERM or Ctrl+C."""
    use_all_descriptors()
    answer_first()
    try:
        asyncio.run(_serve(Settings.load()))
    except SettingsError as error:
        raise exits.Stop(str(error), exits.WRONG_USE) from None
    except AppError as error:
        raise exits.Stop(error.message) from None
    return exits.DONE


def use_all_descriptors() -> None:
    """Take as many open files and connections as this process may have; most systems begin with 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def answer_first() -> None:
    """Where processors are scarce, the event loop goes before the engine's work and the containers', if it may.

    It needs little, and everybody waits for it. What it starts, threads and processes, has the usual priority. One
    that was set for this process from outside stays.
    """
    if os.getpriority(os.PRIO_PROCESS, 0) == 0:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)


async def _serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises Stop when the address cannot be listened on."""
    # Imported here, so that the other commands start without loading the server.
    from container_manager.api import server_log
    from container_manager.api.server import Runner
    from container_manager.app import build

    server_log.configure(settings)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, _end, ended, settings)

    runner = Runner(build(settings), shutdown_timeout=settings.stop_timeout * _SHARE_OF_REQUESTS)
    try:
        await runner.setup()
        await _listen(runner, settings)
        print(_greeting(runner, settings), flush=True)
        await ended.wait()
        print("Stopping.", flush=True)
    finally:
        await runner.cleanup()


def _end(ended: asyncio.Event, settings: Settings) -> None:
    """Begin the clean end. It is cut at STOP_TIMEOUT, or when the signal comes a second time."""
    if ended.is_set():
        os._exit(exits.FAILED)
    ended.set()
    # A thread, because a loop that is stuck would not run a timer of its own. What is left half done
    # by then is what a crash leaves, and the next start puts it right.
    deadline = threading.Timer(max(settings.stop_timeout, 1.0), os._exit, (exits.DONE,))
    deadline.daemon = True
    deadline.start()


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as error:
        raise exits.Stop(_cannot_listen(error, settings)) from None


def _cannot_listen(error: OSError, settings: Settings) -> str:
    where = f"{settings.host} port {settings.port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"Cannot listen on {where}: something else does. Is a server running already? "
            "End it, or set PORT to another number"
        )
    if error.errno == errno.EACCES:
        return f"Cannot listen on {where}: only root may use ports below 1024. Set PORT to a higher one"
    if error.errno == errno.EADDRNOTAVAIL or error.errno is None or error.errno < 0:
        return f"Cannot listen on {where}: HOST is no address of this machine. 0.0.0.0 means all of them"
    return f"Cannot listen on {where}: {error.strerror or error}"


def _greeting(runner: web.AppRunner, settings: Settings) -> str:
    port = runner.addresses[0][1]
    everywhere = settings.host in ("0.0.0.0", "::")
    host = "localhost" if everywhere else settings.host
    if ":" in host:
        host = f"[{host}]"
    reach = ", on every address of this machine" if everywhere else ""
    return (
        f"container-manager {__version__} serves http://{host}:{port}/ (user {settings.app_user}{reach})\n"
        "Ctrl+C ends it. Containers go on running."
    )


COMMANDS = (
    Command(
        "serve",
        "The server",
        "serve the API and the dashboard; so does no command at all",
        run,
        about="Settings come from the environment, then from .env in this directory; README.md lists them.",
        examples="container-manager serve\nPORT=9000 container-manager",
        json=False,
    ),
)
