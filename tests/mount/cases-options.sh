# Ways to reach a server, and what the options promise. Sourced by mount.sh.

# The command returns when the directory is mounted, keeps no descriptor of its caller, and leaves its folder.
case_background() {
    local said
    echo here >"$srv/file"
    mkdir "$work/here"
    said=$(cd "$work/here" && timeout -k 2 30 "$lanyardfs" "server:$srv" "$mnt" -F "$work/ssh_config" 2>&1 && cat "$mnt/file") ||
        fail "it was not mounted when the command returned: $said"
    [ "$said" = here ] || fail "it says: $said"
    rmdir "$work/here"
    unmount_it
}

case_foreground() {
    mount_in_foreground "server:$srv"
    fusermount3 -u "$mnt"
    wait $! || fail "unmounted, it ended with $?: $(cat "$work/err.$case")"
    mount_in_foreground "server:$srv"
    kill -TERM $!
    wait $! || fail "on SIGTERM it ended with $?: $(cat "$work/err.$case")"
    ! mountpoint -q "$mnt" || fail "on SIGTERM it left its mount"
}

# As mount(8) does it for a line of fstab: mount.fuse3 finds the program by the type's name in PATH.
case_fstab_style() {
    local name=lanyardfs-test-$$
    [ "$(id -u)" = 0 ] || skip "mount(8) needs root"
    link=/usr/local/bin/$name
    ln -s "$lanyardfs" "$link"
    trap 'rm -f "$link"; end_jobs' EXIT
    echo here >"$srv/file"
    mount -t "fuse.$name" "server:$srv" "$mnt" -o "noauto,user=me,_netdev,nofail,x-systemd.automount,x-gvfs-show,comment=ours,UserKnownHostsFile=$work/known_hosts,IdentityFile=$work/id,HostName=127.0.0.1,HostKeyAlias=lanyard-sshd,port=$sshd_port,StrictHostKeyChecking=yes,BatchMode=yes,noatime"
    [ "$(cat "$mnt/file")" = here ] || fail "it reads otherwise"
    grep -q " $mnt fuse.sshfs .*noatime" /proc/self/mounts || fail "mount shows $(grep " $mnt " /proc/self/mounts)"
    umount "$mnt"
    wait_for 10 no_server_of "$mnt" || fail "unmounted, but the program is still there"
}

case_fsname_and_subtype() {
    mount_it "server:$srv"
    [ "$(findmnt -n -o SOURCE,FSTYPE "$mnt")" = "server:$srv fuse.sshfs" ] || fail "mount shows $(findmnt -n -o SOURCE,FSTYPE "$mnt")"
    unmount_it
    mount_it "server:$srv" -o 'fsname=a\,name,subtype=other'
    [ "$(findmnt -n -o SOURCE,FSTYPE "$mnt")" = "a,name fuse.other" ] || fail "mount shows $(findmnt -n -o SOURCE,FSTYPE "$mnt")"
    unmount_it
}

case_flags_attached() {
    start_case_sshd
    mount_it "one:$srv" "-p$port" -oreconnect,BatchMode=yes -C
    [ -d "$mnt/." ]
    unmount_it
}

case_url() {
    echo here >"$srv/a b"
    mkdir "$srv/sub dir"
    echo there >"$srv/sub dir/file"
    mount_it "sftp://$(id -un)@one:$sshd_port$srv/sub%20dir"
    [ "$(cat "$mnt/file")" = there ] || fail "the directory is another"
    unmount_it
}

case_ipv6_literal() {
    python3 -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2>/dev/null || skip "this machine has no ::1"
    start_case_sshd 'ListenAddress ::1'
    echo here >"$srv/file"
    mount_it "[::1]:$srv" -p "$port" -o HostKeyAlias=lanyard-sshd
    [ "$(cat "$mnt/file")" = here ] || fail "it reads otherwise"
    unmount_it
    mount_it "$(id -un)@[::1]:$srv" -p "$port" -o HostKeyAlias=lanyard-sshd
    [ "$(cat "$mnt/file")" = here ] || fail "with a user, it reads otherwise"
    unmount_it
}

