#!/usr/bin/env bash
# lanyard-key.sh BUILD: the tool as people and scripts meet it: statuses, JSON, questions, files that are never lost.
. "$(dirname "$0")/../lib.sh"
need python3 ssh-keygen openssl puttygen
begin "$1"
tool=$build/keys/lanyard-key
[ -x "$tool" ] || { echo "not ok start: $tool was not built"; exit 1; }
cd "$dir" || exit 1
umask 022
export TZ=UTC

# gives NAME STATUS ARGUMENT...: the status, without a terminal and without stdin; sets $out, $err.
gives() {
    local name=$1 wanted=$2 status
    shift 2
    setsid timeout 60 "$tool" "$@" </dev/null >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    out=$(tr -d '\0' <"$dir/stdout")
    err=$(cat "$dir/stderr")
    if [ "$status" = "$wanted" ]; then ok "$name"; else not_ok "$name" "status $status, not $wanted: $err"; fi
}
says() { contains "$1" "$2" "$err"; }
prints() { contains "$1" "$2" "$out"; }
# json NAME EXPRESSION: about `it`, what stdout parses to.
json() {
    local why
    if why=$(python3 -c '
import json, sys
it = json.load(open(sys.argv[1], encoding="utf-8"))
if not eval(sys.argv[2]): sys.exit(json.dumps(it))' "$dir/stdout" "$2" 2>&1); then ok "$1"; else not_ok "$1" "$2: $why"; fi
}
dialog() { python3 "$here/dialog.py" "$@" >"$dir/dialog" 2>&1; }
print_of() { ssh-keygen -lf "$1" 2>/dev/null | cut -d" " -f2; }
mode() { stat -c %a "$1"; }
leftovers() { ls -A "$1" | grep -c '^\.lanyard-'; }

echo secret >pass
echo other >pass2
key ed25519 plain -C 'plain key'
key ed25519 locked -a 1 -N secret -C 'locked key'
key rsa rsa -b 2048 -m PEM
openssl pkcs8 -topk8 -in rsa -passout pass:secret -out hidden 2>/dev/null

# --- generate ---
gives generate-needs-passphrase-or-word 2 generate -f g1
says generate-says-what-to-do '--no-passphrase'
check generate-refused-leaves-nothing '' "$(ls g1 g1.pub 2>/dev/null)"
gives generate 0 generate -f g1 --no-passphrase -C 'a comment'
check generate-pair "$(print_of g1)" "$(print_of g1.pub)"
prints generate-fingerprint "$(print_of g1)"
prints generate-randomart "$(ssh-keygen -lvf g1 | sed -n 4p)"
check generate-comment 'a comment' "$(cut -d' ' -f3- g1.pub)"
check generate-mode '600 644' "$(mode g1) $(mode g1.pub)"
before=$(cat g1 g1.pub)
gives generate-does-not-overwrite 1 generate -f g1 --no-passphrase
check generate-kept "$before" "$(cat g1 g1.pub)"
rm g1
gives generate-does-not-overwrite-pub 1 generate -f g1 --no-passphrase
check generate-pub-kept 'a comment' "$(cut -d' ' -f3- g1.pub)"
chmod 644 g1.pub; touch g1; chmod 666 g1
gives generate-force 0 generate -f g1 --no-passphrase --force -q
check generate-force-mode 600 "$(mode g1)"
check generate-quiet '' "$out$err"
gives generate-default 0 generate --no-passphrase --json
json generate-json "it['file'] == '$HOME/.ssh/id_ed25519' and it['type'] == 'ssh-ed25519' and it['fingerprint'] == '$(print_of "$HOME/.ssh/id_ed25519")'"
rm -r "$HOME/.ssh"
gives generate-makes-folder 0 generate -t ecdsa --no-passphrase -q
check generate-folder-mode '700 600' "$(mode "$HOME/.ssh") $(mode "$HOME/.ssh/id_ecdsa")"
(umask 0; "$tool" generate -q -f g0 --no-passphrase </dev/null); check generate-umask-0 600 "$(mode g0)"
(umask 077; "$tool" generate -q -f g77 --no-passphrase </dev/null); check generate-umask-077 600 "$(mode g77.pub)"
if command -v strace >/dev/null && [ -z "$(strace -o "$dir/trace" true 2>&1)" ] && ! grep -qa __asan_init "$tool"; then
    strace -f -e trace=openat,open,chmod,fchmod -o trace "$tool" generate -q -f traced --no-passphrase </dev/null
    check generate-first-byte 1 "$(grep -c 'O_CREAT|O_EXCL.*0600' trace)"
fi
gives generate-weak 2 generate -t rsa -b 1024 -f weak --no-passphrase
gives generate-weak-wanted 0 generate -t rsa -b 1024 -f weak --no-passphrase --weak -q
gives generate-no-dsa 2 generate -t dsa -f dsa --no-passphrase
gives generate-bad-bits 2 generate -t ecdsa -b 255 -f bits --no-passphrase
gives generate-no-folder 4 generate -f missing/key --no-passphrase
gives generate-ppk 0 generate -f made.ppk --format ppk --kdf-rounds 1 --new-passphrase-file pass -q
check generate-ppk-puttygen "$(cut -d' ' -f1,2 made.ppk.pub)" "$(puttygen made.ppk -O public-openssh --old-passphrase pass | cut -d' ' -f1,2)"
gives generate-pkcs8 0 generate -t ecdsa -f made.p8 --format pkcs8 --kdf-rounds 3000 --cipher aes128-cbc --new-passphrase-file pass -q
gives show-pkcs8 0 show --json made.p8
json generate-pkcs8-cost "it[0]['kdf'] == {'name': 'pbkdf2', 'iterations': 3000} and it[0]['cipher'].lower().replace('-', '') == 'aes128cbc'"
check generate-pkcs8-openssl ok "$(openssl pkey -in made.p8 -passin pass:secret -noout && echo ok)"
gives generate-pem-has-no-rounds 2 generate -t rsa -f pem --format pem --kdf-rounds 5 --new-passphrase-file pass
"$tool" generate -f - --no-passphrase </dev/null >stdout.key 2>/dev/null
chmod 600 stdout.key
check generate-stdout ok "$(ssh-keygen -y -f stdout.key >/dev/null && echo ok)"

# --- show ---
gives show 0 show plain locked hidden
prints show-text "$(print_of plain)"
prints show-bubblebabble "$(ssh-keygen -Bf plain | cut -d' ' -f2)"
gives show-json 0 show --json plain locked hidden plain.pub
json show-shape "[set(o) for o in it] == [{'file', 'format', 'type', 'bits', 'fingerprint', 'comment', 'private', 'encrypted', 'cipher', 'kdf', 'certificate', 'warnings'}] * 4"
json show-plain "it[0] == {'file': 'plain', 'format': 'openssh', 'type': 'ssh-ed25519', 'bits': 256, 'fingerprint': '$(print_of plain)', 'comment': 'plain key', 'private': True, 'encrypted': False, 'cipher': None, 'kdf': None, 'certificate': None, 'warnings': []}"
json show-locked "it[1]['kdf'] == {'name': 'bcrypt', 'rounds': 1} and it[1]['cipher'] == 'aes256-ctr' and it[1]['fingerprint'] == '$(print_of locked)'"
json show-hidden "it[2]['fingerprint'] is None and it[2]['type'] is None and it[2]['encrypted'] and it[2]['private']"
json show-line "it[3]['format'] == 'line' and not it[3]['private']"
gives show-opened 0 show --json --passphrase-file pass hidden
json show-hidden-opened "it[0]['fingerprint'] == '$(print_of rsa)'"
exec 7<pass; gives show-opened-fd 0 show --json --passphrase-fd 7 hidden; exec 7<&-
json show-hidden-opened-fd "it[0]['bits'] == 2048"
gives show-wrong-passphrase 3 show --json --passphrase-file pass2 hidden
json show-wrong-passphrase-json "set(it[0]) == {'file', 'error'}"
echo rubbish >rubbish
gives show-bad 3 show --json rubbish plain
json show-bad-json "set(it[0]) == {'file', 'error'} and it[1]['bits'] == 256"
gives show-missing 4 show --json nothing plain
json show-missing-json "it[0]['file'] == 'nothing' and 'error' in it[0] and it[1]['bits'] == 256"
gives show-usage-json 2 show --json
json show-usage-json-parses "'error' in it"
gives show-unknown-option-json 2 show --jsn --json plain
json show-unknown-option-json-parses "'error' in it"
: >empty
gives show-empty 3 show --json empty
json show-empty-json "'error' in it[0]"
gives show-folder 4 show --json "$dir"
chmod 644 plain
gives show-readable 0 show --json plain
json show-readable-warning "it[0]['warnings'][0]['code'] == 'readable-by-others'"
chmod 600 plain
ssh-keygen -q -s plain -I 'id "1"' -n alice,bob -O force-command=ls -V 20250101000000:20350101000000 -z 7 rsa.pub
gives show-certificate 0 show --json rsa-cert.pub
json show-certificate-json "it[0]['certificate'] == {'kind': 'user', 'serial': 7, 'id': 'id \"1\"', 'principals': ['alice', 'bob'], 'valid_after': 1735689600, 'valid_before': 2051222400, 'critical': {'force-command': 'ls'}, 'extensions': {n: '' for n in ('permit-X11-forwarding', 'permit-agent-forwarding', 'permit-port-forwarding', 'permit-pty', 'permit-user-rc')}, 'ca': '$(print_of plain)'} and it[0]['type'] == 'ssh-rsa-cert-v01@openssh.com'"
gives show-certificate-text 0 show rsa-cert.pub
prints show-certificate-time 'from 2025-01-01T00:00:00 to 2035-01-01T00:00:00'
"$tool" show --json - <plain >stdout; json show-stdin "it[0]['file'] == '-' and it[0]['comment'] == 'plain key'"
for n in 1 17 400; do
    head -c $n locked >cut
    gives "show-cut-$n" 3 show --json cut
    json "show-cut-$n-json" "'error' in it[0]"
done

# --- comments are bytes ---
long=$(printf 'x%.0s' $(seq 1024))
gives comment-long 0 comment plain -C "$long" -q
gives comment-long-show 0 show --json plain
json comment-long-kept "it[0]['comment'] == 'x' * 1024"
check comment-long-pub "$long" "$(cut -d' ' -f3 plain.pub)"
gives comment-bytes 0 comment plain -C "$(printf 'caf\351 \033[31m')" -q
gives comment-bytes-show 0 show --json plain
json comment-bytes-base64 "__import__('base64').b64decode(it[0]['comment_base64']) == b'caf\xe9 \x1b[31m'"
gives comment-bytes-text 0 show plain
check comment-bytes-escaped 0 "$(grep -c "$(printf '\033')" stdout)"
gives comment-newline 2 comment plain -C "$(printf 'a\nssh-ed25519 AAAA')"
gives comment-empty 0 comment plain -C '' -q
gives comment-text 0 comment plain -C 'plain key' -q
check comment-ssh-keygen 'plain key' "$(ssh-keygen -y -f plain | cut -d' ' -f3-)"
gives comment-pem 0 comment rsa -C 'said in pub'
prints comment-pem-says 'no place for a comment'
check comment-pem-pub 'said in pub' "$(cut -d' ' -f3- rsa.pub)"
mv rsa.pub aside.pub
gives comment-pem-nowhere 3 comment rsa -C lost
mv aside.pub rsa.pub
printf '# mine\nfrom="*.example" %s\n# end\n' "$(cat plain.pub)" >authorized
gives comment-line 0 comment authorized -C new -q
check comment-line-kept "$(printf '# mine\nfrom="*.example" %s new\n# end' "$(cut -d' ' -f1,2 plain.pub)")" "$(cat authorized)"

# --- convert ---
for format in openssh pem pkcs8 ppk ppk2 jwk spki rfc4716 line; do
    gives "convert-$format" 0 convert rsa --to $format -o "c.$format"
    case $format in spki | rfc4716 | line) wanted=644 ;; *) wanted=600 ;; esac
    check "convert-$format-mode" $wanted "$(mode c.$format)"
    gives "convert-$format-show" 0 show --json "c.$format"
    json "convert-$format-same" "it[0]['fingerprint'] == '$(print_of rsa)' and it[0]['format'] == {'ppk': 'ppk3'}.get('$format', '$format') and it[0]['private'] == ($wanted == 600)"
    gives "convert-$format-stdout" 0 convert rsa --to $format
    check "convert-$format-same-bytes" "$(wc -c <c.$format)" "$(wc -c <stdout)"
