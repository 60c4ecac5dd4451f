#!/bin/bash
# The mount engine over real mounts of sftp-server: engine.sh BUILDDIR. One line a check; exit 1 when one failed, 77 when this
# machine cannot mount.
. "$(dirname "$0")/../lib.sh"
driver=$1/tests/mount/mount-command
server=
for each in /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server /usr/lib/ssh/sftp-server; do
    [ -x "$each" ] && server=$each
done
if [ ! -w /dev/fuse ] || [ -z "$server" ]; then
    echo "skipped: needs a usable /dev/fuse and OpenSSH's sftp-server"
    exit 77
fi

begin "$1"
data=$dir/data mp=$dir/mp log=$dir/log
mkdir "$data" "$mp"
pid=
# A copy of its own name, so that only this test's servers are found and stopped.
cp "$server" "$dir/server"

same() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }

# start_on DATA COMMAND...: mounts it on $mp with the options in $options; the command is the server
options=()
start_on() {
    : >"$log"
    "$driver" "${options[@]}" "$mp" "$1" -- "${@:2}" >>"$log" 2>&1 &
    pid=$!
    wait_for 10 gone_or $pid grep -q '^mounted' "$log"
    grep -q '^mounted' "$log"
}
start() { options=("$@") && start_on "$data" "$dir/server"; } # [-o OPTION]...
stop() { # unmounts; the driver has to end well
    local name=$1
    cd "$dir" || exit 1
    fusermount3 -u "$mp" 2>/dev/null || fusermount3 -uz "$mp"
    if wait "$pid" && ! grep -q 'ERROR: \|runtime error' "$log"; then ok "$name"; else not_ok "$name" "$(tail -c 2000 "$log")"; fi
    pid=
}
server_pids() { pgrep -P "$pid"; }
at_end() {
    [ -n "$pid" ] && kill -CONT $(server_pids) 2>/dev/null
    mountpoint -q "$mp" && fusermount3 -uz "$mp"
    [ -n "$pid" ] && end_process "$pid"
}

random_tree() {
    mkdir -p "$1/sub/deep" "$1/empty"
    for i in 1 2 3 4 5 6 7 8 9; do head -c $((i * 7919)) /dev/urandom >"$1/file$i"; done
    head -c 3000000 /dev/urandom >"$1/sub/large"
    printf 'x' >"$1/sub/deep/one"
    chmod 750 "$1/sub/deep"; chmod 604 "$1/file3"
    ln -s ../file1 "$1/sub/link"
    touch -d '2003-04-05 06:07:08 UTC' "$1/file2" "$1/sub"
}

# ---- every operation ----
start || { not_ok mount "$(cat "$log")"; exit 1; }
ok mount
cd "$mp" || exit 1

