#!/usr/bin/python3
"""ssh-keygen-face.py LANYARD_KEY [REFERENCE]: the same command lines through both tools, in twin folders with the same files.
Compared: exit status, stdout, stderr, which files there are and with what permissions, what is in those that must be equal; and
each tool reads what the other wrote. The cases are in ssh_keygen_cases.py, with the intended differences and their reasons. With
a third argument only the cases whose text contains it are run. REFERENCE run against itself shows that the script is
deterministic."""
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ssh_keygen_cases  # noqa: E402

LANYARD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "build/keys/lanyard-key"
REFERENCE = shutil.which(sys.argv[2] if len(sys.argv) > 2 and sys.argv[2] else "ssh-keygen")
ONLY = sys.argv[3] if len(sys.argv) > 3 else ""
ITSELF = os.path.basename(LANYARD) == "ssh-keygen" and os.path.realpath(LANYARD) == os.path.realpath(REFERENCE or "")
if not REFERENCE:
    print("no ssh-keygen")
    sys.exit(77)

WORKERS = 2
ROOT = tempfile.mkdtemp(prefix="keygen-face-")
SEED = os.path.join(ROOT, "seed")
os.mkdir(SEED)
# Both are called by a link of the same name.
TOOLS = {"reference": os.path.join(ROOT, "reference"), "lanyard": os.path.join(ROOT, "lanyard")}
for side, program in (("reference", REFERENCE), ("lanyard", LANYARD)):
    os.mkdir(TOOLS[side])
    TOOLS[side] = os.path.join(TOOLS[side], "ssh-keygen")
    os.symlink(os.path.realpath(program), TOOLS[side])

ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": ROOT, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
    if name in os.environ:
        ENVIRONMENT[name] = os.environ[name]


