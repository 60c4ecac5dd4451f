#!/usr/bin/env bash
# client-matrix.sh BUILDDIR: our client against OpenSSH's sshd and dropbear with each algorithm that both ends know: key exchange x
# host key, cipher x MAC, compression, key re-exchanges in the midst of data, host certificates, each form of user key, greetings. Each
# case sends data through the peer's cat and compares what comes back. Prints "ok NAME" or "not ok NAME: why".
set -u
. "$(dirname "$0")/../lib.sh"
need "$sshd" ssh ssh-keygen setsid
begin "$1"
connect=$build/tests/interop/connect
dropbear=$(command -v dropbear || echo /usr/sbin/dropbear)

# shellcheck disable=SC2046,SC2206 # names of algorithms are words

# --- keys
types=(ed25519 ecdsa256 ecdsa384 ecdsa521 rsa)
for prefix in host user; do
    key ed25519 ${prefix}_ed25519
    for bits in 256 384 521; do key ecdsa ${prefix}_ecdsa$bits -b $bits; done
    key rsa ${prefix}_rsa -b 2048
    key ed25519 ${prefix}_ca_ed25519
    key ecdsa ${prefix}_ca_ecdsa -b 384
    key rsa ${prefix}_ca_rsa -b 2048
done
key dsa host_dsa && key dsa user_dsa && types+=(dsa) # newer ones do not make them
for form in PEM PKCS8; do
    for type in "${types[@]}"; do
        cp "$dir/user_$type" "$dir/user_${type}_$form"
        chmod 600 "$dir/user_${type}_$form"
        # ssh-keygen leaves Ed25519 in OpenSSH's own form
        ssh-keygen -q -p -P '' -N '' -m $form -f "$dir/user_${type}_$form" >>"$dir/log_keygen" 2>&1
    done
done
openssl=
if command -v openssl >/dev/null; then # with its parameters before the key
    openssl ecparam -genkey -name secp384r1 -out "$dir/user_openssl" 2>>"$dir/log_keygen" && openssl=yes
    chmod 600 "$dir/user_openssl"
fi
cat "$dir"/user_{ed25519,ecdsa256,ecdsa384,ecdsa521,rsa}.pub >"$dir/authorized"
[ ! -e "$dir/user_dsa.pub" ] || cat "$dir/user_dsa.pub" >>"$dir/authorized"
[ ! "$openssl" ] || ssh-keygen -y -f "$dir/user_openssl" >>"$dir/authorized" 2>>"$dir/log_keygen"
for ca in ed25519 ecdsa rsa; do
    echo "cert-authority $(cat "$dir/user_ca_$ca.pub")" >>"$dir/authorized"
    for type in "${types[@]}"; do
        cp "$dir/user_$type" "$dir/user_${type}_by_$ca"
        cp "$dir/user_$type.pub" "$dir/user_${type}_by_$ca.pub"
        ssh-keygen -q -s "$dir/user_ca_$ca" -I test -n "$user" "$dir/user_${type}_by_$ca.pub" 2>>"$dir/log_keygen"
    done
done
# the certified keys are not authorized by themselves
grep -v ^cert-authority "$dir/authorized" >"$dir/authorized_plain"
grep ^cert-authority "$dir/authorized" >"$dir/authorized_ca"
for type in "${types[@]}"; do
    cp "$dir/host_$type" "$dir/host_certified_$type"
    cp "$dir/host_$type.pub" "$dir/host_certified_$type.pub"
    ssh-keygen -q -s "$dir/host_ca_ed25519" -I test -h -n 127.0.0.1 "$dir/host_certified_$type.pub" 2>>"$dir/log_keygen"
done
me=$dir/user_ed25519

