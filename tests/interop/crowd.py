#!/usr/bin/python3
"""crowd.py PORT PID COUNT KEY: so many connections of asyncssh to one server at once, each signed in; then a program on each. Prints
what memory of process PID an idle connection takes (a sanitizer's build takes several times what others do)."""
import asyncio
import resource
import sys
import warnings

warnings.simplefilter("ignore")
import asyncssh  # noqa: E402

PORT, PID, COUNT, KEY = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
ALGORITHMS = dict(kex_algs=["curve25519-sha256"], encryption_algs=["aes128-gcm@openssh.com"], compression_algs=["none"])


def memory():
    with open(f"/proc/{PID}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


async def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, COUNT + 200), hard), hard))
    gate = asyncio.Semaphore(16)  # the server closes what comes while 100 are not signed in
    key = asyncssh.read_private_key(KEY)

    async def connect():
        async with gate:
            return await asyncssh.connect("127.0.0.1", PORT, username="somebody", known_hosts=None, client_keys=[key], agent_path=None,
                                          config=None, login_timeout=100, connect_timeout=100, **ALGORITHMS)

    async def run(connection, number):
        async with gate:
            result = await connection.run(f"echo {number}")
            return result.stdout == f"{number}\n" and result.exit_status == 0

    before = memory()
    connections = await asyncio.gather(*(connect() for _ in range(COUNT)))
    await asyncio.sleep(0.5)
    idle = (memory() - before) / COUNT
    # On every tenth: starting 1,000 shells is not what this is about.
    good = await asyncio.gather(*(run(connection, number) for number, connection in enumerate(connections) if number % 10 == 0))
    for connection in connections:
        connection.close()
    await asyncio.gather(*(connection.wait_closed() for connection in connections))
    print(f"# {idle:.0f} KiB an idle connection")
    print(f"ok {COUNT} connections to one process" if all(good) else f"not ok {COUNT} connections: {good.count(False)} programs failed")
    return 0 if all(good) else 1


try:
    status = asyncio.run(main())
except Exception as error:  # pylint: disable=broad-except
    status = 1
    print(f"not ok {COUNT} connections to one process: {error!r}")
sys.exit(status)