done
for format in openssh pem pkcs8 ppk ppk2; do
    gives "convert-locked-$format" 0 convert hidden --to $format --passphrase-file pass -o "l.$format"
    gives "convert-locked-$format-show" 0 show --json --passphrase-file pass "l.$format"
    json "convert-locked-$format-same" "it[0]['encrypted'] and it[0]['fingerprint'] == '$(print_of rsa)'"
done
gives convert-keeps-cost 0 convert hidden --to pkcs8 --passphrase-file pass -o kept
gives convert-keeps-cost-show 0 show --json kept
json convert-keeps-cost-json "it[0]['kdf'] == {'name': 'pbkdf2', 'iterations': 2048}"
gives convert-no-passphrase 0 convert hidden --to openssh --passphrase-file pass --no-passphrase -o open
gives convert-no-passphrase-show 0 show --json open
json convert-no-passphrase-json "not it[0]['encrypted']"
gives convert-new-passphrase 0 convert plain --to openssh --kdf-rounds 2 --new-passphrase-file pass2 -o new2
check convert-new-passphrase-ssh-keygen "$(print_of plain)" "$(ssh-keygen -y -P other -f new2 | ssh-keygen -lf - | cut -d' ' -f2)"
gives convert-jwk-encrypted 2 convert locked --to jwk --passphrase-file pass
gives convert-no-tty 2 convert hidden --to openssh
says convert-no-tty-names-file 'hidden'
gives convert-wrong-passphrase 3 convert hidden --to openssh --passphrase-file pass2
gives convert-unknown-format 2 convert plain --to nothing
gives convert-public-to-private 3 convert plain.pub --to openssh
before=$(cat c.pem)
gives convert-does-not-overwrite 1 convert plain --to openssh -o c.pem
check convert-kept "$before" "$(cat c.pem)"
gives convert-force 0 convert plain --to openssh -o c.pem --force
gives convert-in-place-loses 2 convert plain --to line --in-place
cp rsa inplace; chmod 640 inplace; ln -s inplace link
gives convert-in-place 0 convert link --to openssh --in-place
check convert-in-place-mode "640 $(print_of rsa)" "$(mode inplace) $(print_of link)"
check convert-in-place-link inplace "$(readlink link)"
"$tool" convert - --to line <plain >line.out; check convert-stdin "$(cat plain.pub)" "$(cat line.out)"
gives convert-json 0 convert plain --to line --json
json convert-json-text "it['text'].startswith('ssh-ed25519 ') and it['fingerprint'] == '$(print_of plain)'"
gives public 0 public plain
check public-line "$(cat plain.pub)" "$out"
gives public-locked 0 public locked --passphrase-file pass
check public-locked-line "$(cat locked.pub)" "$out"

