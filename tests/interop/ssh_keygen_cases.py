"""The command lines of ssh-keygen-face.py, the files they find, and the differences that are intended."""
import os
import shlex
import subprocess

# Why something differs from ssh-keygen 9.2 on purpose.
WORDS = "the same refusal in other words, which say more"
NO_DSA = "DSA keys are not made"
NO_HARDWARE = "security keys and tokens are refused with a sentence"
READS_MORE = "a format that ssh-keygen 9.2 cannot read"
OWN_HALF = "a private key's own public half is shown, and a FILE.pub that does not fit is told of"
SAFE_COMMENT = "a comment's line ends cannot start a line"
FAILS = "host keys that could not be made are a failure"
CLEAR = "-Z none with a passphrase would write the key in clear"
USAGE = "the usage text has no security keys, tokens and moduli"
NOT_LOST = "what was printed before a fatal error is not lost"
OWN_COMMENT = "a line without a comment does not get that of the line before"
BLANK = "blank lines are passed over"
CRLF = "lines that end in CR LF are lines"
OPEN = "the public half of a file that others can read is no secret"
PLAIN = "the key that a certificate certifies has records"
REASON = "it is told why a signer is refused"


class Case:
    def __init__(self, text, stdin=b"", random=False, passphrase="", answers=None, environment=None, namespace="file",
                 **differs):
        self.text = text
        self.steps = [shlex.split(step) for step in text.split(" ;; ")]
        self.stdin, self.random, self.passphrase = stdin, random, passphrase
        self.answers, self.environment = answers, environment
        self.namespace = namespace
        self.differs = differs

    def stdin_bytes(self, folder):
        if isinstance(self.stdin, str):  # a file's name
            with open(os.path.join(folder, self.stdin), "rb") as file:
                return file.read()
        return self.stdin


