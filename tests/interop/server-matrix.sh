#!/usr/bin/env bash
# server-matrix.sh BUILDDIR: core/examples/sshd against stock ssh: every key exchange with every host key algorithm,
# every cipher with every MAC, compression, each with data both ways.
set -u
. "$(dirname "$0")/server-lib.sh"
need ssh ssh-keygen

make_keys
head -c 10485760 /dev/urandom >"$dir/ten"
head -c 1048576 "$dir/ten" >"$dir/one"
ten=$(md5sum <"$dir/ten")
one=$(md5sum <"$dir/one")

# What ssh knows and the server too; the server has all of its names switched on.
start_server -h "$dir/host_ed25519" -h "$dir/host_ecdsa256" -h "$dir/host_ecdsa384" -h "$dir/host_ecdsa521" -h "$dir/host_rsa" \
    -k "$dir/authorized_keys" -o 'KexAlgorithms=+*' -o 'Ciphers=+*' -o 'MACs=+*' -o 'HostKeyAlgorithms=+*' -o Compression=yes
write_ssh_config

echo_through() { run_ssh "$@" server cat 2>"$dir/err" | md5sum; }
failed_in() { # NAME EXPECTED GOT: as check, quiet unless it fails
    [ "$2" = "$3" ] || not_ok "$1" "the data differs: $(tail -1 "$dir/err")"
}

before=$failures
count=0
for kex in $(ssh -Q kex); do
    case $kex in mlkem*) continue ;; esac # the server has it only with OpenSSL >= 3.5
    for key in ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 rsa-sha2-512 rsa-sha2-256 ssh-rsa; do
        failed_in "$kex with $key" "x" "$(run_ssh -o KexAlgorithms="$kex" -o HostKeyAlgorithms="$key" server 'echo x' 2>"$dir/err")"
        count=$((count + 1))
    done
done
[ $failures = $before ] && ok "every key exchange with every host key algorithm ($count)"

before=$failures
count=0
for cipher in $(ssh -Q cipher); do
    case $cipher in
    *gcm* | chacha20*) macs=(none) ;;
    *) macs=($(ssh -Q mac)) ;;
    esac
    for mac in "${macs[@]}"; do
        arguments=(-c "$cipher")
        [ "$mac" = none ] || arguments+=(-m "$mac")
        case $mac$cipher in
        *3des*) file=one ;;
        hmac-sha2-256-etm* | none*) file=ten ;;
        *) file=one ;;
        esac
        case $mac in umac* | hmac-sha1-96-etm* | hmac-md5*-etm*) continue ;; esac # not ours
        failed_in "$cipher with $mac" "${!file}" "$(echo_through "${arguments[@]}" <"$dir/$file")"
        count=$((count + 1))
    done
done
[ $failures = $before ] && ok "every cipher with every MAC ($count)"

before=$failures
for cipher in aes128-gcm@openssh.com chacha20-poly1305@openssh.com aes256-ctr aes128-cbc; do
    failed_in "$cipher, rekey every MiB" "$ten" "$(echo_through -c "$cipher" -o RekeyLimit=1M <"$dir/ten")"
    failed_in "$cipher, compressed, rekey every MiB" "$ten" "$(echo_through -C -c "$cipher" -o RekeyLimit=1M <"$dir/ten")"
done
for kex in $(ssh -Q kex); do
    case $kex in mlkem* | *group16* | *group18* | *exchange*) continue ;; esac # slow
    failed_in "$kex, rekey every MiB" "$ten" "$(echo_through -o KexAlgorithms="$kex" -o RekeyLimit=1M <"$dir/ten")"
done
[ $failures = $before ] && ok "rekey every MiB with data both ways, plain and compressed"
stop_server "matrix"
finish
