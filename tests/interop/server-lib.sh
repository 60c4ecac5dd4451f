# For the tests of core/examples/sshd with stock clients: its keys, their configuration. Sourced with the build directory as $1.
. "$(dirname "$0")/../lib.sh"
begin "$1"

# Options for ssh, sftp, scp, sshfs: nothing of the machine's configuration counts.
write_ssh_config() {
    cat >"$dir/ssh_config" <<END
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
END
    : >"$dir/known_hosts"
    for key in "$dir"/host_*.pub; do
        case $key in *-cert.pub) continue ;; esac
        known_line "$port" "$(basename "$key" .pub)" >>"$dir/known_hosts"
    done
}
run_ssh() { timeout 60 ssh -F "$dir/ssh_config" "$@"; }

make_keys() {
    key ed25519 host_ed25519
    for bits in 256 384 521; do key ecdsa host_ecdsa$bits -b $bits; done
    key rsa host_rsa -b 2048
    key ed25519 id_ed25519
    cp "$dir/id_ed25519.pub" "$dir/authorized_keys"
}
