"""Scripts that find, signal and end what an exec or a terminal started inside a container.

Killing the client of an exec leaves its process in the container. So each one carries a mark in its environment, and
these scripts find everything that came from it: by the mark, by its session, by its terminal, by its ancestors (after
`su` nobody but that user may read the environment). They use nothing but the shell itself: an image may have no more.
Called with the mark, and for SIGNAL the signal's name. KILL prints the users as whom to run it once more.
"""

from container_manager.models import SESSION_VARIABLE

FIND = r"""
mark=$1 found=' ' new=0
# Adds to $found every process of this mark that lives; $new counts those that were not there before.
scan() {
    # Numbers of sessions and terminals count while one of ours holds them: then they are given to others.
    new=0 all= sessions=' ' terminals=' ' foreign=' '
    for directory in /proc/[0-9]*; do
        number=${directory#/proc/}
        [ "$number" != 1 ] && [ "$number" != $$ ] || continue
        stat=
        { while read -r line; do stat="$stat $line"; done < "$directory/stat"; } 2>/dev/null
        stat=${stat##*) }
        set -- $stat
        case ${1:-Z} in Z | X) continue ;; esac
        all="$all$number:$2:$4:$5:$3:$6
"
        case $found in *" $number "*) hold "$4" "$5"; continue ;; esac
        { while read -r line || [ -n "$line" ]; do
            case $line in
                *"VARIABLE=$mark"*) add "$number" "$4" "$5"; break ;;
                *"VARIABLE="*) foreign="$foreign$number "; break ;;
            esac
        done < "$directory/environ"; } 2>/dev/null
    done
    grown=1
    while [ $grown = 1 ]; do
        grown=0
        for entry in $all; do
            IFS=: && set -- $entry; IFS=$blank
            case $found in *" $1 "*) continue ;; esac
            case "$found" in *" $2 "*) add "$1" "$3" "$4"; grown=1; continue ;; esac
            case $foreign in *" $1 "*) continue ;; esac
            case "$sessions" in *" $3 "*) add "$1" "$3" "$4"; grown=1; continue ;; esac
            case "$terminals" in *" $4 "*) add "$1" "$3" "$4"; grown=1 ;; esac
        done
    done
}
add() {
    found="$found$1 " new=$((new + 1))
    hold "$2" "$3"
}
# Session 0 and terminal 0 are none.
hold() {
    [ "$1" = 0 ] || sessions="$sessions$1 "
    [ "$2" = 0 ] || terminals="$terminals$2 "
}
blank=$IFS
""".replace("VARIABLE", SESSION_VARIABLE)

KILL = (
    FIND
    + r"""
# Tells the users of processes whose environment we may not read: they may find the mark in it.
strangers() {
    told=' '
    for entry in $all; do
        directory=/proc/${entry%%:*} seen='' user=''
        { { seen=1; } < "$directory/environ"; } 2>/dev/null
        [ -z "$seen" ] || continue
        { while read -r key user line; do [ "$key" != Uid: ] || break; done < "$directory/status"; } 2>/dev/null
        user=${user%%[!0-9]*}
        case $told in *" $user "*) ;; *) told="$told$user " && echo "$user" ;; esac
    done
}
scan
for number in $found; do kill -s HUP "$number"; kill -s CONT "$number"; kill -s TERM "$number"; done 2>/dev/null
round=0
while [ $round -lt 100 ]; do
    round=$((round + 1))
    # Where there is no sleep, scanning is the pause.
    sleep 0.05 2>/dev/null
    scan
    left=
    for entry in $all; do
        number=${entry%%:*}
        case $found in *" $number "*) left="$left $number" ;; esac
    done
    [ -n "$left" ] || { strangers; exit 0; }
    # First stop all, so that nothing forks on; kill once a scan finds no more.
    if [ $new = 0 ] && [ $round -gt 3 ]; then signal=KILL; elif [ $round -ge 3 ]; then signal=STOP; else continue; fi
    for number in $left; do kill -s $signal "$number"; done 2>/dev/null
done
echo "left:$left" >&2
exit 1
"""
)

SIGNAL = (
    FIND
    + r"""
name=$2
scan
for entry in $all; do
    IFS=: && set -- $entry; IFS=$blank
    case $found in *" $1 "*) ;; *) continue ;; esac
    # On a terminal its foreground group; without one, the group of what was started first.
    group=0
    if [ "$4" != 0 ]; then group=$6; elif [ "$2" = 0 ]; then group=$5; fi
    [ "$group" -gt 0 ] || continue
    # Dash wants the dashes, BusyBox takes them for a process.
    kill -s "$name" "-$group" 2>/dev/null && exit 0
    kill -s "$name" -- "-$group" 2>/dev/null && exit 0
done
exit 1
"""
)
