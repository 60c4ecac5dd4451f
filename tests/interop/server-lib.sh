# For tests/interop/server*.sh: a directory of their own, keys, core/examples/sshd on a free port, and "ok" lines.
# Sourced with the build directory as $1.

build=$(cd "$1" && pwd)
sshd=$build/core/examples/sshd
dir=$(mktemp -d)
server=
failures=0
export SHELL=/bin/sh HOME="$dir/home"
export ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:exitcode=99
mkdir -p "$HOME/.ssh"
unset SSH_AUTH_SOCK DISPLAY WAYLAND_DISPLAY SSH_ASKPASS

cleanup() {
    if [ -d "$dir/mount" ]; then fusermount3 -u -z "$dir/mount" 2>/dev/null; fi
    if [ -n "$server" ]; then kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; fi
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

ok() { echo "ok $1"; }
not_ok() {
    echo "not ok $1: $2"
    failures=$((failures + 1))
}
# check NAME EXPECTED GOT
check() {
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected '$2', got '$3'"; fi
}
need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
    done
}

# start_server [ARGUMENT...]: sets $port; the log is $dir/log.
start_server() {
    : >"$dir/out"
    "$sshd" -p 0 "$@" >"$dir/out" 2>"$dir/log" &
    server=$!
    for _ in $(seq 200); do
        port=$(sed -n 's/^listening on .*://p' "$dir/out")
        [ -n "$port" ] && return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    echo "not ok start: $(cat "$dir/log")"
    exit 1
}
# stop_server NAME: SIGTERM must end it with status 0, without a sanitizer's report.
stop_server() {
    kill "$server"
    wait "$server"
    local status=$?
    server=
    if [ $status = 0 ] && ! grep -q 'Sanitizer\|runtime error' "$dir/log"; then
        ok "$1: ends at SIGTERM"
    else
        not_ok "$1: ends at SIGTERM" "status $status: $(grep -A20 'Sanitizer\|runtime error' "$dir/log" | head -40)"
    fi
}

# Options for ssh, sftp, scp, sshfs: nothing of the machine's configuration counts.
write_ssh_config() {
    cat >"$dir/ssh_config" <<EOF
Host server
    HostName 127.0.0.1
    Port $port
    User somebody
    IdentityFile $dir/id_ed25519
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile $dir/known_hosts
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
    PreferredAuthentications publickey
    LogLevel ERROR
    BatchMode yes
    ConnectTimeout 20
EOF
    : >"$dir/known_hosts"
    for key in "$dir"/host_*.pub; do
        case $key in *-cert.pub) continue ;; esac
        echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$key")" >>"$dir/known_hosts"
    done
}
run_ssh() { timeout 60 ssh -F "$dir/ssh_config" "$@"; }

make_keys() {
    ssh-keygen -q -t ed25519 -N '' -C host -f "$dir/host_ed25519"
    ssh-keygen -q -t ecdsa -b 256 -N '' -C host -f "$dir/host_ecdsa256"
    ssh-keygen -q -t ecdsa -b 384 -N '' -C host -f "$dir/host_ecdsa384"
    ssh-keygen -q -t ecdsa -b 521 -N '' -C host -f "$dir/host_ecdsa521"
    ssh-keygen -q -t rsa -b 2048 -N '' -C host -f "$dir/host_rsa"
    ssh-keygen -q -t ed25519 -N '' -C user -f "$dir/id_ed25519"
    cp "$dir/id_ed25519.pub" "$dir/authorized_keys"
}

finish() {
    if [ "$failures" -gt 0 ]; then
        echo "$failures failed"
        exit 1
    fi
    exit 0
}
