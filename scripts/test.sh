#!/usr/bin/env bash
# The set-up that tests need beyond the server's own, then every test; arguments go to pytest instead of its defaults.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

scripts/setup.sh --tests
scripts/test_tools.sh
# containerd 1.6 loses the streams of an exec about once in a thousand under load, and shared machines stall: a test
# that fails is run again, and the summary names it. One that is wrong fails every time.
exec .venv/bin/python -m pytest --reruns 2 -raR "$@"
