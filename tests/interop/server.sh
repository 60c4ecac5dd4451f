#!/usr/bin/env bash
# server.sh BUILDDIR: core/examples/sshd against stock clients: ssh, sftp, scp, sshfs, plink, psftp, dbclient.
set -u
. "$(dirname "$0")/server-lib.sh"
at_end() { fusermount3 -uz "$dir/mount" 2>/dev/null; }
need ssh ssh-keygen sftp scp sshfs fusermount3 plink psftp puttygen dbclient dropbearconvert

make_keys
head -c 10485760 /dev/urandom >"$dir/ten"
md5=$(md5sum <"$dir/ten")
server_arguments=(-h "$dir/host_ed25519" -h "$dir/host_rsa" -k "$dir/authorized_keys" --password-file "$dir/passwords")
printf 'somebody:correct horse\nother:x\n' >"$dir/passwords"

# --- ssh ---
start_server "${server_arguments[@]}"
write_ssh_config
check "exec: stdout" "hello" "$(run_ssh server 'echo hello; echo no >&2' 2>/dev/null)"
check "exec: stderr" "oops" "$(run_ssh server 'echo no; echo oops >&2' 2>&1 >/dev/null)"
run_ssh server 'exit 37'
check "exec: exit status" 37 $?
run_ssh server 'kill -TERM $$' 2>/dev/null
check "exec: exit signal" 255 $?
check "exec: exit signal's name" 1 "$(run_ssh -v server 'kill -TERM $$' 2>&1 | grep -c 'exit-signal')"
check "exec: 10 MiB both ways" "$md5" "$(run_ssh server cat <"$dir/ten" | md5sum)"
check "exec: 10 MiB of stderr" "$md5" "$(run_ssh server 'cat >&2' <"$dir/ten" 2>&1 >/dev/null | md5sum)"
check "exec: 10 MiB both ways, rekey every MiB" "$md5" "$(run_ssh -o RekeyLimit=1M server cat <"$dir/ten" | md5sum)"
check "exec: 10 MiB, compressed" "$md5" "$(run_ssh -C server cat <"$dir/ten" | md5sum)"
check "exec: stdout and stderr apart" "65536 65536" \
    "$(run_ssh server 'head -c 65536 /dev/zero; head -c 65536 /dev/zero >&2' 2>"$dir/err" | wc -c) $(wc -c <"$dir/err")"
check "exec: who does not read stdin" "done" "$(run_ssh server 'exec <&-; echo done' <"$dir/ten")"
check "exec: the reader goes away" "0" "$(run_ssh server 'yes | head -c 1000000' | head -c 5 | wc -c | grep -c 6)"
check "exec: environment" "LC_X=1 GIT_PROTOCOL=version=2 FOO=" \
    "$(LC_X=1 GIT_PROTOCOL=version=2 FOO=2 run_ssh -o SendEnv='LC_* GIT_PROTOCOL FOO' server 'echo LC_X=$LC_X GIT_PROTOCOL=$GIT_PROTOCOL FOO=$FOO')"
check "exec: home, address" "$HOME 127.0.0.1" "$(run_ssh server 'echo $(pwd) ${SSH_CONNECTION%% *}')"
check "shell without a terminal" "in a shell" "$(echo 'echo in a shell' | run_ssh -T server)"
check "shell on a terminal" "1" "$(printf 'tty\nexit\n' | run_ssh -tt server 2>/dev/null | grep -c '/dev/pts/')"
check "terminal: size and type" "xterm-test" "$(TERM=xterm-test run_ssh -tt server 'echo $TERM' 2>/dev/null | tr -d '\r')"
run_ssh -tt server 'exit 5' 2>/dev/null </dev/null
check "terminal: exit status" 5 $?
run_ssh -o LogLevel=INFO -W 127.0.0.1:1 server </dev/null 2>"$dir/err"
check "forwarding is refused" 1 "$(grep -c 'administratively prohibited' "$dir/err")"
run_ssh -s server nothing </dev/null 2>/dev/null
check "unknown subsystem is refused" 255 $?
# Many sessions in one connection.
run_ssh -M -S "$dir/control" -f -N server
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do run_ssh -S "$dir/control" server "echo $i; sleep 0.3" & done >"$dir/many"
wait $(jobs -p | grep -v "^$server$")
run_ssh -S "$dir/control" -O exit server 2>/dev/null
check "twelve sessions in one connection" 12 "$(wc -l <"$dir/many")"
# Host keys are announced, and proven to a client that asks.
cp "$dir/known_hosts" "$dir/known_hosts.all"
grep ed25519 "$dir/known_hosts.all" >"$dir/known_hosts"
run_ssh -o UpdateHostKeys=yes server 'sleep 0.5'
check "host keys are announced and proven" 1 "$(grep -c ssh-rsa "$dir/known_hosts")"
cp "$dir/known_hosts.all" "$dir/known_hosts"

