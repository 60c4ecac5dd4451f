#!/usr/bin/env bash
# lanyard-key-certs.sh BUILD: lanyard-key certify and krl against ssh-keygen, ssh and sshd.
. "$(dirname "$0")/server-lib.sh"
need ssh-keygen ssh ssh-agent ssh-add
key=$build/keys/lanyard-key
cd "$dir" || exit 1

for type in ed25519 rsa ecdsa; do
    key $type ca_$type
    key $type user_$type
done
key ed25519 host_ed25519

# Both tools make the same certificate, but for its nonce and signature.
fields() { ssh-keygen -L -f "$1" | sed 1d; }
# same NAME KEY OURS THEIRS: the command lines as one word each.
same() {
    local second=$EPOCHSECONDS # validity is relative to now: both have to be made within the same second
    rm -f "$2-cert.pub"
    eval "\"$key\" certify $3 $2.pub" >out 2>err || { not_ok "certify $1" "$(cat err)"; return; }
    mv "$2-cert.pub" ours-cert.pub
    eval "ssh-keygen -q $4 $2.pub" 2>err || { not_ok "certify $1: ssh-keygen" "$(cat err)"; return; }
    if diff <(fields "$2-cert.pub") <(fields ours-cert.pub) >diff; then
        ok "certify $1"
    elif [ "$second" != "$EPOCHSECONDS" ] && [ "${tries:=0}" -lt 20 ]; then
        tries=$((tries + 1))
        same "$@"
    else
        not_ok "certify $1" "$(cat diff)"
    fi
}
for ca in ed25519 rsa ecdsa; do
    for user in ed25519 rsa ecdsa; do
        same "$user by $ca" user_$user "--ca ca_$ca --id 'a b' --principals me,you" "-s ca_$ca -I 'a b' -n me,you"
    done
done
ours="--ca ca_ed25519 --id x --principals me"
theirs="-s ca_ed25519 -I x -n me"
same 'serial' user_ed25519 "$ours --serial 18446744073709551615" "$theirs -z 18446744073709551615"
for validity in 20300102:20310203 202001020304:20310203040506 -1d:forever always:20300101Z 0x10:0x7fffffff always:forever; do
    same "validity $validity" user_ed25519 "$ours --validity=$validity" "$theirs -V $validity"
done
for options in '-O clear' '-O no-pty -O no-x11-forwarding' '-O force-command=/bin/true\ x' '-O source-address=10.0.0.0/8,::1' \
    '-O clear -O permit-pty -O critical:aa@b=c -O extension:zz@b -O extension:a@b=d' '-O verify-required -O no-touch-required' \
    '-O no-user-rc -O permit-user-rc -O no-agent-forwarding -O no-port-forwarding'; do
    same "options $options" user_ed25519 "$ours $options" "$theirs $options"
done
same 'host' host_ed25519 "--host --ca ca_rsa --id h --principals server,127.0.0.1" "-h -s ca_rsa -I h -n server,127.0.0.1"
same 'two words of validity from now' user_rsa "$ours --validity=-1h:+1h" "$theirs -V -1h:+1h"

# What is refused, and how.
refused() {
    name=$1 status=$2
    shift 2
    rm -f user_ed25519-cert.pub
    "$key" certify "$@" user_ed25519.pub >out 2>err
    check "$name: status" "$status" $?
    check "$name: one sentence" 1 "$(wc -l <err)"
    check "$name: nothing is written" no "$([ -e user_ed25519-cert.pub ] && echo yes || echo no)"
}
refused 'no principals' 2 --ca ca_rsa --id x
refused 'no id' 2 --ca ca_rsa --principals a
refused 'unknown option' 2 --ca ca_rsa --id x --principals a --option no-such-thing
refused 'bad source-address' 2 --ca ca_rsa --id x --principals a --option source-address=10.1.2.3/8
refused 'empty validity' 2 --ca ca_rsa --id x --principals a --validity 20300101:20290101
refused 'bad validity' 2 --ca ca_rsa --id x --principals a --validity tomorrow
refused 'critical on a host' 3 --host --ca ca_rsa --id x --principals a --option force-command=x
refused 'no CA' 4 --ca nowhere --id x --principals a
env -u SSH_AUTH_SOCK "$key" certify --ca ca_rsa --agent --id x --principals a user_ed25519.pub 2>err
check 'no agent: status' 4 $?
"$key" certify $ours user_rsa.pub user_rsa.pub --serial +7 --json >out 2>err
check 'serials rise' '7 8' "$(python3 -c 'import json; print(*(c["serial"] for c in json.load(open("out"))))')"
"$key" certify $ours --json - <user_ed25519.pub >out
python3 -c 'import json; print(json.load(open("out"))[0]["certificate"])' >piped-cert.pub
check 'standard input to standard output' "$(ssh-keygen -L -f piped-cert.pub | sed -n 's/ *Key ID: //p')" '"x"'

# The CA in the agent: by a public key alone, and with --agent.
eval "$(ssh-agent -s)" >/dev/null
pids[SSH_AGENT_PID]=1
ssh-add -q ca_ed25519 ca_rsa ca_ecdsa 2>/dev/null
for ca in ed25519 rsa ecdsa; do
    cp ca_$ca.pub only_$ca.pub
    same "$ca in the agent" user_ed25519 "--ca only_$ca.pub --id x --principals me" "-s ca_$ca -I x -n me"
    same "$ca with --agent" user_ed25519 "--agent --ca ca_$ca --id x --principals me" "-s ca_$ca -I x -n me"
