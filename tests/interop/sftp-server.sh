#!/bin/bash
# sftp-server run by real peers: `sftp -D`, and a stock sshd whose subsystem it is (for sftp and sshfs).
# sftp-server.sh BUILD: says "left out NAME: why" for what the machine lacks.
set -u
. "$(dirname "$0")/../lib.sh"
at_end() { fusermount3 -uz "$dir/mount" 2>/dev/null; }
need sftp ssh-keygen
begin "$1"
server=$build/core/examples/sftp-server
absent() { [ ! -e "$1" ] && [ ! -L "$1" ]; }

# What a sanitizer finds in the server is in files of its own, because sftp and sshd hide its exit status.
export ASAN_OPTIONS=$ASAN_OPTIONS:log_path=$dir/sanitizer UBSAN_OPTIONS=$UBSAN_OPTIONS:log_path=$dir/sanitizer
no_reports() { ! cat "$dir"/sanitizer* 2>/dev/null; }

head -c 5000000 /dev/urandom >"$dir/big"
: >"$dir/empty"
remote=$dir/remote
mkdir "$remote" "$dir/back"
odd=$(printf 'odd \xff\xfe name')

# batch NAME COMMAND-OF-SFTP...: runs the lines of stdin as a batch, all of which must succeed
batch() {
    local name=$1
    shift
    if timeout 60 "$@" -b /dev/stdin >"$dir/out" 2>&1; then ok "$name"; else
        not_ok "$name" "$(tail -n 3 "$dir/out" | tr '\n' ' ')"
    fi
}
# refused NAME COMMAND-OF-SFTP...: the one line of stdin must fail
refused() {
    local name=$1
    shift
    if timeout 60 "$@" -b /dev/stdin >"$dir/out" 2>&1; then not_ok "$name" "it was done"; else ok "$name"; fi
}

everything() { # PREFIX SFTP-COMMAND...: the same work over any way to the server
    local way=$1
    shift
    rm -rf "$remote" && mkdir "$remote"
    batch "$way: put and get" "$@" <<EOF
put $dir/big $remote/big
put $dir/empty "$remote/$odd"
get $remote/big $dir/back/big
get "$remote/$odd" $dir/back/empty
put -p $dir/big $remote/kept
EOF
    succeeds "$way: same bytes there" same_file "$dir/big" "$remote/big"
    succeeds "$way: same bytes back" same_file "$dir/big" "$dir/back/big"
    succeeds "$way: a name that is not UTF-8" test -e "$remote/$odd"
    succeeds "$way: times are kept" test "$(stat -c %Y "$dir/big")" = "$(stat -c %Y "$remote/kept")"
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
    succeeds "$way: ls shows a symlink" grep -e '^lrwxrwxrwx.*symbolic' "$dir/out"
    succeeds "$way: ls shows modes" grep -e '^-rw-r-----.*renamed' "$dir/out"
    succeeds "$way: rename" absent "$remote/big"
    succeeds "$way: hard link" test "$(stat -c %h "$remote/renamed")" = 2
    succeeds "$way: symlink" test "$(readlink "$remote/symbolic")" = renamed
    succeeds "$way: rmdir" absent "$remote/gone"
    succeeds "$way: rm" absent "$remote/kept"
    batch "$way: df, cp and recursion" "$@" <<EOF
df $remote
cp $remote/renamed $remote/copied
put -R $dir/back $remote/directory/
get -R $remote/directory $dir/again
cd $remote/directory
pwd
EOF
    succeeds "$way: pwd" grep -e "Remote working directory: $remote/directory" "$dir/out"
    succeeds "$way: cp" same_file "$dir/big" "$remote/copied"
    truncate -s 3000000 "$remote/copied"
    batch "$way: reput" "$@" <<<"reput $dir/big $remote/copied"
    succeeds "$way: reput gives the whole" same_file "$dir/big" "$remote/copied"
    succeeds "$way: recursion" same_file "$dir/big" "$dir/again/back/big"
    rm -rf "$dir/again"
    refused "$way: no such file" "$@" <<<"get $remote/missing"
    refused "$way: rmdir of a full directory" "$@" <<<"rmdir $remote/directory"
}

