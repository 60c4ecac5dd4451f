#!/usr/bin/env bash
# ssh2-server.sh BUILDDIR: our client against npm ssh2 as the server.
set -u
. "$(dirname "$0")/server-lib.sh"
need node ssh-keygen
[ -d "$here/../node_modules/ssh2" ] || { echo "SKIP: npm ssh2 is not in tests/node_modules (tests/install-packages test)"; exit 77; }

make_keys
key rsa id_rsa -b 2048
run_node() { timeout 300 node "$@" "$here/ssh2-server.js" "$build" "$dir" || failures=$((failures + 1)); }
run_node
run_node --openssl-legacy-provider
finish
