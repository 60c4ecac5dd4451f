#!/usr/bin/env python3
"""wine.py BUILD_DIR: cross-builds lanyard-agent-bridge.exe and runs it under Wine between clients (our own, hostile ones, npm ssh2's)
and OpenSSH's ssh-agent, which it reaches by a Cygwin socket file that this script serves. No display is needed. Prints "ok NAME" or
"not ok NAME: why" for each case; WINE_ONLY=word runs those whose name has the word."""
import base64
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

from common import (agentcli, AGENTCLI, ask_unix, begin, BUILD, case, compile_pagent, cygwin_client, end, ENV,
                    exchange, expect, FAILED, FAILURE, file_of_the_user, FOLDER, frame, LIST, MINGW,
                    node, over_cygwin, pageant_pipe, Peer, pipe_of_the_user, Program, receive, receive_frame,
                    receive_reply, refused_start, run, serve_in_threads, shipped, string, TEST_PIPE, wait_until, WINDOW_CASES,
                    windows_path)

BRIDGE = os.path.join(MINGW, "agent", "windows", "lanyard-agent-bridge.exe")
BRIDGE_FOR_WINE = os.path.join(MINGW, "tests", "wine", "bridge-for-wine.exe")


# --- The agent: OpenSSH's, behind a Cygwin socket file that is written and served here, with a few replies of our own ---

class Agent(Peer):
    """0xf0 SIZE: a reply of so many bytes. 0xf1: one that comes late. 0xf2: the connection is closed. 0xf3: a length without end."""

    def __init__(self):
        super().__init__()
        self.file = os.path.join(FOLDER, "agent.cygwin")
        self.secret = os.urandom(16)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        words = struct.unpack("<4I", self.secret)
        with open(self.file, "w", encoding="ascii") as file:
            file.write("!<socket >%d s %08X-%08X-%08X-%08X\0" % (self.listener.getsockname()[1], *words))
        self.open_now, self.opened, self.counting = 0, 0, threading.Lock()
        serve_in_threads(self.listener, self.serve)

    def serve(self, connection):
        with self.counting:
            self.open_now += 1
            self.opened += 1
        try:
            with connection, socket.socket(socket.AF_UNIX) as real:
                if receive(connection, 16) != self.secret:
                    return
                connection.sendall(self.secret)
                pid, uid, gid = struct.unpack("<iII", receive(connection, 12))
                connection.sendall(struct.pack("<iII", os.getpid(), uid, gid))
                real.connect(self.unix)
                while True:
                    request = receive_frame(connection)
                    kind = request[0]
                    if kind == 0xf0:
                        connection.sendall(frame(b"\x0c" * struct.unpack(">I", request[1:5])[0]))
                    elif kind == 0xf1:
                        time.sleep(3)
                        connection.sendall(frame(b"\x06" + request))
                    elif kind == 0xf2:
                        return
                    elif kind == 0xf3:
                        connection.sendall(struct.pack(">I", 262145) + b"\x0c" * 100)
                    else:
                        connection.sendall(frame(exchange(real, request)))
        except (EOFError, OSError):
            pass
        finally:
            with self.counting:
                self.open_now -= 1

    def none_open(self, what="all connections to the agent closed"):
        wait_until(lambda: self.open_now == 0, what)

    def stop(self):
        self.listener.close()
        super().stop()


def make_keys():
    """Sign requests whose signatures are the same each time, so that the bridge's are compared with ssh-agent's own."""
    requests = []
    for kind, bits, flags in (("ed25519", "256", 0), ("rsa", "2048", 4)):
        path = os.path.join(FOLDER, kind)
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "a key", "-f", path], check=True)
        subprocess.run(["ssh-add", "-q", path], env={**ENV, "SSH_AUTH_SOCK": AGENT.unix}, check=True, stderr=subprocess.DEVNULL)
        blob = base64.b64decode(open(path + ".pub", encoding="ascii").read().split()[1])
        requests.append((b"\x0d" + string(blob) + string(b"what is signed" * 20) + struct.pack(">I", flags)).hex())
    return requests


# --- The cases ---

