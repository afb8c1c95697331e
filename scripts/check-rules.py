#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that the tests of the dialect check what they seem to.

1. Every numbered rule "(C3)" in the description of an op, type, attribute or
   dialect has a negative test of its name: a function `@matmul_c3...` in a test
   that runs with --verify-diagnostics. A test of a rule that does not exist is
   an error as well.
2. Every CHECK directive of FileCheck has its colon. Without it, FileCheck
   takes the line for a comment and the test checks nothing.

Prints what is missing and exits with status 1, or prints one line.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEFINITION = re.compile(r"^def \w+\s*:", re.MULTILINE)
MNEMONIC = re.compile(
    r'A2Q_Op<"(\w+)"|let mnemonic = "(\w+)"|let name = "(\w+)"')
RULE = re.compile(r"^\s*- \(C(\d+)\)", re.MULTILINE)
TEST = re.compile(r"@(\w+?)_c(\d+)(?:_\w+)?\b")
SUFFIXES = "NEXT|SAME|NOT|DAG|LABEL|EMPTY|COUNT-\\d+"


def rules():
    """{(mnemonic, number): file} of all descriptions."""
    found = {}
    for path in sorted((ROOT / "include/a2q/IR").glob("*.td")):
        text = path.read_text()
        starts = [m.start() for m in DEFINITION.finditer(text)] + [len(text)]
        for begin, end in zip(starts, starts[1:]):
            body = text[begin:end]
            numbers = [int(n) for n in RULE.findall(body)]
            if not numbers:
                continue
            mnemonic = MNEMONIC.search(body)
            if not mnemonic:
                sys.exit(f"{path}: rules of a definition without a mnemonic")
            name = next(filter(None, mnemonic.groups()))
            if numbers != list(range(1, len(numbers) + 1)):
                sys.exit(f"{path}: rules of {name} are not numbered 1, 2, ...")
            found.update({(name, n): path for n in numbers})
    return found


def tested():
    """{(mnemonic, number): file} of all negative tests."""
    found = {}
    for path in sorted((ROOT / "test").rglob("*.mlir")):
        text = path.read_text()
        if not re.search(r"RUN:.*-verify-diagnostics", text):
            continue
        for case in text.split("// -----"):
            if "expected-error" not in case:
                continue
            for name, number in TEST.findall(case):
                found[name, int(number)] = path
    return found


def directives_without_colon():
    """(file, line number, line) of every directive that checks nothing."""
    for path in sorted((ROOT / "test").rglob("*")):
        if path.suffix not in (".mlir", ".test", ".c", ".py", ".ll"):
            continue
        text = path.read_text()
        prefixes = {"CHECK"}
        for found in re.findall(r"-check-prefix(?:es)?[= ]([\w,-]+)", text):
            prefixes.update(found.split(","))
        names = "|".join(sorted(map(re.escape, prefixes), key=len)[::-1])
        # In a .test file directives are no comments; a prefix without a suffix
        # may be a word of the prose.
        known = (rf"(?:{names})-(?:{SUFFIXES})" if path.suffix == ".test" else
                 rf"(?://|#|;)\s*(?:{names})(?:-(?:{SUFFIXES}))?")
        bad = re.compile(rf"^\s*{known}(?:\{{\w+\}})?(?![\w:{{-])")
        for number, line in enumerate(text.splitlines(), 1):
            if bad.match(line):
                yield path, number, line.strip()


def main():
    problems = []
    known, tests = rules(), tested()
    for (name, number), path in known.items():
        if (name, number) not in tests:
            problems.append(f"{path.relative_to(ROOT)}: rule C{number} of "
                            f"{name} has no negative test {name}_c{number}")
    names = {name for name, _ in known}
    for (name, number), path in tests.items():
        if name in names and (name, number) not in known:
            problems.append(f"{path.relative_to(ROOT)}: {name}_c{number} "
                            f"tests a rule that does not exist")
    for path, number, line in directives_without_colon():
        problems.append(f"{path.relative_to(ROOT)}:{number}: directive without "
                        f"a colon: {line}")
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(known)} rules, each with a negative test")


if __name__ == "__main__":
    main()
