#!/usr/bin/env python3
"""Runs the lines on stdin, which say expect(ERRNO'S NAME, FUNCTION, ARGUMENT...); ends with the first that does not hold."""
import errno
import os
import sys


def expect(name, call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        got = errno.errorcode[error.errno]
    else:
        got = "success"
    if got != name:
        sys.exit("%s%.80r: %s, not %s" % (call.__name__, arguments, got, name))


def fill(name, count):
    with open(name, "wb") as file:
        for _ in range(count):
            file.write(b"x" * 65536)


def append(name, data):
    fd = os.open(name, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def create(name):
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT, 0o644))


def exclusive(name):
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


exec(sys.stdin.read())
