#!/usr/bin/env python3
"""connect.py HOST PORT: a ProxyCommand; copies stdin to a TCP connection and back."""
import os
import selectors
import socket
import sys

peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
ways = selectors.DefaultSelector()
ways.register(0, selectors.EVENT_READ)
ways.register(peer, selectors.EVENT_READ)
while True:
    for key, _ in ways.select():
        data = os.read(0, 65536) if key.fileobj == 0 else peer.recv(65536)
        if not data:
            sys.exit(0)
        if key.fileobj == 0:
            peer.sendall(data)
        else:
            while data:
                data = data[os.write(1, data) :]
