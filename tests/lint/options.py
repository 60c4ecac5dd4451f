#!/usr/bin/env python3
"""options.py LANYARDFS [--table]: README's table of -o names, the man page and `lanyardfs --help` say the same, and no name of sshfs
or libfuse is missing. With --table: prints README's section as --help has it. Prints "ok NAME" or "not ok NAME: why"."""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TITLE = "## Options of lanyardfs"
VERDICTS = {
    "Options that work:": "works",
    "Options that are accepted without effect:": "accepted without effect",
    "Options that are refused:": "refused",
}


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    return result.returncode, result.stdout + result.stderr


class Help:
    """--help, read back: flags, and rows of name, verdict, text."""

    def __init__(self, program):
        self.program = program
        code, self.text = run(program, "--help")
        if code != 0:
            raise SystemExit(f"not ok help: {program} --help ends with {code}: {self.text.strip()[:200]}")
        self.flags, self.rows, verdict = set(), [], None
        for line in self.text.splitlines():
            verdict = VERDICTS.get(line.strip(), verdict)
            option = re.match(r"    -o (\S+)\s+(.*)$", line) if verdict else None
            flag = re.match(r"    (-\w)(?:, (--\w+))?(?: \S+)?\s{2,}|    (-\w)(?:, (--\w+))?(?: \S+)? ", line) if not verdict else None
            if option:
                self.rows.append((option.group(1), verdict, option.group(2)))
            elif flag:
                self.flags |= {word for word in flag.groups() if word}
        self.names = {row[0] for row in self.rows}


def table(rows):
    cell = lambda text: text.replace("|", "\\|")
    lines = [
        TITLE,
        "",
        "Every `-o` name that sshfs 3.7.3 and libfuse know, and what `lanyardfs` does with it. A name with `=` takes a value. What is",
        "accepted without effect is said once at the start (fstab's own words are not). Every keyword of ssh_config(5) is a `-o` name",
        "too, and any name that begins with `x-` or `X-` is passed over. A name that is not known is an error.",
        "",
        "| name | verdict | what it does, or why not |",
        "| --- | --- | --- |",
    ]
    return "\n".join(lines + [f"| `{name}` | {verdict} | {cell(text)} |" for name, verdict, text in rows]) + "\n"


def readme_rows():
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as file:
        text = file.read()
    rows = []
    for line in text[text.index(TITLE + "\n"):].splitlines()[1:]:
        if re.match(r"#{1,2} ", line):
            break
        found = re.match(r"\| `([^`]+)` \| ([^|]+) \| (.*) \|$", line)
        if found:
            rows.append((found.group(1), found.group(2), found.group(3).replace("\\|", "|")))
    return "README.md", rows


