#!/bin/bash
# sftp-server run by real peers: `sftp -D`, and a stock sshd whose subsystem it is (for sftp and sshfs).
# Usage: tests/interop/sftp-server.sh BUILD-DIRECTORY
# Prints "ok NAME" or "not ok NAME: why", one a line, and "left out NAME: why" for what the machine lacks; exits 1 when any
# failed.
set -u
build=$(cd "${1:?the build directory is missing}" && pwd) || exit 1
server=$build/core/examples/sftp-server
work=$(mktemp -d) || exit 1
sshd_pid='' failed=0
finish() {
    [ -z "$sshd_pid" ] || kill "$sshd_pid" 2>/dev/null
    if mountpoint -q "$work/mount" 2>/dev/null; then fusermount3 -u "$work/mount"; fi
    rm -rf "$work"
}
trap finish EXIT

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1: $2"; failed=1; }
# check NAME COMMAND...: the command succeeds
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$(tail -n 3 <<<"$output" | tr '\n' ' ')"; fi
}
same() { cmp "$1" "$2"; }
absent() { [ ! -e "$1" ] && [ ! -L "$1" ]; }
contains() { grep -q -- "$2" "$1"; }

# What a sanitizer finds in the server is in files of its own, because sftp and sshd hide its exit status.
export ASAN_OPTIONS=log_path=$work/sanitizer UBSAN_OPTIONS=log_path=$work/sanitizer:print_stacktrace=1
no_reports() { cat "$work"/sanitizer* 2>/dev/null && return 1 || return 0; }

head -c 5000000 /dev/urandom >"$work/big"
: >"$work/empty"
remote=$work/remote
mkdir "$remote" "$work/back"
odd=$(printf 'odd \xff\xfe name')

# batch NAME COMMAND-OF-SFTP...: runs the lines of stdin as a batch, all of which must succeed
batch() {
    local name=$1
    shift
    if timeout 60 "$@" -b /dev/stdin >"$work/out" 2>&1; then ok "$name"; else
        not_ok "$name" "$(tail -n 3 "$work/out" | tr '\n' ' ')"
    fi
}
# refused NAME COMMAND-OF-SFTP...: the one line of stdin must fail
refused() {
    local name=$1
    shift
    if timeout 60 "$@" -b /dev/stdin >"$work/out" 2>&1; then not_ok "$name" "it was done"; else ok "$name"; fi
}

everything() { # PREFIX SFTP-COMMAND...: the same work over any way to the server
    local way=$1
    shift
    rm -rf "$remote" && mkdir "$remote"
    batch "$way: put and get" "$@" <<EOF
put $work/big $remote/big
put $work/empty "$remote/$odd"
get $remote/big $work/back/big
get "$remote/$odd" $work/back/empty
put -p $work/big $remote/kept
EOF
    check "$way: same bytes there" same "$work/big" "$remote/big"
    check "$way: same bytes back" same "$work/big" "$work/back/big"
    check "$way: a name that is not UTF-8" test -e "$remote/$odd"
    check "$way: times are kept" test "$(stat -c %Y "$work/big")" = "$(stat -c %Y "$remote/kept")"
    batch "$way: names and attributes" "$@" <<EOF
mkdir $remote/directory
rename $remote/big $remote/renamed
ln $remote/renamed $remote/hard
ln -s renamed $remote/symbolic
chmod 640 $remote/renamed
mkdir $remote/gone
rmdir $remote/gone
rm $remote/kept
ls -la $remote
EOF
    check "$way: ls shows a symlink" contains "$work/out" '^lrwxrwxrwx.*symbolic'
    check "$way: ls shows modes" contains "$work/out" '^-rw-r-----.*renamed'
    check "$way: rename" absent "$remote/big"
    check "$way: hard link" test "$(stat -c %h "$remote/renamed")" = 2
    check "$way: symlink" test "$(readlink "$remote/symbolic")" = renamed
    check "$way: rmdir" absent "$remote/gone"
    check "$way: rm" absent "$remote/kept"
    batch "$way: df, cp and recursion" "$@" <<EOF
df $remote
cp $remote/renamed $remote/copied
put -R $work/back $remote/directory/
get -R $remote/directory $work/again
cd $remote/directory
pwd
EOF
    check "$way: pwd" contains "$work/out" "Remote working directory: $remote/directory"
    check "$way: cp" same "$work/big" "$remote/copied"
    truncate -s 3000000 "$remote/copied"
    batch "$way: reput" "$@" <<<"reput $work/big $remote/copied"
    check "$way: reput gives the whole" same "$work/big" "$remote/copied"
    check "$way: recursion" same "$work/big" "$work/again/back/big"
    rm -rf "$work/again"
    refused "$way: no such file" "$@" <<<"get $remote/missing"
    refused "$way: rmdir of a full directory" "$@" <<<"rmdir $remote/directory"
}

