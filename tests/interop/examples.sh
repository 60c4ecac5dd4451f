#!/usr/bin/env bash
# examples.sh BUILDDIR: each program of core/examples against a real peer: OpenSSH's sshd, ssh, sftp and ssh-keygen, curl, Xvfb, paramiko.
set -u
. "$(dirname "$0")/../lib.sh"
need "$sshd" ssh ssh-agent ssh-add ssh-keygen sftp curl openssl Xvfb xdpyinfo xauth /usr/bin/python3
begin "$1"
at=$build/core/examples
python=/usr/bin/python3

key ed25519 host
key ed25519 id
key ed25519 stranger
cp "$dir/id.pub" "$dir/authorized"
printf '%s\n' '#!/bin/sh' 'read -r line' 'printf "<hello>server to %s</hello>]]>]]>rest" "$(echo "$line" | cut -c1-5)"' 'exec sleep 100' >"$dir/netconf"
chmod +x "$dir/netconf"
common=("AuthorizedKeysFile $dir/authorized" "HostKey $dir/host" "XAuthLocation $(command -v xauth)" 'X11Forwarding yes'
    "Subsystem netconf $dir/netconf" 'StreamLocalBindUnlink yes')
start_sshd all "${common[@]}" 'Subsystem sftp internal-sftp'
start_sshd shell "${common[@]}" 'ForceCommand exec env "PS1=ready> " /bin/sh -i' 'PermitListen none'
for name in all shell; do
    port=port_$name
    known_line "${!port}" host >>"$dir/known"
done
cat >"$dir/config" <<END
Host *
    IdentityFile $dir/id
    UserKnownHostsFile $dir/known
    GlobalKnownHostsFile none
    IdentityAgent SSH_AUTH_SOCK
    PreferredAuthentications publickey
    BatchMode yes
END
# example NAME ARGUMENT...: with the settings of this test; its standard error is in $dir/err
example() { timeout 60 "$at/$1" -F "$dir/config" -p "$port_all" "${@:2}" 2>"$dir/err"; }
# status NAME EXPECTED COMMAND...
status() {
    local got=0
    "${@:3}" >"$dir/out" </dev/null || got=$?
    check "$1: status" "$2" "$got"
}
# sentence NAME PART: what it wrote to standard error is one line that holds PART
sentence() {
    check "$1: one sentence" 1 "$(grep -c . "$dir/err")"
    contains "$1: it says why" "$2" "$(cat "$dir/err")"
}
sum() { sha256sum | cut -d' ' -f1; }

# --- exec
head -c 5000000 /dev/urandom >"$dir/data"
status 'exec' 7 example exec 127.0.0.1 'echo out; echo err >&2; exit 7'
check 'exec: standard output' out "$(cat "$dir/out")"
check 'exec: standard error' err "$(cat "$dir/err")"
check 'exec: 5 MB there and back' "$(sum <"$dir/data")" "$(example exec 127.0.0.1 cat <"$dir/data" | sum)"
check 'exec: a reader that begins late' "$(sum <"$dir/data")" "$(example exec 127.0.0.1 "cat $dir/data" </dev/null | { sleep 1; sum; })"
check 'exec: a reader that leaves' 10 "$(example exec 127.0.0.1 yes </dev/null | head -n 10 | wc -l)"
check 'exec: a command that does not read' done "$(example exec 127.0.0.1 'echo done' <"$dir/data")"
status 'exec: ended by a signal' 255 example exec 127.0.0.1 'kill -TERM $$'
sentence 'exec: ended by a signal' 'ended by signal TERM'
start_ssh_agent "$dir/agent"
SSH_AUTH_SOCK=$dir/agent ssh-add -q "$dir/stranger"
with_agent() { SSH_AUTH_SOCK=$dir/agent example exec "$@" 127.0.0.1 'ssh-add -l' </dev/null; }
contains 'exec: -A' stranger "$(with_agent -A)"
contains 'exec: ForwardAgent' stranger "$(with_agent -o ForwardAgent=yes)"
check 'exec: no agent unless asked' '' "$(with_agent -o ForwardAgent=no)"

