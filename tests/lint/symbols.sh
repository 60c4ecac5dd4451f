#!/usr/bin/env bash
# symbols.sh LIBRARY: every global name of the core begins with ly_, so that it clashes with no other library. What the
# sanitizers add begins with two underscores.
set -eu
library=$1
symbols=$(nm -g --defined-only "$library" 2>/dev/null | awk 'NF == 3 { print $3 }')
if [ "$(grep -c '^ly_' <<<"$symbols")" -lt 50 ]; then
    echo "not ok exported-names: $library has hardly any"
    exit 1
fi
foreign=$(grep -v -e '^ly_' -e '^__' <<<"$symbols" | sort -u || true)
if [ -n "$foreign" ]; then
    sed 's/^/# /' <<<"$foreign"
    echo "not ok exported-names: without ly_: $(tr '\n' ' ' <<<"$foreign")"
    exit 1
fi
echo "ok exported-names"
