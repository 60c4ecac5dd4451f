#!/usr/bin/env python3
"""agent-matrix.py BUILD [OTHER]: the same raw requests to OpenSSH's ssh-agent and to lanyard-agent (or OTHER); replies are compared,
byte by byte where they are deterministic. What differs on purpose stands in DIFFERENCES, with the reason."""
import os
import shutil
import socket
import sys
import tempfile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import agent_wire as wire
from agent_wire import ADD, ADD_CONSTRAINED, LIST, LOCK, MESSAGE_MAX, REMOVE_ALL, SIGN, UNLOCK, Closed, Key, extension, frame, lock, remove
from agent_wire import sign, string, u32, unlock

# case: (OpenSSH 9.2's reply, ours, why). Both sides are checked, so that a difference that is gone is noticed.
DIFFERENCES = {
    "query": ("5", "29", "9.2 has no query; RFC 9987 and OpenSSH 10.3 have it"),
    "query with more behind it": ("5", "29", "the same"),
    "zero length": ("silence", "5", "OpenSSH waits for a type that cannot come"),
    "session-bind cut short: what is left": ("12", "12", "9.2 shows constrained keys after a bind that could not be read; OpenSSH hides them since"),
    "session-bind empty": ("5", "28", "an extension that is known and fails is EXTENSION_FAILURE since OpenSSH 10.3"),
    "session-bind of garbage": ("5", "28", "the same"),
    "session-bind with a wrong signature": ("5", "28", "the same"),
    "session-bind of the same session, other host": ("5", "28", "the same"),
    "session-bind after an authentication": ("5", "28", "the same"),
    "session-bind, session id too long": ("6", "28", "at most 128 bytes, as OpenSSH has it since"),
    "session-bind, 17th": ("5", "28", "the same"),
    "session-bind cut short": ("5", "28", "the same"),
    "locked: session-bind": ("5", "6", "OpenSSH of 2026-08 accepts it: refused, the connection would pass for a local one"),
    "add-ppk without a file": ("5", "28", "PuTTY's extension, known here"),
    "list-extended": ("5", "6", "PuTTY's extension, known here"),
    "reencrypt of nothing": ("5", "28", "PuTTY's extension, known here"),
    "reencrypt-all": ("5", "28", "PuTTY's extension, known here: none of the keys can be"),
}


def summary(reply):
    if isinstance(reply, str):
        return reply
    return str(reply[0]) if reply else "empty"


