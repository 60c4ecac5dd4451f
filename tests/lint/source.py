#!/usr/bin/env python3
"""source.py [--wrap]: what every source file keeps to: floors, sizes, no leftovers, documented headers, scripts that parse, unique
message numbers. Prints "ok NAME" or "not ok NAME: why" for each rule; one line a finding stands before it. --wrap has clang-format
break the lines that are too long, and touches no other."""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LINES_MAX, COLUMNS_MAX = 800, 120

# A floor includes itself and what stands here (README, ARCHITECTURE).
TOWER = ["base", "crypto", "key", "transport", "userauth", "connection", "session", "loop", "glib"]
ALLOWED = {floor: set(TOWER[: i + 1]) for i, floor in enumerate(TOWER)}
ALLOWED["sftp"] = {"base", "sftp"}
ALLOWED["agent"] = {"base", "crypto", "key", "agent"}
for above in ("session", "loop", "glib"):
    ALLOWED[above] |= {"sftp", "agent"}

LIBRARIES = re.compile(r"^(openssl/.*|zlib\.h|argon2\.h)$")
GLIB = re.compile(r"^(glib.*|gio/.*|gobject/.*)\.h$|^(gio|gobject|glib)/")


def tree():
    """Every file of the sources, as path below TOP."""
    for folder, folders, files in os.walk(TOP):
        folders[:] = sorted(d for d in folders if not d.startswith("build") and d not in (".git", "node_modules", "__pycache__"))
        for name in sorted(files):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, TOP)


def text_of(path):
    with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as file:
        return file.read()


FILES = list(tree())
C_FILES = {path: text_of(path) for path in FILES if path.endswith((".c", ".h"))}


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found.group(1) == '"', found.group(2)


def floors():
    for path, text in C_FILES.items():
        parts = path.split("/")
        if parts[0] != "core" or parts[1] not in ALLOWED:
            continue
        floor = parts[1]
        for number, quoted, name in includes(text):
            if not quoted:
                continue
            other = name.split("/")[0] if "/" in name else floor
            if other not in ALLOWED[floor]:
                yield f"{path}:{number}: {floor} includes {name}, which is not below it"
            elif other != floor and name.endswith("-private.h"):
                yield f"{path}:{number}: {name} is private to {other}"


def libraries():
    for path, text in C_FILES.items():
        if path.startswith("tests/"):
            continue
        for number, _, name in includes(text):
            if LIBRARIES.match(name) and not path.startswith("core/crypto/"):
                yield f"{path}:{number}: {name} belongs in core/crypto alone"
            if GLIB.match(name) and path.startswith("core/") and not path.startswith(("core/glib/", "core/examples/glib-")):
                yield f"{path}:{number}: {name}: no GLib in the core"


def file_lengths():
    for path, text in C_FILES.items():
        count = len(text.splitlines())
        if count > LINES_MAX:
            yield f"{path}: {count} lines, at most {LINES_MAX} (one subject a file)"


def line_lengths():
    for path, text in C_FILES.items():
        for number, line in enumerate(text.splitlines(), 1):
            if len(line.expandtabs()) > COLUMNS_MAX:
                yield f"{path}:{number}: {len(line)} columns, at most {COLUMNS_MAX}"


def leftovers():
    words = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")
    paths = re.compile(r"(?<![\w.~}-])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "Us" + "ers"]) + r")/\w")
    for path in FILES:
        if not re.search(r"\.(c|h|py|sh|build|md|txt|[0-9])$|/run$|/try$", path):
            continue
        for number, line in enumerate(text_of(path).splitlines(), 1):
            for pattern, what in ((words, "left over"), (paths, "somebody's own path")):
                found = pattern.search(line)
                if found:
                    yield f"{path}:{number}: {what}: {found.group(0)}"


def documented():
    """A function in a core header is explained by a comment in its group of lines, or in the group before (the type it works on).
    Makers and releasers speak for themselves, and a floor's private headers are for those who read its sources."""
    declaration = re.compile(r"^(?:[A-Za-z_][\w ]*[ *]+)(ly_\w+)\(")
    obvious = re.compile(r"_(new|free|ref|unref|clear)$")
    for path, text in C_FILES.items():
        if not path.startswith("core/") or not path.endswith(".h") or path.endswith("-private.h"):
            continue
        if not re.match(r"\s*/\*", text):
            yield f"{path}: does not begin with a comment that says what it is for"
        here, before, blank = False, False, True
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() and not blank:
                here, before = False, here
            blank = not line.strip()
            here = here or "/*" in line or "*/" in line
            found = declaration.match(line)
            if found and not here and not before and not obvious.search(found.group(1)):
                yield f"{path}:{number}: {found.group(1)} has no comment above its group"


def scripts():
    for path in FILES:
        with open(os.path.join(TOP, path), "rb") as file:
            first = file.readline(80)
        shell = re.match(rb"#!\s*/(?:usr/)?bin/(?:env )?(bash|sh)\b", first)
        if not shell and not path.endswith(".sh"):
            continue
        result = subprocess.run([shell.group(1).decode() if shell else "bash", "-n", os.path.join(TOP, path)], capture_output=True, text=True)
        if result.returncode or result.stderr:
            yield f"{path}: {result.stderr.strip()}"


def numbers():
    """Rows of an X-macro: X(NAME, ...). A name once; where the second word is a number, that once as well."""
    for path, text in C_FILES.items():
        if not path.endswith(".h"):
            continue
        for macro in re.finditer(r"^#define (\w+)\(X\)((?:.*\\\n)*.*)", text, re.M):
            seen = {}
            for row in re.finditer(r"\bX\(\s*(\w+)\s*(?:,\s*([^,()]+?)\s*)?[,)]", macro.group(2)):
                for kind, word in (("name", row.group(1)), ("value", row.group(2))):
                    if word and (kind, word) in seen:
                        yield f"{path}: {macro.group(1)}: {word} stands twice ({seen[kind, word]} and {row.group(0)})"
                    seen[kind, word] = row.group(0)
            if not seen:
                yield f"{path}: {macro.group(1)} has no rows"


def wrap():
    for path, text in C_FILES.items():
        long = [number for number, line in enumerate(text.splitlines(), 1) if len(line.expandtabs()) > COLUMNS_MAX]
        if long:
            subprocess.run(["clang-format", "-i", *(f"--lines={n}:{n}" for n in long), os.path.join(TOP, path)], check=True)


if "--wrap" in sys.argv:
    wrap()
    sys.exit(0)

RULES = {
    "floors": floors,
    "libraries-only-in-crypto": libraries,
    "files-of-one-subject": file_lengths,
    "line-length": line_lengths,
    "no-leftovers": leftovers,
    "headers-documented": documented,
    "scripts-parse": scripts,
    "message-numbers-unique": numbers,
}

failed = False
for name, rule in RULES.items():
    findings = list(rule())
    for finding in findings[:200]:
        print("# " + finding)
    print(f"not ok {name}: {len(findings)} findings, the first: {findings[0]}" if findings else f"ok {name}")
    failed = failed or bool(findings)
if len(C_FILES) < 20:
    print(f"not ok sources-found: only {len(C_FILES)} under {TOP}")
    failed = True
sys.exit(failed)
