#!/usr/bin/env bash
# agent-client.sh PROGRAM: core/agent's client against OpenSSH's ssh-agent, with keys that ssh-keygen made.
set -eu
program=$1
for tool in ssh-agent ssh-add ssh-keygen; do
    command -v $tool >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
done

dir=$(mktemp -d)
agent=
cleanup() {
    if [ -n "$agent" ]; then kill "$agent" 2>/dev/null || true; fi
    rm -rf "$dir"
}
trap cleanup EXIT
fail() { echo "FAIL: $*"; exit 1; }

export SSH_AUTH_SOCK=$dir/agent
ssh-agent -D -a "$SSH_AUTH_SOCK" >"$dir/agent.log" 2>&1 &
agent=$!
for _ in $(seq 100); do [ -S "$SSH_AUTH_SOCK" ] && break; sleep 0.05; done

# Nothing in it yet.
[ -z "$("$program" list)" ] || fail "an empty agent listed something"

ssh-keygen -q -t ed25519 -N '' -C 'one key' -f "$dir/ed25519"
ssh-keygen -q -t rsa -b 2048 -N '' -C 'another key' -f "$dir/rsa"
ssh-keygen -q -t ecdsa -b 256 -N '' -C 'a third' -f "$dir/ecdsa"
ssh-add -q "$dir/ed25519" "$dir/rsa" "$dir/ecdsa" 2>"$dir/add.log" || fail "ssh-add: $(cat "$dir/add.log")"

# As ssh-add -L: type, blob, comment.
"$program" list >"$dir/ours"
ssh-add -L >"$dir/theirs"
diff "$dir/theirs" "$dir/ours" || fail "the lists differ"

# Ask for signatures; the program checks their form, ssh-keygen could not: the data is not an SSHSIG.
"$program" sign "$dir/ed25519.pub" ssh-ed25519 >"$dir/out"
grep -qx 'ssh-ed25519 64' "$dir/out" || fail "ed25519: $(cat "$dir/out")"
for algorithm in rsa-sha2-256 rsa-sha2-512 ssh-rsa; do
    "$program" sign "$dir/rsa.pub" $algorithm >"$dir/out"
    grep -qx "$algorithm 256" "$dir/out" || fail "$algorithm: $(cat "$dir/out")"
done
"$program" sign "$dir/ecdsa.pub" ecdsa-sha2-nistp256 >"$dir/out"
grep -q '^ecdsa-sha2-nistp256 [67][0-9]$' "$dir/out" || fail "ecdsa: $(cat "$dir/out")"

# A key that it does not hold, and one that it gave up: refused, with a sentence.
ssh-keygen -q -t ed25519 -N '' -C 'unknown' -f "$dir/unknown"
if "$program" sign "$dir/unknown.pub" ssh-ed25519 >"$dir/out" 2>&1; then fail "signed with an unknown key"; fi
grep -q 'the agent refused to sign' "$dir/out" || fail "unknown key: $(cat "$dir/out")"

# session-bind with a signature that does not verify is refused by OpenSSH's agent, so it read what we sent.
if "$program" bind "$dir/unknown.pub" >"$dir/out" 2>&1; then fail "bound without a valid signature"; fi
grep -q 'the agent refused' "$dir/out" || fail "bind: $(cat "$dir/out")"

# The agent goes away.
kill "$agent"
wait "$agent" 2>/dev/null || true
agent=
if "$program" list >"$dir/out" 2>&1; then fail "listed without an agent"; fi
grep -q "no agent: cannot connect to $SSH_AUTH_SOCK" "$dir/out" || fail "no agent: $(cat "$dir/out")"
echo "ok"