# --- sftp, scp ---
mkdir "$dir/remote"
run_sftp() { timeout 60 sftp -q -F "$dir/ssh_config" -b - "$@" server 2>"$dir/err"; }
run_sftp >"$dir/listing" <<EOF
put $dir/ten $dir/remote/ten
rename $dir/remote/ten $dir/remote/eleven
get $dir/remote/eleven $dir/eleven
mkdir $dir/remote/sub
symlink $dir/remote/eleven $dir/remote/sub/link
ls -l $dir/remote
EOF
check "sftp: batch" 0 $?
check "sftp: put" "$md5" "$(md5sum <"$dir/remote/eleven")"
check "sftp: get" "$md5" "$(md5sum <"$dir/eleven")"
check "sftp: ls" 2 "$(grep -v '^sftp>' "$dir/listing" | grep -c 'eleven$\|sub$')"
check "sftp: symlink" "$dir/remote/eleven" "$(readlink "$dir/remote/sub/link")"
echo "get /nonexistent $dir/x" | run_sftp >/dev/null
check "sftp: no such file" 1 "$(grep -c 'not found' "$dir/err")"
echo "get $dir/remote/eleven $dir/rekeyed" | run_sftp -o RekeyLimit=1M >/dev/null
check "sftp: get, rekey every MiB" "$md5" "$(md5sum <"$dir/rekeyed")"
echo "put $dir/ten $dir/remote/rekeyed" | run_sftp -o RekeyLimit=1M -B 262000 -R 128 >/dev/null
check "sftp: put, rekey every MiB" "$md5" "$(md5sum <"$dir/remote/rekeyed")"
timeout 60 scp -q -F "$dir/ssh_config" "$dir/ten" "server:$dir/remote/scp" && timeout 60 scp -q -F "$dir/ssh_config" "server:$dir/remote/scp" "$dir/scp"
check "scp: there and back" "$md5" "$(md5sum <"$dir/scp")"
timeout 60 scp -q -O -F "$dir/ssh_config" "server:$dir/remote/scp" "$dir/scp.old"
check "scp: the old protocol" "$md5" "$(md5sum <"$dir/scp.old")"

# --- sshfs ---
mkdir "$dir/mount" "$dir/tree"
(cd "$dir/tree" && mkdir a b && head -c 3000000 /dev/urandom >a/big && ln -s ../a/big b/link && : >b/empty && chmod 640 b/empty &&
    for i in $(seq 50); do echo "$i" >"b/file $i"; done && touch -d '2020-02-02 02:02:02' a/big)
sshfs_links= # newer ones refuse ".." in links by default
sshfs -h 2>&1 | grep -q no_contain_symlinks && sshfs_links='-o no_contain_symlinks'
if timeout 30 sshfs -F "$dir/ssh_config" $sshfs_links "server:$dir/remote" "$dir/mount"; then
    cp -a "$dir/tree" "$dir/mount/copy" && cp -a "$dir/mount/copy" "$dir/back"
    check "sshfs: cp -a there and back" "" "$(diff -r "$dir/tree" "$dir/back" 2>&1)$(diff -r "$dir/tree" "$dir/remote/copy" 2>&1)"
    check "sshfs: time and mode" "1580608922 640" "$(TZ=UTC stat -c %Y "$dir/back/a/big") $(stat -c %a "$dir/back/b/empty")"
    fusermount3 -u "$dir/mount"