def make_seed(folder, keygen, environment):
    os.umask(0o022)

    def tool(*arguments, stdin=b""):
        subprocess.run([keygen] + list(arguments), cwd=folder, input=stdin, check=True, env=environment,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def write(name, content, mode=0o644):
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)

    def read(name):
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()

    keys = [("ed", "ed25519", "", "ed@x", []), ("ed2", "ed25519", "", "second key", []), ("enc", "ed25519", "secret", "enc@x", []),
            ("rsa", "rsa", "", "rsa@x", ["-b", "2048"]), ("ec256", "ecdsa", "", "ec@x", []),
            ("ec384", "ecdsa", "", "ec@x", ["-b", "384"]), ("ec521", "ecdsa", "", "ec@x", ["-b", "521"]),
            ("ca", "ed25519", "", "the CA", []), ("rsaca", "rsa", "", "the RSA CA", ["-b", "2048"]),
            ("encca", "ed25519", "capass", "an encrypted CA", []), ("none", "ed25519", "", "", []),
            ("rsapem", "rsa", "", "pem", ["-b", "2048", "-m", "PEM"]), ("ecpem", "ecdsa", "", "pem", ["-m", "PEM"]),
            ("rsapemenc", "rsa", "secret", "pem", ["-b", "2048", "-m", "PEM"]),
            ("rsap8", "rsa", "", "p8", ["-b", "2048", "-m", "PKCS8"]),
            ("ecp8enc", "ecdsa", "secret", "p8", ["-m", "PKCS8"]), ("dsa", "dsa", "", "dsa@x", []),
            ("gcm", "ed25519", "secret", "gcm", ["-Z", "aes256-gcm@openssh.com", "-a", "2"]),
            ("chacha", "ed25519", "secret", "chacha", ["-Z", "chacha20-poly1305@openssh.com", "-a", "2"])]
    for name, type_name, passphrase, comment, more in keys:
        tool("-q", "-t", type_name, "-N", passphrase, "-C", comment, "-f", name, *more)
    for name, source in (("encalone", "enc"), ("pemalone", "rsapem"), ("pemencalone", "rsapemenc"), ("edalone", "ed"),
                         ("open", "ed"), ("mixed", "ed")):
        write(name, read(source), 0o600)
    os.chmod(os.path.join(folder, "open"), 0o644)
    write("mixed.pub", read("ed2.pub"))
    line = {name: read(name + ".pub").strip() for name in ("ed", "ed2", "rsa", "ec256", "ec384", "ec521", "ca", "rsaca", "none", "dsa")}
    bare = {name: b" ".join(text.split()[:2]) for name, text in line.items()}
    # Certificates.
    write("cu.pub", line["ed"] + b"\n")
    write("ch.pub", line["ec256"] + b"\n")
    tool("-q", "-s", "ca", "-I", "a user", "-n", "alice,bob", "-z", "7", "-V", "20200101:20400101", "-O", "force-command=ls -l",
         "-O", "source-address=10.0.0.0/8,::1", "-O", "no-pty", "cu.pub")
    tool("-q", "-s", "rsaca", "-I", "a host", "-h", "-n", "h.example", "ch.pub")
    write("certs", read("cu-cert.pub") + b"# between\n\n" + read("ch-cert.pub") + line["ed"] + b"\n")
    # Several keys, oddities, and what is no key.
    write("several.pub", b"# a comment\n\n" + line["ed"] + b"\n" + line["rsa"] + b"\n  " + bare["ec256"] + b"\n" + line["ec521"] + b"\n")
    write("auth", b'command="echo \\"a b\\"",no-pty ' + line["ed"] + b"\nfrom=\"10.*\" " + bare["rsa"] + b"\nnot a key\n" + line["ec384"])
    write("crlf.pub", line["ed"] + b"\r\n")
    write("nonl.pub", line["rsa"])
    write("dsaonly.pub", line["dsa"] + b"\n")
    write("crlfkey", read("ed").replace(b"\n", b"\r\n"), 0o600)
    write("nonlkey", read("ed").rstrip(b"\n"), 0o600)
    write("bad.pub", b"ssh-ed25519 AAAAfoo\n")
    write("empty", b"", 0o600)
    write("garbage", b"this is not a key\n", 0o600)
    write("damaged", read("ed")[:120] + b"\n-----END OPENSSH PRIVATE KEY-----\n", 0o600)
    write("twopem", read("rsapem") + read("ecpem"), 0o600)
    write("twonew", read("ed") + read("ed2"), 0o600)
    write("askpass", b"#!/bin/sh\necho secret\n", 0o755)
    write("evil.pub", bare["ed"] + b" a\033[31mred\007\n")
    write("utf8.pub", bare["ed"] + " Zoë\n".encode())
    for source in ("rsa", "ec256"):
        for form in ("RFC4716", "PKCS8", "PEM"):
            done = subprocess.run([keygen, "-e", "-m", form, "-f", source + ".pub"], cwd=folder, stdout=subprocess.PIPE, check=True)
            write("%s.%s" % (source, form.lower()), done.stdout)
    done = subprocess.run([keygen, "-e", "-f", "ed.pub"], cwd=folder, stdout=subprocess.PIPE, check=True)
    write("ed.rfc4716", done.stdout)
    write("folded", b'---- BEGIN SSH2 PUBLIC KEY ----\r\nSubject: me\r\nComment: "a long \\\r\ncomment"\r\n' + done.stdout.split(b"\n", 2)[2].replace(b"\n", b"\r\n"))
    write("bare", bare["rsa"].split()[1] + b"\n")
    # known_hosts.
    hosts = (b"h1.example,192.0.2.1 " + bare["ed"] + b"\n[h2.example]:2222 " + bare["rsa"] + b" a comment\n# a remark\n\n*.wild.example,!not.wild.example "
             + bare["ec256"] + b"\n@cert-authority *.ca.example " + line["ca"] + b"\n@revoked bad.example " + bare["ec384"] + b"\nh1.example " + bare["ec521"] + b"\n")
    write("kh", hosts)
    write("khplain", b"h1.example " + bare["ed"] + b"\nH2.Example,h3 " + bare["rsa"] + b"\n", 0o600)
    write("khbad", b"h1.example " + bare["ed"] + b"\nbroken line here\nalone\n")
    write("khhashed", b"h1.example " + bare["ed"] + b"\n[h2]:2222,h3 " + bare["rsa"] + b"\n", 0o600)
    tool("-H", "-f", "khhashed")
    os.unlink(os.path.join(folder, "khhashed.old"))
    write("khcrlf", b"h1.example " + bare["ed"] + b"\r\nh9 " + bare["rsa"] + b"\r\n")
    # KRLs.
    write("spec", b"# what is revoked\nserial: 1-5\nserial: 9\nserial: 0x20\nid: a user\n" + b"key: " + line["ed2"] + b"\nsha1: " + line["ec256"]
          + b"\nsha256: " + line["ec384"] + b"\n" + line["ec521"] + b"  # a remark\n")
    write("speckeys", line["rsa"] + b"\n" + bare["none"] + b"\n")
    write("spechash", b"hash: " + subprocess.run([keygen, "-lf", "ed2.pub"], cwd=folder, stdout=subprocess.PIPE,
                                                 check=True).stdout.split()[1] + b"\n")
    write("speccert", read("cu-cert.pub"))
    for number, text in enumerate((b"serial: x\n", b"serial: 9-5\n", b"what is this\n", b"hash: MD5:aa\n", b"serial: 18446744073709551616\n",
                                   b"id: a\n")):
        write("badspec%d" % number, text)
    tool("-q", "-k", "-f", "krl", "-s", "ca.pub", "-z", "3", "-C", "a comment", "spec")
    # Signatures.
    write("m", b"a message\n")
    write("m2", b"another message\n")
    tool("-q", "-Y", "sign", "-f", "ed", "-n", "file", "m")
    os.rename(os.path.join(folder, "m.sig"), os.path.join(folder, "ed.sig"))
    tool("-q", "-Y", "sign", "-f", "rsa", "-n", "file", "m")
    os.rename(os.path.join(folder, "m.sig"), os.path.join(folder, "rsa.sig"))
    write("cu", read("ed"), 0o600)
    tool("-q", "-Y", "sign", "-f", "cu-cert.pub", "-n", "file", "m")
    os.rename(os.path.join(folder, "m.sig"), os.path.join(folder, "cert.sig"))
    write("badsig", read("ed.sig").replace(b"AAAA", b"AAAB", 1))
    write("signers", b"# who may sign\ned@x,*@y.example " + bare["ed"] + b"\nrsa@x namespaces=\"git,file\" " + bare["rsa"]
          + b"\nold@x valid-before=\"20200101\" " + bare["ed"] + b"\nnew@x valid-after=\"20350101Z\" " + bare["ed"] + b"\nalice cert-authority " + bare["ca"] + b"\n")
    write("signersns", b"ed@x namespaces=\"git\" " + bare["ed"] + b"\n")
    # Host keys: one is there, one is empty.
    os.makedirs(os.path.join(folder, "prefix/etc/ssh"))
    os.makedirs(os.path.join(folder, "folder"))
    write("prefix/etc/ssh/ssh_host_ed25519_key", read("ed"), 0o600)
    write("prefix/etc/ssh/ssh_host_ecdsa_key", b"", 0o600)
    os.makedirs(os.path.join(folder, "full/etc/ssh"))
    for kind in ("rsa", "ecdsa", "ed25519", "dsa"):
        write("full/etc/ssh/ssh_host_%s_key" % kind, b"x", 0o600)
    os.symlink("ed", os.path.join(folder, "link"))
    os.symlink("ed.pub", os.path.join(folder, "link.pub"))