# --- what goes wrong
status 'an unknown option' 255 example exec -Z 127.0.0.1 true
sentence 'an unknown option' 'option -Z is not known; usage: exec'
status 'an unknown setting' 255 example exec -o Nonsense=1 127.0.0.1 true
sentence 'an unknown setting' Nonsense
status 'no command' 255 example exec 127.0.0.1
sentence 'no command' 'usage: exec'
status 'nobody listens there' 255 timeout 60 "$at/exec" -F "$dir/config" -p 1 127.0.0.1 true 2>"$dir/err"
sentence 'nobody listens there' 'cannot connect to 127.0.0.1 port 1: Connection refused'
status 'no such host' 255 example exec nobody.invalid true
sentence 'no such host' 'cannot resolve nobody.invalid'
status 'an unknown host key' 255 example exec -o "UserKnownHostsFile=$dir/none" 127.0.0.1 true
sentence 'an unknown host key' 'host key'
settings=(-F none -o "UserKnownHostsFile=$dir/known" -o GlobalKnownHostsFile=none -o IdentityAgent=none)
status 'a refused key' 255 timeout 60 "$at/exec" "${settings[@]}" -p "$port_all" -o BatchMode=yes -o "IdentityFile=$dir/stranger" \
    127.0.0.1 true 2>"$dir/err"
sentence 'a refused key' 'failed: tried publickey (1 key'

# --- shell, on a terminal that ends as it began
cat >"$dir/in-terminal" <<END
stty rows 24 cols 80 quit ^Y erase ^H -ixon
stty -g >"$dir/before"
sh -c 'echo \$\$ >"$dir/pid"; exec "$at/shell" -F "$dir/config" -p $port_shell 127.0.0.1'
echo "shell ended with \$?"
stty -g >"$dir/after"
END
dialog() { $python "$here/dialog.py" "$@" -- sh "$dir/in-terminal" 2>&1 | tr -d '\r'; }
# Each answer is typed when the part before it was seen; '' keeps what is typed from being taken for what is printed.
got=$(dialog 'ready> ' "stty -a; echo si''zed \$(stty size)" 'sized 24 80' 'size 50x100' 'ready> ' \
    "until [ \"\$(stty size)\" = '50 100' ]; do sleep 0.1; done; echo re''sized" 'resized' "echo wai''ting; sleep 100" 'waiting' '^C' \
    'ready> ' 'exit 3')
contains 'shell: window changes' resized "$got"
contains 'shell: what is typed is echoed there' "echo wai''ting; sleep 100" "$got"
for mode in 'quit = ^Y' 'erase = ^H' '-ixon' ' icrnl' ' onlcr'; do contains "shell: the modes of the terminal: $mode" "$mode" "$got"; done
contains 'shell: Ctrl-C is for the program there; exit status' 'shell ended with 3' "$got"
same_terminal() { succeeds "shell: the terminal is as it was after $1" same_file "$dir/before" "$dir/after"; }
same_terminal 'its end'
terminate() {
    wait_for 20 test -s "$dir/started"
    kill -TERM "$(cat "$dir/pid")"
}
terminate &
contains 'shell: SIGTERM' 'shell ended with 255' "$(dialog 'ready> ' "echo 1 >$dir/started")"
wait $!
same_terminal SIGTERM
got=$(dialog 'ready> ' 'kill -9 $PPID')
contains 'shell: the connection is lost' 'shell ended with 255' "$got"
same_terminal 'a lost connection'
status 'shell: without a terminal' 255 example shell 127.0.0.1
sentence 'shell: without a terminal' 'standard input is not a terminal'

# --- forward
$python "$here/http-server.py" >"$dir/web" 2>&1 &
pids[$!]=1
wait_for 10 grep -q ^port "$dir/web"
web=$(sed -n 's/^port //p' "$dir/web")
"$at/forward" -F "$dir/config" -p "$port_all" -L "0:127.0.0.1:$web" -L "$dir/local:127.0.0.1:$web" -R "0:127.0.0.1:$web" \
    -R "$dir/remote:127.0.0.1:$web" -D 0 -R 0 127.0.0.1 >"$dir/forwards" 2>"$dir/err_forward" &
