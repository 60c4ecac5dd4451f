"""library-asyncssh.py HOME PORT WORK ...: the works of library-client.c and library-server.c with asyncssh."""
import asyncio
import os
import sys
import time

import asyncssh

HOME, PORT, WORK, *WORDS = sys.argv[1:]
CIPHER = ["aes128-gcm@openssh.com"]


def connect(port=int(PORT), kex="curve25519-sha256", keys=(f"{HOME}/user",)):
    return asyncssh.connect("127.0.0.1", port, username=os.environ["BENCH_USER"], client_keys=list(keys) or None, known_hosts=None, config=None,
                            agent_path=None, encryption_algs=CIPHER, kex_algs=[kex], compression_algs=["none"])


class Open(asyncssh.SSHServer):
    def begin_auth(self, username):
        return WORK != "pair"


async def listen():
    return await asyncssh.create_server(Open, "127.0.0.1", 0, server_host_keys=[f"{HOME}/host"], process_factory=lambda process: process.exit(0),
                                        authorized_client_keys=f"{HOME}/authorized_keys", encryption_algs=CIPHER, compression_algs=["none"])


def port_of(server):
    return server.sockets[0].getsockname()[1]


async def stdin_ends():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def sign_in(kex, count):
    for _ in range(int(count)):
        async with connect(kex=kex):
            pass


async def pair(kex, count):
    server = await listen()
    begun = time.monotonic()
    for _ in range(int(count)):
        async with connect(port_of(server), kex, ()):
            pass
    return begun


async def get(remote, local):
    async with connect() as connection:
        begun = time.monotonic()
        async with connection.start_sftp_client() as sftp:
            await sftp.get(remote, local)
        return begun


async def put(local, remote):
    async with connect() as connection:
        begun = time.monotonic()
        async with connection.start_sftp_client() as sftp:
            await sftp.put(local, remote)
        return begun


async def execute(command):
    async with connect() as connection:
        begun = time.monotonic()
        process = await connection.create_process(command, encoding=None)
        while await process.stdout.read(1 << 20):
            pass
        return begun


async def forward(target):
    async with connect() as connection:
        listener = await connection.forward_local_port("127.0.0.1", 0, "127.0.0.1", int(target))
        print(listener.get_port(), flush=True)
        await stdin_ends()


async def channels(count, at_once):
    left = int(count)

    async def worker(connection):
        nonlocal left
        while left:
            left -= 1
            await connection.run("true", check=True)
    async with connect() as connection:
        begun = time.monotonic()
        await asyncio.gather(*[worker(connection) for _ in range(int(at_once))])
        return begun


async def serve():
    server = await listen()
    print(port_of(server), flush=True)
    await stdin_ends()
    os._exit(0)


async def main():
    begun = time.monotonic()
    works = {"sign-in": sign_in, "pair": pair, "get": get, "put": put, "exec": execute, "forward": forward, "channels": channels, "serve": serve}
    later = await works[WORK](*WORDS)
    if WORK != "forward":
        print(time.monotonic() - (later or begun))


asyncio.run(main())
