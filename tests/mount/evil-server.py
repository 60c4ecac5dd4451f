#!/usr/bin/env python3
"""An SFTP server that lies: evil-server.py, on stdin and stdout. Its root holds impossible names beside good ones, and files whose
READs fail, come short or come empty."""
import struct
import sys

FILES = {b"good": 10, b"short": 300000, b"fails": 300000, b"empty-data": 5000, b"early-end": 300000, b"huge": 1 << 63}
NAMES = [b".", b"..", b"", b"a/b", b"/etc", b"x\0y", b"n" * 300, b"good", b"good", b"\xff\xfe"]


def take(count):
    data = sys.stdin.buffer.read(count)
    if len(data) < count:
        sys.exit(0)
    return data


def string(data):
    return struct.pack(">I", len(data)) + data


def attrs(path):
    name = path.rsplit(b"/", 1)[-1]
    if name in FILES:
        return struct.pack(">IQI", 5, FILES[name], 0o100644)
    return struct.pack(">II", 4, 0o40755)


def send(kind, body):
    sys.stdout.buffer.write(struct.pack(">IB", len(body) + 1, kind) + body)
    sys.stdout.buffer.flush()


listed = False
while True:
    (length,) = struct.unpack(">I", take(4))
    packet = take(length)
    kind, ident = packet[0], packet[1:5]
    if kind == 1:
        send(2, struct.pack(">I", 3))
        continue
    first = packet[9 : 9 + struct.unpack(">I", packet[5:9])[0]]
    rest = packet[9 + len(first) :]

    def status(code):
        send(101, ident + struct.pack(">I", code) + string(b"as I like") + string(b""))

    if kind in (7, 8, 17):
        name = first.rsplit(b"/", 1)[-1]
        if kind != 8 and name not in FILES and name not in (b"", b".", b"srv"):
            status(2)
        else:
            send(105, ident + attrs(first))
    elif kind == 16:
        send(104, ident + struct.pack(">I", 1) + string(b"/srv") + string(b"") + struct.pack(">I", 0))
    elif kind == 11:
        listed = False
        send(102, ident + string(b"dir"))
    elif kind == 12 and not listed:
        listed = True
        body = b"".join(string(n) + string(b"") + attrs(n) for n in NAMES)
        send(104, ident + struct.pack(">I", len(NAMES)) + body)
    elif kind == 12:
        status(1)
    elif kind == 3:
        send(102, ident + string(first))
    elif kind == 5:
        name = first.rsplit(b"/", 1)[-1]
        offset, count = struct.unpack(">QI", rest)
        end = min(FILES[name], offset + count)
        if offset >= end or (name == b"early-end" and offset >= 200000):
            status(1)
        elif name == b"fails" and offset >= 131072:
            status(4)
        elif name == b"empty-data":
            send(103, ident + string(b""))
        else:
            if name == b"short":
                end = min(end, offset + 1000 + offset % 7)
            if name == b"early-end":
                end = min(end, 200000)
            send(103, ident + string(bytes((i // 256) % 256 for i in range(offset, end))))
    elif kind == 4:
        status(0)
    else:
        status(8)
