#!/usr/bin/python3
"""key-formats.py BUILD: each key type in each format and encryption, made by ssh-keygen, puttygen, openssl, asyncssh, paramiko and npm
ssh2, read by lanyard-key with the right fingerprint; what lanyard-key writes read by each of them that knows the format; signatures
made here verified there and the other way round. Prints "ok NAME" or "not ok NAME: why"."""
import base64
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
import asyncssh  # noqa: E402
import paramiko  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TOOL = os.path.join(os.path.abspath(sys.argv[1]), "keys", "lanyard-key")
PASSPHRASE = "correct horse"
TYPES = ["rsa2048", "rsa4096", "dsa", "ecdsa256", "ecdsa384", "ecdsa521", "ed25519", "ed448"]
SSH_NAMES = {"rsa2048": "ssh-rsa", "rsa4096": "ssh-rsa", "dsa": "ssh-dss", "ecdsa256": "ecdsa-sha2-nistp256",
             "ecdsa384": "ecdsa-sha2-nistp384", "ecdsa521": "ecdsa-sha2-nistp521", "ed25519": "ssh-ed25519", "ed448": "ssh-ed448"}
CLASSIC = [t for t in TYPES if t not in ("ed25519", "ed448")]  # those that PEM and OpenSSL 1.0 knew
OPENSSH = [t for t in TYPES if t != "ed448"]
OPENSSH_CIPHERS = ["aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc",
                   "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"]
failures = 0
os.umask(0o077)
home = tempfile.mkdtemp()
os.environ.update(HOME=home, ASAN_OPTIONS="detect_leaks=1:exitcode=99", UBSAN_OPTIONS="halt_on_error=1:exitcode=99")
for name in ("SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY"):
    os.environ.pop(name, None)


def result(name, good, why=""):
    global failures
    print(f"ok {name}" if good else f"not ok {name}: {' '.join(str(why).split())[:300]}", flush=True)
    failures += not good


def path(name):
    return os.path.join(home, name)


def run(*command, stdin=None):
    done = subprocess.run(command, input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True, timeout=120)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def must(*command, stdin=None):
    code, out, err = run(*command, stdin=stdin)
    if code:
        raise RuntimeError(f"{' '.join(command)}: status {code}: {err.strip()[:300]}")
    return out


