#!/usr/bin/env bash
# lanyard-key-hosts.sh BUILD: lanyard-key known-hosts and authorize against ssh-keygen, and install on an OpenSSH sshd.
. "$(dirname "$0")/server-lib.sh"
need ssh-keygen ssh ssh-agent ssh-add python3
key=$build/keys/lanyard-key
cd "$dir" || exit 1

key ed25519 one
key ecdsa two
key rsa three -b 2048
line() { cut -d' ' -f1,2 "$1.pub"; }
cat >known.orig <<TEXT
# a comment

alpha $(line one)
alpha,beta,192.0.2.1 $(line two)
[alpha]:2222 $(line three) with a comment
*.example.org,!bad.example.org $(line one)
@cert-authority *.ca.org $(line two)
@revoked alpha $(line three)
gamma,delta $(line one)
TEXT
cp known.orig hashed.orig
ssh-keygen -q -H -f hashed.orig >/dev/null 2>&1
chmod 640 known.orig hashed.orig

# find: the same lines, and the same answer.
for file in known.orig hashed.orig; do
    for host in alpha beta 192.0.2.1 '[alpha]:2222' www.example.org bad.example.org x.ca.org gamma ALPHA nobody; do
        ssh-keygen -F "$host" -f $file >theirs 2>/dev/null
        theirs=$?
        "$key" known-hosts find "$host" --file $file >ours 2>err
        check "find $host in $file: status" $theirs $?
        # ssh looks names up in lower case, and so finds hashed ones too; ssh-keygen does not.
        [ "$host $file" = 'ALPHA hashed.orig' ] && continue
        succeeds "find $host in $file" same_file theirs ours
    done
done
"$key" known-hosts find alpha gamma --json --file known.orig >out
check 'find --json' '3 4 8 @revoked 9' "$(python3 -c 'import json
print(*(str(l["line"]) + (" " + l["marker"] if l["marker"] else "") for l in json.load(open("out"))))')"
"$key" known-hosts find alpha --port 2222 --file known.orig >out
check 'find --port' 1 "$(grep -c '^\[alpha\]:2222' out)"

# remove: the same file, the same .old, permissions kept.
for file in known hashed; do
    for host in alpha beta '[alpha]:2222' www.example.org gamma; do
        cp -p $file.orig ours && cp -p $file.orig theirs
        rm -f ours.old theirs.old
        ssh-keygen -R "$host" -f theirs >/dev/null 2>&1
        "$key" known-hosts remove "$host" --file ours >out 2>err
        check "remove $host from $file: status" 0 $?
        succeeds "remove $host from $file" eval 'same_file theirs ours && same_file theirs.old ours.old'
        check "remove $host from $file: permissions" '640 640' "$(stat -c %a ours ours.old | xargs)"
    done
done
cp -p known.orig ours
rm -f ours.old
"$key" known-hosts remove nobody --file ours >out 2>err
check 'remove: unknown' '1 no' "$? $([ -e ours.old ] && echo yes || echo no)"
succeeds 'remove: unknown changes nothing' same_file ours known.orig
ln -s ours link
"$key" known-hosts remove beta --file link >out 2>err
check 'remove through a symbolic link' 'yes 0' "$([ -L link ] && echo yes) $(grep -c beta ours)"
"$key" known-hosts remove alpha --file missing >out 2>err
check 'remove: no file' 4 $?

# hash: what ssh-keygen finds in the result is what it found before.
cp -p known.orig ours
rm -f ours.old
"$key" known-hosts hash --file ours >out 2>err
check 'hash: status' 0 $?
check 'hash: no name is left in the clear' 0 "$(grep -c '^\(alpha\|beta\|gamma\|\[alpha\)' ours)"
check 'hash: permissions' 640 "$(stat -c %a ours)"
succeeds 'hash: the original is kept' same_file ours.old known.orig
for host in alpha beta delta '[alpha]:2222' www.example.org x.ca.org; do
    check "hash: $host" "$(ssh-keygen -F "$host" -f hashed.orig | grep -vc '^#')" "$(ssh-keygen -F "$host" -f ours | grep -vc '^#')"
done
cp ours again
"$key" known-hosts hash --file again >out 2>err
succeeds 'hash: twice' same_file ours again