# --- passphrase ---
cp plain changed; chmod 600 changed
gives passphrase-set 0 passphrase changed --new-passphrase-file pass --kdf-rounds 3 --cipher aes128-gcm@openssh.com
gives passphrase-set-show 0 show --json changed
json passphrase-set-json "it[0]['kdf']['rounds'] == 3 and it[0]['cipher'] == 'aes128-gcm@openssh.com'"
gives passphrase-keep 0 passphrase changed --keep --kdf-rounds 2 --passphrase-file pass
gives passphrase-keep-show 0 show --json changed
json passphrase-keep-json "it[0]['kdf']['rounds'] == 2 and it[0]['cipher'] == 'aes128-gcm@openssh.com'"
gives passphrase-change 0 passphrase changed --passphrase-file pass --new-passphrase-file pass2
gives passphrase-old-is-wrong 3 passphrase changed --passphrase-file pass --remove
printf 'other\nthird\n' | setsid "$tool" passphrase changed --passphrase-file - --new-passphrase-file - -q
echo third >pass3
gives passphrase-both-from-stdin 0 passphrase changed --passphrase-file pass3 --remove
check passphrase-removed "$(print_of plain)" "$(ssh-keygen -y -P '' -f changed | ssh-keygen -lf - | cut -d' ' -f2)"
cp hidden p8; gives passphrase-keeps-format 0 passphrase p8 --passphrase-file pass --new-passphrase-file pass2
gives passphrase-keeps-format-show 0 show --json p8
json passphrase-keeps-format-json "it[0]['format'] == 'pkcs8' and it[0]['kdf'] == {'name': 'pbkdf2', 'iterations': 2048}"
gives passphrase-public 3 passphrase plain.pub --new-passphrase-file pass

