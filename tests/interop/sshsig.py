#!/usr/bin/python3
"""sshsig.py BUILD: signatures of files, allowed_signers and known_hosts: the same command lines through ssh-keygen and through
`lanyard-key ssh-keygen`. Files made by chance from a fixed seed; what ssh-keygen does worse is left out: names in upper case,
which it finds in no hashed line, principals that it prints twice, the CR at the end of a line that -F prints. Prints "ok NAME" or "not ok NAME: why"; status 77 is a skip."""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

OURS = [os.path.join(os.path.abspath(sys.argv[1]), "keys", "lanyard-key"), "ssh-keygen"]
THEIRS = ["ssh-keygen"]
if not shutil.which("ssh-keygen"):
    print("SKIP: ssh-keygen is not installed")
    sys.exit(77)
failures = 0
os.umask(0o077)
home = tempfile.mkdtemp()
os.environ.update(HOME=home, TZ="UTC", ASAN_OPTIONS="detect_leaks=1:exitcode=99", UBSAN_OPTIONS="halt_on_error=1:exitcode=99")
for variable in ("SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY"):
    os.environ.pop(variable, None)
os.chdir(home)


def result(name, good, why=""):
    global failures
    print(f"ok {name}" if good else f"not ok {name}: {' '.join(str(why).split())[:600]}", flush=True)
    failures += not good


def run(tool, *arguments, stdin=None):
    source = open(stdin, "rb") if stdin else subprocess.DEVNULL
    return subprocess.run([*tool, *arguments], stdin=source, capture_output=True, timeout=60)


def must(tool, *arguments, stdin=None):
    done = run(tool, *arguments, stdin=stdin)
    if done.returncode:
        raise RuntimeError(f"{arguments}: {done.stderr}")
    return done.stdout


