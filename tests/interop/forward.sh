#!/usr/bin/env bash
# forward.sh BUILDDIR: -L, -D, -R and X11 of the library's client against OpenSSH's sshd, curl and Xvfb.
set -u
. "$(dirname "$0")/../lib.sh"
need "$sshd" ssh-keygen curl Xvfb xdpyinfo xauth /usr/bin/python3
begin "$1"
client=$build/tests/interop/forward-client
python=/usr/bin/python3
peer="$python $here/forward_peer.py"

key ed25519 host
key ed25519 id
cp "$dir/id.pub" "$dir/authorized"
common=("AuthorizedKeysFile $dir/authorized" "HostKey $dir/host" "XAuthLocation $(command -v xauth)")
start_sshd all "${common[@]}" 'GatewayPorts clientspecified' 'X11Forwarding yes' 'X11UseLocalhost yes' 'StreamLocalBindUnlink yes'
pid_all=$sshd_pid
start_sshd some "${common[@]}" 'PermitOpen 127.0.0.1:1' 'PermitListen 127.0.0.1:1' 'AllowStreamLocalForwarding no'
known_line "$port_all" host >"$dir/known"
known_line "$port_some" host >>"$dir/known"

# start_client NAME PORT ARGUMENT...: waits until it is ready and has said where it listens. Sets $pid; says on $dir/out_NAME, $dir/err_NAME.
start_client() {
    local remote
    remote=$(printf '%s\n' "${@:3}" | grep -c -e '^-R$')
    "$client" -p "$2" -i "$dir/id" -o "UserKnownHostsFile=$dir/known" -o GlobalKnownHostsFile=none -o IdentityAgent=none \
        -o BatchMode=yes "${@:3}" 127.0.0.1 >"$dir/out_$1" 2>"$dir/err_$1" </dev/null &
    pid=$!
    pids[pid]=1
    wait_for 15 gone_or $pid grep -q '^ready' "$dir/out_$1"
    wait_for 5 gone_or $pid said_lines "$dir/out_$1" '^listening -R' "$remote" || true
}
said_lines() { [ "$(grep -c -e "$2" "$1")" -ge "$3" ]; }
# where NAME OPTION [NUMBER]: the port or path that it said it listens on
where() { sed -n "s|^listening $2 ||p" "$dir/out_$1" | sed -n "${3:-1}p"; }
# stop_client NAME: SIGTERM ends it in order, without a sanitizer's report
stop_client() {
    local status=0
    end_process "$pid" || status=$?
    check "$1: ends at SIGTERM" 0 "$status"
    succeeds "$1: no sanitizer's report" no_sanitizer_in "$dir/err_$1"
}
start_echo() { # FILE WHERE
    $peer echo "$2" >"$1" 2>>"$dir/log_echo" &
    pids[$!]=1
}

start_echo "$dir/echo_port" tcp:127.0.0.1:0
start_echo /dev/null "unix:$dir/echo.sock"
wait_for 10 test -s "$dir/echo_port"
echo_port=$(cat "$dir/echo_port")
wait_for 10 test -S "$dir/echo.sock"
mkdir "$dir/www"
head -c 3000000 /dev/urandom >"$dir/www/file"
$python -u -m http.server --bind 127.0.0.1 --directory "$dir/www" 0 >"$dir/http" 2>&1 &
pids[$!]=1
wait_for 10 grep -q 'port ' "$dir/http"
http=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$dir/http" | head -n 1)

# --- -L
start_client local "$port_all" -L "0:127.0.0.1:$echo_port" -L "$dir/local.sock:127.0.0.1:$echo_port" -L "127.0.0.1:0:$dir/echo.sock" \
    -L "$dir/both.sock:$dir/echo.sock" -L "0:127.0.0.1:1" -L "0:$dir/nothing.sock"
port_l=$(where local -L 1)
check 'local: 10 MiB each way, then end of file' same "$($peer send "tcp:127.0.0.1:$port_l" 10485760)"
check 'local: from a Unix socket' same "$($peer send "unix:$dir/local.sock" 1000000)"
check 'local: its mode' 600 "$(stat -c %a "$dir/local.sock")"
check 'local: to a Unix socket' same "$($peer send "tcp:127.0.0.1:$(where local -L 3)" 1000000)"
check 'local: from one to another' same "$($peer send "unix:$dir/both.sock" 10485760)"
check 'local: 200 connections at once' 200 "$($peer many "tcp:127.0.0.1:$port_l" 200)"
check 'local: nobody listens there' no "$($peer opens "tcp:127.0.0.1:$(where local -L 5)")"
contains 'local: ... and the sentence' 'failed: cannot reach 127.0.0.1 port 1 from the server: connecting failed there' "$(cat "$dir/err_local")"
check 'local: no such socket there' no "$($peer opens "tcp:127.0.0.1:$(where local -L 6)")"
contains 'local: ... and its sentence' "failed: cannot reach $dir/nothing.sock from the server" "$(cat "$dir/err_local")"
sleep 0.2
kill -USR1 "$pid"
wait_for 5 grep -q ^counts "$dir/out_local"
check 'local: no connection is left' 'counts connections 0' "$(sed -n 's/^\(counts connections [0-9]*\).*/\1/p' "$dir/out_local")"
stop_client local
check 'local: its socket is removed' '' "$(ls "$dir" | grep 'local.sock\|both.sock')"