forward=$!
pids[forward]=1
all_listen() { [ "$(grep -c listening "$dir/forwards")" = 6 ]; }
wait_for 20 gone_or $forward all_listen
listens() { sed -n "s|^$1: listening on port ||p" "$dir/forwards"; }
fetch() { curl -s -m 20 "$@" | wc -c; }
check 'forward: -L' 1000 "$(fetch "http://127.0.0.1:$(listens "-L 0:127.0.0.1:$web")/1000")"
check 'forward: -L of a Unix socket' 1001 "$(fetch --unix-socket "$dir/local" http://x/1001)"
check 'forward: -R' 1002 "$(fetch "http://127.0.0.1:$(listens "-R 0:127.0.0.1:$web")/1002")"
check 'forward: -R of a Unix socket' 1003 "$(fetch --unix-socket "$dir/remote" http://x/1003)"
check 'forward: -D' 1004 "$(fetch --socks5-hostname "127.0.0.1:$(listens '-D 0')" "http://localhost:$web/1004")"
check 'forward: -R without a target' 1005 "$(fetch --socks5-hostname "127.0.0.1:$(listens '-R 0')" "http://localhost:$web/1005")"
"$at/forward" -F "$dir/config" -p "$port_all" -L "$dir/chained:$dir/remote" 127.0.0.1 >"$dir/chain" 2>"$dir/err_chain" &
chain=$!
pids[chain]=1
wait_for 20 grep -q listening "$dir/chain"
check 'forward: -L from a Unix socket to one there' 1006 "$(fetch --unix-socket "$dir/chained" http://x/1006)"
for pid in $chain $forward; do
    end_process "$pid"
    check 'forward: SIGTERM ends it' 255 $?
done
check 'forward: its sockets are gone' '' "$(ls "$dir/local" "$dir/chained" 2>/dev/null)"
succeeds "forward: no sanitizer's report" no_sanitizer_in "$dir/err_forward" "$dir/err_chain"
status 'forward: a mistake' 255 example forward -L 1:2 127.0.0.1
sentence 'forward: a mistake' '-L 1:2'
status 'forward: refused by the server' 255 timeout 60 "$at/forward" -F "$dir/config" -p "$port_shell" -R 0:127.0.0.1:1 127.0.0.1 2>"$dir/err"
contains 'forward: refused by the server: it says why' refused "$(cat "$dir/err")"

# --- http-get, which is built where libcurl is
if [ -x "$at/http-get" ]; then
    check 'http-get: http' 1000 "$(example http-get 127.0.0.1 "http://localhost:$web/1000" </dev/null | wc -c)"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout "$dir/tls.key" -out "$dir/tls.crt" 2>"$dir/log_openssl"
    cat "$dir/tls.key" "$dir/tls.crt" >"$dir/tls.pem"
    $python "$here/http-server.py" "$dir/tls.pem" >"$dir/tls" 2>&1 &
    pids[$!]=1
    wait_for 10 grep -q ^port "$dir/tls"
    tls=$(sed -n 's/^port //p' "$dir/tls")
    check 'http-get: https' 3000000 "$(example http-get -c "$dir/tls.crt" 127.0.0.1 "https://localhost:$tls/3000000" </dev/null | wc -c)"
    status 'http-get: a certificate of nobody' 255 example http-get 127.0.0.1 "https://localhost:$tls/1"
    sentence 'http-get: a certificate of nobody' certificate
    status 'http-get: no web server there' 255 example http-get 127.0.0.1 http://localhost:1/
    contains 'http-get: no web server there' 'http-get: http://localhost:1/: ' "$(cat "$dir/err")"
    before=$(grep -c ^connection "$dir/web")
    "$at/http-get" -F "$dir/config" -p "$port_all" 127.0.0.1 "http://localhost:$web/wait/100" >"$dir/out" 2>"$dir/err" &
    getter=$!
    pids[getter]=1
    more_connections() { [ "$(grep -c ^connection "$dir/web")" -gt "$before" ]; }
    wait_for 20 more_connections
    end_process $getter
    check 'http-get: SIGTERM in the midst ends it' 255 $?
    succeeds "http-get: no sanitizer's report" no_sanitizer_in "$dir/err"
