#!/usr/bin/env bash
# Puts the front-end packages named in container_manager/web/package.json into container_manager/web/vendor/.
# Quick when nothing changed; a run that fails leaves what was there.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

web=container_manager/web
stamp=$(cat $web/package.json scripts/web_vendor.sh | cksum)
[ "$(cat $web/vendor/.stamp 2>/dev/null)" != "$stamp" ] || exit 0

command -v npm >/dev/null || need_packages "The web pages" npm

work=$(mktemp -d)
trap 'rm -rf "$work" $web/vendor.new' EXIT
cp $web/package.json "$work"
step "Fetching the packages of the web pages" npm install --prefix "$work" \
    --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error

modules=$work/node_modules
new=$web/vendor.new
rm -rf $new
mkdir $new
cp "$modules"/@xterm/xterm/lib/xterm.mjs "$modules"/@xterm/xterm/css/xterm.css $new
for addon in clipboard fit search unicode11 web-links webgl; do
    cp "$modules/@xterm/addon-$addon/lib/addon-$addon.mjs" $new
done
for font in inter jetbrains-mono; do
    cp "$modules/@fontsource-variable/$font/files/$font-latin-wght-normal.woff2" $new
    cp "$modules/@fontsource-variable/$font/files/$font-latin-ext-wght-normal.woff2" $new
    cp "$modules/@fontsource-variable/$font/LICENSE" "$new/$font.LICENSE"
done
cp "$modules"/@xterm/xterm/LICENSE $new/xterm.LICENSE
# The maps that the modules point at are not shipped; a browser's tools would ask for them in vain.
sed -i '/^\/\/# sourceMappingURL=/d' $new/*.mjs

echo "$stamp" >$new/.stamp
rm -rf $web/vendor
mv $new $web/vendor