t_read_write() { head -c 20000000 /dev/urandom >big && cmp big "$data/big"; }
succeeds "write and read 20 MB" t_read_write
t_read_back() { head -c 30000000 /dev/urandom >"$data/remote" && cmp remote "$data/remote"; }
succeeds "read 30 MB" t_read_back
t_random_read() {
    for at in 17 29000001 4095 1234567 29999990 0 77777; do
        same "$(tail -c +$((at + 1)) remote | head -c 5000 | md5sum)" "$(tail -c +$((at + 1)) "$data/remote" | head -c 5000 | md5sum)" || return 1
    done
}
succeeds "read at random" t_random_read
t_small_writes() { for i in $(seq 300); do echo "line $i"; done >small && same "$(md5sum <small)" "$(md5sum <"$data/small")" && same "$(wc -l <small)" 300; }
succeeds "small writes are put together" t_small_writes
t_append() { echo a >ap && echo b >>ap && echo c >>ap && same "$(cat ap)" $'a\nb\nc' && same "$(cat "$data/ap")" $'a\nb\nc'; }
succeeds "O_APPEND" t_append
t_excl() {
    python3 - <<'P'
import os, errno
os.close(os.open("excl", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
assert os.stat("excl").st_mode & 0o777 == 0o640
try:
    os.open("excl", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    raise SystemExit("second O_EXCL worked")
except FileExistsError:
    pass
P
}
succeeds "O_EXCL" t_excl
t_trunc() {
    python3 - <<'P'
import os
with open("tr", "wb") as f: f.write(b"x" * 100000)
os.truncate("tr", 1000); assert os.stat("tr").st_size == 1000
fd = os.open("tr", os.O_RDWR)
os.write(fd, b"abc"); os.ftruncate(fd, 2); assert os.fstat(fd).st_size == 2
os.pwrite(fd, b"zz", 10); assert os.fstat(fd).st_size == 12, os.fstat(fd)
assert os.pread(fd, 100, 0) == b"ab" + bytes(8) + b"zz"
os.close(fd)
os.close(os.open("tr", os.O_WRONLY | os.O_TRUNC)); assert os.stat("tr").st_size == 0
P
}
succeeds "truncate in all ways" t_trunc
t_unlinked() {
    python3 - <<'P'
import os
fd = os.open("gone", os.O_RDWR | os.O_CREAT)
os.write(fd, b"hello"); os.unlink("gone")
assert not os.path.exists("gone")
os.write(fd, b" world")
assert os.fstat(fd).st_size == 11, os.fstat(fd)
assert os.pread(fd, 100, 0) == b"hello world"
os.ftruncate(fd, 5); assert os.fstat(fd).st_size == 5
os.fchmod(fd, 0o600); os.fsync(fd); os.close(fd)
P
}
succeeds "unlinked open files go on" t_unlinked
t_rename() {
    python3 - <<'P'
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def rename2(a, b, flags):
    return 0 if libc.renameat2(-100, a, -100, b, flags) == 0 else ctypes.get_errno()
open("r1", "w").write("1"); open("r2", "w").write("2")
assert rename2(b"r1", b"r2", 1) == 17
assert rename2(b"r1", b"r3", 1) == 0
os.rename("r3", "r2"); assert open("r2").read() == "1" and not os.path.exists("r3")
assert rename2(b"r2", b"ap", 2) == 22
os.mkdir("rd"); os.mkdir("re"); open("re/x", "w").close()
for a, b, e in (("rd", "re", 39), ("r2", "re", 21), ("rd", "r2", 20)):
    try: os.rename(a, b); raise SystemExit("%s over %s" % (a, b))
    except OSError as x: assert x.errno == e, (a, b, x)
os.rename("re", "rd"); assert os.listdir("rd") == ["x"]
ino = os.stat("r2").st_ino; os.rename("r2", "rd/y"); assert os.stat("rd/y").st_ino == ino
P
}
succeeds "rename, NOREPLACE, over what is there" t_rename
t_errno() {
    python3 - <<'P'
import os, errno
def expect(code, call, *a):
    try: call(*a)
    except OSError as x:
        assert x.errno == code, (code, call, a, x); return
    raise SystemExit("%s%r worked" % (call, a))
os.makedirs("e/full"); open("e/full/f", "w").close(); open("e/f", "w").close()
expect(errno.ENOTEMPTY, os.rmdir, "e/full")
expect(errno.EEXIST, os.mkdir, "e/full")
expect(errno.EEXIST, os.symlink, "x", "e/f")
expect(errno.EEXIST, os.link, "e/full/f", "e/f")
expect(errno.ENOENT, open, "e/none")
expect(errno.ENOTDIR, open, "e/f/x")
expect(errno.EISDIR, os.open, "e/full", os.O_WRONLY)
expect(errno.ENAMETOOLONG, open, "n" * 256, "w")
expect(errno.EPERM, os.mkfifo, "e/fifo")
open("n" * 255, "w").close(); os.unlink("n" * 255)
P
}
succeeds "errno" t_errno
t_attrs() {
    python3 - <<'P'
import os
open("at", "w").close(); os.chmod("at", 0o4751); assert os.stat("at").st_mode & 0o7777 == 0o4751
os.utime("at", (1000000000, 2000000000)); s = os.stat("at"); assert (s.st_atime, s.st_mtime) == (1000000000, 2000000000)
os.utime("at", ns=(5 * 10**9, 7 * 10**9)); assert os.stat("at").st_mtime == 7
os.symlink("at", "atl"); os.utime("atl", (11, 12), follow_symlinks=False)
assert os.lstat("atl").st_mtime == 12 and os.stat("at").st_mtime == 7
if os.getuid() == 0:
    os.chown("at", 1234, -1); os.chown("at", -1, 4321); s = os.stat("at"); assert (s.st_uid, s.st_gid) == (1234, 4321)
P
}
succeeds "chmod, chown, times, also of links" t_attrs
t_names() { printf a >$'n\xff\xfe\x80' && printf b >$'new\nline' && same "$(cat "$data"/$'n\xff\xfe\x80')" a && ls | grep -q . && rm $'n\xff\xfe\x80' $'new\nline' && [ ! -e "$data"/$'n\xff\xfe\x80' ]; }
succeeds "names are bytes" t_names
t_sparse() { truncate -s 5G sparse && printf END | dd of=sparse bs=1 seek=5368709117 conv=notrunc 2>/dev/null && same "$(tail -c 3 sparse)" END && same "$(stat -c %s sparse)" 5368709120 && same "$(tail -c 3 "$data/sparse")" END; }
succeeds "5 GiB sparse file read at its end" t_sparse
t_links() { echo l >lt && ln -s lt sl && same "$(readlink sl)" lt && same "$(cat sl)" l && ln lt hl && same "$(stat -c %h "$data/lt")" 2 && same "$(stat -c %i lt)" "$(stat -c %i hl)"; }
succeeds "symbolic and hard links" t_links
t_many() {
    python3 -c 'import os,sys
os.mkdir(sys.argv[1])
for i in range(20000): open("%s/f%05d" % (sys.argv[1], i), "w").close()' "$data/many"
    sleep 1.1 # a fresh listing may say that it is not there
    same "$(ls -l many | grep -c '^-')" 20000 && same "$(ls many | md5sum)" "$(ls "$data/many" | md5sum)" && rm -r many && [ ! -e "$data/many" ]
}
succeeds "20,000 files in a directory" t_many
t_readdir_changes() { mkdir rc && touch rc/a rc/b && same "$(ls rc | tr '\n' ' ')" 'a b ' && rm rc/a && touch rc/c && same "$(ls rc | tr '\n' ' ')" 'b c '; }
succeeds "listings follow our changes" t_readdir_changes
t_statfs() { same "$(stat -f -c %b .)" "$(stat -f -c %b "$data")"; }
succeeds "statfs" t_statfs
t_mmap() {
    python3 - <<'P'
import mmap, os
with open("mm", "wb") as f: f.write(bytes(100000))
with open("mm", "r+b") as f:
    m = mmap.mmap(f.fileno(), 0); m[50000:50005] = b"HELLO"; m.flush(); m.close()
with open("mm", "rb") as f: f.seek(50000); assert f.read(5) == b"HELLO"
P
    same "$(tail -c +50001 "$data/mm" | head -c 5)" HELLO
}
succeeds "mmap" t_mmap
t_inode_numbers() { stat -c '%i %n' big small remote >"$dir/inodes1"; }
succeeds "inode numbers noted" t_inode_numbers
t_reopen() { echo 1 >ro && same "$(cat ro)" 1 && sleep 1.1 && echo 22 >"$data/ro" && same "$(cat ro)" 22; }
succeeds "a file changed on the server is seen at open" t_reopen
t_interleaved() {
    python3 - <<'P'
import os, random
random.seed(7); model = bytearray(); a = os.open("il", os.O_RDWR | os.O_CREAT); b = os.open("il", os.O_RDWR)
for i in range(3000):
    fd = random.choice((a, b)); at = random.randrange(300000); n = random.choice((1, 100, 5000, 70000)); r = random.random()
    if r < .45:
        data = os.urandom(n); os.pwrite(fd, data, at)
        if len(model) < at: model.extend(bytes(at - len(model)))
        model[at:at + n] = data
    elif r < .9:
        assert os.pread(fd, n, at) == bytes(model[at:at + n]), (i, at, n)
    elif r < .95:
        assert os.fstat(fd).st_size == len(model), i
    else:
        os.ftruncate(fd, at); model = model[:at] + bytes(max(0, at - len(model)))
os.close(a); os.close(b)
assert open("il", "rb").read() == bytes(model)
P
}
succeeds "writes, reads and truncates of two handles agree" t_interleaved

# ---- what people do ----
random_tree "$dir/tree"
t_cp() { cp -a "$dir/tree" cpa && diff -r --no-dereference "$dir/tree" cpa && same "$(cd "$dir/tree" && find . -printf '%p %m %s %Ts %l\n' | grep -v '^\. ' | grep -v '^\(./sub\|./empty\|./sub/deep\) .*' | sort)" "$(cd cpa && find . -printf '%p %m %s %Ts %l\n' | grep -v '^\. ' | grep -v '^\(./sub\|./empty\|./sub/deep\) .*' | sort)"; }
succeeds "cp -a" t_cp
t_cp_within() { cp -a cpa cpb && diff -r --no-dereference "$dir/tree" "$data/cpb"; }
succeeds "cp within the mount (copy-data)" t_cp_within
t_tar() { mkdir tx && tar cf - -C "$dir/tree" . | tar xf - -C tx && diff -r --no-dereference "$dir/tree" "$data/tx"; }
succeeds "tar x" t_tar
if command -v git >/dev/null; then
    t_git() {
        git init -q repo && cp -r "$dir/tree/." repo && git -C repo add . && git -C repo -c user.name=t -c user.email=t@t commit -qm t &&
            git clone -q repo clone && same "$(git -C clone status --short)" '' && git -C clone fsck --no-progress && same "$(git -C repo status --short)" ''
    }
    succeeds "git clone and status" t_git
fi
if command -v sqlite3 >/dev/null; then
    t_sqlite() { sqlite3 db 'create table t(a); insert into t values(1),(2),(39);' && same "$(sqlite3 db 'select sum(a) from t; pragma integrity_check;')" $'42\nok'; }
    succeeds "sqlite3" t_sqlite
fi
if command -v rsync >/dev/null; then
    t_rsync() { rsync -a "$dir/tree/" rs/ && same "$(rsync -ai "$dir/tree/" rs/)" ''; }
    succeeds "rsync -a twice: the second transfers nothing" t_rsync
fi
t_rm() { rm -rf cpb tx && [ ! -e "$data/cpb" ]; }
succeeds "rm -r" t_rm
stop "unmount"

# ---- remount: numbers, symlink policies, read-only, links followed ----
ln -s /etc/passwd "$data/out"; ln -s ../../up "$data/up"; ln -s "$data/small" "$data/absolute"
mkdir -p "$data/x/y"; ln -s ../../small "$data/x/y/in"
start && cd "$mp"
t_inode_again() { same "$(stat -c '%i %n' big small remote)" "$(cat "$dir/inodes1")"; }
succeeds "inode numbers are the same after a remount" t_inode_again
t_inside() { same "$(readlink x/y/in)" ../../small && ! readlink out && ! readlink up && python3 -c 'import os
try: os.readlink("out")
except PermissionError as e: assert e.errno == 1'; }
succeeds "symlinks=inside" t_inside
stop "unmount again"
start -o symlinks=rewrite && cd "$mp"
t_rewrite() { same "$(readlink absolute)" small && same "$(readlink out)" etc/passwd && same "$(readlink up)" up; }
succeeds "symlinks=rewrite" t_rewrite
stop "unmount (rewrite)"
start -o symlinks=raw -o ro && cd "$mp"
t_raw() { same "$(readlink out)" /etc/passwd && same "$(readlink up)" ../../up && ! touch new; }
succeeds "symlinks=raw, read-only" t_raw
stop "unmount (raw)"
start -o follow_symlinks && cd "$mp"
t_follow() { same "$(stat -c %F absolute)" "regular file" && cmp absolute small; }
succeeds "follow_symlinks" t_follow
stop "unmount (follow)"
start -o direct_io -o sync_write -o hide_unlinked && cd "$mp"
t_direct() { head -c 5000000 /dev/urandom >dio && cmp dio "$data/dio"; }
succeeds "direct_io and sync_write" t_direct
t_hidden() { python3 -c 'import os
fd = os.open("hid", os.O_RDWR | os.O_CREAT); os.write(fd, b"x"); os.unlink("hid")
assert any(n.startswith(".fuse_hidden") for n in os.listdir(".")); assert os.pread(fd, 1, 0) == b"x"; os.close(fd)' && sleep 0.3 && ! ls -A "$data" | grep -q fuse_hidden; }
succeeds "hide_unlinked" t_hidden
stop "unmount (direct)"

# ---- how many requests things take: sftp-server's own log counts them ----
mkdir "$data/trip" "$data/walk" "$data/status"
touch "$data"/trip/{1,2,3,4,5}
for i in $(seq 10 49); do mkdir -p "$data/walk/$i/below"; touch "$data/walk/$i/below/leaf"; done
for i in $(seq 10 99); do echo "$i" >"$data/status/$i"; done
start_counted() { options=("$@") && start_on "$data" "$dir/server" -e -l DEBUG3; } # as start, with a server that logs requests
# Of this name, since the mount was made (the log's lines end with CR LF).
requests() { grep -c "request [0-9]*: $1\([^a-z]\|$\)" "$log"; }
at_most() { [ "$1" -le "$2" ] || { echo "$1 is more than $2"; return 1; }; }
counter() { kill -USR1 "$pid"; sleep 0.2; grep "^$1 " "$log" | tail -1 | cut -d' ' -f2; }

start_counted && cd "$mp"
t_one_listing() { ls trip >/dev/null && sleep 0.1 && same "$(requests opendir) $(requests readdir)" "1 2"; }
succeeds "a small directory takes one OPENDIR and two READDIRs" t_one_listing
t_walk() {
    same "$(find walk | wc -l)" 121 && sleep 0.1 || return 1
    # all but the first few were there before find came to them
    at_most 38 "$(counter listings_ahead_read)" && at_most "$(requests opendir)" 84
}
succeeds "find: the directories beside and below are listed ahead of it" t_walk
cd "$dir"; stop "unmount (walk)"
start_counted && cd "$mp"
t_status() {
    for i in $(seq 10 99); do stat -c %s "status/$i" >/dev/null || return 1; done
    stat status/none 2>/dev/null && return 1
    at_most "$(requests lstat)" 20 && same "$(requests opendir)" 1
}
succeeds "many lookups in a directory: it is listed instead" t_status
t_status_changes() { echo 1234567 >status/50 && rm status/51 && same "$(stat -c %s status/50)" 8 && ! stat status/51 2>/dev/null; }
succeeds "what was listed ahead follows our changes" t_status_changes
cd "$dir"; stop "unmount (status)"
start_counted -o no_readahead && cd "$mp"
t_no_guess() { find walk >/dev/null; for i in $(seq 10 40); do stat "status/$i" >/dev/null; done; same "$(counter listings_ahead)" 0; }
succeeds "no_readahead: nothing is guessed" t_no_guess
cd "$dir"; stop "unmount (no guesses)"

# ---- the session dies ----
start -o timeout_ms=20000 && cd "$mp"
head -c 300000000 /dev/zero >"$data/huge"
t_kill_read() {
    python3 - "$(server_pids)" <<'P'
import os, signal, sys, errno
fd = os.open("huge", os.O_RDONLY); total = 0
try:
    while True:
        data = os.read(fd, 131072)
        if not data: raise SystemExit("an end of file after %d bytes" % total)
        total += len(data)
        if total == 20 * 131072:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
            os.kill(int(sys.argv[1]), signal.SIGKILL)
except OSError as e:
    assert e.errno == errno.EIO, e
P
}
succeeds "server killed while reading: EIO, no end of file" t_kill_read
t_reconnect() { same "$(cat small | md5sum)" "$(md5sum <"$data/small")" && ls x >/dev/null; }
succeeds "the next operation connects again" t_reconnect
t_kill_write() {
    python3 - "$(server_pids)" <<'P'
import os, signal, sys, errno, threading
fd = os.open("kw", os.O_WRONLY | os.O_CREAT); errors = []
def call(f, *a):
    try: f(*a)
    except OSError as e: errors.append(e.errno)
call(os.write, fd, b"a" * 100000)
os.kill(int(sys.argv[1]), signal.SIGSTOP)
# A write may wait for the stopped server, so somebody else has to kill it.
killer = threading.Timer(1, os.kill, (int(sys.argv[1]), signal.SIGKILL)); killer.start()
for i in range(20): call(os.write, fd, b"b" * 100000)
killer.join(); call(os.write, fd, b"c" * 100000); call(os.fsync, fd); call(os.close, fd)
assert errors and set(errors) == {errno.EIO}, errors
P
}
succeeds "server killed while writing: reported" t_kill_write
t_dead_handle() {
    python3 - "$(ls >/dev/null; server_pids)" <<'P'
import os, signal, sys, errno, time
fd = os.open("small", os.O_RDWR); os.kill(int(sys.argv[1]), signal.SIGKILL); time.sleep(0.3)
for call in (lambda: os.pwrite(fd, b"x", 0), lambda: os.fsync(fd)):
    try: call(); raise SystemExit("worked")
    except OSError as e: assert e.errno == errno.EIO, e
os.close(fd)
open("fresh", "w").write("after"); assert open("fresh").read() == "after"
P
}
succeeds "handles of a dead session: EIO; new ones work" t_dead_handle
t_stuck() {
    ls >/dev/null
    local stopped; stopped=$(server_pids)
    kill -STOP "$stopped"
    cat remote >/dev/null 2>&1 &
    local reader=$!
    stat newname >/dev/null 2>&1 &
    local stater=$!
    sleep 0.5
    kill -KILL "$reader" "$stater"
    local i
    for i in $(seq 30); do
        kill -0 "$reader" 2>/dev/null || kill -0 "$stater" 2>/dev/null || break
        sleep 0.1
    done
    local left; left=$(ps -o stat= -p "$reader,$stater" | grep -vc Z)
    kill -CONT "$stopped"
    same "$left" 0
}
succeeds "a stuck reader can be killed" t_stuck
t_ctrl_c() {
    ls >/dev/null
    local stopped; stopped=$(server_pids)
    kill -STOP "$stopped"
    timeout -s INT 1 python3 -c 'import os; os.stat("another-name")' >/dev/null 2>&1
    local status=$?
    kill -CONT "$stopped"
    [ "$status" != 0 ]
}
succeeds "an interrupted operation ends" t_ctrl_c
stop "unmount after failures"

start -o timeout_ms=1500 && cd "$mp"
t_timeout() {
    mv "$dir/server" "$dir/server.away"
    kill -KILL $(server_pids); sleep 0.3
    python3 - <<'P'
import os, errno, time
t = time.time()
try: os.stat("never-seen"); raise SystemExit("worked")
except OSError as e: assert e.errno == errno.ETIMEDOUT, e
assert 1 < time.time() - t < 5, time.time() - t
P
    local status=$?
    mv "$dir/server.away" "$dir/server"
    [ "$status" = 0 ]
}
succeeds "no server: ETIMEDOUT after the timeout" t_timeout
t_back() { for _ in $(seq 50); do ls x >/dev/null 2>&1 && return 0; sleep 0.2; done; return 1; }
succeeds "it comes back" t_back
kill -STOP $(server_pids)
(cat "$mp/remote" >/dev/null 2>&1 &)
sleep 0.3
cd "$dir" || exit 1
t_lazy() { timeout 10 fusermount3 -uz "$mp"; }
succeeds "unmount while hung" t_lazy
kill "$pid" 2>/dev/null
if wait "$pid" && ! grep -q 'ERROR: \|runtime error' "$log"; then
    ok "the program ends while hung"
else
    not_ok "the program ends while hung" "$(tail -c 2000 "$log")"
fi
pid=

# ---- a server that lies ----
if command -v python3 >/dev/null; then
    options=()
    start_on /srv python3 "$here/evil-server.py"
    cd "$mp" || exit 1
    t_evil_names() { same "$(ls -a | od -c | tr -d ' \n' | sed 's/0*[0-9]*$//')" "$(printf '.\n..\ngood\n\xff\xfe\n' | od -c | tr -d ' \n' | sed 's/0*[0-9]*$//')"; }
    succeeds "impossible names are left out" t_evil_names
    t_evil_reads() {
        sleep 1.2 # the listing, which does not name them all, is believed for a second
        python3 - <<'P'
import errno
def expected(n): return bytes((i // 256) % 256 for i in range(n))
assert open("good", "rb").read() == expected(10)
assert open("short", "rb").read() == expected(300000)
for name in ("fails", "empty-data"):
    try:
        open(name, "rb").read(); raise SystemExit(name + " was read")
    except OSError as e:
        assert e.errno == errno.EIO, (name, e)
try:
    open("huge", "rb"); raise SystemExit("huge was opened")
except OSError as e:
    assert e.errno == errno.EOVERFLOW, e
data = open("early-end", "rb").read()
assert data[:200000] == expected(200000) and not data[200000:].strip(b"\0"), len(data)
P
    }
    succeeds "short, failing, empty reads" t_evil_reads
    stop "unmount (evil server)"
fi

finish
