#!/usr/bin/python3
"""terminal.py MODE ANSWER COMMAND...: runs the command on a terminal of its own, answers its first question, and says what came of
the terminal. MODE: answer; interrupt (^C instead of the answer); kill (SIGTERM); suspend (^Z, SIGCONT, then the answer)."""
import os
import pty
import select
import signal
import sys
import termios
import time

mode, answer, command = sys.argv[1], sys.argv[2], sys.argv[3:]
# A shell-like parent keeps the terminal, so that it outlives the command.
parent, child_end = pty.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    os.close(parent)
    import fcntl
    fcntl.ioctl(child_end, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(child_end, fd)
    for name in ("SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY"):
        os.environ.pop(name, None)
    os.execvp(command[0], command)

seen = b""


def read_until(text, seconds=20):
    global seen
    until = time.time() + seconds
    while text not in seen and time.time() < until:
        if select.select([parent], [], [], 0.1)[0]:
            try:
                seen += os.read(parent, 4096)
            except OSError:
                return


def echo():
    return bool(termios.tcgetattr(child_end)[3] & termios.ECHO)


read_until(b": ")
time.sleep(0.2)
print("echo while asking:", "on" if echo() else "off")
if mode == "interrupt":
    os.write(parent, b"\x03")
elif mode == "kill":
    os.kill(pid, signal.SIGTERM)
else:
    if mode == "suspend":
        os.write(parent, b"\x1a")
        _, status = os.waitpid(pid, os.WUNTRACED)
        print("stopped:", os.WIFSTOPPED(status), "echo:", "on" if echo() else "off")
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.3)
        print("echo again:", "on" if echo() else "off")
    os.write(parent, answer.encode() + b"\n")
until = time.time() + 20
status = None
while time.time() < until:
    done, status = os.waitpid(pid, os.WNOHANG)
    if select.select([parent], [], [], 0.05)[0]:
        seen += os.read(parent, 4096)
    if done:
        break
print("echo afterwards:", "on" if echo() else "off")
print("answer shown:", answer.encode() in seen)
print("ended by:", "signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else "status %d" % os.WEXITSTATUS(status))
print("said hello:", b"hello" in seen)
