#!/usr/bin/env bash
# The tests on the real engine once more, with Podman as that engine; arguments go to pytest instead of tests/e2e.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

scripts/setup.sh --tests
need_packages "The test suite" busybox-static
[ "$#" -gt 0 ] || set -- tests/e2e
exec scripts/podman.sh .venv/bin/python -m pytest --reruns 2 -raR "$@"
