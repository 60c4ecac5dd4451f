#!/usr/bin/env bash
# mount.sh BUILDDIR [CASE...]: lanyardfs of a build directory mounts real servers; prints "ok NAME" or "not ok NAME: why". Every case
# (case_NAME in cases-*.sh) runs in a process of its own with a time limit, and what it leaves behind is taken away.
# LANYARDFS=PROGRAM tests another program, KEEP=1 keeps the folder with the logs, TIMES=1 says how long each case took.
set -u
. "$(dirname "$0")/common.sh"

if [ "${1:-}" = --case ]; then
    case=$2
    dir=$work srv=$work/srv.$case mnt=$work/mnt.$case
    for file in "$here"/cases-*.sh; do . "$file"; done
    set -eE -o pipefail
    trap 'echo "failed at: $BASH_COMMAND (line $LINENO of ${BASH_SOURCE[0]##*/})"' ERR
    # Servers of this case alone are its background jobs. What was stopped has to go on before it can end.
    end_jobs() {
        local job child
        trap - ERR
        set +e
        for job in $(jobs -p); do
            for child in $(descendants "$job") "$job"; do kill -CONT "$child" 2>/dev/null; kill "$child" 2>/dev/null; done
        done
        true
    }
    trap end_jobs EXIT
    mkdir -p "$srv" "$mnt"
    cd "$work"
    "case_$case"
    exit 0
fi

[ -c /dev/fuse ] || { echo "SKIP: /dev/fuse is missing, nothing can be mounted here"; exit 77; }
for tool in "$sshd" fusermount3 ssh-keygen python3; do
    command -v "$tool" >/dev/null || { echo "not ok mount: $tool is missing (tests/run installs it)"; exit 1; }
done
begin "$1"
shift
lanyardfs=${LANYARDFS:-$build/fs/lanyardfs}
[ -x "$lanyardfs" ] || { echo "not ok mount: $lanyardfs was not built"; exit 1; }
work=$dir
export build lanyardfs work

# What is mounted below $work, and who serves it.
sweep() {
    local mount process
    for mount in $(awk -v work="$work/" 'index($2, work) == 1 { print $2 }' /proc/self/mounts); do
        timeout -k 2 10 fusermount3 -uz "$mount" 2>/dev/null || umount -l "$mount"
    done
    for process in $(for mount in "$work"/mnt.*; do servers_of "$mount"; done); do
        kill "$process" 2>/dev/null
        wait_for 3 gone "$process" || kill -9 "$process" 2>/dev/null
    done
}
at_end() { sweep; }

# Keys, one server of OpenSSH for most cases, and an ssh_config that knows it as "server".
for key in host_key other_host_key id stranger; do key ed25519 $key || exit 1; done
cp "$work/id.pub" "$work/authorized_keys"
case=main
start_case_sshd
export sshd_port=$port
main_sshd=$sshd_pid
cat >"$work/ssh_config" <<END
Host server
    Port $sshd_port
Host server one
    HostName 127.0.0.1
    HostKeyAlias lanyard-sshd
Host *
    User $user
    UserKnownHostsFile $work/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    IdentityFile $work/id
    IdentitiesOnly yes
    IdentityAgent none
    BatchMode yes
    ConnectTimeout 20
END
echo "lanyard-sshd $(cut -d' ' -f1,2 "$work/host_key.pub")" >"$work/known_hosts"

if [ $# -gt 0 ]; then
    cases=("$@")
else
    mapfile -t cases < <(sed -n 's/^case_\([a-z0-9_]*\)().*/\1/p' "$here"/cases-*.sh)
fi
[ ${#cases[@]} -gt 0 ] || { echo "not ok mount: no cases"; exit 1; }

for case in "${cases[@]}"; do
    log=$work/log.$case
    export ASAN_OPTIONS=detect_leaks=1:halt_on_error=1:abort_on_error=0:exitcode=99:log_path=$work/sanitizer.$case
    export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:exitcode=99:log_path=$work/sanitizer.$case
    begin=$EPOCHSECONDS
    status=0
    timeout -k 10 150 bash "$0" --case "$case" >"$log" 2>&1 || status=$?
    why=
    if [ $status = 77 ]; then
        echo "ok $case # skip $(tail -1 "$log")"
        continue
    elif [ $status = 124 ] || [ $status = 137 ]; then
        why="took more than 150 s"
    elif [ $status != 0 ]; then
        why=$(grep -v '^failed at: ' "$log" | tail -1)
        why=${why:-$(tail -1 "$log")}
    elif is_mounted "$work/mnt.$case"; then
        why="left a mount behind"
    fi
    sweep
    if compgen -G "$work/sanitizer.$case.*" >/dev/null; then
        why="a sanitizer complained: $(grep -h ^SUMMARY "$work/sanitizer.$case".* | head -1)${why:+; $why}"
        grep -hE -A 14 'ERROR: |runtime error: ' "$work/sanitizer.$case".* | head -60 >>"$log"
        grep -h '^SUMMARY' "$work/sanitizer.$case".* >>"$log"
    fi
    if [ -n "$why" ]; then
        tail -60 "$log" | sed 's/^/# /'
        not_ok "$case" "$why"
    else
        ok "$case"
    fi
    [ -n "${TIMES:-}" ] && echo "# $case: $((EPOCHSECONDS - begin)) s"
    rm -rf --one-file-system "$work/srv.$case"
    # A server that a case brought down is no excuse for the next.
    kill -0 "$main_sshd" 2>/dev/null || { echo "not ok mount: sshd is gone after $case"; exit 1; }
done
finish
