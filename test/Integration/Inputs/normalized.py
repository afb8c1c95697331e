#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A quantized layer behind LayerNorm: the program whose accumulators are narrow by the norm of
its inputs gives what 32 bits give, and inputs exist that come near to what was proven.

    normalized.py FOLDER [options of a2q-run]
"""

import json
import os
import subprocess
import sys

import numpy as np

RANDOM = np.random.default_rng(11)
TERMS, CHANNELS = 384, 8


def constant(name, array, kind):
    data = array.tobytes().hex().upper()
    return f'  {name} = "tosa.const"() {{values = dense<"0x{data}"> : {kind}}} : () -> {kind}\n'


def layer(rows, gains, offsets, weights, codes):
    x, row, one = f"tensor<{rows}x{TERMS}xf32>", f"tensor<{rows}x1xf32>", "tensor<1x1xf32>"
    along, shift = f"tensor<1x{TERMS}xf32>", "tensor<1xi8>"
    sums = f"tensor<{rows}x{CHANNELS}x"
    w = f"tensor<{CHANNELS}x{TERMS}x"
    return (f"""!x = {codes}
!w = !quant.uniform<i8<-7:7>:f32, 0.125>
func.func @main(%x: {x}) -> {sums}i32> {{
""" + constant("%none", np.zeros(1, np.int8), shift)
        + constant("%share", np.full((1, 1), 1 / TERMS, "<f4"), one)
        + constant("%eps", np.full((1, 1), 1e-5, "<f4"), one)
        + constant("%gains", gains, along) + constant("%offsets", offsets, along) + f"""
  %total = tosa.reduce_sum %x {{axis = 1 : i32}} : ({x}) -> {row}
  %mean = tosa.mul %total, %share, %none : ({row}, {one}, {shift}) -> {row}
  %d = tosa.sub %x, %mean : ({x}, {row}) -> {x}
  %squares = tosa.mul %d, %d, %none : ({x}, {x}, {shift}) -> {x}
  %sum = tosa.reduce_sum %squares {{axis = 1 : i32}} : ({x}) -> {row}
  %variance = tosa.mul %sum, %share, %none : ({row}, {one}, {shift}) -> {row}
  %shifted = tosa.add %variance, %eps : ({row}, {one}) -> {row}
  %inverse = tosa.rsqrt %shifted : ({row}) -> {row}
  %n = tosa.mul %d, %inverse, %none : ({x}, {row}, {shift}) -> {x}
  %scaled = tosa.mul %n, %gains, %none : ({x}, {along}, {shift}) -> {x}
  %moved = tosa.add %scaled, %offsets : ({x}, {along}) -> {x}
  %q = a2q.quantize %moved : {x} to tensor<{rows}x{TERMS}x!x>
  %codes = arith.constant dense<"0x{weights.tobytes().hex().upper()}"> : {w}i8>
  %w = quant.scast %codes : {w}i8> to {w}!w>
  %y = a2q.matmul %q, %w : tensor<{rows}x{TERMS}x!x>, {w}!w> -> {sums}!a2q.acc<32>>
  %z = a2q.decode %y : {sums}!a2q.acc<32>> to {sums}i32>
  return %z : {sums}i32>
}}
""")


def inputs(gains, weights):
    """Ordinary rows, spikes, equal values, infinities, and rows that lie along the weights."""
    rows = [*RANDOM.normal(size=(8, TERMS))]
    for place in (0, TERMS - 1):
        spike = np.zeros(TERMS)
        spike[place] = 1e6
        rows += [spike, -spike]
    rows.append(np.full(TERMS, 3.0))
    infinite = RANDOM.normal(size=TERMS)
    infinite[::7] = np.inf
    rows.append(infinite)
    for channel in weights:
        rows += [channel * gains[0], -channel * gains[0]]
    return np.array(rows, "<f4")


def main():
    folder, *options = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    gains = RANDOM.normal(1, 0.2, (1, TERMS)).astype("<f4")
    offsets = RANDOM.normal(0, 0.1, (1, TERMS)).astype("<f4")
    weights = RANDOM.integers(-7, 8, (CHANNELS, TERMS), dtype=np.int8)
    x = inputs(gains, weights)
    for name, codes in (("signed", "!quant.uniform<i8:f32, 0.0625>"),
                        ("unsigned", "!quant.uniform<u8:f32, 0.0625:128>")):
        path = os.path.join(folder, name)
        with open(path + ".mlir", "w") as file:
            file.write(layer(len(x), gains, offsets, weights, codes))
        np.save(path + ".x.npy", x)
        found = {}
        for how in ("32", "16", "16 checked"):
            width, *check = how.split()
            subprocess.run(["a2q-run", path + ".mlir", "--input", path + ".x.npy",
                            "--output", path + ".y.npy", f"--accumulator={width}", *options,
                            *(["--check-accumulators"] if check else [])], check=True)
            found[how] = np.load(path + ".y.npy")
            assert np.array_equal(found[how], found["32"]), (name, how)
        subprocess.run(["a2q-check", path + ".mlir", f"--report={path}.json"], check=True,
                       stdout=subprocess.DEVNULL)
        with open(path + ".json") as file:
            report = json.load(file)["layers"][0]
        low, high = np.array([channel["final"] for channel in report["per_channel"]]).T
        reached = found["32"].astype(np.int64)
        assert (low <= reached).all() and (reached <= high).all(), name
        # What the zero point adds is the same for all inputs.
        middle = 128 * weights.astype(np.int64).sum(1) if name == "unsigned" else 0
        share = ((reached.max(0) - middle) / (high - middle)).min()
        assert share > 0.9, (name, share)
        print(f"{name}: {report['proof']}, {report['width']['exact']} bits for "
              f"{report['box_width']['exact']}")
    print("narrow programs agree with wide ones")


if __name__ == "__main__":
    main()
