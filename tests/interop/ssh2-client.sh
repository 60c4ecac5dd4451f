#!/usr/bin/env bash
# ssh2-client.sh BUILDDIR: npm ssh2 and ssh2-sftp-client as clients of core/examples/sshd and of peer-server.
set -u
. "$(dirname "$0")/server-lib.sh"
need node ssh-keygen
[ -d "$here/../node_modules/ssh2-sftp-client" ] || { echo "SKIP: npm ssh2 is not in tests/node_modules (tests/install-packages test)"; exit 77; }

make_keys
key rsa id_rsa -b 2048
cat "$dir"/id_*.pub >"$dir/authorized_keys"
echo 'Hello from the banner.' >"$dir/banner"
printf 'somebody:secret\n' >"$dir/passwords"
host_keys=()
for name in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa; do host_keys+=(-h "$dir/host_$name"); done
sshd_options=("${host_keys[@]}" -k "$dir/authorized_keys" --password-file "$dir/passwords" -o 'KexAlgorithms=+*' -o 'Ciphers=+*'
    -o 'MACs=+*' -o 'HostKeyAlgorithms=+*' -o Compression=yes -o AllowTcpForwarding=yes -o AllowStreamLocalForwarding=yes
    -o AllowAgentForwarding=yes -o X11Forwarding=yes -o MaxSessions=300)
peer_options=(-h "$dir/host_ed25519" -h "$dir/host_ecdsa256" -h "$dir/host_rsa")
start_server_in all "${sshd_options[@]}" -o Banner="$dir/banner"
start_server_in rekey "${sshd_options[@]}" -o RekeyLimit=1M
server_program=$build/tests/interop/peer-server
start_server_in peer "${peer_options[@]}"
start_server_in openssh "${peer_options[@]}" -i OpenSSH_9.9

run_node() {
    timeout 300 node "$@" "$here/ssh2-client.js" "$dir" "$port_all" "$port_rekey" "$port_peer" "$port_openssh" || failures=$((failures + 1))
}
run_node
run_node --openssl-legacy-provider
for name in all rekey peer openssh; do stop_server_in "$name"; done
finish
