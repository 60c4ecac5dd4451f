# What the shell tests share. A test sources this, says what it needs, and begins:
#     . "$(dirname "$0")/../lib.sh"
#     need ssh ssh-keygen
#     begin "$1"
# It prints "ok NAME" or "not ok NAME: why" for each case and ends with finish. KEEP=1 keeps the directory.

here=$(cd "$(dirname "$0")" && pwd)
sshd=$(command -v sshd || echo /usr/sbin/sshd)
user=$(id -un)
failures=0
pids=() # its indices are the processes that are stopped at the end

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
    done
}

# begin BUILD: sets $build and $dir, a directory that goes at the end together with what is in $pids; nothing of the caller's environment
# counts. A function at_end runs before.
begin() {
    build=$(cd "$1" && pwd) || exit 1
    dir=$(mktemp -d) || exit 1
    trap cleanup EXIT
    trap 'exit 1' INT TERM
    unset SSH_AUTH_SOCK SSH_AGENT_PID SSH_ASKPASS SSH_ASKPASS_REQUIRE DISPLAY WAYLAND_DISPLAY
    export SHELL=/bin/sh HOME=$dir/home
    export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
    export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:exitcode=99
    mkdir -p "$HOME/.ssh"
    [ "$(id -u)" != 0 ] || mkdir -p /run/sshd # sshd's privilege separation wants it
}
# (A process that is killed before it became the program that it was forked for still has the traps of the test.)
cleanup() {
    local pid
    [ "$BASHPID" = "$$" ] || return
    cd /
    ! declare -F at_end >/dev/null || at_end
    for pid in "${!pids[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${!pids[@]}"; do wait "$pid" 2>/dev/null; done
    if [ -n "${KEEP:-}" ]; then echo "# kept: $dir"; else rm -rf --one-file-system "$dir"; fi
}
finish() {
    [ "$failures" = 0 ] || echo "# $failures failed"
    exit $((failures > 0))
}

ok() { echo "ok $1"; }
not_ok() {
    echo "not ok $1: $2"
    failures=$((failures + 1))
}
# check NAME EXPECTED GOT
check() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected '$2', got '$3'"; fi; }
# contains NAME PART WHOLE
contains() { if [[ $3 == *"$2"* ]]; then ok "$1"; else not_ok "$1" "'$2' is not in '$3'"; fi; }
# succeeds NAME COMMAND...: the command may say in $why what is wrong, else it is what it prints, which $dir/said keeps.
succeeds() {
    local name=$1
    shift
    why=
    if "$@" >"$dir/said" 2>&1 </dev/null; then
        ok "$name"
    else
        not_ok "$name" "$* ended with $?: ${why:-$(tail -c 300 "$dir/said" | tr '\n' '|')}"
    fi
}
# fails NAME COMMAND...
fails() {
    local name=$1
    shift
    if "$@" >"$dir/said" 2>&1 </dev/null; then not_ok "$name" "it succeeds: $(head -c 300 "$dir/said")"; else ok "$name"; fi
}
# same_file FILE FILE, for succeeds
same_file() {
    cmp -s "$1" "$2" && return
    why="they differ: $(diff "$1" "$2" | head -n 6 | tr '\n' '|')"
    return 1
}

# key TYPE NAME [ARGUMENT...]: a key without a passphrase, its comment is its name.
key() { ssh-keygen -q -t "$1" -N '' -C "$2" -f "$dir/$2" "${@:3}" 2>>"$dir/log_keygen"; }
# known_line PORT KEY: a line of known_hosts
known_line() { echo "[127.0.0.1]:$1 $(cut -d' ' -f1,2 "$dir/$2.pub")"; }

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
    local rounds=$(($1 * 20))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $((rounds--)) -gt 0 ] || return 1
        sleep 0.05
    done
}
gone_or() { gone "$1" || "${@:2}"; } # PID COMMAND...
gone() { ! kill -0 "$1" 2>/dev/null || [ "$(ps -o stat= -p "$1" 2>/dev/null | cut -c1)" = Z ]; }
# end_process PID: of a child of this shell; its status
end_process() {
    kill "$1"
    unset "pids[$1]"
    wait "$1" 2>/dev/null
}
no_sanitizer_in() { ! grep -h -A30 'Sanitizer\|runtime error' "$@"; }

