#!/usr/bin/env bash
# Sees that the engine has the Python image that the examples and tests use: there already, or pulled, or, where no
# registry answers, put together from this machine's Debian or Ubuntu packages under the same name.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

IMAGE=${IMAGE:-python:3.12-slim}
ANSWER_WITHIN=8 # seconds that a registry has for its first word
PULL_WITHIN=600 # seconds that the whole pull has once it answered

docker image inspect "$IMAGE" >/dev/null 2>&1 && exit

# The first word of a registry is "Pulling from": without it in time there is none to be reached.
pull() {
    local pid
    timeout "$PULL_WITHIN" docker pull "$IMAGE" &
    pid=$!
    # shellcheck disable=SC2317 # wait_until calls it
    answered() { grep -q "Pulling from" "$BUILD/step.log" || ! kill -0 "$pid"; }
    if ! wait_until "$ANSWER_WITHIN" answered; then
        kill "$pid"
        wait "$pid" || true
        echo "no answer within $ANSWER_WITHIN s"
        return 1
    fi
    wait "$pid"
}

# Debian's Python in a minimal Debian. The name `python` and the default command are those of the real image.
build() {
    local suite mirror components=main
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    [ "$(. /etc/os-release && echo "$ID")" != ubuntu ] || components=main,universe
    # shellcheck disable=SC2016 # $(SITE) is apt's own
    mirror=$(apt-get indextargets --format '$(SITE)' "Codename: $suite" "Created-By: Packages" 2>/dev/null | head -n 1)
    debootstrap --variant=minbase --components="$components" --include=python3,python3-pip,ca-certificates \
        "$suite" "$root" ${mirror:+"$mirror"} &&
        rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/* &&
        ln -s /usr/bin/python3 "$root/usr/local/bin/python" &&
        tar -C "$root" --numeric-owner -c . | docker import --change 'CMD ["python3"]' --change 'ENV LANG=C.UTF-8' - "$IMAGE"
}

if attempt "Pulling the image $IMAGE" pull; then
    exit
fi
can_apt || fail "There is no image $IMAGE and no registry could be reached: docker pull $IMAGE, or docker load it."
say "No registry gave it: building an image of that name from this machine's own packages instead."
need_packages "Building an image" debootstrap
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
step "Building $IMAGE from this machine's packages" build ||
    fail "There is no image $IMAGE. Bring one to this machine (docker load) and run this again."
