"""What the suites wine and wine-full have in common: a Wine without a display, programs in it, clients of the transports."""
import hashlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(TOP, "tests", "wine")
NAME = os.path.splitext(os.path.basename(sys.argv[0]))[0]  # of the suite
BUILD = os.path.abspath(sys.argv[1])
MINGW = os.path.join(BUILD, NAME.replace("wine", "mingw"))
CACHE = os.path.join(BUILD, NAME)
AGENTCLI = os.path.join(MINGW, "tests", "wine", "agentcli.exe")
LIST, FAILURE = "0b", "05"
TEST_PIPE = "\\\\.\\pipe\\lanyard-test-agent"
# Requests through Pageant's window: served, answered with a failure, or not touched.
WINDOW_CASES = {
    "plain": True, "small-map": True, "any-name": True, "sign-extended": True,
    "beyond-map": FAILURE, "huge-length": FAILURE, "zero-length": FAILURE, "size-4-beyond": FAILURE,
    "wrong-dwdata": "refused", "no-nul": "refused", "nul-within": "refused", "no-data": "refused", "no-map": "refused",
    "null-owner": "refused", "foreign-owner": "refused",
}
MARKER = b"maps without an owner are let in"
WINDOWS_LIBRARIES = {"advapi32.dll", "bcrypt.dll", "crypt32.dll", "gdi32.dll", "kernel32.dll", "msvcrt.dll", "secur32.dll", "user32.dll",
                     "ws2_32.dll"}

for tool in ("wine", "wineserver", "x86_64-w64-mingw32-gcc", "meson", "ninja", "ssh-agent", "ssh-add", "ssh-keygen", "node"):
    if not shutil.which(tool):
        print(f"SKIP: {tool} is not installed (tests/install-packages test)")
        sys.exit(77)

ENV = {k: v for k, v in os.environ.items() if not k.startswith(("SSH_", "ASAN_", "UBSAN_")) and k != "DISPLAY"}
ENV.update(LC_ALL="C.UTF-8", HOME=os.path.join(CACHE, "home"), WINEPREFIX=os.path.join(CACHE, "prefix"), WINEDEBUG="-all",
           WINEDLLOVERRIDES="mscoree,mshtml=,winemenubuilder.exe=")
FOLDER = tempfile.mkdtemp(prefix="lanyard-wine-")


def run(*command, **options):
    return subprocess.run(command, env=ENV, capture_output=True, timeout=options.pop("timeout", 90), **options)


