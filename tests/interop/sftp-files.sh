#!/usr/bin/env bash
# sftp-files.sh BUILDDIR SSH2: whole files, streams and trees over LySftp (tests/interop/sftp-files.c): against OpenSSH's sshd and
# sftp-server, core/examples/sshd, and npm ssh2's SFTP server, which is slow, short and mortal.
set -u
. "$(dirname "$0")/server-lib.sh"
ssh2=$(realpath -m "${2:?the directory of npm ssh2 is missing}")
need ssh-keygen sha256sum timeout
# A sanitizer would make the large copies slow; they are smaller then.
if grep -q __asan_init "$build/tests/interop/sftp-files"; then mebibytes=64; else mebibytes=512; fi
mebibytes=${SFTP_FILES_MEBIBYTES:-$mebibytes}

make_keys
mkdir "$dir/remote" "$dir/back" "$dir/tree"
run() { timeout 300 "$build/tests/interop/sftp-files" -F "$dir/ssh_config" "$@" 2>"$dir/err"; }
# works NAME ARGUMENT...: must succeed
works() {
    local name=$1
    shift
    if run "$@" >"$dir/out"; then ok "$name"; else not_ok "$name" "$(tail -n 3 "$dir/err" | tr '\n' ' ')"; fi
}
# refused NAME WORDS ARGUMENT...: must fail, with these words
refused() {
    local name=$1 words=$2
    shift 2
    if run "$@" >"$dir/out"; then not_ok "$name" "it was done"; elif grep -q -- "$words" "$dir/err"; then ok "$name"; else
        not_ok "$name" "$(tail -n 3 "$dir/err" | tr '\n' ' ')"
    fi
}
same() { if cmp -s "$2" "$3"; then ok "$1"; else not_ok "$1" "$2 and $3 differ"; fi; }
same_trees() { if diff -r --no-dereference "$2" "$3" >"$dir/diff" 2>&1; then ok "$1"; else not_ok "$1" "$(head -n 2 "$dir/diff")"; fi; }

head -c $((mebibytes * 1048576)) /dev/urandom >"$dir/big"
sum=$(sha256sum <"$dir/big")
head -c 3000001 "$dir/big" >"$dir/middle"
: >"$dir/empty"
odd=$(printf 'odd \xff\xfe name')

everything() { # NAME REMOTE-DIRECTORY WHERE-IT-IS-HERE: what every server can
    local way=$1 remote=$2 at=$3
    works "$way: put" put "$dir/middle" "$remote/middle"
    same "$way: put, same bytes" "$dir/middle" "$at/middle"
    works "$way: get" get "$remote/middle" "$dir/back/middle"
    same "$way: get, same bytes" "$dir/middle" "$dir/back/middle"
    works "$way: chunks of 1000 bytes, three at once" -c 1000 -n 3 get "$remote/middle" "$dir/back/middle"
    same "$way: small chunks, same bytes" "$dir/middle" "$dir/back/middle"
    works "$way: put an empty file" put "$dir/empty" "$remote/empty"
    works "$way: get an empty file" get "$remote/empty" "$dir/back/empty"
    check "$way: it is empty" 0 "$(stat -c %s "$dir/back/empty")"
    works "$way: put of /proc/cpuinfo" put /proc/cpuinfo "$remote/cpuinfo"
    check "$way: /proc/cpuinfo has its lines" "$(grep -c ^processor /proc/cpuinfo)" "$(grep -c ^processor "$at/cpuinfo")"
    run read "$remote/middle" 1000 2000001 >"$dir/back/part"
    check "$way: a reader of a part" "$(tail -c +1001 "$dir/middle" | head -c 2000001 | sha256sum)" "$(sha256sum <"$dir/back/part")"
    run -s write "$remote/written" <"$dir/middle" >/dev/null
    same "$way: a writer" "$dir/middle" "$at/written"
    chmod 600 "$at/written"
    works "$way: put over a file of mode 600" -m 666 put "$dir/empty" "$remote/written"
    check "$way: it keeps its mode (defect 3)" 600 "$(stat -c %a "$at/written")"
    touch -d @1000000000 "$dir/back/middle" && chmod 751 "$dir/back/middle"
    works "$way: put -p" -p put "$dir/back/middle" "$remote/kept"
    check "$way: mode and time are kept" "751 1000000000" "$(stat -c '%a %Y' "$at/kept")"
    refused "$way: no such file" "cannot open $remote/missing on the server: No such file" get "$remote/missing" "$dir/back/missing"
    check "$way: nothing is left of it here" 1 "$(test -e "$dir/back/missing"; echo $?)"
    works "$way: mkdir -p" mkdir "$remote/deep/er/est"
    check "$way: all are there" 0 "$(test -d "$at/deep/er/est"; echo $?)"
    mkdir "$at/small" "$at/small/folder" && cp "$dir/middle" "$at/small/folder/file" && ln -s ../nowhere "$at/small/link"
    works "$way: copy of a tree" copy "$remote/small" "$remote/copied"
    same_trees "$way: copied" "$at/small" "$at/copied"
    check "$way: walk" 4 "$(run walk "$remote/copied" | wc -l)"
    works "$way: rm -r" remove "$remote/copied"
    check "$way: gone" 1 "$(test -e "$at/copied"; echo $?)"
}

