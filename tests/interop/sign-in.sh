#!/usr/bin/env bash
# sign-in.sh BUILDDIR: LyDestination and LyClient against OpenSSH's sshd, agent and keys: what is tried in which order, host keys,
# proxies, and the sentences when it does not work. Prints "ok NAME" or "not ok NAME: why".
set -u
. "$(dirname "$0")/../lib.sh"
need "$sshd" ssh ssh-agent ssh-add ssh-keygen setsid
begin "$1"
connect=$build/tests/interop/connect

# --- keys
key ed25519 host
key ed25519 host2
key rsa host_rsa -b 2048
key ed25519 host_ca
key ed25519 host_certified
key ed25519 plain
key rsa rsa -b 2048
key ecdsa ecdsa -b 384
key ed25519 locked -N 'open sesame' -a 4
key rsa locked_pem -N 'open sesame' -b 2048 -m PEM
rm "$dir/locked_pem.pub" # so that its public half is hidden
ssh-keygen -y -P 'open sesame' -f "$dir/locked_pem" >"$dir/locked_pem.public"
key ed25519 stranger
key ed25519 stranger2
key ed25519 in_agent
key ed25519 user_ca
key ed25519 certified
key rsa certified_rsa -b 2048
ssh-keygen -q -s "$dir/user_ca" -I test -n "$user" "$dir/certified.pub" "$dir/certified_rsa.pub"
ssh-keygen -q -s "$dir/host_ca" -I test -h -n 127.0.0.1 "$dir/host_certified.pub"
cat "$dir"/{plain,rsa,ecdsa,locked,in_agent}.pub "$dir/locked_pem.public" >"$dir/authorized"
echo "cert-authority $(cat "$dir/user_ca.pub")" >>"$dir/authorized"

# --- servers
server() { start_sshd "$1" "${@:3}" "HostKey $dir/$2" "AuthorizedKeysFile $dir/authorized" 'MaxAuthTries 20'; } # NAME HOSTKEY [LINE...]
server a host "AllowTcpForwarding yes"
server b host2
server cert host_certified "HostCertificate $dir/host_certified-cert.pub"
server rsa host_rsa
server both host_rsa "HostKey $dir/host"
server two host "AuthenticationMethods publickey,publickey"
server tries host "MaxAuthTries 2"
server grace host "LoginGraceTime 2"
: "${port_a:?}" "${port_b:?}" "${port_cert:?}" "${port_rsa:?}" "${port_both:?}" "${port_two:?}" "${port_tries:?}" "${port_grace:?}"

{
    known_line "$port_a" host
    known_line "$port_b" host2
    known_line "$port_two" host
    known_line "$port_tries" host
    known_line "$port_grace" host
} >"$dir/known"

# --- askpass
cat >"$dir/askpass" <<EOF
#!/bin/sh
echo "\$1" >>"$dir/asked"
n=\$(wc -l <"$dir/answers")
head -n 1 "$dir/answers"
sed -i 1d "$dir/answers"
[ "\$n" -gt 0 ]
EOF
chmod +x "$dir/askpass"
: >"$dir/asked"
answers() {
    printf '%s\n' "$@" >"$dir/answers"
    : >"$dir/asked"
    export SSH_ASKPASS=$dir/askpass SSH_ASKPASS_REQUIRE=force
}
no_answers() { unset SSH_ASKPASS SSH_ASKPASS_REQUIRE; }

