#!/usr/bin/env bash
# certificates.sh BUILD: certificates and KRLs of ours against ssh-keygen, ssh and sshd, and theirs against us. Prints "ok NAME" or
# "not ok NAME: why".
set -u
. "$(dirname "$0")/../lib.sh"
need "$sshd" ssh ssh-keygen
begin "$1"
authority=$build/tests/interop/authority

# --- keys
types=(ed25519 ecdsa256 ecdsa384 ecdsa521 rsa)
for prefix in key ca; do
    key ed25519 ${prefix}_ed25519
    for bits in 256 384 521; do key ecdsa ${prefix}_ecdsa$bits -b $bits; done
    key rsa ${prefix}_rsa -b 2048
done
cas=("${types[@]}")
key dsa key_dsa && types+=(dsa) # newer ones do not make them
if command -v python3 >/dev/null; then # public halves of security keys need none
    python3 - "$dir" <<'END'
import base64, struct, sys
string = lambda b: struct.pack(">I", len(b)) + b
for plain, name in (("ed25519", "sk-ssh-ed25519@openssh.com"), ("ecdsa256", "sk-ecdsa-sha2-nistp256@openssh.com")):
    old, text, comment = open(f"{sys.argv[1]}/key_{plain}.pub").read().split()
    blob = string(name.encode()) + base64.b64decode(text)[4 + len(old):] + string(b"ssh:")
    open(f"{sys.argv[1]}/key_sk_{plain}.pub", "w").write(f"{name} {base64.b64encode(blob).decode()} sk\n")
END
    types+=(sk_ed25519 sk_ecdsa256)
fi

# --- ssh-keygen -L says the same of ours and of its own
shows_the_same() { # TYPE CA KIND ALGORITHM
    local more=(-V always:forever) options=()
    if [ "$3" = host ]; then
        more+=(-h)
    else
        more+=(-O clear -O permit-pty -O source-address=10.0.0.0/8 -O force-command='ls -l' -O extension:login@example.com=bob)
        options=(extension permit-pty critical 'source-address=10.0.0.0/8' critical 'force-command=ls -l' extension login@example.com=bob)
    fi
    [ -z "$4" ] || more+=(-t "$4")
    cp "$dir/key_$1.pub" "$dir/theirs.pub"
    ssh-keygen -q -s "$dir/ca_$2" -I 'an "id" of it' -z 18446744073709551615 -n first,second "${more[@]}" "$dir/theirs.pub" 2>>"$dir/log" ||
        { why=$(tail -n 1 "$dir/log"); return 1; }
    "$authority" certify "$dir/ca_$2" "$dir/key_$1.pub" "$3" 'an "id" of it' 18446744073709551615 first,second "$4" "${options[@]}" \
        >"$dir/ours-cert.pub" 2>"$dir/err" || { why=$(cat "$dir/err"); return 1; }
    ssh-keygen -L -f "$dir/theirs-cert.pub" 2>&1 | sed 1d >"$dir/theirs.txt"
    ssh-keygen -L -f "$dir/ours-cert.pub" 2>&1 | sed 1d >"$dir/ours.txt"
    [ -s "$dir/theirs.txt" ] && same_file "$dir/theirs.txt" "$dir/ours.txt"
}
for type in "${types[@]}"; do
    for ca in "${cas[@]}"; do
        succeeds "user-certificate-$type-by-$ca" shows_the_same "$type" "$ca" user ''
        succeeds "host-certificate-$type-by-$ca" shows_the_same "$type" "$ca" host ''
    done
done
succeeds certificate-by-rsa-sha2-256 shows_the_same ed25519 rsa user rsa-sha2-256

# --- KRLs: the same answers and the same text, whoever wrote the list
certificates=()
for i in $(seq 40); do
    cp "$dir/key_${types[i % 5]}.pub" "$dir/c$i.pub"
    ssh-keygen -q -s "$dir/ca_${cas[i % 2]}" -I "id $((i % 9))" -n a -z $((i * (i % 7))) "$dir/c$i.pub" 2>>"$dir/log"
    certificates+=("$dir/c$i-cert.pub")