# --- servers
all() { ssh -Q "$1" | grep -v "${2:-^$}" | paste -sd,; }
offering_all() { # NAME [LINE...]: sshd with all that it can
    start_sshd "$@" "AuthorizedKeysFile $dir/authorized_plain" 'Compression yes' "KexAlgorithms $(all kex)" "Ciphers $(all cipher)" \
        "MACs $(all mac)" "HostKeyAlgorithms $(all HostKeyAlgorithms)" "PubkeyAcceptedAlgorithms $(all HostKeyAlgorithms)" \
        'CASignatureAlgorithms +ssh-rsa' "${types[@]/#/HostKey $dir/host_}"
}
offering_all all
offering_all rekey "RekeyLimit 1M"
certificates=("${types[@]/#/HostCertificate $dir/host_certified_}")
certificates=("${certificates[@]/%/-cert.pub}")
offering_all cert "AuthorizedKeysFile $dir/authorized_ca" "VersionAddendum $(printf 'x%.0s' $(seq 200))" \
    "${certificates[@]}"
: "${port_all:?}" "${port_rekey:?}" "${port_cert:?}"

# dropbear reads ~/.ssh alone: a directory of ours stands there for it, in a mount namespace of its own
home=$(getent passwd "$user" | cut -d: -f6)
chmod 700 "$HOME" "$HOME/.ssh"
start_dropbear() { start_at_port "$1" dropbear_listens run_dropbear "$@"; }
dropbear_listens() { port_answers "$port"; }
run_dropbear() { # NAME TYPE...: at $port; it takes four host keys at most
    local type keys=()
    for type in "${@:2}"; do
        [ -e "$dir/host_$type" ] || continue
        cp "$dir/host_$type" "$dir/for_dropbear_$type"
        ssh-keygen -q -p -P '' -N '' -m PEM -f "$dir/for_dropbear_$type" >>"$dir/log_keygen" 2>&1
        dropbearconvert openssh dropbear "$dir/for_dropbear_$type" "$dir/dropbear_$type" >>"$dir/log_keygen" 2>&1 &&
            keys+=(-r "$dir/dropbear_$type")
    done
    # shellcheck disable=SC2016
    unshare -m bash -c 'mount --bind "$1" "$2" && exec "${@:3}"' bash "$HOME" "$home" \
        "$dropbear" -F -E -p "127.0.0.1:$port" -P "$dir/pid_$1" "${keys[@]}" >"$dir/log_$1" 2>&1 &
}
port_dropbear=
port_dropbear2=
if command -v "$dropbear" >/dev/null && command -v dropbearconvert >/dev/null && unshare -m mount --bind "$dir" "$home" 2>/dev/null; then
    install -m 600 "$dir/authorized_plain" "$HOME/.ssh/authorized_keys"
    start_dropbear dropbear ed25519 ecdsa256 rsa dsa
    start_dropbear dropbear2 ecdsa384 ecdsa521 rsa # without an RSA key it offers to use one, and hangs up
else
    echo "ok dropbear # SKIP it, dropbearconvert or unshare is not there, or may not be used"
fi

for port in "$port_all" "$port_rekey" "$port_cert" $port_dropbear $port_dropbear2; do
    for type in "${types[@]}"; do known_line "$port" "host_$type"; done
done >"$dir/known"
echo "@cert-authority [127.0.0.1]:$port_cert,127.0.0.1 $(cut -d' ' -f1,2 "$dir/host_ca_ed25519.pub")" >"$dir/known_ca"

