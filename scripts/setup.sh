#!/usr/bin/env bash
# Everything that the server needs, once: Python packages in .venv, .env with a password, the engine, an image, and
# what its pages use.
# Run again it only looks. `--tests` adds what the tests need, `--bench` the benchmarks' packages too,
# `--packages-only` leaves out the engine and the image.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

requirements=requirements.txt
engine=yes
for option in "$@"; do
    case $option in
    --tests) requirements='requirements-test.txt' ;;
    --bench) requirements='requirements-bench.txt' ;;
    --packages-only) engine=no ;;
    *) fail "Usage: scripts/setup.sh [--tests|--bench] [--packages-only]" ;;
    esac
done

[ "$(uname -s)" = Linux ] || fail "container-manager needs Linux: its containers share this machine's kernel."

# Two at once take turns. What is started in the background must close descriptor 9, or it would hold the lock.
exec 9>"$BUILD/lock"
flock 9

environment_works() { .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; }

make_environment() {
    local python
    if ! python=$(find_python) && can_apt; then
        need_packages "The server" python3 python3-venv
        python=$(find_python) || true
    fi
    [ -n "$python" ] || fail "No Python 3.12 or newer with venv was found. Install one (Debian 13, Ubuntu 24.04:" \
        "apt-get install python3-venv; elsewhere for example: pyenv install 3.13) and run this again."
    step "Making .venv with $("$python" -V)" "$python" -m venv --clear .venv
}

install_packages() {
    .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off -r "$requirements" &&
        .venv/bin/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
}

# The folder counts too: an environment that was moved along with it does not work.
wanted=$(cat requirements.txt "$requirements" pyproject.toml <(pwd) | sha256sum | cut -c -16)
stamp=.venv/.ready-${requirements%.txt}
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || ! [ -x .venv/bin/python ]; then
    environment_works || make_environment
    step "Installing the Python packages of $requirements" install_packages ||
        fail "The packages could not be installed: see above. 'make setup' goes on where it stopped."
    printf '%s' "$wanted" >"$stamp"
fi

.venv/bin/python scripts/write_env.py

if [ "$engine" = yes ]; then
    # The same engine as the server's.
    DOCKER_HOST=$(.venv/bin/python scripts/setting.py docker_host)
    if [ -n "$DOCKER_HOST" ]; then export DOCKER_HOST; else unset DOCKER_HOST; fi
    scripts/engine.sh
    scripts/image.sh
    # The server runs without: its pages then lack the terminal.
    scripts/web_vendor.sh || say "The web pages are not complete: install npm and run 'make setup' again."
    say "Ready: $(.venv/bin/python -V) in .venv, $(docker version --format 'engine {{.Server.Version}}')," \
        "Compose $(.venv/bin/docker-compose version --short)."
fi