class Pair:
    """Two agents, and one connection to each, in step."""

    def __init__(self, report, theirs, ours):
        self.report, self.agents, self.links = report, (theirs, ours), None
        self.differences_seen = set()
        self.reconnect()

    def reconnect(self):
        for link in self.links or ():
            link.close()
        self.links = [agent.connect() for agent in self.agents]

    def links_now(self):
        return self.links

    @staticmethod
    def receive(link, timeout=20):
        link.socket.settimeout(timeout)
        try:
            return link.reply()
        except Closed:
            return "closed"
        except (socket.timeout, TimeoutError):
            return "silence"

    def exchange(self, raw, timeout=20):
        for link in self.links:
            link.send(raw)
        return [self.receive(link, timeout) for link in self.links]

    def compare(self, name, theirs, ours, key=None, data=b""):
        """None, or how they differ."""
        expected = DIFFERENCES.get(name)
        if expected:
            self.differences_seen.add(name)
            got = (summary(theirs), summary(ours))
            return None if got == expected[:2] else f"expected {expected[0]} and {expected[1]}, got {got[0]} and {got[1]}"
        if summary(theirs) != summary(ours):
            return f"OpenSSH says {summary(theirs)}, lanyard-agent {summary(ours)}"
        if theirs == ours:
            return None
        if isinstance(theirs, str) or theirs[0] != wire.SIGNED or key is None:
            return f"OpenSSH says {theirs.hex()[:200]}, lanyard-agent {ours.hex()[:200]}"
        # Signatures with a random number in them: the same algorithm, and both verify.
        made = [wire.get_string(reply, 1)[0] for reply in (theirs, ours)]
        if wire.get_string(made[0])[0] != wire.get_string(made[1])[0]:
            return "other signature algorithms"
        for who, signature in zip(("OpenSSH", "lanyard-agent"), made):
            if not key.verify(data, signature):
                return f"the signature of {who} does not verify"
        return None

    def same(self, name, body, expect=None, key=None, data=b""):
        """One request to both: the same reply, which is `expect` ("5") when that is known from the measured matrix."""
        theirs, ours = self.exchange(frame(body))
        why = self.compare(name, theirs, ours, key, data)
        if not why and expect and summary(ours) != expect:
            why = f"expected {expect}, got {summary(ours)}"
        self.report.check(name, why)
        if "closed" in (theirs, ours):
            self.reconnect()
        return ours

    def ours_alone(self, name, body, expect):
        """What ends OpenSSH's agent (fatal() in 9.2: a lock request that cannot be parsed)."""
        self.links[1].send(frame(body))
        got = summary(self.receive(self.links[1]))
        self.report.check(name, None if got == expect else f"expected {expect}, got {got}")

    def quiet(self, body):
        """A step that must succeed for the case after it."""
        theirs, ours = self.exchange(frame(body))
        if summary(theirs) != "6" or summary(ours) != "6":
            self.report.check(f"step {body[0]}", f"OpenSSH says {summary(theirs)}, lanyard-agent {summary(ours)}")

    def wipe(self):
        self.quiet(bytes([REMOVE_ALL]))

    def cut(self, name, body, shortest=0):
        """The message truncated at every length. A bare length of 0 is a case of its own."""
        first = None
        for length in range(max(1, shortest), len(body)):
            theirs, ours = self.exchange(frame(body[:length]))
            why = self.compare(name, theirs, ours)
            if why and not first:
                first = f"{length} of {len(body)} bytes: {why}"
            if "closed" in (theirs, ours):
                self.reconnect()
        theirs, ours = self.exchange(frame(bytes([LIST])))
        self.report.check(name, first)
        self.report.check(name + ": what is left", self.compare(name + ": what is left", theirs, ours))


def keys_cases(pair, keys, certificates):
    data = b"to be signed"
    pair.same("list of an empty agent", bytes([LIST]), "12")
    for key in [*keys.values(), *certificates]:
        pair.same(f"add {key.name}", key.add(), "6")
    pair.same("list of all", bytes([LIST]), "12")
    for key in [*keys.values(), *certificates]:
        pair.same(f"sign with {key.name}", sign(key.blob, data), "14", key=keys[key.name.removesuffix("-cert")], data=data)
    rsa = keys["rsa"]
    for flags in (0, 1, 2, 4, 6, 0x80, 0x82, 0xffffffff):
        pair.same(f"sign rsa, flags {flags:#x}", sign(rsa.blob, data, flags), "14")
        pair.same(f"sign ed25519, flags {flags:#x}", sign(keys["ed25519"].blob, data, flags))
    for flags in (2, 4):
        pair.same(f"sign rsa-cert, flags {flags:#x}", sign(next(c.blob for c in certificates if c.name == "rsa-cert"), data, flags))
    blob = keys["ed25519"].blob
    pair.same("sign without flags", bytes([SIGN]) + string(blob) + string(data), "5")
    pair.same("sign with bytes after flags", sign(blob, data) + b"x")
    pair.same("sign empty data", sign(blob, b""), "14")
    pair.same("sign 200,000 bytes", sign(blob, bytes(200000)), "14")
    pair.same("sign with an unknown key", sign(blob[:-1] + bytes([blob[-1] ^ 1]), data), "5")
    pair.same("sign with an empty blob", sign(b"", data), "5")
    pair.same("sign with a blob of an unknown type", sign(string("ssh-none") + b"1234", data), "5")
    pair.same("sign with bytes after the blob's key", sign(blob + b"x", data), "5")
    pair.same("add again, other comment", keys["ed25519"].add("another"), "6")
    pair.same("list after adding again", bytes([LIST]), "12")
    pair.same("add with an empty comment", keys["ed25519"].add(""), "6")
    pair.same("add with a comment of 10,000 bytes", keys["ed25519"].add("c" * 10000), "6")
    pair.same("add with bytes of no encoding as comment", bytes([ADD]) + keys["ed25519"].fields + string(b"\xff\xfe\x01\n"), "6")
    pair.same("add with NUL in the comment", bytes([ADD]) + keys["ed25519"].fields + string(b"a\0b"), "5")
    pair.same("add with bytes behind it", keys["ed25519"].add() + b"\0", "5")
    pair.same("list with such comments", bytes([LIST]), "12")
    pair.same("remove", remove(keys["p384"].blob), "6")
    pair.same("remove again", remove(keys["p384"].blob), "5")
    pair.same("remove a certificate, not its key", remove(certificates[0].blob), "6")
    pair.same("remove with bytes behind it", remove(keys["p521"].blob) + b"x")
    pair.same("remove an empty blob", remove(b""), "5")
    pair.same("list after removing", bytes([LIST]), "12")
    pair.same("remove all with bytes behind it", bytes([REMOVE_ALL]) + b"junk")
    pair.same("list after removing all", bytes([LIST]), "12")
    pair.same("list with bytes behind it", bytes([LIST]) + b"junk")