def run(tool, arguments, cwd, stdin=b"", environment=None):
    """Without a terminal: passphrases come from standard input then."""
    done = subprocess.run([tool] + arguments, cwd=cwd, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(ENVIRONMENT, **(environment or {})), start_new_session=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def run_on_terminal(tool, arguments, cwd, answers):
    """On a terminal of its own. Each answer is given when its prompt has come; returns the status and all that was shown."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execve(tool, [tool] + arguments, ENVIRONMENT)
    shown, waiting, seen, end = b"", list(answers), 0, time.time() + 30
    status = None
    while time.time() < end:
        if select.select([fd], [], [], 0.05)[0]:
            try:
                data = os.read(fd, 4096)
            except OSError:
                break
            if not data:
                break
            shown += data
        if waiting and waiting[0][0].encode() in shown[seen:]:
            seen = shown.index(waiting[0][0].encode(), seen) + len(waiting[0][0])
            time.sleep(0.15)  # the echo is switched off behind the prompt
            os.write(fd, waiting.pop(0)[1].encode() + b"\n")
    else:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    return status, shown.replace(b"\r\n", b"\n"), b""


def snapshot(folder):
    """Path -> (mode, content or link's target)."""
    found = {}
    for base, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(base, name)
            about = os.lstat(path)
            content = b""
            if stat.S_ISLNK(about.st_mode):
                content = os.readlink(path).encode()
            elif stat.S_ISREG(about.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            found[os.path.relpath(path, folder)] = (oct(about.st_mode), content)
    return found


RANDOM = [
    (rb"SHA(1|256|384|512):[A-Za-z0-9+/]{20,}", rb"FINGERPRINT"),
    (rb"MD5(:[0-9a-f]{2}){16}", b"FINGERPRINT"),
    (rb"(?m)^\|.{17}\|$", b"ART"),
    (rb"\|1\|[A-Za-z0-9+/=]+\|[A-Za-z0-9+/=]+", b"HASHED"),
    (rb"AAAA[A-Za-z0-9+/=]{30,}", b"BLOB"),
    (rb"_key(\.pub)?\.[A-Za-z0-9]{10}", rb"_key\1.TEMPORARY"),
]
TIMES = [(rb"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d", b"TIME"), (rb"Generated at \d{8}T\d{6}", b"Generated at TIME")]
SIGNATURE = [(rb"(?s)-----BEGIN SSH SIGNATURE-----.*?-----END SSH SIGNATURE-----", b"SIGNATURE")]
PRIVATE = [(rb"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", b"PRIVATE")]


def normal(data, case):
    rules = TIMES + (RANDOM if case.random else []) + SIGNATURE + PRIVATE
    for pattern, by in rules:
        data = re.sub(pattern, by, data)
    # What is wrong with a malformed file is told in more words here.
    data = re.sub(rb"(invalid format|error in libcrypto)(: [^\r\n]*)?", b"invalid format", data)
    return data


def kind_of(content):
    if b"PRIVATE KEY-----" in content[:64]:
        return "private"
    if content.startswith(b"SSHKRL\n"):
        return "krl"
    if content.startswith(b"-----BEGIN SSH SIGNATURE"):
        return "signature"
    if re.match(rb"(ssh|ecdsa|sk)-[a-z0-9@.-]+ AAAA", content):
        return "public"
    return "other"


def reading(case, path, kind, content, folder):
    """What both tools say of a file that one of them wrote."""
    if kind == "private":
        arguments = ["-y", "-P", case.passphrase, "-f", path]
    elif kind == "krl":
        arguments = ["-Q", "-l", "-f", path]
    elif kind == "public" and b"-cert-v01@openssh.com" in content[:60]:
        arguments = ["-L", "-f", path]
    elif kind == "public":
        arguments = ["-l", "-f", path]
    elif kind == "signature":
        arguments = ["-Y", "check-novalidate", "-n", case.namespace, "-s", path]
    data = b""
    if kind == "signature":
        signed = os.path.join(folder, path[:-4])
        with open(signed if os.path.exists(signed) else os.path.join(folder, "m"), "rb") as message:
            data = message.read()
    answers = [run(TOOLS[side], arguments, folder, data)[:2] for side in ("reference", "lanyard")]
    return answers


def compare(case):
    """The differences of a case, as sentences."""
    folders, results, files = {}, {}, {}
    for side in TOOLS:
        folders[side] = os.path.join(ROOT, side + "-files")
        shutil.copytree(SEED, folders[side], symlinks=True)
        outcomes = []
        for step in case.steps:
            if case.answers is not None:
                outcomes.append(run_on_terminal(TOOLS[side], step, folders[side], case.answers))
            else:
                outcomes.append(run(TOOLS[side], step, folders[side], case.stdin_bytes(folders[side]), case.environment))
        results[side] = outcomes
        files[side] = snapshot(folders[side])
    before = snapshot(SEED)
    found = []
    for number, step in enumerate(case.steps):
        for part, index in (("status", 0), ("stdout", 1), ("stderr", 2)):
            a, b = results["reference"][number][index], results["lanyard"][number][index]
            if index:
                a, b = normal(a, case), normal(b, case)
            if index == 2 and b"Sanitizer" in results["lanyard"][number][2]:
                found.append(("sanitizer", results["lanyard"][number][2].decode(errors="replace")))
            if a != b:
                found.append((part, "%s: %r, and here %r" % (" ".join(step), a, b)))
    if set(files["reference"]) != set(files["lanyard"]):
        found.append(("files", "only there %s, only here %s" % (sorted(set(files["reference"]) - set(files["lanyard"])),
                                                              sorted(set(files["lanyard"]) - set(files["reference"])))))
    for path in sorted(set(files["reference"]) & set(files["lanyard"])):
        (mode, content), (other_mode, other) = files["reference"][path], files["lanyard"][path]
        if mode != other_mode:
            found.append(("modes", "%s: %s, and here %s" % (path, mode, other_mode)))
        changed, other_changed = before.get(path) != (mode, content), before.get(path) != (other_mode, other)
        kind = kind_of(content)
        if kind != kind_of(other):
            found.append(("content", "%s is %s, and here %s" % (path, kind, kind_of(other))))
        elif kind == "other" or not (changed or other_changed):
            if normal(content, case) != normal(other, case):
                found.append(("content", "%s: %r, and here %r" % (path, content[:400], other[:400])))
        else:
            if kind == "private" and content.split(b"\n")[0] != other.split(b"\n")[0]:
                found.append(("content", "%s starts with another line" % path))
            answers = [reading(case, path, kind, text, folders[side])
                       for side, text in (("reference", content), ("lanyard", other))]
            for side, (theirs, ours) in zip(TOOLS, answers):
                if theirs[0] != ours[0] or normal(theirs[1], case) != normal(ours[1], case) or \
                        (kind in ("private", "signature") and theirs[0] != 0):
                    found.append(("cross", "%s of %s: %r, and here %r" % (path, side, theirs, ours)))
            if not case.random and normal(answers[0][0][1], case) != normal(answers[1][0][1], case):
                found.append(("content", "%s is read as %r, and here as %r" % (path, answers[0][0], answers[1][0])))
    for folder in folders.values():
        shutil.rmtree(folder)
    return found


def judge(case):
    """Prints what is wrong with a case. Returns how many parts differ as listed, and how many otherwise."""
    found = compare(case)
    parts = {part for part, _ in found}
    wrong = ["DIFFERS %s: %s: %s" % (case.text, part, sentence) for part, sentence in found if part not in case.differs]
    if not ITSELF:
        wrong += ["STALE %s: %s is listed as different (%s), and is not" % (case.text, part, reason)
                  for part, reason in case.differs.items() if part not in parts]
    if wrong:
        print("\n".join(wrong), flush=True)
    return len(parts & set(case.differs)), len(wrong)


def work(number, cases):
    """One of the processes that share the cases; its folders are its own."""
    global ROOT
    ROOT = os.path.join(ROOT, "work%d" % number)
    os.mkdir(ROOT)
    counts = [judge(case) for case in cases[number::WORKERS]]
    with open(os.path.join(ROOT, "counts"), "w") as file:
        file.write("%d %d" % (sum(count[0] for count in counts), sum(count[1] for count in counts)))


def main():
    ssh_keygen_cases.make_seed(SEED, REFERENCE, dict(ENVIRONMENT))
    stop = ssh_keygen_cases.start_agent(SEED, ENVIRONMENT)
    cases = [case for case in ssh_keygen_cases.cases() if ONLY in case.text]
    listed, failed = 0, 0
    try:
        workers = []
        for number in range(WORKERS):
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    work(number, cases)
                    status = 0
                except Exception:
                    traceback.print_exc()
                sys.stdout.flush()
                os._exit(status)
            workers.append(pid)
        for number, pid in enumerate(workers):
            if os.waitpid(pid, 0)[1]:
                failed += 1
                continue
            with open(os.path.join(ROOT, "work%d" % number, "counts")) as file:
                counts = [int(word) for word in file.read().split()]
            listed, failed = listed + counts[0], failed + counts[1]
    finally:
        stop()
        shutil.rmtree(ROOT)
    print("%d cases, %d parts differ as listed, %d differ otherwise" % (len(cases), listed, failed))
    return 1 if failed else 0


sys.exit(main())