else
    not_ok "sshfs: mount" "it failed"
fi

# --- PuTTY, dropbear ---
puttygen "$dir/id_ed25519" -o "$dir/id.ppk" >/dev/null 2>&1
fingerprint=$(ssh-keygen -lf "$dir/host_ed25519.pub" | cut -d' ' -f2)
run_putty() { local program=$1; shift; timeout 60 "$program" -batch -P "$port" -l somebody -hostkey "$fingerprint" "$@"; }
run_putty plink -i "$dir/id.ppk" 127.0.0.1 'cat; exit 9' <"$dir/ten" >"$dir/plink"
check "plink: exit status" 9 $?
check "plink: 10 MiB both ways" "$md5" "$(md5sum <"$dir/plink")"
check "plink: password" "in" "$(run_putty plink -pw 'correct horse' 127.0.0.1 'echo in' 2>/dev/null </dev/null)"
check "plink: wrong password" 0 "$(run_putty plink -pw 'wrong' 127.0.0.1 'echo in' 2>/dev/null </dev/null | wc -l)"
printf 'put %s %s\nget %s %s\nquit\n' "$dir/ten" "$dir/remote/psftp" "$dir/remote/psftp" "$dir/psftp" >"$dir/batch"
run_putty psftp -i "$dir/id.ppk" -b "$dir/batch" 127.0.0.1 >/dev/null 2>&1
check "psftp: put and get" "$md5$md5" "$(md5sum <"$dir/remote/psftp")$(md5sum <"$dir/psftp")"
dropbearconvert openssh dropbear "$dir/id_ed25519" "$dir/id.dropbear" >/dev/null 2>&1
timeout 60 dbclient -y -y -T -p "$port" -i "$dir/id.dropbear" somebody@127.0.0.1 'cat; exit 4' <"$dir/ten" >"$dir/dbclient" 2>/dev/null
check "dbclient: exit status" 4 $?
check "dbclient: 10 MiB both ways" "$md5" "$(md5sum <"$dir/dbclient")"
check "dbclient: password" "in" "$(DROPBEAR_PASSWORD='correct horse' timeout 60 dbclient -y -y -T -p "$port" somebody@127.0.0.1 'echo in' 2>/dev/null </dev/null)"

# --- passwords with ssh ---
printf '#!/bin/sh\ncat %s/answer\n' "$dir" >"$dir/askpass"
chmod 700 "$dir/askpass"
ssh_password() { SSH_ASKPASS="$dir/askpass" SSH_ASKPASS_REQUIRE=force run_ssh -o BatchMode=no -o PreferredAuthentications="$1" -o NumberOfPasswordPrompts=2 server 'echo in' 2>"$dir/err" </dev/null; }
for method in password keyboard-interactive; do
    echo 'correct horse' >"$dir/answer"
    check "ssh: $method" in "$(ssh_password $method)"
    echo 'wrong' >"$dir/answer"
    check "ssh: $method, wrong" "" "$(ssh_password $method)"
    check "ssh: $method, wrong: says so" yes "$(grep -q 'Permission denied' "$dir/err" && echo yes)"
done