def reply_sizes():
    size = lambda n: "f0" + struct.pack(">I", n).hex()
    expect(agentcli("window-case", "small-map", size(8188)), ["0c" * 8188], "what fits 8 KiB")
    expect(agentcli("window-case", "small-map", size(8189)), [FAILURE], "one byte more")
    expect(agentcli("window", size(262140)), ["0c" * 262140], "what fits a large map")
    expect(agentcli("window", size(262141)), [FAILURE], "one byte more than a large map holds")
    expect(agentcli("pipe", PAGEANT_PIPE, size(262144), LIST), ["0c" * 262144, AGENT.ask(LIST)], "by pipe")
    expect(agentcli("window", "f3", "f2", LIST), [FAILURE, FAILURE, AGENT.ask(LIST)], "an agent that misbehaves")


def while_one_waits():
    """A request that the agent takes three seconds over does not hold up another."""
    opened = AGENT.opened
    slow = subprocess.Popen(["wine", AGENTCLI, "window", "f1"], env=ENV, stdout=subprocess.PIPE)
    wait_until(lambda: AGENT.opened > opened, "the slow request")
    start = time.monotonic()
    expect(agentcli("window", LIST), [AGENT.ask(LIST)])
    if slow.poll() is not None or time.monotonic() - start > 2.8:
        raise AssertionError("the second client had to wait for the first")
    expect(slow.communicate(timeout=30)[0].split(), [b"06f1"])


def many(*client):
    expect(agentcli(*client[:-1], "50", client[-1]), [AGENT.ask(client[-1])] * 50)
    AGENT.none_open()


def hostile_cygwin(path):
    with cygwin_client(path, hold="wrong") as wrong:
        expect(wrong.recv(100), b"", "the answer to a wrong secret")
    silent = [cygwin_client(path, hold="silent") for _ in range(20)]
    expect(over_cygwin(path, [LIST, *SIGN]), AGENT.answers((LIST, *SIGN)), "beside 20 silent ones")
    expect(over_cygwin(path, [LIST], pieces=1), [AGENT.ask(LIST)], "byte by byte")
    start = time.monotonic()
    for connection in silent:
        expect(connection.recv(100), b"", "the answer to silence")
        connection.close()
    if time.monotonic() - start > 8:
        raise AssertionError("a silent client was kept for longer than the handshake may last")
    # More than may be in a handshake: the rest are closed at once, and it recovers.
    crowd = [cygwin_client(path, hold="silent") for _ in range(80)]
    wait_until(lambda: "too many clients" in BRIDGE_NOW.log(), "the crowd turned away")
    for connection in crowd:
        connection.close()
    time.sleep(0.3)
    expect(over_cygwin(path, [LIST]), [AGENT.ask(LIST)], "after the crowd")


def crowd(path):
    AGENT.crowd(path)
    AGENT.none_open()
    expect(over_cygwin(path, [LIST]), [AGENT.ask(LIST)], "after the crowd")


def half_closed(path):
    """The client says all at once and closes its half: it has its answers all the same."""
    with cygwin_client(path) as connection:
        connection.sendall(frame(b"\x0b") * 3)
        connection.shutdown(socket.SHUT_WR)
        wanted = AGENT.ask(LIST)
        for _ in range(3):
            expect(receive_reply(connection), wanted)
        expect(connection.recv(1), b"", "the end")