# --- -D
start_client dynamic "$port_all" -D 0
port_d=$(where dynamic -D)
get() { curl -s -S --max-time 30 -o "$dir/got" "$@" && same_file "$dir/www/file" "$dir/got"; }
for how in socks4 socks4a socks5 socks5-hostname; do
    succeeds "dynamic: curl --$how" get --$how "127.0.0.1:$port_d" "http://127.0.0.1:$http/file"
done
succeeds 'dynamic: a name is resolved there' get --socks5-hostname "127.0.0.1:$port_d" "http://localhost:$http/file"
succeeds 'dynamic: ... with 4a' get --socks4a "127.0.0.1:$port_d" "http://localhost:$http/file"
fails 'dynamic: nobody listens there' get --socks5-hostname "127.0.0.1:$port_d" "http://127.0.0.1:1/file"
contains 'dynamic: ... and curl is told' "connection to 127.0.0.1" "$(cat "$dir/said")"
check 'dynamic: 10 MiB each way' same "$($peer send "socks:$port_d:127.0.0.1:$echo_port" 10485760)"
check 'dynamic: 200 connections at once' 200 "$($peer many "socks:$port_d:127.0.0.1:$echo_port" 200)"
succeeds 'dynamic: something else than SOCKS is closed' bash -c "echo GET / HTTP/1.0 | timeout 10 curl -s telnet://127.0.0.1:$port_d || true"
stop_client dynamic
start_client password "$port_all" -u alice:secret -D 127.0.0.1:0
port_d=$(where password -D)
succeeds 'password: right' get --socks5-hostname "alice:secret@127.0.0.1:$port_d" "http://127.0.0.1:$http/file"
fails 'password: wrong' get --socks5-hostname "alice:public@127.0.0.1:$port_d" "http://127.0.0.1:$http/file"
fails 'password: none' get --socks5-hostname "127.0.0.1:$port_d" "http://127.0.0.1:$http/file"
fails 'password: SOCKS 4' get --socks4a "127.0.0.1:$port_d" "http://127.0.0.1:$http/file"
contains 'password: said' "failed: SOCKS: a wrong user's name or password" "$(cat "$dir/err_password")"
stop_client password

# --- -R
start_client remote "$port_all" -R "0:127.0.0.1:$echo_port" -R "$dir/remote.sock:$dir/echo.sock" -R "127.0.0.1:0:$dir/echo.sock" -R 0 \
    -R '0:127.0.0.1:1'
port_r=$(where remote -R 1)
check 'remote: 10 MiB each way' same "$($peer send "tcp:127.0.0.1:$port_r" 10485760)"
check 'remote: between Unix sockets' same "$($peer send "unix:$dir/remote.sock" 10485760)"
check 'remote: to a Unix socket' same "$($peer send "tcp:127.0.0.1:$(where remote -R 3)" 1000000)"
check 'remote: 200 connections at once' 200 "$($peer many "tcp:127.0.0.1:$port_r" 200)"
check 'remote: a SOCKS proxy there' same "$($peer send "socks:$(where remote -R 4):localhost:$echo_port" 10485760)"
check 'remote: nobody listens here' no "$($peer opens "tcp:127.0.0.1:$(where remote -R 5)")"
contains 'remote: ... and the sentence' 'failed: cannot connect to 127.0.0.1 port 1' "$(cat "$dir/err_remote")"
stop_client remote
check 'remote: not listened on any more' no "$($peer opens "tcp:127.0.0.1:$port_r")"

# --- what the server does not allow
start_client refused "$port_some" -L "0:127.0.0.1:$echo_port" -R "127.0.0.1:0:127.0.0.1:$echo_port" -L "0:$dir/echo.sock"
check 'refused: PermitOpen' no "$($peer opens "tcp:127.0.0.1:$(where refused -L 1)")"
contains 'refused: ... and the sentence' "failed: cannot reach 127.0.0.1 port $echo_port from the server: the server does not allow it" \
    "$(cat "$dir/err_refused")"