large() { # NAME: what takes long, where paths are those of this machine
    local way=$1 remote=$dir/remote before
    works "$way: put $mebibytes MiB" put "$dir/big" "$remote/big"
    check "$way: put $mebibytes MiB, same bytes ($(cut -d, -f1 "$dir/err"))" "$sum" "$(sha256sum <"$remote/big")"
    works "$way: get $mebibytes MiB" get "$remote/big" "$dir/back/big"
    check "$way: get $mebibytes MiB, same bytes ($(cut -d, -f1 "$dir/err"))" "$sum" "$(sha256sum <"$dir/back/big")"
    rm -f "$remote/big" "$dir/back/big"
    works "$way: get of /proc/cpuinfo" get /proc/cpuinfo "$dir/back/cpuinfo"
    check "$way: get of /proc/cpuinfo has its lines" "$(grep -c ^processor /proc/cpuinfo)" "$(grep -c ^processor "$dir/back/cpuinfo")"
    run read /proc/self/status >"$dir/back/status"
    check "$way: a reader of /proc" 1 "$(grep -c ^VmRSS "$dir/back/status")"
    works "$way: a name that is not UTF-8" put "$dir/middle" "$remote/$odd"
    same "$way: it is that name" "$dir/middle" "$remote/$odd"
    truncate -s 5000000000 "$remote/sparse" && printf 'last words' >>"$remote/sparse"
    check "$way: a size over 4 GiB" 5000000010 "$(run size "$remote/sparse")"
    check "$way: its end" "last words" "$(run read "$remote/sparse" 5000000000)"
    check "$way: its beginning" 100 "$(run read "$remote/sparse" 0 100 | wc -c)"
    # Growing and shrinking under the copy.
    : >"$remote/log"
    (for _ in $(seq 200); do head -c 100000 /dev/zero; sleep 0.002; done >>"$remote/log") &
    before=$!
    works "$way: get of a growing file" get "$remote/log" "$dir/back/log"
    wait $before
    works "$way: a file that grew" get "$remote/log" "$dir/back/log"
    same "$way: it is all there" "$remote/log" "$dir/back/log"
    truncate -s 400M "$remote/log"
    (sleep 0.3; truncate -s 1000 "$remote/log") &
    run get "$remote/log" "$dir/back/log"
    before=$?
    wait $!
    check "$way: a shrinking file ends one way or the other" 0 "$([ $before = 0 ] || grep -q 'shrank while it was copied' "$dir/err"; echo $?)"
    rm -f "$remote/log" "$dir/back/log" "$remote/sparse"
    works "$way: link" link "$remote/link" "some target"
    check "$way: the link's target" "some target" "$(readlink "$remote/link")"
    check "$way: append" "onetwo" "$(printf one >"$remote/appended"; run append "$remote/appended" two; cat "$remote/appended")"
    (ulimit -f 1000; run get "$remote/middle" "$dir/back/limited")
    check "$way: no room here" 1 "$(grep -c 'cannot write .*limited: File too large' "$dir/err")"
    # 10,000 entries.
    rm -rf "$remote/tree" "$remote/copy"
    mkdir -p "$remote"/tree/{1,2,3,4,5,6,7,8,9,10}/sub
    for i in 1 2 3 4 5 6 7 8 9 10; do (cd "$remote/tree/$i/sub" && seq -f "file %.0f of $i" 1000 | split -l 1 -a 3 - f); done
    check "$way: walk of 10,000 files" 10021 "$(run walk "$remote/tree" | wc -l)"
    works "$way: copy of 10,000 files" copy "$remote/tree" "$remote/copy"
    same_trees "$way: 10,000 files, same" "$remote/tree" "$remote/copy"
    works "$way: rm -r of 10,000 files" remove "$remote/copy"
    check "$way: 10,000 files are gone" 1 "$(test -e "$remote/copy"; echo $?)"
    rm -rf "$remote/tree"
}