def damage_cases(pair, keys):
    pair.same("unknown key type", bytes([ADD]) + string("ssh-none") + string("x") + string("c"), "5")
    ed25519, rsa, p256 = keys["ed25519"], keys["rsa"], keys["p256"]
    public, secret = wire.get_string(ed25519.fields, len(string("ssh-ed25519")))[0], ed25519.fields[-64:]
    start = bytes([ADD]) + string("ssh-ed25519")
    for length in (0, 31, 33):
        pair.same(f"ed25519 public of {length}", start + string((public + b"x")[:length]) + string(secret) + string("c"), "5")
    for length in (0, 32, 63, 65):
        pair.same(f"ed25519 secret of {length}", start + string(public) + string((secret + b"x")[:length]) + string("c"), "5")
    start = bytes([ADD]) + string("ecdsa-sha2-nistp256")
    fields, at = [], len(string("ecdsa-sha2-nistp256"))
    for _ in range(3):
        field, at = wire.get_string(p256.fields, at)
        fields.append(field)
    pair.same("ecdsa with another curve's name", start + string("nistp384") + string(fields[1]) + string(fields[2]) + string("c"), "5")
    pair.same("ecdsa point off the curve", start + string(fields[0]) + string(fields[1][:-1] + bytes([fields[1][-1] ^ 1])) + string(fields[2]) + string("c"), "5")
    pair.same("ecdsa scalar 0", start + string(fields[0]) + string(fields[1]) + string("") + string("c"), "5")
    pair.same("ecdsa negative scalar", start + string(fields[0]) + string(fields[1]) + string(b"\xff" + fields[2]) + string("c"), "5")
    pair.same("rsa under 1024 bits", bytes([ADD]) + string("ssh-rsa") + 6 * string(b"\x03") + string("c"), "5")
    pair.same("rsa with a huge modulus", bytes([ADD]) + string("ssh-rsa") + string(b"\x01" * 20000) + rsa.fields[-900:] + string("c"), "5")
    pair.same("list after all that", bytes([LIST]), "12")


