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

PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 timeout 300 /usr/bin/python3 "$here/peers.py" "$build" "$dir" "$port_all" "$port_peer" 2>"$dir/log_python" ||
    { failures=$((failures + 1)); tail -n "${LOG:-0}" "$dir/log_python"; }

for name in all peer; do stop_server_in "$name"; done
finish