case_proxy_jump() {
    start_case_sshd
    echo here >"$srv/file"
    mount_it "one:$srv" -p "$port" -o ProxyJump=server
    [ "$(cat "$mnt/file")" = here ] || fail "it reads otherwise"
    unmount_it
}

case_proxy_command() {
    echo here >"$srv/file"
    mount_it "server:$srv" -o "ProxyCommand=python3 $here/connect.py %h %p"
    [ "$(cat "$mnt/file")" = here ] || fail "it reads otherwise"
    unmount_it
}

case_ssh_command() {
    echo here >"$srv/file"
    printf '#!/bin/sh\necho "$@" >%s\nexec ssh "$@"\n' "$work/arguments.$case" >"$work/my-ssh"
    chmod +x "$work/my-ssh"
    mount_it "server:$srv" -o "ssh_command=$work/my-ssh -v"
    grep -q -- '-v .*-oServerAliveInterval=15 ' "$work/arguments.$case" || fail "it is run with $(cat "$work/arguments.$case")"
    cp "$mnt/file" "$mnt/copy"
    same "$srv/file" "$srv/copy"
    unmount_it
}

case_sftp_server_path() {
    echo here >"$srv/file"
    mount_it "server:$srv" -o sftp_server=/usr/lib/openssh/sftp-server
    cp "$mnt/file" "$mnt/copy"
    same "$srv/file" "$srv/copy"
    unmount_it
}

case_own_sftp_server() {
    [ -x "$build/core/examples/sftp-server" ] || fail "core/examples/sftp-server was not built"
    mount_it "server:$srv" -o "sftp_server=$build/core/examples/sftp-server"
    python3 "$here/posix.py" "$mnt" "$srv"
    unmount_it
}

case_directport() {
    serve 'subprocess.Popen(["/usr/lib/openssh/sftp-server"], stdin=c, stdout=c)
c.close()'
    echo here >"$srv/file"
    mount_it "127.0.0.1:$srv" -o "directport=$port"
    cp "$mnt/file" "$mnt/copy"
    same "$srv/file" "$srv/copy"
    unmount_it
}

case_passive() {
    echo here >"$srv/file"
    python3 -c '
import socket, subprocess, sys
one, other = socket.socketpair()
server = subprocess.Popen(["/usr/lib/openssh/sftp-server"], stdin=other, stdout=other)
other.close()
sys.exit(subprocess.call(sys.argv[1:], stdin=one, stdout=one))' "$lanyardfs" ":$srv" "$mnt" -o passive 2>"$work/err.$case" &
    wait_for 10 mountpoint -q "$mnt" || fail "nothing mounted: $(cat "$work/err.$case")"
    cp "$mnt/file" "$mnt/copy"
    same "$srv/file" "$srv/copy"
    fusermount3 -u "$mnt"
    wait $! || fail "it ended with $?: $(cat "$work/err.$case")"
}

case_password_stdin() {
    echo "someone:the pass word" >"$work/passwords"
    start_own --password-file "$work/passwords"
    echo here >"$srv/file"
    echo 'the pass word' | "$lanyardfs" "someone@one:$srv" "$mnt" -F "$work/ssh_config" -p "$port" \
        -o password_stdin,PubkeyAuthentication=no,BatchMode=no 2>"$work/err.$case" || fail "mounting ended with $?: $(cat "$work/err.$case")"
    [ "$(cat "$mnt/file")" = here ] || fail "it reads otherwise"
    unmount_it
    local status=0
    echo 'a wrong one' | setsid -w "$lanyardfs" "someone@one:$srv" "$mnt" -F "$work/ssh_config" -p "$port" \
        -o password_stdin,PubkeyAuthentication=no,BatchMode=no 2>"$work/err.$case" || status=$?
    [ $status = 1 ] || fail "with a wrong password it ended with $status"
    ! mountpoint -q "$mnt" || fail "with a wrong password it is mounted"
}

