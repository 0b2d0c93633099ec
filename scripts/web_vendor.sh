#!/bin/sh
# Puts the front-end packages named in container_manager/web/package.json into container_manager/web/vendor/.
# Quick when nothing changed; a run that fails leaves what was there.
set -eu

cd "$(dirname "$0")/../container_manager/web"
stamp=$(cat package.json ../../scripts/web_vendor.sh | cksum)

if [ "$(cat vendor/.stamp 2>/dev/null || true)" = "$stamp" ]; then
    echo "web: vendor/ is up to date"
    exit 0
fi
if ! command -v npm >/dev/null; then
    echo "web: npm is missing. Install Node.js with npm (Debian: apt-get install npm), then run this again." >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work" vendor.new' EXIT
cp package.json "$work"
(cd "$work" && npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error)

modules=$work/node_modules
rm -rf vendor.new
mkdir vendor.new
cp "$modules"/@xterm/xterm/lib/xterm.mjs "$modules"/@xterm/xterm/css/xterm.css vendor.new
for addon in clipboard fit search unicode11 web-links webgl; do
    cp "$modules/@xterm/addon-$addon/lib/addon-$addon.mjs" vendor.new
done
for font in inter jetbrains-mono; do
    cp "$modules/@fontsource-variable/$font/files/$font-latin-wght-normal.woff2" vendor.new
    cp "$modules/@fontsource-variable/$font/files/$font-latin-ext-wght-normal.woff2" vendor.new
    cp "$modules/@fontsource-variable/$font/LICENSE" "vendor.new/$font.LICENSE"
done
cp "$modules"/@xterm/xterm/LICENSE vendor.new/xterm.LICENSE
# The maps that the modules point at are not shipped; a browser's tools would ask for them in vain.
sed -i '/^\/\/# sourceMappingURL=/d' vendor.new/*.mjs

echo "$stamp" >vendor.new/.stamp
rm -rf vendor
mv vendor.new vendor
echo "web: vendor/ is ready"
