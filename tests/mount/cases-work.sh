# What people do in a mounted directory; the bytes are compared with the server's side. Sourced by mount.sh.

case_list_and_read() {
    make_tree "$srv"
    mount_it "server:$srv"
    same_trees "$srv" "$mnt" nolinks
    unmount_it
}

case_relative_directory() {
    mkdir -p "$srv/sub"
    echo here >"$srv/sub/file"
    mount_it "server:$(realpath --relative-to="$(getent passwd "$(id -un)" | cut -d: -f6)" "$srv")/sub"
    same "$mnt/file" "$srv/sub/file"
    unmount_it
}

case_cp_a() {
    make_tree "$work/tree.$case"
    mount_it "server:$srv"
    cp -a "$work/tree.$case/." "$mnt/"
    unmount_it
    same_trees "$work/tree.$case" "$srv"
}

case_tar_x() {
    make_tree "$work/tree.$case"
    tar -C "$work/tree.$case" -cf "$work/tree.tar" .
    mount_it "server:$srv"
    tar -C "$mnt" -xpf "$work/tree.tar"
    tar -C "$mnt" -df "$work/tree.tar"
    unmount_it
    same_trees "$work/tree.$case" "$srv"
}

case_git() {
    local repository=$work/repository i
    git config --global user.name Test
    git config --global user.email test@example.org
    git config --global init.defaultBranch main
    git config --global --add safe.directory '*'
    make_tree "$repository"
    git -C "$repository" init -q
    for i in 1 2 3; do
        echo "change $i" >>"$repository/docs/1"
        git -C "$repository" add -A
        git -C "$repository" commit -q -m "change $i"
    done
    mount_it "server:$srv"
    git clone -q "$repository" "$mnt/clone"
    [ -z "$(git -C "$mnt/clone" status --porcelain)" ] || fail "git status finds changes: $(git -C "$mnt/clone" status --porcelain | head -3)"
    [ -z "$(git -C "$mnt/clone" status --porcelain)" ] || fail "git status, again, finds changes"
    git -C "$mnt/clone" fsck --strict 2>&1
    echo more >>"$mnt/clone/docs/1"
    git -C "$mnt/clone" commit -q -a -m 'from the mount'
    git -C "$mnt/clone" gc -q
    unmount_it
    git -C "$srv/clone" fsck --strict 2>&1
    [ -z "$(git -C "$srv/clone" status --porcelain)" ] || fail "at the server git status finds changes"
    [ "$(git -C "$srv/clone" rev-list --count HEAD)" = 4 ] || fail "the commit is not at the server"
}

case_sqlite() {
    mount_it "server:$srv"
    sqlite3 "$mnt/db" 'create table t (n integer primary key, text text);'
    (echo 'begin;'; for i in $(seq 2000); do echo "insert into t values ($i, 'row $i');"; done; echo 'commit;') | sqlite3 "$mnt/db"
    for i in 2001 2002 2003; do sqlite3 "$mnt/db" "insert into t values ($i, 'row $i');"; done
    [ "$(sqlite3 "$mnt/db" 'select count(*), sum(n) from t;')" = '2003|2007006' ] || fail "select through the mount: other rows"
    sqlite3 "$mnt/db" 'delete from t where n > 1000; vacuum;'
    unmount_it
    [ "$(sqlite3 "$srv/db" 'select count(*), sum(n) from t; pragma integrity_check;')" = $'1000|500500\nok' ] ||
        fail "select at the server: other rows"
}

case_rsync_twice() {
    make_tree "$work/tree.$case"
    mount_it "server:$srv"
    rsync -aH "$work/tree.$case/" "$mnt/"
    rsync -aH --itemize-changes "$work/tree.$case/" "$mnt/" >"$work/again"
    [ ! -s "$work/again" ] || fail "the second rsync changes: $(head -3 "$work/again")"
    echo changed >>"$work/tree.$case/docs/1"
    rsync -aH --itemize-changes "$work/tree.$case/" "$mnt/" >"$work/third"
    [ "$(grep -c '^>f' "$work/third")" = 1 ] || fail "the third rsync sends: $(cat "$work/third")"
    unmount_it
    same_trees "$work/tree.$case" "$srv"
}

case_20000_files() {
    python3 -c '
import os, sys
os.chdir(sys.argv[1])
for i in range(20000):
    os.close(os.open(f"a file with the number {i:05}", os.O_CREAT | os.O_WRONLY, 0o644))' "$srv"
    mount_it "server:$srv"
    [ "$(ls -U "$mnt" | wc -l)" = 20000 ] || fail "ls finds $(ls -U "$mnt" | wc -l) names"
    diff <(ls "$mnt") <(ls "$srv") >/dev/null || fail "the names differ"
    [ "$(ls -l "$mnt" | wc -l)" = 20001 ] || fail "ls -l finds others"
    rm "$mnt/a file with the number 1"*
    [ "$(ls -U "$mnt" | wc -l)" = 10000 ] || fail "after rm, ls finds $(ls -U "$mnt" | wc -l)"
    unmount_it
    [ "$(ls -U "$srv" | wc -l)" = 10000 ] || fail "rm left $(ls -U "$srv" | wc -l) at the server"
}