# --- cases: NAME, PORT, INPUT, least number of key exchanges, ARGUMENTS... of connect, all joined by \037
head -c 100000 /dev/urandom >"$dir/small"
{ head -c 5000000 /dev/urandom; seq 800000; } | head -c 10485760 >"$dir/large"
cases=()
add() {
    local IFS=$'\037'
    cases+=("$*")
}
ours() { "$connect" -Q "$1"; }
both() { # KIND NAMES...: what we know of the names of the peer
    ours "$1" | grep -Fx "$(printf '%s\n' "${@:2}")"
}
run_case() {
    local name port input exchanges status count arguments out=$dir/out_$BASHPID err=$dir/err_$BASHPID
    IFS=$'\037' read -ra arguments <<<"$1"
    name=${arguments[0]} port=${arguments[1]} input=$dir/${arguments[2]} exchanges=${arguments[3]}
    setsid -w timeout 60 "$connect" -s -v -F none -o "UserKnownHostsFile=$dir/known" -o GlobalKnownHostsFile=none -o IdentityAgent=none \
        -o BatchMode=yes -o StrictHostKeyChecking=yes -p "$port" "${arguments[@]:4}" 127.0.0.1 cat <"$input" >"$out" 2>"$err"
    status=$?
    count=$(grep -c 'log: keys: ' "$err")
    if [ $status != 0 ]; then
        not_ok "$name" "exit status $status; $(grep -v '^log: ' "$err" | tail -n 12 | tr '\n' '|')"
    elif ! cmp "$input" "$out" >"$err" 2>&1; then
        not_ok "$name" "what came back differs: $(cat "$err")"
    elif [ "$count" -lt "$exchanges" ]; then
        not_ok "$name" "$count key exchanges, not $exchanges"
    else
        ok "$name"
    fi
}
worker() { # OFFSET: every second case
    local i
    for ((i = $1; i < ${#cases[@]}; i += 2)); do run_case "${cases[i]}"; done
}

host_key_names() { # TYPE: its algorithms
    case $1 in
    ed25519) echo ssh-ed25519 ;;
    ecdsa*) echo "ecdsa-sha2-nistp${1#ecdsa}" ;;
    rsa) echo rsa-sha2-256 rsa-sha2-512 ssh-rsa ;;
    dsa) echo ssh-dss ;;
    esac
}
host_keys=()
for type in "${types[@]}"; do
    for name in $(host_key_names "$type"); do host_keys+=("$name"); done
done

matrix() { # PEER PORT KEXES HOST_KEYS CIPHERS MACS
    local kex host_key cipher mac some
    for kex in $3; do
        some=($4)
        case $kex in
        *group1[5678]-*) some=("${some[0]}") ;; # they take their time
        esac
        for host_key in "${some[@]}"; do
            add "$1-$kex-$host_key" "$2" small 1 -i "$me" -o "KexAlgorithms=$kex" -o "HostKeyAlgorithms=$host_key" -o Ciphers=aes128-ctr
        done
    done
    for cipher in $5; do
        case $cipher in
        *gcm* | chacha*) add "$1-$cipher" "$2" small 1 -i "$me" -o "Ciphers=$cipher" && continue ;;
        esac
        for mac in $6; do add "$1-$cipher-$mac" "$2" small 1 -i "$me" -o "Ciphers=$cipher" -o "MACs=$mac"; done
    done
    add "$1-compression" "$2" large 5 -i "$me" -o Compression=yes -o RekeyLimit=1M
}
rekeys() { # NAME PORT CIPHERS MACS ARGUMENTS...: ten times as much data as a key is for
    local cipher mac
    for cipher in $3; do add "$1-$cipher" "$2" large 9 -i "$me" -o "Ciphers=$cipher" -o MACs=hmac-sha2-256 "${@:5}"; done
    for mac in $4; do add "$1-$mac" "$2" large 9 -i "$me" -o Ciphers=aes128-ctr -o "MACs=$mac" "${@:5}"; done
}

kexes=$(both kex $(ssh -Q kex))
ciphers=$(both cipher $(ssh -Q cipher))
macs=$(both mac $(ssh -Q mac))
matrix sshd "$port_all" "$kexes" "${host_keys[*]}" "$ciphers" "$macs"
rekeys sshd-rekey-by-client "$port_all" "$ciphers" "$macs" -o RekeyLimit=1M
rekeys sshd-rekey-by-server "$port_rekey" "$ciphers" "$macs"
add sshd-rekey-by-both "$port_rekey" large 9 -i "$me" -o RekeyLimit=700K
add sshd-rekey-compressed-by-server "$port_rekey" large 5 -i "$me" -o Compression=yes
add sshd-compression-without-rekey "$port_all" large 1 -i "$me" -o Compression=yes
for kex in $kexes; do
    case $kex in
    *group1[5678]-*) ;;
    *) add "sshd-rekey-$kex" "$port_all" large 3 -i "$me" -o "KexAlgorithms=$kex" -o RekeyLimit=3M -o Ciphers=aes128-ctr ;;
    esac