AGENT = {"SSH_AUTH_SOCK": ""}


def start_agent(folder, environment):
    """An agent with the CA and one key; returns what stops it."""
    socket = os.path.join(os.path.dirname(folder), "agent")
    AGENT["SSH_AUTH_SOCK"] = socket
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        if os.path.exists(socket):
            break
        subprocess.run(["sleep", "0.05"])
    subprocess.run(["ssh-add", "-q", "ca", "rsaca", "ed"], cwd=folder, env=dict(environment, SSH_AUTH_SOCK=socket), check=True,
                   stderr=subprocess.DEVNULL)

    def stop():
        agent.terminate()
        agent.wait()
    return stop


def generating():
    c = Case
    yield c("-t ed25519 -N '' -f new", random=True)
    yield c("-t ed25519 -N '' -C 'a comment' -f new", random=True)
    yield c("-t ed25519 -N '' -C '' -f new", random=True)
    yield c("-q -t ed25519 -N '' -f new", random=True)
    yield c("-t ecdsa -N '' -f new", random=True)
    yield c("-t ecdsa -b 384 -N '' -f new", random=True)
    yield c("-t ecdsa -b 521 -N '' -f new", random=True)
    yield c("-t ecdsa-sha2-nistp384 -N '' -f new", random=True)
    yield c("-t rsa -b 1024 -N '' -f new", random=True)
    yield c("-t rsa -b 2048 -N '' -f new -E md5", random=True)
    yield c("-N '' -f new -q", random=True)
    yield c("-t RSA -b 2048 -q -N '' -f new", random=True)
    yield c("-t ssh-ed25519 -N '' -q -f new", random=True)
    yield c("-t ED25519 -N '' -f new -E sha512", random=True)
    yield c("-o -t ed25519 -N '' -f new", random=True)
    yield c("-t ed25519 -N 'a passphrase' -a 2 -f new", random=True, passphrase="a passphrase")
    yield c("-t ed25519 -P 'a passphrase' -a 2 -f new", random=True, passphrase="a passphrase")
    yield c("-t ed25519 -a 2 -f new", stdin=b"pass\npass\n", random=True, passphrase="pass")
    yield c("-t ed25519 -a 2 -f new", stdin=b"pass\nother\nlast\nlast\n", random=True, passphrase="last")
    yield c("-t ed25519 -f new", stdin=b"", random=True)
    for cipher in ("aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc", "aes128-gcm@openssh.com",
                   "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"):
        yield c("-q -t ed25519 -N pass -a 1 -Z %s -f new" % cipher, random=True, passphrase="pass")
    yield c("-q -t ed25519 -N '' -Z none -f new", random=True)
    yield c("-q -t ed25519 -N pass -Z none -f new", random=True, passphrase="pass", status=CLEAR, stderr=CLEAR, files=CLEAR)
    yield c("-q -t rsa -b 2048 -m PEM -N '' -f new", random=True)
    yield c("-q -t rsa -b 2048 -m PEM -N longer -f new", random=True, passphrase="longer")
    yield c("-q -t rsa -b 2048 -m PKCS8 -N longer -f new", random=True, passphrase="longer")
    yield c("-q -t rsa -b 2048 -m pkcs8 -N '' -f new", random=True)
    yield c("-q -t ecdsa -m PEM -N longer -f new", random=True, passphrase="longer")
    yield c("-q -t ecdsa -m PKCS8 -N '' -f new", random=True)
    yield c("-q -t ed25519 -m PEM -N '' -f new", random=True)
    yield c("-q -t ed25519 -m PKCS8 -N longer -f new", random=True, passphrase="longer")
    yield c("-q -t rsa -b 2048 -m RFC4716 -N '' -f new", random=True)
    yield c("-t rsa -b 1024 -m PEM -N abc -f new")
    yield c("-t ed25519 -N '' -f ed", stdin=b"n\n")
    yield c("-t ed25519 -N '' -f ed", stdin=b"")
    yield c("-t ed25519 -N '' -f ed", stdin=b"y\n", random=True)
    yield c("-q -t ed25519 -N '' -f ed", stdin=b"Yes\n", random=True)
    yield c("-q -t ed25519 -N '' -f empty", stdin=b"y\n", random=True)
    yield c("-t ed25519 -N ''", stdin=b"new\n", random=True)
    yield c("-t ed25519 -N ''", stdin=b"")
    yield c("-N '' -b 2048", stdin=b"folder/new\n", random=True)
    yield c("-t ed25519 -N '' -f absent/new")
    yield c("-t ed25519 -N '' -f folder", stdin=b"y\n")
    yield c("-t ed25519 -N '' -f ''")
    yield c("-t foo -N '' -f new")
    yield c("-t '' -N '' -f new")
    yield c("-t rsa1 -N '' -f new")
    yield c("-t rsa -b 1000 -N '' -f new")
    yield c("-t rsa -b 1023 -N '' -f new")
    yield c("-t rsa -b 16385 -N '' -f new")
    yield c("-t rsa -b 0 -f new")
    yield c("-t rsa -b -5 -f new")
    yield c("-t rsa -b 99999999999999999999 -f new")
    yield c("-t rsa -b 1x -f new")
    yield c("-t ecdsa -b 255 -N '' -f new")
    yield c("-t ecdsa -b 512 -N '' -f new")
    yield c("-t ed25519 -b 300 -q -N '' -f new", random=True)
    yield c("-t dsa -N '' -f new", random=True, status=NO_DSA, stdout=NO_DSA, stderr=NO_DSA, files=NO_DSA)
    yield c("-t dsa -b 2048 -N '' -f new", stderr=WORDS)
    yield c("-t ed25519-sk -w nosuch -N '' -f new", stdout=NO_HARDWARE, stderr=NO_HARDWARE)
    yield c("-t ecdsa-sk -N '' -f new", stdout=NO_HARDWARE, stderr=NO_HARDWARE)
    yield c("-K", stdout=NO_HARDWARE, stderr=NO_HARDWARE)
    yield c("-D nosuch", stderr=NO_HARDWARE)
    yield c("-Z foo -f new")
    yield c("-a 0 -f new")
    yield c("-a x -f new")
    yield c("-m foo -f new")
    yield c("-A -f prefix", random=True)
    yield c("-A -f full")
    yield c("-A -f nowhere", random=True, status=FAILS, stdout=FAILS, stderr=FAILS)