case_sparse_5_gib() {
    local size=$((5 << 30))
    truncate -s $size "$srv/sparse"
    printf 'the end' | dd of="$srv/sparse" bs=1 seek=$((size - 7)) conv=notrunc status=none
    mount_it "server:$srv"
    [ "$(stat -c %s "$mnt/sparse")" = $size ] || fail "its size is $(stat -c %s "$mnt/sparse")"
    [ "$(tail -c 7 "$mnt/sparse")" = 'the end' ] || fail "its end reads otherwise"
    printf 'beyond 4 GiB' | dd of="$mnt/sparse" bs=1M seek=$(((4 << 30) + 12345)) oflag=seek_bytes conv=notrunc status=none
    truncate -s $((6 << 30)) "$mnt/sparse"
    unmount_it
    [ "$(stat -c %s "$srv/sparse")" = $((6 << 30)) ] || fail "truncate gave it $(stat -c %s "$srv/sparse") bytes"
    [ "$(dd if="$srv/sparse" bs=12 count=1 skip=$(((4 << 30) + 12345)) iflag=skip_bytes status=none)" = 'beyond 4 GiB' ] ||
        fail "what was written beyond 4 GiB is not there"
    [ "$(dd if="$srv/sparse" bs=7 count=1 skip=$((size - 7)) iflag=skip_bytes status=none)" = 'the end' ] || fail "the old end is gone"
}

case_names_not_utf8() {
    local name
    mkdir "$srv/"$'found-\xf0'
    echo deep >"$srv/"$'found-\xf0/\x81'
    mount_it "server:$srv"
    for name in $'\xff\xfe\x80' $'latin1-\xe9' $'\xc3\x28' $'tab\there' "$(printf 'x%.0s' {1..255})"; do
        echo "content of $name" >"$mnt/$name"
        cmp "$mnt/$name" "$srv/$name"
    done
    mkdir "$mnt/"$'made-\xf0'
    echo deep >"$mnt/"$'made-\xf0/\x81'
    [ "$(cat "$srv/"$'made-\xf0/\x81')" = deep ] || fail "a file below a directory that is not UTF-8"
    [ "$(cat "$mnt/"$'found-\xf0/\x81')" = deep ] || fail "a file found below a directory that is not UTF-8"
    mv "$mnt/"$'latin1-\xe9' "$mnt/"$'latin1-\xe8'
    same_trees "$srv" "$mnt" bare
    [ -e "$srv/"$'latin1-\xe8' ] || fail "it was not renamed at the server"
    unmount_it
}

case_md5_10_mib() {
    head -c 10485760 /dev/urandom >"$work/ten"
    cp "$work/ten" "$srv/from-server"
    mount_it "server:$srv" -o RekeyLimit=1M
    [ "$(md5sum <"$mnt/from-server")" = "$(md5sum <"$work/ten")" ] || fail "what was read differs"
    cp "$work/ten" "$mnt/to-server"
    unmount_it
    [ "$(md5sum <"$srv/to-server")" = "$(md5sum <"$work/ten")" ] || fail "what was written differs"
}

# What a POSIX user expects of single calls, and their errno.
case_posix() {
    mount_it "server:$srv"
    python3 "$here/posix.py" "$mnt" "$srv"
    unmount_it
}

case_seen_from_the_server() {
    mount_it "server:$srv" -o dir_cache=no,attr_timeout=0,entry_timeout=0
    echo one >"$srv/file"
    [ "$(cat "$mnt/file")" = one ] || fail "a new file"
    echo 'two, longer' >"$srv/file"
    [ "$(cat "$mnt/file")" = 'two, longer' ] || fail "a file that grew at the server"
    echo three >"$srv/file"
    [ "$(cat "$mnt/file")" = three ] || fail "a file that shrank at the server"
    rm "$srv/file"
    [ ! -e "$mnt/file" ] || fail "a file that went away at the server"
    unmount_it
}

case_inode_numbers() {
    make_tree "$srv"
    mount_it "server:$srv"
    (cd "$mnt" && find . -printf '%i %p\0' | sort -z) >"$work/numbers"
    unmount_it
    mount_it "server:$srv"
    (cd "$mnt" && find . -printf '%i %p\0' | sort -z) >"$work/numbers-again"
    same "$work/numbers" "$work/numbers-again"
    [ "$(tr '\0' '\n' <"$work/numbers" | cut -d' ' -f1 | sort | uniq -d | wc -l)" -le 1 ] || fail "files share a number"
    unmount_it
}

case_df() {
    mount_it "server:$srv"
    [ "$(stat -f -c '%b %s' "$mnt")" = "$(stat -f -c '%b %S' "$srv")" ] || [ "$(df --output=size "$mnt" | tail -1)" = "$(df --output=size "$srv" | tail -1)" ] ||
        fail "df says $(df --output=size "$mnt" | tail -1), at the server $(df --output=size "$srv" | tail -1)"
    unmount_it
}

# Other servers: the same copy there and back.
copy_there_and_back() {
    make_tree "$work/tree.$case"
    cp -a "$work/tree.$case/." "$mnt/"
    same_trees "$work/tree.$case" "$srv"
    same_trees "$work/tree.$case" "$mnt" nolinks
    mv "$mnt/docs/3000000" "$mnt/docs/1"
    rm -r "$mnt/many"
    unmount_it
    same "$work/tree.$case/docs/3000000" "$srv/docs/1"
    [ ! -e "$srv/many" ] || fail "rm -r left something"
}

case_server_dropbear() {
    start_dropbear
    mount_it "127.0.0.1:$srv" -p "$port"
    copy_there_and_back
}

case_own_sshd() {
    start_own
    mount_it "one:$srv" -p "$port"
    copy_there_and_back
}

case_own_sshd_confined() {
    start_own -r "$srv"
    echo inside >"$srv/file"
    mount_it one:/ -p "$port"
    [ "$(cat "$mnt/file")" = inside ] || fail "the root is another"
    echo new >"$mnt/new"
    unmount_it
    [ "$(cat "$srv/new")" = new ] || fail "what was written is not there"
}
