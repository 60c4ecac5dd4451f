#!/usr/bin/env bash
# peers.sh BUILDDIR: asyncssh and paramiko in both roles; libssh, dropbear's dbclient, plink and psftp as clients of
# core/examples/sshd; a crowd of connections.
set -u
. "$(dirname "$0")/server-lib.sh"
need ssh-keygen ssh-agent ssh-add dbclient plink psftp puttygen

# --- keys: of users, of hosts, certificates of both, an agent
make_keys
for bits in 256 384 521; do key ecdsa id_ecdsa$bits -b $bits; done
key rsa id_rsa -b 2048
for name in id_certified id_stranger authority other_authority; do key ed25519 $name; done
cat "$dir"/id_{ed25519,ecdsa256,ecdsa384,ecdsa521,rsa}.pub >"$dir/authorized_keys"
echo "cert-authority,principals=\"somebody\" $(cat "$dir/authority.pub")" >>"$dir/authorized_keys"
ssh-keygen -q -s "$dir/authority" -I one -n somebody "$dir/id_certified.pub" 2>>"$dir/log_keygen"
ssh-keygen -q -s "$dir/authority" -I two -n others "$dir/id_stranger.pub" 2>>"$dir/log_keygen"
ssh-keygen -q -s "$dir/authority" -I host -h -n 127.0.0.1 "$dir/host_ed25519.pub" 2>>"$dir/log_keygen"
start_ssh_agent "$dir/agent.sock"
SSH_AUTH_SOCK=$dir/agent.sock ssh-add -q "$dir/id_ed25519"

printf 'somebody:secret\n' >"$dir/passwords"
start_server_in all -h "$dir/host_ed25519" -h "$dir/host_ecdsa256" -h "$dir/host_rsa" -k "$dir/authorized_keys" --password-file "$dir/passwords" \
    -o 'KexAlgorithms=+*' -o 'Ciphers=+*' -o 'MACs=+*' -o 'HostKeyAlgorithms=+*' -o Compression=yes -o AllowTcpForwarding=yes \
    -o AllowStreamLocalForwarding=yes -o AllowAgentForwarding=yes -o MaxSessions=300
server_program=$build/tests/interop/peer-server start_server_in peer -h "$dir/host_ed25519"
port=$port_all
write_ssh_config
for name in authority other_authority; do
    echo "@cert-authority * $(cat "$dir/$name.pub")" >"$dir/known_$name"
done
for name in host_ed25519 host_rsa; do echo "* $(cut -d' ' -f1,2 "$dir/$name.pub")"; done >"$dir/known_all"
known_line "$port_peer" host_ed25519 >"$dir/known_peer"
known_line "$port_peer" host_ed25519 >>"$dir/known_hosts"

[ -n "${ONLY_C:-}" ] || PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 timeout 300 /usr/bin/python3 "$here/peers.py" "$build" "$dir" "$port_all" "$port_peer" 2>"$dir/log_python" ||
    { failures=$((failures + 1)); tail -n "${LOG:-0}" "$dir/log_python"; }

# --- an echo here, for forwards
/usr/bin/python3 "$here/forward_peer.py" echo tcp:127.0.0.1:0 >"$dir/echo_port" 2>"$dir/log_echo" &
pids[$!]=1
wait_for 10 test -s "$dir/echo_port" || not_ok "echo" "$(cat "$dir/log_echo")"
read -r echo_port <"$dir/echo_port"
send_through() { [ "$(timeout 60 /usr/bin/python3 "$here/forward_peer.py" send "$1" 1000000)" = same ]; }
# forwarded NAME PORT COMMAND...: the command makes what listens at the port lead to the echo.
forwarded() {
    local name=$1 at=$2
    "${@:3}" >"$dir/log_forward" 2>&1 </dev/null &
    local pid=$!
    pids[pid]=1
    wait_for 15 gone_or $pid port_answers "$at" || true
    succeeds "$name" send_through "tcp:127.0.0.1:$at"
    end_process $pid || true
}

# --- libssh
if [ -x "$build/tests/interop/libssh-client" ]; then
    mkdir "$dir/libssh-files"
    timeout 120 "$build/tests/interop/libssh-client" "$port_all" "$dir/id_ed25519" "$dir/known_hosts" "$dir/libssh-files" "$echo_port" \
        2>"$dir/log_libssh" || failures=$((failures + 1))
else
    not_ok "libssh" "libssh-client was not built; libssh-dev is in tests/packages"