def put(name, text):
    with open(name, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def get(name):
    with open(name, "rb") as file:
        return file.read()


def certify(name, principals):
    must(THEIRS, "-q", "-s", "ca", "-I", "id", "-n", principals, "-V", "20260101Z:20270101Z", f"{name}.pub")


def sign(tool, key, message, hash_name):
    if os.path.exists(message + ".sig"):
        os.remove(message + ".sig")
    must(tool, "-q", "-Y", "sign", "-f", key, "-n", "file", "-O", "hashalg=" + hash_name, message)
    return get(message + ".sig")


def verify(tool, principal, signature, message, signers, when="20260601Z", name_space="file"):
    return run(tool, "-Y", "verify", "-I", principal, "-n", name_space, "-s", signature, "-f", signers, "-Overify-time=" + when,
               stdin=message)


def signatures():
    messages = {"message": b"a message\n", "empty": b"", "big": os.urandom(300000)}
    for name, content in messages.items():
        put(name, content)
    for kind in ("ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 1024", "rsa -b 3072", "dsa"):
        name = kind.replace(" -b ", "")
        must(THEIRS, "-q", "-t", *kind.split(), "-N", "", "-f", name, "-C", "me")
        shutil.copy(name, "c" + name)
        shutil.copy(name + ".pub", f"c{name}.pub")
        certify("c" + name, "me@ex,you")
        put("signers", b"me@ex " + get(name + ".pub"))
        put("authority", b"me@* cert-authority " + get("ca.pub"))
        wrong = []
        for hash_name in ("sha256", "sha512"):
            for message in messages:
                for key, signers in ((name, "signers"), (f"c{name}-cert.pub", "authority")):
                    made = {"theirs": sign(THEIRS, key, message, hash_name), "ours": sign(OURS, key, message, hash_name)}
                    if kind[0] in "er" and not kind.startswith("ecdsa") and made["ours"] != made["theirs"]:
                        wrong.append(f"{key} {hash_name} {message}: not the same signature")
                    for maker, signature in made.items():
                        put("s", signature)
                        for tool in (OURS, THEIRS):
                            who = f"{maker} {key} {hash_name} {message} by {tool[-1] if tool is THEIRS else 'ours'}"
                            done = verify(tool, "me@ex", "s", message, signers)
                            if done.returncode:
                                wrong.append(f"{who}: {done.stderr}")
                            other = "empty" if message != "empty" else "big"
                            for bad in (verify(tool, "me@ex", "s", other, signers), verify(tool, "x", "s", message, signers),
                                        verify(tool, "me@ex", "s", message, signers, name_space="git")):
                                if bad.returncode != 255:
                                    wrong.append(f"{who}: holds though it must not ({bad.returncode})")
        result(f"sign and verify {name}", not wrong, wrong)


def random_signers(keys, chance):
    names = ["alice", "bob", "a*", "*", "!bob", "b?b", "carl", "al ice", "x"]
    options = ["cert-authority", "cert-authority", 'namespaces="file"', 'namespaces="git,f*"', 'namespaces="git"',
               'Namespaces="!file,*"', 'valid-after="20260201"', 'valid-before="20260801"', 'valid-before="20260301Z"',
               'valid-after="202607010000Z"', "frob", 'valid-after="x"', "namespaces=file"]
    lines = []
    for _ in range(chance.randint(1, 4)):
        who = ",".join(chance.choice(names) for _ in range(chance.randint(1, 3)))
        who = f'"{who}"' if " " in who else who
        what = ",".join(chance.choice(options) for _ in range(chance.randint(0, 3)))
        lines.append(chance.choice(["", "", "", "# c\n", "\n"]) + chance.choice(["", "", " "]) + who +
                     chance.choice([" ", "\t", "  "]) + (what + " " if what else "") + chance.choice(keys) +
                     chance.choice(["", "\r"]))
    return "\n".join(lines) + chance.choice(["\n", ""])


def allowed_signers(chance, rounds):
    for name in ("a", "b"):
        must(THEIRS, "-q", "-t", "ed25519", "-N", "", "-f", name, "-C", "c " + name)
    shutil.copy("a", "x")
    shutil.copy("a.pub", "x.pub")
    certify("x", "alice,bob,carl")
    put("m", "hello\n")
    put("plain", sign(THEIRS, "a", "m", "sha512"))
    put("certified", sign(THEIRS, "x-cert.pub", "m", "sha512"))
    keys = [get(name).decode().strip() for name in ("a.pub", "a.pub", "b.pub", "ca.pub", "ca.pub", "x-cert.pub")]
    wrong = []
    for _ in range(rounds):
        text = random_signers(keys, chance)
        put("signers", text)
        for signature in ("plain", "certified"):
            for when in ("20260115Z", "20260715Z"):
                for principal in ("alice", "bob", "x", "al ice"):
                    theirs, ours = (verify(tool, principal, signature, "m", "signers", when) for tool in (THEIRS, OURS))
                    if (theirs.returncode, theirs.stdout) != (ours.returncode, ours.stdout):
                        wrong.append(f"verify {signature} {when} {principal}: {text!r} {theirs} {ours}")
                arguments = ("-Y", "find-principals", "-s", signature, "-f", "signers", "-Overify-time=" + when)
                theirs, ours = run(THEIRS, *arguments), run(OURS, *arguments)
                once = list(dict.fromkeys(theirs.stdout.splitlines()))
                if "!" not in text and (theirs.returncode, once) != (ours.returncode, ours.stdout.splitlines()):
                    wrong.append(f"find {signature} {when}: {text!r} {theirs} {ours}")
        for principal in ("alice", "al ice"):
            arguments = ("-Y", "match-principals", "-I", principal, "-f", "signers")
            theirs, ours = run(THEIRS, *arguments), run(OURS, *arguments)
            # ssh-keygen gives up at the first line that it cannot read.
            if theirs.stdout != ours.stdout and not re.search(rb"options|invalid|missing", theirs.stderr):
                wrong.append(f"match {principal}: {text!r} {theirs} {ours}")
    result("allowed_signers", not wrong, wrong)


def random_hosts(keys, hashed, chance):
    names = ["one.ex", "ONE.ex", "two.ex", "[one.ex]:2222", "10.0.0.1", "*.ex", "!one.ex", "?ne.ex", "[*]:2222"]
    lines = []
    for _ in range(chance.randint(1, 7)):
        kind = chance.random()
        if kind < .1:
            lines.append(chance.choice(["# comment", "", " # x"]))
        elif kind < .3:
            lines.append(chance.choice(hashed))
        else:
            hosts = ",".join(chance.choice(names) for _ in range(chance.randint(1, 3)))
            lines.append(chance.choice(["", "", "", "@cert-authority ", "@revoked ", "  "]) + hosts + chance.choice([" ", "\t", "   "]) +
                         chance.choice(keys) + chance.choice(["", "", " more", "\r", "  "]))
    if chance.random() < .1:
        lines.insert(chance.randint(0, len(lines)), chance.choice(["broken", "one.ex ssh-rsa", "@other one.ex " + keys[0]]))
    return "\n".join(lines) + chance.choice(["\n", ""])


def known_hosts(chance, rounds):
    keys = [get(name).decode().strip() for name in ("a.pub", "b.pub")]
    hashed = []
    for name in ("one.ex", "two.ex", "[one.ex]:2222", "Three.ex"):
        put("h", f"{name} {keys[0]}\n")
        must(THEIRS, "-H", "-f", "h")
        hashed.append(get("h").decode().strip())

    def salted(text):
        return re.sub(rb"\|1\|[^ ]+", b"|1|", text)

    def change(tool, text, *arguments):
        put("known", text)
        done = run(tool, *arguments, "-f", "known")
        return (done.returncode, done.stdout.replace(b"\r", b""), salted(get("known"))), done

    wrong = []
    for _ in range(rounds):
        text = random_hosts(keys, hashed, chance)
        for host in ("one.ex", "two.ex", "[one.ex]:2222", "10.0.0.1", "three.ex", "none"):
            for flag in ("-F", "-R"):
                (theirs, more), (ours, _) = (change(tool, text, flag, host) for tool in (THEIRS, OURS))
                if theirs != ours:
                    wrong.append(f"{flag} {host}: {text!r} {theirs} {more.stderr} {ours}")
        (theirs, more), (ours, _) = (change(tool, text, "-H") for tool in (THEIRS, OURS))
        if theirs != ours:
            wrong.append(f"-H: {text!r} {theirs} {more.stderr} {ours}")
        for host in ("one.ex", "[one.ex]:2222"):
            found = []
            for tool in (THEIRS, OURS):
                change(tool, text, "-H")
                found.append(salted(run(THEIRS, "-F", host, "-f", "known").stdout))
            if found[0] != found[1]:
                wrong.append(f"-H, then -F {host}: {text!r} {found}")
    result("known_hosts", not wrong, wrong)


try:
    must(THEIRS, "-q", "-t", "ed25519", "-N", "", "-f", "ca", "-C", "ca")
    signatures()
    allowed_signers(random.Random(3), 10)
    known_hosts(random.Random(4), 12)
finally:
    shutil.rmtree(home)
sys.exit(1 if failures else 0)
