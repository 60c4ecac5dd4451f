#!/usr/bin/env python3
"""wine-full.py BUILD_DIR: cross-builds lanyard-agent.exe with a libcrypto from Debian's sources (agent/windows/static-libraries) and runs it
under Wine between OpenSSH's ssh-add and ssh-keygen, npm ssh2's agents, our own clients and hostile ones. Prints "ok NAME" or
"not ok NAME: why" for each case; WINE_ONLY=word runs those whose name has the word."""
import base64
import json
import os
import re
import socket
import struct
import subprocess
import sys

from common import (agentcli, AGENTCLI, begin, BUILD, case, compile_pagent, cygwin_client, end, ENV, exchange,
                    expect, FAILED, FAILURE, file_of_the_user, FOLDER, frame, LIST, MINGW, node,
                    over_cygwin, pageant_pipe, Peer, pipe_of_the_user, Program, receive, receive_frame,
                    receive_reply, refused_start, run, serve_in_threads, shipped, string, TEST_PIPE, TOP, wait_until,
                    WINDOW_CASES, windows_path)

AGENT = os.path.join(MINGW, "agent", "windows", "lanyard-agent.exe")
AGENT_FOR_WINE = os.path.join(MINGW, "tests", "wine", "agent-for-wine.exe")
ASKPASS = os.path.join(MINGW, "tests", "wine", "askpass.exe")
DEFAULT_PIPE = "\\\\.\\pipe\\openssh-ssh-agent"
KINDS = ("ed25519", "ecdsa", "rsa")

LIBRARIES = subprocess.run([os.path.join(TOP, "agent", "windows", "static-libraries")], stdout=subprocess.PIPE, check=False).stdout
if not LIBRARIES:
    print("not ok static-libraries: agent/windows/static-libraries failed")
    sys.exit(1)


def path(name):
    return os.path.join(FOLDER, name)


CYGWIN = path("agent.cygwin")
ANSWER, ASKED = path("answer"), path("asked")


# --- Helpers ---

class UnixDoor:
    """A Unix socket whose clients reach the Cygwin socket file: for ssh-add and ssh-keygen."""

    def __init__(self, file):
        self.file, self.unix = file, path("door")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.unix)
        self.listener.listen(50)
        serve_in_threads(self.listener, self.serve)

    def serve(self, connection):
        try:
            with connection, cygwin_client(self.file) as agent:
                while True:
                    request = receive_frame(connection)
                    connection.sendall(frame(exchange(agent, request)))
        except (EOFError, OSError):
            pass

    def close(self):
        self.listener.close()
        os.unlink(self.unix)


def tool(*command, door=None, fails=False, stdin=b""):
    """A program of Linux, with the agent behind the door."""
    done = subprocess.run(command, env={**ENV, "SSH_AUTH_SOCK": door or DOOR.unix}, input=stdin, capture_output=True, timeout=60)
    if bool(done.returncode) != fails:
        raise AssertionError(f"{' '.join(command)}: status {done.returncode}: {(done.stderr + done.stdout).decode()[:300]}")
    return done.stdout.decode() + done.stderr.decode()


def agent(*arguments, where=TEST_PIPE, status=0, stdin=b""):
    """A subcommand of lanyard-agent.exe itself."""
    done = subprocess.run(["wine", AGENT, *arguments], env={**ENV, "SSH_AUTH_SOCK": where}, input=stdin, capture_output=True, timeout=60)
    if done.returncode != status:
        raise AssertionError(f"lanyard-agent.exe {' '.join(arguments)}: status {done.returncode}: {(done.stderr + done.stdout).decode()[:300]}")
    return done.stdout.decode() if status == 0 else done.stderr.decode()


def listed():
    return json.loads(agent("list", "--json", status=0)) if blobs() else []