def command_lines():
    c = Case
    for text in ("-x", "-f", "-?", "one two", "-p -c -f ed", "-l -R x -f kh", "-l -H -f kh", "-s ca", "-Y foo"):
        yield c(text, stderr=USAGE)
    yield c("-s ca ed.pub")
    yield c("-E foo -l -f ed")
    yield c("-z x -s ca -I i ed.pub")
    yield c("-z -5 -s ca -I i ed.pub")
    yield c("-z +x -s ca -I i ed.pub")
    yield c("-M foo")
    yield c("-M generate", stderr=NO_HARDWARE)


def changing():
    c = Case
    yield c("-p -f enc -P secret -N another -a 2", passphrase="another")
    yield c("-p -f enc -P secret -N ''")
    yield c("-p -f ed -N another -a 2", passphrase="another")
    yield c("-p -f ed -N ''")
    yield c("-p -f none -N ''")
    yield c("-p -f enc -P wrong -N another")
    yield c("-p -f enc -N another -a 2", stdin=b"secret\n", passphrase="another")
    yield c("-p -f enc -N another", stdin=b"wrong\n")
    yield c("-p -f enc -N another", stdin=b"")
    yield c("-p -f ed -a 2", stdin=b"new\nnew\n", passphrase="new")
    yield c("-p -f ed", stdin=b"new\nother\n")
    yield c("-p -f absent -N ''")
    yield c("-p -f garbage -N ''")
    yield c("-p -f open -N ''")
    yield c("-p -f rsa -m PEM -N ''")
    yield c("-p -f rsa -m PEM -N secret", passphrase="secret")
    yield c("-p -f rsa -m PEM -N abc")
    yield c("-p -f rsa -m PKCS8 -N secret", passphrase="secret")
    yield c("-p -f rsa -m PKCS8 -N ''")
    yield c("-p -f ec384 -m PEM -N ''")
    yield c("-p -f ed -m PEM -N ''")
    yield c("-p -f rsapem -N ''")
    yield c("-p -f rsapem -m PEM -N ''")
    yield c("-p -f rsapemenc -P secret -N ''")
    yield c("-p -f rsapemenc -P secret -N '' -m PEM")
    yield c("-p -f rsapemenc -P wrong -N ''")
    yield c("-p -f rsap8 -N another -a 2", passphrase="another")
    yield c("-p -f ecp8enc -P secret -N ''")
    yield c("-p -f gcm -P secret -N ''")
    yield c("-p -f chacha -P secret -N another -Z aes256-gcm@openssh.com -a 1", passphrase="another")
    yield c("-p -f dsa -N ''")
    yield c("-q -p -f ed -N ''")
    yield c("-p -f link -N another -a 2", passphrase="another")
    yield c("-p -N ''", stdin=b"ed\n")
    yield c("-c -f ed -C new")
    yield c("-c -f ed -C ''")
    yield c("-c -f ed -C ed@x")
    yield c("-c -f ed", stdin=b"typed comment\n")
    yield c("-c -f ed", stdin=b"")
    yield c("-c -f enc -P secret -C new", passphrase="secret")
    yield c("-c -f enc -N secret -C new", passphrase="secret")
    yield c("-c -f enc -P wrong -C new")
    yield c("-c -f enc -C new", stdin=b"secret\n", passphrase="secret")
    yield c("-c -f none -C new")
    yield c("-c -f rsa -m PEM -C new")
    yield c("-c -f rsapem -C new")
    yield c("-c -f absent -C new")
    yield c("-c -f edalone -C alone")
    yield c("-c -f ed -C 'a\nssh-ed25519 AAAA'", stdout=SAFE_COMMENT, content=SAFE_COMMENT, cross=SAFE_COMMENT)
    yield c("-c", stdin=b"ed\nfirst\n")