# --- the checks. setsid: no terminal, whatever runs this.
base=(-F none -o "UserKnownHostsFile=$dir/known" -o GlobalKnownHostsFile=none -o IdentityAgent=none)
attempt() { # STATUS COMMAND...: runs, leaves $dir/out and $dir/err; false when the status is another
    local wanted=$1 status
    shift
    setsid -w timeout 60 "$connect" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    status=$?
    [ $status = "$wanted" ] && return 0
    why="exit status $status, not $wanted; $(tail -n 12 "$dir/err" | tr '\n' '|')"
    return 1
}
says() { # TEXT: in stderr
    grep -qF -- "$1" "$dir/err" && return 0
    why="does not say \"$1\" but \"$(tail -n 5 "$dir/err" | tr '\n' '|')\""
    return 1
}
gave() { # TEXT: stdout
    [ "$(cat "$dir/out")" = "$1" ] && return 0
    why="stdout is \"$(head -c 300 "$dir/out")\""
    return 1
}
asked() { # COUNT [TEXT]
    local count
    count=$(grep -c '?\|: $\|:$' "$dir/asked")
    if [ "$count" != "$1" ]; then
        why="asked $count times, not $1: $(tr '\n' '|' <"$dir/asked")"
        return 1
    fi
    [ $# -lt 2 ] || grep -qF -- "$2" "$dir/asked" || { why="asked \"$(cat "$dir/asked")\""; return 1; }
}
id() { echo "IdentityFile=$dir/$1"; }

# --- identities
t_key() { attempt 0 "${base[@]}" -p "$port_a" -i "$dir/$1" 127.0.0.1 'echo hello; exit 0' && gave hello; }
succeeds key-ed25519 t_key plain
succeeds key-rsa t_key rsa
succeeds key-ecdsa t_key ecdsa
t_status() { attempt 7 "${base[@]}" -p "$port_a" -i "$dir/plain" 127.0.0.1 'exit 7'; }
succeeds exit-status t_status
t_bulk() {
    attempt 0 "${base[@]}" -o RekeyLimit=1M -p "$port_a" -i "$dir/plain" 127.0.0.1 'head -c 10000000 /dev/zero' &&
        [ "$(md5sum <"$dir/out")" = "$(head -c 10000000 /dev/zero | md5sum)" ]
}
succeeds bulk-with-rekeys t_bulk
t_compressed() {
    attempt 0 "${base[@]}" -o Compression=yes -p "$port_a" -i "$dir/plain" 127.0.0.1 'seq 100000' &&
        [ "$(md5sum <"$dir/out")" = "$(seq 100000 | md5sum)" ]
}
succeeds compression t_compressed
t_second_key() { attempt 0 "${base[@]}" -p "$port_a" -i "$dir/stranger" -i "$dir/plain" 127.0.0.1 'echo hello' && gave hello; }
succeeds second-identity t_second_key

t_locked() {
    answers 'open sesame'
    attempt 0 "${base[@]}" -n 3 -p "$port_a" -i "$dir/$1" 127.0.0.1 'echo hello' && gave $'hello\nhello\nhello' &&
        asked 1 "Enter passphrase for key '$dir/$1'"
}
succeeds encrypted-key-asked-once-for-three-connections t_locked locked
succeeds encrypted-pem-with-hidden-public-half t_locked locked_pem
t_locked_retry() {
    answers wrong 'open sesame'
    attempt 0 "${base[@]}" -p "$port_a" -i "$dir/locked" 127.0.0.1 'echo hello' && asked 2 "That was wrong"
}
succeeds encrypted-key-second-answer t_locked_retry
t_locked_limit() {
    answers wrong wrong wrong wrong
    attempt 254 "${base[@]}" -o NumberOfPasswordPrompts=2 -p "$port_a" -i "$dir/locked" 127.0.0.1 'echo hello' && asked 2 &&
        says 'failed: tried publickey (1 key'
}
succeeds encrypted-key-prompts-limited t_locked_limit
t_locked_unwanted() {
    answers 'open sesame'
    cp "$dir/locked" "$dir/locked_stranger" && cp "$dir/locked.pub" "$dir/locked_stranger.pub"
    attempt 0 "${base[@]}" -p "$port_a" -i "$dir/plain" -i "$dir/locked" 127.0.0.1 'echo hello' && asked 0
}
succeeds encrypted-key-not-asked-when-not-needed t_locked_unwanted
t_batch() {
    answers 'open sesame'
    attempt 254 "${base[@]}" -o BatchMode=yes -p "$port_a" -i "$dir/locked" 127.0.0.1 'echo hello' && asked 0
}
succeeds batch-mode-asks-nothing t_batch
no_answers

t_open_mode() {
    cp "$dir/plain" "$dir/too_open" && chmod 644 "$dir/too_open"
    attempt 254 "${base[@]}" -p "$port_a" -i "$dir/too_open" 127.0.0.1 true && says 'UNPROTECTED PRIVATE KEY FILE' && says too_open
}
succeeds key-readable-by-others-refused t_open_mode
t_rsa_size() {
    attempt 254 "${base[@]}" -v -o RequiredRSASize=3072 -p "$port_a" -i "$dir/rsa" 127.0.0.1 true && says RequiredRSASize
}
succeeds required-rsa-size t_rsa_size
t_pubkey_off() {
    attempt 254 "${base[@]}" -o PubkeyAuthentication=no -p "$port_a" -i "$dir/plain" 127.0.0.1 true &&
        says 'there was nothing to try; the server still offers publickey'
}
succeeds pubkey-authentication-no t_pubkey_off

# --- certificates
t_certificate() { attempt 0 "${base[@]}" -v -p "$port_a" -i "$dir/$1" 127.0.0.1 'echo hello' && gave hello && says "cert-v01@openssh.com)"; }
succeeds certificate-beside-the-key t_certificate certified
succeeds certificate-rsa t_certificate certified_rsa
t_certificate_file() {
    cp "$dir/certified" "$dir/apart" && cp "$dir/certified-cert.pub" "$dir/elsewhere.pub"
    attempt 0 "${base[@]}" -o "CertificateFile=$dir/elsewhere.pub" -p "$port_a" -i "$dir/apart" 127.0.0.1 'echo hello' && gave hello
}
succeeds certificate-file t_certificate_file

# --- agent
agent=$dir/agent
start_ssh_agent "$agent"
SSH_AUTH_SOCK=$agent ssh-add -q "$dir/stranger" "$dir/stranger2" "$dir/in_agent" 2>"$dir/log_add"
mv "$dir/in_agent" "$dir/in_agent.away" # only the agent has it
with_agent=(-F none -o "UserKnownHostsFile=$dir/known" -o GlobalKnownHostsFile=none)
t_agent() {
    SSH_AUTH_SOCK=$agent attempt 0 "${with_agent[@]}" -o IdentityFile=none -p "$port_a" 127.0.0.1 'echo hello' && gave hello
}
succeeds agent t_agent
t_identity_agent() { attempt 0 "${with_agent[@]}" -o "IdentityAgent=$agent" -o IdentityFile=none -p "$port_a" 127.0.0.1 'echo hello' && gave hello; }
succeeds identity-agent t_identity_agent
t_identities_only() {
    SSH_AUTH_SOCK=$agent attempt 0 "${with_agent[@]}" -v -o IdentitiesOnly=yes -i "$dir/in_agent.pub" -p "$port_a" 127.0.0.1 'echo hello' &&
        gave hello && [ "$(grep -c 'log: offering' "$dir/err")" = 1 ]
}
succeeds identities-only t_identities_only
t_identities_only_none() {
    SSH_AUTH_SOCK=$agent attempt 254 "${with_agent[@]}" -o IdentitiesOnly=yes -i "$dir/stranger.pub" -p "$port_a" 127.0.0.1 'echo hello' &&
        says 'tried publickey (1 key'
}
succeeds identities-only-filters t_identities_only_none
t_preferred() { # a key that is configured too goes before the agent's others
    SSH_AUTH_SOCK=$agent attempt 0 "${with_agent[@]}" -v -i "$dir/in_agent" -p "$port_a" 127.0.0.1 'echo hello' &&
        grep -m 1 'log: offering' "$dir/err" | grep -q in_agent
}
succeeds configured-key-of-the-agent-first t_preferred
t_agent_locked() { # the agent refuses: the file is asked for
    SSH_AUTH_SOCK=$agent ssh-add -q -c "$dir/locked" </dev/null 2>/dev/null
    attempt 0 "${with_agent[@]}" -o IdentityAgent=none -i "$dir/plain" -p "$port_a" 127.0.0.1 'echo hello'
}
succeeds identity-agent-none t_agent_locked
t_no_agent() {
    SSH_AUTH_SOCK=$dir/nothing attempt 0 "${with_agent[@]}" -i "$dir/plain" -p "$port_a" 127.0.0.1 'echo hello' && gave hello
}
succeeds agent-that-is-gone t_no_agent
t_bound() { # OpenSSH's agent refuses a key restricted to another host, and takes it for this one only with session-bind
    SSH_AUTH_SOCK=$agent ssh-add -q -D 2>/dev/null
    SSH_AUTH_SOCK=$agent ssh-add -q -H "$dir/known" -h "[127.0.0.1]:$port_a" "$dir/in_agent.away" 2>"$dir/log_add" ||
        { why=$(cat "$dir/log_add"); return 1; }
    SSH_AUTH_SOCK=$agent attempt 0 "${with_agent[@]}" -o IdentityFile=none -p "$port_a" 127.0.0.1 'echo hello' && gave hello &&
        SSH_AUTH_SOCK=$agent attempt 254 "${with_agent[@]}" -o IdentityFile=none -p "$port_b" 127.0.0.1 'echo hello'
}
succeeds key-bound-to-a-host t_bound

# --- passwords and dialogues, against asyncssh
if /usr/bin/python3 -c 'import asyncssh' 2>/dev/null; then
    /usr/bin/python3 "$(dirname "$0")/password-server.py" "$dir" >"$dir/port_asyncssh" 2>"$dir/log_asyncssh" &
    pids[$!]=1
    wait_for 10 test -s "$dir/port_asyncssh"
    port_password=$(cat "$dir/port_asyncssh")
    known_line "$port_password" host >>"$dir/known"
    by_hand=("${base[@]}" -o IdentityFile=none -p "$port_password")
    t_password() { # USER QUESTION
        answers 'open sesame'
        attempt 0 "${by_hand[@]}" -n 3 -l "$1" 127.0.0.1 x && gave $'hello\nhello\nhello' && asked 1 "$2"
    }
    succeeds password-asked-once-for-three-connections t_password simple "simple@127.0.0.1's password: "
    succeeds dialogue-of-one-prompt-asked-once t_password pam '(pam@127.0.0.1) Password: '
    t_password_retry() {
        answers wrong 'open sesame'
        attempt 0 "${by_hand[@]}" -l simple 127.0.0.1 x && asked 2
    }
    succeeds password-second-answer t_password_retry
    t_password_limit() {
        answers one two three four
        attempt 254 "${by_hand[@]}" -o NumberOfPasswordPrompts=2 -l simple 127.0.0.1 x && asked 2 &&
            says 'sign-in to simple@127.0.0.1 failed: tried password (refused); the server still offers' &&
            answers one two three four five six seven eight &&
            attempt 254 "${by_hand[@]}" -l pam 127.0.0.1 x && asked 3 && says 'tried keyboard-interactive (refused);'
    }
    succeeds password-prompts-limited t_password_limit
    t_password_off() {
        answers 'open sesame'
        attempt 254 "${by_hand[@]}" -o PasswordAuthentication=no -l simple 127.0.0.1 x && asked 0 &&
            attempt 254 "${by_hand[@]}" -o KbdInteractiveAuthentication=no -l pam 127.0.0.1 x && asked 0 &&
            attempt 254 "${by_hand[@]}" -o PreferredAuthentications=publickey -l simple 127.0.0.1 x && asked 0
    }
    succeeds password-switched-off t_password_off
    t_password_changed_host() {
        known_line "$port_password" host2 >"$dir/wrong"
        answers 'open sesame'
        attempt 254 -F none -o "UserKnownHostsFile=$dir/wrong" -o GlobalKnownHostsFile=none -o IdentityAgent=none \
            -o StrictHostKeyChecking=no -o IdentityFile=none -p "$port_password" -l simple 127.0.0.1 x && asked 0
    }
    succeeds no-password-for-a-changed-host t_password_changed_host
    t_change() {
        answers expired 'brand new' 'brand old' 'brand new' 'brand new'
        attempt 0 "${by_hand[@]}" -l changes 127.0.0.1 x && gave hello && asked 5 'must be changed' && says 'banner: It is too old'
    }
    succeeds password-change t_change
    t_dialogue() {
        answers me 1234 5678
        attempt 0 "${by_hand[@]}" -l dialogue 127.0.0.1 x && gave hello && grep -q 'Two things.x1b' "$dir/asked" &&
            grep -q 'Think first' "$dir/asked" && grep -qF '(dialogue@127.0.0.1) Pin\x07: ' "$dir/asked"
    }
    succeeds dialogue-of-two-rounds t_dialogue
    t_empty() {
        answers
        attempt 0 "${by_hand[@]}" -l empty 127.0.0.1 x && gave hello && [ ! -s "$dir/asked" ]
    }
    succeeds dialogue-without-prompts t_empty
    t_banner() {
        answers 'open sesame'
        attempt 0 "${by_hand[@]}" -l banner 127.0.0.1 x && says 'banner: Beware'
    }
    succeeds banner t_banner
    no_answers
    t_nobody() { attempt 254 "${by_hand[@]}" -l simple 127.0.0.1 x && says 'sign-in to simple@127.0.0.1 failed'; }
    succeeds password-nobody-to-ask t_nobody
else
    echo "ok passwords # SKIP asyncssh is not installed"
fi

# --- the terminal
if command -v python3 >/dev/null; then
    t_terminal() { # MODE LINE...
        python3 "$(dirname "$0")/terminal.py" "$1" 'open sesame' "$connect" "${base[@]}" -p "$port_a" -i "$dir/locked" \
            127.0.0.1 echo hello >"$dir/out" 2>&1
        shift
        for line in 'echo while asking: off' 'echo afterwards: on' 'answer shown: False' "$@"; do
            grep -qxF "$line" "$dir/out" || { why="$(tr '\n' '|' <"$dir/out")"; return 1; }
        done
    }
    succeeds terminal-answer t_terminal answer 'ended by: status 0' 'said hello: True'
    succeeds terminal-interrupted t_terminal interrupt 'ended by: signal 2'
    succeeds terminal-terminated t_terminal kill 'ended by: signal 15'
    succeeds terminal-suspended t_terminal suspend 'stopped: True echo: on' 'echo again: off' 'ended by: status 0' 'said hello: True'
else
    echo "ok terminal # SKIP python3 is not installed"
fi

# --- partial success
t_two() {
    attempt 0 "${base[@]}" -p "$port_two" -i "$dir/plain" -i "$dir/ecdsa" 127.0.0.1 'echo hello' && gave hello &&
        attempt 254 "${base[@]}" -p "$port_two" -i "$dir/plain" 127.0.0.1 'echo hello'
}
succeeds two-keys-in-turn t_two

# --- failed sign-in
t_failed() {
    attempt 254 "${base[@]}" -p "$port_a" -i "$dir/stranger" -i "$dir/stranger2" 127.0.0.1 true &&
        says "sign-in to $user@127.0.0.1 failed: tried publickey (2 keys: not accepted); the server still offers publickey"
}
succeeds failed-sign-in-sentence t_failed
t_tries() {
    attempt 254 "${base[@]}" -p "$port_tries" -i "$dir/stranger" -i "$dir/stranger2" -i "$dir/plain" 127.0.0.1 true &&
        says 'tried publickey' && says 'Too many authentication failures'
}
succeeds too-many-failures t_tries

t_grace() { # the server loses patience while a person is asked
    answers 'open sesame'
    printf '#!/bin/sh\nsleep 5\necho x\n' >"$dir/slow"
    chmod +x "$dir/slow"
    local start=$SECONDS
    SSH_ASKPASS=$dir/slow attempt 255 "${base[@]}" -p "$port_grace" -i "$dir/locked" 127.0.0.1 true &&
        says ', during the sign-in: the server closed the connection' && [ $((SECONDS - start)) -lt 5 ]
}
succeeds server-gives-up-while-asking t_grace
no_answers

# --- host keys
fresh() { rm -f "$dir/fresh"; fresh_base=(-F none -o "UserKnownHostsFile=$dir/fresh" -o GlobalKnownHostsFile=none -o IdentityAgent=none -i "$dir/plain"); }
t_changed() {
    { echo "# a comment"; known_line "$port_a" host2; } >"$dir/wrong"
    attempt 254 -F none -o "UserKnownHostsFile=$dir/wrong" -o IdentityAgent=none -i "$dir/plain" -p "$port_a" 127.0.0.1 true &&
        says "has changed" && says "$dir/wrong line 2" && says SHA256:
}
succeeds changed-host-key t_changed
t_changed_off() {
    attempt 0 -F none -o "UserKnownHostsFile=$dir/wrong" -o StrictHostKeyChecking=no -o IdentityAgent=none -i "$dir/plain" -p "$port_a" \
        127.0.0.1 'echo hello' && says 'warning: the host key' && gave hello
}
succeeds changed-host-key-unchecked t_changed_off
t_revoked() {
    { known_line "$port_a" host; echo "@revoked * $(cut -d' ' -f1,2 "$dir/host.pub")"; } >"$dir/wrong"
    attempt 254 -F none -o "UserKnownHostsFile=$dir/wrong" -o IdentityAgent=none -i "$dir/plain" -p "$port_a" 127.0.0.1 true && says revoked
}
succeeds revoked-host-key t_revoked
t_revoked_file() { # STATUS KIND NAME...: a file of RevokedHostKeys with these keys
    local name
    for name in "${@:3}"; do cat "$dir/$name.pub"; done >"$dir/revoked"
    [ "$2" = text ] || { ssh-keygen -q -k -f "$dir/revoked.krl" "$dir/revoked" && mv "$dir/revoked.krl" "$dir/revoked"; } || return 1
    attempt "$1" "${base[@]}" -o StrictHostKeyChecking=no -o "RevokedHostKeys=$dir/revoked" -i "$dir/plain" -p "$port_a" 127.0.0.1 'echo hello' &&
        if [ "$1" = 0 ]; then gave hello; else says "the host key of '127.0.0.1'" && says "is revoked by $dir/revoked"; fi
}
succeeds revoked-host-keys-text t_revoked_file 254 text stranger host
succeeds revoked-host-keys-text-others t_revoked_file 0 text stranger host2
succeeds revoked-host-keys-krl t_revoked_file 254 krl stranger host
succeeds revoked-host-keys-krl-others t_revoked_file 0 krl stranger host2
t_revoked_certificate() { # STATUS LINE...: what ssh-keygen -k puts in a list about a host certificate
    local status=$1
    shift
    printf '%s\n' "$@" >"$dir/list"
    ssh-keygen -q -k -f "$dir/revoked" -s "$dir/host_ca.pub" "$dir/list" || return 1
    echo "@cert-authority [127.0.0.1]:$port_cert,127.0.0.1 $(cut -d' ' -f1,2 "$dir/host_ca.pub")" >"$dir/ca"
    attempt "$status" -F none -o "UserKnownHostsFile=$dir/ca" -o StrictHostKeyChecking=yes -o IdentityAgent=none -o "RevokedHostKeys=$dir/revoked" \
        -i "$dir/plain" -p "$port_cert" 127.0.0.1 'echo hello' &&
        if [ "$status" = 0 ]; then gave hello; else says "the host certificate of '127.0.0.1'" && says "is revoked by $dir/revoked"; fi
}
succeeds revoked-host-certificate-by-id t_revoked_certificate 254 'id: test'
succeeds revoked-host-certificate-by-ca t_revoked_certificate 254 "key: $(cat "$dir/host_ca.pub")"
succeeds revoked-host-certificate-by-key t_revoked_certificate 254 "sha256: $(cat "$dir/host_certified.pub")"
succeeds revoked-host-certificate-others t_revoked_certificate 0 'id: tests' 'serial: 1-1000' "$(cat "$dir/host.pub")"
t_revoked_unreadable() {
    attempt "$1" "${base[@]}" -o "RevokedHostKeys=$2" -i "$dir/plain" -p "$port_a" 127.0.0.1 'echo hello' &&
        if [ "$1" = 0 ]; then gave hello; else says "RevokedHostKeys: " && says "$2"; fi
}
head -c 20 /dev/urandom >"$dir/noise"
succeeds revoked-host-keys-missing t_revoked_unreadable 254 "$dir/nothing-here"
succeeds revoked-host-keys-damaged t_revoked_unreadable 254 "$dir/noise"
succeeds revoked-host-keys-none t_revoked_unreadable 0 none
t_unknown_yes() {
    fresh
    attempt 254 "${fresh_base[@]}" -o StrictHostKeyChecking=yes -p "$port_a" 127.0.0.1 true && says 'StrictHostKeyChecking' && [ ! -e "$dir/fresh" ]
}
succeeds unknown-host-key-strict t_unknown_yes
t_unknown_nobody() {
    fresh
    no_answers
    attempt 254 "${fresh_base[@]}" -p "$port_a" 127.0.0.1 true && says 'not known' && [ ! -e "$dir/fresh" ]
}
succeeds unknown-host-key-nobody-to-ask t_unknown_nobody
t_ask() { # ANSWER
    fresh
    answers "$1"
    attempt 0 "${fresh_base[@]}" -n 2 -p "$port_a" 127.0.0.1 'echo hello' && gave $'hello\nhello' && asked 1 SHA256: &&
        [ "$(cat "$dir/fresh")" = "$(known_line "$port_a" host)" ] && [ "$(stat -c %a "$dir/fresh")" = 600 ]
}
succeeds unknown-host-key-yes t_ask yes
succeeds unknown-host-key-fingerprint t_ask "$(ssh-keygen -lf "$dir/host.pub" | cut -d' ' -f2)"
t_ask_no() {
    fresh
    answers "$1" no
    attempt 254 "${fresh_base[@]}" -p "$port_a" 127.0.0.1 true && says 'not accepted' && [ ! -e "$dir/fresh" ]
}
succeeds unknown-host-key-no t_ask_no no
succeeds unknown-host-key-nonsense-then-no t_ask_no perhaps
no_answers
t_accept_new() {
    fresh
    printf 'other ssh-ed25519 AAAA' >"$dir/fresh" # a last line without its end
    attempt 0 "${fresh_base[@]}" -o StrictHostKeyChecking=accept-new -p "$port_a" 127.0.0.1 'echo hello' &&
        [ "$(tail -n 1 "$dir/fresh")" = "$(known_line "$port_a" host)" ] &&
        attempt 0 "${fresh_base[@]}" -o StrictHostKeyChecking=yes -p "$port_a" 127.0.0.1 'echo hello'
}
succeeds accept-new t_accept_new
t_hashed() {
    fresh
    attempt 0 "${fresh_base[@]}" -o StrictHostKeyChecking=accept-new -o HashKnownHosts=yes -p "$port_a" 127.0.0.1 'echo hello' &&
        grep -q '^|1|' "$dir/fresh" && ssh-keygen -F "[127.0.0.1]:$port_a" -f "$dir/fresh" >"$dir/out" &&
        attempt 0 "${fresh_base[@]}" -o StrictHostKeyChecking=yes -p "$port_a" 127.0.0.1 'echo hello'
}
succeeds hashed-known-hosts t_hashed
t_alias() {
    echo "the-alias $(cut -d' ' -f1,2 "$dir/host.pub")" >"$dir/alias"
    attempt 0 -F none -o "UserKnownHostsFile=$dir/alias" -o HostKeyAlias=the-alias -o IdentityAgent=none -i "$dir/plain" -p "$port_a" 127.0.0.1 true
}
succeeds host-key-alias t_alias
t_host_certificate() {
    echo "@cert-authority [127.0.0.1]:$port_cert,127.0.0.1 $(cut -d' ' -f1,2 "$dir/host_ca.pub")" >"$dir/ca"
    attempt 0 -v -F none -o "UserKnownHostsFile=$dir/ca" -o StrictHostKeyChecking=yes -o IdentityAgent=none -i "$dir/plain" -p "$port_cert" \
        127.0.0.1 'echo hello' && gave hello && says 'ssh-ed25519-cert-v01@openssh.com'
}
succeeds host-certificate t_host_certificate
t_preferred_host_key() { # the server has RSA and Ed25519, RSA is known: it is asked for
    known_line "$port_both" host_rsa >"$dir/prefer"
    attempt 0 -v -F none -o "UserKnownHostsFile=$dir/prefer" -o StrictHostKeyChecking=yes -o IdentityAgent=none -i "$dir/plain" -p "$port_both" \
        127.0.0.1 true && says rsa-sha2-512
}
succeeds known-host-key-type-first t_preferred_host_key
t_no_common() {
    attempt 254 "${base[@]}" -o HostKeyAlgorithms=rsa-sha2-512 -p "$port_a" -i "$dir/plain" 127.0.0.1 true
}
succeeds no-common-algorithm t_no_common

# --- the way
t_refused() {
    local port
    port=$(free_port)
    attempt 255 "${base[@]}" -p "$port" 127.0.0.1 true && says "127.0.0.1 port $port" && says 'Connection refused'
}
succeeds refused-port t_refused
t_unresolvable() { attempt 255 "${base[@]}" -o ConnectTimeout=20 nowhere.invalid true && says 'cannot resolve nowhere.invalid'; }
succeeds unresolvable-name t_unresolvable
silent=$(free_port)
python3 - "$silent" <<'EOF' &
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
time.sleep(280)
EOF
pids[$!]=1
t_timeout() {
    local start=$SECONDS
    wait_for 5 port_answers "$silent"
    attempt 255 "${base[@]}" -o ConnectTimeout=2 -p "$silent" 127.0.0.1 true && [ $((SECONDS - start)) -le 6 ]
}
succeeds connect-timeout t_timeout
t_attempts() {
    local port start=$SECONDS
    port=$(free_port)
    attempt 255 "${base[@]}" -o ConnectionAttempts=3 -p "$port" 127.0.0.1 true && [ $((SECONDS - start)) -ge 2 ]
}
succeeds connection-attempts t_attempts
t_proxy_command() {
    attempt 0 "${base[@]}" -i "$dir/plain" -p "$port_b" \
        -o "ProxyCommand=ssh -F none -o UserKnownHostsFile=$dir/known -o IdentityAgent=none -i $dir/plain -p $port_a -W %h:%p 127.0.0.1" \
        127.0.0.1 'seq 20000' && [ "$(md5sum <"$dir/out")" = "$(seq 20000 | md5sum)" ]
}
succeeds proxy-command t_proxy_command
t_proxy_fails() { attempt 255 "${base[@]}" -i "$dir/plain" -o 'ProxyCommand=echo no way >&2; false' 127.0.0.1 true && says 'no way' && says 'by ProxyCommand: '; }
succeeds proxy-command-that-fails t_proxy_fails
t_proxy_none() { attempt 0 "${base[@]}" -i "$dir/plain" -o ProxyCommand=none -p "$port_b" 127.0.0.1 'echo hello'; }
succeeds proxy-command-none t_proxy_none
cat >"$dir/jump_config" <<EOF
UserKnownHostsFile $dir/known
GlobalKnownHostsFile none
IdentityAgent none
IdentityFile $dir/plain
Host first
    HostName 127.0.0.1
    Port $port_a
Host second
    HostName 127.0.0.1
    Port $port_b
EOF
t_jump() {
    attempt 0 -F "$dir/jump_config" -o ProxyJump=first second 'seq 200000' && [ "$(md5sum <"$dir/out")" = "$(seq 200000 | md5sum)" ]
}
succeeds proxy-jump t_jump
t_jump_twice() { attempt 0 -F "$dir/jump_config" -o "ProxyJump=first,$user@127.0.0.1:$port_b" first 'echo hello' && gave hello; }
succeeds proxy-jump-over-two t_jump_twice
t_jump_url() { attempt 0 -F "$dir/jump_config" -o "ProxyJump=ssh://$user@[127.0.0.1]:$port_a" second 'echo hello' && gave hello; }
succeeds proxy-jump-url t_jump_url
t_jump_itself() { # "Host *" with a ProxyJump is read for the jump host too
    { cat "$dir/jump_config"; printf 'Host *\n ProxyJump first\n'; } >"$dir/jump_all"
    attempt 0 -F "$dir/jump_all" second 'echo hello' && gave hello && attempt 0 -F "$dir/jump_all" first 'echo hello'
}
succeeds proxy-jump-for-all-hosts t_jump_itself
t_jump_loop() {
    printf 'Host p\n ProxyJump q\nHost q\n ProxyJump p\n' >"$dir/jump_loop"
    attempt 254 -F "$dir/jump_loop" p true && says 'ProxyJump leads over more than'
}
succeeds proxy-jump-in-a-circle t_jump_loop
t_jump_unknown_host() { # the question of a hop reaches the person, and both keys are remembered
    rm -f "$dir/fresh"
    answers yes yes
    sed "s|^UserKnownHostsFile .*|UserKnownHostsFile $dir/fresh|" "$dir/jump_config" >"$dir/jump_fresh"
    attempt 0 -F "$dir/jump_fresh" -n 2 -o ProxyJump=first second 'echo hello' && asked 2 && [ "$(wc -l <"$dir/fresh")" = 2 ]
}
succeeds proxy-jump-asks-for-both t_jump_unknown_host
no_answers
t_jump_refused() {
    attempt 255 -F "$dir/jump_config" -o ProxyJump=first -p "$(free_port)" 127.0.0.1 true && says 'from the jump host'
}
succeeds proxy-jump-target-refused t_jump_refused
t_jump_sign_in() {
    attempt 254 -F "$dir/jump_config" -o "ProxyJump=nobody-here@127.0.0.1:$port_a" second true && says 'jump host' && says 'sign-in to nobody-here@127.0.0.1 failed'
}
succeeds proxy-jump-sign-in-fails t_jump_sign_in

t_cut() {
    attempt 255 "${base[@]}" -p "$port_a" -i "$dir/plain" 127.0.0.1 'kill -9 $PPID; sleep 3' && says "$user@127.0.0.1 port $port_a: "
}
succeeds connection-cut t_cut
server hop host2
hop=$sshd_pid
sed "s|^ *Port $port_a|Port $port_hop|" "$dir/jump_config" >"$dir/jump_hop"
known_line "$port_hop" host2 >>"$dir/known"
t_jump_cut() {
    (
        wait_for 10 test -e "$dir/reached"
        kill -9 $(ps -o pid= --ppid "$hop")
    ) &
    attempt 255 -F "$dir/jump_hop" -o ProxyJump=first second "touch $dir/reached; sleep 20" && says 'jump host'
}
succeeds proxy-jump-hop-cut t_jump_cut

# --- ssh_config
cat >"$dir/config" <<EOF
Host the-alias other
    HostName 127.0.0.1
    User $user
Match originalhost the-alias exec "test -e $dir/host && test %h = 127.0.0.1"
    Port $port_a
    Include $dir/included_*
Match all
    UserKnownHostsFile "$dir/known"
    IdentityAgent none
    LocalForward 1 localhost:1
EOF
echo "IdentityFile \${LY_TEST_DIR}/plain" >"$dir/included_one"
t_config() { LY_TEST_DIR=$dir attempt 0 -F "$dir/config" the-alias 'echo hello' && gave hello; }
succeeds config-with-match-exec-and-include t_config
t_config_error() {
    printf 'Port 22\nCompression perhaps\n' >"$dir/bad"
    attempt 254 -F "$dir/bad" 127.0.0.1 true && says "$dir/bad line 2"
}
succeeds config-error-names-file-and-line t_config_error
t_config_missing() { attempt 254 -F "$dir/not-there" 127.0.0.1 true && says not-there; }
succeeds config-file-missing t_config_missing
t_bad_names() { attempt 254 "${base[@]}" -l '$(id)' 127.0.0.1 true && attempt 254 "${base[@]}" -- '-oProxyCommand=x' true; }
succeeds names-that-shells-would-read t_bad_names

finish