done
files=("${certificates[@]}" "$dir"/key_*.pub "$dir"/ca_*.pub)
agree() { # KRL WHAT
    ssh-keygen -Q -f "$1" "${files[@]}" >"$dir/theirs.txt" 2>&1
    local theirs=$?
    "$authority" query "$1" "${files[@]}" >"$dir/ours.txt" 2>&1
    [ $? = $theirs ] && same_file "$dir/theirs.txt" "$dir/ours.txt" || { why="$2: $why"; return 1; }
    ssh-keygen -Q -l -f "$1" >"$dir/theirs.txt" 2>&1
    "$authority" describe "$1" >"$dir/ours.txt" 2>&1
    same_file "$dir/theirs.txt" "$dir/ours.txt" || { why="$2, text: $why"; return 1; }
}
revoked_the_same() { # CA: of $dir/list, by both
    local ca=none
    [ "$1" = none ] || ca=$dir/ca_$1.pub
    rm -f "$dir/theirs.krl" "$dir/ours.krl"
    ssh-keygen -q -k -z 5 -s "$ca" -f "$dir/theirs.krl" "$dir/list" 2>"$dir/err" || { why=$(cat "$dir/err"); return 1; }
    "$authority" krl "$dir/ours.krl" "$ca" 5 "$dir/list" 2>"$dir/err" || { why=$(cat "$dir/err"); return 1; }
    agree "$dir/ours.krl" 'ours' || return 1
    [ "${2:-}" = ours ] || agree "$dir/theirs.krl" 'theirs' || return 1
    [ "$(stat -c %s "$dir/ours.krl")" -le "$(stat -c %s "$dir/theirs.krl")" ] || { why='ours is longer'; return 1; }
}
t_list() { # CA LINE...
    printf '%s\n' "${@:2}" >"$dir/list"
    revoked_the_same "$1"
}
succeeds krl-empty t_list none '# nothing'
succeeds krl-serial t_list ed25519 'serial: 30'
succeeds krl-range t_list ed25519 'serial: 0x10-0x100' 'serial: 0400'
succeeds krl-any-ca t_list none 'serial: 1-60' 'id: id 3'
succeeds krl-id t_list ecdsa256 'id: id 3' 'ID:id 7 # comment' $'id: \tz\a\xff\xc3\xa4"\\'
succeeds krl-key t_list none "key: $(cat "$dir/key_rsa.pub")" "key: $(cat "${certificates[3]}")"
succeeds krl-sha1 t_list none "sha1: $(cat "$dir/key_ed25519.pub")" "sha1:$(cat "${certificates[4]}")"
succeeds krl-sha256 t_list none "sha256: $(cat "$dir/key_ecdsa384.pub")"
succeeds krl-hash t_list none "hash: $(ssh-keygen -lf "$dir/key_ecdsa521.pub" | cut -d' ' -f2)"
succeeds krl-bare-keys t_list none "$(cat "$dir/key_ecdsa256.pub")" "$(cat "$dir/ca_ecdsa256.pub")"
succeeds krl-certificates t_list none "$(cat "${certificates[@]:2:9}")"
t_random() {
    local i serial=0
    for i in $(seq $((1 + RANDOM % 60))); do
        serial=$((serial + 1 + RANDOM % ($1 + 1)))
        case $((RANDOM % 4)) in
        0) echo "serial: $serial-$((serial += 1 + RANDOM % (4 * $1)))" ;;
        *) echo "serial: $serial" ;;
        esac
    done | shuf >"$dir/list"
    revoked_the_same ed25519
}
for spread in 1 2 3 5 10 20 50 100 200 500 2000; do succeeds "krl-random-$spread" t_random $spread; done
t_long() { # ssh-keygen 9.2 writes one bitmap of it, which it cannot read
    seq 1 2 60000 | sed 's/^/serial: /' >"$dir/list"
    revoked_the_same ed25519 ours || [ "$why" = 'ours is longer' ]
}
succeeds krl-long-bitmap t_long
t_update() { # theirs added to ours
    printf 'serial: 5\nid: id 1\n' >"$dir/list"
    "$authority" krl "$dir/ours.krl" "$dir/ca_ed25519.pub" 9 "$dir/list" &&
        echo "id: id 2" >"$dir/list" && ssh-keygen -q -k -u -f "$dir/ours.krl" -s "$dir/ca_ecdsa256.pub" "$dir/list" &&
        agree "$dir/ours.krl" updated
}
succeeds krl-update t_update

# --- sshd takes our certificates, and not those that our KRL revokes
"$authority" certify "$dir/ca_rsa" "$dir/key_ed25519.pub" host host 1 127.0.0.1 '' >"$dir/host-cert.pub"
cat "$dir"/ca_*.pub >"$dir/trusted"
for type in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa; do
    for ca in "${cas[@]}"; do
        cp "$dir/key_$type" "$dir/user_${type}_$ca"
        "$authority" certify "$dir/ca_$ca" "$dir/key_$type.pub" user "user $type $ca" 7 "$user,other" '' extension permit-pty \
            >"$dir/user_${type}_$ca-cert.pub"
    done
done
printf 'id: user ed25519 rsa\nid: host\n' >"$dir/list"
"$authority" krl "$dir/revoked.krl" none 1 "$dir/list"
start_sshd certificates "HostKey $dir/key_ed25519" "HostCertificate $dir/host-cert.pub" 'AuthorizedKeysFile none' \
    "TrustedUserCAKeys $dir/trusted" "RevokedKeys $dir/revoked.krl"
echo "@cert-authority * $(cut -d' ' -f1,2 "$dir/ca_rsa.pub")" >"$dir/known"
enter() { # IDENTITY [OPTION...]
    ssh -F none -p "$port" -o BatchMode=yes -o IdentitiesOnly=yes -o "UserKnownHostsFile=$dir/known" -o GlobalKnownHostsFile=none \
        -o StrictHostKeyChecking=yes -i "$dir/$1" "${@:2}" 127.0.0.1 'echo hello' >"$dir/out" 2>"$dir/err" </dev/null
    why=$(tail -n 3 "$dir/err" | tr '\n' '|')
    [ "$(cat "$dir/out")" = hello ]
}
refused() { # TEXT ARGUMENTS...
    ! enter "${@:2}" && grep -q "$1" "$dir/err"
}
for type in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa; do
    for ca in "${cas[@]}"; do
        if [ "$type-$ca" = ed25519-rsa ]; then
            succeeds sshd-revoked-certificate refused 'Permission denied' "user_${type}_$ca"
        else
            succeeds "sshd-$type-by-$ca" enter "user_${type}_$ca"
        fi
    done
done
succeeds ssh-revoked-host-certificate refused 'revoked' user_ed25519_ed25519 -o "RevokedHostKeys=$dir/revoked.krl"
finish