def showing():
    c = Case
    everything = ("ed", "ed.pub", "rsa", "ec256", "ec384.pub", "ec521", "enc", "encalone", "rsapem", "pemalone", "ecpem", "rsapemenc", "rsap8", "ecp8enc",
                  "gcm", "dsa", "none", "none.pub", "cu-cert.pub", "ch-cert.pub", "several.pub", "crlf.pub", "nonl.pub", "link", "edalone", "utf8.pub", "open")
    differing = {"several.pub": {"stdout": OWN_COMMENT}, "crlf.pub": {"stdout": CRLF}, "open": {"stdout": OPEN, "stderr": OPEN}}
    for name in everything:
        yield c("-l -f " + name, **differing.get(name, {}))
    yield c("-l -f nonlkey", status=READS_MORE, stdout=READS_MORE, stderr=READS_MORE)
    yield c("-l -f crlfkey", status=READS_MORE, stdout=READS_MORE, stderr=READS_MORE)
    yield c("-l -f auth")
    yield c("-l -f twopem", stdout=READS_MORE)
    yield c("-l -f twonew", stdout=READS_MORE)
    yield c("-y -f twopem")
    yield c("-y -f twonew")
    yield c("-l -f evil.pub")
    yield c("-l -f mixed", stdout=OWN_HALF, stderr=OWN_HALF)
    yield c("-l -f kh", stdout="lines with a marker are shown too")
    yield c("-l -f khhashed", random=True)
    for text in ("-v", "-E md5", "-E sha1", "-E SHA256", "-E sha384", "-E sha512", "-v -E md5", "-B", "-v -B"):
        yield c("-l %s -f ed.pub" % text)
        yield c("-l %s -f rsa.pub" % text)
    yield c("-B -f ec521")
    yield c("-lvf several.pub", stdout=OWN_COMMENT)
    yield c("-lv -f cu-cert.pub")
    yield c("-l -f -", stdin="ed.pub")
    yield c("-l -f -", stdin="several.pub", stdout=OWN_COMMENT)
    yield c("-l -f -", stdin="ed", status=READS_MORE, stdout=READS_MORE, stderr=READS_MORE)
    yield c("-l -f -", stdin=b"nothing\n")
    yield c("-l -f bad.pub")
    yield c("-l -f empty")
    yield c("-l -f garbage")
    yield c("-l -f damaged")
    yield c("-l -f absent")
    yield c("-l -f pemencalone")
    yield c("-l", stdin=b"ed.pub\n")
    yield c("-l -f rsa.rfc4716", status=READS_MORE, stdout=READS_MORE, stderr=READS_MORE)
    for name in ("ed", "rsa", "ec256.pub", "ec384", "ec521", "dsa", "enc", "cu-cert.pub"):
        certificate = {"stdout": PLAIN, "stderr": PLAIN} if "cert" in name else {}
        yield c("-r host.example -f " + name, **certificate)
        yield c("-r host.example -g -f " + name, **certificate)
    yield c("-r host.example -f absent")
    yield c("-r host.example -f garbage", stderr=WORDS)
    for name in ("cu-cert.pub", "ch-cert.pub", "certs", "ed.pub", "several.pub", "bad.pub", "empty", "absent"):
        yield c("-L -f " + name, **({"stderr": BLANK} if name in ("certs", "several.pub") else {}))
    yield c("-L -E md5 -f cu-cert.pub")
    yield c("-L -f -", stdin="cu-cert.pub")
    yield c("-L -f ed")


def converting():
    c = Case
    for name in ("ed", "rsa", "ec256", "ec384", "ec521", "dsa", "rsapem", "ecpem", "rsap8", "none", "link"):
        yield c("-y -f " + name)
    for name in ("enc", "rsapemenc", "ecp8enc", "gcm", "chacha"):
        yield c("-y -P secret -f " + name)
        yield c("-y -P wrong -f " + name)
    yield c("-y -f enc", stdin=b"secret\n")
    yield c("-y -f enc", stdin=b"wrong\n")
    yield c("-y -f enc", stdin=b"")
    asked = {"SSH_ASKPASS": "./askpass", "SSH_ASKPASS_REQUIRE": "force"}
    yield c("-y -f enc", environment=asked)
    yield c("-p -f enc -N ''", environment=asked)
    yield c("-q -t ed25519 -a 2 -f new", environment=asked, random=True, passphrase="secret")
    yield c("-y -f enc", stdin=b"secret\n", environment=dict(asked, SSH_ASKPASS_REQUIRE="never", DISPLAY=":7"))
    yield c("-y -f enc", environment=dict(SSH_ASKPASS="./askpass", DISPLAY=":7"))
    yield c("-y -f open")
    yield c("-y -f ed.pub")
    yield c("-y -f absent")
    yield c("-y -f garbage")
    yield c("-y -f damaged")
    yield c("-y -f empty")
    yield c("-y -f crlfkey", status=READS_MORE, stdout=READS_MORE, stderr=READS_MORE)
    yield c("-y -f nonlkey", status=READS_MORE, stdout=READS_MORE, stderr=READS_MORE)
    for name in ("ed", "ed.pub", "rsa", "rsa.pub", "ec256", "ec384.pub", "ec521.pub", "dsa.pub", "enc", "rsapem", "cu-cert.pub"):
        yield c("-e -f " + name)
        yield c("-e -m RFC4716 -f " + name)
    for name in ("rsa", "ec256", "ec384.pub", "ec521", "dsa.pub", "rsapem"):
        yield c("-e -m PKCS8 -f " + name)
        yield c("-e -m PEM -f " + name)
    for form in ("PKCS8", "PEM"):
        yield c("-e -m %s -f ed" % form, status=READS_MORE, stdout=READS_MORE, stderr=READS_MORE)
    yield c("-e -f pemencalone -P secret")
    yield c("-e -f pemencalone", stdin=b"secret\n")
    yield c("-e -f pemencalone -P wrong")
    yield c("-e -f absent")
    yield c("-e -f garbage")
    for name in ("rsa.rfc4716", "ec256.rfc4716", "ed.rfc4716", "folded", "bare"):
        yield c("-i -f " + name)
    yield c("-X -f rsa.rfc4716")
    yield c("-i -m PKCS8 -f rsa.pkcs8")
    yield c("-i -m PKCS8 -f ec256.pkcs8")
    yield c("-i -m PEM -f rsa.pem")
    yield c("-i -m PEM -f ec256.pem", status=READS_MORE, stdout=READS_MORE, stderr=READS_MORE)
    yield c("-i -f rsa.pkcs8", status=READS_MORE, stdout=READS_MORE, stderr=READS_MORE)
    yield c("-i -f garbage", stderr=WORDS)
    yield c("-i -f absent")
    yield c("-i -m PKCS8 -f garbage", stderr=WORDS)
    yield c("-i -m PEM -f garbage", stderr=WORDS)


