#!/usr/bin/python3
"""Both ends of a forwarded connection.

    forward_peer.py echo WHERE            answers each connection with what it says, until its end of file; prints
                                          the port that it listens on
    forward_peer.py send WHERE BYTES      sends so many bytes, then end of file; prints "same" when all came back
    forward_peer.py many WHERE COUNT      so many connections at once, each with an exchange of its own
    forward_peer.py opens WHERE           whether somebody listens there, and says something or waits

WHERE is tcp:HOST:PORT, unix:PATH or socks:PROXYPORT:HOST:PORT (SOCKS 5, the name is resolved there).
"""
import hashlib
import os
import socket
import sys
import threading


def connect(where):
    kind, _, rest = where.partition(":")
    if kind == "unix":
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(rest)
    elif kind == "tcp":
        host, _, port = rest.rpartition(":")
        peer = socket.create_connection((host, int(port)), 20)
    else:
        proxy, host, port = rest.split(":")
        peer = socket.create_connection(("127.0.0.1", int(proxy)), 20)
        peer.sendall(b"\5\1\0")
        assert peer.recv(2) == b"\5\0"
        peer.sendall(b"\5\1\0\3" + bytes([len(host)]) + host.encode() + int(port).to_bytes(2, "big"))
        answer = peer.recv(10)
        if answer[1] != 0:
            raise OSError("SOCKS says %d" % answer[1])
    peer.settimeout(60)
    return peer


def echo(where):
    kind, _, rest = where.partition(":")
    if kind == "unix":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(rest)
    else:
        host, _, port = rest.rpartition(":")
        listener = socket.create_server((host, int(port)))
        print(listener.getsockname()[1], flush=True)
    listener.listen(512)

    def serve(peer):
        with peer:
            while True:
                data = peer.recv(65536)
                if not data:
                    break
                peer.sendall(data)

    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def send(where, count):
    data = os.urandom(int(count))
    peer = connect(where)

    def write():
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)

    writer = threading.Thread(target=write)
    writer.start()
    digest = hashlib.md5()
    while True:
        piece = peer.recv(65536)
        if not piece:
            break
        digest.update(piece)
    writer.join()
    print("same" if digest.digest() == hashlib.md5(data).digest() else "different")


def many(where, count):
    peers = [connect(where) for _ in range(int(count))]
    for number, peer in enumerate(peers):
        peer.sendall(b"%06d" % number)
    good = 0
    for number, peer in enumerate(peers):
        got = b""
        while len(got) < 6:
            piece = peer.recv(6 - len(got))
            if not piece:
                break
            got += piece
        good += got == b"%06d" % number
    print(good)


def opens(where):
    """A forward accepts first and finds out later: closed at once is not open."""
    try:
        peer = connect(where)
        peer.settimeout(5)
        peer.sendall(b"x")
        print("yes" if peer.recv(1) == b"x" else "no")
    except (OSError, AssertionError, IndexError):
        print("no")


{"echo": echo, "send": send, "many": many, "opens": opens}[sys.argv[1]](*sys.argv[2:])
