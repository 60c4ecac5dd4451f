"""cygwin-hostile.py FILE: clients of an agent behind a Cygwin socket file, well-behaved in odd ways and hostile ones, all at once.
Prints "ok NAME" or "not ok NAME: why"."""
import asyncio
import os
import re
import resource
import struct
import sys
import time

LIST = b"\0\0\0\1\x0b"
DEADLINE_S = 5

with open(sys.argv[1], "rb") as file:
    text = file.read()
found = re.fullmatch(rb"!<socket >(\d+) s ([0-9A-F]{8})-([0-9A-F]{8})-([0-9A-F]{8})-([0-9A-F]{8})\0", text)
port = int(found.group(1))
secret = b"".join(struct.pack("<I", int(word, 16)) for word in found.groups()[1:])
credentials = struct.pack("<iII", os.getpid(), 1000, 1001)


async def dial():
    return await asyncio.open_connection("127.0.0.1", port)


async def send(writer, data, piece, pause):
    for at in range(0, len(data), piece):
        writer.write(data[at:at + piece])
        await writer.drain()
        await asyncio.sleep(pause)


async def handshake(piece=100, pause=0.0):
    reader, writer = await dial()
    await send(writer, secret, piece, pause)
    assert await reader.readexactly(16) == secret, "the secret came back wrong"
    await send(writer, credentials, piece, pause)
    answer = struct.unpack("<iII", await reader.readexactly(12))
    assert answer[1:] == (1000, 1001), f"the credentials are {answer}"
    return reader, writer


async def list_keys(reader, writer):
    writer.write(LIST)
    length = struct.unpack(">I", await reader.readexactly(4))[0]
    answer = await reader.readexactly(length)
    assert answer[0] == 12 and struct.unpack(">I", answer[1:5])[0] == 1, f"the agent answered {answer[:20]!r}"


async def whole(piece=100, pause=0.0):
    reader, writer = await handshake(piece, pause)
    await list_keys(reader, writer)
    writer.close()


async def bytewise_at_once():
    await asyncio.gather(*(whole(1, 0.02) for _ in range(50)))


async def wrong_secrets():
    for bit in range(0, 128, 5):
        reader, writer = await dial()
        wrong = bytearray(secret)
        wrong[bit // 8] ^= 1 << bit % 8
        writer.write(bytes(wrong) + credentials + LIST)
        try:
            said = await asyncio.wait_for(reader.read(), 2)
        except ConnectionResetError:
            said = b""
        assert said == b"", f"said {said!r} to a wrong secret"
        writer.close()


async def truncated():
    for length in range(28):
        _, writer = await dial()
        writer.write((secret + credentials)[:length])
        writer.close()
    await whole()


async def stalled():
    """40 who stall at every point are closed when their time is over, not before; others are served meanwhile."""
    start = time.monotonic()
    peers = []
    for i in range(40):
        reader, writer = await dial()
        writer.write((secret + credentials)[:i % 28])
        peers.append((reader, writer))

    async def ended(i, reader):
        data = await asyncio.wait_for(reader.read(), DEADLINE_S + 3)
        assert data == (secret if i % 28 >= 16 else b""), f"{i} got {data!r}"
        took = time.monotonic() - start
        assert took > DEADLINE_S - 0.5, f"closed after {took:.1f} s"

    async def others():
        for _ in range(20):
            await whole()
            await asyncio.sleep(0.1)

    await asyncio.gather(others(), *(ended(i, reader) for i, (reader, _) in enumerate(peers)))
    for _, writer in peers:
        writer.close()


async def flood():
    """300 who say nothing: the oldest give way, and who talks is served at once."""
    peers = [await dial() for _ in range(300)]
    start = time.monotonic()
    await whole()
    took = time.monotonic() - start
    assert took < 2, f"it took {took:.1f} s"
    for _, writer in peers:
        writer.close()


async def thousand():
    """1,000 connections that stay, each answered."""
    peers = []
    for _ in range(1000):
        peers.append(await handshake())
    await asyncio.gather(*(list_keys(reader, writer) for reader, writer in peers))
    for _, writer in peers:
        writer.close()


async def main():
    failed = 0
    for case in (bytewise_at_once, wrong_secrets, truncated, flood, thousand, stalled):
        try:
            await case()
            print(f"ok {case.__name__}")
        except (AssertionError, OSError, EOFError, asyncio.TimeoutError) as error:
            print(f"not ok {case.__name__}: {type(error).__name__} {error}")
            failed += 1
    return failed


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
sys.exit(1 if asyncio.run(main()) else 0)
