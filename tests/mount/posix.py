#!/usr/bin/env python3
"""posix.py MOUNTPOINT DIRECTORY: single calls and their errno on a mount of DIRECTORY. Ends with 1 and says which line failed."""
import errno
import os
import stat
import sys
import time

top, server = sys.argv[1:3]
os.chdir(top)


def at_server(name):
    return os.path.join(server, name)


def write(name, data, flags=os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode=0o644):
    fd = os.open(name, flags, mode)
    try:
        assert os.write(fd, data) == len(data)
    finally:
        os.close(fd)


def read(name):
    with open(name, "rb") as file:
        return file.read()


def gives(expected, call, *arguments, **named):
    wanted = expected if isinstance(expected, tuple) else (expected,)
    try:
        call(*arguments, **named)
    except OSError as error:
        assert error.errno in wanted, f"{call.__name__}{arguments}: {errno.errorcode[error.errno]}, not {[errno.errorcode[n] for n in wanted]}"
        return
    raise AssertionError(f"{call.__name__}{arguments}: worked, not {[errno.errorcode[n] for n in wanted]}")


def files():
    write("a", b"first")
    assert read(at_server("a")) == b"first"
    gives(errno.EEXIST, os.open, "a", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    write("a", b" and second", os.O_WRONLY | os.O_APPEND)
    assert read("a") == b"first and second" == read(at_server("a"))
    write("a", b"x", os.O_WRONLY | os.O_TRUNC)
    assert read("a") == b"x" and os.stat("a").st_size == 1
    os.truncate("a", 100000)
    assert os.stat(at_server("a")).st_size == 100000 and read("a") == b"x" + bytes(99999)
    os.truncate("a", 3)
    assert read("a") == b"x\0\0" == read(at_server("a"))
    gives(errno.ENOENT, os.open, "none", os.O_RDONLY)
    gives(errno.ENOENT, os.unlink, "none")
    gives(errno.ENOTDIR, os.stat, "a/b")
    gives(errno.ENAMETOOLONG, os.stat, "x" * 256)


def read_and_write_mixed():
    """One descriptor, both ways, at random places: what was written is what is read, at once."""
    import random
    random.seed(7)
    model = bytearray()
    fd = os.open("mixed", os.O_RDWR | os.O_CREAT, 0o644)
    for i in range(400):
        place, length = random.randrange(300000), random.randrange(1, 70000)
        kind = random.randrange(5)
        if kind < 2:
            data = bytes([i % 255 + 1]) * length
            os.pwrite(fd, data, place)
            if len(model) < place + length:
                model.extend(bytes(place + length - len(model)))
            model[place : place + length] = data
        elif kind < 4:
            assert os.pread(fd, length, place) == bytes(model[place : place + length]), f"step {i}"
        else:
            os.ftruncate(fd, place)
            model = model[:place] + bytearray(max(0, place - len(model)))
        assert os.fstat(fd).st_size == len(model), f"step {i}: {os.fstat(fd).st_size}, not {len(model)}"
    os.fsync(fd)
    assert read(at_server("mixed")) == bytes(model)
    os.close(fd)


def directories():
    os.mkdir("d", 0o755)
    gives(errno.EEXIST, os.mkdir, "d")
    write("d/file", b"")
    gives(errno.ENOTEMPTY, os.rmdir, "d")
    gives(errno.EISDIR, os.open, "d", os.O_WRONLY)
    gives((errno.EISDIR, errno.EPERM), os.unlink, "d")
    gives(errno.ENOTDIR, os.rmdir, "a")
    os.unlink("d/file")
    os.rmdir("d")
    assert not os.path.exists(at_server("d"))


def renames():
    write("from", b"from")
    write("to", b"to")
    os.rename("from", "to")
    assert read("to") == b"from" and not os.path.exists("from")
    os.mkdir("full")
    write("full/file", b"")
    os.mkdir("other")
    gives((errno.ENOTEMPTY, errno.EEXIST), os.rename, "other", "full")
    gives(errno.EISDIR, os.rename, "to", "full")
    gives(errno.ENOTDIR, os.rename, "full", "to")
    os.rename("full", "moved")
    assert os.listdir("moved") == ["file"] and os.listdir(at_server("moved")) == ["file"]
    import ctypes
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    write("from", b"new")
    assert renameat2(-100, b"from", -100, b"to", 1) == -1 and ctypes.get_errno() == errno.EEXIST  # RENAME_NOREPLACE
    assert renameat2(-100, b"from", -100, b"fresh", 1) == 0
    assert read("to") == b"from" and read("fresh") == b"new"


def links():
    write("original", b"shared")
    os.link("original", "hard")
    assert os.stat(at_server("hard")).st_ino == os.stat(at_server("original")).st_ino
    os.symlink("original", "soft")
    assert os.readlink("soft") == "original" == os.readlink(at_server("soft")) and read("soft") == b"shared"
    gives(errno.EEXIST, os.symlink, "original", "soft")
    gives(errno.EEXIST, os.link, "original", "hard")
    os.unlink("original")
    assert read("hard") == b"shared"


def attributes():
    write("attributes", b"12345")
    for mode in (0o600, 0o755, 0o444, 0o644):
        os.chmod("attributes", mode)
        assert stat.S_IMODE(os.stat(at_server("attributes")).st_mode) == mode == stat.S_IMODE(os.stat("attributes").st_mode)
    os.utime("attributes", (1000000000, 1500000000))
    status = os.stat(at_server("attributes"))
    assert (status.st_atime, status.st_mtime) == (1000000000, 1500000000)
    assert os.stat("attributes").st_mtime == 1500000000
    os.symlink("nowhere", "dangling")
    os.utime("dangling", (1000000000, 1400000000), follow_symlinks=False)
    assert os.lstat(at_server("dangling")).st_mtime == 1400000000
    os.utime("attributes")
    assert abs(os.stat(at_server("attributes")).st_mtime - time.time()) < 10
    os.chown("attributes", os.getuid(), os.getgid())
    os.umask(0o027)
    write("umask", b"", mode=0o666)
    os.mkdir("umask-dir", 0o777)
    assert stat.S_IMODE(os.stat(at_server("umask")).st_mode) == 0o640
    assert stat.S_IMODE(os.stat(at_server("umask-dir")).st_mode) == 0o750
    os.umask(0o022)
    os.mknod("plain", 0o600 | stat.S_IFREG)
    assert os.stat(at_server("plain")).st_size == 0
    gives((errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP), os.mkfifo, "fifo")


def unlinked_but_open():
    fd = os.open("ghost", os.O_RDWR | os.O_CREAT, 0o644)
    os.write(fd, b"before")
    os.unlink("ghost")
    assert not os.path.exists("ghost")
    os.write(fd, b" after")
    assert os.pread(fd, 100, 0) == b"before after"
    assert os.fstat(fd).st_size == 12
    os.close(fd)
    assert [name for name in os.listdir(server) if "ghost" in name or "fuse_hidden" in name] == []


def mapped():
    import mmap
    write("mapped", bytes(20000))
    fd = os.open("mapped", os.O_RDWR)
    with mmap.mmap(fd, 20000) as memory:
        memory[10000:10005] = b"hello"
        memory.flush()
    os.close(fd)
    assert read(at_server("mapped"))[9999:10006] == b"\0hello\0"


def copied():
    write("source", b"copy me " * 20000)
    one, other = os.open("source", os.O_RDONLY), os.open("target", os.O_WRONLY | os.O_CREAT, 0o644)
    left = 160000
    while left:
        done = os.copy_file_range(one, other, left)
        assert done > 0
        left -= done
    os.close(one)
    os.close(other)
    assert read(at_server("target")) == read(at_server("source")) and len(read("target")) == 160000


failed = 0
for check in (files, read_and_write_mixed, directories, renames, links, attributes, unlinked_but_open, mapped, copied):
    try:
        check()
    except Exception as error:  # every check is tried; the last line is what mount.sh shows
        line = error.__traceback__
        while line.tb_next and line.tb_next.tb_frame.f_code.co_name == check.__name__:
            line = line.tb_next
        failed += 1
        print(f"{check.__name__}, line {line.tb_lineno}: {type(error).__name__} {error}")
sys.exit(failed > 0)
