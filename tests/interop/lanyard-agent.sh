#!/usr/bin/env bash
# lanyard-agent.sh BUILD: lanyard-agent as scripts, ssh-add, ssh, ssh-keygen and git meet it. Prints "ok NAME" or "not ok NAME: why".
set -u
. "$(dirname "$0")/server-lib.sh"
need ssh-add ssh-keygen ssh git puttygen python3
agent=$build/agent/lanyard-agent
export XDG_RUNTIME_DIR=$dir/run TMPDIR=$dir/tmp
export ASAN_OPTIONS=$ASAN_OPTIONS:log_path=$dir/asan UBSAN_OPTIONS=$UBSAN_OPTIONS:log_path=$dir/asan
mkdir -m 700 "$XDG_RUNTIME_DIR" "$TMPDIR" "$dir/only"
# start [OPTION...]: an agent in the background, in the environment.
start() {
    eval "$("$agent" -s "$@")" >/dev/null
    pids[SSH_AGENT_PID]=1
}
ends() { wait_for 5 gone "$1"; }
stop() {
    kill "$SSH_AGENT_PID"
    ends "$SSH_AGENT_PID" || not_ok "$1" "the agent does not end"
    unset SSH_AUTH_SOCK SSH_AGENT_PID
}
# signs FILE.pub: the agent does, for no private key lies beside the copy.
signs() { cp "$1" "$dir/only/key.pub" && ssh-keygen -Y sign -f "$dir/only/key.pub" -n file <"$dir/data" 2>/dev/null | grep -q 'END SSH SIGNATURE'; }
askpass() {
    cat >"$dir/askpass" <<END
#!/bin/sh
printf '%s|%s\n' "\$SSH_ASKPASS_PROMPT" "\$1" >>"$dir/asked"
$1
END
    chmod 755 "$dir/askpass"
    : >"$dir/asked"
}

echo data >"$dir/data"
keys="ed25519 ecdsa256 ecdsa384 ecdsa521 rsa"
key ed25519 ed25519 -C 'an ed25519 key'
for bits in 256 384 521; do key ecdsa ecdsa$bits -b $bits -C "ecdsa $bits"; done
key rsa rsa -b 2048 -C 'an rsa key'
key ed25519 locked -N secret -C 'a locked key'
fingerprint=$(ssh-keygen -lf "$dir/ed25519.pub" | cut -d' ' -f2)

# --- The lines, byte for byte as ssh-agent prints them ---
shape() { sed "s|[^ =;]*/agent\.[A-Za-z0-9]*|SOCKET|; s/[0-9][0-9]*/N/g"; }
for flags in -s -c ''; do
    for shell in /bin/sh /bin/tcsh; do
        SHELL=$shell "$agent" $flags >"$dir/ours"
        SHELL=$shell ssh-agent $flags >"$dir/theirs"
        for file in ours theirs; do
            kill "$(sed -n 's/^echo Agent pid \([0-9]*\);/\1/p' "$dir/$file")"
        done
        check "lines ${flags:-without a flag}, $shell" "$(shape <"$dir/theirs")" "$(shape <"$dir/ours")"
    done
done
start
case $SSH_AUTH_SOCK in
"$XDG_RUNTIME_DIR"/lanyard/agent.??????) ok "a socket of its own in XDG_RUNTIME_DIR" ;;
*) not_ok "a socket of its own in XDG_RUNTIME_DIR" "$SSH_AUTH_SOCK" ;;
esac
check "modes of directory and socket" "700 600" "$(stat -c %a "$XDG_RUNTIME_DIR/lanyard" "$SSH_AUTH_SOCK" | xargs)"
first=$SSH_AUTH_SOCK pid=$SSH_AGENT_PID
check "not dumpable" "root root" "$(stat -c '%U %G' "/proc/$pid/mem" 2>/dev/null || echo root root)"
check "no core dumps" "0 0" "$(awk '/core file/ {print $5, $6}' "/proc/$pid/limits")"
check "its directory is /" / "$(readlink "/proc/$pid/cwd")"
check "-k" "unset SSH_AUTH_SOCK;
unset SSH_AGENT_PID;
echo Agent pid $pid killed;" "$("$agent" -s -k)"
succeeds "-k ends it" ends "$pid"
check "the socket is removed" no "$([ -e "$first" ] && echo yes || echo no)"
fails "-k without a pid" env -u SSH_AGENT_PID "$agent" -k
check "-k without a pid: message" "SSH_AGENT_PID not set, cannot kill agent" "$(cat "$dir/said")"
for bad in 1 0 -5 x 99999999999 99999999999999999999999; do
    check "-k of $bad" "$(SSH_AGENT_PID=$bad ssh-agent -k 2>&1; echo $?)" "$(SSH_AGENT_PID=$bad "$agent" -k 2>&1; echo $?)"
