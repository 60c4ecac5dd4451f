#!/usr/bin/python3
"""dialog.py [EXPECT ANSWER]... -- COMMAND...: runs the command on a terminal of its own and answers its questions in turn, each when
EXPECT is seen. The answer ^C is the key, "size 50x100" gives the terminal so many rows and columns, and - is none. Prints all that
the terminal showed; the status is the command's, 128 + N for a signal, 99 when a question did not come."""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

split = sys.argv.index("--")
script, command = sys.argv[1:split], sys.argv[split + 1:]
pid, terminal = pty.fork()
if pid == 0:
    for name in ("SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY", "WAYLAND_DISPLAY"):
        os.environ.pop(name, None)
    os.execvp(command[0], command)

seen, at, ended = b"", 0, False


def pump(until):
    global seen, ended
    while not ended and not until() and time.time() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:
                data = b""
            seen += data
            ended = not data


deadline = time.time() + 60
for expect, answer in zip(script[::2], script[1::2]):
    wanted = expect.encode()
    pump(lambda: wanted in seen[at:])
    if wanted not in seen[at:]:
        sys.stdout.buffer.write(seen)
        print(f"\nno question with {expect!r}")
        os.kill(pid, 9) if not ended else None
        sys.exit(99)
    at = seen.index(wanted, at) + len(wanted)
    time.sleep(0.1)  # the echo is off before the question stands there, but for signals the reader must wait too
    if answer.startswith("size "):
        rows, columns = map(int, answer[5:].split("x"))
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    elif answer != "-":
        os.write(terminal, b"\x03" if answer == "^C" else answer.encode() + b"\n")
pump(lambda: False)
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
