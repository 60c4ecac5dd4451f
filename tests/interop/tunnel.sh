#!/usr/bin/env bash
# tunnel.sh BUILDDIR: HTTP and HTTPS with libcurl through a tunnel's Unix socket and OpenSSH's sshd.
set -u
. "$(dirname "$0")/../lib.sh"
need "$sshd" ssh-keygen openssl /usr/bin/python3
begin "$1"
client=$build/tests/interop/forward-client
fetch=$build/tests/interop/tunnel-curl

key ed25519 host
key ed25519 id
cp "$dir/id.pub" "$dir/authorized"
start_sshd all "AuthorizedKeysFile $dir/authorized" "HostKey $dir/host"
known_line "$port_all" host >"$dir/known"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=web.test -addext subjectAltName=DNS:web.test \
    -keyout "$dir/tls.key" -out "$dir/tls.crt" 2>"$dir/log_openssl"
cat "$dir/tls.key" "$dir/tls.crt" >"$dir/tls.pem"

# start_web NAME [PEM]: sets $web; says what happens in $dir/web_NAME
start_web() {
    /usr/bin/python3 "$here/http-server.py" "${@:2}" >"$dir/web_$1" 2>"$dir/log_web_$1" &
    pids[$!]=1
    wait_for 10 grep -q ^port "$dir/web_$1"
    web=$(sed -n 's/^port //p' "$dir/web_$1")
}
connections() { grep -c ^connection "$dir/web_$1"; }
# start_client NAME ARGUMENT...: with -T last; sets $pid and $socket
start_client() {
    "$client" -p "$port_all" -i "$dir/id" -o "UserKnownHostsFile=$dir/known" -o GlobalKnownHostsFile=none -o IdentityAgent=none \
        -o BatchMode=yes "${@:2}" 127.0.0.1 >"$dir/out_$1" 2>"$dir/err_$1" </dev/null &
    pid=$!
    pids[pid]=1
    wait_for 15 gone_or $pid grep -q '^ready' "$dir/out_$1"
    socket=$(sed -n 's/^listening -T //p' "$dir/out_$1")
}
counts() { # NAME: what the client counted
    local before
    before=$(grep -c ^counts "$dir/out_$1")
    kill -USR1 "$pid"
    wait_for 5 more_counts "$1" "$before"
    grep ^counts "$dir/out_$1" | tail -n 1
}
more_counts() { [ "$(grep -c ^counts "$dir/out_$1")" -gt "$2" ]; }
stop_client() {
    local status=0
    end_process "$pid" || status=$?
    check "$1: ends at SIGTERM" 0 "$status"
    succeeds "$1: no sanitizer's report" no_sanitizer_in "$dir/err_$1"
    check "$1: its socket and directory are gone" '' "$(ls -d "$(dirname "$socket")" 2>/dev/null)"
}
get() { "$fetch" "$@" 2>&1 | LC_ALL=C sort | uniq -c | sed 's/^ *//' | tr '\n' '|'; }

start_web plain
start_client http -T "127.0.0.1:$web"
check 'http: the directory is private' 700 "$(stat -c %a "$(dirname "$socket")")"
check 'http: 10 requests over one connection' '10 200 1000|1 connections 1|' "$(get "$socket" http://web.test/1000 10 1)"
check 'http: ... as the server sees it' 1 "$(connections plain)"
contains 'http: ... and the tunnel' 'opened 1 ' "$(counts http)"
check 'http: 20 MB' '1 200 20000000|1 connections 1|' "$(get "$socket" http://web.test/20000000 1 1)"
stop_client http

start_web tls "$dir/tls.pem"
start_client https -T "localhost:$web"
check 'https: 10 requests over one connection' '10 200 1000|1 connections 1|' "$(get "$socket" https://web.test/1000 10 1 "$dir/tls.crt")"
check 'https: ... as the server sees it' 1 "$(connections tls)"
check 'https: 20 MB' '1 200 20000000|1 connections 1|' "$(get "$socket" https://web.test/20000000 1 1 "$dir/tls.crt")"
contains 'https: the certificate counts' 'error: ' "$(get "$socket" https://other.test/1000 1 1 "$dir/tls.crt")"
stop_client https

start_web many
start_client many -m 4 -T "127.0.0.1:$web"
contains 'max_sockets: 12 at once over 4' '12 200 4|' "$(get "$socket" http://web.test/wait/0.3 12 12)"
check 'max_sockets: as the server sees it' 'at once 4' "$(grep '^at once' "$dir/web_many" | tail -n 1)"
contains 'max_sockets: nothing is left' 'open 0 idle 0 waiting 0' "$(counts many)"
stop_client many

# its idle time is 2 s: a silent connection whose answer came is closed, one that still waits for it is not
start_web idle
start_client idle -T "127.0.0.1:$web"
/usr/bin/python3 - "$socket" >"$dir/idle" 2>&1 <<'END' &
import socket, sys, time
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
peer.settimeout(30)
peer.sendall(b"GET /wait/5 HTTP/1.1\r\nHost: x\r\n\r\n")
answer = b""
while not answer.endswith(b"late"):
    piece = peer.recv(4096)
    if not piece:
        break
    answer += piece
print("answered" if answer.endswith(b"late") else "cut off", flush=True)
print("closed" if peer.recv(1) == b"" else "not closed", flush=True)
END
silent=$!
pids[silent]=1
wait_for 30 gone $silent
check 'idle: the answer is waited for, then it is closed' 'answered closed ' "$(tr '\n' ' ' <"$dir/idle")"
wait_for 5 grep -q ^closed "$dir/web_idle"
contains 'idle: nothing is left' 'open 0 ' "$(counts idle)"
stop_client idle

# nobody listens there: the connection is closed, and the sentence is in the log
start_client nobody -T 127.0.0.1:1
contains 'nobody listens there' 'error: ' "$(get "$socket" http://web.test/1 1 1)"
stop_client nobody
finish