fi

# --- hop: connections one in the other
signed_in() { grep -c 'Accepted publickey' "$dir/log_all"; }
check 'hop: one host' "$port_all" "$(example hop 127.0.0.1 -- 'echo ${SSH_CONNECTION##* }' </dev/null)"
before=$(signed_in)
check 'hop: three hosts, with input' "$(sum <"$dir/data")" "$(example hop 127.0.0.1 "127.0.0.1:$port_all" "$user@127.0.0.1" -- cat <"$dir/data" | sum)"
check 'hop: each was signed in to' 3 $(($(signed_in) - before))
status 'hop' 4 example hop 127.0.0.1 127.0.0.1 -- exit 4
status 'hop: the second does not answer' 255 example hop 127.0.0.1 127.0.0.1:1 -- true
contains 'hop: the second does not answer' 'Connection refused' "$(cat "$dir/err")"

# --- x11
cookie=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
xauth -q -f "$dir/server-auth" add :0 MIT-MAGIC-COOKIE-1 "$cookie" 2>/dev/null
Xvfb -displayfd 3 -screen 0 320x200x8 -nolisten tcp -auth "$dir/server-auth" 3>"$dir/display" 2>"$dir/log_xvfb" &
pids[$!]=1
wait_for 20 test -s "$dir/display"
display=:$(cat "$dir/display")
xauth -q -f "$dir/client-auth" add "$display" MIT-MAGIC-COOKIE-1 "$cookie" 2>/dev/null
on_display() { XAUTHORITY=$dir/client-auth DISPLAY=$display example x11 127.0.0.1 "$@"; }
got=$(on_display 'echo "there it is $DISPLAY"; xdpyinfo' </dev/null)
contains 'x11: xdpyinfo over there' '320x200 pixels' "$got"
contains 'x11: by the server' 'there it is localhost:1' "$got"
status 'x11' 5 on_display exit 5
status 'x11: without a display' 255 example x11 127.0.0.1 true
sentence 'x11: without a display' DISPLAY

# --- sftp-get, sftp-put
touch -d 2001-02-03 "$dir/data"
status 'sftp-get' 0 example sftp-get 127.0.0.1 "$dir/data" "$dir/got"
succeeds 'sftp-get: the same bytes' same_file "$dir/data" "$dir/got"
status 'sftp-put' 0 example sftp-put -t 127.0.0.1 "$dir/data" "$dir/put"
succeeds 'sftp-put: the same bytes' same_file "$dir/data" "$dir/put"
check 'sftp-put: times' "$(stat -c %Y "$dir/data")" "$(stat -c %Y "$dir/put")"
for way in get put; do
    status "sftp-$way: no such file" 255 example sftp-$way 127.0.0.1 "$dir/nothing" "$dir/new"
    sentence "sftp-$way: no such file" "$dir/nothing"
done
status 'sftp-get: no SFTP there' 255 timeout 60 "$at/sftp-get" -F "$dir/config" -p "$port_shell" 127.0.0.1 "$dir/data" "$dir/new" 2>"$dir/err"
sentence 'sftp-get: no SFTP there' 'subsystem "sftp"'
contains 'sftp-get: a progress bar' '[########################################] 5000000 of 5000000 bytes' \
    "$($python "$here/dialog.py" -- "$at/sftp-get" -F "$dir/config" -p "$port_all" 127.0.0.1 "$dir/data" "$dir/again")"

# --- glib-exec, which is built where GLib is
if [ -x "$at/glib-exec" ]; then
    status 'glib-exec' 7 example glib-exec 127.0.0.1 "cat $dir/data; exit 7"
    succeeds 'glib-exec: the same bytes' same_file "$dir/data" "$dir/out"
    status 'glib-exec: an unknown host key' 255 example glib-exec -o "UserKnownHostsFile=$dir/none" 127.0.0.1 true
    sentence 'glib-exec: an unknown host key' 'host key'
fi

# --- netconf-hello
check 'netconf-hello' '<hello>server to <?xml</hello>' "$(example netconf-hello 127.0.0.1 </dev/null)"
status 'netconf-hello: no such subsystem' 255 example netconf-hello -s nothing 127.0.0.1
sentence 'netconf-hello: no such subsystem' 'the server refused the subsystem "nothing"'

