#!/usr/bin/env bash
# server-forward.sh BUILDDIR: what core/examples/sshd forwards, with OpenSSH's ssh as the client: -L -R -D -W, Unix sockets, -A, -X, and
# what authorized_keys allows of it.
set -u
. "$(dirname "$0")/server-lib.sh"
need ssh ssh-keygen ssh-agent ssh-add python3

make_keys
peer() { timeout 90 /usr/bin/python3 "$here/forward_peer.py" "$@" 2>>"$dir/peer.log"; }
server_arguments=(-h "$dir/host_ed25519" -k "$dir/authorized_keys")
all=(-o AllowTcpForwarding=yes -o AllowStreamLocalForwarding=yes -o AllowAgentForwarding=yes -o X11Forwarding=yes)
key_line=$(cat "$dir/id_ed25519.pub")
authorize() { printf '%s\n' "$@" >"$dir/authorized_keys"; }

# Who is at the other end: everything comes back.
/usr/bin/python3 "$here/forward_peer.py" echo tcp:127.0.0.1:0 >"$dir/echo.port" &
pids[$!]=1
/usr/bin/python3 "$here/forward_peer.py" echo "unix:$dir/echo.sock" &
pids[$!]=1
wait_for 10 test -s "$dir/echo.port"
wait_for 10 test -S "$dir/echo.sock"
echo_port=$(cat "$dir/echo.port")

# master ARGUMENT...: a connection in the background, driven by "run_ssh -O"; without forwards that fail.
master() {
    run_ssh -M -S "$dir/control" -f -N -o ExitOnForwardFailure=yes "$@" server 2>"$dir/err" </dev/null
}
order() { run_ssh -S "$dir/control" -O "$@" server 2>"$dir/err"; }
end_master() { order exit; wait_for 5 test ! -S "$dir/control"; }
is_closed() { ! port_answers "$1"; }

# --- nothing is forwarded unless asked ---
start_server "${server_arguments[@]}"
write_ssh_config
run_ssh -o LogLevel=INFO -W "127.0.0.1:$echo_port" server </dev/null 2>"$dir/err"
contains "off: -W" "administratively prohibited" "$(cat "$dir/err")"
run_ssh -o ExitOnForwardFailure=yes -R 0:127.0.0.1:1 server true 2>/dev/null
check "off: -R" 255 $?
check "off: -A" "" "$(run_ssh -o ForwardAgent=yes server 'echo $SSH_AUTH_SOCK')"
stop_server "off"

# --- TCP ---
start_server "${server_arguments[@]}" "${all[@]}" -v
write_ssh_config
check "-W" hello "$(echo hello | run_ssh -W "127.0.0.1:$echo_port" server)"
run_ssh -o LogLevel=INFO -W 127.0.0.1:1 server </dev/null 2>"$dir/err"
contains "-W to a closed port" "Connection refused" "$(cat "$dir/err")"
local_port=$(free_port)
master -L "$local_port:localhost:$echo_port" -D "$((local_port + 1))"
check "-L: 20 MB there and back, with a half-close" same "$(peer send "tcp:127.0.0.1:$local_port" 20000000)"
check "-L: 200 channels at once in one connection" 200 "$(peer many "tcp:127.0.0.1:$local_port" 200)"
check "-D: by address" same "$(peer send "socks:$((local_port + 1)):127.0.0.1:$echo_port" 1000000)"
check "-D: by name" same "$(peer send "socks:$((local_port + 1)):localhost:$echo_port" 1000000)"
check "-D: a closed port" no "$(peer opens "socks:$((local_port + 1)):localhost:1")"
remote_port=$(free_port)
order forward -R "$remote_port:127.0.0.1:$echo_port"
check "-R: 20 MB there and back" same "$(peer send "tcp:127.0.0.1:$remote_port" 20000000)"
check "-R: 200 channels at once" 200 "$(peer many "tcp:127.0.0.1:$remote_port" 200)"
fails "-R: a port that is in use" order forward -R "$echo_port:127.0.0.1:$echo_port"
any_port=$(order forward -R "0:127.0.0.1:$echo_port")
check "-R 0: the port is told and works" same "$(peer send "tcp:127.0.0.1:${any_port:-1}" 100000)"
order cancel -R "$remote_port:127.0.0.1:$echo_port"
succeeds "-R: cancelled" wait_for 5 is_closed "$remote_port"
order forward -R "*:$((remote_port + 1)):127.0.0.1:$echo_port"
check "GatewayPorts no: * is loopback" "yes no" \
    "$(peer opens "tcp:127.0.0.1:$((remote_port + 1))") $(peer opens "tcp:127.0.0.2:$((remote_port + 1))")"