def blobs():
    """What the agent lists, over the Cygwin socket."""
    answer = bytes.fromhex(over_cygwin(CYGWIN, [LIST])[0])
    count, at, found = struct.unpack(">I", answer[1:5])[0], 5, []
    for _ in range(count):
        for which in range(2):
            size = struct.unpack(">I", answer[at:at + 4])[0]
            if which == 0:
                found.append(answer[at + 4:at + 4 + size])
            at += 4 + size
    return found


def blob(name):
    return base64.b64decode(open(path(name) + ".pub", encoding="ascii").read().split()[1])


def sign_request(name, flags=0, data=b"what is signed" * 20):
    return (b"\x0d" + string(blob(name)) + string(data) + struct.pack(">I", flags)).hex()


def make_key(name, *options):
    subprocess.run(["ssh-keygen", "-q", *options, "-N", "", "-C", f"a {name} key", "-f", path(name)], check=True)


def set_answer(text):
    with open(ANSWER, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    open(ASKED, "w", encoding="utf-8").close()


def asked():
    return open(ASKED, encoding="utf-8").read()


def start(*options, program=AGENT, askpass=True):
    env = {"LANYARD_ASKPASS_ANSWER": windows_path(ANSWER), "LANYARD_ASKPASS_ASKED": windows_path(ASKED)}
    if askpass:
        env["SSH_ASKPASS"] = windows_path(ASKPASS)
    return Program(program, *options, env=env)


def empty():
    tool("ssh-add", "-q", "-D")
    expect(blobs(), [], "the keys")


# --- Served ---

def add_and_verify(kind):
    tool("ssh-add", "-q", path(kind))
    tool("ssh-add", "-T", path(kind) + ".pub")  # has the agent sign, and verifies
    tool("ssh-keygen", "-q", "-Y", "sign", "-n", "test", "-f", path(kind) + ".pub", path("text"))
    with open(path("text"), "rb") as text:
        tool("ssh-keygen", "-Y", "check-novalidate", "-n", "test", "-s", path("text.sig"), stdin=text.read())
    os.unlink(path("text.sig"))


def certificates():
    make_key("ca", "-t", "ed25519")
    make_key("certified", "-t", "ed25519")
    subprocess.run(["ssh-keygen", "-q", "-s", path("ca"), "-I", "me", "-n", "me", path("certified") + ".pub"], check=True)
    tool("ssh-add", "-q", path("certified"))
    expect(sum("CERT" in line for line in tool("ssh-add", "-l").splitlines()), 1, "certificates")
    agent("remove", windows_path(path("certified")))
    expect([line for line in tool("ssh-add", "-l").splitlines() if "certified" in line], [], "what is left of it")


def pipelined():
    """Requests at once are answered in order, and the client may close its half meanwhile."""
    requests = [LIST, SIGN[0], LIST, SIGN[1], "c8", LIST] * 20
    wanted = {request: PEER.ask(request) if request != "c8" else FAILURE for request in set(requests)}
    with cygwin_client(CYGWIN) as connection:
        connection.sendall(b"".join(frame(bytes.fromhex(request)) for request in requests))
        connection.shutdown(socket.SHUT_WR)
        for request in requests:
            expect(receive_reply(connection), wanted[request], request[:2])
        expect(connection.recv(1), b"", "the end")


def lengths():
    with cygwin_client(CYGWIN) as connection:
        connection.sendall(frame(b""))
        expect(receive(connection, 5), frame(b"\x05"), "a message of length 0")
        connection.sendall(struct.pack(">I", 262144) + b"\xff" * 262144)
        expect(receive(connection, 5), frame(b"\x05"), "the longest message")
        connection.sendall(struct.pack(">I", 262145))
        expect(connection.recv(1), b"", "after a longer one")
    request = bytes.fromhex(SIGN[0])
    for size in range(0, len(request), 7):  # truncated
        expect(over_cygwin(CYGWIN, [request[:size].hex()])[0], FAILURE, f"{size} bytes of a request")


def hostile_cygwin():
    with cygwin_client(CYGWIN, hold="wrong") as wrong:
        expect(wrong.recv(100), b"", "the answer to a wrong secret")
    silent = [cygwin_client(CYGWIN, hold="silent") for _ in range(20)]
    expect(over_cygwin(CYGWIN, [LIST, SIGN[0]], pieces=1), PEER.answers((LIST, SIGN[0])), "beside 20 silent ones")
    for connection in silent:
        expect(connection.recv(100), b"", "the answer to silence")
        connection.close()


def crowd():
    PEER.crowd(CYGWIN)
    wait_until(answers, "service after the crowd")


def answers():
    try:
        return over_cygwin(CYGWIN, [LIST])[0] == PEER.ask(LIST)
    except (EOFError, OSError):
        return False


# --- Constraints, locks, questions ---

def lifetime():
    tool("ssh-add", "-q", "-t", "3", path("ed25519"))
    seconds = listed()[0]["seconds_left"]
    if not 0 <= seconds <= 3:
        raise AssertionError(f"{seconds} seconds are left of 3")
    wait_until(lambda: not blobs(), "the end of its lifetime")
    expect(over_cygwin(CYGWIN, [SIGN[0]]), [FAILURE], "signing with it")


def locked():
    tool("ssh-add", "-q", path("ed25519"))
    with open(path("password"), "w", encoding="ascii") as file:
        file.write("a password\n")
    agent("lock", "--passphrase-file", windows_path(path("password")))
    expect(over_cygwin(CYGWIN, [LIST, SIGN[0]]), ["0c00000000", FAILURE], "locked")
    agent("lock", "--passphrase-file", windows_path(path("password")), status=1)
    with open(path("wrong"), "w", encoding="ascii") as file:
        file.write("another\n")
    agent("unlock", "--passphrase-file", windows_path(path("wrong")), status=1)
    expect(over_cygwin(CYGWIN, [LIST]), ["0c00000000"], "after a wrong password")
    agent("unlock", "--passphrase-file", windows_path(path("password")))
    expect(blobs(), [blob("ed25519")], "unlocked")


def confirmed():
    tool("ssh-add", "-q", "-c", path("ed25519"))
    expect(listed()[0]["confirm"], True, "its constraint")
    set_answer("yes")
    expect(agentcli("pipe", TEST_PIPE, SIGN[0]), [PEER.ask(SIGN[0])], "allowed")
    text = asked()
    for words in ("confirm: Allow use of key a ed25519 key?", "SHA256:", "agentcli.exe (process "):
        if words not in text:
            raise AssertionError(f"the question lacks \"{words}\": {text}")
    set_answer("no")
    expect(over_cygwin(CYGWIN, [SIGN[0]]), [FAILURE], "refused")
    if "as it says itself" not in asked():
        raise AssertionError(f"a claim is shown as a fact: {asked()}")
    expect(agentcli("window", SIGN[0]), [FAILURE], "refused over the window")


def withdrawn():
    """Whoever asked is gone: the askpass program ends, and the next question is put."""
    tool("ssh-add", "-q", "-c", path("ed25519"))
    set_answer("wait")
    process = subprocess.Popen(["wine", AGENTCLI, "pipe", TEST_PIPE, SIGN[0]], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        wait_until(asked, "the question")
        expect(over_cygwin(CYGWIN, [LIST])[0], f"0c00000001{string(blob('ed25519')).hex()}{string(b'a ed25519 key').hex()}", "meanwhile")
    finally:
        process.kill()
        process.wait()
    set_answer("yes")
    expect(agentcli("pipe", TEST_PIPE, SIGN[0]), [PEER.ask(SIGN[0])], "the next one")


def encrypted():
    """A PPK of puttygen's with Argon2 waits encrypted until it is used."""
    subprocess.run(["puttygen", path("ed25519"), "-O", "private", "-o", path("key.ppk"), "--new-passphrase", path("password"),
                    "--ppk-param", "memory=512,passes=2"], check=True, capture_output=True)
    agent("add", "--encrypted", windows_path(path("key.ppk")))
    expect(listed()[0]["encrypted"], True, "its state")
    set_answer("a wrong one")
    expect(agentcli("pipe", TEST_PIPE, SIGN[0]), [FAILURE], "with a wrong passphrase")
    expect(asked().count("Enter passphrase for key"), 3, "questions")
    set_answer("a password")
    expect(agentcli("pipe", TEST_PIPE, SIGN[0]), [PEER.ask(SIGN[0])], "with the right one")
    expect(listed()[0]["encrypted"], False, "its state then")
    empty()
    agent("add", "--passphrase-file", windows_path(path("password")), windows_path(path("key.ppk")))
    expect(agentcli("pipe", TEST_PIPE, SIGN[0]), [PEER.ask(SIGN[0])], "opened when it was added")


def subcommands():
    for kind in KINDS:
        agent("add", windows_path(path(kind)))
    expect(blobs(), [blob(kind) for kind in KINDS], "added")
    expect(agent("list").count("SHA256:"), 3, "lines of list")
    expect(agent("list", where=windows_path(CYGWIN)).count("SHA256:"), 3, "by the Cygwin socket file")
    expect(agent("list", where="pageant").count("SHA256:"), 3, "by Pageant's pipe")
    over_cygwin(CYGWIN, [sign_request("ecdsa")])
    expect([key["uses"] for key in listed()], [0, 1, 0], "uses")
    agent("remove", windows_path(path("ecdsa.pub")))
    expect(blobs(), [blob("ed25519"), blob("rsa")], "after remove")
    if 'the key "a ecdsa key" signed for' not in agent("log"):
        raise AssertionError(f"the log lacks the signature: {agent('log')}")
    expect(agent("log", where=windows_path(CYGWIN), status=1) != "", True, "the log over Cygwin, where anybody may be who he says")
    agent("remove", "--all")
    agent("list", status=1)
    agent("add", windows_path(path("text")), status=3)
    agent("list", where="\\\\.\\pipe\\there-is-none", status=4)


def ours_on_linux():
    """lanyard-agent's subcommands on Linux reach the one on Windows by its Cygwin socket file."""
    program = os.path.join(BUILD, "agent", "lanyard-agent")
    tool(program, "add", path("rsa"), door=CYGWIN)
    if "RSA" not in tool(program, "list", door=CYGWIN):
        raise AssertionError("the key is not listed")
    empty()


def served():
    global DOOR
    with open(CYGWIN, "w", encoding="ascii") as file:  # a listener that is gone left it; port 1 has none
        file.write("!<socket >1 s 00000001-00000002-00000003-00000004\0")
    program = start("--pageant", "--openssh", TEST_PIPE, "--openssh", "lanyard-second", "--cygwin", windows_path(CYGWIN), "--no-policy")
    DOOR = UnixDoor(CYGWIN)
    try:
        for kind in KINDS:
            case(f"ssh-add-{kind}", lambda kind=kind: add_and_verify(kind))
        case("certificates", certificates)
        case("window", lambda: PEER.list_and_sign("window"))
        for name, pipe in PIPES.items():
            case(name, lambda pipe=pipe: PEER.list_and_sign("pipe", pipe))
            case(f"{name}-50", lambda pipe=pipe: expect(agentcli("pipe-many", pipe, "50", SIGN[0]), [PEER.ask(SIGN[0])] * 50))
        case("cygwin", lambda: expect(over_cygwin(CYGWIN, [LIST, *SIGN]), PEER.answers((LIST, *SIGN))))
        case("window-50", lambda: expect(agentcli("window-many", "50", SIGN[0]), [PEER.ask(SIGN[0])] * 50))
        case("cygwin-50", lambda: PEER.many_over_cygwin(CYGWIN, SIGN[1]))
        case("pipe-security", lambda: [pipe_of_the_user(pipe) for pipe in PIPES.values()])
        case("cygwin-file", lambda: file_of_the_user(CYGWIN))
        for name, wanted in WINDOW_CASES.items():
            case(f"window-{name}", lambda name=name, wanted=wanted: PEER.window_case(name, wanted))
        case("pipe-stalled", lambda: PEER.stalled_pipe(TEST_PIPE))
        case("cygwin-hostile", hostile_cygwin)
        case("cygwin-crowd", crowd)
        case("pipelined", pipelined)
        case("lengths", lengths)
        case("second-agent", lambda: refused_start(AGENT, "another Pageant", "--pageant", status=1))
        case("second-cygwin", lambda: refused_start(AGENT, "another agent", "--cygwin", windows_path(CYGWIN), status=1))
        case("still-there", lambda: PEER.list_and_sign("window"))
        case("cygwin-ssh2", lambda: ssh2("CygwinAgent", CYGWIN))
        for name, check in (("subcommands", subcommands), ("lifetime", lifetime), ("lock", locked), ("confirm", confirmed),
                            ("confirm-withdrawn", withdrawn), ("encrypted", encrypted), ("linux-client", ours_on_linux)):
            tool("ssh-add", "-q", "-D")
            case(name, check)
    finally:
        DOOR.close()
        status = program.stop()

    def ended():
        expect(status, 0, "its status")
        if os.path.exists(CYGWIN):
            raise AssertionError("the socket file is still there")
    case("end", ended)


# --- Other starts ---

def ssh2(kind, where):
    """ssh2's agents sign by the type of key they read, so the two keys whose signatures are the same each time are left."""
    tool("ssh-add", "-q", "-d", path("ecdsa") + ".pub")
    tool("ssh-add", "-q", "-d", path("ecdsa") + ".pub", door=PEER.unix)
    expect(node("ssh2-agent.js", kind, where, *SIGN), PEER.answers((LIST, *SIGN)))


def by_default():
    """Without a word it serves the pipe of Windows' ssh, and a subcommand without SSH_AUTH_SOCK asks there."""
    program = start(askpass=False)
    try:
        agent("add", windows_path(path("ed25519")), where="")
        expect(agentcli("pipe", DEFAULT_PIPE, SIGN[0]), [PEER.ask(SIGN[0])])
    finally:
        expect(program.stop(), 0, "its status")


def asked_by_dialog():
    program = start("--openssh", TEST_PIPE, "--no-policy", askpass=False)

    def press(answer, request):
        process = subprocess.Popen(["wine", AGENTCLI, "dialog", answer], env=ENV, stdout=subprocess.PIPE)
        replies = agentcli("pipe", TEST_PIPE, request)
        return replies[0], process.communicate(timeout=30)[0].decode()
    try:
        agent("add", "--confirm", windows_path(path("ed25519")))
        reply, text = press("yes", SIGN[0])
        expect(reply, PEER.ask(SIGN[0]), "allowed")
        if "Allow_use_of_key_a_ed25519_key?" not in text or "agentcli.exe" not in text:
            raise AssertionError(text)
        expect(press("no", SIGN[0])[0], FAILURE, "refused")
        agent("remove", "--all")
        agent("add", "--encrypted", windows_path(path("key.ppk")))
        expect(press("no", SIGN[0])[0], FAILURE, "given up")
        expect(press("a password", SIGN[0])[0], PEER.ask(SIGN[0]), "typed")
    finally:
        program.stop()


def with_a_policy():
    fingerprint = subprocess.run(["ssh-keygen", "-l", "-f", path("ed25519.pub")], capture_output=True, check=True).stdout.decode().split()[1]
    with open(path("agent.ini"), "w", encoding="ascii") as file:
        file.write(f"[{fingerprint}]\nconfirm = true\nprograms = *\\agentcli.exe\n")
    set_answer("yes")
    program = start("--openssh", TEST_PIPE, "--cygwin", windows_path(CYGWIN), "--policy", windows_path(path("agent.ini")))
    try:
        agent("add", windows_path(path("ed25519")))
        expect(agentcli("pipe", TEST_PIPE, SIGN[0]), [PEER.ask(SIGN[0])], "by the program that may")
        expect(asked().count("confirm:"), 1, "questions")
        expect(over_cygwin(CYGWIN, [SIGN[0]]), [FAILURE], "by one that is only claimed")
    finally:
        program.stop()


def served_to_pagent():
    """ssh2's pagent.exe, whose map has no owner in Wine: the shipped program refuses it."""
    pagent = compile_pagent()
    ask = lambda: run("wine", pagent, "5", input=frame(bytes.fromhex(LIST)))
    program = start("--pageant", "--no-policy")
    try:
        case("pagent-shipped-refuses", lambda: expect(ask().returncode, 1))
    finally:
        program.stop()
    program = start("--pageant", "--no-policy", program=AGENT_FOR_WINE)
    try:
        for kind in ("ed25519", "rsa"):
            agent("add", windows_path(path(kind)), where="pageant")
        case("pagent", lambda: expect(ask().stdout[4:].hex(), PEER.ask(LIST)))
        case("pageant-ssh2", lambda: expect(node("ssh2-agent.js", "PageantAgent", pagent, *SIGN), PEER.answers((LIST, *SIGN))))
        case("pagent-window-foreign-owner", lambda: PEER.window_case("foreign-owner", "refused"))
    finally:
        program.stop()


def documented():
    """The man page's section on Windows names the options of --help, and no others."""
    text = run("wine", AGENT, "--help").stdout.decode().split("Options of the agent:")[1]
    shown = set(re.findall(r"^ {2,6}(?:-\w, )?(--[\w-]+)", text, re.M))
    with open(os.path.join(TOP, "agent", "lanyard-agent.1"), encoding="utf-8") as file:
        section = file.read().replace("\\-", "-").split(".SH WINDOWS\n")[1].split("\n.SH ")[0]
    named = set(re.findall(r"^\\fB(?:-\w\\fR, \\fB)?(--[\w-]+)", section, re.M))
    expect(sorted(named ^ shown), [], "named once only")
    expect(len(shown) > 8, True, "options found")


def command_line():
    done = run("wine", AGENT, "--help")
    expect((done.returncode, b"--pageant" in done.stdout, b"relay" in done.stdout), (0, True, False), "--help")
    expect(run("wine", AGENT, "--version").stdout.split()[0], b"lanyard-agent", "--version")
    refused_start(AGENT, "is no subcommand", "notepad.exe", status=2)
    refused_start(AGENT, "lists the options", "--no-such-option", status=2)
    refused_start(AGENT, "cannot open it", "--policy", "Z:\\no\\such\\file", status=1)


begin(f"-Dwindows-libraries={LIBRARIES.decode().strip()}")
DOOR = None
PEER = Peer()
try:
    for kind, options in (("ed25519", ("-t", "ed25519")), ("ecdsa", ("-t", "ecdsa", "-b", "384")), ("rsa", ("-t", "rsa", "-b", "2048"))):
        make_key(kind, *options)
        tool("ssh-add", "-q", path(kind), door=PEER.unix)
    with open(path("text"), "wb") as text:
        text.write(b"a text to sign\n")
    SIGN = PEER.sign = [sign_request("ed25519"), sign_request("rsa", flags=4)]
    PIPES = {"openssh-pipe": TEST_PIPE, "second-pipe": "\\\\.\\pipe\\lanyard-second", "pageant-pipe": pageant_pipe()}
    case("nothing-for-wine-alone", lambda: shipped(AGENT, AGENT_FOR_WINE))
    case("command-line", command_line)
    case("man-page", documented)
    served()
    case("default-pipe", by_default)
    case("dialog", asked_by_dialog)
    case("policy", with_a_policy)
    served_to_pagent()
finally:
    PEER.stop()
    end()
sys.exit(bool(FAILED))
