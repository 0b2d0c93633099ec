#!/usr/bin/env bash
# Writes requirements.txt, requirements-test.txt and requirements-bench.txt anew from pyproject.toml: the newest versions
# that fit together, exactly. Run it after a change of the dependencies there; `make setup`, `make test` and `make bench`
# install what it wrote.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The requirements that pyproject.toml names under KEY ("run", "test" or "bench"), one a line.
named() {
    "$work/venv/bin/python" - "$1" <<'PYTHON'
import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    data = tomllib.load(file)
project = data["project"]
run = project["dependencies"] + data["build-system"]["requires"]
print(*(run if sys.argv[1] == "run" else project["optional-dependencies"][sys.argv[1]]), sep="\n")
PYTHON
}
pip() { "$work/venv/bin/python" -m pip --disable-pip-version-check "$@"; }

step "Making a fresh environment" "$(find_python)" -m venv "$work/venv"
named run >"$work/run.in"
named test >"$work/test.in"
named bench >"$work/bench.in"
step "Choosing versions for the server" pip install -r "$work/run.in"
pip freeze --all --exclude pip >"$work/run.txt"
step "Choosing versions for the tests" pip install -c "$work/run.txt" -r "$work/test.in"
pip freeze --all --exclude pip >"$work/test.txt"
step "Choosing versions for the benchmarks" pip install -c "$work/test.txt" -r "$work/bench.in"
pip freeze --all --exclude pip >"$work/bench.txt"

{
    echo "# Exact versions of everything that the server needs. Made from pyproject.toml by scripts/lock.sh."
    cat "$work/run.txt"
} >requirements.txt
{
    echo "# What the tests need beside the server. Made from pyproject.toml by scripts/lock.sh."
    echo "-r requirements.txt"
    grep -vxFf "$work/run.txt" "$work/test.txt"
} >requirements-test.txt
{
    echo "# What the plots of the benchmarks need beside the tests. Made from pyproject.toml by scripts/lock.sh."
    echo "-r requirements-test.txt"
    grep -vxFf "$work/test.txt" "$work/bench.txt"
} >requirements-bench.txt
say "Wrote requirements.txt, requirements-test.txt and requirements-bench.txt"