done
# the size of the group follows the cipher's key: 8192 bits
add sshd-group-exchange-8192 "$port_all" small 1 -i "$me" -o KexAlgorithms=diffie-hellman-group-exchange-sha256 -o Ciphers=aes256-ctr

for type in "${types[@]}"; do
    for name in $(host_key_names "$type"); do
        add "sshd-host-certificate-$name" "$port_cert" small 1 -i "$dir/user_rsa_by_rsa" -o "UserKnownHostsFile=$dir/known_ca" \
            -o "HostKeyAlgorithms=$name-cert-v01@openssh.com"
        for form in '' _PEM _PKCS8; do
            add "sshd-user-$name$form" "$port_all" small 1 -i "$dir/user_$type$form" -o "PubkeyAcceptedAlgorithms=$name"
        done
        for ca in ed25519 ecdsa rsa; do
            add "sshd-user-certificate-$name-by-$ca" "$port_cert" small 1 -i "$dir/user_${type}_by_$ca" \
                -o "PubkeyAcceptedAlgorithms=$name-cert-v01@openssh.com"
        done
    done
done

[ ! "$openssl" ] || add sshd-user-ecdsa-with-parameters "$port_all" small 1 -i "$dir/user_openssl"

# lines before the identification, in pieces
greeting() { # NAME SCRIPT
    add "sshd-greeting-$1" "$port_all" small 1 -i "$me" -o "ProxyCommand=bash -c '$2; exec 3<>/dev/tcp/127.0.0.1/%p; cat <&3 & cat >&3'"
}
greeting one-line 'echo Hello'
greeting crlf 'printf "Hello\r\n\r\nSSH is near\r\n"'
greeting long-lines 'for i in 1 2 3; do printf "%%255s\n" x; done'
greeting many-lines 'seq 900'
greeting pieces 'for i in S S H H - "\n" S S H "\r\n"; do printf "$i"; sleep 0.02; done'

if [ "$port_dropbear" ]; then
    for port in "$port_dropbear" "$port_dropbear2"; do # what it offers, as ssh tells it
        ssh -vv -F none -p "$port" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null 127.0.0.1 true \
            2>"$dir/offer_$port" </dev/null
    done
    offer() { sed '1,/peer server KEXINIT/d' "$dir/offer_${2:-$port_dropbear}" | tr -d '\r' | sed -n "s/^debug2: $1: //p" | head -n 1 | tr , ' '; }
    kexes=$(both kex $(offer 'KEX algorithms'))
    dropbear_keys=$(both key $(offer 'host key algorithms'))
    ciphers=$(both cipher $(offer 'ciphers ctos'))
    macs=$(both mac $(offer 'MACs ctos'))
    matrix dropbear "$port_dropbear" "$kexes" "$dropbear_keys" "$ciphers" "$macs"
    matrix dropbear2 "$port_dropbear2" "$kexes" "$(both key $(offer 'host key algorithms' "$port_dropbear2") | grep ecdsa)" '' ''
    for list in kexes dropbear_keys ciphers macs; do
        [ "${!list}" ] || not_ok dropbear-offer "no $list were read"
    done
    rekeys dropbear-rekey "$port_dropbear" "$ciphers" "$macs" -o RekeyLimit=1M
    for type in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa; do
        for form in '' _PEM _PKCS8; do
            add "dropbear-user-$type$form" "$port_dropbear" small 1 -i "$dir/user_$type$form"
        done
    done
    add dropbear-user-ssh-rsa "$port_dropbear" small 1 -i "$dir/user_rsa" -o PubkeyAcceptedAlgorithms=ssh-rsa
    add dropbear-passes-over-a-certificate "$port_dropbear" small 1 -i "$dir/user_rsa_by_rsa"
fi

if [ $# -gt 1 ]; then # by hand: only the cases that match
    chosen=()
    for case in "${cases[@]}"; do [[ ${case%%$'\037'*} =~ $2 ]] && chosen+=("$case"); done
    cases=("${chosen[@]}")
fi
(trap - EXIT; failures=0; worker 0; [ $failures = 0 ]) &
other=$!
worker 1
wait $other || failures=$((failures + 1))
finish
