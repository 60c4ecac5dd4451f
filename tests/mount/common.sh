# What the cases share; sourced by mount.sh, in the driver and in each case. Names: $work (this run's folder), $srv (the case's
# folder at the server), $mnt (its mountpoint), $lanyardfs.

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

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local rounds=$(($1 * 20))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ $((rounds--)) -gt 0 ] || return 1
        sleep 0.05
    done
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
gone() { ! kill -0 "$1" 2>/dev/null || [ "$(ps -o stat= -p "$1" 2>/dev/null | cut -c1)" = Z ]; }

descendants() {
    local child
    for child in $(pgrep -P "$1" || true); do
        echo "$child"
        descendants "$child"
    done
}

# OpenSSH's sshd on a free port; further options as sshd takes them. Sets sshd_pid and sshd_port.
start_sshd() {
    local try
    for try in 1 2 3; do
        sshd_port=$(free_port)
        /usr/sbin/sshd -D -e -f "$work/sshd_config" -o "ListenAddress=127.0.0.1:$sshd_port" "$@" 2>>"$work/said-by-sshd" &
        sshd_pid=$!
        wait_for 5 port_answers "$sshd_port" && return 0
    done
    fail "sshd does not start: $(tail -3 "$work/said-by-sshd")"
}

# Our own sshd; further options as it takes them. Sets own_pid and own_port.
start_own() {
    local said=$work/own.$BASHPID address=127.0.0.1
    [ -x "$build/core/examples/sshd" ] || fail "core/examples/sshd was not built"
    : >"$said"
    "$build/core/examples/sshd" -b "$address" -p 0 -h "$work/host_key" -k "$work/authorized_keys" "$@" >"$said" 2>>"$work/said-by-own" &
    own_pid=$!
    wait_for 10 grep -q '^listening on ' "$said" || fail "core/examples/sshd does not start: $(tail -3 "$work/said-by-own")"
    own_port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$said")
}

# dropbear reads ~/.ssh/authorized_keys and nothing else: it gets a home of its own, which only root can give it. Sets dropbear_pid.
start_dropbear() {
    local home
    command -v dropbear >/dev/null || fail "dropbear is not installed"
    [ "$(id -u)" = 0 ] || skip "dropbear with a home of its own needs root"
    dropbear_port=$(free_port)
    home=$(getent passwd "$(id -un)" | cut -d: -f6)
    mkdir -p "$work/dropbear-home/.ssh"
    chmod 700 "$work/dropbear-home" "$work/dropbear-home/.ssh"
    cp "$work/id.pub" "$work/dropbear-home/.ssh/authorized_keys"
    [ -f "$work/dropbear_key" ] || dropbearkey -t ed25519 -f "$work/dropbear_key" >"$work/dropbear_key.txt" 2>&1
    unshare -m sh -c 'mount --bind "$1" "$2" && shift 2 && exec dropbear "$@"' sh "$work/dropbear-home" "$home" \
        -F -E -s -p "127.0.0.1:$dropbear_port" -r "$work/dropbear_key" -P "$work/dropbear.pid" 2>>"$work/said-by-dropbear" &
    dropbear_pid=$!
    wait_for 5 port_answers "$dropbear_port" || fail "dropbear does not start: $(tail -3 "$work/said-by-dropbear")"
    echo "[127.0.0.1]:$dropbear_port $(grep -o 'ssh-ed25519 [^ ]*' "$work/dropbear_key.txt")" >>"$work/known_hosts"
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
