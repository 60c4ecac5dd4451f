#!/usr/bin/env python3
"""agent-clients.py DIRECTORY PORT PID: asyncssh and paramiko with the agent of SSH_AUTH_SOCK (process PID), and crowds of connections.
DIRECTORY holds agent-peers.sh's keys and answers."""
import asyncio
import os
import resource
import socket
import struct
import subprocess
import sys
import time
import warnings

warnings.simplefilter("ignore")
import asyncssh  # noqa: E402
import paramiko  # noqa: E402

import agent_wire as wire  # noqa: E402

HOME, PORT, PID = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
PATH = os.environ["SSH_AUTH_SOCK"]
REPORT = wire.Report()
LISTED = wire.frame(bytes([wire.LIST]))


def answer(name, text):
    with open(os.path.join(HOME, name), "w", encoding="ascii") as file:
        file.write(text + "\n")


async def asyncssh_cases():
    agent = await asyncssh.connect_agent(PATH)
    names = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa2048"]
    keys = [asyncssh.read_private_key(os.path.join(HOME, name)) for name in names]
    await agent.add_keys(keys)
    pairs = await agent.get_keys()
    REPORT.check("asyncssh: list", None if len(pairs) == len(names) else f"{len(pairs)} keys")
    for pair, key in zip(pairs, keys):
        signature = await pair.sign_async(b"data") if hasattr(pair, "sign_async") else await agent.sign(pair.public_data, b"data", 0)
        public = key.convert_to_public()
        REPORT.check(f"asyncssh: sign with {pair.get_comment()}", None if public.verify(b"data", signature) else "it does not verify")
    await agent.remove_keys(pairs[:2])
    REPORT.check("asyncssh: remove", None if len(await agent.get_keys()) == 3 else "other keys are left")
    await agent.lock("pass phrase")
    REPORT.check("asyncssh: lock", None if not await agent.get_keys() else "keys are listed")
    await agent.unlock("pass phrase")
    REPORT.check("asyncssh: unlock", None if len(await agent.get_keys()) == 3 else "other keys")
    await agent.remove_all()
    await agent.add_keys(keys[:1], lifetime=1)
    REPORT.check("asyncssh: lifetime, at first", None if len(await agent.get_keys()) == 1 else "not there")
    await asyncio.sleep(1.5)
    REPORT.check("asyncssh: lifetime, after", None if not await agent.get_keys() else "still there")
    await agent.add_keys(keys[:1], confirm=True)
    answer("yes", "1")
    try:
        await agent.sign(keys[0].public_data, b"data", 0)
        REPORT.check("asyncssh: confirm, no", "signed")
    except ValueError:
        REPORT.check("asyncssh: confirm, no", None)
    answer("yes", "0")
    await agent.sign(keys[0].public_data, b"data", 0)
    REPORT.check("asyncssh: confirm, yes", None)
    await agent.add_keys(keys[:1])
    async with asyncssh.connect("127.0.0.1", PORT, username=os.environ.get("USER") or "root", agent_path=PATH, known_hosts=None,
                                config=[], agent_forwarding=True) as connection:
        result = await connection.run("ssh-add -l | grep -c SHA256")
        REPORT.check("asyncssh: login and forwarding", None if result.stdout == "1\n" else repr(result.stdout))
    await agent.remove_all()
    agent.close()


def paramiko_cases():
    for name in ("ed25519", "rsa2048", "ecdsa256"):
        subprocess.run(["ssh-add", "-q", os.path.join(HOME, name)], check=True, stderr=subprocess.DEVNULL)
    agent = paramiko.Agent()
    keys = agent.get_keys()
    REPORT.check("paramiko: list", None if len(keys) == 3 else f"{len(keys)} keys")
    signature = keys[0].sign_ssh_data(b"data")
    public = paramiko.Ed25519Key(data=keys[0].asbytes())
    REPORT.check("paramiko: sign", None if public.verify_ssh_sig(b"data", paramiko.Message(signature)) else "it does not verify")
    agent.close()
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", PORT, username=os.environ.get("USER") or "root", allow_agent=True, look_for_keys=False)
    output = client.exec_command("echo here")[1].read()
    client.close()
    REPORT.check("paramiko: login", None if output == b"here\n" else repr(output))


def rss_kib():
    with open(f"/proc/{PID}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def ask(link):
    link.send(LISTED)
    return link.reply()


def crowds():
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    expected = ask(wire.Connection(PATH))
    descriptors, start = len(os.listdir(f"/proc/{PID}/fd")), time.monotonic()
    before, wrong = rss_kib(), 0
    for _ in range(10000):
        link = wire.Connection(PATH)
        wrong += ask(link) != expected
        link.close()
    REPORT.check("10,000 connections one after another", wrong and f"{wrong} wrong replies")
    grown = rss_kib() - before
    # ASan's quarantine is counted too.
    REPORT.check("they cost no memory", f"{grown} KiB" if grown > (4096 if not SANITIZED else 65536) else None)
    links = [wire.Connection(PATH) for _ in range(1000)]
    for link in links:
        link.send(LISTED)
    wrong = sum(link.reply() != expected for link in links)
    REPORT.check("1,000 at once", wrong and f"{wrong} wrong replies")
    # Each stalls: in the length, in the message, and one that does not read what it asked for.
    for number, link in enumerate(links):
        link.send(LISTED[:3] if number % 2 else wire.frame(bytes(1000))[:500])
    greedy = wire.Connection(PATH, 0.5)
    try:
        for _ in range(2000):
            greedy.socket.sendall(LISTED * 20)
    except (socket.timeout, TimeoutError, OSError):
        pass
    slow = 0
    for _ in range(50):
        begun = time.monotonic()
        link = wire.Connection(PATH)
        wrong += ask(link) != expected
        link.close()
        slow = max(slow, time.monotonic() - begun)
    REPORT.check("stalled peers do not hurt others", f"{wrong} wrong" if wrong else f"{slow:.2f} s" if slow > 1 else None)
    REPORT.check("what is not read is bounded", f"{rss_kib() - before} KiB" if rss_kib() - before > 65536 * (4 if SANITIZED else 1) else None)
    # It reads on, and gets everything in order.
    greedy.socket.settimeout(20)
    got = 0
    try:
        while got < 500:
            wrong += greedy.reply() != expected
            got += 1
    except (wire.Closed, struct.error, OSError) as error:
        wrong += 1
        print(f"# after {got} replies: {error!r}")
    REPORT.check("the one that did not read gets its replies", wrong and f"{wrong} wrong replies")
    greedy.close()
    for link in links:
        link.close()
    for _ in range(100):
        if len(os.listdir(f"/proc/{PID}/fd")) <= descriptors + 1:
            break
        time.sleep(0.05)
    left = len(os.listdir(f"/proc/{PID}/fd")) - descriptors
    REPORT.check("closed connections leave nothing", f"{left} descriptors" if left > 1 else None)
    print(f"# crowds: {time.monotonic() - start:.1f} s")


with open(f"/proc/{PID}/maps", "rb") as maps:
    SANITIZED = b"libasan" in maps.read()
asyncio.run(asyncssh_cases())
paramiko_cases()
crowds()
subprocess.run(["ssh-add", "-q", "-D"], check=True, stderr=subprocess.DEVNULL)
REPORT.finish()