done
unset SSH_AUTH_SOCK SSH_AGENT_PID

# --- Statuses and messages of bad command lines ---
for line in "-E foo" "-O foo" "-P a -P b"; do
    # shellcheck disable=SC2086
    check "ssh-agent $line" "$(ssh-agent $line 2>&1 | tr -d '\r'; echo "${PIPESTATUS[0]}")" "$("$agent" $line 2>&1; echo $?)"
done
for line in "-t x" "-c -s" "-d -D" "-Q" "-s true" "-k true"; do
    # shellcheck disable=SC2086
    check "status of $line" "$(ssh-agent $line >/dev/null 2>&1; echo $?)" "$("$agent" $line >/dev/null 2>&1; echo $?)"
done

# --- With a command ---
check "a command's output and status" "out 7" "$("$agent" sh -c 'printf "out "; exit 7'; echo $?)"
check "a command that is not there" "$(ssh-agent /nowhere 2>&1; echo $?)" "$("$agent" /nowhere 2>&1; echo $?)"
check "a command's environment" "yes" "$("$agent" sh -c '[ -S "$SSH_AUTH_SOCK" ] && kill -0 "$SSH_AGENT_PID" && echo yes')"
"$agent" sh -c 'echo "$SSH_AGENT_PID $SSH_AUTH_SOCK"' >"$dir/out"
read -r pid path <"$dir/out"
succeeds "the agent ends with its command" ends "$pid"
check "and removes its socket" no "$([ -e "$path" ] && echo yes || echo no)"
check "a subcommand's word behind --" 5 "$(cd "$dir" && printf '#!/bin/sh\nexit 5\n' >list && chmod 755 list && PATH=$dir:$PATH "$agent" -- list; echo $?)"
ln -s "$agent" "$dir/ssh-agent"
check "as ssh-agent, every word is a program" 5 "$(cd "$dir" && PATH=$dir:$PATH ./ssh-agent list; echo $?)"
check "options in front of a command" "a b" "$("$agent" -t 5m -E md5 echo a b)"

# --- -a, -T ---
start -a "$dir/sock"
check "-a" "$dir/sock" "$SSH_AUTH_SOCK"
fails "-a on a live socket" "$agent" -a "$dir/sock"
check "-a on a live socket: message" 1 "$(grep -c 'an agent that is alive' "$dir/said")"
succeeds "the live one lives on" sh -c "ssh-add -l | grep -q 'no identities'"
kill -KILL "$SSH_AGENT_PID"
ends "$SSH_AGENT_PID"
check "killed: a dead socket stays" yes "$([ -S "$dir/sock" ] && echo yes)"
start -a "$dir/sock"
succeeds "-a replaces a dead socket" sh -c "ssh-add -l | grep -q 'no identities'"
stop "-a"
echo text >"$dir/file"
fails "-a on a file" "$agent" -a "$dir/file"
check "which stays" text "$(cat "$dir/file")"
fails "-a in a directory that is not there" "$agent" -a "$dir/nowhere/sock"
fails "-a with a long path" "$agent" -a "$dir/$(printf 'x%.0s' $(seq 120))"
(cd "$dir" && "$agent" -s -a relative >"$dir/out")
check "-a relative: as it was given" "SSH_AUTH_SOCK=relative; export SSH_AUTH_SOCK;" "$(head -1 "$dir/out")"
pid=$(sed -n 's/^echo Agent pid \([0-9]*\);/\1/p' "$dir/out")
kill "$pid"
ends "$pid"
check "-a relative: removed at the end" no "$([ -e "$dir/relative" ] && echo yes || echo no)"
start -T
case $SSH_AUTH_SOCK in "$TMPDIR"/lanyard-??????/agent.*) ok "-T" ;; *) not_ok "-T" "$SSH_AUTH_SOCK" ;; esac
folder=$(dirname "$SSH_AUTH_SOCK")
stop "-T"
check "-T: its directory goes too" no "$([ -e "$folder" ] && echo yes || echo no)"

