#!/usr/bin/env bash
# agent-pkcs11.sh BUILD: keys that are not in the agent: PKCS#11 tokens (softhsm2) and security keys (openssh-tests' sk-dummy.so), through
# lanyard-agent and, where it can be compared, through OpenSSH's ssh-agent. Prints "ok NAME" or "not ok NAME: why".
set -u
. "$(dirname "$0")/server-lib.sh"
need ssh-agent ssh-add ssh-keygen ssh softhsm2-util pkcs11-tool openssl
agent=$build/agent/lanyard-agent
modules=$build/tests/interop
dummy=/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so
softhsm=
for path in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so; do
    [ -f "$path" ] && softhsm=$path && break
done
[ -n "$softhsm" ] || { echo "SKIP: libsofthsm2.so is not installed"; exit 77; }
[ -f "$modules/pkcs11-module.so" ] || { echo "SKIP: built without p11-kit"; exit 77; }
export XDG_RUNTIME_DIR=$dir/run TMPDIR=$dir/tmp SOFTHSM2_CONF=$dir/softhsm2.conf
# softhsm2 leaks a little (libcrypto's strings); that it is its own shows by the slow way of unwinding only.
printf 'leak:libsofthsm2.so\n' >"$dir/suppressions"
export LSAN_OPTIONS=suppressions=$dir/suppressions:print_suppressions=0
export ASAN_OPTIONS=$ASAN_OPTIONS:fast_unwind_on_malloc=0:log_path=$dir/asan UBSAN_OPTIONS=$UBSAN_OPTIONS:log_path=$dir/asan
mkdir -m 700 "$XDG_RUNTIME_DIR" "$TMPDIR" "$dir/tokens" "$dir/lib" "$dir/outside"
unset SSH_AGENT_PID SSH_ASKPASS_REQUIRE

# --- The agent: in the foreground, its log in $dir/agent.log ---
running=
stop() {
    [ -n "$running" ] || return 0
    kill "$running" 2>/dev/null
    wait "$running" 2>/dev/null
    running=
}
trap 'stop; cleanup' EXIT
start_with() {
    stop
    export SSH_AUTH_SOCK=$dir/socket
    rm -f "$SSH_AUTH_SOCK"
    : >"$dir/agent.log"
    "$@" -d -a "$SSH_AUTH_SOCK" >"$dir/agent.log" 2>&1 &
    running=$!
    within [ -S "$SSH_AUTH_SOCK" ] || not_ok "start" "$(cat "$dir/agent.log")"
}
start() { start_with "$agent" "$@"; }
within() {
    for _ in $(seq 100); do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}
says() { grep -q -- "$1" "$dir/agent.log"; }
said() { # NAME TEXT: the log has it, at once or soon
    if within says "$2"; then ok "$1"; else not_ok "$1" "the log has no '$2': $(tail -n 5 "$dir/agent.log")"; fi
}
succeeds() {
    local name=$1
    shift
    if "$@" >"$dir/said" 2>&1; then ok "$name"; else not_ok "$name" "$(head -c 300 "$dir/said"); $(tail -n 3 "$dir/agent.log")"; fi
}
fails() {
    local name=$1
    shift
    if "$@" >"$dir/said" 2>&1; then not_ok "$name" "it succeeds: $(head -c 300 "$dir/said")"; else ok "$name"; fi
}
# askpass ANSWER...: what is answered, one line a question; the last goes on being the answer. Questions go to $dir/asked.
askpass() {
    printf '%s\n' "$@" >"$dir/answers"
    : >"$dir/asked"
}
cat >"$dir/askpass" <<END
#!/bin/sh
printf '%s\n--\n' "\$1" >>"$dir/asked"
head -n 1 "$dir/answers"
[ "\$(wc -l <"$dir/answers")" -gt 1 ] && sed -i 1d "$dir/answers"
exit 0
END
chmod 755 "$dir/askpass"
export SSH_ASKPASS=$dir/askpass SSH_ASKPASS_REQUIRE=force
questions() { grep -c -- '^--$' "$dir/asked"; }
count() { ssh-add -l 2>/dev/null | grep -c SHA256; }