# Run by sftp itself.
succeeds "-Q requests" test "$("$server" -Q requests | head -n 3 | tr '\n' ' ')" = "open close read "
if [ -x /usr/lib/openssh/sftp-server ]; then
    succeeds "-Q requests as OpenSSH's" diff <("$server" -Q requests) <(/usr/lib/openssh/sftp-server -Q requests)
fi
succeeds "-h" grep -e '-R .*read-only' <("$server" -h)
everything "sftp -D" sftp -D "$server"
for option in "-R" "-P open" "-p realpath,stat,lstat"; do
    refused "sftp -D $option: put" sftp -D "$server $option" <<<"put $dir/empty $remote/refused"
    succeeds "sftp -D $option: nothing made" absent "$remote/refused"
done
batch "sftp -D -u 077" sftp -D "$server -u 077" <<<"mkdir $remote/private"
succeeds "-u: the mode" test "$(stat -c %a "$remote/private")" = 700
batch "sftp -D -d -e -l" sftp -D "$server -e -l INFO -d $remote/directory" <<<"pwd
mkdir logged"
succeeds "-d: the start" grep -e "Remote working directory: $remote/directory" "$dir/out"
succeeds "-e -l: the log" grep -e 'mkdir .*logged' "$dir/out"
fails "-p with an unknown name" "$server" -p open,nonsense
mkdir "$remote/many"
(cd "$remote/many" && seq -f 'file-%.0f' 3000 | xargs touch)
batch "sftp -D: 3000 names" sftp -D "$server" <<<"ls -1 $remote/many"
succeeds "3000 names are listed" test "$(grep -c file- "$dir/out")" = 3000

# Run by sshd.
if [ ! -x "$sshd" ]; then
    succeeds "no sanitizer report" no_reports
    echo "left out sshd: openssh-server is not installed"
    finish
fi
key ed25519 host
key ed25519 user
chmod 755 "$dir" # sshd looks at the way to the key file
start_sshd sftp "HostKey $dir/host" "AuthorizedKeysFile $dir/user.pub" "Subsystem sftp $server -l ERROR" \
    "SetEnv ASAN_OPTIONS=$ASAN_OPTIONS UBSAN_OPTIONS=$UBSAN_OPTIONS"
options=(-F none -o "IdentityFile=$dir/user" -o IdentitiesOnly=yes -o "UserKnownHostsFile=$dir/known_hosts"
    -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR -o BatchMode=yes)
# A program of its own, because sftp wants the destination last.
cat >"$dir/over-sshd" <<EOF
#!/bin/bash
exec sftp $(printf '%q ' "${options[@]}") -P $port "\$@" $user@127.0.0.1
EOF
chmod +x "$dir/over-sshd"
everything "sshd" "$dir/over-sshd"

if command -v sshfs >/dev/null && [ -w /dev/fuse ]; then
    mkdir "$dir/mount"
    if sshfs "${options[@]}" -p "$port" "$user@127.0.0.1:$remote" "$dir/mount" 2>"$dir/out"; then
        succeeds "sshfs: write" cp "$dir/big" "$dir/mount/by-sshfs"
        succeeds "sshfs: same bytes there" same_file "$dir/big" "$remote/by-sshfs"
        succeeds "sshfs: same bytes back" same_file "$dir/big" "$dir/mount/by-sshfs"
        succeeds "sshfs: statfs" df "$dir/mount"
        succeeds "sshfs: rename over a file" mv "$dir/mount/by-sshfs" "$dir/mount/copied"
        succeeds "sshfs: unmount" fusermount3 -u "$dir/mount"
    else
        not_ok "sshfs" "$(cat "$dir/out")"
    fi
else
    echo "left out sshfs: it or /dev/fuse is missing"
fi
succeeds "no sanitizer report" no_reports
finish
