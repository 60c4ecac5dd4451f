# What goes wrong before the mount is there: exit 1, one sentence, no mount. Sourced by mount.sh.

F() { echo -F "$work/ssh_config"; }

case_no_such_host() {
    refused 20 'no-such-host.invalid' "no-such-host.invalid:" "$mnt" $(F)
}

case_port_refused() {
    refused 5 'refused' "one:$srv" "$mnt" $(F) -p "$(free_port)"
}

# A port that takes the connection and never says a word, and one that does not even take it.
case_port_never_answers() {
    serve 'time.sleep(120)'
    refused 8 'time|did not answer|no answer|handshake' "one:$srv" "$mnt" $(F) -p "$port" -o ConnectTimeout=2
}

case_not_an_ssh_server() {
    serve 'c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 2000)
c.close()'
    refused 10 'ssh|identification' "one:$srv" "$mnt" $(F) -p "$port"
}

case_host_key_unknown() {
    : >"$work/known.$case"
    refused 10 'key' "127.0.0.1:$srv" "$mnt" $(F) -p "$sshd_port" -o "UserKnownHostsFile=$work/known.$case" -o StrictHostKeyChecking=yes
    refused 10 'key' "127.0.0.1:$srv" "$mnt" $(F) -p "$sshd_port" -o "UserKnownHostsFile=$work/known.$case" -o StrictHostKeyChecking=ask -o BatchMode=yes
    [ ! -s "$work/known.$case" ] || fail "the key was written down"
}

case_host_key_changed() {
    printf '# a comment\n[127.0.0.1]:%s %s\n' "$sshd_port" "$(cut -d' ' -f1,2 "$work/other_host_key.pub")" >"$work/known.$case"
    cp "$work/known.$case" "$work/known.before"
    for checking in yes ask accept-new; do
        refused 10 "known.$case.*2" "127.0.0.1:$srv" "$mnt" $(F) -p "$sshd_port" -o "UserKnownHostsFile=$work/known.$case" \
            -o "StrictHostKeyChecking=$checking"
    done
    same "$work/known.$case" "$work/known.before"
}

case_host_key_revoked() {
    printf '@revoked * %s\n' "$(cut -d' ' -f1,2 "$work/host_key.pub")" >"$work/known.$case"
    refused 10 'revoked' "127.0.0.1:$srv" "$mnt" $(F) -p "$sshd_port" -o "UserKnownHostsFile=$work/known.$case" -o StrictHostKeyChecking=accept-new
}

# Which methods were tried, which the server still offers.
case_sign_in_refused() {
    grep -v IdentityFile "$work/ssh_config" >"$work/config.$case"
    refused 15 'publickey' "server:$srv" "$mnt" -F "$work/config.$case" -o "IdentityFile=$work/stranger"
}

case_no_such_directory() {
    refused 10 'no-such-directory' "server:$srv/no-such-directory" "$mnt" $(F)
}

case_directory_is_a_file() {
    echo text >"$srv/file"
    refused 10 'directory' "server:$srv/file" "$mnt" $(F)
}

case_mountpoint_missing() {
    refused 5 'missing.here' "server:$srv" "$work/missing.here" $(F)
}

case_mountpoint_is_a_file() {
    echo text >"$work/file.$case"
    refused 5 'not a directory' "server:$srv" "$work/file.$case" $(F)
}

case_unknown_option() {
    refused 5 'no_such_name' "server:$srv" "$mnt" $(F) -o no_such_name
    refused 5 'no_such_name' "server:$srv" "$mnt" $(F) -o "ro,no_such_name=3,nosuid"
    refused 5 'vsock' "server:$srv" "$mnt" $(F) -o vsock=1:2
    refused 5 '65536' "server:$srv" "$mnt" $(F) -p 65536
    refused 5 'idmap' "server:$srv" "$mnt" $(F) -o idmap=some
}

case_no_sftp_server() {
    refused 10 'no-such-subsystem' "server:$srv" "$mnt" $(F) -o sftp_server=no-such-subsystem
    refused 10 'sftp' "server:$srv" "$mnt" $(F) -o sftp_server=/no/such/program
}

case_config_file_wrong() {
    printf 'Host *\n    Port many\n' >"$work/config.$case"
    refused 5 "config.$case.*2" "server:$srv" "$mnt" -F "$work/config.$case"
}