# Run by sftp itself.
check "-Q requests" test "$("$server" -Q requests | head -n 3 | tr '\n' ' ')" = "open close read "
if [ -x /usr/lib/openssh/sftp-server ]; then
    check "-Q requests as OpenSSH's" diff <("$server" -Q requests) <(/usr/lib/openssh/sftp-server -Q requests)
fi
check "-h" contains <("$server" -h) '-R .*read-only'
everything "sftp -D" sftp -D "$server"
for option in "-R" "-P open" "-p realpath,stat,lstat"; do
    refused "sftp -D $option: put" sftp -D "$server $option" <<<"put $work/empty $remote/refused"
    check "sftp -D $option: nothing made" absent "$remote/refused"
done
batch "sftp -D -u 077" sftp -D "$server -u 077" <<<"mkdir $remote/private"
check "-u: the mode" test "$(stat -c %a "$remote/private")" = 700
batch "sftp -D -d -e -l" sftp -D "$server -e -l INFO -d $remote/directory" <<<"pwd
mkdir logged"
check "-d: the start" contains "$work/out" "Remote working directory: $remote/directory"
check "-e -l: the log" contains "$work/out" 'mkdir .*logged'
fails() { ! "$@"; }
check "-p with an unknown name" fails "$server" -p open,nonsense </dev/null
mkdir "$remote/many"
(cd "$remote/many" && seq -f 'file-%.0f' 3000 | xargs touch)
batch "sftp -D: 3000 names" sftp -D "$server" <<<"ls -1 $remote/many"
check "3000 names are listed" test "$(grep -c file- "$work/out")" = 3000

# Run by sshd.
sshd=$(command -v sshd || echo /usr/sbin/sshd)
if [ ! -x "$sshd" ]; then
    check "no sanitizer report" no_reports
    echo "left out sshd: openssh-server is not installed"
    exit $failed
fi
mkdir -p /run/sshd 2>/dev/null
ssh-keygen -q -t ed25519 -N '' -f "$work/host" && ssh-keygen -q -t ed25519 -N '' -f "$work/user" || exit 1
chmod 755 "$work" # sshd looks at the way to the key file
port=$((20000 + RANDOM % 12000)) # below those that the kernel gives to who connects
for _ in 1 2 3 4 5; do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    port=$((20000 + RANDOM % 12000)) # below those that the kernel gives to who connects
done
cat >"$work/sshd_config" <<EOF
ListenAddress 127.0.0.1:$port
HostKey $work/host
AuthorizedKeysFile $work/user.pub
StrictModes no
PidFile none
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
Subsystem sftp $server -l ERROR
SetEnv ASAN_OPTIONS=$ASAN_OPTIONS UBSAN_OPTIONS=$UBSAN_OPTIONS
EOF
"$sshd" -D -e -f "$work/sshd_config" 2>"$work/sshd.log" &
sshd_pid=$!
for _ in $(seq 50); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
done
options=(-F none -o "IdentityFile=$work/user" -o IdentitiesOnly=yes -o "UserKnownHostsFile=$work/known_hosts"
    -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR -o BatchMode=yes)
# A program of its own, because sftp wants the destination last.
cat >"$work/over-sshd" <<EOF
#!/bin/bash
exec sftp $(printf '%q ' "${options[@]}") -P $port "\$@" $(id -un)@127.0.0.1
EOF
chmod +x "$work/over-sshd"
everything "sshd" "$work/over-sshd"

if command -v sshfs >/dev/null && [ -w /dev/fuse ]; then
    mkdir "$work/mount"
    if sshfs "${options[@]}" -p "$port" "$(id -un)@127.0.0.1:$remote" "$work/mount" 2>"$work/out"; then
        check "sshfs: write" cp "$work/big" "$work/mount/by-sshfs"
        check "sshfs: same bytes there" same "$work/big" "$remote/by-sshfs"
        check "sshfs: same bytes back" same "$work/big" "$work/mount/by-sshfs"
        check "sshfs: statfs" df "$work/mount"
        check "sshfs: rename over a file" mv "$work/mount/by-sshfs" "$work/mount/copied"
        check "sshfs: unmount" fusermount3 -u "$work/mount"
    else
        not_ok "sshfs" "$(cat "$work/out")"
    fi
else
    echo "left out sshfs: it or /dev/fuse is missing"
fi
check "no sanitizer report" no_reports
exit $failed