# --- engine: its connection is standard input
fingerprint=$(ssh-keygen -l -f "$dir/host.pub" | cut -d' ' -f2)
run_engine() { timeout 60 "$at/engine" "$@" <>"/dev/tcp/127.0.0.1/$port_all" 2>"$dir/err"; }
got=$(run_engine "$fingerprint" "$user" "$dir/id" "echo to stderr >&2; cat $dir/data; exit 6" | sum; echo "${PIPESTATUS[0]}")
check 'engine: output and status' "$(sum <"$dir/data") 6" "$(echo $got)"
check 'engine: standard error' 'to stderr' "$(cat "$dir/err")"
run_engine SHA256:other "$user" "$dir/id" true
check 'engine: another host key' '255 engine: the host has another key' "$? $(cat "$dir/err")"
run_engine "$fingerprint" "$user" "$dir/stranger" true
check 'engine: a key that is not known there' '255 engine: the server does not take the key' "$? $(cat "$dir/err")"

# --- keygen
for type in ed25519 ecdsa ecdsa-384 ecdsa-521 rsa; do
    got=$("$at/keygen" -t $type -C 'me here' -N '' "$dir/new_$type")
    check "keygen: $type: its fingerprint" "$(ssh-keygen -l -f "$dir/new_$type" | cut -d'(' -f1)" "$(cut -d'(' -f1 <<<"$got")"
    check "keygen: $type: the halves belong together" "$(ssh-keygen -y -P '' -f "$dir/new_$type")" "$(cat "$dir/new_$type.pub")"
done
check 'keygen: nobody else reads it' 600 "$(stat -c %a "$dir/new_rsa")"
$python "$here/dialog.py" 'Passphrase for the key' secret -- "$at/keygen" -C me "$dir/sealed" >"$dir/said"
check 'keygen: a passphrase that is asked for' "$(cat "$dir/sealed.pub")" "$(ssh-keygen -y -P secret -f "$dir/sealed" 2>&1)"
status 'keygen: never over a file' 255 "$at/keygen" -N '' "$dir/sealed" 2>"$dir/err"
sentence 'keygen: never over a file' 'File exists'

# --- server-exec and server-sftp
# start_example NAME ARGUMENT...: sets $port and $server, and $o, options of ssh
start_example() {
    : >"$dir/out_$1"
    "$at/$1" -h "$dir/host" "${@:2}" >"$dir/out_$1" 2>"$dir/err_$1" &
    server=$!
    pids[server]=1
    wait_for 10 gone_or $server grep -q '^listening on' "$dir/out_$1"
    port=$(sed -n 's/^listening on .*://p' "$dir/out_$1")
    known_line "$port" host >>"$dir/known"
    o=(-F none -o "Port=$port" -o "UserKnownHostsFile=$dir/known" -o GlobalKnownHostsFile=none -o IdentitiesOnly=yes -o IdentityAgent=none
        -o BatchMode=yes -o LogLevel=ERROR)
    as_me=("${o[@]}" -o "IdentityFile=$dir/id")
}
stop_example() {
    end_process "$server"
    check "$1: ends at SIGTERM" 0 $?
    succeeds "$1: no sanitizer's report" no_sanitizer_in "$dir/err_$1"
}
echo secret >"$dir/password"
start_example server-exec -k "$dir/id.pub" -w "$dir/password" alice
check 'server-exec: ssh, a key' '100000 lines, 588895 bytes' "$(seq 100000 | ssh "${as_me[@]}" alice@127.0.0.1 count 2>&1)"
check 'server-exec: its only command' 'there is one command: count 127' "$(echo $(ssh "${as_me[@]}" alice@127.0.0.1 other 2>&1 </dev/null; echo $?))"
contains 'server-exec: no shell' 'shell request failed' "$(ssh "${as_me[@]}" alice@127.0.0.1 2>&1 </dev/null)"
fails 'server-exec: no SFTP' sftp "${as_me[@]}" -b /dev/null alice@127.0.0.1
contains 'server-exec: another user' 'Permission denied (publickey,password)' "$(ssh "${as_me[@]}" bob@127.0.0.1 count 2>&1 </dev/null)"
fails 'server-exec: another key' ssh "${o[@]}" -o "IdentityFile=$dir/stranger" alice@127.0.0.1 count
cat >"$dir/password.py" <<'END'
import sys
import paramiko

