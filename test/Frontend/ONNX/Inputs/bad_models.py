#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that the importer refuses, each with the error that it must give.

    bad_models.py FOLDER

writes the models below FOLDER, imports each with a2q-translate, and fails
unless there is exactly one error, it says what is expected here, the exit
status is 1, and no output file is left. The models are in one file per topic.
"""

import os
import sys

# Each import registers its models; those of constants read a file of graphs.
import bad_graphs  # noqa: F401
import bad_constants  # noqa: F401
import bad_quantization  # noqa: F401
import bad_layers  # noqa: F401
import bad_real_layers  # noqa: F401
import bad_operators  # noqa: F401
import bad_elements  # noqa: F401
import bad_formats  # noqa: F401
import bad_images  # noqa: F401
import bad_tensors  # noqa: F401
from cases import CASES, problem


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    wrong = 0
    for case in CASES:
        text = problem(folder, *case)
        if text:
            wrong += 1
            print(f"{case[0]}: {text}", file=sys.stderr)
    print(f"{len(CASES) - wrong} of {len(CASES)} models are refused as they should be")
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