contains 'refused: PermitListen' 'fatal: the server refused to listen on 127.0.0.1 port 0' "$(cat "$dir/err_refused")"
check 'refused: Unix sockets' no "$($peer opens "tcp:127.0.0.1:$(where refused -L 2)")"
stop_client refused
start_client taken "$port_all" -L "$echo_port:127.0.0.1:1"
wait_for 5 gone "$pid"
contains 'taken: a port in use' "cannot start: cannot listen on localhost port $echo_port: Address already in use" "$(cat "$dir/err_taken")"

# --- a limit
start_client limit "$port_all" -m 2 -L "0:127.0.0.1:$echo_port"
exec 7<>"/dev/tcp/127.0.0.1/$(where limit -L)" 8<>"/dev/tcp/127.0.0.1/$(where limit -L)"
check 'limit: a third is closed' no "$($peer opens "tcp:127.0.0.1:$(where limit -L)")"
exec 7>&-
wait_for 5 test yes = "$($peer opens "tcp:127.0.0.1:$(where limit -L)")"
check 'limit: another in place of one that went' yes "$($peer opens "tcp:127.0.0.1:$(where limit -L)")"
exec 8>&-
contains 'limit: said' 'failed: a connection was closed at once: 2 are open already' "$(cat "$dir/err_limit")"
stop_client limit

# --- X11
Xvfb -displayfd 3 -auth "$dir/server-auth" -nolisten tcp -screen 0 320x200x8 3>"$dir/display" 2>"$dir/log_xvfb" &
pids[$!]=1
wait_for 10 test -s "$dir/display"
number=$(cat "$dir/display")
cookie=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
xauth -q -f "$dir/server-auth" add ":$number" MIT-MAGIC-COOKIE-1 "$cookie" 2>/dev/null
kill -HUP $! 2>/dev/null # reads it anew when its last client goes; and at once
cp "$dir/server-auth" "$dir/client-auth"
wait_for 5 env XAUTHORITY="$dir/client-auth" xdpyinfo -display ":$number"
check 'x11: the display wants its cookie' 1 "$(XAUTHORITY=/dev/null xdpyinfo -display ":$number" >/dev/null 2>&1; echo $?)"
x11() { # FILE COMMAND
    DISPLAY=:$number timeout 60 "$client" -p "$port_all" -i "$dir/id" -o "UserKnownHostsFile=$dir/known" -o GlobalKnownHostsFile=none \
        -o IdentityAgent=none -o BatchMode=yes -a "$1" -X "$2" 127.0.0.1 2>&1 </dev/null
}
got=$(x11 "$dir/client-auth" 'xdpyinfo; echo "display $DISPLAY"')
contains 'x11: xdpyinfo' '320x200 pixels' "$got"
contains 'x11: over the server' 'display localhost:1' "$got"
contains 'x11: many in one session' 'all 8' \
    "$(x11 "$dir/client-auth" 'for i in 1 2 3 4 5 6 7 8; do xdpyinfo >/tmp/x11.$$.$i & done; wait; echo all $(grep -l 320x200 /tmp/x11.$$.* | wc -l); rm -f /tmp/x11.$$.*')"
got=$(x11 "$dir/client-auth" 'xauth -q list "$DISPLAY" | { read -r name kind cookie; echo "$cookie"; }')
check 'x11: the cookie there is made up' 1 "$(grep -v "$cookie" <<<"$got" | grep -c '^[0-9a-f]\{32\}$')"
got=$(x11 "$dir/client-auth" 'xauth -q add "$DISPLAY" MIT-MAGIC-COOKIE-1 00112233445566778899aabbccddeeff; xdpyinfo')
contains 'x11: a wrong cookie is refused' 'X11 forwarding: the cookie is wrong.' "$got"
contains 'x11: without an authority file the display refuses' 'unable to open display' "$(x11 /dev/null xdpyinfo)"

# --- the server dies in the midst: every connection ends, and so does the client
start_client killed "$port_all" -L "0:127.0.0.1:$echo_port" -D 0 -R "0:127.0.0.1:$echo_port"
session=$(sed -n 's/.*Accepted publickey.*//p' "$dir/log_all" | wc -l)
($peer send "tcp:127.0.0.1:$(where killed -L)" 300000000 >"$dir/sent" 2>&1; echo "ended" >>"$dir/sent") &
pids[$!]=1
sleep 0.7
children=$(pgrep -P "$pid_all")
[ -n "$children" ] && kill -9 $(for child in $children; do pgrep -P "$child"; done) $children 2>/dev/null
wait_for 20 gone "$pid"
check 'killed: the client ends' yes "$(gone "$pid" && echo yes)"
contains 'killed: and says so' 'ended: ' "$(cat "$dir/err_killed")"
wait_for 20 grep -q ended "$dir/sent"
contains 'killed: the connection too' ended "$(cat "$dir/sent")"
check 'killed: it is not taken for whole' 0 "$(grep -c same "$dir/sent")"
succeeds "killed: no sanitizer's report" no_sanitizer_in "$dir/err_killed"
finish
