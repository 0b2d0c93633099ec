#!/usr/bin/env bash
# Sees that a Docker engine answers: the one that DOCKER_HOST names, one that runs here, one that is installed and only
# has to be started, or, as root on Debian or Ubuntu, one installed now. It never starts a second one.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

COMPOSE_NEEDED=2.40.2
DOCKER_PID=/run/docker.pid
CONTAINERD_PID=/run/docker/containerd/containerd.pid
DOCKERD_LOG=/var/log/dockerd.log
START_WITHIN=120 # seconds; an engine that was killed first ends the containers that it left behind

engine_answers() { timeout 15 docker version --format '{{.Server.Version}}'; }

# alive PIDFILE PROGRAM: the file names a process that is alive and runs PROGRAM. Not so for a number that another
# process has by now, nor for a zombie, which has no program.
alive() {
    local pid
    pid=$(cat "$1" 2>/dev/null) && [[ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = */$2* ]]
}

# dockerd refuses to start while these exist and name any process at all.
forget_dead() {
    alive "$DOCKER_PID" dockerd || rm -f "$DOCKER_PID"
    alive "$CONTAINERD_PID" containerd || rm -f "$CONTAINERD_PID"
}

start_engine() {
    local pid
    if [ -d /run/systemd/system ]; then
        systemctl start docker
    elif ! alive "$DOCKER_PID" dockerd; then
        forget_dead
        # Not tied to this script: its own session, no terminal, none of this script's files.
        setsid dockerd >>"$DOCKERD_LOG" 2>&1 </dev/null 9>&- &
        pid=$!
    fi
    # shellcheck disable=SC2317 # wait_until calls it
    answers_or_ended() { engine_answers || { [ -n "${pid:-}" ] && ! kill -0 "$pid"; }; }
    wait_until "$START_WITHIN" answers_or_ended && engine_answers
}

compose_is_new_enough() {
    local version
    version=$("$1" version --short 2>/dev/null) || return 1
    version=${version#v}
    [ "$(printf '%s\n' "$COMPOSE_NEEDED" "$version" | sort -V | head -n 1)" = "$COMPOSE_NEEDED" ]
}

if ! told=$(engine_answers 2>&1); then
    [ -z "${DOCKER_HOST:-}" ] || fail "DOCKER_HOST is $DOCKER_HOST, and no engine answers there:" \
        "start it, or unset DOCKER_HOST to use this machine's Docker."
    if [[ ${told,,} = *"permission denied"* ]]; then
        fail "The Docker engine runs, but not for $(id -un): sudo usermod -aG docker $(id -un), log in again, and retry."
    fi
    if ! command -v dockerd >/dev/null; then
        can_apt || fail "No Docker engine: install it (https://docs.docker.com/engine/install/; on Debian or Ubuntu:" \
            "sudo apt-get install docker.io) and run this again."
        packages=(docker.io iptables)
        [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ] || packages+=(apparmor)
        need_packages "The Docker engine" "${packages[@]}"
        # Where the package starts the engine itself, it takes a moment to answer.
        wait_until 3 engine_answers || true
    fi
    # Newer releases have the command in a package of its own.
    command -v docker >/dev/null || need_packages "The Docker engine" docker-cli
    if ! engine_answers >/dev/null 2>&1; then
        is_root || fail "The Docker engine does not run: sudo systemctl start docker (or: sudo dockerd &)," \
            "and run this again."
        if ! attempt "Starting the Docker engine" start_engine; then
            [ ! -r "$DOCKERD_LOG" ] || tail -n 8 "$DOCKERD_LOG" | cut -c -200 | sed 's/^/  | /'
            fail "The Docker engine did not start. Its log: $DOCKERD_LOG (with systemd: journalctl -u docker)"
        fi
    fi
fi

compose_is_new_enough .venv/bin/docker-compose || fail "Compose $COMPOSE_NEEDED or newer is needed and" \
    ".venv/bin/docker-compose is not: remove .venv and run 'make setup' again."
