"""Counts the cases in meson's log (lines "ok NAME" and "not ok NAME" of each test) and prints the closing line."""
import json
import os
import re
import sys

allowed = [line.split(":", 1)[0].strip() for line in os.environ.get("ALLOWED_SKIPS", "").splitlines() if ":" in line]
passed, failed, skipped = 0, [], []

for line in open(sys.argv[1], encoding="utf-8"):
    test = json.loads(line)
    name = test["name"]
    cases = re.findall(r"^(not ok|ok) (.*)$", test.get("stdout", ""), re.M)
    broken = 0
    for verdict, case in cases:
        skip = re.search(r"#\s*skip\b\s*(.*)", case, re.I)
        if skip and any(word in case for word in allowed):
            skipped.append(f"{name}: {case}")
        elif verdict == "not ok" or skip:
            failed.append(f"{name}: {case}")
            broken += 1
        else:
            passed += 1
    result = test["result"]
    if result == "SKIP" and not cases:
        if name in allowed:
            skipped.append(name)
        else:
            failed.append(f"{name}: skipped, and tests/run does not allow it")
    elif result not in ("OK", "SKIP", "EXPECTEDFAIL") and broken == 0:
        failed.append(f"{name}: {result}")
    elif result == "OK" and not cases:
        passed += 1

for title, items in (("failed", failed), ("skipped", skipped)):
    for item in items:
        print(f"{title}: {item}")
print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
sys.exit(1 if failed or passed == 0 else 0)