# add: with care for the last line's end, once, hashed or not.
printf 'alpha %s' "$(line one)" >ours
"$key" known-hosts add omega two.pub --file ours >out 2>err
check 'add' "alpha $(line one)
omega $(line two)" "$(cat ours)"
"$key" known-hosts add omega two.pub --file ours >out 2>err
check 'add: once' '0 2' "$? $(wc -l <ours)"
"$key" known-hosts add '[omega]:22022' $(line one) --hashed --file ours >out 2>err
ssh-keygen -F '[omega]:22022' -f ours | grep -q '^|1|' && ok 'add --hashed' || not_ok 'add --hashed' "$(cat ours err)"
"$key" known-hosts add alpha three.pub -q --file deep/known 2>err
check 'add makes the file' '600 700' "$(stat -c %a deep/known deep | xargs)"
"$key" known-hosts add 'a*b' one.pub --file ours >out 2>err
check 'add: a pattern' 3 $?
"$key" known-hosts add host known.sh --file ours >out 2>err
check 'add: no key file' 4 $?
"$key" known-hosts forget host 2>err
check 'unknown action' 2 $?

# authorize.
"$key" authorize one.pub two.pub >out
check 'authorize: status' 0 $?
check 'authorize' "$(cat one.pub two.pub)" "$(cat "$HOME/.ssh/authorized_keys")"
check 'authorize: permissions' 600 "$(stat -c %a "$HOME/.ssh/authorized_keys")"
"$key" authorize two.pub one >out 2>err
check 'authorize: once' '0 2' "$? $(grep -c 'is already in' out)"
check 'authorize: nothing was added' "$(cat one.pub two.pub)" "$(cat "$HOME/.ssh/authorized_keys")"
chmod 644 "$HOME/.ssh/authorized_keys"
"$key" authorize --options 'restrict,command="echo \"hi\""' three.pub >out
check 'authorize --options' "restrict,command=\"echo \\\"hi\\\"\" $(cat three.pub)" "$(tail -1 "$HOME/.ssh/authorized_keys")"
check 'authorize keeps permissions' 644 "$(stat -c %a "$HOME/.ssh/authorized_keys")"
key ed25519 four
"$key" authorize --options 'command="' four.pub >out 2>err
check 'authorize: bad options' '3 3' "$? $(wc -l <"$HOME/.ssh/authorized_keys")"
printf 'ssh-ed25519 unfinished' >unfinished
"$key" authorize -q -f unfinished four.pub
check 'authorize: unfinished last line' "ssh-ed25519 unfinished
$(cat four.pub)" "$(cat unfinished)"
"$key" authorize --json four.pub one.pub -f unfinished >out
check 'authorize --json' 'False True' "$(python3 -c 'import json; print(*(k["added"] for k in json.load(open("out"))))')"
head -c 8K /dev/zero | tr '\0' '#' >full
(ulimit -f 4 && "$key" authorize four.pub -f full >out 2>err)
check 'authorize: a full disk' '4 8192' "$? $(stat -c %s full)"

# install, on a real sshd with an SFTP server.
sftp_server=$(ls /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server /usr/libexec/sftp-server 2>/dev/null | head -1)
if [ ! -x "$sshd" ] || [ -z "$sftp_server" ]; then
    echo "ok install # SKIP: no sshd or sftp-server"
    finish
fi
key ed25519 host
key ed25519 login
cp login.pub accepted
mkdir far
# start_sftp [ARGUMENT...]: the next connections get sftp-server with these, in $dir/far.
start_sftp() {
    printf '#!/bin/sh\nexec %s -d %s %s\n' "$sftp_server" "$dir/far" "$*" >sftp-server
    chmod 755 sftp-server
}
start_sftp
start_sshd far "HostKey $dir/host" "AuthorizedKeysFile $dir/accepted $dir/far/.ssh/authorized_keys" "Subsystem sftp $dir/sftp-server"
"$key" known-hosts add 127.0.0.1 --port "$port" host.pub -q --file known
cat >config <<CONFIG
Host far
    HostName 127.0.0.1
    Port $port
    User $user
    UserKnownHostsFile $dir/known
    GlobalKnownHostsFile none
    IdentityFile $dir/login
    IdentitiesOnly yes
    IdentityAgent none
CONFIG
install() { timeout 60 "$key" install -F config -o BatchMode=yes "$@" far >out 2>err </dev/null; }
there=far/.ssh/authorized_keys

