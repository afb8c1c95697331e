#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Classifies real digits with accumulators of several proven widths.

    demo.py BIN_DIR

BIN_DIR holds a2q-check and a2q-run. Prints what is proven of the network, then
one row for each setting. Exit status 1 when a program that must agree with its
reference does not.
"""

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
IMAGES = HERE / "images.npy"
LABELS = HERE / "labels.npy"
REPEATS = 21


@dataclass
class Setting:
    """One row: a model, how to compile it, and what its logits must equal."""

    name: str
    model: str
    flags: list[str]
    reference_name: str
    reference: list[str]


def lossless(name: str, model: str, *flags: str) -> Setting:
    return Setting(name, model, list(flags), "32-bit program",
                   ["--accumulator=32"])


def constrained(name: str, width: int, method: str) -> Setting:
    flags = [f"--constrain={width}:{method}"]
    return Setting(f"{name}, weights in {width} bits", "digits-w4a4.onnx",
                   flags, "slow reference", flags + ["--reference"])


SETTINGS = [
    Setting("32 bits", "digits-w4a4.onnx", ["--accumulator=32"],
            "slow reference", ["--reference"]),
    lossless("lossless, 16 bits", "digits-w4a4.onnx", "--accumulator=16"),
    lossless("lossless, 8-bit tiles", "digits-w4a4.onnx", "--accumulator=8"),
    *(constrained(name, width, method) for width in (13, 11, 10)
      for name, method in (("A2Q+", "a2q-plus"), ("optimal", "optimal"))),
    lossless("trained for 8 bits, whole K", "digits-acc8.onnx",
             "--accumulator=8"),
]


class Tools:
    def __init__(self, bin_dir: Path, scratch: Path):
        self.bin_dir = bin_dir
        self.logits_file = scratch / "logits.npy"

    def call(self, tool: str, *arguments: str) -> str:
        command = [str(self.bin_dir / tool), *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"demo: {' '.join(command)}\n{done.stderr}")
        return done.stdout

    def logits(self, model: str, flags: list[str]) -> tuple[np.ndarray, str]:
        """Logits of all images, and what the tool printed."""
        printed = self.call("a2q-run", str(HERE / model), "--input", str(IMAGES),
                            "--output", str(self.logits_file), *flags)
        return np.load(self.logits_file), printed


def microseconds(printed: str) -> float:
    """The median that `a2q-run --repeat` prints."""
    match = re.search(r"median\s+([0-9.]+)\s*(us|ms)", printed)
    if not match:
        sys.exit(f"demo: a2q-run printed no median time:\n{printed}")
    return float(match[1]) * (1000 if match[2] == "ms" else 1)


def row(tools: Tools, setting: Setting, labels: np.ndarray,
        isas: list[str]) -> tuple[str, bool]:
    expected, _ = tools.logits(setting.model, setting.reference)
    equal, times = True, []
    for isa in isas:
        logits, printed = tools.logits(
            setting.model,
            setting.flags + [f"--isa={isa}", f"--repeat={REPEATS}"])
        equal &= np.array_equal(logits, expected)
        times.append(microseconds(printed) / len(labels))
    accuracy = np.mean(logits.argmax(axis=1) == labels)
    agreement = f"{'equal to' if equal else 'NOT EQUAL TO'} {setting.reference_name}"
    columns = "".join(f" {time:10.2f}" for time in times)
    return f"{setting.name:<27} {accuracy:6.2%} {agreement:<23}{columns}", equal


def processor() -> tuple[str, list[str]]:
    """The processor's name, and the kernels to time on it: what most of the
    installed base can run, and the newest that this one can."""
    cpu = Path("/proc/cpuinfo").read_text()
    name = re.search(r"^model name\s*: (.*)$", cpu, re.MULTILINE)
    flags = set(re.search(r"^flags\s*: (.*)$", cpu, re.MULTILINE)[1].split())
    avx512 = {"avx512f", "avx512bw", "avx512vl"}
    isas = ["avx2"] if {"avx2", "fma"} <= flags else ["portable"]
    if avx512 <= flags:
        isas.append("avx512vnni" if "avx512_vnni" in flags else "avx512bw")
    return name[1] if name else "unknown processor", isas


def main() -> int:
    labels = np.load(LABELS)
    cpu, isas = processor()
    with tempfile.TemporaryDirectory() as scratch:
        tools = Tools(Path(sys.argv[1]), Path(scratch))
        print("Bits that each bound asks of one accumulator over all K products "
              "(worst\nchannel), and what was chosen: inner accumulator x "
              "products in a tile, outer\naccumulator; spills per output.")
        for model, what in [("digits-w4a4.onnx", "staged losslessly to 8 bits"),
                            ("digits-acc8.onnx", "trained for 8 bits")]:
            print(f"\n{model}, {what}")
            print(tools.call("a2q-check", str(HERE / model), "--accumulator=8"),
                  end="")
        print(f"\n{len(labels)} held-out images on one thread of {cpu};\n"
              f"microseconds per image, median of {REPEATS} runs, by kernel\n")
        head = "".join(f" {isa:>10}" for isa in isas)
        print(f"{'accumulators':<27} {'right':>6} {'all outputs':<23}{head}")
        print("-" * (58 + len(head)))
        results = []
        for setting in SETTINGS:
            text, equal = row(tools, setting, labels, isas)
            print(text, flush=True)
            results.append(equal)
    print(NEXT_STEPS)
    return 0 if all(results) else 1


NEXT_STEPS = """
Try next:
  build/release/bin/a2q-translate --import-onnx examples/digits/digits-w4a4.onnx
  build/release/bin/a2q-check examples/digits/digits-w4a4.onnx --report=r.json
  build/release/bin/a2q-compile examples/digits/digits-acc8.onnx -o digits.o
  build/release/bin/a2q-run examples/digits/digits-acc8.onnx \\
    --input examples/digits/images.npy --labels examples/digits/labels.npy \\
    --check-accumulators"""

if __name__ == "__main__":
    sys.exit(main())