# Below the ports that the kernel gives to who connects.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        port_answers "$port" || { echo $port; return; }
    done
}
port_answers() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start_at_port NAME LISTENS COMMAND...: the command leaves a server in the background that is to listen at $port and writes to
# $dir/log_NAME; "LISTENS NAME" tells that it does. Three ports are tried: another test may take one. Sets $port and $port_NAME.
start_at_port() {
    local round
    for round in 1 2 3; do
        port=$(free_port)
        : >"$dir/log_$1" # not when the background gets to it: what an earlier one said is not this one's
        "${@:3}"
        pids[$!]=$round
        wait_for 10 gone_or $! "$2" "$1" || true
        if ! gone $! && "$2" "$1"; then
            printf -v "port_$1" %s "$port"
            return
        fi
    done
    echo "not ok start-$1: $(tail -n 3 "$dir/log_$1" | tr '\n' ' ')"
    exit 1
}
# start_sshd NAME LINE...: OpenSSH's sshd with these lines of sshd_config before what suits every test, for the first value wins.
# Sets $sshd_pid too.
start_sshd() { start_at_port "$1" sshd_listens run_sshd "$@"; }
sshd_listens() { grep -q '^Server listening on' "$dir/log_$1"; }
run_sshd() { # NAME [LINE...]: without lines, with the configuration that it had
    [ $# = 1 ] || printf '%s\n' "Port $port" "${@:2}" 'ListenAddress 127.0.0.1' 'StrictModes no' 'UsePAM no' 'PidFile none' \
        'PasswordAuthentication no' 'KbdInteractiveAuthentication no' 'PermitRootLogin yes' 'MaxStartups 200' 'LogLevel VERBOSE' \
        >"$dir/sshd_$1"
    : >"$dir/log_$1"
    "$sshd" -D -e -f "$dir/sshd_$1" >"$dir/log_$1" 2>&1 &
    sshd_pid=$!
}

# start_server [ARGUMENT...]: core/examples/sshd (or $server_program), at a port of its choice unless -p names one. Sets $server and
# $port; it writes to $dir/out and $dir/log.
start_server() {
    : >"$dir/out"
    : >"$dir/log"
    "${server_program:-$build/core/examples/sshd}" -b 127.0.0.1 -p 0 "$@" >"$dir/out" 2>>"$dir/log" &
    server=$!
    pids[server]=1
    wait_for 10 gone_or "$server" grep -q '^listening on' "$dir/out" || true
    port=$(sed -n 's/^listening on .*://p' "$dir/out")
    [ -n "$port" ] || { echo "not ok start: $(cat "$dir/log")"; exit 1; }
}
# stop_server NAME: SIGTERM must end it with status 0, without a sanitizer's report.
stop_server() {
    local status=0
    end_process "$server" || status=$?
    if [ $status = 0 ] && no_sanitizer_in "$dir/log" >"$dir/said"; then
        ok "$1: ends at SIGTERM"
    else
        not_ok "$1: ends at SIGTERM" "status $status: $(head -n 40 "$dir/said")"
    fi
}

# One of several servers at a time: "start_server_in NAME [ARGUMENT...]" has its files in $dir/NAME, and sets $port_NAME; then
# "stop_server_in NAME".
start_server_in() {
    local name=$1
    mkdir -p "$dir/$name"
    dir=$dir/$name start_server "${@:2}"
    printf -v "port_$name" %s "$port"
    printf -v "server_$name" %s "$server"
}
stop_server_in() {
    local pid=server_$1
    server=${!pid} dir=$dir/$1 stop_server "$1"
}

# start_ssh_agent SOCKET: OpenSSH's. Sets $ssh_agent.
start_ssh_agent() {
    ssh-agent -D -a "$1" >"$dir/agent.log" 2>&1 &
    ssh_agent=$!
    pids[ssh_agent]=1
    wait_for 5 test -S "$1" || { echo "not ok start-ssh-agent: $(cat "$dir/agent.log")"; exit 1; }
}
