#!/usr/bin/env bash
# library.sh BUILDDIR: liblanyard as `meson install` puts it, used by programs outside the tree.
set -u
. "$(dirname "$0")/../lib.sh"
need "$sshd" ssh-keygen meson pkg-config cc nm readelf
begin "$1"
sources=$(cd "$here/../.." && pwd)

# --- the installation
succeeds 'meson install' meson install -C "$build" --no-rebuild --destdir "$dir/root"
pc=$(find "$dir/root" -name lanyard.pc)
library=$(find "$dir/root" -name liblanyard.so.0)
[ -n "$pc" ] && [ -n "$library" ] || { echo 'not ok installed: no lanyard.pc or no liblanyard.so.0'; exit 1; }
libraries=$(dirname "$library")
includes=$(dirname "$(find "$dir/root" -path '*/lanyard/base' -type d)")
for each in "$libraries"/liblanyard*.so.0; do
    name=$(basename "$each")
    contains "$name: soname" "soname: [$name]" "$(readelf -d "$each")"
    check "$name: nothing but ly_* is exported" '' "$(nm -D --defined-only "$each" | awk '$2 != "A" && $3 !~ /^ly_/ { print $3 }' | head -n 5)"
    nm -D --defined-only "$each" | awk '{ print $3 }' >>"$dir/exported"
done
check 'what the headers declare is exported' '' "$(python3 - "$includes" "$dir/exported" <<'END'
import re
import sys
from pathlib import Path
exported = set(Path(sys.argv[2]).read_text().split())
for header in sorted(Path(sys.argv[1]).rglob("*.h")):
    text = re.sub(r"^#define(?:.*\\\n)*.*", "", header.read_text(), flags=re.M)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"^static inline.*?^}", "", text, flags=re.S | re.M)
    for name in re.findall(r"^[A-Za-z][\w *]*\b(ly_\w+)\(", text, re.M):
        if name not in exported:
            print(f"{header.name}: {name}")
END
)"
check 'no GLib' '' "$(readelf -d "$library" | grep -i 'NEEDED.*\(glib\|gio\)')"

# pkg-config finds ours in the private root, and the system's beside it.
system=$(pkg-config --variable pc_path pkg-config)
config() { PKG_CONFIG_SYSROOT_DIR="$dir/root" PKG_CONFIG_LIBDIR="$(dirname "$pc"):$system" pkg-config "$@" lanyard; }
read -ra cflags <<<"$(config --cflags)"
read -ra libs <<<"$(config --libs)"
contains 'pkg-config: cflags' "-I$dir/root" "${cflags[*]}"
contains 'pkg-config: libs' -llanyard "${libs[*]}"
[[ ${cflags[*]} != *"$sources/core"* ]] || not_ok 'pkg-config: cflags' "they name the source tree: ${cflags[*]}"
check 'pkg-config: version' "$(meson introspect --projectinfo "$build" | sed -n 's/.*"version": "\([^"]*\)".*/\1/p')" "$(config --modversion)"

# For lanyard/glib/: GLib's own, which lie outside of the private root.
read -ra glib <<<"$(pkg-config --cflags gio-2.0)"
cflags+=("${glib[@]}")

# The library has the sanitizers of the build, and so must who links with it.
sanitize=()
option=$(meson introspect --buildoptions "$build" | python3 -c 'import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "b_sanitize"))')
[ "$option" = none ] || sanitize=("-fsanitize=$option")
strict=(-std=c11 -Wall -Wextra -Wno-unused-parameter -Werror)

# --- headers: each alone, as C11 without extensions of GNU
bad=
while read -r header; do
    echo "#include <lanyard/$header>" >"$dir/one.c"
    cc "${strict[@]}" "${cflags[@]}" -fsyntax-only "$dir/one.c" 2>>"$dir/log_headers" || bad="$bad $header"
done < <(cd "$includes" && find . -name '*.h' -printf '%P\n')
check 'every header compiles alone as C11' '' "$bad"
[ -z "$bad" ] || head -n 20 "$dir/log_headers"

# --- the page's code: each block alone
mkdir "$dir/page"
awk -v folder="$dir/page" '/^```c$/ { inside = ++count; next } /^```$/ { inside = 0 } inside { print > (folder "/" inside ".c") }' "$sources/core/README.md"
check 'README: its blocks' yes "$([ "$(ls "$dir/page" | wc -l)" -ge 4 ] && echo yes)"
for block in "$dir/page/"*.c; do
    succeeds "README: block $(basename "$block" .c) compiles" cc -std=gnu11 "${strict[@]:1}" "${cflags[@]}" -c "$block" -o "${block%.c}.o"
done

# --- a program outside the tree: the page's first one
succeeds 'README: block 1 links' cc "${sanitize[@]}" "$dir/page/1.o" "${libs[@]}" -o "$dir/uptime"
key ed25519 host
key ed25519 id
cp "$dir/id.pub" "$dir/authorized"
start_sshd all "AuthorizedKeysFile $dir/authorized" "HostKey $dir/host" 'SetEnv LC_ALL=C'
known_line "$port" host >"$dir/known"

cat >"$dir/outside.c" <<END
#include <lanyard/loop/program.h>
#include <stdio.h>
static LyLoop *loop;
static LyClient *client;
static LyProgram *program;
static int status = 255;
static void data(void *user, LyBytes bytes)
{
    fwrite(bytes.data, 1, bytes.len, stdout);
    ly_program_consumed(program, bytes.len);
}
static void ended(void *user, const LyProgramEnd *end, const LyError *error) { status = (int)end->status; ly_loop_quit(loop); }
static void ready(void *user)
{
    LyProgramOptions options = {.kind = LY_PROGRAM_COMMAND, .command = LY_BYTES("echo from outside; exit 3")};
    program = ly_program_new(client, &options, &(LyProgramEvents){.data = data, .closed = ended}, NULL);
}
static void closed(void *user, const LyError *error, bool final) { fprintf(stderr, "%s\n", error->message); ly_loop_quit(loop); }
int main(void)
{
    const char *settings[] = {"IdentityFile=$dir/id", "UserKnownHostsFile=$dir/known", "GlobalKnownHostsFile=none", "IdentityAgent=none", NULL};
    LyDestinationOptions options = {.crypto = ly_crypto_new(0, NULL), .host = "127.0.0.1", .port = $port, .config_file = "none", .settings = settings};
    LyDestination *destination = ly_destination_new(&options, NULL);
    loop = ly_loop_new(NULL);
    client = ly_client_new(loop, destination, &(LyClientEvents){.ready = ready, .closed = closed});
    ly_loop_run(loop);
    ly_program_free(program), ly_client_free(client), ly_destination_unref(destination), ly_loop_free(loop), ly_crypto_unref(options.crypto);
    return status;
}
END
succeeds 'a program outside the tree compiles and links' cc "${strict[@]}" "${sanitize[@]}" "${cflags[@]}" "$dir/outside.c" "${libs[@]}" \
    -o "$dir/outside"
contains 'it takes the library by its soname' 'liblanyard.so.0' "$(readelf -d "$dir/outside")"
check 'it runs a command' 'from outside 3' "$(echo $(LD_LIBRARY_PATH=$libraries "$dir/outside" 2>&1; echo $?))"

# the page's first program reads ~/.ssh/config, of the home that the password file tells: not ours here, so it says why it cannot
got=$(LD_LIBRARY_PATH=$libraries timeout 60 "$dir/uptime" nobody.invalid 2>&1; echo "status $?")
contains 'README: block 1 runs' 'cannot resolve nobody.invalid' "$got"
contains 'README: block 1 runs: status' 'status 255' "$got"
finish
