# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The list of models that the importer refuses, and how one is tried."""

import os
import subprocess

CASES = []


def bad(message, *options):
    """Registers the model that a function builds, with the end of its error.

    `options` are given to a2q-translate; FOLDER in the message stands for the
    folder that the models are written to."""
    def register(function):
        CASES.append((function.__name__, function, message, options))
        return function

    return register


def problem(folder, name, build, message, options):
    """What is wrong with the importer's answer, or None."""
    path = os.path.join(folder, name + ".onnx")
    output = os.path.join(folder, name + ".mlir")
    result = build()
    with open(path, "wb") as file:
        file.write(result if isinstance(result, bytes) else result.SerializeToString())
    run = subprocess.run(["a2q-translate", "--import-onnx", path, "-o", output, *options],
                         capture_output=True, text=True)
    errors = [l for l in run.stderr.splitlines() if "error: " in l]
    if run.returncode != 1:
        return f"exit status {run.returncode}\n{run.stderr}"
    if len(errors) != 1:
        return f"{len(errors)} errors\n{run.stderr}"
    # The expectation may leave out the file, and the node before it.
    if not errors[0].endswith(message.replace("FOLDER", folder)):
        return f"expected {message}\n      got {errors[0]}"
    if os.path.exists(output):
        return "left an output file"
    return None
