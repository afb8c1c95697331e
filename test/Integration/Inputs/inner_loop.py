# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts the instructions of a loop in a disassembly.

    llvm-objdump -d --no-show-raw-insn m.o | inner_loop.py MNEMONIC

Of the innermost loops that have the mnemonic, the one with most of it; one line
per mnemonic with its count, sorted, and `moves` for what goes to or from the
stack: registers that did not suffice.
"""

import collections
import re
import sys


def main():
    code = []  # (address, mnemonic, operands)
    for line in sys.stdin:
        found = re.match(r"\s*([0-9a-f]+):\s+(\S+)\s*(.*)", line)
        if found:
            code.append((int(found[1], 16), found[2], found[3]))
    loops = []
    for end, (address, name, operands) in enumerate(code):
        target = re.match(r"0x([0-9a-f]+)", operands)
        if not name.startswith("j") or not target:
            continue
        first = int(target[1], 16)
        if first > address:
            continue
        body = [i for i, line in enumerate(code[:end + 1]) if line[0] >= first]
        loops.append((body[0], end))
    innermost = [a for a in loops
                 if not any(b != a and a[0] <= b[0] and b[1] <= a[1]
                            for b in loops)]
    bodies = [code[a:b + 1] for a, b in innermost]
    most = max(bodies, key=lambda body: sum(i[1] == sys.argv[1] for i in body))
    counts = collections.Counter(i[1] for i in most)
    counts["moves"] = sum("(%rsp" in i[2] or "(%rbp" in i[2] for i in most)
    for name, count in sorted(counts.items()):
        print(name, count)


if __name__ == "__main__":
    main()
