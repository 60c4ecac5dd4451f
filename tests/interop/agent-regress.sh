#!/usr/bin/env bash
# agent-regress.sh BUILD [AGENT]: OpenSSH's own regression scripts for agents (Debian's openssh-tests) with lanyard-agent in ssh-agent's place.
# Not run: agent-getpeereid and agent-ptrace (skip themselves for root, and for others without sudo): agent-peers.sh has a case for each
# of the two. agent-pkcs11 looks for softhsm2 where Debian does not put it: it is told, and skipped without softhsm2.
set -u
build=$(cd "$1" && pwd)
agent=${2:-$build/agent/lanyard-agent}
regress=/usr/lib/openssh/regress
[ -d $regress ] || { echo "SKIP: $regress is not there (package openssh-tests)"; exit 77; }
for tool in ssh ssh-add ssh-keygen make perl; do
    command -v $tool >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
done

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
unset SSH_AUTH_SOCK SSH_AGENT_PID DISPLAY WAYLAND_DISPLAY SSH_ASKPASS
# Sanitizers report into files: the scripts throw stderr away.
export ASAN_OPTIONS=detect_leaks=1:exitcode=99:log_path=$dir/sanitizer UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:exitcode=99:log_path=$dir/sanitizer
# The agent called by the name of ssh-agent: no subcommands.
mkdir "$dir/bin"
ln -s "$agent" "$dir/bin/ssh-agent"
failures=0

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
        echo "ok openssh $name"
        echo "# $(cat "$dir/$number.seconds") s"
    else
        failures=$((failures + 1))
        echo "not ok openssh $name: status $status: $(tail -40 "$log")"
        for log in "$dir/$number"/failed-regress.log "$dir/$number"/failed-ssh.log; do
            [ -s "$log" ] && tail -60 "$log"
        done
    fi
done
if ls "$dir"/sanitizer* >/dev/null 2>&1; then
    echo "not ok sanitizers: $(head -60 "$dir"/sanitizer*)"
    failures=$((failures + 1))
else
    echo "ok sanitizers have nothing to say"
fi
[ $failures = 0 ]
