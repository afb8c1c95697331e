# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers as MLIR text, and what they compute, slowly and in exact integers.

A layer is a matmul or a convolution with its consumer. Accumulator types are
proven here, from the weights, independently of the C++ mathematics.
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np


def signed_width(lo, hi):
    width = 1
    while not (-(1 << (width - 1)) <= lo and hi < (1 << (width - 1))):
        width += 1
    return width


@dataclass
class Codes:
    """Codes lo..hi with a zero point, stored in `bits` bits."""

    lo: int
    hi: int
    zero: int = 0
    bits: int = 8
    scale: float = 0.5

    @property
    def dtype(self):
        bits = 8 if self.bits <= 8 else 16 if self.bits <= 16 else 32
        return np.dtype(f"{'u' if self.lo >= 0 else ''}int{bits}")

    def type(self, scale=None):
        scale = scale or f"{self.scale!r}"
        sign = "u" if self.lo >= 0 else "i"
        zero = f":{self.zero}" if self.zero else ""
        return (f"!quant.uniform<{sign}{self.bits}<{self.lo}:{self.hi}>:f32, "
                f"{scale}{zero}>")


@dataclass
class Requantize:
    codes: Codes
    multiplier: list
    shift: list = None
    bias: list = None
    rounding: str = "half_even"


@dataclass
class Decode:
    bits: int = 32


@dataclass
class Reals:
    """max(0, sum * factor + bias) in reals, quantized."""

    codes: Codes
    factors: list  # per channel
    biases: list

    def emit(self, value, sums, acc, out, types):
        reals, channels = f"tensor<{out}xf32>", f"tensor<{len(self.factors)}xf32>"
        hexes = lambda values: ", ".join(
            "0x%08X" % np.float32(v).view(np.uint32) for v in values)
        dims = ", ".join(f"d{i}" for i in range(out.count("x") + 1))
        last = f"affine_map<({dims}) -> (d{out.count('x')})>"
        whole = f"affine_map<({dims}) -> ({dims})>"
        loops = ", ".join(['"parallel"'] * (out.count("x") + 1))
        return [
            f"{value}s = a2q.decode {sums} : {acc} to tensor<{out}xi32>",
            f"{value}f = arith.constant dense<[{hexes(self.factors)}]> : "
            f"{channels}",
            f"{value}b = arith.constant dense<[{hexes(self.biases)}]> : "
            f"{channels}",
            f"{value}z = arith.constant 0.0 : f32",
            f"{value}e = tensor.empty() : {reals}",
            f"{value}r = linalg.generic {{indexing_maps = [{whole}, {last}, "
            f"{last}, {whole}], iterator_types = [{loops}]}} ins({value}s, "
            f"{value}f, {value}b : tensor<{out}xi32>, {channels}, {channels}) "
            f"outs({value}e : {reals}) {{",
            "^bb0(%s: i32, %f: f32, %b: f32, %o: f32):",
            "%0 = arith.sitofp %s : i32 to f32",
            "%1 = arith.mulf %0, %f : f32",
            "%2 = arith.addf %1, %b : f32",
            f"%3 = arith.maximumf %2, {value}z : f32",
            f"linalg.yield %3 : f32 }} -> {reals}",
            f"{value} = a2q.quantize {value}r : {reals} to {types}"]

    def expect(self, total):
        real = total.astype(np.float32) * np.float32(self.factors) + \
            np.float32(self.biases)
        codes = np.rint(np.maximum(real, np.float32(0)) /
                        np.float32(self.codes.scale)) + self.codes.zero
        return np.clip(codes, self.codes.lo, self.codes.hi).astype(
            self.codes.dtype)


