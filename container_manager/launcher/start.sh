# Starts boot.py with the image's python or else python3, requirements.txt installed first.
# $1: the seconds which that may take. Any shell can run this.

python=$(command -v python || command -v python3) || {
    echo 'container-manager: this image has neither python nor python3' >&2
    exit 127
}
[ "${2-}" != --download ] || exec "$python" -I -S "${0%/*}/install.py" "$@"
if [ -f /app/requirements.txt ]; then
    # In the background, so that SIGTERM ends this shell, and the container with it, at once.
    trap 'exit 143' TERM
    "$python" -I -S "${0%/*}/install.py" "$1" &
    wait $!
    trap - TERM
fi
# `exec` leaves no shell behind: signals reach Python itself.
exec "$python" -u /app/boot.py
