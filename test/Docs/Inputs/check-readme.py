# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds README's IR against what a2q-opt prints.

    check-readme.py README.md

The first mlir block is the input. Each later one follows a comment with the
command; its text must occur in the output, pieces between "..." in order.
"""

import re
import subprocess
import sys

readme = open(sys.argv[1]).read()
source = re.search(r"```mlir\n(.*?)```", readme, re.DOTALL)[1]
claims = re.findall(r"<!-- (a2q-opt .*?) -->\n```mlir\n(.*?)```", readme,
                    re.DOTALL)
if not claims:
    sys.exit("README claims no output")
for command, text in claims:
    output = subprocess.run(command.split(), input=source, text=True, check=True,
                            capture_output=True).stdout
    pieces = [" ".join(piece.split()) for piece in text.split("...")]
    pattern = ".*?".join(map(re.escape, pieces))
    if not re.search(pattern, " ".join(output.split())):
        sys.exit(f"README shows\n{text}\nfor {command}, which prints\n{output}")
    print(f"{command}: as README shows")
