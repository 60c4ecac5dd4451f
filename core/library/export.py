#!/usr/bin/env python3
"""Makes of the public headers what a shared library and its users need.

export.py map HEADER...                prints a version script: the functions that the headers declare, and nothing else
export.py install FOLDER CORE HEADER... copies CORE/HEADER to FOLDER/HEADER, where each includes the others as <lanyard/HEADER>
"""
import os
import re
import sys
from pathlib import Path


def declared(header):
    text = re.sub(r'/\*.*?\*/', '', Path(header).read_text(), flags=re.S)
    text = re.sub(r'^static inline.*?^}', '', text, flags=re.S | re.M)
    return set(re.findall(r'\b(ly_[a-z0-9_]+)\(', text))


def print_map(headers):
    names = sorted(set().union(*map(declared, headers)))
    print('{\nglobal:\n' + ''.join(f'    {name};\n' for name in names) + 'local:\n    *;\n};')


def install(folder, core, headers):
    prefix = os.environ['MESON_INSTALL_DESTDIR_PREFIX']
    for header in headers:
        target = Path(prefix, folder, header)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(re.sub(r'#include "(\w+/[\w-]+\.h)"', r'#include <lanyard/\1>', Path(core, header).read_text()))
        target.chmod(0o644)


if sys.argv[1] == 'map':
    print_map(sys.argv[2:])
else:
    install(sys.argv[2], sys.argv[3], sys.argv[4:])