def served_by_the_shipped():
    global BRIDGE_NOW
    cygwin = os.path.join(FOLDER, "bridge.cygwin")
    with open(cygwin, "w", encoding="ascii") as file:  # a listener that is gone left it; port 1 has none
        file.write("!<socket >1 s 00000001-00000002-00000003-00000004\0")
    BRIDGE_NOW = Program(BRIDGE, "-v", "--agent", windows_path(AGENT.file), "--pageant", "--openssh", TEST_PIPE, "--cygwin",
                        windows_path(cygwin))
    case("window", lambda: AGENT.list_and_sign("window"))
    case("pageant-pipe", lambda: AGENT.list_and_sign("pipe", PAGEANT_PIPE))
    case("openssh-pipe", lambda: AGENT.list_and_sign("pipe", TEST_PIPE))
    case("cygwin", lambda: expect(over_cygwin(cygwin, [LIST, *SIGN]), AGENT.answers((LIST, *SIGN))))
    case("cygwin-ssh2", lambda: expect(node("ssh2-agent.js", "CygwinAgent", cygwin, *SIGN), AGENT.answers((LIST, *SIGN))))
    case("cygwin-file", lambda: file_of_the_user(cygwin))
    for name, wanted in {**WINDOW_CASES, "size-4": True}.items():
        case(f"window-{name}", lambda name=name, wanted=wanted: AGENT.window_case(name, wanted))
    case("reply-sizes", reply_sizes)
    case("window-while-one-waits", while_one_waits)
    case("window-50", lambda: many("window-many", SIGN[0]))
    case("pipe-50", lambda: many("pipe-many", PAGEANT_PIPE, SIGN[0]))
    case("openssh-pipe-50", lambda: many("pipe-many", TEST_PIPE, LIST))
    case("cygwin-50", lambda: AGENT.many_over_cygwin(cygwin, SIGN[0]))
    case("cygwin-50-closed", AGENT.none_open)
    case("pipe-stalled", lambda: AGENT.stalled_pipe(PAGEANT_PIPE))
    case("pipe-stalled-closed", AGENT.none_open)
    case("cygwin-hostile", lambda: hostile_cygwin(cygwin))
    case("cygwin-crowd", lambda: crowd(cygwin))
    case("pipe-security", lambda: [pipe_of_the_user(path) for path in (PAGEANT_PIPE, TEST_PIPE)])
    case("cygwin-half-closed", lambda: half_closed(cygwin))
    case("second-pageant", lambda: refused_start(BRIDGE, "another Pageant", "--agent", windows_path(AGENT.file)))
    case("second-cygwin", lambda: refused_start(BRIDGE, "another agent", "--agent", windows_path(AGENT.file), "--cygwin", windows_path(cygwin)))
    case("foreign-file", lambda: refused_start(BRIDGE, "left alone", "--agent", "x", "--cygwin", windows_path(os.path.join(FOLDER, "rsa.pub"))))
    case("still-there", lambda: AGENT.list_and_sign("window"))

    status = BRIDGE_NOW.stop()

    def ended():
        expect(status, 0, "its status")
        if os.path.exists(cygwin):
            raise AssertionError("the socket file is still there")
    case("end", ended)


def served_by_a_command():
    command = f"{windows_path(AGENTCLI)} relay {windows_path(AGENT.file)}"
    bridge = Program(BRIDGE, "-v", "--command", command, "--pageant", "--openssh", TEST_PIPE)
    try:
        case("command-window", lambda: AGENT.list_and_sign("window"))
        case("command-pipe", lambda: AGENT.list_and_sign("pipe", TEST_PIPE))
        case("command-pipe-10", lambda: expect(agentcli("pipe-many", TEST_PIPE, "10", SIGN[1]), [AGENT.ask(SIGN[1])] * 10))
        case("command-ends", lambda: AGENT.none_open("the commands ended with their clients"))
    finally:
        bridge.stop()


def without_an_agent(name, words, *options):
    """The window fails, the pipe closes, and the log says why."""
    bridge = Program(BRIDGE, "-v", *options, "--pageant")
    try:
        expect(agentcli("window", LIST), [FAILURE], name)
        agentcli("pipe", PAGEANT_PIPE, LIST, fails=True)
        if words not in bridge.log():
            raise AssertionError(bridge.log())
    finally:
        bridge.stop()


def dead_agents():
    gone = os.path.join(FOLDER, "gone.cygwin")
    with open(gone, "w", encoding="ascii") as file:
        file.write(re.sub(r" s \w+", " s 00000000", open(AGENT.file, encoding="ascii").read()))
    case("no-such-command", lambda: without_an_agent("no such command", "cannot start", "--command", "no-such-program.exe"))
    case("no-such-file", lambda: without_an_agent("no such file", "cannot read", "--agent", "Z:\\no\\such\\file"))
    case("wrong-secret", lambda: without_an_agent("wrong secret", "is not the agent that wrote", "--agent", windows_path(gone)))
    case("no-af-unix", lambda: without_an_agent("AF_UNIX", "no AF_UNIX sockets", "--agent", windows_path(AGENT.unix)))


def served_to_others():
    """ssh2's pagent.exe, whose map has no owner."""
    pagent = compile_pagent()
    ask = lambda: run("wine", pagent, "5", input=frame(bytes.fromhex(LIST)))
    bridge = Program(BRIDGE, "-v", "--agent", windows_path(AGENT.file), "--pageant")
    try:
        case("pagent-shipped-refuses", lambda: expect(ask().returncode, 1))
    finally:
        bridge.stop()
    bridge = Program(BRIDGE_FOR_WINE, "-v", "--agent", windows_path(AGENT.file), "--pageant")
    try:
        case("pagent", lambda: expect(ask().stdout[4:].hex(), AGENT.ask(LIST)))
        case("pageant-ssh2", lambda: expect(node("ssh2-agent.js", "PageantAgent", pagent, *SIGN), AGENT.answers((LIST, *SIGN))))
        case("pagent-window-null-owner", lambda: AGENT.window_case("null-owner", True))
        case("pagent-window-foreign-owner", lambda: AGENT.window_case("foreign-owner", "refused"))
    finally:
        bridge.stop()