# --- A token: RSA, the three curves, Ed25519, and a certificate whose key has no public object ---
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n' "$dir/tokens" >"$SOFTHSM2_CONF"
tool() { pkcs11-tool --module "$softhsm" -l --pin 1234 "$@" >>"$dir/tool.log" 2>&1; }
softhsm2-util --init-token --free --label token --pin 1234 --so-pin 12345678 >/dev/null || not_ok "token" "softhsm2-util fails"
tool --keypairgen --key-type rsa:2048 --id 01 --label "an rsa key"
tool --keypairgen --key-type EC:prime256v1 --id 02 --label "p256"
tool --keypairgen --key-type EC:secp384r1 --id 03 --label "p384"
tool --keypairgen --key-type EC:secp521r1 --id 04
expected=4
tool --keypairgen --key-type EC:edwards25519 --id 05 --label "ed25519" && expected=5
plain=$expected
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$dir/certified.pem" -out "$dir/certificate.pem" -subj /CN=x -days 2 \
    2>/dev/null
openssl pkcs8 -topk8 -nocrypt -in "$dir/certified.pem" -outform DER -out "$dir/certified.der"
openssl x509 -in "$dir/certificate.pem" -outform DER -out "$dir/certificate.der"
if tool --write-object "$dir/certified.der" --type privkey --id 06 --label certified &&
    tool --write-object "$dir/certificate.der" --type cert --id 06 --label certified; then
    expected=$((expected + 1))
fi
# A CA's certificate, for which the token has no private half: no key.
openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -out "$dir/ca.pem" -subj /CN=ca -days 2 2>/dev/null
openssl x509 -in "$dir/ca.pem" -outform DER -out "$dir/ca.der"
tool --write-object "$dir/ca.der" --type cert --id 07 --label "a ca"

# --- The same commands at both agents ---
# What ssh-add says and returns: where the two differ, a word of why.
transcript() {
    step() { printf '%s: ' "$*"; "$@" 2>&1 | sed "s|$dir|DIR|g"; echo "${PIPESTATUS[0]}"; }
    askpass 1234
    step ssh-add -s "$softhsm"
    step ssh-add -s "$softhsm"
    step ssh-add -e "$softhsm"
    step ssh-add -e "$softhsm"
    step ssh-add -c -t 60 -s "$softhsm"
    step ssh-add -t 70 -s "$softhsm"
    step ssh-add -D
    step ssh-add -e "$softhsm"
    step ssh-add -s "$(realpath "$softhsm")"
    step ssh-add -e "$softhsm"
    step ssh-add -s /nonexistent/module.so
    step ssh-add -s "$dir/lib/hang.so"
    step ssh-add -s /usr/lib/os-release
    askpass 999999
    step ssh-add -s "$softhsm"
    step ssh-add -e "$softhsm"
    askpass 1234
    step ssh-add -s "$softhsm"
}
for name in hang crash exit noise gone slow-start; do cp "$modules/pkcs11-module.so" "$dir/lib/$name.so"; done
start_with ssh-agent
theirs=$(transcript)
start
ours=$(transcript)
check "ssh-add -s and -e: the same replies as OpenSSH's agent" "$theirs" "$ours"
said "a wrong PIN is named" 'the PIN of the token "token" is wrong'
said "a file that is no module is named" 'no PKCS#11 module'
said "a module outside the allowed ones is named" 'is not among the allowed ones'
said "a module that is not there is named" 'there is no such file'
said "a module that is there already is named" 'it is loaded already'

# --- Keys ---
check "keys of the token, and not those it cannot sign with" "$expected" "$(count)"
ssh-add -L >"$dir/listed"
check "a key without a label goes by the module's path" 1 "$(grep -c " $(realpath "$softhsm")\$" "$dir/listed")"
check "labels are comments" 1 "$(grep -c ' an rsa key$' "$dir/listed")"
echo data >"$dir/data"
number=0
while read -r line; do
    number=$((number + 1))
    echo "$line" >"$dir/key$number.pub"
    what=$(echo "$line" | cut -d' ' -f1,3-)
    succeeds "ssh-add -T: $what" ssh-add -T "$dir/key$number.pub"
    rm -f "$dir/data.sig"
    ssh-keygen -q -Y sign -f "$dir/key$number.pub" -n file "$dir/data" 2>/dev/null
    echo "me $line" >"$dir/signers"
    succeeds "ssh-keygen -Y: $what" ssh-keygen -Y verify -f "$dir/signers" -I me -n file -s "$dir/data.sig" <"$dir/data"
