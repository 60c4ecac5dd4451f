#!/usr/bin/env bash
# glib.sh BUILD: core/glib against OpenSSH's sshd, and against core/examples/sshd.
set -u
. "$(dirname "$0")/../lib.sh"
need "$sshd" ssh-keygen
begin "$1"

mkdir "$dir/sshd" "$dir/own"
key ed25519 sshd/key
key ed25519 hostkey
start_sshd plain "HostKey $dir/hostkey" "AuthorizedKeysFile $dir/sshd/key.pub" 'Subsystem sftp internal-sftp'
known_line "$port" hostkey >"$dir/sshd/known_hosts"
run_glib() { # NAME
    "$build/tests/interop/glib" "$port" "$dir/$1" >"$dir/glib_$1" 2>"$dir/log_$1"
    local status=$?
    sed "s/^\(ok\|not ok\) glib/&-$1/" "$dir/glib_$1"
    failures=$((failures + $(grep -c '^not ok' "$dir/glib_$1")))
    check "glib-$1: ends with" 0 $status
    [ $status = 0 ] || sed 's/^/# /' "$dir/log_$1" | head -n 40
}
run_glib sshd

cp "$dir/sshd/key" "$dir/sshd/key.pub" "$dir/own"
start_server -h "$dir/hostkey" -k "$dir/own/key.pub" -o AllowTcpForwarding=yes
known_line "$port" hostkey >"$dir/own/known_hosts"
run_glib own
stop_server glib
finish