def man_names():
    """The tags of the man page's OPTIONS: lines after .TP and .TQ."""
    with open(os.path.join(TOP, "fs", "lanyardfs.1"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    flags, names, inside = set(), set(), False
    for i, line in enumerate(lines):
        if line.startswith((".SH ", ".SS ")):
            inside = line[3:].strip(' "') == "OPTIONS" or (inside and line.startswith(".SS"))
        if not inside or i == 0 or lines[i - 1].split(" ")[0] not in (".TP", ".TQ"):
            continue
        tag = re.sub(r"^\.\w+ ", "", line).replace("\\-", "-").replace('"', "")
        tag = re.sub(r"\\f.", "", tag)
        option = re.match(r"-o ([\w-]+=?)(?:$| \w)", tag)
        if option and option.group(1) != "NAME":
            names.add(option.group(1))
        else:
            flags |= set(re.findall(r"(?:^|[ ,])(--?\w+)", tag))
    return flags, names


def sshfs_help_names(text):
    names = set()
    for line in text.splitlines():
        flag = re.match(r"\s+(-[A-Za-z0-9])\b(?:,?\s+(--\w+))?", line)
        if flag and (flag.group(1) != "-o" or "opt,[opt" in line):
            names |= {word for word in flag.groups() if word}
        option = re.match(r"\s+-o ([\w{}\[\],]+=?)", line)
        if not option or "opt,[opt" in line or option.group(1) == "SSHOPT=":
            continue
        name = option.group(1)
        choice = re.search(r"\{(.*?)\}", name)
        if choice:
            names |= {name.replace(choice.group(0), word) for word in choice.group(1).split(",")}
        elif name.startswith("[no]"):
            names |= {name[4:], "no" + name[4:]}
        else:
            names.add(name)
    return names


def stored(name):
    """The sections of a list of names."""
    sections = [set()]
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line.startswith("# ---"):
                sections.append(set())
            elif line and not line.startswith("#"):
                sections[-1].add(line)
    return sections


def differ(left_title, left, right_title, right):
    for title, extra in ((left_title, left - right), (right_title, right - left)):
        if extra:
            yield f"only in {title}: " + " ".join(sorted(extra))


def check_man(help_):
    flags, names = man_names()
    yield from differ("the man page", flags, "--help", help_.flags)
    yield from differ("the man page", names, "--help", help_.names)


def check_readme(help_):
    name, rows = readme_rows()
    if not rows:
        yield f'no README has a table under "{TITLE}"'
        return
    if rows != help_.rows:
        yield from differ(name, {row[:2] for row in rows} and {" / ".join(row) for row in rows}, "--help", {" / ".join(row) for row in help_.rows})
        if sorted(rows) == sorted(help_.rows):
            yield f"{name} has the rows of --help in another order"
        yield f"print it anew: tests/lint/options.py {help_.program} --table"


def check_twice(help_):
    seen = set()
    for row in help_.rows:
        if row[0].rstrip("=") in seen:
            yield f"{row[0]} stands twice in --help"
        seen.add(row[0].rstrip("="))


def check_sshfs(help_):
    printed, quiet, keywords = stored("sshfs-names.txt")
    for name in sorted(printed | quiet):
        if name not in help_.names | help_.flags:
            yield f"sshfs knows {name}, lanyardfs does not say what it does with it"
    # The flags are read before the operands are missed, so what is wrong with a name is said first.
    for name in sorted(keywords):
        _, text = run(help_.program, "-o", name + "yes" if name != "Port=" else "Port=22")
        if "unknown option" in text or "no host was given" not in text:
            yield f"-o {name}: {text.strip()}"


def check_stored(help_):
    if not shutil.which("sshfs"):
        return
    with open(os.path.join(HERE, "sshfs-names.txt"), encoding="utf-8") as file:
        version = re.search(r"version (\S+),", file.readline()).group(1)
    installed = sshfs_help_names(run("sshfs", "-h")[1])
    printed, quiet, _ = stored("sshfs-names.txt")
    for name in sorted(installed - printed - quiet):
        yield f"the installed sshfs knows {name}, sshfs-names.txt does not"
    if version in run("sshfs", "-V")[1]:
        for name in sorted(printed - installed):
            yield f"sshfs {version} does not print {name}, sshfs-names.txt has it"


def check_libfuse(help_):
    for name in sorted(stored("libfuse-names.txt")[0] - help_.names):
        yield f"libfuse knows {name}, lanyardfs does not say what it does with it"


def check_unknown(help_):
    code, text = run(help_.program, "-o", "no_such_name")
    if code != 1 or "no_such_name" not in text or text.count("\n") != 1:
        yield f"an unknown -o name ends with {code}: {text.strip()}"


CHECKS = {
    "man-page-names": check_man,
    "readme-table": check_readme,
    "names-once": check_twice,
    "sshfs-names-covered": check_sshfs,
    "sshfs-names-as-installed": check_stored,
    "libfuse-names-covered": check_libfuse,
    "unknown-name-refused": check_unknown,
}


def read_help(kind):
    if not os.access(sys.argv[1], os.X_OK):
        raise SystemExit(f"not ok help: {sys.argv[1]} was not built")
    return kind(sys.argv[1])


def report(checks, help_, prefix=""):
    failed = False
    for name, check in checks.items():
        findings = list(check(help_))
        for finding in findings:
            print("# " + finding)
        print(f"not ok {prefix}{name}: {findings[0]}" if findings else f"ok {prefix}{name}")
        failed = failed or bool(findings)
    return int(failed)


def main():
    help_ = read_help(Help)
    if "--table" in sys.argv:
        print(table(help_.rows), end="")
        return 0
    if len(help_.rows) < 100 or len(help_.flags) < 10:
        print(f"not ok help: read {len(help_.rows)} names and {len(help_.flags)} flags from --help")
        return 1
    return report(CHECKS, help_)


if __name__ == "__main__":
    sys.exit(main())