fi

head -c 3000000 /dev/urandom >"$dir/data"

# --- dropbear's client; it has keys of a format of its own and ~/.ssh/known_hosts
for kind in ed25519 rsa; do dropbearconvert openssh dropbear "$dir/id_$kind" "$dir/dropbear_$kind" >>"$dir/log_keygen" 2>&1; done
dropbear_client() { timeout 60 dbclient -y -y -p "$port_all" "$@"; }
for kind in ed25519 rsa; do
    check "dbclient: a key, $kind" "in" "$(dropbear_client -i "$dir/dropbear_$kind" somebody@127.0.0.1 'echo in' 2>"$dir/err")"
done
check "dbclient: a password" "in" "$(DROPBEAR_PASSWORD=secret dropbear_client somebody@127.0.0.1 'echo in' 2>"$dir/err")"
status=0
dropbear_client -i "$dir/dropbear_ed25519" somebody@127.0.0.1 'exit 9' 2>"$dir/err" || status=$?
check "dbclient: exit status" 9 $status
through_dropbear() { dropbear_client -i "$dir/dropbear_ed25519" "$@" somebody@127.0.0.1 cat <"$dir/data" 2>"$dir/err" | cmp -s - "$dir/data"; }
succeeds "dbclient: data both ways" through_dropbear
for cipher in aes128-ctr aes256-ctr chacha20-poly1305@openssh.com; do succeeds "dbclient: $cipher" through_dropbear -c "$cipher"; done
at=$(free_port)
forwarded "dbclient: -L" "$at" dropbear_client -N -i "$dir/dropbear_ed25519" -L "127.0.0.1:$at:127.0.0.1:$echo_port" somebody@127.0.0.1
at=$(free_port)
forwarded "dbclient: -R" "$at" dropbear_client -N -i "$dir/dropbear_ed25519" -R "$at:127.0.0.1:$echo_port" somebody@127.0.0.1

# --- PuTTY's
puttygen "$dir/id_ed25519" -o "$dir/id.ppk" -O private 2>>"$dir/log_keygen"
putty_options=(-batch -P "$port_all" -l somebody -i "$dir/id.ppk" -noagent)
for name in ed25519 ecdsa256 rsa; do putty_options+=(-hostkey "$(ssh-keygen -lf "$dir/host_$name.pub" | cut -d' ' -f2)"); done
putty_client() { timeout 60 plink "${putty_options[@]}" "$@"; }
status=0
said=$(putty_client 127.0.0.1 'echo out; echo err >&2; exit 9' 2>"$dir/err") || status=$?
check "plink: exec" "out err 9" "$said $(cat "$dir/err") $status"
check "plink: a terminal" "24 80" "$(putty_client -t 127.0.0.1 'stty size' 2>"$dir/err" | tr -d '\r')"
through_plink() { putty_client "$@" 127.0.0.1 cat <"$dir/data" 2>"$dir/err" | cmp -s - "$dir/data"; }
succeeds "plink: data both ways" through_plink
succeeds "plink: compressed" through_plink -C
at=$(free_port)
forwarded "plink: -L" "$at" putty_client -N -L "127.0.0.1:$at:127.0.0.1:$echo_port" 127.0.0.1
at=$(free_port)
forwarded "plink: -R" "$at" putty_client -N -R "$at:127.0.0.1:$echo_port" 127.0.0.1
mkdir "$dir/psftp"
cat >"$dir/batch" <<END
cd $dir/psftp
mkdir sub
put $dir/data sub/data
mv sub/data sub/moved
chmod 640 sub/moved
get sub/moved $dir/psftp-back
put $dir/data other
rm other
ls sub
END
succeeds "psftp: a batch" timeout 60 psftp "${putty_options[@]}" -b "$dir/batch" 127.0.0.1
contains "psftp: ls" "moved" "$(cat "$dir/said")"
succeeds "psftp: put and get" same_file "$dir/data" "$dir/psftp-back"
check "psftp: chmod and rm" "640 sub" "$(stat -c %a "$dir/psftp/sub/moved") $(ls "$dir/psftp")"

# --- 1,000 connections to one process
timeout 200 /usr/bin/python3 "$here/crowd.py" "$port_all" "$server_all" 1000 "$dir/id_ed25519" 2>"$dir/log_crowd" ||
    { failures=$((failures + 1)); tail -n "${LOG:-0}" "$dir/log_crowd"; }

for name in all peer; do stop_server_in "$name"; done
finish