order forward -R "$((remote_port + 2)):127.0.0.1:1"
check "-R: a target that is closed" no "$(peer opens "tcp:127.0.0.1:$((remote_port + 2))")"
end_master
succeeds "-R: the port is free after the connection" wait_for 5 is_closed "${any_port:-1}"

# --- Unix sockets ---
master -L "$dir/local.sock:$dir/echo.sock" -R "$dir/remote.sock:$dir/echo.sock"
check "-L with Unix sockets" same "$(peer send "unix:$dir/local.sock" 5000000)"
check "-R with Unix sockets" same "$(peer send "unix:$dir/remote.sock" 5000000)"
check "-R: the socket's mode" 600 "$(stat -c %a "$dir/remote.sock")"
order forward -R "$dir/mixed.sock:127.0.0.1:$echo_port"
check "-R from a Unix socket to TCP" same "$(peer send "unix:$dir/mixed.sock" 100000)"
echo precious >"$dir/file"
order forward -R "$dir/file:$dir/echo.sock"
check "-R: a file is not replaced" precious "$(cat "$dir/file")"
order cancel -R "$dir/mixed.sock:127.0.0.1:$echo_port"
succeeds "-R: the socket goes when it is cancelled" wait_for 5 test ! -e "$dir/mixed.sock"
order forward -R "$dir/mixed.sock:127.0.0.1:$echo_port"
rm "$dir/mixed.sock"
echo mine >"$dir/mixed.sock"
end_master
succeeds "-R: the socket goes with the connection" wait_for 5 test ! -e "$dir/remote.sock"
check "-R: what took the socket's place stays" mine "$(cat "$dir/mixed.sock")"
/usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$dir/left.sock"
run_ssh -o ExitOnForwardFailure=yes -R "$dir/left.sock:$dir/echo.sock" server true 2>/dev/null
check "-R: a socket that was left is not replaced" 255 $?

# --- the agent ---
start_ssh_agent "$dir/agent.sock"
SSH_AUTH_SOCK=$dir/agent.sock ssh-add -q "$dir/id_ed25519"
forward_agent() { SSH_AUTH_SOCK=$dir/agent.sock run_ssh -o IdentityAgent=SSH_AUTH_SOCK -A "$@"; }
check "-A: the keys" "$(ssh-keygen -lf "$dir/id_ed25519.pub" | cut -d' ' -f2)" \
    "$(forward_agent server ssh-add -l | cut -d' ' -f2)"
check "-A: a signature" 1 "$(forward_agent server "ssh-keygen -Y sign -n t -f $dir/id_ed25519.pub $dir/file 2>&1; grep -c BEGIN $dir/file.sig" | tail -n 1)"
check "-A: a private directory" "700 600" \
    "$(forward_agent server 'stat -c %a "$(dirname "$SSH_AUTH_SOCK")" "$SSH_AUTH_SOCK"' | xargs)"
left=$(forward_agent server 'echo "$SSH_AUTH_SOCK"')
succeeds "-A: the directory goes with the connection" wait_for 5 test ! -e "$(dirname "${left:-/}")"
check "-A: not asked for" "" "$(run_ssh server 'echo $SSH_AUTH_SOCK')"

# --- X11 ---
if command -v Xvfb >/dev/null && command -v xauth >/dev/null && command -v xdpyinfo >/dev/null; then
    display=$((RANDOM % 400 + 100))
    cookie=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
    XAUTHORITY=$dir/xauthority xauth -q add ":$display" MIT-MAGIC-COOKIE-1 "$cookie"
    Xvfb ":$display" -screen 0 640x480x24 -auth "$dir/xauthority" -nolisten tcp >"$dir/xvfb.log" 2>&1 &
    pids[$!]=1
    wait_for 20 test -S "/tmp/.X11-unix/X$display"
    forward_x11() { DISPLAY=:$display XAUTHORITY=$dir/xauthority run_ssh "$@"; }
    check "-Y: xdpyinfo sees the display" 1 "$(forward_x11 -Y server xdpyinfo 2>"$dir/err" | grep -c '640x480 pixels')"
    contains "-X: xdpyinfo sees the display" "640x480 pixels" "$(forward_x11 -X server xdpyinfo 2>&1 | grep pixels)"
    contains "-Y: DISPLAY" "localhost:1" "$(forward_x11 -Y server 'echo $DISPLAY')"
    check "-Y: the cookie is not in the environment" "" "$(forward_x11 -Y server 'env | grep -i lanyard')"
    check "-Y: the exit status stays" 7 "$(forward_x11 -Y server 'exit 7'; echo $?)"
    check "-Y: on a terminal too" 1 "$(forward_x11 -Y -tt server xdpyinfo 2>/dev/null </dev/null | grep -c '640x480 pixels')"
    check "-Y: without the cookie nobody comes in" 1 \
        "$(forward_x11 -Y server 'XAUTHORITY=/dev/null xdpyinfo >/dev/null 2>&1; echo $?')"
    authorize "no-X11-forwarding $key_line"
    check "authorized_keys: no-X11-forwarding" "" "$(forward_x11 -Y server 'echo $DISPLAY' 2>/dev/null)"
