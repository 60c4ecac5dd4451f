#!/usr/bin/env bash
# agent-transports.sh BUILDDIR SSH2: the ways to an agent besides its socket, against others' programs: the Cygwin transport (npm ssh2
# in SSH2 as client, hostile clients), the relay, our client at OpenSSH's, PuTTY's and GnuPG's agents, agents of an application's own,
# and forwarding through sshd. Prints "ok NAME" or "not ok NAME: why".
set -u -o pipefail
ssh2=$2
. "$(dirname "$0")/../lib.sh"
need "$sshd" ssh-agent ssh-add ssh-keygen node python3
[ -d "$ssh2" ] || { echo "SKIP: npm ssh2 is not in $ssh2 (tests/install-packages test)"; exit 77; }
begin "$1"
program=$build/tests/interop/agent-transports
connect=$build/tests/interop/connect
agent=$build/agent/lanyard-agent
ulimit -n "$(ulimit -Hn)"

key ed25519 key -C 'the key'
key ed25519 host
expected=$(cat "$dir/key.pub")
start_ssh_agent "$dir/unix"
SSH_AUTH_SOCK=$dir/unix ssh-add -q "$dir/key" 2>/dev/null

# --- the Cygwin transport as the agent
listen() { # NAME: sets $listener
    "$program" listen "$dir/cygwin" "$dir/unix" 2>"$dir/$1.log" &
    listener=$!
    pids[listener]=1
    wait_for 10 grep -q listening "$dir/$1.log"
}
listen first
check 'the file is its owner'"'"'s alone' 600 "$(stat -c %a "$dir/cygwin")"
check 'the file looks like Cygwin'"'"'s' 1 \
    "$(tr '\0' '@' <"$dir/cygwin" | grep -cE '^!<socket >[0-9]+ s [0-9A-F]{8}-[0-9A-F]{8}-[0-9A-F]{8}-[0-9A-F]{8}@$')"
check 'ours to ours' "$expected" "$("$program" list "$dir/cygwin" 3 2>&1)"
for count in 1 50; do
    check "npm ssh2's CygwinAgent x $count" "${expected% the key}
CygwinAgent signatures $count" "$(timeout 60 node "$here/cygwin-agent.js" "$ssh2" "$dir/cygwin" $count 2>&1)"
done
# hostile clients print their own lines
timeout 120 python3 "$here/cygwin-hostile.py" "$dir/cygwin" || failures=$((failures + 1))
contains 'a second agent is refused' 'an agent is listening behind' "$("$program" listen "$dir/cygwin" "$dir/unix" 2>&1)"
kill -9 "$listener" && wait "$listener" 2>/dev/null
contains 'behind a dead agent'"'"'s file' 'Connection refused' "$("$program" list "$dir/cygwin" 2>&1)"
listen second
check 'a dead agent'"'"'s file is replaced' "$expected" "$("$program" list "$dir/cygwin" 2>&1)"

# --- lanyard-agent itself, by both its sockets
"$agent" -D -a "$dir/own" --cygwin "$dir/own-cygwin" >"$dir/own.out" 2>"$dir/own.log" &
own=$!
pids[own]=1
wait_for 10 test -S "$dir/own" -a -e "$dir/own-cygwin"
SSH_AUTH_SOCK=$dir/own ssh-add -q "$dir/key" 2>/dev/null
check 'lanyard-agent: npm ssh2'"'"'s CygwinAgent x 50' "${expected% the key}
CygwinAgent signatures 50" "$(timeout 60 node "$here/cygwin-agent.js" "$ssh2" "$dir/own-cygwin" 50 2>&1)"
timeout 120 python3 "$here/cygwin-hostile.py" "$dir/own-cygwin" | sed 's/ok /&lanyard-agent: /' || failures=$((failures + 1))
check 'lanyard-agent: asked before the end of input' 75 \
    "$(printf '\0\0\0\1\13' | "$program" relay "$dir/own-cygwin" | wc -c)"
if /usr/bin/python3 -c 'import asyncssh' 2>/dev/null; then
    cat >"$dir/by-asyncssh.py" <<'END'
import asyncio, asyncssh, sys
async def main():
    async with asyncssh.connect_agent(sys.argv[1]) as agent:
        pairs = await agent.get_keys()
        key = asyncssh.read_public_key(sys.argv[2])
        signature = await pairs[0].sign_async(b"something to sign")
        print(len(pairs), pairs[0].public_data == key.public_data, key.verify(b"something to sign", signature))
