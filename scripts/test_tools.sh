#!/usr/bin/env bash
# Programs that tests use: a static BusyBox for small images, a browser, and the languages of tests/clients.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_packages "The test suite" busybox-static curl jq less libfaketime p7zip-full procps unzip vim-tiny zip
command -v chromium >/dev/null || need_packages "The browser tests" chromium
scripts/clients.sh
scripts/web_vendor.sh