else
    echo "# no Xvfb, xauth or xdpyinfo: X11 is not tried"
fi

# --- authorized_keys ---
opens() { peer opens "tcp:127.0.0.1:$local_port"; }
local_to_echo=(-L "$local_port:127.0.0.1:$echo_port")
try_local() {
    master "${local_to_echo[@]}"
    opens
    end_master
}
try_remote() { run_ssh -o ExitOnForwardFailure=yes -R "$1:127.0.0.1:$echo_port" server 'echo listens' 2>/dev/null; }
for options in no-port-forwarding restrict "permitopen=\"127.0.0.1:1\"" "permitopen=\"localhost:$echo_port\"" 'tunnel="0"'; do
    authorize "$options $key_line"
    check "authorized_keys: $options: -L" no "$(try_local)"
done
for options in "permitopen=\"127.0.0.1:$echo_port\"" "permitopen=\"127.0.0.1:*\"" "restrict,port-forwarding" "permitlisten=\"1\"" no-pty; do
    authorize "$options $key_line"
    check "authorized_keys: $options: -L" yes "$(try_local)"
done
authorize "permitopen=\"127.0.0.1:$echo_port\" $key_line"
check "authorized_keys: permitopen: no Unix socket" "" "$(echo hello | run_ssh -W "$dir/echo.sock" server 2>/dev/null)"
check "authorized_keys: permitopen: -R is free" listens "$(try_remote "$remote_port")"
for options in no-port-forwarding restrict "permitlisten=\"1\"" "permitlisten=\"127.0.0.1:$remote_port\""; do
    authorize "$options $key_line"
    check "authorized_keys: $options: -R" "" "$(try_remote "$remote_port")"
done
for options in "permitlisten=\"$remote_port\"" "permitlisten=\"localhost:$remote_port\"" "permitlisten=\"*:*\""; do
    authorize "$options $key_line"
    check "authorized_keys: $options: -R" listens "$(try_remote "$remote_port")"
done
authorize "permitlisten=\"$remote_port\" $key_line"
check "authorized_keys: permitlisten: no Unix socket" "" "$(try_remote "$dir/refused.sock")"
authorize "no-agent-forwarding $key_line"
check "authorized_keys: no-agent-forwarding" "" "$(forward_agent server 'echo $SSH_AUTH_SOCK')"
authorize "$key_line"
stop_server "forwards"

# --- single settings ---
start_server "${server_arguments[@]}" -o AllowTcpForwarding=local -o AllowStreamLocalForwarding=remote
write_ssh_config
check "AllowTcpForwarding local: -L" yes "$(try_local)"
check "AllowTcpForwarding local: -R" "" "$(try_remote "$remote_port")"
check "AllowStreamLocalForwarding remote: to a socket" "" "$(echo hello | run_ssh -W "$dir/echo.sock" server 2>/dev/null)"
check "AllowStreamLocalForwarding remote: from a socket" listens "$(try_remote "$dir/remote.sock")"
stop_server "single settings"
start_server "${server_arguments[@]}" -o AllowTcpForwarding=remote -o GatewayPorts=clientspecified -o AllowStreamLocalForwarding=yes \
    -o StreamLocalBindUnlink=yes
write_ssh_config
check "AllowTcpForwarding remote: -L" no "$(try_local)"
master -R "127.0.0.2:$remote_port:127.0.0.1:$echo_port"
check "GatewayPorts clientspecified" "no yes" \
    "$(peer opens "tcp:127.0.0.1:$remote_port") $(peer opens "tcp:127.0.0.2:$remote_port")"
end_master
check "StreamLocalBindUnlink: a socket is replaced" listens "$(try_remote "$dir/left.sock")"
check "StreamLocalBindUnlink: a file is not" "precious" "$(try_remote "$dir/file")$(cat "$dir/file")"
stop_server "remote"
start_server "${server_arguments[@]}" -o AllowTcpForwarding=yes -o GatewayPorts=yes
write_ssh_config
master -R "127.0.0.1:$remote_port:127.0.0.1:$echo_port"
check "GatewayPorts yes: every address" yes "$(peer opens "tcp:127.0.0.2:$remote_port")"
end_master
stop_server "GatewayPorts"
finish