asyncio.run(main())
END
    check 'lanyard-agent: asyncssh' '1 True True' "$(/usr/bin/python3 "$dir/by-asyncssh.py" "$dir/own" "$dir/key.pub" 2>&1 | tail -n 1)"
else
    echo "# python3-asyncssh is not installed"
fi
end_process "$own"
fails 'lanyard-agent takes its file along' test -e "$dir/own-cygwin"

# --- the relay: ssh-add on the other side of pipes
cat >"$dir/relayed.py" <<'END'
import os, socket, subprocess, sys, threading
path, command = sys.argv[1], sys.argv[2:]
def up(peer, child):
    while data := peer.recv(65536):
        child.stdin.write(data)
        child.stdin.flush()
    child.stdin.close()
def down(peer, child):
    while data := os.read(child.stdout.fileno(), 65536):
        peer.sendall(data)
    peer.close()
    child.wait()
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
print("listening", flush=True)
while True:
    peer, _ = listener.accept()
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for run in (up, down): # each with its own peer and child
        threading.Thread(target=run, args=(peer, child), daemon=True).start()
END
python3 "$dir/relayed.py" "$dir/relayed" "$program" relay "$dir/cygwin" >"$dir/relayed.log" 2>&1 &
pids[$!]=1
wait_for 10 grep -q listening "$dir/relayed.log"
export SSH_AUTH_SOCK=$dir/relayed
check 'ssh-add through the relay' "$expected" "$(timeout 30 ssh-add -L 2>&1)"
echo 'something to sign' >"$dir/data"
timeout 30 ssh-keygen -q -Y sign -n test -f "$dir/key.pub" "$dir/data" 2>"$dir/sign.log"
echo "me $expected" >"$dir/allowed"
contains 'signing through the relay' 'Good "test" signature for me' \
    "$(ssh-keygen -Y verify -n test -I me -f "$dir/allowed" -s "$dir/data.sig" <"$dir/data" 2>&1)"
# a comment of 200,000 bytes goes through pipes in pieces, both ways
python3 - "$dir" <<'END'
import socket, struct, sys
def string(data): return struct.pack(">I", len(data)) + data
seed, public = bytes(32), bytes.fromhex("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29")
body = b"\x11" + string(b"ssh-ed25519") + string(public) + string(seed + public) + string(b"c" * 200000)
agent = socket.socket(socket.AF_UNIX)
agent.connect(sys.argv[1] + "/relayed")
agent.sendall(string(body))
assert agent.recv(5, socket.MSG_WAITALL) == b"\0\0\0\1\6", "not added"
END
check 'a large message through the relay' 200000 "$(timeout 30 ssh-add -L | tail -n 1 | cut -d' ' -f3 | tr -d '\n' | wc -c)"
SSH_AUTH_SOCK=$dir/unix ssh-add -q -D 2>/dev/null
SSH_AUTH_SOCK=$dir/unix ssh-add -q "$dir/key" 2>/dev/null
unset SSH_AUTH_SOCK
list=$(printf '\0\0\0\1\13' | "$program" relay "$dir/unix" | wc -c)
check 'what was asked before the end of input is answered' $((4 + 5 + 4 + 51 + 4 + 7)) "$list"
check 'over both transports' "$list" "$(printf '\0\0\0\1\13' | "$program" relay "$dir/cygwin" | wc -c)"
"$program" relay "$dir/none" </dev/null >"$dir/out" 2>&1
contains 'no agent to relay to' 'No such file or directory' "$(cat "$dir/out")"
contains 'SSH_AUTH_SOCK is not set' 'SSH_AUTH_SOCK is not set' "$("$program" relay </dev/null 2>&1)"

# --- our client at others' agents
check 'OpenSSH'"'"'s agent' "$expected" "$("$program" list "$dir/unix" 3 2>&1)"
if command -v pageant >/dev/null && command -v puttygen >/dev/null; then
    puttygen "$dir/key" -O private -o "$dir/key.ppk" --new-passphrase /dev/null
    check 'PuTTY'"'"'s pageant' "$expected" \
        "$(timeout 20 pageant "$dir/key.ppk" --exec "$program" list SSH_AUTH_SOCK 3 2>&1)"
else
    echo "# pageant (package putty) is not installed"
fi
if command -v gpg-agent >/dev/null; then
    mkdir -m 700 "$dir/gpg"
    cat >"$dir/pinentry" <<'END'
