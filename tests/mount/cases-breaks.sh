# When the session dies or stalls: losing silently never, the mount stays and works again. Sourced by mount.sh. Each case has a
# server of its own ($sshd_pid), whose sessions are killed or stopped.

sessions() { descendants "$sshd_pid"; }
# Whatever begins when this returns begins after the session's end: on a busy machine what was killed lives on for a while,
# and takes a request that nobody answers any more (EIO, as for everything in flight).
kill_sessions() {
    local session killed
    killed=$(sessions)
    kill -9 $killed
    for session in $killed; do wait_for 20 gone "$session" || fail "session $session does not end"; done
}
stop_sessions() { kill -STOP $(sessions); }
kill_server() {
    kill -9 "$sshd_pid" $(sessions)
    wait_for 5 gone "$sshd_pid"
}
continue_sessions() { kill -CONT $(sessions); }

mount_own_server() {
    start_case_sshd
    mount_it "one:$srv" -p "$port" "$@"
}

size_at_least() { [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]; }

works_again() {
    local name=again-$RANDOM
    timeout 60 sh -c 'echo again >"$1"' sh "$mnt/$name" || fail "afterwards the mount cannot be written to"
    [ "$(cat "$srv/$name")" = again ] || fail "afterwards a written file is not at the server"
    timeout 60 ls "$mnt" >/dev/null || fail "afterwards the mount cannot be listed"
}

# copy_is_killed FROM TO ARRIVES: cp whose session ends midway: an error, or the whole file is there.
copy_is_killed() {
    local status=0
    timeout 90 cp "$1" "$2" 2>"$work/err.$case" &
    local copy=$!
    wait_for 20 size_at_least "$3" 5000000 || fail "nothing arrives"
    kill_sessions
    wait $copy || status=$?
    echo "cp ended with $status: $(cat "$work/err.$case"); there: $(stat -c %s "$3") bytes"
    [ $status != 124 ] || fail "cp hangs"
    [ $status != 0 ] || cmp "$1" "$3" || fail "cp ended with 0 and the file is not there"
    mountpoint -q "$mnt" || fail "the mount is gone"
    works_again
    unmount_it
}

case_killed_while_writing() {
    head -c 200000000 /dev/urandom >"$work/big"
    mount_own_server
    copy_is_killed "$work/big" "$mnt/big" "$srv/big"
}