# --- Several sockets, Cygwin's file, relay ---
(cd "$dir" && "$agent" -s --openssh "$dir/one" --openssh "$dir/two" --cygwin cygwin >"$dir/out")
check "--openssh: the first is SSH_AUTH_SOCK" "SSH_AUTH_SOCK=$dir/one; export SSH_AUTH_SOCK;" "$(head -1 "$dir/out")"
eval "$(cat "$dir/out")" >/dev/null
pids[SSH_AGENT_PID]=1
ssh-add -q "$dir/ed25519"
check "--openssh: one agent behind both" 1 "$(SSH_AUTH_SOCK=$dir/two ssh-add -l | grep -c ED25519)"
check "--cygwin" 1 "$(SSH_AUTH_SOCK=$dir/cygwin "$agent" list | grep -c ED25519)"
check "relay" "0000000105" "$(printf '\0\0\0\1\1' | "$agent" relay | od -An -tx1 | tr -d ' ')"
fails "--cygwin: a living agent's file" "$agent" --cygwin "$dir/cygwin"
check "--cygwin: which the start tells" 1 "$(grep -c "^lanyard-agent: " "$dir/said")"
stop "several sockets"
check "all are removed" "" "$(cd "$dir" && ls one two cygwin 2>/dev/null)"
SSH_AUTH_SOCK=$XDG_RUNTIME_DIR/none
check "a failed start leaves nothing" "" "$(ls "$XDG_RUNTIME_DIR/lanyard")"

# --- Keys of every type, certificates, ssh-keygen, git ---
start
for key in $keys; do
    succeeds "ssh-add $key" ssh-add -q "$dir/$key"
    succeeds "sign with $key" signs "$dir/$key.pub"
done
succeeds "ssh-add -T" ssh-add -T "$dir/ed25519.pub" "$dir/rsa.pub" "$dir/ecdsa384.pub"
check "ssh-add -l" "$(for key in $keys; do ssh-keygen -lf "$dir/$key.pub"; done)" "$(ssh-add -l)"
check "ssh-add -L" "$(for key in $keys; do cat "$dir/$key.pub"; done)" "$(ssh-add -L)"
check "ssh-add -d" "4" "$(ssh-add -qd "$dir/rsa" 2>/dev/null; ssh-add -l | grep -c .)"
key ed25519 ca
cp "$dir/ecdsa256" "$dir/certified"
cp "$dir/ecdsa256.pub" "$dir/certified.pub"
ssh-keygen -q -s "$dir/ca" -I me -n me "$dir/certified.pub"
ssh-add -q "$dir/certified"
check "a certificate is listed" 1 "$(ssh-add -l | grep -c ECDSA-CERT)"
git init -q "$dir/repository"
cd "$dir/repository" || exit 1
git config user.email a@b
git config user.name a
git config gpg.format ssh
git config user.signingkey "key::$(cut -d' ' -f1,2 "$dir/ed25519.pub")"
echo "a@b $(cut -d' ' -f1,2 "$dir/ed25519.pub")" >"$dir/signers"
git config gpg.ssh.allowedSignersFile "$dir/signers"
succeeds "git commit -S" git commit -q -S --allow-empty -m signed
succeeds "git verify-commit" git verify-commit HEAD
cd "$dir" || exit 1
ssh-add -qD
check "ssh-add -D" "The agent has no identities." "$(ssh-add -l)"