def constraint_cases(pair, keys, home):
    ed25519, rsa = keys["ed25519"], keys["rsa"]
    lifetime, confirm = b"\x01" + u32(1000), b"\x02"
    hop = string(string("") + string("") + string(""))
    cases = [
        ("none", b"", "6"), ("lifetime", lifetime, "6"), ("lifetime 2^32-1", b"\x01" + u32(0xffffffff), "6"), ("lifetime 0", b"\x01" + u32(0), "6"),
        ("lifetime twice", lifetime + lifetime, "5"), ("confirm", confirm, "6"), ("confirm twice", confirm + confirm, None),
        ("lifetime and confirm", lifetime + confirm, "6"), ("3", b"\x03" + u32(1), "5"), ("9", b"\x09", "5"), ("0", b"\0", "5"), ("254", b"\xfe", "5"),
        ("unknown extension", b"\xff" + string("none@example.com") + string(""), "5"),
        ("unknown behind lifetime", lifetime + b"\x09", "5"),
        ("extension of no name", b"\xff" + string("") + string(""), "5"),
        ("restrict-destination, empty list", b"\xff" + string("restrict-destination-v00@openssh.com") + string(""), "6"),
        ("restrict-destination, garbage", b"\xff" + string("restrict-destination-v00@openssh.com") + string("garbage"), "5"),
        ("restrict-destination, no names", b"\xff" + string("restrict-destination-v00@openssh.com") + string(string(hop + hop + string(""))), None),
        ("restrict-destination twice", 2 * (b"\xff" + string("restrict-destination-v00@openssh.com") + string("")), None),
        ("sk-provider on a key that is none", b"\xff" + string("sk-provider@openssh.com") + string("internal"), "5"),
        ("sk-provider empty", b"\xff" + string("sk-provider@openssh.com") + string(""), "5"),
        ("associated-certs on a plain key", b"\xff" + string("associated-certs-v00@openssh.com") + b"\0" + string(""), None),
        ("bytes of nothing", b"\x01\x02\x03", "5"),
    ]
    for name, constraints, expect in cases:
        pair.same(f"constraint: {name}", ed25519.add(constraints=constraints), expect)
    pair.same("constraints: what is listed", bytes([LIST]), "12")
    pair.wipe()
    # Adding again replaces the constraints, both ways.
    pair.same("constraint: add confirmed", rsa.add(constraints=confirm), "6")
    answer(home, 1)
    pair.same("confirm: no", sign(rsa.blob, b"data"), "5")
    answer(home, 0)
    pair.same("confirm: yes", sign(rsa.blob, b"data"), "14")
    answer(home, 1)
    pair.same("add again without confirm", rsa.add(), "6")
    pair.same("confirm is gone", sign(rsa.blob, b"data"), "14")
    pair.same("add again with confirm", rsa.add(constraints=confirm), "6")
    pair.same("confirm is back", sign(rsa.blob, b"data"), "5")
    pair.wipe()


def answer(home, code):
    with open(os.path.join(home, "answer"), "w", encoding="ascii") as file:
        file.write(str(code))


