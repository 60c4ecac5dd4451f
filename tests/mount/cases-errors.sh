# What the server's system says of its file systems, told apart. Sourced by mount.sh. The server runs in a mount namespace of its
# own, where file systems lie below what it serves; the client sees them through the mount only.

# mount_private COMMANDS: the commands run in $srv, in the server's namespace.
mount_private() {
    local commands=$1
    shift
    [ "$(id -u)" = 0 ] || skip "file systems of a test's own need root"
    unshare -m true 2>/dev/null || skip "file systems of a test's own need a mount namespace"
    start_case_sshd
    stop_sshd
    : >"$work/log_$case"
    unshare -m sh -ec 'cd "$1"; eval "$2"; exec "$3" -D -e -f "$4"' sh "$srv" "$commands" "$sshd" "$work/sshd_$case" \
        2>>"$work/log_$case" &
    wait_for 5 sshd_listens "$case" || fail "sshd does not start: $(tail -3 "$work/log_$case")"
    mount_it "one:$srv" -p "$port" "$@"
}

# errnos DIRECTORY: lines of Python on stdin; see errnos.py.
errnos() {
    (cd "$1" && timeout 60 python3 "$here/errnos.py")
}

case_errno_full() {
    mount_private 'mkdir full few; mount -t tmpfs -o size=1m none full; mount -t tmpfs -o nr_inodes=3 none few'
    errnos "$mnt/full" <<'END'
create("small")
expect("ENOSPC", fill, "big", 64)
expect("ENOSPC", append, "small", b"x" * 100000)
END
    errnos "$mnt/few" <<'END'
create("one")
create("two")
expect("ENOSPC", create, "three")
expect("ENOSPC", exclusive, "three")
expect("ENOSPC", os.mkdir, "three")
expect("ENOSPC", os.symlink, "x", "three")
END
    unmount_it
}

case_errno_read_only() {
    mount_private 'mkdir -p fixed/full; echo text >fixed/file; echo text >fixed/full/file; mount --bind fixed fixed; mount -o remount,bind,ro fixed'
    errnos "$mnt/fixed" <<'END'
assert open("file").read() == "text\n"
expect("EROFS", create, "new")
expect("EROFS", exclusive, "new")
expect("EEXIST", exclusive, "file")
expect("EROFS", append, "file", b"x")
expect("EROFS", os.truncate, "file", 1)
expect("EROFS", os.chmod, "file", 0o600)
expect("EROFS", os.utime, "file")
expect("EROFS", os.mkdir, "new")
expect("EEXIST", os.mkdir, "full")
expect("EROFS", os.symlink, "x", "new")
expect("EROFS", os.link, "file", "new")
expect("EROFS", os.rename, "file", "new")
expect("EROFS", os.unlink, "file")
expect("EROFS", os.rmdir, "full")
END
    unmount_it
}

# mv and cp -l depend on it: they copy then.
case_errno_cross_device() {
    mount_private 'mkdir one two; mount -t tmpfs none one; mount -t tmpfs none two; mkdir two/directory; echo text >two/file; mount -o remount,ro two'
    errnos "$mnt" <<'END'
create("one/file")
create("file")
os.mkdir("one/directory")
expect("EXDEV", os.rename, "one/file", "new")
expect("EXDEV", os.rename, "one/file", "file")
expect("EXDEV", os.rename, "one/directory", "directory")
expect("EXDEV", os.rename, "two/file", "one/new")
expect("EXDEV", os.link, "one/file", "new")
expect("EEXIST", os.link, "one/file", "file")
END
    echo moved >"$mnt/one/moved"
    mv "$mnt/one/moved" "$mnt/moved" || fail "mv between two file systems of the server fails"
    [ "$(cat "$srv/moved")" = moved ] || fail "mv between two file systems of the server lost the file"
    unmount_it
}

# A FUSE that cannot be used: our sentence with the system's reason, nothing else.
case_fuse_unusable() {
    [ "$(id -u)" = 0 ] || skip "another /dev/fuse needs root"
    unshare -m true 2>/dev/null || skip "another /dev/fuse needs a mount namespace"
    mkdir "$work/nodev"
    cat >"$work/without-fuse" <<END
#!/bin/sh
exec unshare -m sh -ec 'mount -t tmpfs -o nodev none "$work/nodev"; mknod "$work/nodev/fuse" c 10 229
    mount --bind "$work/nodev/fuse" /dev/fuse; exec "\$@"' sh "$lanyardfs" "\$@"
END
    chmod +x "$work/without-fuse"
    lanyardfs=$work/without-fuse
    refused 10 "cannot mount on $mnt: .*/dev/fuse.*Permission denied" "server:$srv" "$mnt" -F "$work/ssh_config"
    refused 10 "cannot mount on $mnt: .*/dev/fuse.*Permission denied" "server:$srv" "$mnt" -F "$work/ssh_config" -f
}
