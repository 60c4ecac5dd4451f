#!/usr/bin/env bash
# client.sh BUILDDIR: an application's own sign-in, its programs and what it is told, against OpenSSH's sshd and dropbear.
set -u
. "$(dirname "$0")/../lib.sh"
need "$sshd" ssh-agent ssh-add ssh-keygen dropbear dropbearkey
begin "$1"
client=$build/tests/interop/client
unset LANG LC_ALL

key ed25519 host
key rsa host_rsa -b 2048
key ecdsa host_ecdsa -b 256
key ed25519 first
key ed25519 second
key ed25519 stranger
cat "$dir"/{first,second}.pub >"$dir/authorized"
common=("AuthorizedKeysFile $dir/authorized" "HostKey $dir/host")
start_sshd all "${common[@]}" "HostKey $dir/host_rsa" "HostKey $dir/host_ecdsa" 'MaxSessions 2' 'AcceptEnv LANYARD_*'
start_sshd two "${common[@]}" 'AuthenticationMethods publickey,publickey'
start_ssh_agent "$dir/agent"
SSH_AUTH_SOCK=$dir/agent ssh-add -q "$dir/stranger" "$dir/first" "$dir/second"

run() { timeout 60 "$client" "$@" >"$dir/got" 2>&1 </dev/null || echo "ended with $?" >>"$dir/got"; }
got() { grep -v '^host key\|^keys by\|^proven\|^next' "$dir/got"; }

# --- host keys
run -p "$port_all" -k "$dir/first" "$user@127.0.0.1" 'sleep 0.3'
check 'the three host keys are proven' "$(printf 'proven %s\n' ssh-ed25519 ssh-rsa ecdsa-sha2-nistp256)" "$(grep ^proven "$dir/got")"
check 'the host key is asked about once' 1 "$(grep -c '^host key' "$dir/got")"
contains 'sshd is known for OpenSSH' "ready, OpenSSH's" "$(got)"

# --- attempts
run -p "$port_all" -k "$dir/stranger" -w wrong -k "$dir/first" "$user@127.0.0.1" 'echo hello'
check 'attempts follow one another' "next first |next publickey|next publickey|" "$(grep '^next' "$dir/got" | tr '\n' '|')"
contains 'the third is right' '0 out: hello' "$(got)"
run -p "$port_all" -k "$dir/stranger" "$user@127.0.0.1" true
contains 'the sentence says why' \
    "closed for good: sign-in to $user@127.0.0.1 failed: tried publickey (1 key: not accepted); the server still offers publickey" "$(got)"
export SSH_AUTH_SOCK=$dir/agent
run -p "$port_two" -A -A "$user@127.0.0.1" 'echo hello'
check 'defect 8: an agent, and a partial success' 'next first |next partial publickey|' "$(grep '^next' "$dir/got" | tr '\n' '|')"
contains 'defect 8: the second key' '0 out: hello' "$(got)"
run -p "$port_two" -A "$user@127.0.0.1" true
contains 'defect 8: one is not enough' 'tried publickey (2 keys: not accepted, accepted, but not enough)' "$(got)"
run -p "$port_all" -A -a "$user@127.0.0.1" 'for i in 1 2 3; do ssh-add -l | grep -c SHA256 & done; wait'
check 'the agent is forwarded, to several at once' 3 "$(got | grep -c '0 out: 3$')"
unset SSH_AUTH_SOCK
run -p "$port_all" -k "$dir/first" -a "$user@127.0.0.1" 'ssh-add -l'
contains 'without an agent the program runs all the same' 'log: agent forwarding: there is no agent' "$(got)"
contains 'without an agent' '0 exit 2' "$(got)"
run -p "$port_two" -k "$dir/first" -k "$dir/second" "$user@127.0.0.1" 'echo hello'
contains 'two keys' '0 out: hello' "$(got)"

# --- programs
run -p "$port_all" -k "$dir/first" -e LANYARD_A=one -e 'LANYARD_B=two words' "$user@127.0.0.1" 'echo "$LANYARD_A,$LANYARD_B"; echo no >&2; exit 7'
contains 'two variables' '0 out: one,two words' "$(got)"
contains 'stderr apart' '0 err: no' "$(got)"
contains 'exit status' '0 exit 7' "$(got)"
run -p "$port_all" -k "$dir/first" -t vt100 "$user@127.0.0.1" 'echo "$TERM"; stty size; stty -a | tr " ;" "\n\n" | grep "^-*echo$\|^-*iutf8$" | tr "\n" " "'
check 'a terminal, its size and modes' '0 out: vt100|0 out: 50 100|0 out: iutf8 -echo |0 exit 0|' "$(got | grep -v ready | tr '\n' '|')"
run -p "$port_all" -k "$dir/first" "$user@127.0.0.1" 'kill -TERM $$'
contains 'the signal that ended it' '0 signal TERM' "$(got)"
run -p "$port_all" -k "$dir/first" -n 3 "$user@127.0.0.1" 'sleep 1'
check 'defect 23: over MaxSessions' \
    '2 error: the server refused to open a session: open failed; it has 2 of this connection already, and servers limit that (sshd: MaxSessions)' \
    "$(got | grep error)"
check 'defect 23: the others go on' 2 "$(got | grep -c 'exit 0')"
run -p "$port_all" -k "$dir/first" -m "$user@127.0.0.1" 'sleep 5'
contains 'no-more-sessions is heard' 'Possible attack' "$(got)"
run -p "$port_all" -k "$dir/first" -R "$user@127.0.0.1" true
contains 'a key exchange on demand' 'keys anew by' "$(cat "$dir/got")"

# --- dropbear, which is no OpenSSH
dropbearkey -t ed25519 -f "$dir/dropbear_host" >/dev/null 2>&1
mkdir -p "$HOME/.ssh"
chmod 700 "$HOME" "$HOME/.ssh"
cp "$dir/authorized" "$HOME/.ssh/authorized_keys"
chmod 600 "$HOME/.ssh/authorized_keys"
dropbear_listens() { port_answers "$port"; }
run_dropbear() { dropbear -F -E -s -r "$dir/dropbear_host" -p "127.0.0.1:$port" -P "$dir/dropbear_pid" >"$dir/log_$1" 2>&1 & }
start_at_port dropbear dropbear_listens run_dropbear dropbear
run -p "$port_dropbear" -k "$dir/stranger" -m "$user@127.0.0.1" true
check 'dropbear is not taken for OpenSSH, and refuses in words' \
    "closed for good: sign-in to $user@127.0.0.1 failed: tried publickey (1 key: not accepted); the server still offers publickey|" \
    "$(got | tr '\n' '|')"
no_sanitizer_in "$dir/got" >"$dir/said" || not_ok sanitizer "$(head -n 20 "$dir/said")"
finish
