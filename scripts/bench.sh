#!/usr/bin/env bash
# Runs the measurements of benchmarks/, all or those named, and puts their figures into docs/performance.md:
# `scripts/bench.sh [NAME...]`, NAME as in benchmarks/NAME.py.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

scripts/setup.sh --bench
if [ "$#" = 0 ]; then
    for file in benchmarks/*.py; do
        # Those that begin with an underscore are what the others share.
        [[ $file = benchmarks/_* ]] || set -- "$@" "$(basename "$file" .py)"
    done
fi
for name in "$@"; do
    say "== $name"
    .venv/bin/python "benchmarks/$name.py" --publish
done
