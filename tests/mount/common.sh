# What the cases share; sourced by mount.sh, in the driver and in each case. Names: $work (this run's folder, $dir for lib.sh), $srv (the
# case's folder at the server), $mnt (its mountpoint), $lanyardfs.
. "$(dirname "$0")/../lib.sh"

fail() {
    tr '\n' ' ' <<<"$*"
    echo
    exit 1
}

# Counted as a skip; tests/run names those that may be.
skip() {
    echo "$*"
    exit 77
}

descendants() {
    local child
    for child in $(pgrep -P "$1" || true); do
        echo "$child"
        descendants "$child"
    done
}

# A server of OpenSSH for this case ($case), with further lines of sshd_config before the usual ones; see lib.sh.
start_case_sshd() {
    start_sshd "$case" "$@" "HostKey $work/host_key" "AuthorizedKeysFile $work/authorized_keys" \
        'Subsystem sftp /usr/lib/openssh/sftp-server'
}
stop_sshd() {
    kill "$sshd_pid"
    wait_for 5 gone "$sshd_pid"
}
# The same once more, where it was.
restart_sshd() {
    run_sshd "$case"
    wait_for 10 sshd_listens "$case" || fail "sshd does not start: $(tail -n 3 "$dir/log_$case")"
}

# Our own sshd; further options as it takes them. Sets server and port.
start_own() { start_server -h "$work/host_key" -k "$work/authorized_keys" "$@"; }
restart_own() { # where it was, with these options
    kill -9 "$server" 2>/dev/null || true
    wait_for 5 gone "$server"
    start_own -p "$port" "$@"
}

# dropbear reads ~/.ssh/authorized_keys and nothing else: it gets a home of its own, which only root can give it. Sets port.
start_dropbear() {
    command -v dropbear >/dev/null || fail "dropbear is not installed"
    [ "$(id -u)" = 0 ] || skip "dropbear with a home of its own needs root"
    mkdir -m 700 "$work/dropbear-home" "$work/dropbear-home/.ssh"
    cp "$work/id.pub" "$work/dropbear-home/.ssh/authorized_keys"
    dropbearkey -t ed25519 -f "$work/dropbear_key" >"$work/dropbear_key.txt" 2>&1
    start_at_port dropbear dropbear_listens run_dropbear
    echo "[127.0.0.1]:$port $(grep -o 'ssh-ed25519 [^ ]*' "$work/dropbear_key.txt")" >>"$work/known_hosts"
}
dropbear_listens() { port_answers "$port"; }
run_dropbear() {
    unshare -m sh -c 'mount --bind "$1" "$2" && shift 2 && exec dropbear "$@"' sh "$work/dropbear-home" \
        "$(getent passwd "$user" | cut -d: -f6)" -F -E -s -p "127.0.0.1:$port" -r "$work/dropbear_key" -P "$work/dropbear.pid" \
        2>>"$dir/log_dropbear" &
}

# serve CODE [ARGUMENT...]: a server in Python: what it does with each connection c. Sets port.
serve() {
    local code='
import socket, subprocess, sys, threading, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(8)
print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
'
    python3 -c "$code$(sed 's/^/    /' <<<"$1")" "${@:2}" >"$work/port.$case" &
    wait_for 5 test -s "$work/port.$case" || fail "the server in Python does not start"
    port=$(cat "$work/port.$case")
}

# Asks the table of mounts, not the mount.
is_mounted() { awk -v mnt="$1" '$2 == mnt { found = 1 } END { exit !found }' /proc/self/mounts; }

# mount_it SOURCE [ARGUMENT...]: mounts at $mnt and goes to the background; what is printed is in $work/said.$case.
mount_it() {
    local source=$1 status=0
    shift
    mkdir -p "$mnt"
    setsid -w timeout -k 5 60 "$lanyardfs" "$source" "$mnt" -F "$work/ssh_config" "$@" >"$work/said.$case" 2>&1 </dev/null || status=$?
    [ $status = 0 ] || fail "mounting $source $* ended with $status: $(cat "$work/said.$case")"
    is_mounted "$mnt" || fail "mounting $source $* ended with 0, but nothing is mounted: $(cat "$work/said.$case")"
}

# mount_in_foreground SOURCE [ARGUMENT...]: mounts at $mnt by $program; what is printed is in $work/err.$case.
mount_in_foreground() {
    "$lanyardfs" "$1" "$mnt" -f -F "$work/ssh_config" "${@:2}" 2>"$work/err.$case" </dev/null &
    program=$!
    wait_for 15 mountpoint -q "$mnt" || fail "nothing mounted: $(cat "$work/err.$case")"
}

