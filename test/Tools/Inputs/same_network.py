# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whether two networks that one program printed are the same but for moments.

    same_network.py ONE.mlir OTHER.mlir

Integers are the same; reals may differ in the last places of an f32. Fails with
the first line that differs.
"""

import re
import sys

CONSTANT = re.compile(r"^ *(%cst\w*) = arith.constant (.*)$", re.M)
NAME = re.compile(r"%cst\w*")
NUMBER = re.compile(r"-?\d+\.\d+(?:[eE][+-]?\d+)?")


def without_moments(text):
    """Without the attribute, brackets in it counted, and without resources."""
    text = text.split("\n{-#")[0]
    name = "a2q.moments = #a2q.moments<"
    while name in text:
        begin = text.index(name)
        end = begin + len(name)
        depth = 1
        while depth:
            depth += {"<": 1, ">": -1}.get(text[end], 0)
            end += 1
        before, after = text[:begin], text[end:]
        if after.startswith(", "):
            after = after[2:]
        else:
            before = before.removesuffix(", ")
        text = before + after
    return text.replace(" {}", "")


def lines(path):
    """All but constants, which stand where they are used: their order is not
    that of the network."""
    with open(path) as file:
        text = without_moments(file.read())
    constants = dict(CONSTANT.findall(text))
    text = CONSTANT.sub("", text)
    return [NAME.sub(lambda name: constants[name[0]], line)
            for line in text.splitlines() if line.strip()]


def main():
    one, other = map(lines, sys.argv[1:])
    if len(one) != len(other):
        sys.exit(f"{len(one)} lines and {len(other)} lines")
    for a, b in zip(one, other):
        reals = zip(NUMBER.findall(a), NUMBER.findall(b))
        near = all(abs(float(x) - float(y)) <= 1e-6 * abs(float(x)) for x, y in reals)
        if NUMBER.sub("", a) != NUMBER.sub("", b) or not near:
            sys.exit(f"{a}\n{b}")


if __name__ == "__main__":
    main()
