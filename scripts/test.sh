#!/usr/bin/env bash
# The set-up that tests need beyond the server's own, then every test; arguments go to pytest instead of its defaults.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

scripts/setup.sh --tests
scripts/test_tools.sh
exec .venv/bin/python -m pytest "$@"