install -n -i one.pub
check 'install --dry-run' '0 no' "$? $([ -e far/.ssh ] && echo yes || echo no)"
install -i one.pub
check 'install: status' 0 $? "$(cat err)"
check 'install' "$(cat one.pub)" "$(cat $there 2>&1)"
check 'install: permissions' '600 700' "$(stat -c %a $there far/.ssh | xargs)"
install -i one.pub
check 'install: twice' '0 1' "$? $(wc -l <$there)"
succeeds 'install: says so' grep 'is already in' out
install -i one -i two.pub --json
check 'install --json' 'False True' "$(python3 -c 'import json; print(*(k["added"] for k in json.load(open("out"))))')"
ssh -F config -i one -o BatchMode=yes far true 2>err
check 'sshd accepts what was installed' 0 $?
printf '# words\r\n\ncommand="x" %s' "$(cat one.pub)" >$there
chmod 640 $there
install -i one.pub -i three.pub
check 'install: unfinished last line' "$(printf '# words\r\n\ncommand="x" %s\n%s' "$(cat one.pub)" "$(cat three.pub)")" "$(cat $there)"
check 'install keeps permissions' 640 "$(stat -c %a $there)"
install -i one.pub --force
check 'install --force' 2 "$(grep -c "$(cut -d' ' -f2 one.pub)" $there)"
mv $there far/elsewhere
ln -s ../elsewhere $there
install -i two.pub
check 'install through a symbolic link' 'yes 1' "$([ -L $there ] && echo yes) $(grep -c "$(cut -d' ' -f2 two.pub)" far/elsewhere)"
rm $there
mv far/elsewhere $there
cp $there before
chmod 444 $there
install -i four.pub
check 'install: a read-only file' 4 $?
succeeds 'install: a read-only file stays' same_file before $there
check 'install: one sentence' 1 "$(wc -l <err)"
chmod 640 $there
start_sftp -R
install -i four.pub
check 'install: a server that only reads' 4 $?
succeeds 'install: nothing is lost there' same_file before $there
for denied in write fsetstat posix-rename,rename; do
    start_sftp -P $denied
    install -i four.pub
    check "install: a server that refuses $denied" 4 $?
    succeeds "install: refused $denied, nothing is lost" same_file before $there
    check "install: refused $denied, nothing is left beside" authorized_keys "$(ls far/.ssh)"
done
# Without posix-rename@openssh.com the old file steps aside for a moment.
start_sftp -P posix-rename,fsync,hardlink,limits
install -i four.pub
check 'install without posix-rename' "0 $(cat before four.pub | md5sum)" "$? $(md5sum <$there)"
check 'install without posix-rename: permissions' 640 "$(stat -c %a $there)"
check 'install without posix-rename: nothing is left beside' authorized_keys "$(ls far/.ssh)"
cp before $there
start_sftp
install -i four.pub -t other/keys
check 'install -t' "$(cat four.pub)" "$(cat far/other/keys 2>&1)"

# Which keys: the newest of ~/.ssh, else the agent's.
cp two.pub "$HOME/.ssh/id_ecdsa.pub" && touch -d '1 hour ago' "$HOME/.ssh/id_ecdsa.pub"
cp one.pub "$HOME/.ssh/id_ed25519.pub"
install -t newest
check 'install: the newest identity' "$(cat one.pub)" "$(cat far/newest)"
rm "$HOME"/.ssh/id_*
install -t agents
check 'install: no key' 3 $?
eval "$(ssh-agent -s)" >/dev/null
pids[SSH_AGENT_PID]=1
ssh-add -q two four 2>/dev/null
install -t agents
check "install: the agent's keys" "$(cat two.pub four.pub)" "$(cat far/agents 2>&1)"
unset SSH_AUTH_SOCK

# Sign-in that does not succeed, and nobody there.
cp accepted keep
: >accepted
: >$there
install -i one.pub
check 'install: not let in' 4 $?
check 'install: not let in, one sentence' 1 "$(wc -l <err)"
end_process "$sshd_pid"
install -i one.pub
check 'install: nobody listens' 4 $?
check 'install: nobody listens, one sentence' 1 "$(wc -l <err)"

# A password, asked for as ssh asks: here by SSH_ASKPASS, which also answers for the unknown host key.
echo "$user:se cret" >passwords
chmod 600 passwords
printf '#!/bin/sh\necho "$1" >>%s/asked\ncase $1 in *assword*) echo "se cret" ;; *) echo yes ;; esac\n' "$dir" >askpass
chmod 755 askpass
start_server -h host --password-file passwords
mkdir bypassword
SSH_ASKPASS=$dir/askpass SSH_ASKPASS_REQUIRE=force timeout 60 "$key" install -F none -p "$port" -i one.pub \
    -o UserKnownHostsFile="$dir/new_hosts" -o GlobalKnownHostsFile=none -o IdentityAgent=none \
    -t "$dir/bypassword/.ssh/authorized_keys" "$user@127.0.0.1" >out 2>err </dev/null
check 'install with a password' "0 $(cat one.pub)" "$? $(cat bypassword/.ssh/authorized_keys err 2>&1)"
check 'install with a password: asked for the host key' 1 "$(grep -c '(yes/no' asked)"
check 'install with a password: asked for it once' 1 "$(grep -ci 'password: *$' asked)"
succeeds 'install: the host key is remembered' eval 'grep -F "$(cut -d" " -f2 host.pub)" new_hosts || { cat out err; false; }'
stop_server 'sshd'
finish