# A question at the terminal, answered there; the key is written down and not asked about again.
case_host_key_asked() {
    command -v expect >/dev/null || fail "expect is missing"
    : >"$work/known.$case"
    local fingerprint
    fingerprint=$(ssh-keygen -lf "$work/host_key.pub" | grep -o 'SHA256:[^ ]*')
    cat >"$work/script.$case" <<'END'
set timeout 20
log_user 1
spawn -noecho {*}$argv
expect -ex $env(FINGERPRINT) {} timeout { exit 3 } eof { exit 4 }
expect -ex "? " {} timeout { exit 5 } eof { exit 4 }
send "yes\r"
expect eof {} timeout { exit 6 }
exit [lindex [wait] 3]
END
    local arguments=("127.0.0.1:$srv" "$mnt" -F "$work/ssh_config" -p "$sshd_port" -o "UserKnownHostsFile=$work/known.$case" -o StrictHostKeyChecking=ask -o BatchMode=no)
    FINGERPRINT=$fingerprint expect "$work/script.$case" "$lanyardfs" "${arguments[@]}"
    mountpoint -q "$mnt" || fail "answered yes, nothing is mounted"
    grep -qF "[127.0.0.1]:$sshd_port $(cut -d' ' -f1,2 "$work/host_key.pub")" "$work/known.$case" || fail "known_hosts has: $(cat "$work/known.$case")"
    unmount_it
    mount_it "${arguments[@]:0:1}" "${arguments[@]:4}"
    unmount_it
}

case_host_key_accept_new() {
    : >"$work/known.$case"
    mount_it "127.0.0.1:$srv" -p "$sshd_port" -o "UserKnownHostsFile=$work/known.$case" -o StrictHostKeyChecking=accept-new -o HashKnownHosts=yes
    unmount_it
    ssh-keygen -F "[127.0.0.1]:$sshd_port" -f "$work/known.$case" >/dev/null || fail "ssh-keygen does not find the key"
    grep -q '^|1|' "$work/known.$case" || fail "it was not hashed"
    mount_it "127.0.0.1:$srv" -p "$sshd_port" -o "UserKnownHostsFile=$work/known.$case" -o StrictHostKeyChecking=yes
    unmount_it
}

case_agent() {
    eval "$(ssh-agent -a "$work/agent.sock")" >/dev/null
    local status=0
    ssh-add -q "$work/id" 2>/dev/null || status=$?
    mount_it "server:$srv" -o "IdentityAgent=$work/agent.sock" -o "IdentityFile=$work/id.pub" || status=$?
    unmount_it || status=$?
    kill "$SSH_AGENT_PID"
    [ $status = 0 ]
}

readlink_gives() { # NAME TARGET
    local target
    target=$(readlink "$mnt/$1") || fail "readlink $1 fails"
    [ "$target" = "$2" ] || fail "$1 leads to $target, not $2"
}
readlink_refused() {
    ! readlink -v "$mnt/$1" >"$work/target" 2>"$work/err.$case" || fail "$1 leads to $(cat "$work/target")"
    grep -q 'Operation not permitted' "$work/err.$case" || fail "$(cat "$work/err.$case")"
}
make_links() {
    mkdir -p "$srv/sub/deep"
    echo inside >"$srv/sub/file"
    echo outside >"$work/outside"
    ln -s sub/file "$srv/inside"
    ln -s ../file "$srv/sub/deep/up"
    ln -s ../../../outside "$srv/sub/deep/escapes"
    ln -s "$srv/sub/file" "$srv/sub/deep/absolute"
    ln -s "$work/outside" "$srv/absolute-outside"
}