#!/bin/sh
echo "OK ready"
while read -r command rest; do
    case $command in
    GETPIN) echo "D secret"; echo OK ;;
    BYE) echo OK; exit ;;
    *) echo OK ;;
    esac
done
END
    chmod +x "$dir/pinentry"
    gpg-agent --homedir "$dir/gpg" --enable-ssh-support --pinentry-program "$dir/pinentry" --daemon --no-detach \
        >"$dir/gpg.out" 2>"$dir/gpg.log" &
    pids[$!]=1
    wait_for 10 grep -q SSH_AUTH_SOCK "$dir/gpg.out"
    gpg_socket=$(sed -n 's/^SSH_AUTH_SOCK=\([^;]*\);.*/\1/p' "$dir/gpg.out")
    SSH_AUTH_SOCK=$gpg_socket ssh-add -q "$dir/key" 2>"$dir/gpg-add.log"
    check 'GnuPG'"'"'s agent' "$expected" "$("$program" list "$gpg_socket" 3 2>&1)"
else
    echo "# gpg-agent is not installed"
fi

# --- signing in and forwarding over each of them
cp "$dir/key.pub" "$dir/authorized"
start_sshd here "HostKey $dir/host" "AuthorizedKeysFile $dir/authorized"
known_line "$port" host >"$dir/known"
sign_in() { # OPTION... COMMAND
    timeout 60 "$connect" -F none -p "$port" -o "UserKnownHostsFile=$dir/known" -o GlobalKnownHostsFile=none -o BatchMode=yes \
        -o IdentityFile=none "${@:1:$#-1}" 127.0.0.1 "${@: -1}" 2>&1
}
check 'signing in by the Cygwin transport' yes "$(SSH_AUTH_SOCK=$dir/cygwin sign_in 'echo yes')"
check 'IdentityAgent may be a Cygwin file' yes "$(sign_in -o "IdentityAgent=$dir/cygwin" 'echo yes')"
check 'by an application'"'"'s own agent' yes "$(sign_in -G "$dir/unix" 'echo yes')"
contains 'not by pageant, here' 'sign-in to' "$(sign_in -o IdentityAgent=pageant 'echo yes')"
for way in "-o IdentityAgent=$dir/unix" "-o IdentityAgent=$dir/cygwin" "-G $dir/unix"; do
    # shellcheck disable=SC2086 # two words
    check "forwarding, $(sed "s|$dir/||" <<<"$way")" "$expected" "$(sign_in -A $way 'ssh-add -L')"
done
check 'not forwarded unasked' none "$(sign_in -G "$dir/unix" 'echo ${SSH_AUTH_SOCK:-none}')"
cat >"$dir/many.py" <<'END'
import os, socket, struct
def ask(agent, message):
    agent.sendall(struct.pack(">I", len(message)) + message)
    length = struct.unpack(">I", agent.recv(4, socket.MSG_WAITALL))[0]
    return agent.recv(length, socket.MSG_WAITALL)
agents = [socket.socket(socket.AF_UNIX) for _ in range(20)]
for agent in agents: agent.connect(os.environ["SSH_AUTH_SOCK"])
print(sum(ask(agent, b"\x0b")[:5] == b"\x0c\0\0\0\1" for _ in range(10) for agent in agents))
# the largest request (refused by the agent, not by the way), and one too large: the connection ends, the others stay
print(ask(agents[0], b"\x1b" + bytes(262143))[0] in (5, 28))
agents[0].sendall(struct.pack(">I", 262145))
print(agents[0].recv(1) == b"" and ask(agents[1], b"\x0b")[0] == 12)
# in one write, and byte by byte
agents[2].sendall(b"\0\0\0\1\x0b" * 3)
for byte in b"\0\0\0\1\x0b": agents[2].sendall(bytes([byte]))
agents[2].shutdown(socket.SHUT_WR)
data = b""
while piece := agents[2].recv(65536): data += piece
print(data.count(b"ssh-ed25519"))
END
check 'forwarding for 20 at once, and odd ones' '200 True True 4' \
    "$(sign_in -A -o "IdentityAgent=$dir/unix" "python3 $dir/many.py" | tr '\n' ' ' | sed 's/ $//')"

end_process "$listener"
fails 'the file goes with its agent' test -e "$dir/cygwin"
succeeds sanitizers no_sanitizer_in "$dir"/*.log
finish
