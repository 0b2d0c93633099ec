#!/usr/bin/env bash
# The set-up that tests need beyond the server's own, then every test; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

scripts/setup.sh --tests
scripts/test_tools.sh
# containerd 1.6 loses the streams of an exec about once in a thousand under load, and shared machines stall: a test
# that fails is run again, and the summary names it. One that is wrong fails every time.
# Two files of tests at a time: much of their time is the engine's, not the processors'.
exec .venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --reruns 2 -raR "$@"
