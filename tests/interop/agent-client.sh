#!/usr/bin/env bash
# agent-client.sh BUILD: core/agent's client against OpenSSH's ssh-agent, with keys that ssh-keygen made.
set -u
. "$(dirname "$0")/../lib.sh"
need ssh-agent ssh-add ssh-keygen
begin "$1"
program=$build/tests/interop/agent-client
export SSH_AUTH_SOCK=$dir/agent
start_ssh_agent "$SSH_AUTH_SOCK"

check 'an empty agent lists nothing' '' "$("$program" list 2>&1)"
key ed25519 ed25519 -C 'one key'
key rsa rsa -b 2048 -C 'another key'
key ecdsa ecdsa -b 256 -C 'a third'
succeeds ssh-add ssh-add -q "$dir/ed25519" "$dir/rsa" "$dir/ecdsa"
check 'the list: type, blob, comment' "$(ssh-add -L)" "$("$program" list 2>&1)"

# Ask for signatures; the program checks their form, ssh-keygen could not: the data is not an SSHSIG.
check 'sign with ed25519' 'ssh-ed25519 64' "$("$program" sign "$dir/ed25519.pub" ssh-ed25519 2>&1)"
for algorithm in rsa-sha2-256 rsa-sha2-512 ssh-rsa; do
    check "sign with $algorithm" "$algorithm 256" "$("$program" sign "$dir/rsa.pub" $algorithm 2>&1)"
done
check 'sign with ecdsa' 'ecdsa-sha2-nistp256 N' "$("$program" sign "$dir/ecdsa.pub" ecdsa-sha2-nistp256 2>&1 | sed 's/ [67][0-9]$/ N/')"

# A key that it does not hold: refused, with a sentence.
key ed25519 unknown
fails 'an unknown key' "$program" sign "$dir/unknown.pub" ssh-ed25519
contains 'an unknown key: said' 'the agent refused to sign' "$(cat "$dir/said")"
# session-bind with a signature that does not verify is refused by OpenSSH's agent, so it read what we sent.
fails 'bound without a valid signature' "$program" bind "$dir/unknown.pub"
contains 'bound without a valid signature: said' 'the agent refused' "$(cat "$dir/said")"
end_process "$ssh_agent"
fails 'without an agent' "$program" list
contains 'without an agent: said' "no agent: cannot connect to $SSH_AUTH_SOCK" "$(cat "$dir/said")"
finish
