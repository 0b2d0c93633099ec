#!/usr/bin/env bash
# Runs a command with Podman as the engine: `scripts/podman.sh COMMAND...`. Podman's Docker socket is served for as long
# as the command runs, with a storage of its own, so that nobody's containers are touched. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

[ "$#" -gt 0 ] || fail "Usage: scripts/podman.sh COMMAND..."
is_root || fail "The tests with Podman need root: limits and published ports as the tests want them are root's."
need_packages "The tests with Podman" podman runc netavark aardvark-dns catatonit

IMAGE=${IMAGE:-python:3.12-slim}

# Sockets have short names, and this must not outlive a restart of the machine. Each checkout has its own.
run=/run/container-manager-podman-$(pwd | cksum | cut -d " " -f 1)
storage=$PWD/$BUILD/podman
mkdir -p "$run" "$storage"

exec 8>"$run/lock"
flock --nonblock 8 || fail "Another run of the tests with Podman is on: wait for its end."

# A container's limits may not be above the service's own where root may not raise any, and the service lowers its own.
at_most_half() {
    local hard
    hard=$(ulimit -H "$1")
    [ "$hard" != unlimited ] && [ "$hard" -lt 16384 ] && echo $((hard / 2)) || echo 8192
}
files=$(at_most_half -n)
processes=$(at_most_half -u)
cat >"$run/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
init_path = "$(command -v catatonit)"
log_driver = "k8s-file"

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"

[network]
network_backend = "netavark"
CONF
export CONTAINERS_CONF=$run/containers.conf

podman=(podman --root "$storage" --runroot "$run/state" --tmpdir "$run/tmp")
"${podman[@]}" system service --time 0 "unix://$run/podman.sock" >"$BUILD/podman.log" 2>&1 </dev/null 8>&- &
service=$!

end() {
    "${podman[@]}" rm --all --force --time 0 >/dev/null 2>&1 || true
    kill "$service" 2>/dev/null || true
    wait "$service" 2>/dev/null || true
    # Podman mounts this upon itself; left so, the checkout could not be deleted.
    umount "$storage/overlay" 2>/dev/null || true
}
trap end EXIT

docker=${DOCKER_HOST:-unix:///var/run/docker.sock}
export DOCKER_HOST=unix://$run/podman.sock
answers() { docker version; }
# shellcheck disable=SC2317 # wait_until calls it
answers_or_ended() { answers || ! kill -0 "$service"; }
start() { wait_until 30 answers_or_ended && answers; }
if ! attempt "Starting Podman" start; then
    tail -n 8 "$BUILD/podman.log" | cut -c -200 | sed 's/^/  | /'
    fail "Podman did not start: see $BUILD/podman.log"
fi
if ! "${podman[@]}" image exists "$IMAGE"; then
    copy_image() { docker --host "$docker" save "$IMAGE" | "${podman[@]}" load; }
    step "Copying the image $IMAGE from Docker" copy_image
fi
say "Podman $(podman --version | sed 's/.* //') answers at $DOCKER_HOST"
"$@"