class Host:
    """A host key and its sessions, for session-bind."""

    def __init__(self):
        self.key = Ed25519PrivateKey.generate()
        self.blob = string("ssh-ed25519") + string(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def bind(self, session, forwarding=False, spoil=False):
        signature = bytearray(self.key.sign(session))
        if spoil:
            signature[5] ^= 1
        return extension("session-bind@openssh.com", string(self.blob) + string(session) +
                         string(string("ssh-ed25519") + string(bytes(signature))) + bytes([forwarding]))


def userauth(session, user, key, host=None, algorithm=None, service="ssh-connection"):
    method = "publickey" if host is None else "publickey-hostbound-v00@openssh.com"
    return (string(session) + b"\x32" + string(user) + string(service) + string(method) + b"\x01" +
            string(algorithm or key.type) + string(key.blob) + (b"" if host is None else string(host.blob)))


def hop(name, *hosts, user=""):
    return string(string(user) + string(name) + string("") + b"".join(string(host.blob) + b"\0" for host in hosts))


def restriction(*pairs):
    return b"\xff" + string("restrict-destination-v00@openssh.com") + string(b"".join(string(a + b + string("")) for a, b in pairs))


def session_cases(pair, keys):
    near, far, other = Host(), Host(), Host()
    key, free = keys["ed25519"], keys["p256"]
    pair.quiet(free.add())
    local_near = (hop(""), hop("near", near))
    near_far = (hop("near", near), hop("far", far, user="alice"))
    pair.same("restrict: add", key.add(constraints=restriction(local_near, near_far)), "6")
    pair.same("restrict: an unbound list shows it", bytes([LIST]), "12")
    pair.same("restrict: an unbound connection may not sign", sign(key.blob, b"data"))
    pair.same("restrict: the first hop without from-keys must have no name", key.add(constraints=restriction((hop("x"), hop("near", near)))))
    pair.same("restrict: a destination without keys", key.add(constraints=restriction((hop(""), hop("near")))))
    pair.same("restrict: a from with a user", key.add(constraints=restriction((hop("near", near, user="x"), hop("far", far)))))
    pair.same("restrict: add again", key.add(constraints=restriction(local_near, near_far)), "6")

    def fresh():
        pair.reconnect()

    for name, steps in {
        "bound to the right host": [near.bind(b"1" * 32)],
        "bound to another host": [other.bind(b"1" * 32)],
        "forwarded through the right host": [near.bind(b"1" * 32, True)],
        "forwarded through another host": [other.bind(b"1" * 32, True)],
        "two hops": [near.bind(b"1" * 32, True), far.bind(b"2" * 32)],
        "two hops, wrong second": [near.bind(b"1" * 32, True), other.bind(b"2" * 32)],
        "two hops, both forwarded": [near.bind(b"1" * 32, True), far.bind(b"2" * 32, True)],
        "three hops": [near.bind(b"1" * 32, True), far.bind(b"2" * 32, True), other.bind(b"3" * 32)],
    }.items():
        fresh()
        for number, step in enumerate(steps):
            pair.same(f"{name}: bind {number + 1}", step)
        pair.same(f"{name}: list", bytes([LIST]), "12")
        last = [near, far, other][len(steps) - 1]
        session = steps and str(len(steps)).encode() * 32
        for user in ("alice", "bob"):
            for hosted in (None, near, far, other):
                word = "no host" if hosted is None else "near" if hosted is near else "far" if hosted is far else "other"
                pair.same(f"{name}: sign for {user}, {word}", sign(key.blob, userauth(session, user, key, hosted)))
        pair.same(f"{name}: another session id", sign(key.blob, userauth(b"9" * 32, "alice", key, last)), "5")
        pair.same(f"{name}: another service", sign(key.blob, userauth(session, "alice", key, last, service="ssh-userauth")))
        pair.same(f"{name}: bytes behind", sign(key.blob, userauth(session, "alice", key, last) + b"x"))
        pair.same(f"{name}: no userauth", sign(key.blob, b"data"))
        pair.same(f"{name}: the free key signs anything", sign(free.blob, b"data"), "14", key=free, data=b"data")
        pair.same(f"{name}: remove", remove(key.blob))
        pair.same(f"{name}: add", key.add(constraints=restriction(local_near, near_far)))
    fresh()
    pair.same("session-bind", near.bind(b"s" * 32, True), "6")
    pair.same("session-bind again the same", near.bind(b"s" * 32, True), "6")
    pair.same("session-bind of the same session, other host", far.bind(b"s" * 32, True))
    pair.same("session-bind with a wrong signature", far.bind(b"t" * 32, False, True))
    pair.same("session-bind: a failed one hides constrained keys", bytes([LIST]), "12")
    pair.same("session-bind for authentication", far.bind(b"u" * 32), "6")
    pair.same("session-bind after an authentication", other.bind(b"v" * 32))
    fresh()
    pair.same("session-bind, session id of 128", near.bind(b"l" * 128), "6")
    fresh()
    pair.same("session-bind, session id too long", near.bind(b"l" * 129))
    fresh()
    for number in range(16):
        pair.quiet(near.bind(bytes([number]) * 32, True))
    pair.same("session-bind, 17th", near.bind(b"z" * 32, True))
    fresh()
    pair.same("session-bind empty", extension("session-bind@openssh.com"))
    pair.same("session-bind of garbage", extension("session-bind@openssh.com", b"garbage"))
    fresh()
    bind = near.bind(b"s" * 32)
    pair.cut("session-bind cut short", bind, 1 + len(string("session-bind@openssh.com")))
    fresh()
    pair.wipe()


def lock_cases(pair, keys):
    key = keys["ed25519"]
    pair.quiet(key.add())
    pair.same("unlock when unlocked", unlock("x"), "5")
    pair.same("lock with an empty passphrase", lock(""), "5")
    pair.same("lock with bytes behind it", lock("x") + b"y")
    pair.exchange(frame(unlock("x")))
    pair.same("lock", lock("secret"), "6")
    pair.same("lock again", lock("secret"), "5")
    pair.same("locked: list", bytes([LIST]), "12")
    pair.same("locked: sign", sign(key.blob, b"data"), "5")
    pair.same("locked: add", keys["rsa"].add(), "5")
    pair.same("locked: add constrained", keys["rsa"].add(constraints=b"\x02"), "5")
    pair.same("locked: remove", remove(key.blob), "5")
    pair.same("locked: remove all", bytes([REMOVE_ALL]), "5")
    pair.same("locked: SSH1 remove all", b"\x09", "5")
    pair.same("locked: query", extension("query"))
    pair.same("locked: unknown extension", extension("none@example.com"), "5")
    pair.same("locked: session-bind", Host().bind(b"s" * 32))
    pair.same("unlock with another passphrase", unlock("wrong"), "5")
    pair.same("unlock with an empty passphrase", unlock(""), "5")
    pair.same("unlock with a longer passphrase", unlock("secret2"), "5")
    pair.same("unlock with bytes behind it", unlock("secret") + b"y")
    pair.exchange(frame(unlock("secret")))
    pair.same("unlocked: list", bytes([LIST]), "12")
    pair.same("lock with a passphrase of 5,000 bytes", lock("p" * 5000))
    pair.exchange(frame(unlock("p" * 5000)))
    for word, number in (("lock", LOCK), ("unlock", UNLOCK)):
        pair.ours_alone(f"{word} with NUL in it", bytes([number]) + string(b"a\0b"), "5")
        for length in range(len(string("ab"))):
            pair.ours_alone(f"{word} cut to {length}", bytes([number]) + string("ab")[:length], "5")
    pair.same("list after all locks", bytes([LIST]), "12")
    pair.reconnect()
    pair.wipe()


def other_cases(pair, keys):
    pair.quiet(keys["ed25519"].add())
    for number in sorted(set(range(256)) - {11, 19, 27, 9}):
        if number in (17, 18, 13, 25, 20, 21, 26):
            pair.same(f"type {number} without contents", bytes([number]))
        elif number in (0, 1, 3, 5, 6, 7, 8, 10, 12, 14, 15, 24, 28, 29, 30, 102, 200, 255):
            pair.same(f"type {number}", bytes([number]), "5")
    pair.same("SSH1 list", b"\x01", "5")
    pair.same("SSH1 remove all wipes", b"\x09", "6")
    pair.same("list after SSH1 remove all", bytes([LIST]), "12")
    for number in (20, 21, 26):
        pair.same(f"smartcard request {number} for no provider", bytes([number]) + string("/nonexistent/provider.so") + string("1234"), "5")
        pair.same(f"smartcard request {number} outside the allow-list", bytes([number]) + string("/etc/passwd") + string("1234"), "5")
    pair.same("unknown extension", extension("none@example.com", string("data")), "5")
    pair.same("extension of no name", extension(""), "5")
    pair.same("extension without a name", b"\x1b", "5")
    pair.same("query", extension("query"))
    pair.same("query with more behind it", extension("query", b"more"))
    pair.same("add-ppk without a file", extension("add-ppk@putty.projects.tartarus.org"))
    pair.same("list-extended", extension("list-extended@putty.projects.tartarus.org"))
    pair.quiet(keys["ed25519"].add())
    pair.same("reencrypt of nothing", extension("reencrypt@putty.projects.tartarus.org", string("")))
    pair.same("reencrypt-all", extension("reencrypt-all@putty.projects.tartarus.org"))
    pair.reconnect()


def framing_cases(pair, keys):
    key = keys["ed25519"]
    # In order, whatever is asked, in one packet.
    requests = [bytes([LIST]), sign(key.blob, b"1"), b"\xc8", sign(keys["rsa"].blob, b"2", 4), bytes([LIST]), remove(b"none"), sign(key.blob, b"3")] * 20
    pair.quiet(keys["rsa"].add())
    for link in pair.links:
        link.send(b"".join(frame(body) for body in requests))
    replies = [[pair.receive(link) for _ in requests] for link in pair.links]
    pair.report.check("pipelined requests are answered in order", None if replies[0] == replies[1] else "other replies")
    # One byte at a time.
    for link in pair.links:
        link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for byte in frame(sign(key.blob, b"data")):
            link.send(bytes([byte]))
    theirs, ours = [pair.receive(link) for link in pair.links]
    pair.report.check("a request byte by byte", pair.compare("", theirs, ours))
    # Lengths.
    whole = sign(key.blob, bytes(MESSAGE_MAX - len(sign(key.blob, b""))))
    theirs, ours = pair.exchange(frame(whole))
    pair.report.check("a request of 256 KiB", pair.compare("", theirs, ours) or (None if summary(ours) == "14" else summary(ours)))
    for name, raw in (("a request of 256 KiB and 1 byte", u32(MESSAGE_MAX + 1) + bytes([LIST]) + bytes(50)),
                      ("length 2^31", u32(1 << 31) + bytes([LIST])), ("length 2^32-1", b"\xff" * 9)):
        theirs, ours = pair.exchange(raw)
        pair.report.check(name, pair.compare(name, theirs, ours) or (None if ours == "closed" else ours))
        pair.reconnect()
    theirs, ours = pair.exchange(u32(0), 0.3)
    pair.report.check("zero length", pair.compare("zero length", theirs, ours))
    pair.reconnect()
    theirs, ours = pair.exchange(frame(bytes([LIST])) + u32(MESSAGE_MAX + 1))
    pair.report.check("a good request before a bad length", pair.compare("", theirs, ours))
    pair.reconnect()
    # The peer goes in the middle of a message, at each length; and closes its half after a whole one.
    message = frame(sign(key.blob, b"data"))
    for length in range(len(message)):
        for agent in pair.agents:
            link = agent.connect()
            link.send(message[:length])
            link.close()
    theirs, ours = pair.exchange(frame(bytes([LIST])))
    pair.report.check("gone in the middle of a message", pair.compare("", theirs, ours))
    # OpenSSH's may close first; ours answers what was asked.
    pair.links[1].send(message)
    pair.links[1].socket.shutdown(socket.SHUT_WR)
    got = summary(pair.receive(pair.links[1]))
    pair.report.check("a reply after the peer closed its half", None if got == "14" else got)
    pair.reconnect()


def cut_cases(pair, keys, certificates):
    for key in [keys["ed25519"], keys["p256"], keys["rsa"], keys["dsa"], certificates[0]]:
        pair.cut(f"add {key.name} cut short", key.add())
        pair.wipe()
    constraints = b"\x01" + u32(1000) + b"\x02" + restriction((hop(""), hop("near", Host())))
    pair.cut("add constrained cut short", keys["ed25519"].add(constraints=constraints))
    pair.wipe()
    pair.quiet(keys["ed25519"].add())
    pair.cut("sign cut short", sign(keys["ed25519"].blob, b"data to sign"))
    pair.cut("remove cut short", remove(keys["ed25519"].blob))
    pair.wipe()


def main():
    build = sys.argv[1]
    other = sys.argv[2] if len(sys.argv) > 2 else wire.find_agent(build)
    report = wire.Report()
    home = tempfile.mkdtemp()
    askpass = os.path.join(home, "askpass")
    with open(askpass, "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\nexit "$(cat {home}/answer)"\n')
    os.chmod(askpass, 0o700)
    environment = {"SSH_ASKPASS": askpass, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": "none:0", "HOME": home, "XDG_CONFIG_HOME": home}
    keys = {name: Key(home, name, *flags) for name, flags in {
        "ed25519": ["-t", "ed25519"], "p256": ["-t", "ecdsa", "-b", "256"], "p384": ["-t", "ecdsa", "-b", "384"],
        "p521": ["-t", "ecdsa", "-b", "521"], "rsa": ["-t", "rsa", "-b", "2048"], "dsa": ["-t", "dsa"]}.items()}
    authority = Key(home, "authority", "-t", "ed25519")
    certificates = [key.certify(authority) for key in keys.values()]
    theirs = wire.Agent("/usr/bin/ssh-agent", home, "openssh", environment=environment)
    ours = wire.Agent(other, home, "lanyard", environment=environment)
    pair = Pair(report, theirs, ours)
    try:
        keys_cases(pair, keys, certificates)
        damage_cases(pair, keys)
        constraint_cases(pair, keys, home)
        session_cases(pair, keys)
        lock_cases(pair, keys)
        other_cases(pair, keys)
        framing_cases(pair, keys)
        pair.wipe()
        cut_cases(pair, keys, certificates)
        unseen = sorted(set(DIFFERENCES) - pair.differences_seen)
        report.check("each listed difference was looked at", unseen and ", ".join(unseen))
    finally:
        theirs.stop()
        report.check("ends at SIGTERM", ours.stop())
        shutil.rmtree(home)
    report.finish()


if __name__ == "__main__":
    main()
