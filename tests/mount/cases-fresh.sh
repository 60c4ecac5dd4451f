# For how long what is remembered counts. Sourced by mount.sh.

# A directory that we made is ours alone for a second, not for as long as a listing is kept.
case_new_directory_seen() {
    mount_it "server:$srv"
    mkdir "$mnt/made"
    [ -z "$(ls "$mnt/made")" ] || fail "a new directory has $(ls "$mnt/made")"
    echo there >"$srv/made/theirs"
    echo more >"$srv/made/more"
    sleep 1.5
    [ "$(ls "$mnt/made" | tr '\n' ' ')" = 'more theirs ' ] || fail "1.5 s later the new directory has: $(ls "$mnt/made")"
    [ "$(cat "$mnt/made/theirs")" = there ] || fail "it cannot be read"
    unmount_it
}

# While it is being filled nobody is asked whether the next name is there: SIGUSR1 counts.
case_new_directory_filled() {
    local asked i
    mount_in_foreground "server:$srv"
    mkdir "$mnt/made"
    for i in $(seq 25); do
        : >"$mnt/made/$i"
        sleep 0.1
    done
    kill -USR1 $program
    wait_for 5 grep -q '^lookups_from_cache' "$work/err.$case" || fail "SIGUSR1 prints no statistics: $(cat "$work/err.$case")"
    asked=$(awk '$1 ~ /lookups$/ { all = $2 } $1 == "lookups_from_cache" { cached = $2 } END { print all - cached }' "$work/err.$case")
    [ "$asked" -le 6 ] || fail "$asked lookups went to the server: $(grep lookups "$work/err.$case" | tr '\n' ' ')"
    fusermount3 -u "$mnt"
    wait $program || fail "it ended with $?"
}

# Two names of one file: what is changed by the one shows by the other at once.
case_hard_link_attributes() {
    mount_it "server:$srv" -o attr_timeout=20,entry_timeout=20
    echo text >"$mnt/one"
    ln "$mnt/one" "$mnt/other"
    [ "$(stat -c %i "$mnt/one")" = "$(stat -c %i "$mnt/other")" ] || fail "they have different numbers"
    chmod 600 "$mnt/one"
    [ "$(stat -c %a "$mnt/other")" = 600 ] || fail "after chmod 600 the other has $(stat -c %a "$mnt/other")"
    echo longer >>"$mnt/other"
    [ "$(stat -c %s "$mnt/one")" = 12 ] || fail "after 12 bytes the other has $(stat -c %s "$mnt/one")"
    mv "$mnt/one" "$mnt/moved"
    chmod 640 "$mnt/other"
    [ "$(stat -c %a "$mnt/moved")" = 640 ] || fail "after a rename the other has $(stat -c %a "$mnt/moved")"
    rm "$mnt/other"
    [ "$(cat "$mnt/moved")" = $'text\nlonger' ] || fail "it has other bytes: $(cat "$mnt/moved")"
    unmount_it
}
