#!/usr/bin/env bash
# What the client programs of tests/clients need: Node, Go, Ruby and curl, and two packages from npm.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

# Wherever they come from: only what cannot be run is installed.
missing=()
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v go >/dev/null || missing+=(golang-go)
command -v ruby >/dev/null || missing+=(ruby)
command -v curl >/dev/null || missing+=(curl)
[ "${#missing[@]}" = 0 ] || need_packages "The suite of client programs" "${missing[@]}"

modules=tests/clients/node_modules
if ! [ "$modules" -nt tests/clients/package.json ]; then
    step "Installing axios and ws" npm install --prefix tests/clients \
        --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel error
    touch "$modules"
fi
