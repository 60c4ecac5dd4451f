"""What the agents' tests share: the protocol's bytes, keys as ssh-keygen makes them, agents as child processes."""
import base64
import os
import signal
import socket
import struct
import subprocess
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

FAILURE, SUCCESS, IDENTITIES, SIGNED, EXTENSION_FAILURE, EXTENSION_RESPONSE = 5, 6, 12, 14, 28, 29
LIST, SIGN, ADD, REMOVE, REMOVE_ALL, LOCK, UNLOCK, ADD_CONSTRAINED, EXTENSION = 11, 13, 17, 18, 19, 22, 23, 25, 27
MESSAGE_MAX = 256 * 1024


def u32(value):
    return struct.pack(">I", value)


def string(value):
    value = value.encode() if isinstance(value, str) else value
    return u32(len(value)) + value


def frame(body):
    return u32(len(body)) + body


def get_string(data, at=0):
    """(the string at `at`, where it ends)"""
    length = struct.unpack_from(">I", data, at)[0]
    return data[at + 4:at + 4 + length], at + 4 + length


def blob_of_line(path):
    with open(path, encoding="utf-8") as file:
        return base64.b64decode(file.read().split()[1])


class Key:
    """A key of ssh-keygen: its blob, and the fields of an add request (RFC 9987 section 5.2), comment aside."""

    def __init__(self, home, name, *flags):
        self.name, self.file = name, os.path.join(home, name)
        if not os.path.exists(self.file):
            subprocess.run(["ssh-keygen", "-q", "-N", "", "-C", name, "-f", self.file, *flags], check=True, stdin=subprocess.DEVNULL)
        self.blob = blob_of_line(self.file + ".pub")
        self.type = get_string(self.blob)[0].decode()
        with open(self.file, encoding="ascii") as file:
            text = base64.b64decode("".join(file.read().split("\n")[1:-2]))
        at = len(b"openssh-key-v1\0")
        for _ in range(3):
            at = get_string(text, at)[1]
        at = get_string(text, at + 4)[1]
        private = get_string(text, at)[0][8:]
        # The private section ends with the comment and padding 1, 2, 3...
        end = private.rindex(string(name))
        self.fields = private[:end]

    def add(self, comment=None, constraints=None):
        body = self.fields + string(self.name if comment is None else comment)
        return bytes([ADD]) + body if constraints is None else bytes([ADD_CONSTRAINED]) + body + constraints

    def certify(self, authority, *flags):
        """The add request's fields of a certificate of this key."""
        subprocess.run(["ssh-keygen", "-q", "-s", authority.file, "-I", "id", "-n", "someone", *flags, self.file + ".pub"], check=True)
        certificate = Certificate()
        certificate.name, certificate.file = self.name + "-cert", self.file
        certificate.blob = blob_of_line(self.file + "-cert.pub")
        certificate.type = get_string(certificate.blob)[0].decode()
        private = self.fields[len(string(self.type)):]
        skip = {"ssh-rsa": 2, "ssh-dss": 4, "ssh-ed25519": 0}.get(self.type, 2)  # what the certificate says already
        at = 0
        for _ in range(skip):
            at = get_string(private, at)[1]
        certificate.fields = string(certificate.type) + string(certificate.blob) + private[at:]
        return certificate

    def verify(self, data, signature):
        """Whether ECDSA or DSA says so; the others are deterministic and compared."""
        with open(self.file + ".pub", "rb") as file:
            public = serialization.load_ssh_public_key(file.read())
        algorithm, at = get_string(signature)
        value = get_string(signature, at)[0]
        try:
            if algorithm.startswith(b"ecdsa"):
                r, at = get_string(value)
                s = get_string(value, at)[0]
                digest = {256: hashes.SHA256, 384: hashes.SHA384, 521: hashes.SHA512}[public.key_size]()
                public.verify(utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big")), data, ec.ECDSA(digest))
            elif algorithm == b"ssh-dss":
                r, s = int.from_bytes(value[:20], "big"), int.from_bytes(value[20:], "big")
                public.verify(utils.encode_dss_signature(r, s), data, hashes.SHA1())
            elif b"rsa" in algorithm:
                digest = {b"ssh-rsa": hashes.SHA1, b"rsa-sha2-256": hashes.SHA256, b"rsa-sha2-512": hashes.SHA512}[algorithm]()
                public.verify(value, data, padding.PKCS1v15(), digest)
            else:
                public.verify(value, data)
        except Exception:  # pylint: disable=broad-except
            return False
        return True


class Certificate(Key):
    def __init__(self):  # pylint: disable=super-init-not-called
        pass


def sign(blob, data, flags=0):
    return bytes([SIGN]) + string(blob) + string(data) + u32(flags)


def remove(blob):
    return bytes([REMOVE]) + string(blob)


def lock(passphrase):
    return bytes([LOCK]) + string(passphrase)


def unlock(passphrase):
    return bytes([UNLOCK]) + string(passphrase)


def extension(name, data=b""):
    return bytes([EXTENSION]) + string(name) + data


class Closed(Exception):
    """The agent closed the connection."""


class Connection:
    def __init__(self, path, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reply, or the end, is read next

    def read(self, count):
        data = b""
        while len(data) < count:
            try:
                more = self.socket.recv(count - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                raise Closed
            data += more
        return data

    def reply(self):
        return self.read(struct.unpack(">I", self.read(4))[0])

    def ask(self, body):
        self.send(frame(body))
        return self.reply()


class Agent:
    """An agent in the foreground on a socket of its own."""

    def __init__(self, program, home, name, arguments=(), environment=None):
        self.name, self.path, self.log = name, os.path.join(home, name + ".sock"), os.path.join(home, name + ".log")
        self.command = [program, "-D", "-a", self.path, *arguments]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **(environment or {})})
        for _ in range(400):
            if os.path.exists(self.path):
                try:
                    Connection(self.path).close()
                    return
                except OSError:
                    pass
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise SystemExit(f"not ok start of {name}: {self.text()}")

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]

    def connect(self, timeout=20):
        return Connection(self.path, timeout)

    def stop(self):
        """Why it did not end as it should at SIGTERM, or None."""
        if self.process.poll() is not None:
            return f"it ended on its own with {self.process.returncode}: {self.text()}"
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "SIGTERM did not end it"
        text = self.text()
        if "Sanitizer" in text or "runtime error" in text:
            return text
        # OpenSSH's ends with 2 at SIGTERM.
        if code not in (0, 2):
            return f"status {code}: {text}"
        return "the socket is still there" if os.path.exists(self.path) else None


def find_agent(build):
    return os.path.join(build, "agent", "lanyard-agent")


class Report:
    def __init__(self):
        self.failures = 0

    def check(self, name, why):
        """`why` is None or empty when it is well."""
        if why:
            self.failures += 1
            print(f"not ok {name}: {why}", flush=True)
        else:
            print(f"ok {name}", flush=True)

    def finish(self):
        raise SystemExit(1 if self.failures else 0)