# --- Locking, lifetimes, signals ---
ssh-add -q "$dir/ed25519"
askpass 'echo password'
export DISPLAY=:0
SSH_ASKPASS=$dir/askpass SSH_ASKPASS_REQUIRE=force ssh-add -q -x 2>/dev/null
check "ssh-add -x" "The agent has no identities." "$(ssh-add -l)"
fails "locked: no signatures" signs "$dir/ed25519.pub"
fails "locked: no log" "$agent" log
SSH_ASKPASS=$dir/askpass SSH_ASKPASS_REQUIRE=force ssh-add -q -X 2>/dev/null
check "ssh-add -X" "$(ssh-keygen -lf "$dir/ed25519.pub")" "$(ssh-add -l)"
unset DISPLAY
echo other >"$dir/password"
succeeds "lock" "$agent" lock --passphrase-file "$dir/password"
fails "list when locked" "$agent" list
echo wrong >"$dir/wrong"
fails "unlock with another password" "$agent" unlock --passphrase-file "$dir/wrong"
succeeds "unlock" "$agent" unlock --passphrase-file "$dir/password"
succeeds "list when unlocked" "$agent" list
kill -USR1 "$SSH_AGENT_PID"
succeeds "SIGUSR1 drops the keys" wait_for 5 sh -c "ssh-add -l | grep -q 'no identities'"
kill -INT "$SSH_AGENT_PID"
sleep 0.2
ssh-add -q -t 1 "$dir/ed25519"
check "SIGINT is ignored" 1 "$(ssh-add -l | grep -c SHA256)"
succeeds "ssh-add -t: gone after its lifetime" wait_for 5 sh -c "ssh-add -l | grep -q 'no identities'"
pid=$SSH_AGENT_PID
path=$SSH_AUTH_SOCK
stop "SIGTERM"
check "SIGTERM: the socket is removed" no "$([ -e "$path" ] && echo yes || echo no)"
start -t 1
ssh-add -q "$dir/ed25519"
succeeds "-t: every key goes" wait_for 5 sh -c "ssh-add -l | grep -q 'no identities'"
stop "-t"
for flag in -D -d; do
    for signal in TERM INT HUP; do
        : >"$dir/out"
        ( trap - INT; exec "$agent" $flag -s --no-policy -a "$dir/sock" ) >"$dir/out" 2>"$dir/log" &
        pid=$!
        wait_for 5 grep -q "^echo Agent pid $pid;$" "$dir/out" || not_ok "$flag" "$(cat "$dir/out" "$dir/log")"
        [ $signal = TERM ] && SSH_AUTH_SOCK=$dir/sock ssh-add -l >/dev/null 2>&1
        if [ $signal = INT ]; then # a job of a script ignores it: what the shell set up stays so
            python3 - "$pid" <<END
import os, signal, sys
os.kill(int(sys.argv[1]), signal.SIGINT)
END
        else
            kill -$signal $pid
        fi
        wait $pid
        check "$flag ends at SIG$signal" "2 no" "$? $([ -e "$dir/sock" ] && echo yes || echo no)"
    done
done

# --- Confirmation ---
unset DISPLAY WAYLAND_DISPLAY
start
ssh-add -q -c "$dir/ed25519"
fails "confirm: nobody to ask" signs "$dir/ed25519.pub"
check "confirm: the log says why" 1 "$("$agent" log | grep -c 'nobody can be asked: the agent was started without DISPLAY')"
stop confirm
export SSH_ASKPASS=$dir/askpass DISPLAY=:0
askpass 'exit 0'
start -E md5
ssh-add -q -c "$dir/ed25519" "$dir/rsa"
succeeds "confirm: yes" signs "$dir/ed25519.pub"
check "confirm: the kind of question" "confirm|Allow use of key an ed25519 key?" "$(head -1 "$dir/asked")"
check "confirm: the fingerprint by -E" 1 "$(grep -c "^Key fingerprint $(ssh-keygen -E md5 -lf "$dir/ed25519.pub" | cut -d' ' -f2)\.$" "$dir/asked")"
check "confirm: who asks" 1 "$(grep -cE '^Asked for by ssh-keygen < .*\(process [0-9]+\)\.$' "$dir/asked")"
succeeds "confirm: yes, for RSA" signs "$dir/rsa.pub"
askpass 'exit 1'
fails "confirm: no" signs "$dir/ed25519.pub"
askpass 'echo no'
fails "confirm: a word that is not yes" signs "$dir/ed25519.pub"
askpass 'echo $$ >>'"$dir/askers"'; exec sleep 30'
ssh-keygen -Y sign -f "$dir/ed25519.pub" -n file <"$dir/data" >/dev/null 2>&1 &
asking=$!
wait_for 5 test -s "$dir/askers"
succeeds "others are served meanwhile" "$agent" list
kill $asking
wait $asking 2>/dev/null
succeeds "whoever asked is gone: the dialog closes" ends "$(cat "$dir/askers")"
askpass 'exit 0'
succeeds "and the next is asked" signs "$dir/ed25519.pub"
stop confirm
SSH_ASKPASS=$dir/not-there start
ssh-add -q -c "$dir/ed25519"
fails "confirm: no askpass program" signs "$dir/ed25519.pub"
check "confirm: no askpass program: the log" 1 "$("$agent" log | grep -c 'no askpass program')"
stop confirm

