#!/usr/bin/env bash
# The tests on the real engine once more, with Podman as that engine; arguments go to pytest instead of those below.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

scripts/setup.sh --tests
need_packages "The test suite" busybox-static
# What a container and its clients do. How the server survives crashes and sick engines is not the engine's doing.
[ "$#" -gt 0 ] || set -- tests/e2e/test_life.py tests/e2e/test_surfaces.py tests/e2e/test_v1_containers.py \
    tests/e2e/test_v1_files.py tests/e2e/test_v1_users.py tests/e2e/test_terminal_modes.py tests/clients
exec scripts/podman.sh .venv/bin/python -m pytest --reruns 2 -raR "$@"