def hosts():
    c = Case
    for name in ("h1.example", "192.0.2.1", "'[h2.example]:2222'", "h2.example", "a.wild.example", "not.wild.example", "x.ca.example", "bad.example", "absent",
                 "H1.EXAMPLE"):
        yield c("-F %s -f kh" % name)
        yield c("-R %s -f kh" % name)
    for text in ("-l", "-lv", "-l -E md5", "-q", "-H", "-l -B"):
        yield c("-F h1.example %s -f kh" % text, random=text == "-H")
    yield c("-l -F x.ca.example -f kh")
    yield c("-l -F '[h2.example]:2222' -f kh")
    for name in ("h1.example", "'[h2]:2222'", "h3", "absent"):
        yield c("-F %s -f khhashed" % name, random=True)
        yield c("-R %s -f khhashed" % name, random=True)
        yield c("-l -F %s -f khhashed" % name, random=True)
    yield c("-q -R h1.example -f kh")
    yield c("-H -f kh", random=True)
    yield c("-H -f khplain", random=True)
    yield c("-H -f khplain ;; -F h3 -f khplain ;; -F h2.example -f khplain ;; -R h3 -f khplain", random=True)
    yield c("-H -f khhashed", random=True)
    yield c("-F h1.example -f khbad")
    yield c("-R h1.example -f khbad")
    yield c("-H -f khbad", random=True)
    yield c("-F h9 -f khcrlf", stdout=CRLF)
    yield c("-R h9 -f khcrlf")
    yield c("-F h1.example -f absent")
    yield c("-R h1.example -f absent")
    yield c("-R h1.example -f kh ;; -F h1.example -f kh")


def certifying():
    c = Case
    yield c("-s ca -I id ed2.pub")
    yield c("-s ca -I id -n alice ed2.pub")
    yield c("-s ca -I id -n alice,bob,c@d -z 12 ed2.pub rsa.pub ec256.pub ec384 ec521.pub")
    yield c("-s ca -I id -z +5 -n a ed2.pub rsa.pub ec256.pub")
    yield c("-s ca -I id -n a -z 18446744073709551615 ed2.pub")
    yield c("-s ca -I id -n a -z 18446744073709551616 ed2.pub")
    yield c("-s ca -I id -h -n h1,h2 ed2.pub")
    yield c("-q -s ca -I id -n a ed2.pub")
    yield c("-s rsaca -I id -n a ed2.pub")
    yield c("-s rsaca -t rsa-sha2-256 -I id -n a ed2.pub")
    yield c("-s rsaca -t rsa-sha2-512 -I id -n a ed2.pub")
    yield c("-s ec521 -I id -n a ed2.pub")
    yield c("-s rsapem -I id -n a ed2.pub")
    yield c("-s ca -t rsa -I id -n a ed2.pub")
    yield c("-s encca -P capass -I id -n a ed2.pub")
    yield c("-s encca -P wrong -I id -n a ed2.pub")
    yield c("-s encca -I id -n a ed2.pub", stdin=b"capass\n")
    for option in ("clear", "no-pty", "no-x11-forwarding", "no-X11-forwarding", "no-agent-forwarding", "no-port-forwarding", "no-user-rc", "no-touch-required",
                   "touch-required", "verify-required", "force-command=ls", "'force-command=a b \"c\"'", "source-address=10.0.0.0/8",
                   "'source-address=192.0.2.0/24,2001:db8::/32,10.1.2.3'", "extension:a@b", "extension:a@b=value", "critical:a@b=value", "critical:a@b"):
        yield c("-s ca -I id -n a -O %s ed2.pub" % option)
    yield c("-s ca -I id -n a -O clear -O permit-pty -O permit-X11-forwarding ed2.pub")
    yield c("-s ca -I id -n a -O clear -O permit-agent-forwarding -O permit-port-forwarding -O permit-user-rc ed2.pub")
    yield c("-s ca -I id -n h -h -O extension:a@b=1 ed2.pub")
    for option in ("foo", "force-command=", "source-address=", "source-address=foo", "source-address=10.0.0.0/40", "verify"):
        yield c("-s ca -I id -n a -O %s ed2.pub" % option, stderr=WORDS)
    yield c("-s ca -I id -n a -O force-command=a -O force-command=b ed2.pub", stderr=WORDS)
    for validity in ("+1d", "+52w", "+1h30m", "-1d:+1d", "-5m:forever", "always:forever", "always:+1w", "20200101:20300101", "20200101123456:20300101",
                     "202001011234:203001011234", "20200101Z:20300101Z", "+1d:+2d", "20200101:+10w", "0x0:0xffffffff"):
        yield c("-s ca -I id -n a -V %s ed2.pub" % validity)
    for validity in ("foo", "20300101:20200101", "20200101", ":", "always:", ":forever", "2020:2030", "+1x", "20201301:20300101", "+2d:+1d"):
        yield c("-s ca -I id -n a -V %s ed2.pub" % validity, stderr=WORDS)
    yield c("-s ca -I id -n a,,b ed2.pub")
    yield c("-s ca -I id -n '' ed2.pub")
    yield c("-s ca -I id -n a absent.pub")
    yield c("-s ca -I id -n a garbage")
    yield c("-s ca -I id -n a cu-cert.pub")
    yield c("-s absent -I id -n a ed2.pub")
    yield c("-s ca.pub -I id -n a ed2.pub")
    yield c("-s open -I id -n a ed2.pub")
    yield c("-s ca -I '' -n a ed2.pub")
    yield c("-U -s ca.pub -I id -n a ed2.pub", environment=AGENT)
    yield c("-U -s rsaca.pub -I id -n a ed2.pub", environment=AGENT)
    yield c("-U -s ed2.pub -I id -n a ed2.pub", environment=AGENT, stderr=WORDS)
    yield c("-U -s ca.pub -I id -n a ed2.pub", stderr=WORDS)


