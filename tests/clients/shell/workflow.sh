#!/bin/sh
# The life of a named container at a shell: /api/v1 with curl.
set -eu

api=$CM_URL/api/v1
name=workflow-$$

# call METHOD PATH [BODY]: print the answer; its status must be a success.
call() {
    curl --silent --show-error --fail-with-body --max-time 60 --user "$CM_USER:$CM_PASS" --request "$1" \
        --header 'Content-Type: application/json' ${3:+--data "$3"} "$api$2"
}

# check NAME ANSWER TEXT: the answer holds the text.
check() {
    case $2 in
    *"$3"*) echo "ok: $1" ;;
    *) echo "FAILED: $1: $2"; exit 1 ;;
    esac
}

check 'health' "$(call GET /health)" '"connected"'
answer=$(call POST /containers "{\"image\": \"$CM_IMAGE\", \"name\": \"$name\", \"command\": \"sleep 300\"}")
trap 'call DELETE "/containers/$name?force=true" >/dev/null' EXIT
check 'create' "$answer" '"running"'
answer=$(call POST "/containers/$name/users" '{"username": "testuser", "password": "testpass", "shell": "/bin/sh"}')
check 'add a user' "$answer" '"testuser"'
answer=$(call POST "/containers/$name/files" '{"dest_path": "/tmp/demo.txt", "content": "Hello from the API!"}')
check 'write a file' "$answer" '19'
answer=$(call POST "/containers/$name/exec" '{"command": "cat /tmp/demo.txt"}')
check 'read it' "$answer" 'Hello from the API!'
check 'logs' "$(call GET "/containers/$name/logs?tail=20")" '"logs"'
check 'stop' "$(call POST "/containers/$name/stop")" '"stopped"'
check 'start' "$(call POST "/containers/$name/start")" '"started"'
trap - EXIT
check 'remove' "$(call DELETE "/containers/$name?force=true")" '"removed"'