# --- OpenSSH ---
peers=" ${SFTP_FILES_PEERS:-openssh lanyard ssh2} "
asked_for() { case $peers in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
if ! asked_for openssh; then :; elif [ -x "$sshd" ]; then
    chmod 755 "$dir"
    start_sshd openssh "HostKey $dir/host_ed25519" "AuthorizedKeysFile $dir/authorized_keys" \
        'Subsystem sftp /usr/lib/openssh/sftp-server'
    write_ssh_config
    sed -i "s/User .*/User $user/" "$dir/ssh_config"
    everything openssh "$dir/remote" "$dir/remote"
    large openssh
    SFTP_SERVER=/usr/lib/openssh/sftp-server works "openssh: sftp-server as a command" size "$dir/remote/middle"
    SFTP_SERVER=nonsense refused "openssh: no such subsystem" 'refused the subsystem "nonsense"' size "$dir/remote/middle"
    SFTP_SERVER="/bin/sh -c 'echo out of paper >&2; exit 3'" refused "openssh: what the server said last" \
        "did not start, exit status 3 (out of paper)" size x
    SFTP_SERVER="/bin/echo a greeting" refused "openssh: a shell's start file prints" "start file" size x
    end_process "$sshd_pid"
else
    echo "left out openssh: sshd is not installed"
fi

# --- our own ---
if asked_for lanyard; then
    rm -rf "$dir/remote" && mkdir "$dir/remote"
    start_server -h "$dir/host_ed25519" -k "$dir/authorized_keys"
    write_ssh_config
    everything lanyard "$dir/remote" "$dir/remote"
    large lanyard
    stop_server lanyard
fi

# --- npm ssh2 ---
if ! asked_for ssh2; then :; elif command -v node >/dev/null && [ -d "$ssh2" ]; then
    head -c 300001 "$dir/big" >"$dir/middle" # it is slow, and asked very often
    rm -rf "$dir/remote" && mkdir "$dir/remote"
    node "$here/sftp-ssh2.js" "$ssh2" "$dir/host_ed25519" "$dir/remote" >"$dir/out2" 2>"$dir/log" &
    ssh2_pid=$!
    pids[ssh2_pid]=1
    wait_for 20 grep -q '^listening on' "$dir/out2"
    port=$(sed -n 's/^listening on .*://p' "$dir/out2")
    write_ssh_config
    for kind in plain short late; do
        rm -rf "$dir/remote" && mkdir "$dir/remote"
        everything "ssh2, $kind" "/$kind" "$dir/remote"
    done
    rm -f "$dir/back/middle"
    lost='Connection lost\|closed the connection\|connection broke'
    refused "ssh2: it dies under a get" "$lost" -c 20000 get /die/middle "$dir/back/middle"
    refused "ssh2: it dies under a put" "$lost" -c 20000 put "$dir/middle" /die/other
    refused "ssh2: it dies under a reader" "$lost" read /die/middle
    refused "ssh2: it dies under a copy" "$lost" copy /die/middle /die/more
    end_process "$ssh2_pid"
else
    echo "left out npm ssh2: node or $ssh2 is missing (tests/install-packages)"
fi
finish