# --- match, fingerprint ---
gives match 0 match plain plain.pub
gives match-not 1 match plain rsa
gives match-formats 0 match c.ppk c.jwk
gives match-certificate 0 match rsa rsa-cert.pub
gives match-json 1 match plain rsa --json
json match-json-parses "it['match'] is False and len(it['keys']) == 2"
gives match-missing 4 match plain nothing --json
json match-missing-json "'error' in it"
gives match-sibling-not-believed 2 match hidden hidden
{ cat plain.pub; echo '# comment'; echo; echo "command=\"echo a b\" $(cat locked.pub)"; cat rsa.pub; } >list
gives fingerprint-list 0 fingerprint list
check fingerprint-as-ssh-keygen "$(ssh-keygen -lf list)" "$out"
gives fingerprint-md5 0 fingerprint -E md5 list
check fingerprint-md5-as-ssh-keygen "$(ssh-keygen -l -E md5 -f list)" "$out"
gives fingerprint-babble 0 fingerprint --bubblebabble plain
check fingerprint-babble-as-ssh-keygen "$(ssh-keygen -Bf plain.pub)" "$out"
printf '%s\n' "host.example $(cut -d' ' -f1,2 plain.pub)" "@revoked * $(cut -d' ' -f1,2 rsa.pub)" >hosts
gives fingerprint-hosts 0 fingerprint hosts
check fingerprint-hosts-count 2 "$(printf '%s\n' "$out" | grep -c SHA256)"
echo 'ssh-ed25519 AAAA broken' >>list
gives fingerprint-bad-line 3 fingerprint --json list
json fingerprint-bad-line-json "len(it) == 4 and 'error' in it[3] and it[1]['options'] == 'command=\"echo a b\"'"
gives fingerprint-unknown-hash 2 fingerprint -E sha3 plain

