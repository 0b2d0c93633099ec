# Sourced by the other scripts, from the project's folder: how they speak, wait, install packages and find Python.
# shellcheck shell=bash

BUILD=.build
STEP_LOG=$BUILD/steps.log
mkdir -p "$BUILD"

say() { printf '%s\n' "$*"; }

# fail MESSAGE...: one clear line, and the end.
fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

now_ms() { printf '%s' "$((${EPOCHREALTIME/[.,]/} / 1000))"; }

# seconds_since MILLISECONDS: "12.3 s"
seconds_since() {
    local ms=$(($(now_ms) - $1))
    printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

# Shows every fifth of a second, beside a turning wheel, how long TITLE takes; elsewhere than on a terminal a line every
# ten seconds. It ends with the script that started it.
_show_progress() {
    local title=$1 began=$2 owner=$3 pause=10 wheel='-\|/' turn=0 never
    [ ! -t 1 ] || pause=0.2
    # A pipe on which nothing comes: to wait for it is to sleep, without a `sleep` that would outlive this.
    exec {never}<> <(:)
    while kill -0 "$owner" 2>/dev/null; do
        read -r -t "$pause" -u "$never" _ && return
        [ $? -gt 128 ] || return # only a timeout goes on
        if [ -t 1 ]; then
            turn=$(((turn + 1) % 4))
            printf '\r\033[K%s %s ... %s' "${wheel:turn:1}" "$title" "$(seconds_since "$began")"
        else
            say "  ... $title: $(seconds_since "$began")"
        fi
    done
}

# Runs a command as `step` does; says only when it went well, and leaves the time it `took`. A function that is given as
# the command chains its parts with &&: the shell's -e does not reach into it from here.
_run() {
    local title=$1 began code=0 progress
    shift
    began=$(now_ms)
    [ -t 1 ] || say "$title ..."
    _show_progress "$title" "$began" $$ 2>/dev/null &
    progress=$!
    "$@" >"$BUILD/step.log" 2>&1 </dev/null || code=$?
    kill "$progress" 2>/dev/null || true
    wait "$progress" 2>/dev/null || true
    [ ! -t 1 ] || printf '\r\033[K'
    { printf '\n== %s: %s\n' "$title" "$*" && cat "$BUILD/step.log"; } >>"$STEP_LOG"
    took=$(seconds_since "$began")
    [ "$code" != 0 ] || say "$title: $took"
    return "$code"
}

# step TITLE COMMAND...: runs COMMAND with its output in a log; shows that it moves, how long it took, and the log's end
# when it fails. Its exit code is COMMAND's.
step() {
    local code=0 took
    _run "$@" || code=$?
    [ "$code" != 0 ] || return 0
    say "$1: FAILED after $took. The last that it said ($STEP_LOG has all):"
    tail -n 20 "$BUILD/step.log" | cut -c -200 | sed 's/^/  | /'
    return "$code"
}

# attempt TITLE COMMAND...: a step that may fail; says in a line why it did.
attempt() {
    local code=0 took
    _run "$@" || code=$?
    [ "$code" = 0 ] || say "$1: this did not work ($(tail -n 1 "$BUILD/step.log" | cut -c -160))"
    return "$code"
}

# wait_until SECONDS COMMAND...: true as soon as COMMAND succeeds, false when the time is over.
wait_until() {
    local deadline=$(($(now_ms) + $1 * 1000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(now_ms)" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

is_root() { [ "$(id -u)" = 0 ]; }

# May this script install packages itself: Debian, Ubuntu or their kin, as root.
can_apt() { is_root && command -v apt-get >/dev/null && [ -e /etc/debian_version ]; }

_apt_install() {
    local options=(-y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    export DEBIAN_FRONTEND=noninteractive
    apt-get install "${options[@]}" "$@" && return
    # An old list of packages is the usual cause; a mirror that was being changed the next.
    local try
    for try in 1 2 3; do
        echo "-- new package lists, try $try"
        apt-get update -o Acquire::Retries=3 && apt-get install "${options[@]}" "$@" && return
        sleep $((try * 2))
    done
    return 1
}

# need_packages WHY PACKAGE...: installs those that are missing, or says in one line which they are.
need_packages() {
    local why=$1 package missing=()
    shift
    for package in "$@"; do
        if command -v dpkg-query >/dev/null &&
            [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ]; then
            continue
        fi
        missing+=("$package")
    done
    [ "${#missing[@]}" = 0 ] && return
    can_apt || fail "$why needs these packages: ${missing[*]}. Install them (on Debian or Ubuntu:" \
        "sudo apt-get install ${missing[*]}) and run this again."
    step "Installing ${missing[*]}" _apt_install "${missing[@]}"
}

# A Python that is new enough, complete enough to make environments with, and has packages built for it.
_python_fits() {
    "$1" - >/dev/null 2>&1 <<'PYTHON'
import ensurepip, sys, sysconfig, venv
fits = sys.version_info >= (3, 12) and sys.implementation.name == "cpython"
sys.exit(not fits or bool(sysconfig.get_config_var("Py_GIL_DISABLED")))
PYTHON
}

# Prints the Python to use. Each candidate is run: a name on the PATH may be a shim with nothing behind it.
find_python() {
    local candidate
    {
        printf '%s\n' python3.14 python3.13 python3.12 python3
        printf '%s\n' "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3 | sort -rV
    } >"$BUILD/pythons"
    while read -r candidate; do
        if _python_fits "$candidate"; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done <"$BUILD/pythons"
    return 1
}
