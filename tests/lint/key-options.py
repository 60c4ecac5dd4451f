#!/usr/bin/env python3
"""key-options.py PROGRAM: the man page, README and completions of lanyard-key or lanyard-agent name the commands and options of its --help,
and no others.
Prints "ok NAME" or "not ok NAME: why"; one line a finding stands before it."""
import os
import re
import subprocess
import sys

from options import differ, read_help, report, TOP

COMMON, AGENT = "OPTIONS OF EVERY COMMAND", "OPTIONS OF THE AGENT"
NAME = os.path.basename(sys.argv[1])
TITLE = "## " + NAME
MAN_PAGE = {"lanyard-key": "keys/lanyard-key.1", "lanyard-agent": "agent/lanyard-agent.1"}[NAME]
LEAST = {"lanyard-key": (16, 10), "lanyard-agent": (6, 7)}[NAME]  # commands and flags that reading --help must find


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        raise SystemExit(f"not ok help: {' '.join(command)} ends with {result.returncode}: {result.stderr.strip()[:200]}")
    return result.stdout


def options(text, title):
    """The flags in the section of --help with this title."""
    found, inside = set(), False
    for line in text.splitlines():
        flag = re.match(r"  (?:(-\w), |    )(--[\w-]+)( |$)", line)
        if line == title:
            inside = True
        elif inside and not line:
            break
        elif inside and flag:
            found |= {word for word in flag.groups()[:2] if word}
    return found


class Help:
    def __init__(self, program):
        self.program, text = program, run(program, "--help")
        commands = text[text.index("\nCommands"):].split("\n\n")[0].splitlines()[2:]
        self.summaries = dict(line.strip().split(None, 1) for line in commands)
        self.common = options(text, "Options of every command:")
        self.text = {name: run(program, name, "--help") for name in self.summaries if name != "ssh-keygen"}
        self.own = {name: options(text, "Options:") for name, text in self.text.items()}
        self.agent = options(text, "Options of the agent:")


def man_sections():
    """Section or command -> its flags; command -> its synopsis."""
    with open(os.path.join(TOP, MAN_PAGE), encoding="utf-8") as file:
        lines = file.read().splitlines()
    flags, synopsis, section = {}, {}, None
    for before, line in zip([""] + lines, lines):
        plain = re.sub(r"\\f.", "", line).replace("\\-", "-")
        if line.startswith((".SH ", ".SS ")):
            section = plain[4:].strip('"')
            flags[section] = set()
        elif before == ".TP":
            flags[section] |= set(re.findall(r"(?:^|, )(--?[\w-]+)", plain))
        elif before.startswith(".SS "):
            synopsis[section] = plain[3:]
    return flags, synopsis


def check_man_commands(help_):
    flags, synopsis = man_sections()
    yield from differ("the man page", set(synopsis), "--help", set(help_.summaries))
    for name, text in help_.text.items():
        usage = re.sub(r"^Usage: ", "", text.splitlines()[0]).replace("[OPTION]", "[option]").strip()
        if synopsis.get(name, "").strip() != usage:
            yield f"{name}: the man page has \"{synopsis.get(name)}\", --help \"{usage}\""


def check_man_options(help_):
    flags, _ = man_sections()
    for name, own in help_.own.items():
        yield from differ(f"the man page's {name}", flags.get(name, set()), "--help", own)
    yield from differ("the man page", flags.get(COMMON, set()), "--help", help_.common)
    yield from differ("the man page", flags.get(AGENT, set()), "--help", help_.agent)


def check_readme(help_):
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as file:
        text = file.read()
    if TITLE + "\n" not in text:
        yield f'README.md has no section "{TITLE}"'
        return
    section = re.split(r"\n## ", text[text.index(TITLE + "\n") + 3:])[0]
    yield from differ("README.md", set(re.findall(r"^\| `([\w-]+)", section, re.M)), "--help", set(help_.summaries))
    known = set.union(help_.common, help_.agent, *help_.own.values())
    for flag in sorted(set(re.findall(r"(?<![\w-])--[a-z][\w-]*", re.sub(r"systemctl.*", "", section))) - known - {"--version"}):
        yield f"README.md names {flag}, which no command has"


def check_completions(help_):
    for shell in ("bash", "zsh", "fish"):
        text = run(help_.program, "--completions", shell)
        for name, own in help_.own.items():
            for flag in own | help_.common:
                if flag.startswith("--") and not re.search(rf"(?:--|-l ){flag[2:]}\b", text):
                    yield f"{shell}: {name} {flag} is missing"
        for flag in help_.agent:
            # Where no command stands: bash's last case, zsh's, fish's condition.
            where = {"bash": r"\n    -\*\) options=.*", "zsh": r"(?s)\n    -\*\)\n.*",
                     "fish": r"-n '__fish_use_subcommand' "}[shell]
            if flag.startswith("--") and not re.search(rf"{where}(?:--|-l ){flag[2:]}\b", text):
                yield f"{shell}: {flag} is missing"
        if shell == "bash" and subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True).returncode != 0:
            yield "bash: it is no script"


def check_letters(help_):
    """One letter, one meaning in a command."""
    for name, text in help_.text.items():
        letters = re.findall(r"^  (-\w), --", text, re.M)
        for letter in sorted({letter for letter in letters if letters.count(letter) > 1}):
            yield f"{name}: {letter} stands twice in --help"


CHECKS = {
    "man-page-commands": check_man_commands,
    "man-page-options": check_man_options,
    "readme": check_readme,
    "letters-once": check_letters,
    "completions": check_completions,
}


def main():
    help_ = read_help(Help)
    if len(help_.own) < LEAST[0] or len(help_.common) < LEAST[1] or (NAME == "lanyard-agent") != bool(help_.agent):
        print(f"not ok help: read {len(help_.own)} commands and {len(help_.common)} flags from --help")
        return 1
    return report(CHECKS, help_, NAME + "-")


sys.exit(main())