# --- authorized_keys: read anew for each sign-in ---
key=$(cat "$dir/id_ed25519.pub")
authorize() { printf '%s\n' "$@" >"$dir/authorized_keys"; }
authorize "command=\"echo forced \$SSH_ORIGINAL_COMMAND\" $key"
check "authorized_keys: command=" "forced rm -rf x" "$(run_ssh server 'rm -rf x')"
authorize "from=\"10.0.0.0/8\" $key"
check "authorized_keys: from= elsewhere" "" "$(run_ssh server 'echo in' 2>/dev/null)"
authorize "from=\"10.0.0.0/8,127.0.0.*\" $key"
check "authorized_keys: from= here" in "$(run_ssh server 'echo in')"
authorize "expiry-time=\"20200101\" $key"
check "authorized_keys: expired" "" "$(run_ssh server 'echo in' 2>/dev/null)"
check "authorized_keys: expired: the log says so" 1 "$(grep -c 'expir' "$dir/log")"
authorize "expiry-time=\"20990101Z\" $key"
check "authorized_keys: not yet expired" in "$(run_ssh server 'echo in')"
authorize "restrict $key"
check "authorized_keys: restrict" "in" "$(run_ssh server 'echo in')"
check "authorized_keys: restrict: no terminal" 0 "$(run_ssh -tt server 'tty' 2>/dev/null | grep -c /dev/pts)"
authorize "restrict,pty $key"
check "authorized_keys: restrict,pty" 1 "$(run_ssh -tt server 'tty' 2>/dev/null | grep -c /dev/pts)"
authorize "no-pty $key"
check "authorized_keys: no-pty" 0 "$(run_ssh -tt server 'tty' 2>/dev/null | grep -c /dev/pts)"
authorize "unheard-of $key"
check "authorized_keys: an unknown option refuses" "" "$(run_ssh server 'echo in' 2>/dev/null)"
authorize ""
check "authorized_keys: empty" "" "$(run_ssh server 'echo in' 2>/dev/null)"

# --- user certificates ---
key ed25519 ca
certify() { ssh-keygen -q -s "$dir/ca" -I test "$@" "$dir/id_ed25519.pub" 2>/dev/null; }
authorize "cert-authority $(cat "$dir/ca.pub")"
check "certificate: the plain key is not enough" "" "$(run_ssh server 'echo in' 2>/dev/null)"
certify -n somebody
check "certificate: principal" in "$(run_ssh -o CertificateFile="$dir/id_ed25519-cert.pub" server 'echo in')"
check "certificate: other user" "" "$(run_ssh -o CertificateFile="$dir/id_ed25519-cert.pub" -l other server 'echo in' 2>/dev/null)"
authorize "cert-authority,principals=\"admins,ops\" $(cat "$dir/ca.pub")"
check "certificate: principals=, without one" "" "$(run_ssh -o CertificateFile="$dir/id_ed25519-cert.pub" server 'echo in' 2>/dev/null)"
certify -n ops -O force-command='echo by certificate'
check "certificate: principals=, force-command" "by certificate" "$(run_ssh -o CertificateFile="$dir/id_ed25519-cert.pub" server 'echo in')"
certify -n ops -V 20200101:20200102
check "certificate: expired" "" "$(run_ssh -o CertificateFile="$dir/id_ed25519-cert.pub" server 'echo in' 2>/dev/null)"
rm -f "$dir/id_ed25519-cert.pub"
authorize "$key"
stop_server "server"

# --- host certificates, -o ---
ssh-keygen -q -s "$dir/ca" -I host -h -n 127.0.0.1 "$dir/host_ed25519.pub"
printf 'Mind the step.\n' >"$dir/banner"
start_server "${server_arguments[@]}" -o Banner="$dir/banner" -o Ciphers=aes256-ctr -o 'RekeyLimit=1M 1h' -o MaxAuthTries=2 -o Compression=yes
write_ssh_config
echo "@cert-authority * $(cat "$dir/ca.pub")" >"$dir/known_hosts"
check "host certificate" in "$(run_ssh -o HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com server 'echo in' 2>/dev/null)"
check "-o Banner" 1 "$(run_ssh -o LogLevel=INFO server true 2>&1 | grep -c 'Mind the step')"
check "-o Ciphers" 1 "$(run_ssh -v server true 2>&1 | grep -c 'server->client cipher: aes256-ctr')"
check "-o Ciphers: no common one" 1 "$(run_ssh -o LogLevel=INFO -c aes128-ctr server true 2>&1 | grep -c 'no matching cipher')"
check "-o RekeyLimit: 10 MiB both ways" "$md5" "$(run_ssh server cat <"$dir/ten" | md5sum)"
check "-o RekeyLimit: keys are exchanged anew" 1 \
    "$(run_ssh -vv server cat <"$dir/ten" 2>&1 >/dev/null | grep -c 'SSH2_MSG_KEXINIT received' | awk '{print ($1 > 8)}')"