@dataclass
class Layer:
    name: str
    x: Codes
    weights: np.ndarray  # [C, K] or [C, kh, kw, I]
    shape: tuple  # of the activations
    consumers: list
    w: Codes = field(default_factory=lambda: Codes(-128, 127))
    strides: tuple = (1, 1)
    dilations: tuple = (1, 1)
    padding: tuple = (0, 0, 0, 0)
    groups: int = 1
    ends: list = None  # per stage
    lanes: int = 1
    centred: bool = False
    order: list = None
    initial: list = None
    wrap: bool = False
    dynamic: bool = False  # weights are an argument
    given: str = ""  # attribute of the activations
    lie: int = 0  # bits taken off the innermost width

    @property
    def conv(self):
        return self.weights.ndim == 4

    @property
    def channels(self):
        return self.weights.shape[-2] if not self.conv else len(self.weights)

    @property
    def length(self):
        return (self.weights.shape[-1] if not self.conv else
                int(np.prod(self.weights.shape[1:])))

    # --- the proof ---------------------------------------------------------

    def prove(self):
        """Widths per stage and starts per stage [channel][tile][lane]."""
        ends = self.ends or [[self.length]]
        rows = self.weights.reshape(-1, self.length).astype(object)
        if self.order is not None:
            rows = rows[:, self.order]
        xlo, xhi = self.x.lo, self.x.hi
        if self.dynamic:
            rows = None
        widths, starts = [], [[] for _ in ends]
        need = [(0, 0) for _ in ends]
        for c in range(self.channels):
            handed = None
            for s, tiles in enumerate(ends):
                outermost = s + 1 == len(ends)
                lanes = self.lanes if s == 0 else 1
                begin, now, mine = 0, [], []
                for t, end in enumerate(tiles):
                    total, row = [0, 0], []
                    for lane in range(lanes):
                        if s == 0:
                            terms = []
                            for p in range(begin, end):
                                if (p - begin) // 2 % lanes != lane:
                                    continue
                                if self.dynamic:
                                    products = [a * b for a in (xlo, xhi)
                                                for b in (self.w.lo, self.w.hi)]
                                else:
                                    products = [rows[c][p] * xlo,
                                                rows[c][p] * xhi]
                                terms.append((min(products), max(products)))
                        else:
                            first = 0 if t == 0 else \
                                ends[s - 1].index(tiles[t - 1]) + 1
                            last = ends[s - 1].index(end) + 1
                            terms = handed[first:last]
                        if outermost and lane == 0 and self.initial is not None:
                            terms = terms + [(self.initial[c],) * 2]
                        final = (sum(a for a, _ in terms),
                                 sum(b for _, b in terms))
                        prefix = (sum(min(0, a) for a, _ in terms),
                                  sum(max(0, b) for _, b in terms))
                        held = final if self.wrap else prefix
                        start = 0
                        if self.centred:
                            start = -((held[0] + held[1] + 1) // 2)
                        row.append(start)
                        need[s] = (min(need[s][0], held[0] + start),
                                   max(need[s][1], held[1] + start))
                        total[0] += final[0] + start
                        total[1] += final[1] + start
                    mine.append(row)
                    now.append(tuple(total))
                    begin = end
                starts[s].append(mine)
                handed = now
        least = 1
        for lo, hi in need:
            least = max(least, signed_width(int(lo), int(hi)))
            widths.append(least)
        widths[0] -= self.lie
        return ends, widths, starts

    # --- the text ----------------------------------------------------------

    def schedule(self, ends, starts):
        if not self.ends and not self.centred and self.order is None \
                and self.lanes == 1:
            return ""
        text = "ends = [" + ", ".join(str(list(e)) for e in ends) + "]"
        if self.centred or self.lanes > 1:
            parts = []
            for s, tiles in enumerate(ends):
                lanes = self.lanes if s == 0 else 1
                parts.append(f"dense<{starts[s]}> : tensor<{self.channels}x"
                             f"{len(tiles)}x{lanes}xi64>")
            text += ", starts = [" + ", ".join(parts) + "]"
        if self.order is not None:
            text += ", order = array<i64: " + \
                ", ".join(map(str, self.order)) + ">"
        return f"schedule <{text}>"

    def result_shape(self):
        if not self.conv:
            return self.shape[:-1] + (self.channels,)
        n, h, w, _ = self.shape
        top, left, bottom, right = self.padding
        _, kh, kw, _ = self.weights.shape
        oh = (h + top + bottom - (kh - 1) * self.dilations[0] - 1) \
            // self.strides[0] + 1
        ow = (w + left + right - (kw - 1) * self.dilations[1] - 1) \
            // self.strides[1] + 1
        return (n, oh, ow, self.channels)

    def emit(self, number):
        """(arguments, body lines, results) with values named after `number`."""
        ends, widths, starts = self.prove()
        stages = []
        for s, (tiles, width) in enumerate(zip(ends, widths)):
            longest = max(b - a for a, b in zip([0] + list(tiles), tiles))
            stages.append(f"{width} x {longest}" if s + 1 < len(ends)
                          else str(width))
        acc = "!a2q.acc<" + ", ".join(stages) + \
            (", wrap>" if self.wrap else ">")
        dims = lambda shape: "x".join(map(str, shape))
        xt = f"tensor<{dims(self.shape)}x{self.x.type()}>"
        wt = f"tensor<{dims(self.weights.shape)}x{self.w.type()}>"
        out = dims(self.result_shape())
        args, lines, results = [(f"%x{number}", xt + self.given)], [], []
        if self.dynamic:
            args.append((f"%w{number}", wt))
        else:
            raw = f"tensor<{dims(self.weights.shape)}xi{self.w.bits}>"
            lines.append(f"%c{number} = arith.constant dense<"
                         f"{self.weights.tolist()}> : {raw}")
            lines.append(f"%w{number} = quant.scast %c{number} : {raw} to {wt}")
        initial = ""
        if self.initial is not None:
            it = f"tensor<{self.channels}xi32>"
            lines.append(f"%i{number} = arith.constant dense<"
                         f"{list(self.initial)}> : {it}")
            initial = f"initial %i{number} : {it}"
        geometry = ""
        if self.conv:
            geometry = (f"strides {list(self.strides)} dilations "
                        f"{list(self.dilations)} padding {list(self.padding)} "
                        f"groups {self.groups}")
        op = "conv_2d" if self.conv else "matmul"
        lines.append(f"%a{number} = a2q.{op} %x{number}, %w{number} {initial} "
                     f"{geometry} {self.schedule(ends, starts)} : {xt}, {wt} "
                     f"-> tensor<{out}x{acc}> loc(\"{self.name}\")")
        for i, consumer in enumerate(self.consumers):
            value = f"%r{number}_{i}"
            at = f"%a{number}"
            if isinstance(consumer, Decode):
                type_ = f"tensor<{out}xi{consumer.bits}>"
                lines.append(f"{value} = a2q.decode {at} : tensor<{out}x{acc}> "
                             f"to {type_}")
            elif isinstance(consumer, Reals):
                type_ = f"tensor<{out}x{consumer.codes.type()}>"
                lines += consumer.emit(value, at, f"tensor<{out}x{acc}>", out,
                                       type_)
            else:
                type_ = f"tensor<{out}x{consumer.codes.type()}>"
                n = len(consumer.multiplier)
                if consumer.shift is None:
                    m = ", ".join("0x%08X" % np.float32(v).view(np.uint32)
                                  for v in consumer.multiplier)
                    factor = f"dense<[{m}]> : tensor<{n}xf32>"
                else:
                    factor = (f"dense<{consumer.multiplier}> : tensor<{n}xi32> "
                              f"shift dense<{consumer.shift}> : tensor<{n}xi8>")
                bias = ""
                if consumer.bias is not None:
                    bias = (f"bias dense<{consumer.bias}> : "
                            f"tensor<{len(consumer.bias)}xi64>")
                lines.append(f"{value} = a2q.requantize {at} multiplier {factor}"
                             f" {bias} rounding {consumer.rounding} : "
                             f"tensor<{out}x{acc}> to {type_}")
            results.append((value, type_))
        return args, lines, results

    # --- the reference -----------------------------------------------------

    def sums(self, x, w):
        """Exact sums, term by term."""
        if not self.conv:
            a = x.astype(np.int64)
            b = w.astype(np.int64)
            total = a @ np.swapaxes(b, -1, -2)
        else:
            n, oh, ow, channels = self.result_shape()
            top, left, bottom, right = self.padding
            image = np.pad(x.astype(np.int64),
                           ((0, 0), (top, bottom), (left, right), (0, 0)),
                           constant_values=self.x.zero)
            total = np.zeros((n, oh, ow, channels), np.int64)
            _, kh, kw, inner = w.shape
            per_group = channels // self.groups
            for c in range(channels):
                first = c // per_group * inner
                for y in range(oh):
                    for z in range(ow):
                        for i in range(kh):
                            for j in range(kw):
                                pixel = image[:, y * self.strides[0] +
                                              i * self.dilations[0],
                                              z * self.strides[1] +
                                              j * self.dilations[1],
                                              first:first + inner]
                                total[:, y, z, c] += pixel @ \
                                    w[c, i, j].astype(np.int64)
        if self.initial is not None:
            total = total + np.array(self.initial, np.int64)
        return total

    def expect(self, x, w):
        total = self.sums(x, w)
        return [reference(consumer, total) for consumer in self.consumers]


def round_fraction(value, mode):
    floor = math.floor(value)
    rest = value - floor
    if rest == 0:
        return floor
    half = Fraction(1, 2)
    up = {"half_even": rest > half or (rest == half and floor % 2),
          "half_up": rest >= half,
          "half_away": rest > half or (rest == half and floor >= 0),
          "toward_zero": floor < 0,
          "floor": False}[mode]
    return floor + 1 if up else floor


def reference(consumer, total):
    if isinstance(consumer, Decode):
        return total.astype(f"int{consumer.bits}")
    if isinstance(consumer, Reals):
        return consumer.expect(total)
    codes = consumer.codes
    out = np.zeros(total.shape, codes.dtype)
    for index in np.ndindex(total.shape):
        c = index[-1]
        pick = lambda values: values[c if len(values) > 1 else 0]
        value = int(total[index])
        if consumer.bias is not None:
            value += pick(consumer.bias)
        if consumer.shift is None:
            real = np.float32(np.int64(value)) * \
                np.float32(pick(consumer.multiplier))
            real = min(max(float(real), -2.0**60), 2.0**60)
            number = round_fraction(Fraction(real), consumer.rounding)
        elif consumer.rounding == "double":
            shift = pick(consumer.shift)
            extra = (1 << 30) * (1 if value >= 0 else -1) * (shift > 31)
            number = (value * pick(consumer.multiplier)
                      + (1 << shift >> 1) + extra) >> shift
        else:
            number = round_fraction(
                Fraction(value * pick(consumer.multiplier),
                         1 << pick(consumer.shift)), consumer.rounding)
        out[index] = min(max(number + codes.zero, codes.lo), codes.hi)
    return out
