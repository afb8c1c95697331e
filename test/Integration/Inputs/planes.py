# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs chains of sparse layers on planes against exact integers.

    planes.py --isa=avx2 [--lanes=8] [--only=PREFIX] [--work=DIR]

Every layer becomes planes, whatever it costs: a chain whose layers do not says
so and fails. A chain is one function; the layers after the first read the codes
of the one before.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import numpy as np

sys.path.insert(0, os.path.dirname(__file__))
import kernels  # noqa: E402
from layers import Codes, Layer, Reals, Requantize  # noqa: E402

U1, U2, U4, U8 = Codes(0, 1), Codes(0, 3), Codes(0, 15), Codes(0, 255)
S4 = Codes(-8, 7)


@dataclass
class Sum:
    """max(0, a + b), quantized: of two earlier results, the second the last."""

    first: int
    second: int
    y: Codes
    name: str = ""

    def emit(self, number, values, shape, types):
        kind = f"tensor<{'x'.join(map(str, shape))}x"
        real, codes = kind + "f32>", kind + self.y.type() + ">"
        a, b = types[self.first], types[self.second]
        n = f"%s{number}"
        return n, codes, [
            f"{n}a = a2q.dequantize {values[self.first]} : {a} to {real}",
            f"{n}b = a2q.dequantize {values[self.second]} : {b} to {real}",
            f"{n}c = tosa.add {n}a, {n}b : ({real}, {real}) -> {real}",
            f"{n}d = tosa.clamp {n}c {{min_val = 0.0 : f32, max_val = "
            f"0x7F800000 : f32}} : ({real}) -> {real}",
            f"{n} = a2q.quantize {n}d : {real} to {codes}"]

    def expect(self, a, a_codes, b, b_codes):
        def real(x, codes):
            return (x.astype(np.float32) - np.float32(codes.zero)) * \
                np.float32(codes.scale)

        total = np.maximum(real(a, a_codes) + real(b, b_codes), 0)
        codes = np.rint(total / np.float32(self.y.scale)) + self.y.zero
        return np.clip(codes, self.y.lo, self.y.hi).astype(self.y.dtype)


def sparse(rng, shape, budget, sizes=(1,)):
    """Weights of these sizes and either sign, as many as meet the l1 budget."""
    weights = np.zeros(shape, np.int64)
    for row in weights.reshape(shape[0], -1):
        left = budget
        for place in rng.permutation(len(row)):
            size = int(rng.choice(sizes))
            if size > left:
                break
            row[place] = size * rng.choice([-1, 1])
            left -= size
    return weights