done <"$dir/listed"

# A real sshd, without a port.
ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
mkdir -p /run/sshd 2>/dev/null
sign_in() { # FILE.pub [SSH OPTION...]
    cp "$1" "$dir/authorized"
    timeout 60 ssh -F none -o "ProxyCommand=/usr/sbin/sshd -i -o HostKey=$dir/host -o AuthorizedKeysFile=$dir/authorized -o StrictModes=no \
-o UsePAM=no -o PidFile=none -o PermitRootLogin=yes -f /dev/null" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
        -o BatchMode=yes -o IdentitiesOnly=yes -i "$1" "${@:2}" host true
}
if [ -x /usr/sbin/sshd ]; then
    rsa=$(grep -l ssh-rsa "$dir"/key*.pub | head -n 1)
    succeeds "sshd: rsa-sha2-512" sign_in "$rsa"
    succeeds "sshd: rsa-sha2-256" sign_in "$rsa" -o PubkeyAcceptedAlgorithms=rsa-sha2-256
    succeeds "sshd: ecdsa" sign_in "$(grep -l nistp256 "$dir"/key*.pub | head -n 1)"
fi

# --- Constraints ---
succeeds "removing" ssh-add -e "$softhsm"
check "nothing is left" 0 "$(count)"
askpass 1234
ssh-add -c -s "$softhsm" 2>/dev/null
askpass no
fails "a key that is to be confirmed, refused" ssh-add -T "$dir/key1.pub"
askpass yes
succeeds "a key that is to be confirmed, agreed to" ssh-add -T "$dir/key1.pub"
check "the question is about the key" 1 "$(grep -c '^Allow use of key' "$dir/asked")"
ssh-add -D 2>/dev/null
askpass 1234
ssh-add -t 1 -s "$softhsm" 2>/dev/null
is_empty() { [ "$(count)" = 0 ]; }
succeeds "lifetime" within is_empty
no_process() { ! pgrep -P "$running" >/dev/null; }
succeeds "a module without keys has no process" within no_process
ssh-add -k -s "$softhsm" 2>/dev/null
printf 'x\nx\n' >"$dir/two"
SSH_ASKPASS_REQUIRE=force askpass lock
ssh-add -x >/dev/null 2>&1
fails "locked: no signature" ssh-add -T "$dir/key1.pub"
ssh-add -X >/dev/null 2>&1
succeeds "unlocked again" ssh-add -T "$dir/key1.pub"

# --- PINs that are asked for later ---
# without_pin: the module is added with an empty PIN, and its public keys are seen.
without_pin() {
    ssh-add -e "$softhsm" 2>/dev/null
    askpass ''
    ssh-add -s "$softhsm" 2>/dev/null
}
without_pin
askpass 1234
succeeds "without a PIN: it is asked for when it is needed" ssh-add -T "$dir/key1.pub"
check "once" 1 "$(questions)"
check "the question names the token" 1 "$(grep -c 'Enter the PIN of the token "token"' "$dir/asked")"
check "the question names who asks" 1 "$(grep -c 'Asked for by .*ssh-add' "$dir/asked")"
succeeds "and not again" ssh-add -T "$dir/key1.pub"
check "it stays logged in" 1 "$(questions)"
without_pin
askpass 9999 1234
succeeds "a wrong PIN is asked for again" ssh-add -T "$dir/key1.pub"
check "twice" 2 "$(questions)"
check "the second question says why" 1 "$(grep -c '^The PIN of the token "token" is wrong' "$dir/asked")"
without_pin
askpass 9999
fails "three wrong PINs" ssh-add -T "$dir/key1.pub"
check "are three questions" 3 "$(questions)"
askpass ''
fails "no PIN is given" ssh-add -T "$dir/key1.pub"
if tool --keypairgen --key-type EC:prime256v1 --id 08 --label always --always-auth; then
    askpass 1234
    ssh-add -e "$softhsm" 2>/dev/null
    ssh-add -s "$softhsm" 2>/dev/null
    ssh-add -L | grep ' always$' >"$dir/always.pub"
    askpass 1234
    succeeds "a key that always authenticates" ssh-add -T "$dir/always.pub"
    check "its PIN is asked for" 1 "$(questions)"
    succeeds "and again" ssh-add -T "$dir/always.pub"
    check "each time" 2 "$(questions)"
