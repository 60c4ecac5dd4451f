#!/usr/bin/env python3
"""defects.py: each of the 23 defects that were found in the reference implementation (npm ssh2) is a test by name, "defect-NN-..." in
tests/unit or tests/interop. Prints "ok defect-NN: where" or "not ok defect-NN: what it is"."""
import os
import re
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEFECTS = """a host key is accepted by an answer that is no answer
stderr under back-pressure doubles stdout, loses stderr, hangs
a written file's permissions are widened without being asked
a file that shrinks or has no size hangs a copy, or comes out empty
the names in server-sig-algs run together
the modes of a terminal are not read, or end the connection
expand-path and users-groups are malformed
an agent's partial success is lost
keys that begin with a zero byte are cut
a client cannot exchange keys by itself
group exchange is offered and fails
CLOSE of an SFTP channel is never answered
replies to several variables are mixed up
requests after exec are never answered
unknown methods and messages end the connection; PK_OK names another algorithm
x11 with a number is ignored
the vendor check takes any name
Nagle's algorithm is left on
a certificate is read as another key
a passphrase for a key that has none fails
no DISCONNECT on damage, no window enforced, no limits of keys, attempts and time
sizes as floating point, names as UTF-8
too many sessions are an open failure without a reason""".splitlines()

named = {}
for folder in "unit", "interop":
    for name in sorted(os.listdir(os.path.join(TESTS, folder))):
        path = os.path.join(TESTS, folder, name)
        if os.path.isfile(path) and name.endswith((".c", ".js", ".py", ".sh")):
            with open(path, encoding="utf-8") as file:
                for number in re.findall(r"""["'`/ ]defect-0?([0-9]+)[-/]""", file.read()):
                    named.setdefault(int(number), set()).add(f"{folder}/{name}")

failures = 0
for number, what in enumerate(DEFECTS, 1):
    where = sorted(named.pop(number, ()))
    failures += not where
    print(f"ok defect-{number:02}: {', '.join(where)}" if where else f"not ok defect-{number:02}: no test is called so: {what}")
for number in named:
    failures += 1
    print(f"not ok defect-{number:02}: there are {len(DEFECTS)} of them")
sys.exit(1 if failures else 0)