# The processes that serve a mountpoint: it is one of their arguments (of fusermount3's too, when it waits for auto_unmount).
servers_of() {
    { grep -lzxF -- "$1" /proc/[0-9]*/cmdline 2>/dev/null || true; } | cut -d/ -f3 | while read -r process; do
        [ "$(cat "/proc/$process/comm" 2>/dev/null)" = fusermount3 ] || echo "$process"
    done
}
no_server_of() { [ -z "$(servers_of "$1")" ]; }

# Unmounts $mnt; the program ends by itself, so that a sanitizer can look at what is left.
unmount_it() {
    timeout -k 2 20 fusermount3 -u "$mnt" || fail "fusermount3 -u failed"
    wait_for 10 no_server_of "$mnt" || fail "unmounted, but the program is still there 10 seconds later"
}

# refused SECONDS REGEX ARGUMENT...: lanyardfs ends with 1 and one sentence that matches, in time, and mounts nothing; the same in the
# foreground.
refused() {
    refused_once "$@"
    refused_once "$@" -f
}
refused_once() {
    local seconds=$1 regex=$2 status=0 begin=$EPOCHSECONDS
    shift 2
    setsid -w timeout -k 5 60 "$lanyardfs" "$@" >"$work/out.$case" 2>"$work/err.$case" </dev/null || status=$?
    local took=$((EPOCHSECONDS - begin))
    echo "said: $(cat "$work/err.$case")"
    [ $status = 1 ] || fail "exit status $status, not 1: $(cat "$work/err.$case")"
    [ $took -le "$seconds" ] || fail "took $took s, at most $seconds"
    [ ! -s "$work/out.$case" ] || fail "wrote to stdout: $(cat "$work/out.$case")"
    [ "$(wc -l <"$work/err.$case")" = 1 ] || fail "not one sentence: $(cat "$work/err.$case")"
    grep -q '^lanyardfs: ' "$work/err.$case" || fail "does not say who speaks: $(cat "$work/err.$case")"
    grep -Eiq -- "$regex" "$work/err.$case" || fail "does not say \"$regex\": $(cat "$work/err.$case")"
    ! is_mounted "$mnt" || fail "left a mount behind"
}

same() { cmp "$1" "$2" || fail "$1 and $2 differ"; }

# same_trees A B [bare|nolinks]: names, kinds, permissions, times, contents; see listing.py.
same_trees() {
    "$here/listing.py" "$1" "${3:-}" >"$work/left.$case"
    "$here/listing.py" "$2" "${3:-}" >"$work/right.$case"
    [ -s "$work/left.$case" ] || fail "$1 is empty"
    diff "$work/left.$case" "$work/right.$case" >"$work/diff.$case" || fail "$1 and $2 differ: $(head -5 "$work/diff.$case")"
}

# A tree with what trees have: sizes around the edges of packets and pages, permissions, times, links, odd names.
make_tree() {
    local tree=$1 i
    mkdir -p "$tree"/{docs/deep/deeper,bin,empty,many}
    : >"$tree/docs/nothing"
    for i in 1 4095 4096 4097 32768 131073 3000000; do head -c "$i" /dev/urandom >"$tree/docs/$i"; done
    for i in $(seq 150); do echo "file $i" >"$tree/many/$i.txt"; done
    printf '#!/bin/sh\necho run\n' >"$tree/bin/run"
    chmod 755 "$tree/bin/run"
    echo secret >"$tree/docs/private"
    chmod 600 "$tree/docs/private"
    echo fixed >"$tree/docs/read-only"
    chmod 444 "$tree/docs/read-only"
    echo deep >"$tree/docs/deep/deeper/file"
    echo spaces >"$tree/docs/a name  with spaces"
    echo newline >"$tree/docs/"$'two\nlines'
    echo quotes >"$tree/docs/'\"\\*?"
    echo accents >"$tree/docs/åß→"
    ln -s ../docs/4096 "$tree/bin/link"
    ln -s nowhere "$tree/bin/dangling"
    ln -s docs "$tree/linked-directory"
    ln "$tree/docs/4097" "$tree/docs/hard"
    chmod 750 "$tree/docs/deep"
    find "$tree" -exec touch -h -d '2020-02-29 12:34:56' {} +
}
