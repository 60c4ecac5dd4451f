#!/usr/bin/env bash
# agent-peers.sh BUILD [AGENT]: lanyard-agent with the programs that people use with an agent: OpenSSH's, PuTTY's, git, npm ssh2, asyncssh,
# paramiko; and our client with pageant and gpg-agent as agents.
set -u
. "$(dirname "$0")/../lib.sh"
at_end() { GNUPGHOME=$dir/gnupg gpgconf --kill gpg-agent 2>/dev/null; }
need ssh ssh-add ssh-keygen ssh-agent plink puttygen pageant gpg-agent node git setpriv
begin "$1"
agent=${2:-$build/agent/lanyard-agent}
export XDG_CONFIG_HOME=$HOME/.config ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=8
chmod 755 "$dir"
cd "$dir" || exit 1

count() { ssh-add -l 2>/dev/null | grep -c SHA256; }

# askpass answers with the file `answer` and, for a confirmation, exits with the file `yes`; it keeps the questions.
cat >askpass <<END
#!/bin/sh
echo "\$SSH_ASKPASS_PROMPT|\$1" >>"$dir/questions"
[ "\$SSH_ASKPASS_PROMPT" = confirm ] && exit "\$(cat "$dir/yes")"
cat "$dir/answer"
END
chmod 700 askpass
echo secret >answer
echo 0 >yes
: >questions

# start_agent ARGUMENT...: $server and SSH_AUTH_SOCK.
start_agent() {
    export SSH_AUTH_SOCK=$dir/agent.sock
    SSH_ASKPASS=$dir/askpass SSH_ASKPASS_REQUIRE=force DISPLAY=none:0 "$agent" -D -a "$SSH_AUTH_SOCK" "$@" >agent.out 2>agent.log &
    server=$!
    pids[server]=1
    wait_for 10 test -S "$SSH_AUTH_SOCK" || { echo "not ok start: $(cat agent.log)"; exit 1; }
}

