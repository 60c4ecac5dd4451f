# README's first command, with the build that is tested. Sourced by mount.sh.

try_it() { LANYARD_BUILD=$build TMPDIR=$work timeout -k 10 100 "$here/../../fs/try" "$@" 2>&1; }
try_left_nothing() {
    [ -z "$(compgen -G "$work/lanyard-try.*")" ] || fail "it left $(compgen -G "$work/lanyard-try.*")"
    ! grep -q "$work/lanyard-try" /proc/self/mounts || fail "it left a mount"
}

case_try() {
    try_it >"$work/out.$case" || fail "it ended with $?: $(tail -3 "$work/out.$case")"
    grep -q 'Written through the mount' "$work/out.$case" || fail "it wrote nothing"
    grep -q 'fs/lanyardfs \[user@\]host:\[dir\]' "$work/out.$case" || fail "it does not say how to mount one's own host"
    try_left_nothing
}

case_try_keep() {
    local status=0
    python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.environ.update(LANYARD_BUILD=sys.argv[2], TMPDIR=sys.argv[3])
os.execv(sys.argv[1], [sys.argv[1], "--keep"])' "$here/../../fs/try" "$build" "$work" >"$work/out.$case" 2>&1 &
    wait_for 60 grep -q 'until Ctrl-C' "$work/out.$case" || fail "it does not stay: $(tail -3 "$work/out.$case")"
    [ "$(cat "$work"/lanyard-try.*/mnt/hello.txt)" = 'Hello from the other side.' ] || fail "it is not mounted"
    kill -INT $!
    wait $! || status=$?
    [ $status = 130 ] || fail "after Ctrl-C it ended with $status"
    try_left_nothing
}

case_try_for_real() {
    echo here >"$srv/file"
    rmdir "$mnt"
    try_it "server:$srv" "$mnt" -F "$work/ssh_config" -o ro >"$work/out.$case" || fail "it ended with $?: $(cat "$work/out.$case")"
    [ "$(cat "$mnt/file")" = here ] || fail "it is not mounted"
    unmount_it
    ! try_it "server:$srv/nothing" "$mnt" -F "$work/ssh_config" >"$work/out.$case" || fail "it ends with 0 though nothing is mounted"
}
