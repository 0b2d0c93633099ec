"""Installs /app/requirements.txt into /app where it changed. Runs in the container, on any Python from 3.6 on.

install.py SECONDS              install, from the wheel cache where that has all of it
install.py SECONDS --download   only fetch wheels into /wheels/found, to fill the cache
"""

import hashlib
import os
import signal
import subprocess
import sys
import time

REQUIREMENTS = "/app/requirements.txt"
STAMP = "/app/.local/requirements.sha256"
CACHE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wheels")
DOWNLOADS = "/wheels"

# A module of pip's or of the library's name in /app must not stand in for it: "" is taken out of the path.
PIP = """\
import sys
sys.path = [place for place in sys.path if place]
import importlib.util, runpy
if importlib.util.find_spec("pip") is None:
    sys.exit(99)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
NO_PIP = 99

COMMON = ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--progress-bar", "off"]
NETWORK_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"]
NETWORK_VARIABLES += ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC", "XDG_CONFIG_HOME"]
CONFIGURATION = [".config/pip/pip.conf", ".pip/pip.conf", ".netrc"]


class Failed(Exception):
    """Why it is not installed."""


def main(seconds: str, download: bool) -> None:
    """Do it within `seconds`, and say what came of it."""
    deadline = time.monotonic() + float(seconds)
    try:
        if download:
            fetch(deadline)
        else:
            install(deadline)
    except subprocess.TimeoutExpired:
        failure = "it took longer than " + seconds + " seconds"
    except (Failed, OSError) as error:
        failure = str(error)
    else:
        return
    if download:
        sys.exit(failure)
    say("requirements.txt is not installed: " + failure + ". boot.py starts all the same")


def install(deadline: float) -> None:
    """Bring what requirements.txt asks for to where Python finds it: ~/.local, which is in /app."""
    with open(REQUIREMENTS, "rb") as file:
        content = file.read()
    wanted = hashlib.sha256(content + sys.version.encode()).hexdigest()
    if read(STAMP) == wanted:
        return
    # From here on it is half installed, until the new stamp says otherwise.
    if os.path.exists(STAMP):
        os.unlink(STAMP)
    say("installing requirements.txt")
    if not install_cached(content, deadline):
        pip(["install", "--user", "-r", REQUIREMENTS], deadline)
    os.makedirs(os.path.dirname(STAMP), exist_ok=True)
    with open(STAMP + ".new", "w") as stamp:
        stamp.write(wanted)
    os.replace(STAMP + ".new", STAMP)


def install_cached(content: bytes, deadline: float) -> bool:
    """Install exactly the wheels that were found for this file, without a question to an index. False: there are none.

    The server lists them for files whose lines are all plain, and pip checks every wheel against its sum there.
    """
    listed = os.path.join(CACHE, hashlib.sha256(content).hexdigest() + ".txt")
    first_line = read(listed).partition("\n")[0]
    if not first_line or first_line != "# " + index_settings():
        return False
    try:
        pip(["install", "--user", "--no-index", "--no-deps", "-r", listed], deadline)
    except Failed:
        say("the wheel cache did not do: asking the index")
        return False
    return True


def fetch(deadline: float) -> None:
    """Put the wheels that the file asks for into /wheels/found. Nothing of them is run: no source is ever built."""
    with open(os.path.join(DOWNLOADS, "index"), "w") as file:
        file.write(index_settings())
    found = os.path.join(DOWNLOADS, "found")
    wanted = os.path.join(DOWNLOADS, "requirements.txt")
    pip(["download", "--only-binary", ":all:", "--dest", found, "-r", wanted], deadline)


def index_settings() -> str:
    """A sum of all that decides where pip looks. Wheels serve only where it is what they were fetched with."""
    if any(os.path.exists(os.path.join(os.path.expanduser("~"), name)) for name in CONFIGURATION):
        return "its own"
    pairs = [pair for pair in os.environ.items() if pair[0].startswith("PIP_") or pair[0].upper() in NETWORK_VARIABLES]
    return hashlib.sha256(repr(sorted(pairs)).encode("utf-8", "surrogateescape")).hexdigest()


def pip(words: "list[str]", deadline: float) -> None:
    """Run pip, its output in the logs. Failed with the reason; TimeoutExpired once all of it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", PIP, words[0], *COMMON, *words[1:]],
        start_new_session=True,
        env=dict(os.environ, PIP_BREAK_SYSTEM_PACKAGES="1"),
    )
    try:
        code = process.wait(max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if code == NO_PIP:
        raise Failed("this image has no pip")
    if code:
        raise Failed("pip ended with code " + str(code))


def read(path: str) -> str:
    """The text of a file; "" for none."""
    try:
        with open(path) as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def say(text: str) -> None:
    """A line in the container's logs."""
    print("container-manager: " + text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] == ["--download"])
