#!/usr/bin/python3
"""peers.py BUILD DIRECTORY PORT PORT-PEER: asyncssh and paramiko as clients of core/examples/sshd (and of peer-server, for what an
application answers), and as servers of our client. peers.sh makes DIRECTORY's keys and certificates."""
import asyncio
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings

warnings.simplefilter("ignore")
import asyncssh  # noqa: E402
import paramiko  # noqa: E402

from agent_wire import Report  # noqa: E402

BUILD, DIRECTORY, PORT, PEER = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
REPORT = Report()
DATA = bytes((at * 131 + (at >> 8) * 7 + (at >> 16)) & 255 for at in range(1 << 20)) * 5


def at(*names):
    return os.path.join(DIRECTORY, *names)


def same(got, expected, what="it"):
    if got != expected:
        raise AssertionError(f"{what} is {str(got)[:300]!r}, not {str(expected)[:300]!r}")


def why(error):
    return "".join(traceback.format_exception_only(type(error), error)).strip() + f" at line {error.__traceback__.tb_next.tb_lineno}" \
        if error.__traceback__ and error.__traceback__.tb_next else repr(error)


async def case(name, body):
    if os.environ.get("CASES", "") not in name:
        return
    try:
        await asyncio.wait_for(body, 60)
        REPORT.check(name, None)
    except (Exception, asyncio.CancelledError) as error:  # pylint: disable=broad-except
        if os.environ.get("DEBUG"):
            traceback.print_exc()
        REPORT.check(name, why(error).replace("\n", " | "))


# --- asyncssh, a client of ours ---

def connect(**more):
    options = dict(host="127.0.0.1", port=PORT, username="somebody", known_hosts=at("known_hosts"), client_keys=None, agent_path=None,
                   config=None, login_timeout=60, preferred_auth=())
    if "password" in more:
        options["preferred_auth"] = "password"
    if more.get("client_keys"):
        options["preferred_auth"] = "publickey"
    options.update(more)
    return asyncssh.connect(**options)