fi

# --- What is allowed ---
cp "$(realpath "$softhsm")" "$dir/outside/module.so"
ln -s "$dir/outside/module.so" "$dir/lib/link.so"
ln -s "$softhsm" "$dir/outside/link.so"
start -P "$dir/lib/*,$(realpath "$softhsm")"
askpass 1234
fails "a link that leads out of the allowed folder" ssh-add -s "$dir/lib/link.so"
said "the log names where it leads" "$dir/outside/module.so\" is refused"
fails "a way that leads out of the allowed folder" ssh-add -s "$dir/lib/../outside/module.so"
succeeds "a link from elsewhere to an allowed module" ssh-add -s "$dir/outside/link.so"
succeeds "is removed by its other name" ssh-add -e "$softhsm"
fails "a path that is not absolute" ssh-add -s lib/hang.so
start -P '!/usr/lib*/softhsm/*,!/usr/lib/*/softhsm/*,/usr/lib*/*'
fails "a module that is excluded" ssh-add -s "$softhsm"
said "the log says so" "it is excluded"
start -P "$dir/nothing/*"
fails "-P replaces what is allowed" ssh-add -s "$softhsm"

# --- Modules that misbehave cost their own keys ---
start -P "$dir/lib/*,/usr/lib*/*" --provider-timeout 4
askpass 1234
ssh-add -s "$softhsm" 2>/dev/null
keep() {
    check "$1: the other module's keys stay" "$((expected + ${always:-0}))" "$(count)"
    succeeds "$1: they sign" ssh-add -T "$dir/key1.pub"
}
always=$([ -s "$dir/always.pub" ] && echo 1)
# bad NAME TEXT: it is added, does not sign, its key is gone, the log says why, and it can be added again
bad() {
    succeeds "$1: added" ssh-add -s "$dir/lib/$1.so"
    ssh-add -L | grep ' a bad key$' >"$dir/bad.pub"
    fails "$1: no signature" ssh-add -T "$dir/bad.pub"
    said "$1: the log says why" "$2"
    keep "$1"
    succeeds "$1: added again" ssh-add -s "$dir/lib/$1.so"
    succeeds "$1: removed" ssh-add -e "$dir/lib/$1.so"
}
bad crash 'was ended by signal 6'
bad exit 'ended with status 3'
bad hang 'did not answer within 4 seconds'
# These two do no more harm than not to sign.
for name in noise gone; do
    succeeds "$name: added" ssh-add -s "$dir/lib/$name.so"
    ssh-add -L | grep ' a bad key$' >"$dir/bad.pub"
    fails "$name: no signature" ssh-add -T "$dir/bad.pub"
    succeeds "$name: removed" ssh-add -e "$dir/lib/$name.so"
done
said "a wrong signature goes nowhere" 'noise.so: .*not'
said "a card that was taken out is named" 'does not sign: The device was removed'
fails "slow-start: not added" ssh-add -s "$dir/lib/slow-start.so"
keep slow-start
# A client that leaves while its module hangs.
ssh-add -s "$dir/lib/hang.so" 2>/dev/null
ssh-add -L | grep ' a bad key$' >"$dir/bad.pub"
timeout 0.3 ssh-add -T "$dir/bad.pub" >/dev/null 2>&1
succeeds "a client that left: the module is removed" ssh-add -e "$dir/lib/hang.so"
keep "a client that left"
# The process is killed in the middle of its life.
pid=$(pgrep -P "$running" -f "$(realpath "$softhsm")")
kill -9 "$pid"
succeeds "a killed process: its keys are gone" within is_empty
said "a killed process: the log says so" 'was ended by signal 9'
succeeds "a killed process: added again" ssh-add -s "$softhsm"
keep "a killed process"
check "nobody reads the process's memory" root "$(stat -c %U "/proc/$(pgrep -P "$running" | head -n 1)/mem")"