# Reading: an error, never an end of file where the file does not end.
case_killed_while_reading() {
    head -c 200000000 /dev/urandom >"$srv/big"
    mount_own_server
    python3 - "$mnt/big" "$work/read-so-far" >"$work/result" <<'END' &
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
total = 0
try:
    while data := os.read(fd, 65536):
        total += len(data)
        with open(sys.argv[2], "w") as file:
            file.write("x" * (total // 1000000))
    print("end of file at", total)
except OSError as error:
    print("error", error.errno, "at", total)
END
    local reader=$!
    wait_for 20 size_at_least "$work/read-so-far" 5 || fail "nothing is read"
    kill_sessions
    wait $reader
    echo "the reader: $(cat "$work/result")"
    grep -q -e '^error 5 ' -e '^end of file at 200000000$' "$work/result" || fail "the reader got: $(cat "$work/result")"
    works_again
    same "$mnt/big" "$srv/big"
    unmount_it
}

case_killed_while_cp_reads() {
    head -c 300000000 /dev/urandom >"$work/big"
    mount_own_server
    ln "$work/big" "$srv/big"
    copy_is_killed "$mnt/big" "$work/copy" "$work/copy"
}

# A handle of the dead session is not taken up by the next one.
case_handle_of_dead_session() {
    echo text >"$srv/file"
    mount_own_server -o direct_io
    python3 - "$mnt/file" "$work/go" >"$work/result" <<'END' &
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
os.pread(fd, 4, 0)
open(sys.argv[2] + ".ready", "w").close()
while not os.path.exists(sys.argv[2]):
    time.sleep(0.05)
for call in (lambda: os.pread(fd, 4, 0), lambda: os.pwrite(fd, b"late", 0) and os.fsync(fd)):
    try:
        print("worked", call())
    except OSError as error:
        print("error", error.errno)
END
    wait_for 10 test -e "$work/go.ready"
    kill_sessions
    sleep 0.3
    touch "$work/go"
    wait $!
    [ "$(cat "$work/result")" = $'error 5\nerror 5' ] || fail "the old handle: $(cat "$work/result")"
    works_again
    unmount_it
}

case_killed_again_and_again() {
    local i
    mount_own_server
    for i in 1 2 3; do
        works_again
        kill_sessions
    done
    works_again
    unmount_it
}

# The server is gone for good: operations end by themselves, after -o timeout=.
case_server_gone() {
    local begin status=0
    mount_own_server -o timeout=3,dir_cache=no,attr_timeout=0,entry_timeout=0
    kill_server
    begin=$EPOCHSECONDS
    timeout 30 ls "$mnt/some-name" 2>"$work/err.$case" || status=$?
    echo "ls ended with $status after $((EPOCHSECONDS - begin)) s: $(cat "$work/err.$case")"
    [ $status != 124 ] || fail "an operation hangs"
    [ $((EPOCHSECONDS - begin)) -le 12 ] || fail "an operation took $((EPOCHSECONDS - begin)) s with timeout=3"
    status=0
    timeout 30 ls "$mnt/another-name" 2>"$work/err.$case" || status=$?
    grep -q -e 'timed out' -e 'Input/output error' "$work/err.$case" || fail "it says: $(cat "$work/err.$case")"
    unmount_it
}

start_stuck_reader() { # $reader, of a server that is silent
    head -c 50000000 /dev/urandom >"$srv/big"
    mount_own_server
    stop_sessions
    cat "$mnt/big" >/dev/null 2>&1 &
    reader=$!
    sleep 1
}

# Stopped, not dead: a reader that waits can be killed.
case_stuck_reader_killed() {
    start_stuck_reader
    kill -0 $reader || fail "the reader did not wait"
    kill -9 $reader
    wait_for 5 gone $reader || fail "the reader cannot be killed: $(ps -o pid=,stat=,wchan= -p $reader)"
    continue_sessions
    same "$mnt/big" "$srv/big"
    unmount_it
}

case_stuck_reader_interrupted() {
    head -c 50000000 /dev/urandom >"$srv/big"
    mount_own_server
    stop_sessions
    # A shell without job control starts what is in its background deaf to SIGINT.
    python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' cat "$mnt/big" >/dev/null 2>&1 &
    local reader=$!
    sleep 3
    kill -INT $reader
    wait_for 5 gone $reader || fail "Ctrl-C does not end the reader: $(ps -o pid=,stat=,wchan= -p $reader)"
    continue_sessions
    works_again
    unmount_it
}

# Keepalive finds out that the server is silent.
case_stalled_and_noticed() {
    local status=0
    mount_own_server -o ServerAliveInterval=1,ServerAliveCountMax=2,timeout=5,dir_cache=no,attr_timeout=0,entry_timeout=0
    stop_sessions
    local begin=$EPOCHSECONDS
    timeout 40 ls "$mnt/a-name" 2>"$work/err.$case" || status=$?
    echo "ls ended with $status after $((EPOCHSECONDS - begin)) s: $(cat "$work/err.$case")"
    [ $status != 124 ] || fail "an operation hangs at a silent server"
    [ $((EPOCHSECONDS - begin)) -le 15 ] || fail "it took $((EPOCHSECONDS - begin)) s"
    works_again
    unmount_it
}

unmounts_in_time() { # ARGUMENT...
    local begin=$EPOCHSECONDS
    timeout -k 1 12 fusermount3 "$@" "$mnt" || fail "fusermount3 $* ended with $?"
    [ $((EPOCHSECONDS - begin)) -le 10 ] || fail "fusermount3 $* took $((EPOCHSECONDS - begin)) s"
    wait_for 20 no_server_of "$mnt" || fail "20 s after fusermount3 $* the program is still there"
}

case_hung_mount_unmounted() {
    mount_own_server
    stop_sessions
    unmounts_in_time -u
}

case_hung_mount_with_reader_unmounted() {
    start_stuck_reader
    timeout -k 1 12 fusermount3 -uz "$mnt" || fail "fusermount3 -uz ended with $?"
    ! mountpoint -q "$mnt" || fail "it is still mounted"
    kill -9 $reader
    wait_for 5 gone $reader || fail "the reader cannot be killed"
    wait_for 20 no_server_of "$mnt" || fail "the program is still there"
}

# The key at the reconnection is another: no further attempts, and the reason in the log.
case_host_key_changed_meanwhile() {
    local status=0
    mount_own_server -o timeout=5,dir_cache=no,attr_timeout=0,entry_timeout=0
    kill_server
    sed -i "s|^HostKey .*|HostKey $work/other_host_key|" "$work/sshd_$case"
    restart_sshd
    echo secret >"$srv/new-name"
    timeout 30 cat "$mnt/new-name" >"$work/out.$case" 2>"$work/err.$case" || status=$?
    [ $status != 0 ] || fail "it reads from a server with another key"
    [ $status != 124 ] || fail "it hangs"
    unmount_it
}

# A password that worked is used again.
case_password_reconnects() {
    echo "someone:pass" >"$work/passwords"
    start_own --password-file "$work/passwords"
    echo here >"$srv/file"
    echo pass | "$lanyardfs" "someone@one:$srv" "$mnt" -F "$work/ssh_config" -p "$port" \
        -o password_stdin,PubkeyAuthentication=no,BatchMode=no 2>"$work/err.$case" || fail "mounting: $(cat "$work/err.$case")"
    restart_own --password-file "$work/passwords"
    works_again
    unmount_it
}

# Silent, not dead: whoever asks meanwhile waits no longer than who asked first, and what is known is told at once.
case_stalled_two_readers() {
    local first second begin status=0
    head -c 50000000 /dev/urandom >"$srv/big"
    mkdir "$srv/listed"
    touch "$srv/listed/name"
    mount_own_server -o ServerAliveInterval=1,ServerAliveCountMax=2,timeout=10
    ls -l "$mnt/listed" >/dev/null
    df "$mnt" >/dev/null
    stop_sessions
    begin=$EPOCHSECONDS
    timeout 40 cat "$mnt/big" >/dev/null 2>"$work/first.$case" &
    first=$!
    sleep 1
    timeout 40 ls "$mnt/unknown" 2>"$work/second.$case" &
    second=$!
    [ "$(timeout 2 ls "$mnt/listed")" = name ] || fail "a listing that is known is not told"
    wait $first && fail "the first reader read on from a silent server" || status=$?
    [ $status != 124 ] || fail "the first reader hangs"
    grep -q 'Input/output error' "$work/first.$case" || fail "the first reader: $(cat "$work/first.$case")"
    wait $second || status=$?
    [ $status != 124 ] || fail "the second reader hangs"
    [ $((EPOCHSECONDS - begin)) -le 8 ] || fail "it took $((EPOCHSECONDS - begin)) s"
    same "$mnt/big" "$srv/big"
    unmount_it
}

# A server that went silent and does not come back either.
case_stalled_and_gone() {
    local begin=$EPOCHSECONDS status=0
    mount_own_server -o ServerAliveInterval=1,ServerAliveCountMax=2,timeout=3,ConnectTimeout=2
    stop_sessions
    kill -STOP "$sshd_pid"
    timeout 40 ls "$mnt/a-name" 2>"$work/err.$case" || status=$?
    [ $status != 124 ] || fail "an operation hangs"
    begin=$EPOCHSECONDS
    timeout 40 ls "$mnt/another-name" 2>"$work/err.$case" || status=$?
    echo "ls ended after $((EPOCHSECONDS - begin)) s: $(cat "$work/err.$case")"
    grep -q 'timed out' "$work/err.$case" || fail "it says: $(cat "$work/err.$case")"
    [ $((EPOCHSECONDS - begin)) -le 6 ] || fail "with timeout=3 it took $((EPOCHSECONDS - begin)) s"
    kill -CONT "$sshd_pid"
    works_again
    unmount_it
}

# The program is told to end: from the background too, with a file open, and with a server that is silent.
case_signals_unmount() {
    local signal
    head -c 5000000 /dev/urandom >"$srv/big"
    for signal in TERM INT HUP; do
        mount_it "server:$srv"
        exec 7<"$mnt/big"
        kill -$signal $(servers_of "$mnt")
        wait_for 5 no_server_of "$mnt" || fail "on SIG$signal with an open file it does not end"
        exec 7<&-
        ! is_mounted "$mnt" || fail "on SIG$signal it left its mount"
    done
    mount_own_server
    stop_sessions
    cat "$mnt/big" >/dev/null 2>"$work/err.$case" &
    sleep 0.5
    kill -TERM $(servers_of "$mnt")
    wait_for 5 no_server_of "$mnt" || fail "on SIGTERM at a silent server it does not end"
    ! is_mounted "$mnt" || fail "on SIGTERM at a silent server it left its mount"
    wait_for 5 gone $! || fail "the reader is still there"
    [ -s "$work/err.$case" ] || fail "the reader got an end of file"
}