def lanyards_own():
    """lanyard-agent's Cygwin socket on one side of the bridge, our own client on the other."""
    program = os.path.join(BUILD, "agent", "lanyard-agent")
    unix, published, cygwin = (os.path.join(FOLDER, name) for name in ("own", "own.cygwin", "own-bridge.cygwin"))
    agent = subprocess.Popen([program, "-D", "-a", unix, "--cygwin", published], env=ENV, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    bridge = None
    try:
        wait_until(lambda: os.path.exists(unix) and os.path.exists(published), "lanyard-agent's sockets")
        subprocess.run(["ssh-add", "-q", *(os.path.join(FOLDER, kind) for kind in ("ed25519", "rsa"))],
                       env={**ENV, "SSH_AUTH_SOCK": unix}, check=True, stderr=subprocess.DEVNULL)
        wanted = [ask_unix(unix, request) for request in (LIST, *SIGN)]
        expect(wanted[1:], [AGENT.ask(request) for request in SIGN], "lanyard-agent's signatures")
        bridge = Program(BRIDGE, "-v", "--agent", windows_path(published), "--pageant", "--cygwin", windows_path(cygwin))
        case("own-window", lambda: expect(agentcli("window", LIST, *SIGN), wanted))
        case("own-pipe", lambda: expect(agentcli("pipe", PAGEANT_PIPE, LIST, *SIGN), wanted))
        case("own-pipe-50", lambda: expect(agentcli("pipe-many", PAGEANT_PIPE, "50", SIGN[0]), wanted[1:2] * 50))

        def ask_as_a_client(socket_path):
            done = subprocess.run([program, "list", "--json"], env={**ENV, "SSH_AUTH_SOCK": socket_path}, capture_output=True, timeout=60)
            expect(done.returncode, 0, done.stderr.decode())
            found = re.findall(rb"SHA256:[\w+/]+", done.stdout)
            expect(len(found), 2, "keys listed")
            return found
        case("own-client", lambda: expect(ask_as_a_client(cygwin), ask_as_a_client(unix)))
    finally:
        if bridge:
            bridge.stop()
        agent.terminate()
        agent.wait()


def command_line():
    done = run("wine", BRIDGE, "--help")
    expect((done.returncode, b"--command" in done.stdout), (0, True), "--help")
    refused_start(BRIDGE, "where is the agent", "--pageant", status=2)
    refused_start(BRIDGE, "give one", "--agent", "x", "--command", "y", status=2)
    refused_start(BRIDGE, "no arguments", "--agent", "x", "more", status=2)


def base():
    done = run("wine", os.path.join(MINGW, "tests", "wine", "base-on-windows.exe"))
    expect((done.returncode, done.stdout.split()), (0, [b"checked"]))


def ended_by_ctrl_c():
    """A console's Ctrl-C (Wine makes it of SIGINT); and paths that are not ASCII."""
    cygwin = os.path.join(FOLDER, "brücke.cygwin")
    bridge = Program(BRIDGE, "-v", "--agent", windows_path(AGENT.file), "--cygwin", windows_path(cygwin))
    expect(over_cygwin(cygwin, [LIST]), [AGENT.ask(LIST)])
    expect(bridge.stop(), 0, "its status")
    if os.path.exists(cygwin):
        raise AssertionError("the socket file is still there")


BRIDGE_NOW = None
begin()
AGENT = Agent()
try:
    SIGN = AGENT.sign = make_keys()
    PAGEANT_PIPE = pageant_pipe()
    case("nothing-for-wine-alone", lambda: shipped(BRIDGE, BRIDGE_FOR_WINE))
    case("base", base)
    case("command-line", command_line)
    case("ctrl-c", ended_by_ctrl_c)
    served_by_the_shipped()
    served_by_a_command()
    lanyards_own()
    dead_agents()
    served_to_others()
finally:
    AGENT.stop()
    end()
sys.exit(bool(FAILED))
