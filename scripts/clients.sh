#!/bin/sh
# What the client programs of tests/clients need: Node, Go and Ruby, and two packages from npm.
set -eu
cd "$(dirname "$0")/../tests/clients"

missing=
command -v node >/dev/null && command -v npm >/dev/null || missing="$missing nodejs npm"
command -v go >/dev/null || missing="$missing golang-go"
command -v ruby >/dev/null || missing="$missing ruby"
command -v curl >/dev/null || missing="$missing curl"
if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "Install these first:$missing" >&2; exit 1; }
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
if ! [ node_modules -nt package.json ]; then
    npm install --no-package-lock --no-audit --no-fund --ignore-scripts --silent
    touch node_modules
fi