def chains():
    rng = np.random.default_rng(0)
    result = []

    def layer(x, weights, shape, y=U4, multiplier=None, bias=None, **more):
        channels = len(weights)
        most = 1 + np.abs(weights).reshape(channels, -1).sum(1).max()
        if multiplier is None:
            multiplier = list((y.hi - y.lo + 1) / most / (x.hi - x.lo)
                              * rng.uniform(0.8, 2, channels))
        if bias is None:
            bias = [int(b) for b in rng.integers(-most, most + 1, channels)]
        requantize = Requantize(y, multiplier, bias=bias,
                                **more.pop("requantize", {}))
        if more.pop("reals", False):
            # By way of reals that are no multiples of anything.
            requantize = Reals(y, [m * y.scale for m in multiplier],
                               list(rng.normal(0, 2, channels)))
        return Layer("", x, weights, shape, [requantize], **more)

    def add(name, *layers):
        for each in layers:
            each.name = name
        result.append((name, layers))

    def one(name, x, weights, shape, **more):
        more.setdefault("padding", (1, 1, 1, 1))
        add(name, layer(x, weights, shape, **more))

    # Units that fill a lane of 8 bits to the last value; 20 channels are one
    # block of 16 and one that overlaps it, 13 columns no power of two.
    one("units", U4, sparse(rng, (20, 3, 3, 20), 17), (1, 9, 13, 20))
    # Blocks of positions with a smaller one behind them.
    one("large", U4, sparse(rng, (4, 3, 3, 3), 15), (1, 30, 37, 3))
    # One position; fewer pixels and channels than any block.
    one("tiny", U4, sparse(rng, (3, 3, 3, 2), 5), (1, 1, 1, 2))
    one("batch", U4, sparse(rng, (5, 3, 3, 4), 17), (3, 7, 7, 4))
    # Zeros outside of the image are codes of 5, results of 3 stand for zero.
    one("zero-point", Codes(0, 15, 5), sparse(rng, (5, 3, 3, 4), 17),
        (1, 6, 6, 4), y=Codes(0, 15, 3))
    one("signed", Codes(-8, 7, -2), sparse(rng, (5, 3, 3, 4), 17),
        (1, 6, 6, 4), y=Codes(-8, 7, -1))
    # Results of 8 bits have no short list of thresholds.
    one("wide-codes", U4, sparse(rng, (5, 3, 3, 4), 17), (1, 6, 6, 4), y=U8)
    one("fixed-point", U4, sparse(rng, (3, 3, 3, 4), 17), (1, 6, 6, 4),
        multiplier=[1, 3, 1 << 30], bias=[5, -7, 100],
        requantize={"shift": [4, 5, 33], "rounding": "half_up"})
    # Digits of more than one level: 3 = 4 - 1, 5 = 4 + 1, 7 = 8 - 1.
    one("levels", U2, sparse(rng, (9, 3, 3, 8), 85, (1, 2, 3, 5, 6, 7)),
        (1, 6, 6, 8))
    # More than 8 bits hold: tiles, 2 in some channels and up to 6 in others.
    mixed = np.concatenate([sparse(rng, (3, 3, 3, 16), budget)
                            for budget in (17, 30, 60, 100)])
    one("tiles", U4, mixed, (1, 8, 8, 16))
    one("tiles-levels", U4, sparse(rng, (5, 3, 3, 8), 100, (1, 3, 4)),
        (1, 8, 8, 8), y=U8)
    # A channel without weights, and one with a single one.
    lonely = np.zeros((3, 3, 3, 2), np.int64)
    lonely[1, 0, 2, 1] = -1
    one("empty", U4, lonely, (1, 5, 5, 2))
    # Sums that become codes by way of reals: of one tile, of several, in a
    # chain, and with a zero point.
    one("reals", U4, sparse(rng, (20, 3, 3, 20), 17), (1, 9, 13, 20),
        reals=True)
    one("reals-tiles", U4, mixed, (1, 8, 8, 16), reals=True)
    one("reals-zero-point", U4, sparse(rng, (5, 3, 3, 4), 17), (1, 6, 6, 4),
        y=Codes(-8, 7, -3), reals=True)
    add("chain-reals", *(
        layer(U4, sparse(rng, (8, 3, 3, 8), 17), (1, 7, 7, 8),
              padding=(1, 1, 1, 1), reals=True) for _ in range(3)))
    # Products that no lane of 8 bits holds.
    one("wide-products", U8, sparse(rng, (5, 3, 3, 4), 100, (1, 2, 7)),
        (1, 6, 6, 4), y=U8)
    # Geometry.
    one("pointwise", U4, sparse(rng, (6, 1, 1, 9), 8), (1, 5, 5, 9),
        padding=(0, 0, 0, 0))
    one("unpadded", U4, sparse(rng, (6, 3, 3, 3), 17), (1, 7, 8, 3),
        padding=(0, 0, 0, 0))
    one("five-wide", U4, sparse(rng, (4, 5, 5, 2), 17), (1, 9, 9, 2),
        padding=(2, 2, 2, 2))
    one("uneven", U4, sparse(rng, (4, 2, 3, 2), 12), (1, 9, 9, 2),
        padding=(0, 2, 1, 0))
    one("dilated", U4, sparse(rng, (4, 3, 3, 2), 12), (1, 9, 9, 2),
        padding=(2, 2, 2, 2), dilations=(2, 2))
    # Strides of 2 walk four phases; odd sizes have the halo for a neighbour.
    one("strides", U4, sparse(rng, (6, 3, 3, 5), 17), (2, 12, 20, 5),
        strides=(2, 2))
    one("strides-odd", Codes(0, 15, 4), sparse(rng, (6, 3, 3, 5), 17),
        (1, 9, 7, 5), strides=(2, 2))
    one("strides-pointwise", U4, sparse(rng, (6, 1, 1, 9), 8), (1, 10, 9, 9),
        strides=(2, 2), padding=(0, 0, 0, 0))
    one("strides-five", U4, sparse(rng, (4, 5, 5, 2), 17), (1, 11, 70, 2),
        strides=(2, 2), padding=(2, 2, 2, 2))
    one("groups", U4, sparse(rng, (6, 3, 3, 2), 12), (1, 6, 6, 4), groups=2)
    one("depthwise", U4, sparse(rng, (5, 3, 3, 1), 5), (1, 6, 6, 5), groups=5)
    # What one layer writes the next one reads, halo and all.
    shape = (2, 10, 11, 8)
    add("chain",
        layer(U4, sparse(rng, (8, 3, 3, 8), 17), shape, padding=(1, 1, 1, 1)),
        layer(U4, sparse(rng, (12, 1, 1, 8), 8), shape),
        layer(U4, sparse(rng, (8, 3, 3, 12), 17), shape[:3] + (12,),
              padding=(1, 1, 1, 1)))
    add("chain-strides",
        layer(U4, sparse(rng, (8, 3, 3, 8), 17), shape, padding=(1, 1, 1, 1)),
        layer(U4, sparse(rng, (8, 3, 3, 8), 17), shape, padding=(1, 1, 1, 1),
              strides=(2, 2)),
        layer(U4, sparse(rng, (8, 3, 3, 8), 17), (2, 5, 6, 8),
              padding=(1, 1, 1, 1)))
    # A residual sum is computed on planes; its zero points become zeros.
    square = lambda **more: layer(U4, sparse(rng, (8, 3, 3, 8), 17), shape,
                                  padding=(1, 1, 1, 1), **more)
    add("chain-residual", square(), square(), square(), Sum(0, 2, U4),
        square())
    add("chain-residual-zero-points", square(), square(),
        square(y=Codes(-8, 7, -2)), Sum(0, 2, Codes(0, 15, 3)),
        layer(Codes(0, 15, 3), sparse(rng, (8, 3, 3, 8), 17), shape,
              padding=(1, 1, 1, 1)))
    # Scales whose sums round anywhere; a code of 16 has no short list.
    for name, a, b, y in (
            ("scales", Codes(0, 15, scale=0.37), Codes(0, 15, 8, scale=0.61),
             Codes(0, 15, scale=0.83)),
            ("signed", Codes(-8, 7, 1, scale=0.37), Codes(0, 15, scale=0.21),
             Codes(-8, 7, -3, scale=0.29)),
            ("narrow", Codes(0, 3, scale=0.7), Codes(2, 9, 4, scale=0.9),
             Codes(0, 15, scale=0.11)),
            ("many", Codes(0, 16, scale=0.37), Codes(0, 15, 8, scale=0.61),
             Codes(0, 15, scale=0.83))):
        add("chain-residual-" + name, square(y=a),
            layer(a, sparse(rng, (8, 3, 3, 8), 15), shape, y=b,
                  padding=(1, 1, 1, 1)), Sum(0, 1, y),
            layer(y, sparse(rng, (8, 3, 3, 8), 17), shape,
                  padding=(1, 1, 1, 1)))
    add("chain-zero-points",
        layer(Codes(0, 15, 2), sparse(rng, (8, 3, 3, 8), 17), shape,
              y=Codes(-8, 7, 3), padding=(1, 1, 1, 1)),
        layer(Codes(-8, 7, 3), sparse(rng, (8, 3, 3, 8), 17), shape, y=U8,
              padding=(1, 1, 1, 1)))
    return result