def revoking():
    c = Case
    yield c("-k -f new speckeys")
    yield c("-q -k -f new speckeys")
    yield c("-k -f new -s ca.pub spec")
    yield c("-k -f new -s none spec")
    yield c("-k -f new -s ca.pub -z 17 -C 'a comment' spec speckeys spechash")
    yield c("-k -f new", stdin=b"")
    yield c("-k -f new -", stdin="speckeys")
    yield c("-k -f new speccert")
    yield c("-k -f new speccert ;; -Q -l -f new cu-cert.pub ed.pub")
    yield c("-k -u -f krl speckeys")
    yield c("-k -u -f krl -z 9 -s none spec")
    yield c("-k -u -f absent speckeys")
    yield c("-k -f krl speckeys")
    yield c("-k -f new spec", stdout=NOT_LOST)
    for number in range(5):
        yield c("-k -f new -s ca.pub badspec%d" % number, stdout=NOT_LOST, stderr=WORDS)
    yield c("-k -f new badspec5", stdout=NOT_LOST)
    yield c("-k -f new absent")
    yield c("-k speckeys")
    yield c("-k -f new -s absent.pub spec")
    yield c("-k -f new -s ca.pub spec ;; -Q -f new ed.pub ed2.pub ec256.pub ec384 ec521.pub rsa.pub cu-cert.pub ch-cert.pub")
    yield c("-Q -f krl ed.pub")
    yield c("-Q -f krl ed2.pub")
    yield c("-Q -f krl ed.pub ed2.pub rsa.pub cu-cert.pub none.pub")
    yield c("-Q -l -f krl")
    yield c("-Q -l -f krl rsa.pub")
    yield c("-Q -f krl absent.pub")
    yield c("-Q -f absent ed.pub")
    yield c("-Q -f spec ed.pub", stderr=WORDS)
    yield c("-Q ed.pub")
    yield c("-Q -f krl ed.pub absent.pub ed2.pub", stdout=NOT_LOST)