class Answers(asyncssh.SSHClient):
    """Keyboard-interactive, and a password that is too old."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def kbdint_auth_requested(self):
        return ""

    def kbdint_challenge_received(self, name, instructions, lang, prompts):
        self.asked.append((name, instructions, [tuple(prompt) for prompt in prompts]))
        return [self.answer(prompt) for prompt, _ in prompts]

    def password_change_requested(self, prompt, lang):
        return "secret", "newer"


async def asyncssh_sign_in():
    async def works(**more):
        async with connect(**more) as connection:
            same((await connection.run("echo in")).stdout, "in\n")

    await case("asyncssh signs in by password", works(password="secret"))
    for kind in "ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa":
        await case(f"asyncssh signs in by a key, {kind}", works(client_keys=[at(f"id_{kind}")]))
    await case("asyncssh signs in by a certificate", works(client_keys=[(at("id_certified"), at("id_certified-cert.pub"))]))

    async def refused():
        try:
            async with connect(client_keys=[at("id_stranger")]):
                raise AssertionError("it is let in")
        except asyncssh.PermissionDenied:
            pass
        try:
            async with connect(client_keys=[(at("id_stranger"), at("id_stranger-cert.pub"))]):
                raise AssertionError("a certificate for others is let in")
        except asyncssh.PermissionDenied:
            pass
    await case("asyncssh is refused with other keys and certificates", refused())

    async def host_certificate():
        async with connect(password="secret", known_hosts=at("known_authority"), server_host_key_algs=["ssh-ed25519-cert-v01@openssh.com"]):
            pass
        try:
            async with connect(password="secret", known_hosts=at("known_other_authority"),
                               server_host_key_algs=["ssh-ed25519-cert-v01@openssh.com"]):
                raise AssertionError("another authority's is taken")
        except asyncssh.HostKeyNotVerifiable:
            pass
    await case("asyncssh sees the host's certificate", host_certificate())

    async def interactive():
        client = Answers(lambda prompt: "secret")
        async with connect(client_factory=lambda: client, preferred_auth="keyboard-interactive") as connection:
            same((await connection.run("echo in")).stdout, "in\n")
        client = Answers(str.upper)
        async with connect(port=PEER, username="rounds", client_factory=lambda: client, preferred_auth="keyboard-interactive") as connection:
            same((await connection.run("story")).stdout.split()[-2:], ["keyboard-interactive(C:", ")"])
        same([asked for _, _, asked in client.asked], [[("a: ", True), ("b: ", False)], [("c: ", True)]])
    await case("asyncssh signs in by keyboard-interactive", interactive())

    async def change():
        async with connect(port=PEER, username="change", password="secret", client_factory=lambda: Answers(None)) as connection:
            same((await connection.run("story")).stdout.split()[-2:], ["password", "change"])
    await case("asyncssh changes a password", change())

    async def hostbased():
        async with connect(port=PEER, username="host", preferred_auth="hostbased", client_host_keys=[at("id_ed25519")],
                           client_host="here.example", client_username="me") as connection:
            same((await connection.run("story")).stdout.strip(), "none hostbased(me@here.example)ssh-ed25519")
    await case("asyncssh signs in hostbased", hostbased())

    async def both():
        async with connect(port=PEER, username="both", client_keys=[at("id_ed25519")], password="secret",
                           preferred_auth="publickey,password") as connection:
            same((await connection.run("story")).stdout.split()[-1], "password")
    await case("asyncssh goes on after a partial success", both())


async def asyncssh_sessions():
    async with connect(password="secret") as connection:
        async def statuses():
            for status in 0, 1, 255:
                same((await connection.run(f"exit {status}")).exit_status, status)
            same((await connection.run("kill -USR1 $$")).exit_signal[:2], ("USR1", False))
        await case("asyncssh: exit status and signal", statuses())

        async def apart():
            result = await connection.run("cat; echo err >&2", input="in")
            same((result.stdout, result.stderr), ("in", "err\n"))
        await case("asyncssh: stdin, stdout and stderr", apart())

        async def pty():
            result = await connection.run("echo $TERM; stty size; stty -a", term_type="vt100", term_size=(70, 20),
                                          term_modes={asyncssh.PTY_ECHO: 0, asyncssh.PTY_VINTR: 7})
            same(result.stdout.replace("\r", "").split("\n")[:2], ["vt100", "20 70"])
            same(("-echo " in result.stdout, "intr = ^G" in result.stdout), (True, True), result.stdout)
            async with connection.create_process("trap 'stty size; exit 3' WINCH; echo up; while :; do sleep 0.05; done",
                                                 term_type="vt100") as process:
                same((await process.stdout.readline()).strip(), "up")
                process.change_terminal_size(99, 44)
                same((await process.stdout.readline()).strip(), "44 99")
                same((await process.wait()).exit_status, 3)
        await case("asyncssh: pty and window-change", pty())

        async def signal():
            async with connection.create_process("trap 'exit 6' TERM; echo up; while :; do sleep 0.05; done") as process:
                await process.stdout.readline()
                process.send_signal("TERM")
                same((await process.wait()).exit_status, 6)
        await case("asyncssh: signal", signal())

        async def crowd():
            results = await asyncio.gather(*(connection.run(f"cat; exit {n % 256}", input=f"{n}") for n in range(200)))
            same([(result.stdout, result.exit_status) for result in results], [(str(n), n % 256) for n in range(200)])
        await case("200 channels at once on one connection, asyncssh", crowd())

    async def rekey():
        async with connect(password="secret", rekey_bytes=1 << 20) as connection:
            result = await connection.run("cat", input=DATA, encoding=None)
            same(hashlib.md5(result.stdout).digest(), hashlib.md5(DATA).digest())
    await case("asyncssh exchanges keys every MiB", rekey())

    async def algorithms():
        for encryption in "chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-cbc", "3des-cbc", "arcfour256", \
                "arcfour128", "arcfour", "blowfish-cbc", "cast128-cbc":
            async with connect(password="secret", encryption_algs=[encryption], compression_algs=["zlib"]) as connection:
                result = await connection.run("cat", input=DATA[:300000], encoding=None)
                same(result.stdout == DATA[:300000], True, encryption)
        for mac in "hmac-md5-96", "hmac-sha1-96", "hmac-md5", "hmac-sha1-etm@openssh.com", "hmac-sha2-512":
            async with connect(password="secret", encryption_algs=["aes192-ctr"], mac_algs=[mac]) as connection:
                same((await connection.run("echo x")).stdout, "x\n", mac)
    await case("asyncssh: ciphers, RC4 as RFC 4253 has it too, and MACs", algorithms())

    async def agent():
        async with connect(preferred_auth="publickey", agent_path=at("agent.sock"), agent_forwarding=True, client_keys=()) as connection:
            listed = (await connection.run("ssh-add -L")).stdout.split()[:2]
            same(listed, open(at("id_ed25519.pub"), encoding="ascii").read().split()[:2])
    await case("asyncssh signs in by the agent and forwards it", agent())


async def asyncssh_sftp():
    async with connect(password="secret") as connection, connection.start_sftp_client() as sftp:
        there = at("asyncssh")

        async def files():
            await sftp.mkdir(there)
            with open(at("data"), "wb") as file:
                file.write(DATA)
            await sftp.put(at("data"), there + "/a", preserve=True)
            await sftp.get(there + "/a", at("data-back"))
            same(open(at("data-back"), "rb").read() == DATA, True)
            await sftp.posix_rename(there + "/a", there + "/b")
            await sftp.symlink("b", there + "/l")
            await sftp.link(there + "/b", there + "/h")
            same((os.readlink(there + "/l"), await sftp.readlink(there + "/l"), os.stat(there + "/h").st_nlink), ("b", "b", 2))
            await sftp.chmod(there + "/b", 0o600)
            await sftp.truncate(there + "/b", 10)
            same(((await sftp.stat(there + "/b")).size, os.stat(there + "/b").st_mode & 0o777), (10, 0o600))
            same((await sftp.statvfs(there)).namemax > 0, True)
            async with sftp.open(there + "/b", "ab") as file:
                await file.write(b"more")
                await file.fsync()
            same(sorted(await sftp.listdir(there)), [".", "..", "b", "h", "l"])
            await sftp.rmtree(there)
            same(os.path.exists(there), False)
        await case("asyncssh: SFTP", files())


async def echo_server(path=None):
    async def serve(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    if path:
        return await asyncio.start_unix_server(serve, path)
    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def echoes(reader, writer, data=DATA):
    async def send():
        writer.write(data)
        await writer.drain()
        writer.write_eof()
    sender = asyncio.ensure_future(send())
    got = b"".join([part async for part in reader_parts(reader)])
    await sender
    writer.close()
    same(hashlib.md5(got).digest(), hashlib.md5(data).digest(), f"the echo ({len(got)} bytes)")


async def reader_parts(reader):
    while part := await reader.read(65536):
        yield part


async def asyncssh_forwards():
    server, far = await echo_server(), at("far.sock")
    unix = await echo_server(far)
    port = server.sockets[0].getsockname()[1]
    async with connect(password="secret") as connection:
        async def out():
            await echoes(*await connection.open_connection("127.0.0.1", port, encoding=None))
            await echoes(*await connection.open_unix_connection(far, encoding=None))
            async with connection.forward_local_port("127.0.0.1", 0, "127.0.0.1", port) as listener:
                await asyncio.gather(*(asyncio.ensure_future(through(listener.get_port())) for _ in range(3)))
        await case("asyncssh: forwards to here", out())

        async def back():
            async with connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", port) as listener:
                await through(listener.get_port())
            async with connection.forward_remote_path(at("back.sock"), far):
                await echoes(*await asyncio.open_unix_connection(at("back.sock")))
        await case("asyncssh: forwards back", back())
    server.close()
    unix.close()


async def through(port):
    await echoes(*await asyncio.open_connection("127.0.0.1", port))


# --- asyncssh, a server of our client ---

class Server(asyncssh.SSHServer):
    """Everybody's: password "secret", keyboard-interactive, the keys of authorized; and forwards."""
    methods = None

    def connection_made(self, conn):
        self.connection = conn

    def begin_auth(self, username):
        return True

    def public_key_auth_supported(self):
        return self.methods != "password"

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        if username == "change" and password == "secret":
            raise asyncssh.PasswordChangeRequired("It is too old.")
        return password == "secret"

    def change_password(self, username, old_password, new_password):
        return new_password == "newer"

    def kbdint_auth_supported(self):
        return True

    def get_kbdint_challenge(self, username, lang, submethods):
        return "one", "first", "en", [("a: ", False), ("b: ", True)]

    def validate_kbdint_response(self, username, responses):
        if list(responses) == ["ja", "ja"]:
            return "two", "", "en", [("c: ", True)]
        return list(responses) == ["ja"]

    def connection_requested(self, dest_host, dest_port, orig_host, orig_port):
        return True

    def server_requested(self, listen_host, listen_port):
        return True

    def unix_connection_requested(self, dest_path):
        return True

    def unix_server_requested(self, listen_path):
        return True