def emit(number, chain):
    """The function's arguments, lines and result of a chain."""
    _, layers = chain
    args, lines, values, types = [], [], [], []
    for i, layer in enumerate(layers):
        value = values[-1] if values else None
        if isinstance(layer, Sum):
            value, kind, text = layer.emit(
                f"{number}_{i}", values, layers[i - 1].result_shape(), types)
            lines += text
            values.append(value)
            types.append(kind)
            continue
        a, text, results = layer.emit(f"{number}_{i}")
        if i == 0:
            args = a
        else:
            text = [line.replace(f"%x{number}_{i} ", f"{value} ")
                    .replace(f"%x{number}_{i},", f"{value},") for line in text]
        lines += text
        values.append(results[0][0])
        types.append(results[0][1])
    return args, lines, [(values[-1], types[-1])]


def expect(layers, x):
    """The codes that the last layer computes."""
    results, codes = [], []
    for layer in layers:
        if isinstance(layer, Sum):
            a, b = layer.first, layer.second
            x = layer.expect(results[a], codes[a], results[b], codes[b])
            codes.append(layer.y)
        else:
            x = layer.expect(x, layer.weights)[0]
            codes.append(layer.consumers[0].codes)
        results.append(x)
    return x


def count_planes(path, options, count):
    """Fails unless every layer became planes."""
    done = subprocess.run(
        ["a2q-opt", path, f"--convert-a2q-to-vector=isa={options.isa} "
         f"planes=always lanes={options.lanes}", "-o", os.devnull,
         "--remarks-filter=a2q-kernels"], capture_output=True, text=True)
    found = done.stderr.count("the kernel is planes")
    if found != count:
        sys.exit(f"{found} of {count} layers are planes\n{done.stderr}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--isa", default="portable")
    parser.add_argument("--lanes", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--work")
    options = parser.parse_args()
    all_chains = [c for c in chains() if c[0].startswith(options.only)]
    work = options.work or tempfile.mkdtemp(prefix="a2q-planes-")
    os.makedirs(work, exist_ok=True)
    parts = [emit(i, chain) for i, chain in enumerate(all_chains)]
    text = kernels.function(parts)
    library = kernels.compile_module(
        text, options.isa, False, work,
        f" planes=always lanes={options.lanes}")
    count_planes(os.path.join(work, "in.mlir"), options,
                 sum(isinstance(layer, Layer) for _, layers in all_chains
                     for layer in layers))
    rng = np.random.default_rng(1)
    failures = 0
    for kind in ("random", "lo", "hi", "upper", "lower"):
        ins, outs, expected = [], [], []
        for name, layers in all_chains:
            x, _ = kernels.inputs_of(layers[0], kind, rng)
            ins.append(x)
            x = expect(layers, x)
            expected.append((name, x))
            outs.append(np.zeros_like(x))
        kernels.call(library, ins, outs)
        failures += kernels.compare(expected, outs, kind)
    print(f"{len(all_chains)} chains, {failures} failures")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
