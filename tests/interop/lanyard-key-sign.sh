#!/usr/bin/env bash
# lanyard-key-sign.sh BUILD: SSHSIG signatures of lanyard-key verified by ssh-keygen, and the other way.
. "$(dirname "$0")/server-lib.sh"
need ssh-keygen ssh-agent ssh-add
key=$build/keys/lanyard-key
cd "$dir" || exit 1

key ed25519 ed25519
for bits in 2048 4096; do key rsa rsa$bits -b $bits; done
for bits in 256 384 521; do key ecdsa ecdsa$bits -b $bits; done
types="ed25519 rsa2048 rsa4096 ecdsa256 ecdsa384 ecdsa521"
for t in $types; do echo "$t@example $(cat "$t.pub")" >>allowed; done
head -c 3000000 /dev/urandom >message
: >empty

for t in $types; do
    for hash in sha256 sha512; do
        "$key" sign -q --force -k "$t" -n file --hash $hash message 2>err || not_ok "sign $t $hash" "$(cat err)"
        ssh-keygen -Y verify -f allowed -I "$t@example" -n file -s message.sig <message >out 2>&1
        check "$t $hash: ssh-keygen verifies ours" 0 $?
        rm message.sig
        ssh-keygen -Y sign -q -f "$t" -n file -O hashalg=$hash message 2>err
        "$key" verify --allowed-signers allowed --principal "$t@example" -s message.sig message >out 2>err
        check "$t $hash: we verify ssh-keygen's" 0 $?
        "$key" verify --allowed-signers allowed --principal other@example -s message.sig message >out 2>err
        check "$t $hash: not as somebody else" 1 $?
        "$key" verify -s message.sig empty >out 2>err
        check "$t $hash: another message" 1 $?
        check "$t $hash: find-principals" "$(ssh-keygen -Y find-principals -f allowed -s message.sig)" \
            "$("$key" find-principals -f allowed -s message.sig)"
    done
done

# Streams, empty messages, namespaces.
"$key" sign -k ed25519 -n git <message >stream.sig
ssh-keygen -Y verify -f allowed -I ed25519@example -n git -s stream.sig <message >out 2>&1
check 'standard input to standard output' 0 $?
"$key" verify -n git -s stream.sig - <message >out
check 'without allowed signers' '0 Whose key it is was not checked: no --allowed-signers' "$? $(tail -1 out)"
"$key" verify -n file -s stream.sig message >out 2>err
check 'another namespace' 1 $?
"$key" sign -q -k ed25519 empty && ssh-keygen -Y verify -f allowed -I ed25519@example -n file -s empty.sig <empty >/dev/null 2>&1
check 'an empty file' 0 $?
echo n | "$key" sign -k ed25519 empty >out 2>err
check 'does not overwrite' 1 $?
mkdir two
"$key" sign --json -k rsa2048 --force message empty >out && python3 - <<PY && ok 'sign --json' || not_ok 'sign --json' "$(cat out)"
import json
signatures = json.load(open("out"))
assert [s["signature_file"] for s in signatures] == ["message.sig", "empty.sig"]
assert signatures[0]["signature"] == open("message.sig").read()
PY

# Lines of allowed_signers: namespaces, times, revocation, certificates.
sed 's/@example/@example namespaces="git"/' allowed >only_git
"$key" sign -q --force -k ed25519 message
"$key" verify -f only_git -I ed25519@example -s message.sig message >out 2>err
check 'namespaces=' 1 $?
sed 's/@example/@example valid-before="20200101Z"/' allowed >expired
"$key" verify -f expired -I ed25519@example -s message.sig message >out 2>err
check 'expired' 1 $?
"$key" verify -f expired -I ed25519@example --time 20190101Z -s message.sig message >out 2>err
check 'at a time before' 0 $?
"$key" krl create -o krl ed25519.pub
for revoked in krl ed25519.pub; do
    "$key" verify -f allowed -I ed25519@example --revoked $revoked -s message.sig message >out 2>err
    check "revoked by $revoked" 1 $?
    grep -q "revoked in $revoked" err && ok "revoked by $revoked: said" || not_ok "revoked by $revoked: said" "$(cat err)"
done
"$key" verify -f allowed -I ed25519@example --revoked rsa2048.pub -s message.sig message >out 2>err
check 'another key is revoked' 0 $?
echo garbage >bad
"$key" verify -f allowed -I ed25519@example --revoked bad -s message.sig message >out 2>err
check 'a revocation file that cannot be read' 3 $?
"$key" certify -q --ca rsa2048 --id x --principals cert@example ed25519.pub
echo "*@example cert-authority $(cat rsa2048.pub)" >by_ca
"$key" sign -q --force -k ed25519-cert.pub message
ssh-keygen -Y verify -f by_ca -I cert@example -n file -s message.sig <message >out 2>&1
check 'ssh-keygen verifies by our certificate' 0 $?
"$key" verify -f by_ca -I cert@example -s message.sig message >out 2>err
check 'we verify by a certificate' 0 $?
"$key" verify -f by_ca -I other@example -s message.sig message >out 2>err
check 'a certificate of others' 1 $?
"$key" verify --json -f allowed -I nobody@example -s message.sig message >out 2>err
check 'verify --json: status' 1 $?
check 'verify --json' 'False None' "$(python3 -c 'import json; v = json.load(open("out")); print(v["valid"], v["error"] and None)')"

# The agent signs for a public key.
mkdir held
for t in $types; do cp "$t.pub" held/; done
"$key" sign -k held/ed25519.pub message --force 2>err
check 'a public key without an agent' 3 $?
eval "$(ssh-agent -s)" >/dev/null
pids[SSH_AGENT_PID]=1
for t in $types; do
    ssh-add -q "$t" 2>/dev/null
    "$key" sign -q --force -k "held/$t.pub" message 2>err || not_ok "agent $t" "$(cat err)"
    ssh-keygen -Y verify -f allowed -I "$t@example" -n file -s message.sig <message >out 2>&1
    check "$t in the agent" 0 $?
done

# Damage is bad input, and an unreadable file is a file's error.
head -c 100 message.sig >bad
"$key" verify -s bad message >out 2>err
check 'a damaged signature' 3 $?
"$key" verify -s message.sig nowhere >out 2>err
check 'no message' 4 $?
"$key" find-principals -f by_ca -s stream.sig >out 2>err
check 'find-principals: nobody' 1 $?
"$key" sign message 2>err
check 'no key' 2 $?
finish