async def run_program(process):
    word, _, argument = process.command.partition(" ")
    if word == "echo":
        async for part in reader_parts(process.stdin):
            process.stdout.write(part)
            await process.stdout.drain()
    elif word == "says":
        process.stdout.write(argument.encode() + b"\n")
        process.stderr.write(b"aside\n")
    elif word == "signal":
        process.channel.exit_with_signal(argument, False, "it fell")
        return
    elif word == "terminal":
        modes = process.channel.get_terminal_modes()
        process.stdout.write(f"{process.term_type} {process.term_size} {modes.get(asyncssh.PTY_ECHO)}\n".encode())
    elif word == "agent":
        async with asyncssh.connect_agent(process.channel.get_connection()) as agent:
            process.stdout.write(f"{len(await agent.get_keys())} keys\n".encode())
    process.exit(int(argument) if word == "exit" else 0)


async def ours(program, *words, status=0, **more):
    process = await asyncio.create_subprocess_exec(os.path.join(BUILD, "tests/interop", program), *map(str, words),
                                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    try:
        out, errors = await asyncio.wait_for(process.communicate(), 50)
    except asyncio.TimeoutError:
        process.kill()
        raise
    if b"Sanitizer" in errors or b"runtime error" in errors:
        raise AssertionError(errors[:1000])
    if status is not None:
        same(process.returncode, status, f"{(out + errors)[-300:]}: the status")
    return out.decode().splitlines()


def has(lines, *wanted):
    for line in wanted:
        if line not in lines:
            raise AssertionError(f"no {line!r} in {lines}")


def setting_words(port, known="known_all"):
    return ["-p", port, "-F", "none", "-o", f"UserKnownHostsFile={at(known)}", "-o", "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none",
            "-o", "IdentitiesOnly=yes", "-o", "User=somebody"]


async def asyncssh_servers():
    listener = await asyncssh.create_server(
        Server, "127.0.0.1", 0, server_host_keys=[(at("host_ed25519"), at("host_ed25519-cert.pub")), at("host_rsa")],
        authorized_client_keys=at("authorized_keys"), process_factory=run_program, encoding=None, sftp_factory=True, config=None,
        login_timeout=60)
    port = listener.sockets[0].getsockname()[1]

    async def sign_in():
        has(await ours("client", "-p", port, "-w", "secret", "x@127.0.0.1", "says hello"), "0 out: hello", "0 err: aside", "0 exit 0")
        has(await ours("client", "-p", port, "-i", "ja", "x@127.0.0.1", "says hello"), "asks one|first|a:  hidden|b: ", "asks two||c: ",
            "0 exit 0")
        has(await ours("client", "-p", port, "-w", "secret", "-N", "newer", "change@127.0.0.1", "says hello"), "0 exit 0")
        for kind in "ed25519", "ecdsa384", "rsa":
            has(await ours("client", "-p", port, "-k", at(f"id_{kind}"), "x@127.0.0.1", "says hello"), "0 exit 0")
        lines = await ours("client", "-p", port, "-k", at("id_stranger"), "x@127.0.0.1", "says hello")
        same(any(line.startswith("closed for good: sign-in to ") for line in lines), True, str(lines))
    await case("asyncssh's server: sign-in", sign_in())

    async def certificates():
        same(await ours("connect", *setting_words(port, "known_authority"), "-i", at("id_certified"), "127.0.0.1", "says certified"),
             ["certified"])
        await ours("connect", *setting_words(port, "known_other_authority"), "-i", at("id_certified"), "127.0.0.1", "says no", status=254)
    await case("asyncssh's server: certificates of both sides", certificates())

    async def programs():
        has(await ours("client", "-p", port, "-w", "secret", "x@127.0.0.1", "exit 7"), "0 exit 7")
        has(await ours("client", "-p", port, "-w", "secret", "x@127.0.0.1", "signal KILL"), "0 signal KILL")
        has(await ours("client", "-p", port, "-w", "secret", "-t", "vt52", "x@127.0.0.1", "terminal"), "0 out: vt52 (100, 50, 0, 0) 0")
        lines = await ours("client", "-p", port, "-w", "secret", "-n", "200", "-b", "3000", "x@127.0.0.1", "echo")
        same(sum(line.endswith(" same 3000") for line in lines), 200, "programs at once")
    await case("asyncssh's server: programs", programs())

    async def rekeying():
        other = await asyncssh.create_server(Server, "127.0.0.1", 0, server_host_keys=[at("host_ed25519")], rekey_bytes=1 << 20,
                                             process_factory=run_program, encoding=None, config=None)
        mine = other.sockets[0].getsockname()[1]
        has(await ours("client", "-p", mine, "-w", "secret", "-b", 6 << 20, "x@127.0.0.1", "echo"), f"0 same {6 << 20}", "0 exit 0")
        has(await ours("client", "-p", port, "-w", "secret", "-o", "RekeyLimit=1M", "-b", 6 << 20, "x@127.0.0.1", "echo"),
            f"0 same {6 << 20}")
        other.close()
    await case("asyncssh's server: key exchanges of both sides", rekeying())

    async def sftp():
        here = at("sftp-here")
        with open(here, "wb") as file:
            file.write(DATA)
        with open(at("sftp-config"), "w", encoding="ascii") as file:
            file.write(f"Host server\n HostName 127.0.0.1\n Port {port}\n User x\n IdentityFile {at('id_ed25519')}\n IdentityAgent none\n"
                       f" UserKnownHostsFile {at('known_all')}\n")
        words = "-F", at("sftp-config"), "-h", "server"
        await ours("sftp-files", *words, "put", here, at("sftp-there"))
        await ours("sftp-files", *words, "get", at("sftp-there"), at("sftp-back"))
        same(open(at("sftp-back"), "rb").read() == DATA, True)
        await ours("sftp-files", *words, "mkdir", at("sftp-tree/a/b"))
        await ours("sftp-files", *words, "link", at("sftp-tree/a/l"), "b")
        same(os.readlink(at("sftp-tree/a/l")), "b")
        same(await ours("sftp-files", *words, "size", at("sftp-there")), [str(len(DATA))])
        await ours("sftp-files", *words, "copy", at("sftp-tree"), at("sftp-copy"))
        await ours("sftp-files", *words, "remove", at("sftp-tree"))
        same((os.path.exists(at("sftp-tree")), os.path.isdir(at("sftp-copy/a/b"))), (False, True))
    await case("asyncssh's server: SFTP", sftp())

    async def forwards():
        server = await echo_server()
        target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            os.path.join(BUILD, "tests/interop/forward-client"), *map(str, setting_words(port)[:2] + setting_words(port)[4:]), "-i", at("id_ed25519"),
            "-L", f"127.0.0.1:0:{target}", "-R", f"127.0.0.1:0:{target}", "127.0.0.1", stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        ports = {}
        while len(ports) < 2:
            line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
            if not line:
                raise AssertionError(f"it ends with {ports}")
            if line.startswith("listening "):
                ports[line.split()[1]] = int(line.split()[2])
        await asyncio.gather(*(through(ports[kind]) for kind in ("-L", "-R", "-L")))
        process.terminate()
        await process.wait()
        server.close()
    await case("asyncssh's server: forwards both ways", forwards())

    async def agent():
        environment = dict(os.environ, SSH_AUTH_SOCK=at("agent.sock"))
        has(await ours("client", "-p", port, "-A", "-a", "x@127.0.0.1", "agent", env=environment), "0 out: 1 keys", "0 exit 0")
    await case("asyncssh's server: the agent signs in and is forwarded", agent())
    listener.close()


# --- paramiko, a client of ours ---

def paramiko_connect(port=PORT, **more):
    client = paramiko.SSHClient()
    client.load_host_keys(at("known_hosts" if port == PORT else "known_peer"))
    options = dict(username="somebody", allow_agent=False, look_for_keys=False, timeout=30, banner_timeout=60, auth_timeout=60)
    client.connect("127.0.0.1", port, **{**options, **more})
    return client


def paramiko_run(client, command, data=b"", **more):
    stdin, stdout, stderr = client.exec_command(command, timeout=30, **more)
    writer = threading.Thread(target=lambda: (stdin.write(data), stdin.flush(), stdin.channel.shutdown_write()))
    writer.start()
    out = stdout.read()
    writer.join()
    return stdout.channel.recv_exit_status(), out, stderr.read()


def paramiko_sign_in():
    for more in {"password": "secret"}, {"key_filename": at("id_ed25519")}, {"key_filename": at("id_ecdsa384")}, {"key_filename": at("id_rsa")}:
        client = paramiko_connect(**more)
        same(paramiko_run(client, "echo in")[1], b"in\n", str(more))
        client.close()
    os.environ["SSH_AUTH_SOCK"] = at("agent.sock")
    client = paramiko_connect(allow_agent=True)
    paramiko.agent.AgentRequestHandler(channel := client.get_transport().open_session())
    channel.exec_command("ssh-add -L")
    same(channel.makefile().read().split()[:2], open(at("id_ed25519.pub"), "rb").read().split()[:2], "what the forwarded agent has")
    client.close()
    transport = paramiko.Transport(("127.0.0.1", PEER))
    transport.start_client(timeout=30)
    transport.auth_interactive("rounds", lambda title, text, prompts: [prompt.upper() for prompt, _ in prompts])
    same(transport.is_authenticated(), True)
    transport.close()
    try:
        paramiko_connect(key_filename=at("id_stranger"))
        raise AssertionError("a stranger is let in")
    except paramiko.AuthenticationException:
        pass


def paramiko_sessions():
    client = paramiko_connect(password="secret")
    same(paramiko_run(client, "cat; echo err >&2; exit 9", b"in"), (9, b"in", b"err\n"))
    stdin, stdout, stderr = client.exec_command("stty size", get_pty=True, timeout=30)
    same(stdout.read().split(), [b"24", b"80"])
    transport = client.get_transport()
    for _ in range(3):
        time.sleep(0.3)  # its thread must not owe a CLOSE while it exchanges keys: it would wait for itself
        transport.renegotiate_keys()
        same(paramiko_run(client, "cat", DATA[:500000])[1] == DATA[:500000], True, "the echo")
    client.close()


def paramiko_sftp():
    client = paramiko_connect(password="secret")
    sftp = client.open_sftp()
    there = at("paramiko")
    sftp.mkdir(there)
    with open(at("data"), "wb") as file:
        file.write(DATA)
    sftp.put(at("data"), there + "/a")
    sftp.get(there + "/a", at("data-paramiko"))
    same(open(at("data-paramiko"), "rb").read() == DATA, True)
    sftp.symlink("a", there + "/l")
    same((os.readlink(there + "/l"), sftp.readlink(there + "/l")), ("a", "a"))
    sftp.posix_rename(there + "/a", there + "/b")
    sftp.chmod(there + "/b", 0o640)
    sftp.truncate(there + "/b", 5)
    same((sftp.stat(there + "/b").st_size, sorted(sftp.listdir(there))), (5, ["b", "l"]))
    with sftp.open(there + "/b", "rb") as file:
        same(file.readv([(0, 2), (2, 3)]) and file.read(), DATA[:5])
    for name in "b", "l":
        sftp.remove(f"{there}/{name}")
    sftp.rmdir(there)
    client.close()


def paramiko_echo(channel):
    data = DATA[:1 << 20]
    threading.Thread(target=lambda: (channel.sendall(data), channel.shutdown(1)), daemon=True).start()
    channel.settimeout(30)
    got = b""
    while part := channel.recv(65536):
        got += part
    same(got == data, True, f"the echo ({len(got)} bytes)")
    channel.close()


def serve_echo(listener):
    def serve(peer):
        while part := peer.recv(65536):
            peer.sendall(part)
        peer.shutdown(socket.SHUT_WR)

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def paramiko_forwards():
    client = paramiko_connect(password="secret")
    transport = client.get_transport()
    port = serve_echo(socket.create_server(("127.0.0.1", 0)))
    for _ in range(2):
        paramiko_echo(transport.open_channel("direct-tcpip", ("127.0.0.1", port), ("127.0.0.1", 9)))
    bound = transport.request_port_forward("127.0.0.1", 0)

    def back():
        channel = transport.accept(20)
        while part := channel.recv(65536):
            channel.sendall(part)
        channel.shutdown(1)
    threading.Thread(target=back, daemon=True).start()
    paramiko_echo(socket.create_connection(("127.0.0.1", bound), 20))
    transport.cancel_port_forward("127.0.0.1", bound)
    try:
        socket.create_connection(("127.0.0.1", bound), 5).close()
        raise AssertionError("it still listens")
    except ConnectionRefusedError:
        pass
    client.close()


# --- paramiko, a server of our client ---

class ParamikoServer(paramiko.ServerInterface):
    def check_auth_password(self, username, password):
        return paramiko.AUTH_SUCCESSFUL if password == "secret" else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username, key):
        ours_too = open(at("authorized_keys"), encoding="ascii").read()
        if key.get_base64() not in ours_too:
            return paramiko.AUTH_FAILED
        return paramiko.AUTH_PARTIALLY_SUCCESSFUL if username == "both" else paramiko.AUTH_SUCCESSFUL

    def check_auth_interactive(self, username, submethods):
        return paramiko.InteractiveQuery("one", "first", ("a: ", True))

    def check_auth_interactive_response(self, responses):
        return paramiko.AUTH_SUCCESSFUL if responses == ["ja"] else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username):
        return "publickey,password,keyboard-interactive"

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_pty_request(self, channel, term, width, height, pixelwidth, pixelheight, modes):
        channel.terminal = f"{term.decode()} {width}x{height}"
        return True

    def check_channel_direct_tcpip_request(self, chanid, origin, destination):
        self.tunnels = getattr(self, "tunnels", set()) | {chanid}
        return paramiko.OPEN_SUCCEEDED

    def check_port_forward_request(self, address, port):
        self.forward = address, 4242
        return 4242

    def check_channel_exec_request(self, channel, command):
        threading.Thread(target=self.run, args=(channel, command.decode()), daemon=True).start()
        return True

    def run(self, channel, command):
        time.sleep(0.05)  # the reply to exec comes first
        word, _, argument = command.partition(" ")
        if word == "echo":
            while part := channel.recv(65536):
                channel.sendall(part)
        elif word == "says":
            channel.sendall(argument.encode() + b"\n")
            channel.sendall_stderr(b"aside\n")
        elif word == "terminal":
            channel.sendall(channel.terminal.encode() + b"\n")
        channel.send_exit_status(int(argument) if word == "exit" else 0)
        channel.shutdown(1)
        channel.close()