make_keys() {
    local type
    for type in ed25519 "ecdsa -b 256" "ecdsa -b 384" "ecdsa -b 521" "rsa -b 2048" dsa; do
        # shellcheck disable=SC2086
        key ${type%% *} "${type// -b /}" ${type#"${type%% *}"}
    done
    for name in authority certified host_near host_far; do key ed25519 $name; done
    ssh-keygen -q -s authority -I id -n "$user" certified.pub
}
types=(ed25519 ecdsa256 ecdsa384 ecdsa521 rsa2048 dsa)

# start_host NAME: a server with the host key host_NAME; sets port_NAME.
start_host() {
    start_sshd "$1" "HostKey $dir/host_$1" "AuthorizedKeysFile $dir/authorized_keys" "TrustedUserCAKeys $dir/authority.pub" \
        'PubkeyAcceptedAlgorithms +ssh-dss'
    known_line "$port" "host_$1" >>known_hosts
    printf 'Host %s\n    HostName 127.0.0.1\n    Port %s\n' "$1" "$port" >>ssh_config
}
finish_ssh_config() {
    cat >>ssh_config <<END
Host *
    User $user
    UserKnownHostsFile $dir/known_hosts
    GlobalKnownHostsFile none
    IdentityFile none
    PubkeyAcceptedAlgorithms +ssh-dss
    BatchMode yes
    LogLevel ERROR
    ConnectTimeout 20
END
}
run_ssh() { timeout 60 ssh -F "$dir/ssh_config" "$@"; }
# ssh-add with its questions answered by askpass.
ask_add=(env SSH_ASKPASS="$dir/askpass" SSH_ASKPASS_REQUIRE=force DISPLAY=none:0 ssh-add)

openssh_add() {
    for type in "${types[@]}"; do
        succeeds "ssh-add $type" ssh-add -q "$type"
        succeeds "ssh-add -T $type" ssh-add -T "$type.pub"
    done
    succeeds "ssh-add with a certificate" ssh-add -q certified
    succeeds "ssh-add -T certificate" ssh-add -T certified-cert.pub
    check "ssh-add -l" 8 "$(count)"
    check "ssh-add -l: ssh-dss" "$(ssh-keygen -lf dsa.pub)" "$(ssh-add -l | grep DSA | grep -v ECDSA)"
    check "ssh-add -L: ssh-dss" "$(cat dsa.pub)" "$(ssh-add -L | grep '^ssh-dss ')"
    check "ssh-add -L" "$(cat ed25519.pub rsa2048.pub | cut -d' ' -f2)" "$(ssh-add -L | grep -E ' (ed25519|rsa2048)$' | cut -d' ' -f2)"
    succeeds "ssh-add -d" ssh-add -q -d ecdsa384
    fails "ssh-add -d again" ssh-add -q -d ecdsa384
    check "ssh-add -d removes one" 7 "$(count)"
    succeeds "ssh-add -D" ssh-add -q -D
    check "ssh-add -D removes all" 0 "$(count)"
    succeeds "ssh-add -t" ssh-add -q -t 1 ed25519
    check "ssh-add -t: there at first" 1 "$(count)"
    sleep 1.6
    check "ssh-add -t: gone after a second" 0 "$(count)"
    succeeds "ssh-add -c" ssh-add -q -c ed25519
    echo 1 >yes
    fails "ssh-add -c: no" ssh-add -T ed25519.pub
    echo 0 >yes
    succeeds "ssh-add -c: yes" ssh-add -T ed25519.pub
    succeeds "ssh-add -c: the question names the key" grep '^confirm|.*ed25519' questions
    succeeds "ssh-add again without -c" ssh-add -q ed25519
    echo 1 >yes
    succeeds "no question any more" ssh-add -T ed25519.pub
    echo 0 >yes
}

openssh_lock() {
    succeeds "ssh-add -x" "${ask_add[@]}" -q -x
    check "locked: nothing listed" 0 "$(count)"
    fails "locked: no signature" ssh-add -T ed25519.pub
    echo wrong >answer
    fails "ssh-add -X, wrong passphrase" "${ask_add[@]}" -q -X
    echo secret >answer
    succeeds "ssh-add -X" "${ask_add[@]}" -q -X
    check "unlocked: listed" 1 "$(count)"
}

openssh_login() {
    ssh-add -q -D 2>/dev/null
    for type in "${types[@]}"; do
        ssh-add -q "$type"
        check "ssh with $type" here "$(run_ssh near echo here 2>&1)"
        ssh-add -q -D 2>/dev/null
    done
    ssh-add -q certified
    ssh-add -q -d certified.pub 2>/dev/null
    check "ssh with a certificate" here "$(run_ssh near echo here 2>&1)"
    ssh-add -q -D 2>/dev/null
    fails "ssh without keys" run_ssh near true
    ssh-add -q ed25519
    check "forwarded: ssh-add -l" "$(ssh-add -l)" "$(run_ssh -A near ssh-add -l 2>&1)"
    check "forwarded: the second hop" there "$(run_ssh -A near ssh -F "$dir/ssh_config" far echo there 2>&1)"
    fails "not forwarded: no second hop" run_ssh near "ssh -F $dir/ssh_config far true"
    ssh-add -q -D 2>/dev/null
    # The names in -h are those of known_hosts.
    local near="[127.0.0.1]:$port_near" far="[127.0.0.1]:$port_far"
    succeeds "ssh-add -h near" ssh-add -q -H known_hosts -h "$near" ed25519
    check "-h: to near" here "$(run_ssh near echo here 2>&1)"
    fails "-h: not to far" run_ssh far true
    fails "-h: not beyond near" run_ssh -A near "ssh -F $dir/ssh_config far true"
    succeeds "ssh-add -h near, near>far" ssh-add -q -H known_hosts -h "$near" -h "$near>$far" ed25519
    check "-h over two hops: near" here "$(run_ssh near echo here 2>&1)"
    check "-h over two hops: far beyond near" there "$(run_ssh -A near ssh -F "$dir/ssh_config" far echo there 2>&1)"
    fails "-h over two hops: not to far at once" run_ssh far true
    fails "-h over two hops: a local program gets no signature" ssh-keygen -q -Y sign -f ed25519.pub -n test data
    ssh-add -q -D 2>/dev/null
}

signing() {
    for type in ed25519 ecdsa256 rsa2048; do
        ssh-add -q "$type"
        rm -f data.sig
        succeeds "ssh-keygen -Y sign, $type" ssh-keygen -q -Y sign -f "$type.pub" -n test data
        ssh-keygen -q -Y check-novalidate -n test -s data.sig <data >/dev/null 2>&1
        check "ssh-keygen -Y verify, $type" 0 $?
    done
    succeeds "git init" git init -q repository
    git -C repository config user.name someone
    git -C repository config user.email someone@example
    succeeds "git commit signed by the agent" git -C repository -c gpg.format=ssh -c "user.signingkey=key::$(cat ed25519.pub)" \
        commit -q --allow-empty -S -m signed
    # The user's certificates: ssh-keygen -U has the agent sign.
    ssh-add -q authority
    succeeds "ssh-keygen -U: the authority's key is in the agent" ssh-keygen -q -U -s authority.pub -I agent -n x ecdsa256.pub
    succeeds "the certificate is well formed" ssh-keygen -L -f ecdsa256-cert.pub
    rm -f ecdsa256-cert.pub
    ssh-add -q -D 2>/dev/null
}

putty() {
    for type in "${types[@]}"; do
        puttygen "$type" -O private --new-passphrase /dev/null -o "$type.ppk" 2>puttygen.log || not_ok "puttygen $type" "$(cat puttygen.log)"
        succeeds "pageant -a $type" pageant -a "$type.ppk"
    done
    check "pageant -l" 6 "$(pageant -l 2>/dev/null | grep -c SHA256)"
    check "pageant -L" "$(cut -d' ' -f1,2 rsa2048.pub)" "$(pageant -L comment:rsa2048 | cut -d' ' -f1,2)"
    printf data | pageant --test-sign comment:ed25519 >signature
    check "pageant --test-sign" ssh-ed25519 "$(head -c 15 signature | tail -c 11)"
    printf data | pageant --test-sign-with-flags=4 comment:rsa2048 >signature
    check "pageant --test-sign-with-flags" rsa-sha2-512 "$(head -c 16 signature | tail -c 12)"
    succeeds "pageant -d" pageant -d comment:ecdsa256
    check "pageant -d removes one" 5 "$(pageant -l 2>/dev/null | grep -c SHA256)"
    succeeds "pageant -D" pageant -D
    check "pageant -D removes all" 0 "$(count)"
    # Deferred: PPK kept encrypted until the first use.
    echo secret >passphrase
    puttygen ed25519 -O private --new-passphrase passphrase --ppk-param memory=1024,passes=3 -C deferred -o locked.ppk
    succeeds "pageant -a --encrypted" pageant -a --encrypted locked.ppk
    contains "pageant -l: encrypted" encrypted "$(pageant -l 2>/dev/null)"
    echo wrong >answer
    fails "a deferred key, wrong passphrase" ssh-add -T ed25519.pub
    echo secret >answer
    succeeds "a deferred key is opened at its first use" ssh-add -T ed25519.pub
    contains "pageant -l: re-encryptable" re-encryptable "$(pageant -l 2>/dev/null)"
    echo wrong >answer
    succeeds "an opened key asks no more" ssh-add -T ed25519.pub
    succeeds "pageant -r" pageant -r comment:deferred
    fails "re-encrypted: asked again" ssh-add -T ed25519.pub
    echo secret >answer
    succeeds "re-encrypted: opened again" ssh-add -T ed25519.pub
    succeeds "pageant -R" pageant -R
    check "pageant -R: encrypted" 1 "$(pageant -l 2>/dev/null | grep -c 'deferred.*encrypted')"
    check "plink with a deferred key" here "$(run_plink near echo here)"
    pageant -D
    pageant -a rsa2048.ppk
    check "plink with rsa" here "$(run_plink near echo here)"
    check "plink -A: the agent at the far side" 1 "$(run_plink near -A ssh-add -l | grep -c SHA256)"
    pageant -D
}
# run_plink HOST [OPTION] COMMAND...
run_plink() {
    local port_of=port_$1
    shift
    local -a options=()
    while [ "${1#-}" != "$1" ]; do options+=("$1"); shift; done
    timeout 60 plink -batch -ssh -P "${!port_of}" -hostkey "$(ssh-keygen -lf host_near.pub | cut -d' ' -f2)" -agent "${options[@]}" \
        "$user@127.0.0.1" "$@" 2>&1
}

# Our client, other agents.
others() {
    local client=$build/tests/interop/agent-client mine=$SSH_AUTH_SOCK
    [ -x "$client" ] || { not_ok "agent-client" "$client is not built"; return; }
    # --exec: the agent lives as long as the command.
    # shellcheck disable=SC2016
    timeout 60 pageant ed25519.ppk rsa2048.ppk --exec sh -c '"$1" list >pageant.list 2>&1
        "$1" sign ed25519.pub ssh-ed25519 >pageant.ed25519 2>&1
        "$1" sign rsa2048.pub rsa-sha2-512 >pageant.rsa 2>&1' sh "$client" </dev/null
    check "pageant as the agent: list" "$(cut -d' ' -f2 ed25519.pub rsa2048.pub | sort)" "$(cut -d' ' -f2 pageant.list | sort)"
    check "pageant as the agent: ed25519" "ssh-ed25519 64" "$(cat pageant.ed25519)"
    check "pageant as the agent: rsa" "rsa-sha2-512 256" "$(cat pageant.rsa)"
    mkdir -m 700 gnupg
    (
        export GNUPGHOME=$dir/gnupg
        echo enable-ssh-support >gnupg/gpg-agent.conf
        gpg --batch --quiet --passphrase '' --quick-gen-key someone ed25519 auth never
        gpg --batch --with-keygrip --list-keys --with-colons | sed -n 's/^grp:*\([0-9A-F]*\):$/\1/p' >gnupg/sshcontrol
        gpgconf --kill gpg-agent
        gpgconf --launch gpg-agent
    ) >gpg.log 2>&1
    SSH_AUTH_SOCK=$(GNUPGHOME=$dir/gnupg gpgconf --list-dirs agent-ssh-socket)
    "$client" list >gpg.list 2>&1
    check "gpg-agent as the agent: list" ssh-ed25519 "$(cut -d' ' -f1 gpg.list)"
    cp gpg.list gpg.pub
    check "gpg-agent as the agent: sign" "ssh-ed25519 64" "$("$client" sign gpg.pub ssh-ed25519 2>&1)"
    GNUPGHOME=$dir/gnupg gpgconf --kill gpg-agent
    SSH_AUTH_SOCK=$mine
}

# What agent-getpeereid.sh and agent-ptrace.sh of OpenSSH look at.
closed() {
    ssh-add -q ed25519
    if [ "$(id -u)" = 0 ]; then
        chmod 666 "$SSH_AUTH_SOCK"
        fails "another user's connection is refused" setpriv --reuid 65534 --clear-groups ssh-add -l
        succeeds "its own user's is not" ssh-add -l
        cp "$agent" agent.copy
        chmod 755 agent.copy
        mkdir -m 700 nobody
        chown 65534 nobody
        ASAN_OPTIONS=detect_leaks=0 HOME=$dir/nobody setpriv --reuid 65534 --clear-groups "$dir/agent.copy" -D -a nobody/agent.sock >nobody.log 2>&1 &
        local other=$!
        pids[other]=1
        wait_for 5 test -S nobody/agent.sock
        fails "no other process of the user reads its memory" setpriv --reuid 65534 --clear-groups cat /proc/$other/maps
        end_process $other
    else
        fails "no other process of the user reads its memory" cat /proc/$server/maps
    fi
    check "no core files" 0 "$(sed -n 's/^Max core file size *\([0-9a-z]*\).*/\1/p' /proc/$server/limits)"
}

printf data >data
make_keys
cat ./*.pub >authorized_keys
: >known_hosts >ssh_config
start_host near
start_host far
finish_ssh_config
start_agent
openssh_add
openssh_lock
openssh_login
signing
putty
others
closed
if [ -d "$here/../node_modules/ssh2" ]; then
    ssh-add -q ed25519 rsa2048 ecdsa256 2>/dev/null
    timeout 60 node "$here/agent-ssh2.js" "$here/../node_modules/ssh2" "$SSH_AUTH_SOCK" "$port_near" "$user" || failures=$((failures + 1))
    ssh-add -q -D 2>/dev/null
else
    not_ok "npm ssh2" "it is not in tests/node_modules; tests/install-packages test fetches it"
fi
PYTHONDONTWRITEBYTECODE=1 timeout 120 /usr/bin/python3 "$here/agent-clients.py" "$dir" "$port_near" $server || failures=$((failures + 1))

ssh-add -q ed25519
kill -USR1 $server
wait_for 2 eval '[ "$(count)" = 0 ]'
check "SIGUSR1 drops the keys" 0 "$(count)"

end_process $server
status=$?
if ! no_sanitizer_in agent.log >said; then
    not_ok "ends at SIGTERM" "$(head -60 said)"
elif [ $status != 0 ] && [ $status != 2 ]; then # OpenSSH's ends with 2
    not_ok "ends at SIGTERM" "status $status: $(tail -5 agent.log)"
elif [ -e "$SSH_AUTH_SOCK" ]; then
    not_ok "ends at SIGTERM" "the socket is still there"
else
    ok "ends at SIGTERM"
fi
finish