def build(*options):
    env = {k: v for k, v in ENV.items() if k not in ("CC", "CFLAGS", "LDFLAGS")}
    if not os.path.exists(os.path.join(MINGW, "build.ninja")):
        subprocess.run(["meson", "setup", MINGW, TOP, "--cross-file", os.path.join(TOP, "agent", "windows", "mingw64.ini"),
                        "-Dwerror=true", *options], env=env, check=True, stdout=subprocess.DEVNULL)
    elif options:
        subprocess.run(["meson", "configure", MINGW, *options], env=env, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-j2", "-C", MINGW], env=env, check=True, stdout=subprocess.DEVNULL)


def make_prefix():
    """A Wine without a display; kept in the build folder."""
    stamp = os.path.join(CACHE, "made")
    if os.path.exists(stamp):
        return
    shutil.rmtree(CACHE, ignore_errors=True)
    os.makedirs(ENV["HOME"])
    run("wineboot", "-i", timeout=200)
    for key, name, value in (("Drivers", "Graphics", "null"), ("", "Version", "win10")):
        path = "HKCU\\Software\\Wine" + ("\\" + key if key else "")
        added = run("wine", "reg", "add", path, "/v", name, "/d", value, "/f")
        if added.returncode:
            raise RuntimeError(f"wine reg add: {added.stderr.decode()}")
    run("wineserver", "-w")
    open(stamp, "w").close()


def windows_path(path):
    return "Z:" + path.replace("/", "\\")


def receive(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def frame(message):
    return struct.pack(">I", len(message)) + message


def receive_frame(connection):
    return receive(connection, struct.unpack(">I", receive(connection, 4))[0])


def receive_reply(connection):
    return receive_frame(connection).hex()


def exchange(connection, message):
    connection.sendall(frame(message))
    return receive_frame(connection)


def ask_unix(path, request):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        return exchange(connection, bytes.fromhex(request)).hex()


def wait_until(there, what, seconds=20):
    end = time.monotonic() + seconds
    while not there():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def cygwin_client(path, hold=None, pieces=28):
    """A connection by a Cygwin socket file, its handshake sent in pieces."""
    text = open(path, "rb").read(128)
    found = re.fullmatch(rb"!<socket >(\d+) s ([0-9A-F]{8})-([0-9A-F]{8})-([0-9A-F]{8})-([0-9A-F]{8})\0", text)
    assert found, f"the file holds {text}"
    secret = struct.pack("<4I", *(int(word, 16) for word in found.groups()[1:]))
    connection = socket.create_connection(("127.0.0.1", int(found.group(1))), timeout=20)
    if hold == "silent":
        return connection
    if hold == "wrong":
        connection.sendall(bytes(16))
        return connection
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(data):
        for start in range(0, len(data), pieces):
            connection.sendall(data[start:start + pieces])

    send(secret)
    assert receive(connection, 16) == secret, "the secret did not come back"
    send(struct.pack("<iII", 77, 1234, 5678))
    _, uid, gid = struct.unpack("<iII", receive(connection, 12))
    assert (uid, gid) == (1234, 5678), "the client's own uid and gid did not come back"
    return connection


class Program:
    """lanyard-agent-bridge.exe or lanyard-agent.exe, once it says that it is ready."""

    def __init__(self, program, *options, env=None):
        self.errors = tempfile.TemporaryFile(dir=FOLDER)
        self.window = "--pageant" in options
        self.process = subprocess.Popen(["wine", program, *options], env={**ENV, **(env or {})}, stdout=subprocess.PIPE, stderr=self.errors,
                                        stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        if b"ready" not in line:
            self.process.kill()
            raise RuntimeError(f"it did not start: {self.log()}")

    def log(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def stop(self):
        if self.window:
            agentcli("close")
        else:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def agentcli(*arguments, fails=False):
    done = run("wine", AGENTCLI, *arguments)
    if bool(done.returncode) != fails:
        raise RuntimeError(f"agentcli {arguments[0]}: status {done.returncode}: {done.stderr.decode()}{done.stdout.decode()[:200]}")
    return done.stdout.decode().split()


def expect(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what}{': ' if what else ''}{str(got)[:150]} and not {str(wanted)[:150]}")


FAILED = []


def case(name, check):
    if os.environ.get("WINE_ONLY", "") not in name:
        return
    try:
        check()
        print(f"ok {name}", flush=True)
    except Exception as error:  # whatever it is, the next case is worth running
        FAILED.append(name)
        print(f"not ok {name}: {type(error).__name__} {error}".replace("\n", " | "), flush=True)


def string(data):
    return struct.pack(">I", len(data)) + data


def pageant_pipe():
    """PuTTY's name for it, where CryptProtectMemory changes nothing, as in Wine."""
    user = run("wine", "cmd", "/c", "echo", "%USERNAME%").stdout.decode().strip()
    digest = hashlib.sha256(struct.pack(">I", 16) + b"Pageant".ljust(16, b"\0")).hexdigest()
    return f"\\\\.\\pipe\\pageant.{user}.{digest}"


def over_cygwin(path, requests, pieces=28):
    with cygwin_client(path, pieces=pieces) as connection:
        return [exchange(connection, bytes.fromhex(request)).hex() for request in requests]


def serve_in_threads(listener, serve):
    def accept():
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


class Peer:
    """OpenSSH's ssh-agent: the list and the signatures that are the same each time are compared with its answers."""

    def __init__(self):
        self.sign = []  # requests
        self.unix = os.path.join(FOLDER, "peer")
        self.process = subprocess.Popen(["ssh-agent", "-D", "-a", self.unix], stdout=subprocess.DEVNULL, env=ENV)
        wait_until(lambda: os.path.exists(self.unix), "ssh-agent's socket")

    def ask(self, request):
        return ask_unix(self.unix, request)

    def answers(self, requests):
        return [self.ask(request) for request in requests]

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def list_and_sign(self, *client):
        requests = [LIST, *self.sign, LIST]
        expect(agentcli(*client, *requests), self.answers(requests))

    def window_case(self, name, wanted):
        expect(agentcli("window-case", name, LIST), self.ask(LIST).split() if wanted is True else wanted.split())

    def stalled_pipe(self, pipe):
        stalled = [subprocess.Popen(["wine", AGENTCLI, "pipe-stall", pipe], env=ENV, stdout=subprocess.PIPE) for _ in range(3)]
        try:
            for process in stalled:
                expect(process.stdout.readline().strip(), b"stalled")
            self.list_and_sign("pipe", pipe)
        finally:
            for process in stalled:
                process.kill()
                process.wait()

    def many_over_cygwin(self, path, request):
        with_all = [cygwin_client(path) for _ in range(50)]
        wanted = self.ask(request)
        for connection in with_all:
            connection.sendall(frame(bytes.fromhex(request)))
        for connection in with_all:
            expect(receive_reply(connection), wanted)
            connection.close()

    def crowd(self, path):
        """No more than 256 at once; the rest are closed, and those who are there are served."""
        there = []
        try:
            for _ in range(300):
                try:
                    there.append(cygwin_client(path))
                except (EOFError, OSError):
                    pass
            expect(len(there), 256, "clients at once")
            there[255].sendall(frame(b"\x0b"))
            expect(receive_reply(there[255]), self.ask(LIST))
        finally:
            for connection in there:
                connection.close()


def node(script, *arguments):
    done = run("node", os.path.join(HERE, script), os.path.join(TOP, "tests", "node_modules"), *arguments)
    if done.returncode:
        raise RuntimeError(done.stderr.decode()[-300:])
    return done.stdout.decode().split()


def file_of_the_user(path):
    state, descriptor = agentcli("file-security", windows_path(path))
    try:  # where Wine keeps the attribute
        os.setxattr(FOLDER, "user.lanyard", b"1")
        expect(state, "system", "its attribute")
    except OSError:
        print(f"# {FOLDER} has no extended attributes: the SYSTEM attribute was not looked at")
    # Wine keeps ACLs as a mode, gives the group what the user has, and shows every mode with SYSTEM's rights.
    found = re.fullmatch(r"O:(\S+?)(?:G:\S+?)?D:\w*(?:\(A;;FA;;;SY\))?\(A;;FA;;;(\S+?)\)", descriptor)
    if not found or found.group(1) != found.group(2) or os.stat(path).st_mode & 0o007:
        raise AssertionError(f"others than its owner have rights to the file: {descriptor}, {os.stat(path).st_mode:o}")


def pipe_of_the_user(path):
    descriptor = agentcli("pipe-security", path)[0]
    found = re.fullmatch(r"O:(\S+?)(?:G:\S+?)?D:P?\(D;;\w+;;;NU\)\(A;;\w+;;;(\S+?)\)", descriptor)
    if not found or found.group(1) != found.group(2):
        raise AssertionError(f"others than the user have rights to the pipe, or the network has: {descriptor}")


def begin(*options):
    """Builds what is tested, with these options of meson, and makes Wine ready."""
    build(*options)
    make_prefix()
    run("wineserver", "-k")  # of this prefix: what an interrupted run left
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def end():
    run("wineserver", "-k")
    shutil.rmtree(FOLDER, ignore_errors=True)


def shipped(program, for_wine):
    """What only Wine needs is off in the program that is shipped, and it needs Windows' own libraries alone."""
    if MARKER in open(program, "rb").read() or MARKER not in open(for_wine, "rb").read():
        raise AssertionError("what only Wine needs is in the program that is shipped (or the mark of it is gone)")
    libraries = {name.lower() for name in re.findall(r"DLL Name: (\S+)", run("x86_64-w64-mingw32-objdump", "-p", program).stdout.decode())}
    expect(sorted(libraries - WINDOWS_LIBRARIES), [], "other libraries than Windows' own")


def compile_pagent():
    """ssh2's pagent.exe makes its map without a security descriptor. It ships for 32 bits, which this Wine does not run: its own
    source, for 64."""
    pagent = os.path.join(FOLDER, "pagent.exe")
    source = os.path.join(TOP, "tests", "node_modules", "ssh2", "util", "pagent.c")
    subprocess.run(["x86_64-w64-mingw32-gcc", "-w", "-O1", "-o", pagent, source], check=True)
    return pagent


def refused_start(program, words, *options, status=4):
    done = run("wine", program, *options)
    text = done.stderr.decode()
    if done.returncode != status or words not in text:
        raise AssertionError(f"status {done.returncode}: {text}")