case_symlinks_inside() {
    make_links
    mount_it "server:$srv"
    readlink_gives inside sub/file
    readlink_gives sub/deep/up ../file
    readlink_refused sub/deep/escapes
    readlink_refused sub/deep/absolute
    readlink_refused absolute-outside
    [ "$(cat "$mnt/inside")" = inside ] || fail "the link does not lead to the file"
    # Made here, seen there as it was written.
    ln -s /etc/passwd "$mnt/made"
    [ "$(readlink "$srv/made")" = /etc/passwd ] || fail "the target at the server is $(readlink "$srv/made")"
    unmount_it
}

case_symlinks_raw() {
    make_links
    for option in symlinks=raw no_contain_symlinks; do
        mount_it "server:$srv" -o $option
        readlink_gives sub/deep/escapes ../../../outside
        readlink_gives sub/deep/absolute "$srv/sub/file"
        readlink_gives absolute-outside "$work/outside"
        unmount_it
    done
}

case_symlinks_rewrite() {
    make_links
    mount_it "server:$srv" -o symlinks=rewrite
    readlink_gives inside sub/file
    [ "$(cat "$mnt/sub/deep/absolute")" = inside ] || fail "an absolute target inside does not lead to its file"
    case $(readlink "$mnt/absolute-outside") in /*) fail "an absolute target is still absolute" ;; esac
    [ ! -e "$mnt/absolute-outside" ] || fail "a link leads out"
    [ ! -e "$mnt/sub/deep/escapes" ] || fail "a link climbs out"
    unmount_it
}

case_transform_symlinks() {
    make_links
    mount_it "server:$srv" -o transform_symlinks
    readlink_gives sub/deep/absolute ../../sub/file
    [ "$(cat "$mnt/sub/deep/absolute")" = inside ] || fail "it does not lead to its file"
    readlink_refused absolute-outside
    unmount_it
}

case_follow_symlinks() {
    make_links
    mount_it "server:$srv" -o follow_symlinks
    [ ! -L "$mnt/absolute-outside" ] || fail "it is still a link"
    [ "$(cat "$mnt/absolute-outside")" = outside ] || fail "it is not what the link leads to"
    [ -f "$mnt/sub/deep/up" ] && [ ! -L "$mnt/sub/deep/up" ]
    unmount_it
}

case_owners_and_umask() {
    echo text >"$srv/file"
    chmod 666 "$srv/file"
    mount_it "server:$srv" -o uid=1234,gid=2345,umask=027
    [ "$(stat -c '%u %g %a' "$mnt/file")" = '1234 2345 750' ] || fail "it shows $(stat -c '%u %g %a' "$mnt/file")"
    unmount_it
}

case_idmap() {
    echo mine >"$srv/mine"
    [ "$(id -u)" != 0 ] || { echo other >"$srv/other"; chown 12345:23456 "$srv/other"; }
    mount_it "server:$srv" -o idmap=user
    [ "$(stat -c %u "$mnt/mine")" = "$(id -u)" ] || fail "mine belongs to $(stat -c %u "$mnt/mine")"
    unmount_it
    [ "$(id -u)" = 0 ] || return 0
    printf 'nobody:12345\nroot:0\n' >"$work/uids"
    printf 'nogroup:23456\nroot:0\n' >"$work/gids"
    mount_it "server:$srv" -o "idmap=file,uidfile=$work/uids,gidfile=$work/gids,nomap=ignore"
    [ "$(stat -c '%U %G' "$mnt/other")" = 'nobody nogroup' ] || fail "it shows $(stat -c '%U %G' "$mnt/other")"
    chown root:root "$mnt/other"
    chown nobody:nogroup "$mnt/mine"
    unmount_it
    [ "$(stat -c '%u %g' "$srv/other" "$srv/mine")" = $'0 0\n12345 23456' ] || fail "chown gave $(stat -c '%u %g' "$srv/other" "$srv/mine")"
}

# An owner that the tables do not name: an error by nomap=error, and only for what it owns.
case_idmap_unknown_owner() {
    [ "$(id -u)" = 0 ] || skip "other owners need root"
    echo mine >"$srv/mine"
    echo other >"$srv/other"
    chown 12345:0 "$srv/other"
    printf '# a comment\n\nroot:0\n' >"$work/uids"
    mount_it "server:$srv" -o "idmap=file,uidfile=$work/uids,gidfile=$work/uids"
    [ "$(cat "$mnt/mine")" = mine ] || fail "mine cannot be read"
    ! stat "$mnt/other" >/dev/null 2>"$work/err.$case" || fail "the other shows $(stat -c %u "$mnt/other")"
    grep -q 'Operation not permitted' "$work/err.$case" || fail "$(cat "$work/err.$case")"
    ! chown 4321 "$mnt/mine" 2>/dev/null || fail "it was given to one who has no number there"
    [ "$(ls "$mnt" | tr '\n' ' ')" = 'mine other ' ] || fail "the listing has: $(ls "$mnt")"
    unmount_it
}

as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

case_allow_other() {
    [ "$(id -u)" = 0 ] || skip "to be another user needs root"
    chmod 755 "$work"
    echo open >"$srv/open"
    echo closed >"$srv/closed"
    chmod 600 "$srv/closed"
    mount_it "server:$srv"
    ! as_nobody cat "$mnt/open" 2>/dev/null || fail "without allow_other another user reads"
    unmount_it
    mount_it "server:$srv" -o allow_other,default_permissions
    [ "$(as_nobody cat "$mnt/open")" = open ] || fail "with allow_other another user does not read"
    ! as_nobody cat "$mnt/closed" 2>/dev/null || fail "with default_permissions another user reads what is closed"
    unmount_it
}

case_commas() {
    mkdir "$srv/a,b\\c"
    echo here >"$srv/a,b\\c/file"
    cp "$work/id" "$work/an,identity"
    grep -v IdentityFile "$work/ssh_config" >"$work/config.$case"
    mnt=$mnt/with,comma
    setsid -w "$lanyardfs" "server:$srv/a,b\\c" "$(mkdir -p "$mnt"; echo "$mnt")" -F "$work/config.$case" \
        -o "ro,IdentityFile=$work/an\\,identity,noatime" 2>"$work/err.$case" </dev/null || fail "mounting: $(cat "$work/err.$case")"
    [ "$(cat "$mnt/file")" = here ] || fail "it reads otherwise"
    [ "$(findmnt -n -o SOURCE "$mnt")" = "server:$srv/a,b\\c" ] || fail "mount shows $(findmnt -n -o SOURCE "$mnt")"
    findmnt -n -o OPTIONS "$mnt" | grep -q noatime || fail "options: $(findmnt -n -o OPTIONS "$mnt")"
    unmount_it
}

# Without any cache of ours or the kernel's, what the server has is seen at once.
case_no_caches() {
    echo old >"$srv/file"
    mount_it "server:$srv" -o dir_cache=no,entry_timeout=0,attr_timeout=0,direct_io
    [ "$(cat "$mnt/file")" = old ]
    ls "$mnt" >/dev/null
    echo newer >"$srv/file"
    [ "$(cat "$mnt/file")" = newer ] || fail "it reads $(cat "$mnt/file")"
    [ "$(stat -c %s "$mnt/file")" = 6 ] || fail "it has $(stat -c %s "$mnt/file") bytes"
    mv "$srv/file" "$srv/other"
    [ "$(ls "$mnt")" = other ] || fail "the listing has: $(ls "$mnt")"
    [ ! -e "$mnt/file" ] || fail "what was renamed is still there"
    head -c 3000000 /dev/urandom >"$srv/big"
    same "$srv/big" "$mnt/big"
    unmount_it
}

# The kernel's pages stay over opens, until we write.
case_kernel_cache() {
    head -c 3000000 /dev/urandom >"$srv/big"
    mount_it "server:$srv" -o kernel_cache
    same "$srv/big" "$mnt/big"
    same "$srv/big" "$mnt/big"
    head -c 1000 /dev/urandom | dd of="$mnt/big" conv=notrunc bs=1000 seek=7 status=none
    same "$srv/big" "$mnt/big"
    unmount_it
}

case_read_only() {
    echo text >"$srv/file"
    mount_it "server:$srv" -o ro
    ! touch "$mnt/new" 2>"$work/err.$case" || fail "a file was made"
    grep -q 'Read-only file system' "$work/err.$case" || fail "$(cat "$work/err.$case")"
    ! rm "$mnt/file" 2>/dev/null || fail "a file was removed"
    [ "$(cat "$mnt/file")" = text ]
    unmount_it
    [ "$(ls "$srv")" = file ] || fail "the server has $(ls "$srv")"
}

case_delay_connect() {
    start_case_sshd
    stop_sshd
    mount_it "one:$srv" -p "$port" -o delay_connect
    echo here >"$srv/file"
    restart_sshd
    [ "$(timeout 40 cat "$mnt/file")" = here ] || fail "at its first use it does not connect"
    unmount_it
}

# Nobody calls the server before the mount is used; what the first session has to find out is found out when it comes.
case_delay_connect_waits() {
    start_case_sshd # its port, and its configuration for later
    stop_sshd
    python3 -c '
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(8)
s.accept()
print("called", flush=True)' "$port" >"$work/called.$case" &
    local listener=$!
    wait_for 5 eval 'ss -Hltn "sport = :$port" | grep -q .' || fail "nothing listens"
    echo mine >"$srv/mine"
    [ "$(id -u)" != 0 ] || chown 12345 "$srv" # where the server starts: its owner is who signed in there
    mount_it "one:$srv" -p "$port" -o "delay_connect,idmap=user,sftp_server=cd $srv; exec /usr/lib/openssh/sftp-server"
    sleep 0.5
    [ ! -s "$work/called.$case" ] || fail "it connects before anything is asked"
    timeout 30 ls "$mnt" >"$work/out.$case" 2>&1 &
    local first=$!
    wait_for 5 gone "$listener" || fail "at its first use it does not connect"
    restart_sshd
    wait_for 30 ls "$mnt/mine" || fail "it does not connect again"
    [ "$(stat -c %u "$mnt")" = "$(id -u)" ] || fail "idmap=user: the directory belongs to $(stat -c %u "$mnt")"
    wait_for 30 gone "$first" || fail "the first ls never ends"
    unmount_it
}

case_auto_unmount() {
    mount_it "server:$srv" -o auto_unmount
    kill -9 $(servers_of "$mnt")
    wait_for 10 eval '! is_mounted "$mnt"' || fail "the program was killed and its mount is still there"
}

# LogLevel of ssh_config is honoured, -v is stronger.
case_log_level() {
    local said
    for said in 'LogLevel=DEBUG:signed in' 'LogLevel=VERBOSE:session is up' 'loglevel=DEBUG1:signed in'; do
        mount_it "server:$srv" -o "${said%:*}"
        grep -q "${said#*:}" "$work/said.$case" || fail "${said%:*} says: $(cat "$work/said.$case")"
        unmount_it
    done
    mount_it "server:$srv" -o LogLevel=INFO
    [ ! -s "$work/said.$case" ] || fail "LogLevel=INFO says: $(cat "$work/said.$case")"
    unmount_it
    mount_it "server:$srv" -v -o LogLevel=QUIET
    grep -q 'session is up' "$work/said.$case" || fail "-v says: $(cat "$work/said.$case")"
    unmount_it
}

# What has no effect is said once, by name of who speaks; fstab's words are not.
case_said_once() {
    mount_it "server:$srv" -o reconnect,auto,users -o reconnect,_netdev,X-mount.mkdir,big_writes,reconnect
    [ "$(cat "$work/said.$case")" = "lanyardfs: -o reconnect has no effect: reconnecting is always on
lanyardfs: -o big_writes has no effect: writes are always large" ] || fail "it says: $(cat "$work/said.$case")"
    unmount_it
}