client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
try:
    client.connect("127.0.0.1", int(sys.argv[1]), "alice", "wrong", allow_agent=False, look_for_keys=False)
except paramiko.AuthenticationException:
    print("refused")
client.connect("127.0.0.1", int(sys.argv[1]), "alice", "secret", allow_agent=False, look_for_keys=False)
source, sink, _ = client.exec_command("count")
source.write("a\nb\n")
source.channel.shutdown_write()
print(sink.read().decode().strip())
print(sink.channel.recv_exit_status())
END
check 'server-exec: paramiko, a password' 'refused 2 lines, 4 bytes 0' "$(echo $($python "$dir/password.py" "$port" 2>&1))"
# our own exec signs in to it by a password that is asked for
by_password() {
    $python "$here/dialog.py" "alice@127.0.0.1's password: " "$1" -- "$at/exec" "${settings[@]}" -p "$port" \
        -o PreferredAuthentications=password -o NumberOfPasswordPrompts=1 alice@127.0.0.1 other
}
got=$(by_password wrong; echo "status $?")
contains 'exec: a refused password' 'failed: tried password (refused)' "$got"
contains 'exec: a refused password: status' 'status 255' "$got"
contains 'exec: a password' 'there is one command' "$(by_password secret)"
cat >"$dir/interrupted" <<ENDOFSCRIPT
trap : INT
"$at/exec" ${settings[*]} -p $port -o PreferredAuthentications=password alice@127.0.0.1 other
echo "status \$?"
stty -a | tr ' ' '\n' | grep '^-*echo;*\$'
ENDOFSCRIPT
got=$($python "$here/dialog.py" 'password: ' '^C' -- sh "$dir/interrupted" | tr -d '\r' | tail -n 2)
check 'exec: Ctrl-C at the question ends it, with the echo back' 'status 130 echo' "$(echo $got)"
stop_example server-exec

mkdir "$dir/folder"
echo text >"$dir/folder/file"
ln -s "$dir/host" "$dir/folder/out"
start_example server-sftp -k "$dir/authorized" "$dir/folder"
printf '%s\n' 'ls -1 /' "put $dir/data new" "get new $dir/back" "-get out $dir/led-out" "-get ../../../../etc/passwd $dir/led-out" >"$dir/batch"
got=$(sftp "${as_me[@]}" -b "$dir/batch" somebody@127.0.0.1 2>&1)
contains 'server-sftp: the folder is all that there is' /file "$got"
succeeds 'server-sftp: there and back' same_file "$dir/data" "$dir/back"
succeeds 'server-sftp: in the folder' same_file "$dir/data" "$dir/folder/new"
check 'server-sftp: no link and no .. leads out' '' "$(ls "$dir/led-out" 2>/dev/null)"
fails 'server-sftp: no commands' ssh "${as_me[@]}" somebody@127.0.0.1 id
fails 'server-sftp: no shell' ssh "${as_me[@]}" somebody@127.0.0.1
stop_example server-sftp
start_example server-sftp -r -k "$dir/authorized" "$dir/folder"
echo "put $dir/data other" >"$dir/batch"
fails 'server-sftp: -r' sftp "${as_me[@]}" -b "$dir/batch" somebody@127.0.0.1
check 'server-sftp: -r: nothing was written' '' "$(ls "$dir/folder/other" 2>/dev/null)"
cat >"$dir/read.py" <<'END'
import sys
import paramiko

client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", int(sys.argv[1]), "alice", key_filename=sys.argv[2], allow_agent=False, look_for_keys=False)
print(client.open_sftp().open("file").read().decode().strip())
client.close()
END
check 'server-sftp: -r: paramiko reads' text "$($python "$dir/read.py" "$port" "$dir/id" 2>&1)"
stop_example server-sftp
finish
