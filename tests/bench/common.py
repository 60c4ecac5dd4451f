"""What the benchmarks share: where things are, an sshd on loopback, processes' CPU time."""
import atexit
import os
import shutil
import socket
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build")
CIPHER = "aes128-gcm@openssh.com"
MIB = 1 << 20


def build(*targets):
    """A release build in build/ (of these targets, or of all)."""
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", BUILD], cwd=TOP, check=True, capture_output=True)
    subprocess.run(["ninja", "-C", BUILD, *targets], check=True, capture_output=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port):
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


class Server:
    """OpenSSH's sshd on loopback with its own keys, config and port."""

    def __init__(self, home, lines=""):
        self.home, self.port = home, free_port()
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{home}/{name}"], check=True)
        shutil.copy(f"{home}/user.pub", f"{home}/authorized_keys")
        with open(f"{home}/sshd_config", "w") as config:
            config.write(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {home}/host\nPidFile none\nUsePAM no\n"
                         f"AuthorizedKeysFile {home}/authorized_keys\nStrictModes no\nMaxStartups 100\nPermitRootLogin yes\n"
                         f"SetEnv HOME={home}\n" # else a shell's start-up files are measured, too
                         f"Subsystem sftp /usr/lib/openssh/sftp-server\n{lines}")
        os.makedirs("/run/sshd", exist_ok=True)
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", f"{home}/sshd_config"],
                                        stderr=open(f"{home}/sshd.log", "w"))
        atexit.register(self.process.terminate)
        wait_for_port(self.port)


def stat_fields(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()


def cpu_seconds(pids, reaped=False):
    """Of these processes as long as they live; `reaped`: and of their children that they have waited for."""
    ticks = 0
    for pid in pids:
        try:
            ticks += sum(int(field) for field in stat_fields(pid)[11:15 if reaped else 13])
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def descendants(pid):
    """The process and all that descend from it."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents.setdefault(int(stat_fields(name)[1]), []).append(int(name))
            except OSError:
                pass
    found = [pid]
    for parent in found:
        found += parents.get(parent, [])
    return found
