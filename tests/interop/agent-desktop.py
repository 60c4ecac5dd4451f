#!/usr/bin/env python3
"""agent-desktop.py BUILD: lanyard-agent with a bus of its own: notifications, the session's lock, the machine's sleep.
Prints "ok NAME" or "not ok NAME: why"."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

try:
    import dbus.bus
    import dbus.lowlevel
except ImportError:
    print("SKIP: python3-dbus is not installed")
    sys.exit(77)

AGENT = os.path.join(os.path.abspath(sys.argv[1]), "agent", "lanyard-agent")
SESSION, MANAGER = "/org/freedesktop/login1/session/_31", "/org/freedesktop/login1"
failures = 0


def check(name, good, why=""):
    global failures
    print(f"ok {name}" if good else f"not ok {name}: {why}")
    failures += not good


def within(condition, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=30, **options)


def emit(bus, path, interface, name, *arguments):
    message = dbus.lowlevel.SignalMessage(path, interface, name)
    message.append(*arguments)
    bus.send_message(message)
    bus.flush()


def keys_shown():
    return "ED25519" in run("ssh-add", "-l").stdout


def helpers(agent):
    found = run("ps", "-o", "pid=,args=", "--ppid", str(agent.pid)).stdout
    return [int(line.split()[0]) for line in found.splitlines() if "lanyard-agent-desktop" in line]


def main(folder):
    daemon = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address=1", "--address=unix:path=" + folder + "/bus"],
                              stdout=subprocess.PIPE, text=True)
    address = daemon.stdout.readline().strip()
    key, socket, log = folder + "/key", folder + "/socket", open(folder + "/log", "w")
    os.environ.update(DBUS_SESSION_BUS_ADDRESS=address, DBUS_SYSTEM_BUS_ADDRESS=address, XDG_SESSION_ID="1", SSH_AUTH_SOCK=socket,
                      HOME=folder)
    bus = dbus.bus.BusConnection(address)
    bus.request_name("org.freedesktop.login1")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a <key>", "-f", key)
    with open(folder + "/seen", "w") as seen:
        monitor = subprocess.Popen(["dbus-monitor", "--address", address, "interface='org.freedesktop.Notifications'"], stdout=seen,
                                   stderr=subprocess.DEVNULL)
    agent = subprocess.Popen([AGENT, "-D", "-a", socket, "--notify", "--lock-with-screen", "--lock-on-suspend"],
                             stdout=subprocess.DEVNULL, stderr=log)
    try:
        within(lambda: run("ssh-add", "-q", key).returncode == 0)
        os.rename(key, key + ".away")

        def notified():
            run("ssh-keygen", "-Y", "sign", "-f", key + ".pub", "-n", "test", input="data")
            return "signed with the key a &lt;key&gt;" in open(folder + "/seen").read()

        check("a use is notified", within(notified), open(folder + "/seen").read()[-500:])
        check("by whom", bool(re.search(r"ssh-keygen .*\(process \d+\) signed", open(folder + "/seen").read())))

        def lock():
            emit(bus, SESSION, "org.freedesktop.login1.Session", "Lock")
            time.sleep(0.2)
            return not keys_shown()

        check("the session's lock hides the keys", within(lock))
        check("and nothing signs", run("ssh-keygen", "-Y", "sign", "-f", key + ".pub", "-n", "test", input="data").returncode != 0)
        emit(bus, SESSION + "2", "org.freedesktop.login1.Session", "Unlock")
        time.sleep(0.3)
        check("another session's Unlock does not unlock", not keys_shown())
        emit(bus, SESSION, "org.freedesktop.login1.Session", "Unlock")
        check("Unlock shows them", within(keys_shown))
        emit(bus, MANAGER, "org.freedesktop.login1.Manager", "PrepareForSleep", True)
        check("sleep hides the keys", within(lambda: not keys_shown()))
        emit(bus, SESSION, "org.freedesktop.login1.Session", "Unlock")
        check("Unlock after sleep shows them", within(keys_shown))
        for pid in helpers(agent):
            os.kill(pid, signal.SIGKILL)
        check("without the helper they stay hidden", within(lambda: not keys_shown()))
        agent.terminate()
        check("SIGTERM ends it", agent.wait(10) == 2)
    finally:
        for process in (agent, monitor, daemon):
            process.kill()
            process.wait()
        log.close()
    text = open(folder + "/log").read()
    check("no sanitizer complained", "Sanitizer" not in text and "runtime error" not in text, text[-2000:])


place = tempfile.mkdtemp()
try:
    main(place)
finally:
    shutil.rmtree(place)
sys.exit(1 if failures else 0)