def signing():
    c = Case
    for name in ("ed", "rsa", "ec256", "ec384", "ec521", "rsapem", "ed.pub"):
        yield c("-Y sign -f %s -n file m" % name)
    yield c("-Y sign -f cu-cert.pub -n file m")
    yield c("-Y sign -f enc -n file -P secret m")
    yield c("-Y sign -f enc -n file -P wrong m")
    yield c("-Y sign -f enc -n file m", stdin=b"secret\n")
    yield c("-Y sign -f ed -n file m m2")
    yield c("-q -Y sign -f ed -n file m")
    yield c("-Y sign -f ed -n git m", namespace="git")
    yield c("-Y sign -f ed -n file -O hashalg=sha256 m")
    yield c("-Y sign -f rsa -n file -O hashalg=sha512 m")
    yield c("-Y sign -f ed -n file -O hashalg=md5 m", stderr=WORDS)
    yield c("-Y sign -f ed -n file -O foo m")
    yield c("-Y sign -f ed -n file", stdin="m")
    yield c("-Y sign -f ed -n file -", stdin="m")
    yield c("-q -Y sign -f rsa -n file", stdin="m2")
    yield c("-Y sign -f ed -n file - m", stdin="m")
    yield c("-Y sign -f ed -n file m ;; -Y sign -f ed -n file m", stdin=b"n\n")
    yield c("-Y sign -f ed -n file m ;; -Y sign -f ed -n file m", stdin=b"y\n")
    yield c("-Y sign -f ed -n file absent")
    yield c("-Y sign -f absent -n file m")
    yield c("-Y sign -f mixed.pub -n file m")
    yield c("-Y sign -f ed m")
    yield c("-Y sign -f ed -n '' m")
    yield c("-Y sign -n file m")
    yield c("-Y sign -f ed.pub -n file m", environment=AGENT)
    yield c("-Y sign -f ed2 -n file m", environment=AGENT)
    for signer, signature in (("ed@x", "ed.sig"), ("who@y.example", "ed.sig"), ("rsa@x", "rsa.sig"), ("alice", "cert.sig")):
        yield c("-Y verify -f signers -I %s -n file -s %s" % (signer, signature), stdin="m")
    for signer in ("rsa@x", "nobody", "old@x", "new@x", "bob"):
        yield c("-Y verify -f signers -I %s -n file -s ed.sig" % signer, stdin="m", stderr=REASON)
    yield c("-Y verify -f signers -I old@x -n file -s ed.sig -O verify-time=20190101", stdin="m")
    yield c("-Y verify -f signers -I new@x -n file -s ed.sig -O verify-time=20360101", stdin="m")
    yield c("-Y verify -f signers -I new@x -n file -s ed.sig -O verify-time=x", stdin="m")
    yield c("-Y verify -f signers -I ed@x -n file -s ed.sig -O print-pubkey", stdin="m")
    yield c("-Y verify -f signers -I ed@x -n file -s ed.sig -O foo", stdin="m")
    yield c("-q -Y verify -f signers -I ed@x -n file -s ed.sig", stdin="m")
    yield c("-Y verify -f signers -I ed@x -n file -s ed.sig", stdin="m2")
    yield c("-Y verify -f signers -I ed@x -n git -s ed.sig", stdin="m")
    yield c("-Y verify -f signersns -I ed@x -n file -s ed.sig", stdin="m", stderr=WORDS)
    yield c("-Y verify -f signers -I ed@x -n file -s badsig", stdin="m", stderr=WORDS)
    yield c("-Y verify -f signers -I ed@x -n file -s m", stdin="m", stderr=WORDS)
    yield c("-Y verify -f signers -I ed@x -n file -s absent", stdin="m")
    yield c("-Y verify -f absent -I ed@x -n file -s ed.sig", stdin="m")
    yield c("-Y verify -f signers -I ed@x -n file -s ed.sig -r krl", stdin="m")
    yield c("-Y verify -f signers -I ed@x -n file -s ed.sig -r ed.pub", stdin="m")
    yield c("-Y verify -f signers -I ed@x -n file -s ed.sig -r ed2.pub", stdin="m")
    yield c("-Y verify -f signers -I ed@x -n file -s ed.sig -r absent", stdin="m", stderr="the file that cannot be read is named")
    for text in ("", "-n file", "-n file -s ed.sig", "-n file -s ed.sig -f signers"):
        yield c("-Y verify " + text, stdin="m")
    for signature in ("ed.sig", "rsa.sig", "cert.sig"):
        yield c("-Y check-novalidate -n file -s " + signature, stdin="m")
        yield c("-Y find-principals -f signers -s " + signature, stdin="m")
    yield c("-Y check-novalidate -n git -s ed.sig", stdin="m")
    yield c("-Y check-novalidate -n file -s ed.sig", stdin="m2")
    yield c("-Y check-novalidate -s ed.sig", stdin="m")
    yield c("-Y check-novalidate -n file", stdin="m")
    yield c("-Y find-principals -f signers -s absent")
    yield c("-Y find-principals -f signers -s m", stderr=WORDS)
    yield c("-Y find-principals -f absent -s ed.sig", stderr=WORDS)
    yield c("-Y find-principals -f signers -s ed.sig -O verify-time=20190101")
    yield c("-Y find-principals -f signersns -s rsa.sig")
    yield c("-Y find-principals -f signers")
    yield c("-Y find-principals -s ed.sig")
    for name in ("ed@x", "a@y.example", "alice", "nobody"):
        yield c("-Y match-principals -f signers -I " + name)
    yield c("-Y match-principals -f absent -I ed@x")
    yield c("-Y match-principals -f signers")
    yield c("-Y match-principals -I ed@x")


def on_a_terminal():
    c = Case
    again = "Enter same passphrase again: "
    first = "Enter passphrase (empty for no passphrase): "
    yield c("-t ed25519 -a 2 -f new", random=True, passphrase="geheim", answers=[(first, "geheim"), (again, "geheim")])
    yield c("-t ed25519 -a 2 -f new", random=True, passphrase="last",
            answers=[(first, "one"), (again, "two"), (first, "last"), (again, "last")])
    yield c("-t ed25519 -f new", random=True, answers=[(first, ""), (again, "")])
    yield c("-t ed25519 -N ''", random=True, answers=[("): ", "new")])
    yield c("-t ed25519 -N '' -f ed", answers=[("Overwrite (y/n)? ", "n")])
    yield c("-t ed25519 -N '' -f ed", random=True, answers=[("Overwrite (y/n)? ", "y")])
    yield c("-y -f enc", answers=[("Enter passphrase: ", "secret")])
    yield c("-y -f enc", answers=[("Enter passphrase: ", "wrong")])
    yield c("-p -f enc -a 2", passphrase="neu", answers=[("Enter old passphrase: ", "secret"),
                                                        ("Enter new passphrase (empty for no passphrase): ", "neu"), (again, "neu")])
    yield c("-p -f ed", answers=[("Enter new passphrase (empty for no passphrase): ", "a"), (again, "b")])
    yield c("-c -f enc", passphrase="secret", answers=[("Enter passphrase: ", "secret"), ("New comment: ", "fresh")])
    yield c("-s encca -I id -n a ed2.pub", answers=[("Enter passphrase: ", "capass")])
    yield c("-Y sign -f enc -n file m", answers=[("Enter passphrase: ", "secret")])


def cases():
    for group in (generating, command_lines, changing, showing, converting, hosts, certifying, revoking, signing, on_a_terminal):
        yield from group()