ssh_tries() { for i in 1 2 3 4; do [ -f "$dir/wrong$i" ] || key ed25519 "wrong$i"; done
    run_ssh -o IdentityFile="$dir/wrong1" -i "$dir/wrong1" -i "$dir/wrong2" -i "$dir/wrong3" -i "$dir/wrong4" server true 2>&1; }
sed -i '/IdentityFile/d' "$dir/ssh_config"
check "-o MaxAuthTries" 1 "$(ssh_tries | grep -c 'sign-in failed 2 times\|Too many authentication failures')"
stop_server "-o"
start_server "${server_arguments[@]}" -o ForceCommand='echo forced' -o LoginGraceTime=1
write_ssh_config
check "-o ForceCommand" forced "$(run_ssh server 'echo in')"
exec 3<>"/dev/tcp/127.0.0.1/$port"
wait_for 5 grep -q ' 1 s' "$dir/log"
exec 3>&-
check "-o LoginGraceTime" 1 "$(grep -c ' 1 s' "$dir/log")"
stop_server "-o ForceCommand"

# --- -r: SFTP only, and nothing outside of ROOT ---
mkdir -p "$dir/root/in"
echo secret >"$dir/secret"
echo inside >"$dir/root/in/file"
ln -s "$dir/secret" "$dir/root/absolute"
ln -s ../../secret "$dir/root/in/relative"
ln -s in/file "$dir/root/good"
start_server "${server_arguments[@]}" -r "$dir/root"
write_ssh_config
check "-r: exec is off" "" "$(run_ssh server 'echo in' 2>/dev/null)"
check "-r: shell is off" "" "$(echo 'echo in' | run_ssh -T server 2>/dev/null)"
check "-r: terminal is off" "" "$(run_ssh -tt server 'echo in' 2>/dev/null </dev/null)"
check "-r: / is ROOT" "/absolute /good /in" "$(echo 'ls -1 /' | run_sftp | grep -v sftp | sort | xargs)"
for path in ../secret /../secret in/../../secret absolute in/relative "$dir/secret" /in/../../../../../../../../../etc/passwd; do
    rm -f "$dir/stolen"
    echo "get $path $dir/stolen" | run_sftp >/dev/null
    check "-r: get $path" no "$([ -s "$dir/stolen" ] && echo yes || echo no)"
done
echo "get good $dir/stolen" | run_sftp >/dev/null
check "-r: a link inside works" inside "$(cat "$dir/stolen")"
printf '%s\n' "put $dir/ten ../escaped" | run_sftp >/dev/null
check "-r: put ../x stays inside" "no" "$([ -e "$dir/escaped" ] && echo yes || echo no)"
printf '%s\n' "-symlink /etc e" "-put $dir/secret e/lanyard-test-escape" "-rename good ../good" "-ln in/file ../hard" | run_sftp >/dev/null
check "-r: writing through links, rename and link stay inside" "" "$(ls -d /etc/lanyard-test-escape "$dir/good" "$dir/hard" 2>/dev/null)"
stop_server "-r"

# --- the command line ---
own_sshd=$build/core/examples/sshd
"$own_sshd" --help >"$dir/help"
check "--help: status" 0 $?
check "--help: all flags" "-b -p -h -k -r -o --password-file" \
    "$(for flag in -b -p -h -k -r -o --password-file; do grep -q -e "^  $flag " "$dir/help" && printf '%s ' "$flag"; done | xargs -d '\n' | sed 's/ $//')"
"$own_sshd" -o Nonsense=1 -h "$dir/host_ed25519" -k /dev/null 2>"$dir/err"
check "an unknown setting is named" "1 1" "$? $(grep -c Nonsense "$dir/err")"
start_server -b ::1 -h "$dir/host_ed25519" -k /dev/null
check "IPv6: the address line" 1 "$(grep -c '^listening on \[::1\]:[0-9]*$' "$dir/out")"
stop_server "IPv6"
finish
