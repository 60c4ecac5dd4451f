#!/usr/bin/env python3
"""listing.py DIRECTORY [bare|nolinks]: everything below it, a line each: name (bytes, escaped), type, permissions, time, size, content's
hash, link count, or target. nolinks: without link counts, which SFTP does not tell. bare: without times too."""
import hashlib
import os
import stat
import sys

top = os.fsencode(sys.argv[1])
bare = "bare" in sys.argv[2:]
links = not bare and "nolinks" not in sys.argv[2:]
kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}
lines = []
for folder, folders, files in os.walk(top):
    for name in folders + files:
        path = os.path.join(folder, name)
        status = os.lstat(path)
        kind = kinds.get(stat.S_IFMT(status.st_mode), "other")
        words = [repr(os.path.relpath(path, top)), kind]
        if kind != "link":
            words.append(oct(stat.S_IMODE(status.st_mode)))
            if not bare:
                words.append(str(int(status.st_mtime)))
        if kind == "file":
            digest = hashlib.sha256()
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            words += [str(status.st_size), digest.hexdigest()]
            if links:
                words.append(str(status.st_nlink))
        elif kind == "link":
            words.append(repr(os.readlink(path)))
        lines.append(" ".join(words))
print("\n".join(sorted(lines)))