def paramiko_listen():
    listener = socket.create_server(("127.0.0.1", 0))
    keep = []

    def echo(channel):
        while part := channel.recv(65536):
            channel.sendall(part)
        channel.shutdown(1)

    def serve(peer):
        transport = paramiko.Transport(peer)
        transport.add_server_key(paramiko.Ed25519Key(filename=at("host_ed25519")))
        transport.add_server_key(paramiko.RSAKey(filename=at("host_rsa")))
        server, channels = ParamikoServer(), []
        keep.append((transport, server))
        try:
            transport.start_server(server=server)
            while transport.is_active():
                channel = transport.accept(1)
                channels.append(channel)  # it closes what nobody refers to
                if channel and channel.get_id() in getattr(server, "tunnels", ()):
                    threading.Thread(target=echo, args=(channel,), daemon=True).start()
                if server and getattr(server, "forward", None):
                    address, server.forward = server.forward, None
                    threading.Timer(0.3, lambda: keep.append(transport.open_forwarded_tcpip_channel(("127.0.0.1", 7), address))).start()
        except (paramiko.SSHException, EOFError, OSError):
            pass

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1], keep


async def paramiko_servers():
    port, keep = paramiko_listen()

    async def sign_in():
        for words in ("-w", "secret"), ("-i", "ja"), ("-k", at("id_ed25519")), ("-k", at("id_ecdsa256")), ("-k", at("id_rsa")):
            has(await ours("client", "-p", port, *words, "x@127.0.0.1", "says hello"), "0 out: hello", "0 err: aside", "0 exit 0")
        has(await ours("client", "-p", port, "-k", at("id_ed25519"), "-w", "secret", "both@127.0.0.1", "exit 4"), "0 exit 4")
        has(await ours("client", "-p", port, "-A", "x@127.0.0.1", "says hello", env=dict(os.environ, SSH_AUTH_SOCK=at("agent.sock"))),
            "0 exit 0")
    await case("paramiko's server: sign-in", sign_in())

    async def programs():
        has(await ours("client", "-p", port, "-w", "secret", "-t", "vt52", "x@127.0.0.1", "terminal"), "0 out: vt52 100x50")
        has(await ours("client", "-p", port, "-w", "secret", "-n", 20, "-b", 200000, "x@127.0.0.1", "echo"), "19 same 200000", "19 exit 0")
        has(await ours("client", "-p", port, "-w", "secret", "-o", "RekeyLimit=1M", "-b", 3 << 20, "x@127.0.0.1", "echo"), f"0 same {3 << 20}")
    await case("paramiko's server: programs, and our key exchanges", programs())

    async def forwards():
        server = await echo_server()
        process = await asyncio.create_subprocess_exec(
            os.path.join(BUILD, "tests/interop/forward-client"), *map(str, setting_words(port)[:2] + setting_words(port)[4:]), "-i",
            at("id_ed25519"), "-L", "127.0.0.1:0:far.example:7", "-R", f"127.0.0.1:0:127.0.0.1:{server.sockets[0].getsockname()[1]}",
            "127.0.0.1", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        ports = {}
        while len(ports) < 2:
            line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
            if not line:
                raise AssertionError(f"it ends with {ports}")
            if line.startswith("listening "):
                ports[line.split()[1]] = int(line.split()[2])
        same(ports["-R"], 4242)
        await through(ports["-L"])
        for _ in range(100):
            channels = [channel for channel in keep if isinstance(channel, paramiko.Channel)]
            if channels:
                break
            await asyncio.sleep(0.1)
        await asyncio.to_thread(paramiko_echo, channels[0])
        process.terminate()
        await process.wait()
        server.close()
    await case("paramiko's server: forwards both ways", forwards())


async def main():
    suites = asyncssh_sign_in, asyncssh_sessions, asyncssh_sftp, asyncssh_forwards, asyncssh_servers, paramiko_servers
    for suite in suites:
        await suite()
    for name, body in (("paramiko signs in by each method", paramiko_sign_in), ("paramiko: programs, pty, key exchanges", paramiko_sessions),
                       ("paramiko: SFTP", paramiko_sftp), ("paramiko: forwards both ways", paramiko_forwards)):
        await case(name, asyncio.to_thread(body))


asyncio.run(main())
sys.stdout.flush()
os._exit(1 if REPORT.failures else 0)