# --- Security keys ---
if [ -f "$dummy" ] && ssh-keygen -q -t ed25519-sk -w "$dummy" -N '' -C sk-ed -f "$dir/sk_ed" </dev/null 2>/dev/null; then
    ssh-keygen -q -t ecdsa-sk -w "$dummy" -N '' -C sk-ec -f "$dir/sk_ec"
    ssh-keygen -q -t ecdsa-sk -O no-touch-required -w "$dummy" -N '' -C sk-free -f "$dir/sk_free"
    ssh-keygen -q -t ed25519-sk -O verify-required -w "$dummy" -N '' -C sk-pin -f "$dir/sk_pin"
    for name in pin touch old; do cp "$modules/sk-module.so" "$dir/lib/$name.so"; done
    start -P "$dir/lib/*,/usr/lib*/*" --provider-timeout 4
    export SSH_SK_PROVIDER=$dummy
    for name in ed ec free; do
        succeeds "sk_$name: added" ssh-add "$dir/sk_$name"
        succeeds "sk_$name: signs" ssh-add -T "$dir/sk_$name.pub"
    done
    ssh-keygen -q -s "$dir/host" -I me -n "$(id -un)" "$dir/sk_ed.pub"
    ssh-add -D 2>/dev/null
    succeeds "sk certificate: added" ssh-add "$dir/sk_ed"
    succeeds "sk certificate: signs" ssh-add -T "$dir/sk_ed-cert.pub"
    if [ -x /usr/sbin/sshd ]; then
        succeeds "sshd: sk-ssh-ed25519" sign_in "$dir/sk_ed.pub"
        ssh-add "$dir/sk_ec" 2>/dev/null
        succeeds "sshd: sk-ecdsa" sign_in "$dir/sk_ec.pub"
    fi
    succeeds "no process stays" within no_process
    SSH_SK_PROVIDER=$dir/lib/pin.so ssh-add "$dir/sk_pin" 2>/dev/null
    askpass 1111 4321
    succeeds "a key that verifies its user" ssh-add -T "$dir/sk_pin.pub"
    check "its PIN is asked for, until it is right" 2 "$(questions)"
    check "the question names the security key" 2 "$(grep -c 'Enter the PIN of the security key' "$dir/asked")"
    SSH_SK_PROVIDER=$dir/lib/touch.so ssh-add "$dir/sk_ed" 2>/dev/null
    fails "a touch that does not come" ssh-add -T "$dir/sk_ed.pub"
    said "a touch that does not come: the log says so" 'touch.so did not answer within 4 seconds'
    timeout 0.3 ssh-add -T "$dir/sk_ed.pub" >/dev/null 2>&1
    succeeds "who gives up waiting stops the security key" within no_process
    SSH_SK_PROVIDER=$dir/lib/old.so ssh-add "$dir/sk_ed" 2>/dev/null
    fails "a library of another version" ssh-add -T "$dir/sk_ed.pub"
    said "a library of another version: the log says so" 'version 0x00040000'
    cp "$dummy" "$dir/outside/sk.so"
    SSH_SK_PROVIDER=$dir/outside/sk.so fails "a library that is not allowed" ssh-add "$dir/sk_ec"
    ln -s "$dir/outside/sk.so" "$dir/lib/sk-link.so"
    SSH_SK_PROVIDER=$dir/lib/sk-link.so fails "a library behind a link that leads out" ssh-add "$dir/sk_ec"
    ssh-add -D 2>/dev/null
    unset SSH_SK_PROVIDER
    succeeds "sk-provider internal: added" ssh-add "$dir/sk_ec"
    fails "sk-provider internal: no device" ssh-add -T "$dir/sk_ec.pub"
    said "sk-provider internal: the log says why" 'security key library internal: '
else
    echo "# skipped: security keys ($dummy is not there, package openssh-tests)"
fi

# --- The end ---
askpass 1234
ssh-add -s "$softhsm" 2>/dev/null
children=$(pgrep -P "$running")
stop
ended() {
    for pid in $children; do [ "$(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null || echo Z)" = Z ] || return 1; done
}
succeeds "the processes end with the agent" within ended
if ls "$dir"/asan* >/dev/null 2>&1; then not_ok sanitizers "$(head -60 "$dir"/asan*)"; else ok "sanitizers have nothing to say"; fi
finish