done
cp user_rsa.pub elsewhere.pub
refused 'not in the agent' 3 --ca elsewhere.pub --id x --principals a

# OpenSSH's sshd takes our user certificate, and ssh our host certificate.
if [ -x "$sshd" ]; then
    "$key" certify --host --ca ca_rsa --id host --principals server -q host_ed25519.pub
    "$key" certify --ca ca_ed25519 --id user --principals "$(id -un)" --validity +1h --option clear -q user_ecdsa.pub
    echo "@cert-authority server $(cat ca_rsa.pub)" >known
    "$key" krl create -o revoked
    start_sshd certs "HostKey $dir/host_ed25519" "HostCertificate $dir/host_ed25519-cert.pub" "TrustedUserCAKeys $dir/ca_ed25519.pub" \
        "RevokedKeys $dir/revoked" 'AuthorizedKeysFile none'
    login() {
        timeout 30 ssh -F none -p "$port" -o HostKeyAlias=server -o UserKnownHostsFile="$dir/known" -o BatchMode=yes \
            -o GlobalKnownHostsFile=none -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o IdentityAgent=none \
            -i user_ecdsa -o CertificateFile=user_ecdsa-cert.pub 127.0.0.1 echo in 2>ssh.log
    }
    check 'sshd and ssh take our certificates' in "$(login || cat ssh.log log_certs)"
    "$key" krl update -o revoked user_ecdsa-cert.pub
    check 'sshd reads our KRL: revoked' '' "$(login)"
    succeeds 'sshd says why' grep revoked log_certs
else
    echo "ok sshd # SKIP: not installed"
fi

# KRLs: the same questions to the same lists, whoever made them.
for i in $(seq 12); do
    "$key" certify --ca ca_ed25519 --id "id $i" --principals me --serial "$i" -q user_rsa.pub
    mv user_rsa-cert.pub "c$i.pub"
done
"$key" certify --ca ca_rsa --id "id 3" --principals me --serial 3 -q user_rsa.pub
mv user_rsa-cert.pub other3.pub
cat >spec <<TEXT
# a comment
serial: 3
serial: 5-7
id: id 9
sha1: $(cat user_ecdsa.pub)
sha256: $(cat user_ed25519.pub)
hash: $(ssh-keygen -lf ca_ecdsa.pub | cut -d' ' -f2)
TEXT
cat host_ed25519.pub >bare
ours_krl() { "$key" krl create -o krl.ours --ca ca_ed25519.pub --version 7 --comment 'words' "$@"; }
theirs_krl() { ssh-keygen -q -k -f krl.theirs -s ca_ed25519.pub -z 7 "$@"; }
ours_krl spec bare c11.pub || not_ok 'krl create' 'failed'
theirs_krl spec bare c11.pub
for krl in krl.ours krl.theirs; do
    for file in c1 c2 c3 c4 c5 c6 c7 c8 c9 c10 c11 c12 other3 user_ecdsa user_ed25519 user_rsa ca_ecdsa host_ed25519; do
        ssh-keygen -Q -f $krl $file.pub >/dev/null 2>&1
        theirs=$?
        "$key" krl query $krl $file.pub >out 2>err
        check "krl $krl $file" $theirs $?
    done
done
check 'krl: the twelve' '001011101010' "$(for i in $(seq 12); do "$key" krl query -q krl.ours c$i.pub; printf %s $?; done)"
listing() { grep -v '^# \(Generated\|Comment\|KRL comment\)' | grep -v '^$' | sort; }
if diff <(ssh-keygen -Q -l -f krl.theirs | listing) <(ssh-keygen -Q -l -f krl.ours | listing) >diff; then
    ok 'ssh-keygen lists both alike'
else
    not_ok 'ssh-keygen lists both alike' "$(cat diff)"
fi
if diff <("$key" krl show krl.theirs | listing) <(ssh-keygen -Q -l -f krl.theirs | listing) >diff; then
    ok 'krl show as ssh-keygen -Q -l'
else
    not_ok 'krl show as ssh-keygen -Q -l' "$(cat diff)"
fi
"$key" krl update -o krl.theirs --ca ca_ed25519.pub c12.pub && ssh-keygen -Q -f krl.theirs c12.pub >/dev/null 2>&1
check 'krl update of their list' 1 $?
ssh-keygen -Q -f krl.theirs c3.pub >/dev/null 2>&1
check 'krl update keeps what was there' 1 $?
"$key" krl query --json krl.ours c1.pub c3.pub >out
check 'krl query --json: status' 1 $?
check 'krl query --json' 'False True' "$(python3 -c 'import json; print(*(c["revoked"] for c in json.load(open("out"))))')"
"$key" krl show --json krl.ours >out
check 'krl show --json' '7 words' "$(python3 -c 'import json; k = json.load(open("out")); print(k["version"], k["comment"])')"
echo garbage >bad
"$key" krl query bad c1.pub >/dev/null 2>err
check 'krl: not a list' 3 $?
printf 'serial: none\n' >bad
"$key" krl create -o never bad 2>err
check 'krl: bad text' '3 no' "$? $([ -e never ] && echo yes || echo no)"
"$key" krl query nowhere c1.pub 2>err
check 'krl: no file' 4 $?
succeeds sanitizers no_sanitizer_in err out
finish
