# Signing in as ssh(1) does, with lanyardfs itself; and again when the connection broke. Sourced by mount.sh.

# Host and Match, Include, tokens, a hop: the reader's own file, not -F. The home is the account's, as for ssh(1), whatever HOME
# says, so it gets another one in a mount namespace.
case_config_of_home() {
    local far
    [ "$(id -u)" = 0 ] || skip "another home needs root"
    unshare -m true 2>/dev/null || skip "another home needs a mount namespace"
    mkdir -p "$work/home.$case/.ssh/conf.d"
    cat >"$work/home.$case/.ssh/config" <<END
Include conf.d/*
Match originalhost far exec "test %h = 127.0.0.1 -a %p = $sshd_port"
    ProxyJump hop
Match host 127.0.0.1 localuser $(id -un)
    HostKeyAlias lanyard-sshd
Host *
    User $(id -un)
    UserKnownHostsFile $work/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    IdentityAgent none
    BatchMode yes
    ForwardX11 no
END
    cat >"$work/home.$case/.ssh/conf.d/hosts" <<END
Host far hop
    HostName 127.0.0.1
    Port $sshd_port
    IdentityFile %d/.ssh/id-%r
Host by-command
    HostName 127.0.0.1
    Port $sshd_port
    IdentityFile ~/.ssh/id-%r
    ProxyCommand python3 $here/connect.py %h %p
END
    chmod -R go= "$work/home.$case/.ssh"
    cp "$work/id" "$work/home.$case/.ssh/id-$(id -un)"
    echo here >"$srv/file"
    for far in far by-command; do
        setsid -w timeout -k 5 60 unshare -m sh -ec 'mount --bind "$1" "$2"; lanyardfs=$3 mnt=$5; shift 2; "$@"
            cat "$mnt/file"; fusermount3 -u "$mnt"' sh "$work/home.$case" "$(getent passwd "$(id -u)" | cut -d: -f6)" \
            "$lanyardfs" "$far:$srv" "$mnt" >"$work/out.$case" 2>"$work/said.$case" </dev/null &
        wait $! || fail "$far: $(tail -3 "$work/said.$case")"
        wait_for 10 no_server_of "$mnt" || fail "unmounted, but the program is still there"
        [ "$(cat "$work/out.$case")" = here ] || fail "$far: it reads $(cat "$work/out.$case")"
    done
}

with_password() { # USER:PASSWORD start_own|restart_own [ARGUMENT...]
    echo "$1" >"$work/passwords.$case"
    "$2" --password-file "$work/passwords.$case" "${@:3}"
}
mount_with_password() {
    echo "$1" | "$lanyardfs" "someone@one:$srv" "$mnt" -f -F "$work/ssh_config" -p "$port" \
        -o password_stdin,PubkeyAuthentication=no,BatchMode=no,timeout=20,dir_cache=no,attr_timeout=0,entry_timeout=0 2>"$work/err.$case" &
    program=$!
    wait_for 15 mountpoint -q "$mnt" || fail "nothing mounted: $(cat "$work/err.$case")"
}

# Refused at the reconnection: EACCES, the log says why, and nobody tries again, which would lock an account.
case_password_changed_meanwhile() {
    local attempts begin=$EPOCHSECONDS
    with_password someone:first start_own
    echo here >"$srv/file"
    mount_with_password first
    with_password someone:second restart_own
    ! timeout 30 cat "$mnt/file" 2>"$work/cat.$case" || fail "it reads with a wrong password"
    grep -q 'Permission denied' "$work/cat.$case" || fail "cat says: $(cat "$work/cat.$case")"
    [ $((EPOCHSECONDS - begin)) -le 15 ] || fail "it took $((EPOCHSECONDS - begin)) s"
    grep -q 'password.*does not try again' "$work/err.$case" || fail "the log says: $(cat "$work/err.$case")"
    attempts=$(wc -l <"$dir/log")
    sleep 3
    ! cat "$mnt/file" 2>/dev/null || fail "it reads with a wrong password"
    ! ls "$mnt/file" 2>/dev/null || fail "it looks with a wrong password"
    [ "$(wc -l <"$dir/log")" = "$attempts" ] || fail "it goes on trying: $(cat "$dir/log")"
    fusermount3 -u "$mnt"
    wait $program || fail "it ended with $?"
}

# The dialog of SSH_ASKPASS is open when the server gives up waiting: the answer then belongs to nobody.
case_askpass_late() {
    cat >"$work/askpass.$case" <<END
#!/bin/sh
echo asked >>"$work/asked.$case"
[ -e "$work/slow.$case" ] && sleep 6
echo first
END
    chmod +x "$work/askpass.$case"
    with_password someone:first start_own
    echo here >"$srv/file"
    SSH_ASKPASS=$work/askpass.$case SSH_ASKPASS_REQUIRE=force mount_in_foreground "someone@one:$srv" -p "$port" \
        -o PubkeyAuthentication=no,BatchMode=no,timeout=30,dir_cache=no,attr_timeout=0,entry_timeout=0,NumberOfPasswordPrompts=2
    touch "$work/slow.$case"
    # Another password: the remembered one is refused, so the dialog opens; the server waits for 2 s.
    with_password someone:other restart_own -o LoginGraceTime=2
    timeout 4 cat "$mnt/file" 2>/dev/null || true
    sleep 6
    kill -0 $program 2>/dev/null || fail "the program is gone: $(cat "$work/err.$case")"
    fusermount3 -u "$mnt"
    wait $program || fail "it ended with $?: $(cat "$work/err.$case")"
}

# A server that says nothing any more in the middle of the sign-in. The port is a tunnel that stops after so many bytes of the server.
case_sign_in_stalls() {
    serve 'def pump(a, b, most):
    while most > 0:
        data = a.recv(min(most, 65536))
        if not data:
            break
        b.sendall(data)
        most -= len(data)
    if most > 0:
        b.close()
d = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
threading.Thread(target=pump, args=(c, d, 1 << 30), daemon=True).start()
threading.Thread(target=pump, args=(d, c, 600), daemon=True).start()' "$sshd_port"
    refused 9 'key exchange with .* timed out after 2 s' "one:$srv" "$mnt" -F "$work/ssh_config" -p "$port" -o ConnectTimeout=2
}

# Ctrl-C at a question: the program is gone, the terminal echoes again, nothing is mounted.
case_interrupted_sign_in() {
    local option
    with_password someone:first start_own
    cat >"$work/script.$case" <<'END'
set timeout 20
spawn -noecho sh -c {trap : INT; "$@"; echo "status $?"; stty -a | grep -o ' -*echo '} sh {*}$argv
expect -ex "password: " {} timeout { exit 3 } eof { exit 4 }
after 300
send "\003"
expect -re "status 130.* echo" {} timeout { exit 5 } eof { exit 6 }
END
    for option in -f -C; do
        timeout 30 expect "$work/script.$case" "$lanyardfs" "someone@one:$srv" "$mnt" $option -F "$work/ssh_config" \
            -p "$port" -o PubkeyAuthentication=no,KbdInteractiveAuthentication=no,BatchMode=no || fail "with $option: expect ended with $?"
        ! is_mounted "$mnt" || fail "it is mounted"
        wait_for 5 no_server_of "$mnt" || fail "the program is still there"
    done
}

# A key that was opened with its passphrase, and a password that was typed, are not asked for again when the connection broke.
case_asked_once() {
    local way asked
    cat >"$work/askpass.$case" <<END
#!/bin/sh
echo "\$1" >>"$work/asked.$case"
echo first
END
    chmod +x "$work/askpass.$case"
    cp "$work/id" "$work/locked"
    ssh-keygen -q -p -P '' -N first -f "$work/locked"
    cp "$work/id.pub" "$work/locked.pub"
    grep -v IdentityFile "$work/ssh_config" >"$work/config.$case"
    with_password someone:first start_own
    for way in PasswordAuthentication=no,KbdInteractiveAuthentication=no PubkeyAuthentication=no,KbdInteractiveAuthentication=no \
        PubkeyAuthentication=no,PasswordAuthentication=no; do
        : >"$work/asked.$case"
        SSH_ASKPASS=$work/askpass.$case SSH_ASKPASS_REQUIRE=force setsid -w "$lanyardfs" "someone@one:$srv" "$mnt" -F "$work/config.$case" \
            -p "$port" -o "IdentityFile=$work/locked,BatchMode=no,$way" 2>"$work/err.$case" </dev/null || fail "$way: $(cat "$work/err.$case")"
        with_password someone:first restart_own
        echo "$way" >"$srv/file"
        [ "$(timeout 30 cat "$mnt/file")" = "$way" ] || fail "$way: it does not come back"
        asked=$(wc -l <"$work/asked.$case")
        [ "$asked" = 1 ] || fail "$way: asked $asked times: $(cat "$work/asked.$case")"
        rm "$mnt/file"
        unmount_it
    done
}

# Nobody can be asked in the background, and what is known does not open the door: EACCES, and the log says why.
case_nobody_to_ask() {
    with_password someone:first start_own
    mount_with_password first
    restart_own # it wants a key now
    ! timeout 30 ls "$mnt/name" 2>"$work/ls.$case" || fail "it is there"
    grep -q 'Permission denied' "$work/ls.$case" || fail "ls says: $(cat "$work/ls.$case")"
    grep -q 'still offers publickey' "$work/err.$case" || fail "the log says: $(cat "$work/err.$case")"
    fusermount3 -u "$mnt"
    wait $program || fail "it ended with $?"
}