# --- questions ---
dialog 'Enter passphrase for "asked" (empty for no passphrase): ' secret 'again: ' wrong 'do not match' - 'no passphrase): ' secret 'again: ' secret \
    -- "$tool" generate -f asked
check ask-twice 0 $?
check ask-hides 0 "$(grep -c secret dialog)"
check ask-made "$(print_of asked.pub)" "$(ssh-keygen -y -P secret -f asked | ssh-keygen -lf - | cut -d' ' -f2)"
dialog 'Overwrite (y/n)? ' n -- "$tool" generate -f asked --no-passphrase
check overwrite-no 1 $?
dialog 'Overwrite (y/n)? ' y -- "$tool" generate -f asked --no-passphrase
check overwrite-yes 0 $?
check overwrite-yes-done ok "$(ssh-keygen -y -P '' -f asked >/dev/null && echo ok)"
dialog 'Enter passphrase for hidden: ' bad 'Enter passphrase for hidden: ' secret -- "$tool" public hidden
check ask-again 0 $?
dialog 'hidden: ' bad 'hidden: ' bad 'hidden: ' bad -- "$tool" public hidden
check ask-three-times 3 $?
dialog 'New comment: ' 'typed in' -- "$tool" comment plain
check ask-comment "0 typed in" "$? $(cut -d' ' -f3- plain.pub)"
printf '#!/bin/sh\necho secret\n' >askpass; chmod +x askpass
SSH_ASKPASS=$dir/askpass SSH_ASKPASS_REQUIRE=force gives askpass 0 public hidden

# --- nothing is lost, nothing is left behind ---
dialog 'no passphrase): ' '^C' -- "$tool" generate -f interrupted
check interrupt-question 130 $?
check interrupt-question-files '' "$(ls interrupted* 2>/dev/null)"
if ! dialog 'Generating' '-' '..' '^C' -- "$tool" generate -t rsa -b 16384 -f interrupted --no-passphrase; then
    check interrupt-slow-files '' "$(ls interrupted* 2>/dev/null)"
fi
before=$(cat plain)
(ulimit -f 0; "$tool" comment plain -C big </dev/null >/dev/null 2>"$dir/stderr"); check full-disk-status 4 $?
check full-disk-kept "$before" "$(cat plain)"
(ulimit -f 0; "$tool" generate -f full --no-passphrase </dev/null >/dev/null 2>&1); check full-disk-generate 4 $?
check full-disk-nothing '' "$(ls full full.pub 2>/dev/null)"
(ulimit -f 1; "$tool" generate -t rsa -b 4096 -f full --no-passphrase -q </dev/null >/dev/null 2>&1); check full-disk-half 4 $?
check full-disk-half-nothing '' "$(ls full full.pub 2>/dev/null)"
check no-leftovers 0 "$(leftovers .)"
"$tool" show plain >/dev/full 2>"$dir/stderr"; check full-stdout 4 $?
check passphrase-not-in-core 0 "$(grep -c secret stdout stderr | awk -F: '{s+=$2} END {print s}')"

# --- the program ---
gives no-command 2
gives unknown-command 2 frobnicate
gives help 0 --help
gives version 0 --version
prints version-text 'lanyard-key '
for name in $("$tool" --help | sed -n '/^Commands/,/^$/s/^  \([a-z-]*\) .*/\1/p'); do
    [ "$name" = ssh-keygen ] || gives "help-$name" 0 "$name" --help
done
for shell in bash zsh fish; do
    gives "completions-$shell" 0 --completions $shell
    if command -v $shell >/dev/null; then
        succeeds "completions-$shell-parse" $shell -n stdout
    fi
done
finish