# --- Completions ---
for shell in bash zsh fish; do
    "$agent" --completions $shell >"$dir/completions.$shell"
    check "completions for $shell" 1 "$(grep -qe 'policy' "$dir/completions.$shell" && grep -c '^# .* completion for lanyard-agent' "$dir/completions.$shell")"
    command -v $shell >/dev/null && succeeds "$shell reads them" $shell -n "$dir/completions.$shell"
done
complete_agent() { bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lanyard_agent; echo "${COMPREPLY[*]}"' - "$dir/completions.bash" "$@"; }
check "completions: commands" "list lock log" "$(complete_agent lanyard-agent l)"
check "completions: the agent's options" "--policy" "$(complete_agent lanyard-agent -D --pol)"
check "completions: a command's" "--lifetime" "$(complete_agent lanyard-agent add --life)"
check "completions: a value's words" "sha256" "$(complete_agent lanyard-agent --fingerprint-hash s)"
fails "completions for another shell" "$agent" --completions tcsh
fails "as ssh-agent, it has none" "$dir/ssh-agent" --completions bash

# --- Subcommands ---
export SSH_ASKPASS=$dir/askpass DISPLAY=:0
askpass 'echo secret'
start
puttygen "$dir/ed25519" -O private -o "$dir/ed.ppk"
echo secret >"$dir/secret"
puttygen "$dir/locked" --old-passphrase "$dir/secret" --new-passphrase "$dir/secret" -O private -o "$dir/locked.ppk" --ppk-param memory=64,passes=1
ssh-keygen -q -p -N '' -m PEM -f "$dir/ecdsa384" >/dev/null
succeeds "add: a PPK" "$agent" add "$dir/ed.ppk"
succeeds "add: PEM" "$agent" add "$dir/ecdsa384"
succeeds "add: an encrypted one" "$agent" add --passphrase-file "$dir/secret" "$dir/locked"
succeeds "add: with its certificate" "$agent" add "$dir/certified"
check "ssh-add sees them" "ED25519 ECDSA ED25519 ECDSA ECDSA-CERT" "$(ssh-add -l | sed 's/.*(\(.*\))$/\1/' | xargs)"
for key in ed25519 ecdsa384 locked certified; do
    succeeds "signs with $key" signs "$dir/$key.pub"
done
succeeds "remove by file, with its certificate" "$agent" remove "$dir/certified"
succeeds "remove by fingerprint" "$agent" remove "$fingerprint"
check "what is left" "ECDSA ED25519" "$(ssh-add -l | sed 's/.*(\(.*\))$/\1/' | xargs)"
fails "remove what is not there" "$agent" remove "$dir/rsa.pub"
succeeds "remove --all" "$agent" remove --all
check "list of nothing" "1 []" "$("$agent" list --json >"$dir/out"; echo $? "$(cat "$dir/out")")"
succeeds "add --encrypted: a PPK" "$agent" add --encrypted "$dir/locked.ppk"
check "it is listed as encrypted" 1 "$("$agent" list | grep -c '\[encrypted\]')"
check "nobody was asked yet" 0 "$(grep -c . "$dir/asked")"
succeeds "it signs after asking" signs "$dir/locked.pub"
check "the question" "|Enter passphrase for key a locked key" "$(head -1 "$dir/asked")"
check "it is open now" 0 "$("$agent" list | grep -c encrypted)"
succeeds "remove" "$agent" remove "$dir/locked.pub"
succeeds "add --encrypted: an OpenSSH key" "$agent" add --encrypted --passphrase-file "$dir/secret" "$dir/locked"
askpass 'echo wrong'
fails "a wrong passphrase" signs "$dir/locked.pub"
check "is asked for three times" 3 "$(grep -c 'Enter passphrase' "$dir/asked")"
askpass 'echo secret'
succeeds "then the right one" signs "$dir/locked.pub"
fails "add --encrypted of a key that is not" "$agent" add --encrypted "$dir/rsa"
fails "add --encrypted --confirm" "$agent" add --encrypted --confirm "$dir/locked.ppk"
succeeds "add --confirm --lifetime" "$agent" add -c -t 1h "$dir/rsa"
check "list --json" "True 3 True rsa" "$("$agent" list --json | python3 -c '
import json, sys
keys = json.load(sys.stdin)
rsa, locked = keys[1], keys[0]
print(rsa["confirm"] and 3500 < rsa["seconds_left"] <= 3600 and rsa["seconds_since_use"] is None, len(rsa["fingerprint"].split(":")) + 1,
      locked["uses"] >= 1 and locked["seconds_since_use"] < 100, rsa["type"][4:])')"
check "add --json" "$fingerprint" "$("$agent" add --json "$dir/ed25519" | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["fingerprint"])')"
echo "far.example $(cut -d' ' -f1,2 "$dir/ca.pub")" >"$dir/hosts"
succeeds "add --destination" "$agent" add -d me@far.example -H "$dir/hosts" "$dir/ed25519"
check "is listed so" 1 "$("$agent" list | grep -c destinations)"
fails "which binds signatures" signs "$dir/ed25519.pub"
fails "add --destination of a host that is not known" "$agent" add -d near.example -H "$dir/hosts" "$dir/ed25519"
check "log --json" True "$("$agent" log --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)) > 0)')"
fails "add of a public key" "$agent" add "$dir/rsa.pub"
fails "add of nothing" "$agent" add "$dir/nothing"
fails "without an agent" env -u SSH_AUTH_SOCK "$agent" list
stop subcommands
eval "$(ssh-agent -s)" >/dev/null
pids[SSH_AGENT_PID]=1
succeeds "add to OpenSSH's agent" "$agent" add -t 1h "$dir/ed.ppk"
succeeds "list OpenSSH's agent" "$agent" list
fails "log of OpenSSH's agent" "$agent" log
stop "OpenSSH's agent"

# --- Policy ---
mkdir -p "$dir/config/lanyard"
cat >"$dir/policy" <<END
# rules
[$fingerprint]
programs = /nowhere/*
END
askpass 'exit 0'
start --policy "$dir/policy"
ssh-add -q "$dir/ed25519" "$dir/rsa"
fails "policy: a program that may not" signs "$dir/ed25519.pub"
succeeds "policy: another key" signs "$dir/rsa.pub"
printf '[%s]\nconfirm=true\nlifetime=1h\n' "$fingerprint" >"$dir/policy"
kill -HUP "$SSH_AGENT_PID"
succeeds "policy: reloaded at SIGHUP" wait_for 5 signs "$dir/ed25519.pub"
check "policy: confirmed" 1 "$(grep -c 'Allow use of key an ed25519 key' "$dir/asked")"
printf '[%s]\nconfrim=true\n' "$fingerprint" >"$dir/policy"
kill -HUP "$SSH_AGENT_PID"
succeeds "policy: an error is logged" wait_for 5 sh -c "'$agent' log | grep -q 'line 2: \"confrim\" is not known'"
fails "policy: an error stops the start" "$agent" --policy "$dir/policy"
fails "policy: a file that is not there stops the start" "$agent" --policy "$dir/nothing"
stop policy
printf '[%s]\nconfirm=true\n' "$fingerprint" >"$dir/config/lanyard/agent.ini"
XDG_CONFIG_HOME=$dir/config start
ssh-add -q "$dir/ed25519"
: >"$dir/asked"
succeeds "policy: found by itself" signs "$dir/ed25519.pub"
check "policy: and applied" 1 "$(grep -c 'Allow use of key an ed25519 key' "$dir/asked")"
stop policy

# --- Who may connect ---
start -a "$dir/open"
chmod 755 "$dir"
chmod 777 "$dir/open"
check "root, or the same user" 0 "$(ssh-add -l >/dev/null 2>&1; [ $? = 1 ] && echo 0)"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    fails "another user is refused" setpriv --reuid=65534 --clear-groups ssh-add -L
    check "which the log says" 1 "$("$agent" log | grep -c 'it is of the user 65534')"
fi
stop "who may connect"

# --- Socket activation ---
cat >"$dir/activate.py" <<'END'
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1])
sock.listen(5)
if sock.fileno() != 3:
    os.dup2(sock.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
END
python3 "$dir/activate.py" "$dir/activated" "$agent" -D >"$dir/out" 2>"$dir/log" &
pid=$!
pids[pid]=1
export SSH_AUTH_SOCK=$dir/activated
succeeds "socket activation" wait_for 5 ssh-add -q "$dir/ed25519"
succeeds "socket activation: signs" signs "$dir/ed25519.pub"
check "socket activation: prints nothing" "" "$(cat "$dir/out")"
kill $pid
wait $pid
check "socket activation: ends with 0, and the socket stays" "0 yes" "$? $([ -S "$dir/activated" ] && echo yes)"
unset SSH_AUTH_SOCK
# Variables that are meant for another process, or say nothing that can be: it makes a socket of its own.
for given in "LISTEN_FDS=1 LISTEN_PID=1" "LISTEN_FDS=1" "LISTEN_FDS=x LISTEN_PID=self" "LISTEN_FDS=0 LISTEN_PID=self" "LISTEN_FDS=3 LISTEN_PID=self"; do
    rm -f "$dir/out" # the line that is waited for is not the last one's
    sh -c 'for word in $1; do export "$(echo "$word" | sed "s/self/$$/")"; done; shift; exec "$@"' - "$given" "$agent" -D >"$dir/out" 2>"$dir/log" 3</dev/null &
    pid=$!
    pids[pid]=1
    succeeds "socket activation with $given" wait_for 5 grep -q "^SSH_AUTH_SOCK=$XDG_RUNTIME_DIR/lanyard/agent\.......;" "$dir/out"
    kill $pid
    wait $pid 2>/dev/null
done
# The units' own text, by systemd's launcher and without its manager: what listens where, what starts, what the session is told.
unit() { sed -n "s/^$2=-*//p" "$here/../../agent/lanyard-agent.$1.in" | sed "s|%t|$XDG_RUNTIME_DIR|g; s|@bindir@|$build/agent|g; s|/usr/bin/systemctl|$dir/systemctl|g"; }
printf '#!/bin/sh\necho "$@" >>"%s"\n' "$dir/told" >"$dir/systemctl"
chmod 755 "$dir/systemctl"
rm -f "$dir/config/lanyard/agent.ini"
stream=$(unit socket ListenStream)
mkdir -p -m "$(unit socket DirectoryMode)" "$(dirname "$stream")"
check "units: the directory is the one that agents without a unit use" "700 $XDG_RUNTIME_DIR/lanyard" "$(stat -c '%a %n' "$(dirname "$stream")")"
if command -v systemd-socket-activate >/dev/null; then
    # shellcheck disable=SC2046
    XDG_CONFIG_HOME=$dir/config systemd-socket-activate -l "$stream" -E XDG_CONFIG_HOME $(unit service ExecStart) >"$dir/out" 2>"$dir/log" &
    pid=$!
    pids[pid]=1
    wait_for 5 test -S "$stream"
    chmod "$(unit socket SocketMode)" "$stream" # the launcher knows no modes
    sh -c "$(unit socket ExecStartPost)"
    check "units: what the session is told" "--user set-environment SSH_AUTH_SOCK=$stream" "$(cat "$dir/told")"
    check "units: nothing runs before the first connection" 0 "$(tr '\0' ' ' <"/proc/$pid/cmdline" | grep -c '^[^ ]*/lanyard-agent ')"
    export "$(cut -d' ' -f3 "$dir/told")"
    succeeds "units: the first connection starts it" wait_for 5 ssh-add -q "$dir/ed25519"
    check "units: it is the agent of this build" "$agent" "$(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -d' ' -f1)"
    succeeds "units: it signs" signs "$dir/ed25519.pub"
    sh -c "$(unit service ExecReload | sed "s/\$MAINPID/$pid/")"
    succeeds "units: after ExecReload without a policy, it signs" signs "$dir/ed25519.pub"
    printf '[%s]\nprograms=/nowhere\n' "$fingerprint" >"$dir/config/lanyard/agent.ini"
    sh -c "$(unit service ExecReload | sed "s/\$MAINPID/$pid/")"
    succeeds "units: ExecReload reads a policy that is new" wait_for 5 sh -c "'$agent' log | grep -q 'read 1 rules'"
    fails "units: which then holds" signs "$dir/ed25519.pub"
    rm "$dir/config/lanyard/agent.ini"
    kill $pid
    wait $pid
    check "units: it ends with 0, and the socket stays" "0 yes" "$? $([ -S "$stream" ] && echo yes)"
    sh -c "$(unit socket ExecStopPost)"
    check "units: the session is told of the end" "--user unset-environment SSH_AUTH_SOCK" "$(tail -1 "$dir/told")"
    unset SSH_AUTH_SOCK
    rm -f "$stream"
fi
if command -v systemd-analyze >/dev/null; then
    mkdir -p "$dir/units"
    for unit in lanyard-agent.socket lanyard-agent.service; do
        sed "s|@bindir@|$build/agent|" "$here/../../agent/$unit.in" >"$dir/units/$unit"
    done
    check "systemd-analyze verify" "" "$(systemd-analyze verify --user --man=no "$dir/units/lanyard-agent.service" "$dir/units/lanyard-agent.socket" 2>&1 | grep lanyard-agent)"
fi

# --- A sign-in, and a connection that goes on ---
start
make_keys
cp "$dir/rsa.pub" "$dir/authorized_keys"
start_server -h "$dir/host_ed25519" -k "$dir/authorized_keys"
write_ssh_config
sed -i "s|IdentityFile .*|IdentityFile $dir/rsa.pub|; s|IdentityAgent .*|IdentityAgent $SSH_AUTH_SOCK|" "$dir/ssh_config"
ssh-add -q -h "[127.0.0.1]:$port" -H "$dir/known_hosts" "$dir/rsa"
check "ssh signs in, with a key bound to the host" in "$(run_ssh server echo in 2>&1)"
ssh-add -qD
"$agent" add -q -d "somebody@[127.0.0.1]:$port" -H "$dir/known_hosts" "$dir/rsa"
check "add --destination: ssh signs in there" in "$(run_ssh server echo in 2>&1)"
"$agent" add -q -d "nobody@[127.0.0.1]:$port" -H "$dir/known_hosts" "$dir/rsa"
fails "add --destination: not as another user" run_ssh server echo in
stop_server "the server"
stop "sign-in"

# --- A client that sends and then listens only ---
start
ssh-add -q "$dir/ed25519" "$dir/rsa"
check "a half-closed connection is answered, RSA too" "12 14 True" "$(python3 - "$SSH_AUTH_SOCK" "$dir/rsa.pub" <<'END'
import base64, socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
string = lambda b: struct.pack(">I", len(b)) + b
blob = base64.b64decode(open(sys.argv[2]).read().split()[1])
s.sendall(string(b"\x0b") + string(b"\x0d" + string(blob) + string(b"data") + struct.pack(">I", 4)))
s.shutdown(socket.SHUT_WR)
def message():
    length = struct.unpack(">I", s.recv(4, socket.MSG_WAITALL))[0]
    return s.recv(length, socket.MSG_WAITALL)[0]
print(message(), message(), s.recv(1) == b"")
END
)"
stop "half-closed"

# --- Without a trace of the sanitizers ---
check "no sanitizer complained" "" "$(cat "$dir"/asan.* 2>/dev/null | head -60)"
finish
