#!/usr/bin/env bash
# agent-regress.sh BUILD [AGENT]: OpenSSH's own regression scripts for agents (Debian's openssh-tests) with lanyard-agent in ssh-agent's place.
# Not run: agent-getpeereid and agent-ptrace (skip themselves for root, and for others without sudo): agent-peers.sh has a case for each
# of the two. agent-pkcs11 looks for softhsm2 where Debian does not put it: it is told, and skipped without softhsm2.
set -u
. "$(dirname "$0")/../lib.sh"
regress=/usr/lib/openssh/regress
[ -d $regress ] || { echo "SKIP: $regress is not there (package openssh-tests)"; exit 77; }
need ssh ssh-add ssh-keygen make perl
begin "$1"
agent=${2:-$build/agent/lanyard-agent}
# Sanitizers report into files: the scripts throw stderr away.
export ASAN_OPTIONS=$ASAN_OPTIONS:log_path=$dir/sanitizer UBSAN_OPTIONS=$UBSAN_OPTIONS:log_path=$dir/sanitizer
# The agent called by the name of ssh-agent: no subcommands.
mkdir "$dir/bin"
ln -s "$agent" "$dir/bin/ssh-agent"

# regress NAME NUMBER: one script, in a copy of its own; they sleep more than they work, so all run at once. The copy is called by the
# number because the scripts grep configuration lines by words that may stand in its path.
regress() {
    local copy=$dir/$2
    cp -a $regress "$copy"
    sed -i "s|/usr/local/lib/softhsm/libsofthsm2.so|$softhsm|" "$copy/agent-pkcs11.sh"
    local start=$SECONDS
    [ "$1" = agent-pkcs11 ] && export ASAN_OPTIONS=$ASAN_OPTIONS:fast_unwind_on_malloc=0 # in a process of its own
    timeout 170 make -s -C "$copy" .OBJDIR="$copy" .CURDIR="$copy" BUILDDIR="$copy" OBJ="$copy" TEST_SHELL=sh TEST_SSH_SSH=ssh \
        TEST_SSH_SFTPSERVER=/usr/lib/openssh/sftp-server TEST_SSH_IPV6=no TEST_SSH_ECC=yes TEST_SSH_UNSAFE_PERMISSIONS=1 \
        TEST_SSH_SSHAGENT="$dir/bin/ssh-agent" LTESTS="$1" t-exec </dev/null >"$copy.log" 2>&1
    echo $? >"$copy.status"
    echo $((SECONDS - start)) >"$copy.seconds"
}

names=(agent agent-timeout agent-restrict agent-subprocess hostkey-agent)
softhsm=/usr/lib/softhsm/libsofthsm2.so
if [ -f $softhsm ] && [ -x "$build/agent/lanyard-agent-provider" ] && command -v softhsm2-util >/dev/null; then
    names+=(agent-pkcs11)
    printf 'leak:libsofthsm2.so\n' >"$dir/suppressions" # see agent-pkcs11.sh
    export LSAN_OPTIONS=suppressions=$dir/suppressions:print_suppressions=0
fi
for number in "${!names[@]}"; do
    regress "${names[number]}" "$number" &
done
wait
for number in "${!names[@]}"; do
    name=${names[number]} log=$dir/$number.log status=$(cat "$dir/$number.status")
    if [ "$status" = 0 ] && grep -q '^ok ' "$log"; then
        ok "openssh $name"
        echo "# $(cat "$dir/$number.seconds") s"
    else
        not_ok "openssh $name" "status $status: $(tail -40 "$log")"
        for log in "$dir/$number"/failed-regress.log "$dir/$number"/failed-ssh.log; do
            [ -s "$log" ] && tail -60 "$log"
        done
    fi
done
check 'sanitizers have nothing to say' '' "$(cat "$dir"/sanitizer* 2>/dev/null | head -60)"
finish