def write(name, text):
    with open(path(name), "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path(name)


def string(data):
    return struct.pack(">I", len(data)) + data


def fingerprint(blob):
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def line_blob(line):
    return base64.b64decode(line.split()[1])


class Ssh2:
    """The node process that answers for npm ssh2."""

    def __init__(self):
        self.process = subprocess.Popen(["node", os.path.join(HERE, "ssh2-keys.js"), os.path.join(TOP, "tests", "node_modules", "ssh2")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, op, **request):
        self.process.stdin.write(json.dumps(dict(request, op=op)) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer


ssh2 = Ssh2()
passfile = write("passphrase", PASSPHRASE + "\n")
blobs = {}


def make_base_keys():
    """One key a type, in the form that every maker below can start from: base-TYPE (openssh-key-v1), base-TYPE.pub."""
    kinds = {"rsa2048": ["-t", "rsa", "-b", "2048"], "rsa4096": ["-t", "rsa", "-b", "4096"], "dsa": ["-t", "dsa"],
             "ecdsa256": ["-t", "ecdsa", "-b", "256"], "ecdsa384": ["-t", "ecdsa", "-b", "384"],
             "ecdsa521": ["-t", "ecdsa", "-b", "521"], "ed25519": ["-t", "ed25519"]}
    for kind in OPENSSH:
        must("ssh-keygen", "-q", "-N", "", "-C", f"comment of {kind}", "-f", path(f"base-{kind}"), *kinds[kind])
        blobs[kind] = line_blob(open(path(f"base-{kind}.pub")).read())
    must("puttygen", "-q", "-t", "ed448", "--new-passphrase", "/dev/null", "-C", "comment of ed448", "-o", path("base-ed448.ppk"))
    must("puttygen", path("base-ed448.ppk"), "-O", "private-openssh-new", "-o", path("base-ed448"))
    line = must("puttygen", path("base-ed448.ppk"), "-O", "public-openssh")
    write("base-ed448.pub", line)
    blobs["ed448"] = line_blob(line.decode())


# --- what the peers make ---

made = []  # (case, file, kind, what show must say: format, encrypted, private)


def made_by(maker, case, kind, file, form, encrypted, private=True):
    made.append((f"read_{maker}_{case}_{kind}", file, kind, form, encrypted, private))


def by_ssh_keygen():
    for kind in OPENSSH:
        for form, flag in (("openssh", "RFC4716"), ("pem", "PEM"), ("pkcs8", "PKCS8")):
            if kind == "ed25519" and form != "openssh":
                continue  # 9.2 writes openssh-key-v1 whatever is asked
            for encrypted in (False, True):
                file = path(f"keygen-{kind}-{form}-{encrypted}")
                shutil.copy(path(f"base-{kind}"), file)
                must("ssh-keygen", "-q", "-p", "-P", "", "-N", PASSPHRASE if encrypted else "", "-m", flag, "-f", file)
                made_by("keygen", f"{form}{'_encrypted' if encrypted else ''}", kind, file, form, encrypted)
        for flag, form in (("RFC4716", "rfc4716"), ("PEM", "pem" if kind.startswith("rsa") else "spki"), ("PKCS8", "spki")):
            if kind == "ed25519" and flag != "RFC4716":
                continue
            out = must("ssh-keygen", "-e", "-m", flag, "-f", path(f"base-{kind}.pub"))
            made_by("keygen", f"public_{flag.lower()}", kind, write(f"keygen-{kind}-{flag}.pub", out), form, False, False)
        made_by("keygen", "line", kind, path(f"base-{kind}.pub"), "line", False, False)
    for cipher in OPENSSH_CIPHERS:
        file = path(f"keygen-cipher-{cipher}")
        shutil.copy(path("base-ecdsa256"), file)
        must("ssh-keygen", "-q", "-p", "-P", "", "-N", PASSPHRASE, "-Z", cipher, "-a", "2", "-f", file)
        made_by("keygen", cipher, "ecdsa256", file, "openssh", True)


def by_puttygen():
    variants = [("ppk2", "private", "version=2"), ("ppk3", "private", "version=3,kdf=argon2id,memory=64,passes=2,parallelism=1"),
                ("ppk3_argon2i", "private", "kdf=argon2i,memory=100,passes=1,parallelism=3"),
                ("ppk3_argon2d", "private", "kdf=argon2d,memory=64,passes=3,parallelism=2"),
                ("openssh", "private-openssh-new", None), ("pem", "private-openssh", None), ("sshcom", "private-sshcom", None)]
    for kind in TYPES:
        for case, form, parameters in variants:
            if form == "private-sshcom" and not kind.startswith(("rsa", "dsa")):
                continue
            expect = case.split("_")[0]
            if form == "private-openssh" and kind in ("ed25519", "ed448"):
                expect = "openssh"  # puttygen's own choice for what PEM has no form of
            for encrypted in (False, True):
                file = path(f"putty-{kind}-{case}-{encrypted}")
                must("puttygen", path(f"base-{kind}"), "-O", form, "-o", file, "--new-passphrase", passfile if encrypted else "/dev/null",
                     "-C", f"putty {kind}", *(["--reencrypt"] if encrypted else []), *(["--ppk-param", parameters] if parameters else []))
                made_by("puttygen", f"{case}{'_encrypted' if encrypted else ''}", kind, file, expect, encrypted)
        for form, expect in (("public", "rfc4716"), ("public-openssh", "line")):
            file = write(f"putty-{kind}-{form}", must("puttygen", path(f"base-{kind}"), "-O", form))
            made_by("puttygen", form, kind, file, expect, False, False)


def by_openssl():
    """From the PKCS#8 and PEM forms that others made of the base keys."""
    for kind in TYPES:
        source = path(f"openssl-{kind}")
        if kind in ("ed25519", "ed448"):
            must("openssl", "genpkey", "-algorithm", kind, "-out", source)
            der = must("openssl", "pkey", "-in", source, "-pubout", "-outform", "DER")
            raw = der[-(32 if kind == "ed25519" else 57):]
            blobs[f"openssl-{kind}"] = string(SSH_NAMES[kind].encode()) + string(raw)
            base = f"openssl-{kind}"
        else:
            shutil.copy(path(f"keygen-{kind}-pkcs8-False"), source)
            base = kind
        made_by("openssl", "pkcs8", base, write(f"openssl-{kind}-p8", must("openssl", "pkey", "-in", source)), "pkcs8", False)
        made_by("openssl", "spki", base, write(f"openssl-{kind}-pub", must("openssl", "pkey", "-in", source, "-pubout")), "spki", False, False)
        for cipher in ("aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "des-ede3-cbc"):
            for prf in ("hmacWithSHA1", "hmacWithSHA256", "hmacWithSHA384", "hmacWithSHA512"):
                if prf != "hmacWithSHA256" and cipher != "aes-256-cbc":
                    continue
                out = must("openssl", "pkcs8", "-topk8", "-in", source, "-v2", cipher, "-v2prf", prf, "-iter", "1000", "-passout",
                           f"pass:{PASSPHRASE}")
                made_by("openssl", f"pbes2_{cipher}_{prf}", base, write(f"openssl-{kind}-{cipher}-{prf}", out), "pkcs8", True)
        out = must("openssl", "pkcs8", "-topk8", "-in", source, "-v2", "aes-256-cbc", "-scrypt", "-scrypt_N", "1024", "-scrypt_r", "8",
                   "-scrypt_p", "1", "-passout", f"pass:{PASSPHRASE}")
        made_by("openssl", "scrypt", base, write(f"openssl-{kind}-scrypt", out), "pkcs8", True)
        if kind in ("ed25519", "ed448"):
            continue
        for cipher in (None, "aes128", "aes192", "aes256", "des3"):
            out = must("openssl", "pkey", "-in", source, "-traditional",
                       *(["-" + cipher, "-passout", f"pass:{PASSPHRASE}"] if cipher else []))
            made_by("openssl", f"pem_{cipher or 'plain'}", base, write(f"openssl-{kind}-pem-{cipher}", out), "pem", cipher is not None)
    for kind in ("rsa2048", "rsa4096"):
        out = must("openssl", "rsa", "-in", path(f"openssl-{kind}"), "-RSAPublicKey_out")
        made_by("openssl", "rsa_public", kind, write(f"openssl-{kind}-rsapub", out), "pem", False, False)
    out = must("openssl", "ecparam", "-name", "prime256v1", "-genkey")
    file = write("openssl-ecparam", out)
    blobs["ecparam"] = line_blob(must("ssh-keygen", "-y", "-f", file).decode())
    made_by("openssl", "ec_parameters", "ecparam", file, "pem", False)


def by_asyncssh():
    for kind in OPENSSH:
        key = asyncssh.read_private_key(path(f"base-{kind}"))
        for cipher in (None, "aes256-ctr", "aes128-cbc", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "3des-cbc"):
            options = {"passphrase": PASSPHRASE, "cipher_name": cipher, "rounds": 2} if cipher else {}
            file = write(f"asyncssh-{kind}-{cipher}", key.export_private_key("openssh", **options))
            made_by("asyncssh", f"openssh_{cipher or 'plain'}", kind, file, "openssh", cipher is not None)
        for form in ("pkcs1-pem", "pkcs8-pem"):
            if form == "pkcs1-pem" and kind == "ed25519":
                continue
            for cipher in (None, "aes128-cbc", "aes192-cbc", "aes256-cbc", "des3-cbc"):
                options = {"passphrase": PASSPHRASE, "cipher_name": cipher} if cipher else {}
                file = write(f"asyncssh-{kind}-{form}-{cipher}", key.export_private_key(form, **options))
                made_by("asyncssh", f"{form}_{cipher or 'plain'}", kind, file, "pem" if form == "pkcs1-pem" else "pkcs8", cipher is not None)
        for form, expect in (("openssh", "line"), ("rfc4716", "rfc4716"), ("pkcs8-pem", "spki")):
            made_by("asyncssh", f"public_{form}", kind, write(f"asyncssh-{kind}-{form}.pub", key.export_public_key(form)), expect, False, False)


def paramiko_key(kind, file, passphrase=None):
    families = {"r": paramiko.RSAKey, "d": paramiko.DSSKey, "c": paramiko.ECDSAKey, "2": paramiko.Ed25519Key}
    family = "2" if kind == "ed25519" else "c" if kind.startswith("ecdsa") else kind[0]
    return families[family].from_private_key_file(file, passphrase)


def by_paramiko():
    for kind in CLASSIC:
        key = paramiko_key(kind, path(f"base-{kind}"))
        for passphrase in (None, PASSPHRASE):
            file = path(f"paramiko-{kind}-{passphrase is not None}")
            key.write_private_key_file(file, passphrase)
            made_by("paramiko", "pem_encrypted" if passphrase else "pem", kind, file, "pem", passphrase is not None)


def by_ssh2():
    for kind, options in (("rsa", {"bits": 2048}), ("ecdsa", {"bits": 256}), ("ecdsa", {"bits": 384}), ("ecdsa", {"bits": 521}),
                          ("ed25519", {})):
        for cipher in (None, "aes256-ctr", "aes128-cbc", "aes256-gcm@openssh.com"):
            label = f"ssh2-{kind}{options.get('bits', '')}"
            file = path(f"{label}-{cipher}")
            asked = dict(options, comment="made by ssh2")
            if cipher:
                asked.update(cipher=cipher, passphrase=PASSPHRASE, rounds=2)
            for _ in range(50):  # ssh2 1.17 drops leading zero bytes of an ed25519 key one time in 256
                public = ssh2("generate", type=kind, options=asked, file=file)["public"]
                if kind != "ed25519" or len(line_blob(public)) == 51:
                    break
            blobs[f"{label}-{cipher}"] = line_blob(public)
            made_by("ssh2", f"openssh_{cipher or 'plain'}", f"{label}-{cipher}", file, "openssh", cipher is not None)


def check_made():
    """One run of show for all files: the fingerprint is the maker's, and the description fits."""
    out, complaints = [], ""
    for start in range(0, len(made), 60):
        files = [file for _, file, *_ in made[start:start + 60]]
        code, text, complaints = run(TOOL, "show", "--json", "--passphrase-file", passfile, *files)
        try:
            out += json.loads(text)
        except ValueError as error:
            result("show_json", False, f"{error}: status {code}: {complaints}")
            return
    shown = {entry.get("file"): entry for entry in out}
    for case, file, kind, form, encrypted, private in made:
        entry = shown.get(file, {"error": f"not in the output: {complaints}"})
        want = {"fingerprint": fingerprint(blobs[kind]), "format": form, "encrypted": encrypted, "private": private}
        got = {name: entry.get(name) for name in want}
        result(case, got == want, f"{entry.get('error', '')} wanted {want}, got {got}")


# --- what the peers read ---

def convert(kind, form, *options, encrypted=False):
    """Our own writing of a base key, from its openssh-key-v1 form."""
    file = path(f"ours-{kind}-{form}-{'-'.join(options) if options else 'plain'}-{encrypted}".replace("/", "_"))
    must(TOOL, "convert", path(f"base-{kind}"), "--to", form, "-o", file, *options,
         *(["--new-passphrase-file", passfile] if encrypted else ["--no-passphrase"]))
    return file


def with_ssh_keygen(file, kind, encrypted):
    return line_blob(must("ssh-keygen", "-y", "-P", PASSPHRASE if encrypted else "", "-f", file).decode())


def with_puttygen(file, kind, encrypted):
    return line_blob(must("puttygen", file, "-O", "public-openssh", "--old-passphrase", passfile if encrypted else "/dev/null").decode())


def with_openssl(file, kind, encrypted):
    text = must("openssl", "pkey", "-in", file, "-passin", f"pass:{PASSPHRASE}", "-pubout")
    if kind == "ed448":
        der = must("openssl", "pkey", "-in", file, "-passin", f"pass:{PASSPHRASE}", "-pubout", "-outform", "DER")
        return string(b"ssh-ed448") + string(der[-57:])
    return asyncssh.import_public_key(text).public_data


def with_asyncssh(file, kind, encrypted):
    return asyncssh.read_private_key(file, PASSPHRASE if encrypted else None).public_data


def with_paramiko(file, kind, encrypted):
    return paramiko_key(kind, file, PASSPHRASE if encrypted else None).asbytes()


def with_ssh2(file, kind, encrypted):
    return bytes.fromhex(ssh2("parse", file=file, **({"passphrase": PASSPHRASE} if encrypted else {}))["blob"])


READERS = {"keygen": with_ssh_keygen, "puttygen": with_puttygen, "openssl": with_openssl, "asyncssh": with_asyncssh,
           "paramiko": with_paramiko, "ssh2": with_ssh2}
# Format and options; which types; who reads it. What a peer is known not to read is not asked of it (keys by type: -kind).
WRITTEN = [
    ("openssh", [], False, OPENSSH, "keygen puttygen asyncssh paramiko ssh2"),
    ("openssh", [], True, OPENSSH, "keygen puttygen asyncssh paramiko ssh2"),
    ("openssh", [], True, ["ed448"], "puttygen"),
    ("openssh", ["--kdf-rounds", "3"], True, ["ed25519"], "keygen puttygen asyncssh paramiko ssh2"),
    ("pem", [], False, CLASSIC, "keygen puttygen openssl asyncssh paramiko ssh2"),
    ("pem", ["--cipher", "aes128-cbc"], True, CLASSIC, "keygen puttygen openssl asyncssh paramiko ssh2"),
    ("pem", ["--cipher", "aes256-cbc"], True, CLASSIC, "keygen openssl asyncssh paramiko ssh2"),
    ("pem", ["--cipher", "3des-cbc"], True, CLASSIC, "keygen puttygen openssl asyncssh paramiko ssh2"),
    ("pkcs8", [], False, CLASSIC, "keygen openssl asyncssh"),
    ("pkcs8", [], False, ["ed25519"], "openssl asyncssh"),
    ("pkcs8", [], False, ["ed448"], "openssl"),
    ("pkcs8", ["--kdf-rounds", "2000"], True, CLASSIC, "keygen openssl asyncssh"),
    ("pkcs8", ["--kdf-rounds", "2000"], True, ["ed25519"], "openssl asyncssh"),
    ("pkcs8", ["--cipher", "3des-cbc", "--kdf-rounds", "2000"], True, ["ecdsa256"], "keygen openssl asyncssh"),
    ("pkcs8", ["--kdf", "scrypt"], True, CLASSIC + ["ed25519", "ed448"], "openssl"),
    ("ppk2", [], False, TYPES, "puttygen"),
    ("ppk2", [], True, TYPES, "puttygen"),
    ("ppk3", [], False, TYPES, "puttygen"),
    ("ppk3", ["--kdf-rounds", "2"], True, TYPES, "puttygen"),
    ("ppk3", ["--kdf", "argon2i", "--kdf-rounds", "1"], True, ["ed25519"], "puttygen"),
    ("ppk3", ["--kdf", "argon2d", "--kdf-rounds", "1"], True, ["ed25519"], "puttygen"),
]
WRITTEN += [("openssh", ["--cipher", cipher, "--kdf-rounds", "2"], True, ["rsa2048", "ed25519"], "keygen asyncssh") for cipher in OPENSSH_CIPHERS]
PUBLIC_WRITTEN = [("line", "keygen puttygen asyncssh ssh2"), ("rfc4716", "keygen puttygen asyncssh"), ("spki", "keygen asyncssh"),
                  ("pem", "keygen asyncssh")]


def check_written():
    for form, options, encrypted, kinds, readers in WRITTEN:
        for kind in kinds:
            label = "_".join(["written", form] + [option.lstrip("-") for option in options] + (["encrypted"] if encrypted else []) + [kind])
            try:
                file = convert(kind, form, *options, encrypted=encrypted)
            except RuntimeError as error:
                result(label, False, error)
                continue
            for reader in readers.split():
                try:
                    blob = READERS[reader](file, kind, encrypted)
                    result(f"{label}_{reader}", blob == blobs[kind], f"{reader} reads another key")
                except Exception as error:  # noqa: BLE001 - whatever a peer raises is its verdict
                    result(f"{label}_{reader}", False, repr(error))
    public = {"keygen": lambda file, form: line_blob(must("ssh-keygen", "-i", "-m", form, "-f", file).decode()),
              "puttygen": lambda file, form: line_blob(must("puttygen", file, "-O", "public-openssh").decode()),
              "asyncssh": lambda file, form: asyncssh.read_public_key(file).public_data,
              "ssh2": lambda file, form: bytes.fromhex(ssh2("parse", file=file)["blob"])}
    flags = {"line": None, "rfc4716": "RFC4716", "spki": "PKCS8", "pem": "PEM"}
    for form, readers in PUBLIC_WRITTEN:
        for kind in OPENSSH:
            if kind == "ed25519" and form in ("spki", "pem") or form == "pem" and not kind.startswith("rsa"):
                continue
            file = path(f"ours-{kind}-{form}.pub")
            try:
                must(TOOL, "convert", path(f"base-{kind}.pub"), "--to", form, "-o", file)
            except RuntimeError as error:
                result(f"written_public_{form}_{kind}", False, error)
                continue
            for reader in readers.split():
                try:
                    if reader == "keygen" and form == "line":
                        blob = line_blob(open(file).read())
                        must("ssh-keygen", "-l", "-f", file)
                    else:
                        blob = public[reader](file, flags[form])
                    result(f"written_public_{form}_{kind}_{reader}", blob == blobs[kind], "another key")
                except Exception as error:  # noqa: BLE001
                    result(f"written_public_{form}_{kind}_{reader}", False, repr(error))


def check_jwk():
    """The numbers of a JWK are those of the key, read by python itself; and it reads back."""
    def number(text):
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    for kind in ["rsa2048", "ecdsa256", "ecdsa384", "ecdsa521", "ed25519", "ed448"]:
        try:
            file = convert(kind, "jwk")
            jwk = json.load(open(file))
            name = SSH_NAMES[kind].encode()
            if jwk["kty"] == "RSA":
                blob = string(name) + string(number(jwk["e"])) + string(b"\0" + number(jwk["n"]))
            elif jwk["kty"] == "EC":
                blob = string(name) + string(name[-8:]) + string(b"\4" + number(jwk["x"]) + number(jwk["y"]))
            else:
                blob = string(name) + string(number(jwk["x"]))
            result(f"jwk_numbers_{kind}", blob == blobs[kind] and "d" in jwk, jwk)
            shown = json.loads(must(TOOL, "show", "--json", file))[0]
            result(f"jwk_read_{kind}", shown["fingerprint"] == fingerprint(blobs[kind]) and shown["private"], shown)
            back = path(f"jwk-back-{kind}")
            must(TOOL, "convert", file, "--to", "openssh", "-o", back, "--no-passphrase")
            reader = with_puttygen if kind == "ed448" else with_ssh_keygen
            result(f"jwk_back_{kind}", reader(back, kind, False) == blobs[kind], "another key")
        except Exception as error:  # noqa: BLE001
            result(f"jwk_{kind}", False, repr(error))


# --- signatures across ---

def armour(blob, signature, hash_name, namespace=b"file"):
    body = b"SSHSIG" + struct.pack(">I", 1) + string(blob) + string(namespace) + string(b"") + string(hash_name) + string(signature)
    return "-----BEGIN SSH SIGNATURE-----\n" + base64.encodebytes(body).decode() + "-----END SSH SIGNATURE-----\n"


def unarmour(text):
    body = base64.b64decode("".join(line for line in text.splitlines() if not line.startswith("-----")))
    fields, at = [], 10
    while at < len(body):
        length = struct.unpack(">I", body[at:at + 4])[0]
        fields.append(body[at + 4:at + 4 + length])
        at += 4 + length
    return fields  # blob, namespace, reserved, hash, signature


def signed_data(message, hash_name):
    digest = hashlib.new(hash_name.decode(), message).digest()
    return b"SSHSIG" + string(b"file") + string(b"") + string(hash_name) + string(digest)


def check_signatures():
    message = os.urandom(70000)
    file = write("message", message)
    for kind in [k for k in OPENSSH if k != "dsa"]:
        key_file, public_file = path(f"base-{kind}"), path(f"base-{kind}.pub")
        signers = write(f"signers-{kind}", f"me@example.org {open(public_file).read()}")
        try:
            armoured = must(TOOL, "sign", "-k", key_file, "-n", "file", "-", stdin=message).decode()
            write("message.sig", armoured)
            _, _, _, hash_name, signature = unarmour(armoured)
            data = signed_data(message, hash_name)
            must("ssh-keygen", "-Y", "verify", "-f", signers, "-I", "me@example.org", "-n", "file", "-s", path("message.sig"), stdin=message)
            result(f"signature_ours_keygen_{kind}", True)
            key = asyncssh.read_public_key(public_file)
            result(f"signature_ours_asyncssh_{kind}", key.verify(data, signature), "asyncssh says no")
            # paramiko's private Ed25519 keys cannot verify.
            verifier = paramiko.Ed25519Key(data=blobs[kind]) if kind == "ed25519" else paramiko_key(kind, key_file)
            result(f"signature_ours_paramiko_{kind}", verifier.verify_ssh_sig(data, paramiko.Message(signature)), "paramiko says no")
        except Exception as error:  # noqa: BLE001
            result(f"signature_ours_{kind}", False, repr(error))
            continue
        # ssh2 verifies the raw bytes inside the signature blob, with the hash said apart; ECDSA in DER, Ed25519 as it is.
        raw = signature[4 + struct.unpack(">I", signature[:4])[0] + 4:]
        if kind.startswith(("rsa", "ed25519")):
            good = ssh2("verify", file=public_file, data=data.hex(), signature=raw.hex(), **({"hash": "sha512"} if kind[0] == "r" else {}))["good"]
            result(f"signature_ours_ssh2_{kind}", good, "ssh2 says no")
            raw = bytes.fromhex(ssh2("sign", file=key_file, data=data.hex(), **({"hash": "sha512"} if kind[0] == "r" else {}))["signature"])
            name = b"rsa-sha2-512" if kind[0] == "r" else b"ssh-ed25519"
            check_theirs("ssh2", kind, signers, message, armour(blobs[kind], string(name) + string(raw), hash_name))
        must("ssh-keygen", "-q", "-Y", "sign", "-f", key_file, "-n", "file", file)
        check_theirs("keygen", kind, signers, message, open(file + ".sig").read())
        os.unlink(file + ".sig")
        private = asyncssh.read_private_key(key_file)
        algorithm = b"rsa-sha2-512" if kind[0] == "r" else SSH_NAMES[kind].encode()
        check_theirs("asyncssh", kind, signers, message, armour(blobs[kind], private.sign(data, algorithm), hash_name))
        theirs = paramiko_key(kind, key_file)
        made_there = theirs.sign_ssh_data(data, "rsa-sha2-512") if kind[0] == "r" else theirs.sign_ssh_data(data)
        check_theirs("paramiko", kind, signers, message, armour(blobs[kind], made_there.asbytes(), hash_name))


def check_theirs(peer, kind, signers, message, armoured):
    signature = write("theirs.sig", armoured)
    code, _, err = run(TOOL, "verify", "--allowed-signers", signers, "--principal", "me@example.org", "-n", "file", "-s", signature, "-",
                       stdin=message)
    result(f"signature_{peer}_ours_{kind}", code == 0, err)
    code, _, err = run(TOOL, "verify", "--allowed-signers", signers, "--principal", "me@example.org", "-n", "file", "-s", signature, "-",
                       stdin=message + b"x")
    result(f"signature_{peer}_changed_{kind}", code == 1, f"status {code}: {err}")


make_base_keys()
for makers in (by_ssh_keygen, by_puttygen, by_openssl, by_asyncssh, by_paramiko, by_ssh2):
    makers()
if "--made" in sys.argv:
    print(f"{len(made)} files in {home}")
    sys.exit(0)
check_made()
check_written()
check_jwk()
check_signatures()
ssh2.process.stdin.close()
ssh2.process.wait()
shutil.rmtree(home)
sys.exit(failures != 0)
