#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds what a2q-check says of saturation against pmaddubsw in NumPy.

    saturation.py make FOLDER            writes one model for each layer below
    saturation.py check MODEL REPORT     reads the file, not what a2q made of it

The check multiplies the codes and weights of the file as the instruction does:
two neighbours of the packed row, s16 with saturation. It counts pairs, looks
for the largest loss by trying the ends of each pair, runs the witness, and
shows that no random or extreme image loses more than the report says.
"""

import json
import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(__file__),
                                "../../Frontend/ONNX/Inputs"))
from models import I8, U8, Graph  # noqa: E402


# ---------------------------------------------------------------------------
# Models: one layer each, weights of 8 bits unless the name says otherwise
# ---------------------------------------------------------------------------


def layer(op, shape, weights, dtype=U8, zero=0, wtype=I8, wzero=0, lo=-127,
          hi=127, axis=0, clip=None, flatten=False, **attributes):
    g = Graph()
    x = g.codes(g.input("x", shape, dtype), zero=zero, dtype=dtype, clip=clip)
    if flatten:
        # A convolution before it makes the importer keep images channels last.
        w, _ = g.weights((shape[1], shape[1], 1, 1), lo=1, clip=False)
        x = g.requantize(g.node("Conv", [x, w], "first"), 0.001, clip=None)
        x = g.node("Flatten", [x], "flatten")
    w, _ = g.weights(weights, axis=axis, scale=0.5, dtype=wtype, zero=wzero,
                     lo=lo, hi=hi, clip=False)
    g.output(g.node(op, [x, w], "layer", **attributes))
    return g.model()


MODELS = {
    # Sizes that the file leaves open.
    "conv_open": lambda: layer("Conv", ("N", 3, "H", "W"), (8, 3, 3, 3),
                               pads=[1, 1, 1, 1]),
    # Three input channels: pairs of im2col cross taps, pairs of channels do not.
    "conv_odd": lambda: layer("Conv", (1, 3, 6, 6), (8, 3, 3, 3),
                              pads=[1, 1, 1, 1]),
    "conv_even": lambda: layer("Conv", (1, 4, 7, 6), (5, 4, 2, 3),
                               strides=[2, 1], dilations=[1, 2]),
    "conv_zero_point": lambda: layer("Conv", (1, 3, 6, 6), (8, 3, 3, 3),
                                     zero=100, pads=[1, 1, 1, 1]),
    "conv_clipped": lambda: layer("Conv", (1, 3, 6, 6), (8, 3, 3, 3), zero=120,
                                  clip=(120, 200), pads=[1, 1, 1, 1]),
    # No position has the whole kernel in the image.
    "conv_tiny": lambda: layer("Conv", (1, 5, 1, 2), (8, 5, 3, 3),
                               pads=[1, 1, 1, 1]),
    "conv_depthwise": lambda: layer("Conv", (1, 4, 5, 5), (4, 1, 3, 3), group=4),
    "conv_grouped": lambda: layer("Conv", (1, 6, 5, 5), (4, 3, 3, 3), group=2),
    "conv_signed": lambda: layer("Conv", (1, 4, 5, 5), (4, 4, 3, 3), dtype=I8),
    "conv_weight_zero": lambda: layer("Conv", (1, 4, 5, 5), (4, 4, 3, 3), lo=0,
                                      wzero=50),
    "conv_seven_bits": lambda: layer("Conv", (1, 4, 5, 5), (4, 4, 3, 3), lo=-64,
                                     hi=64),
    "conv_u8_weights": lambda: layer("Conv", (1, 4, 5, 5), (4, 4, 3, 3),
                                     wtype=U8, wzero=128, lo=0, hi=255),
    "gemm": lambda: layer("Gemm", (1, 33), (6, 33), transB=1),
    "matmul": lambda: layer("MatMul", (2, 3, 16), (16, 5), axis=1),
    "flattened": lambda: layer("Gemm", (1, 3, 4, 5), (6, 60), flatten=True,
                               transB=1),
}


def runtime_operators():
    """What --by-type reads: dynamic quantization and operators of a runtime."""
    g = Graph()
    x = g.input("x", (2, 8), np.float32)
    ones = np.full((8, 3), 127)
    g.nodes.append(onnx.helper.make_node(
        "DynamicQuantizeLinear", [x], ["codes", "scale", "zero"], "quantize"))
    g.node("MatMulInteger", ["codes", g.constant(ones, I8), "zero"], "integer")
    g.node("MatMulInteger", ["codes", g.constant(ones // 2, I8), "zero"],
           "halves")
    g.node("MatMulInteger", ["codes", g.constant(ones, U8), "zero"], "unsigned")
    g.node("MatMulInteger", ["codes", g.input("other", (8, 3), I8)], "computed")
    g.node("DynamicQuantizeMatMul", [x, g.constant(ones, I8),
                                     g.constant(1, np.float32)], "dynamic",
           domain="com.microsoft")
    one, zero, szero = (g.constant(1, np.float32), g.constant(0, U8),
                        g.constant(0, I8))
    filters = np.zeros((2, 3, 1, 2), I8)
    filters[1, 0, 0, 1] = filters[1, 2, 0, 0] = -128
    image = g.input("image", (1, 3, 4, 4), U8)
    g.node("QLinearConv", [image, one, zero, g.constant(filters), one, szero,
                           one, zero], "conv")
    rows = g.input("rows", (2, 8), I8)
    g.node("QGemm", [rows, one, szero, g.constant(ones.T, I8), one, szero],
           "gemm", domain="com.microsoft", transB=1)
    g.node("MatMul", [x, g.constant(ones, np.float32)], "float")
    g.node("QAttention", ["codes"], "attention", domain="com.microsoft")
    g.node("MatMulInteger", ["codes", g.constant(ones.reshape(2, 4, 3), I8)],
           "batched")
    g.output("float_out")
    return g.model()


MODELS["runtime_operators"] = runtime_operators


def computed(dtype, wtype, zero=3):
    """Products of two activations, beside a layer that is safe."""
    g = Graph()
    a = g.codes(g.input("x", (1, 4, 8), dtype), zero=zero, dtype=dtype)
    b = g.codes(g.input("y", (1, 8, 4), wtype), zero=zero, dtype=wtype)
    product = g.node("MatMul", [a, b], "product")
    w, _ = g.weights((4, 5), axis=1)
    g.output(g.node("MatMul", [g.requantize(product, 64.0), w], "layer"))
    return g.model()


MODELS["computed"] = lambda: computed(U8, I8)
MODELS["computed_symmetric"] = lambda: computed(U8, I8, zero=0)
MODELS["computed_unsigned"] = lambda: computed(I8, U8)


def moved(op=None):
    """Codes that a runtime moves before it multiplies them; and `op`."""
    g = Graph()
    x = g.node("Reshape", [g.codes(g.input("x", (1, 2, 8))),
                           g.constant([2, 8], np.int64)], "rows")
    w = g.dequantize(g.constant(np.full((3, 8), 127), I8), 0.5, 0, I8)
    w = g.node("Transpose", [w], "turned", perm=[1, 0])
    y = g.node("MatMul", [x, w], "layer")
    g.output(g.node(op, [y], "last") if op else y)
    return g.model()


def computed_filter():
    g = Graph()
    x = g.codes(g.input("x", (1, 3, 6, 6)))
    w = g.codes(g.input("w", (4, 3, 1, 1), I8), dtype=I8)
    g.output(g.node("Conv", [x, w], "layer"))
    return g.model()


MODELS["moved"] = moved
MODELS["moved_unsupported"] = lambda: moved("Hardmax")
MODELS["computed_filter"] = computed_filter


def make(folder):
    os.makedirs(folder, exist_ok=True)
    for name, build in MODELS.items():
        with open(os.path.join(folder, name + ".onnx"), "wb") as file:
            file.write(build().SerializeToString())


# ---------------------------------------------------------------------------
# The layer as the file has it
# ---------------------------------------------------------------------------


class Layer:
    def __init__(self, path):
        model = onnx.load(path)
        constants = {t.name: numpy_helper.to_array(t)
                     for t in model.graph.initializer}
        by_output = {n.output[0]: n for n in model.graph.node}
        self.node = next(n for n in model.graph.node if n.name == "layer")
        attributes = {a.name: onnx.helper.get_attribute_value(a)
                      for a in self.node.attribute}
        w = constants[by_output[self.node.input[1]].input[0]]
        self.unsigned_weights = w.dtype == np.uint8
        x = by_output[self.node.input[0]]
        self.flattened = x.op_type == "Flatten"
        if self.flattened:
            x = by_output[x.input[0]]
        zero = constants[x.input[2]]
        signed = zero.dtype == np.int8
        self.shift = 128 if signed else 0
        self.zero = int(zero) + self.shift
        self.lo, self.hi = 0, 255
        source = by_output.get(x.input[0])
        if source is not None and source.op_type == "Clip":
            self.lo, self.hi = (int(constants[b]) + self.shift
                                for b in source.input[1:])
        shape = [d.dim_value for d in
                 model.graph.input[0].type.tensor_type.shape.dim]
        self.is_conv = self.node.op_type == "Conv"
        w = w.astype(np.int64)
        if not self.is_conv:
            rows = attributes.get("transB", 0)
            self.w = w if rows else w.T  # [C, K]
            return
        self.group = attributes.get("group", 1)
        self.image = shape[1:]
        self.pads = attributes.get("pads", [0, 0, 0, 0])
        self.strides = attributes.get("strides", [1, 1])
        self.dilations = attributes.get("dilations", [1, 1])
        self.filter = w  # [C, I, kh, kw]
        self.w = self.row(w)

    def row(self, patches):
        """[n, I, kh, kw] to [n, K] in the order kernel row, column, channel."""
        return patches.transpose(0, 2, 3, 1).reshape(len(patches), -1)

    def order(self, pairing, rows):
        """Rows as they are packed; zeros where a term has no partner."""
        if pairing == "channels":
            inputs = self.filter.shape[1]
            taps = rows.reshape(len(rows), -1, inputs)
            rows = np.pad(taps, ((0, 0), (0, 0), (0, inputs % 2)))
            rows = rows.reshape(len(rows), -1)
        return np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))

    def patches(self, image):
        """[positions][groups] of [K] u8 codes of one image [1, C, H, W], and
        the position's row and column."""
        if not self.is_conv:
            for row in image.reshape(-1, image.shape[-1]):
                yield (), [row]
            return
        top, left, bottom, right = self.pads
        padded = np.pad(image[0], ((0, 0), (top, bottom), (left, right)),
                        constant_values=self.zero)
        kh, kw = self.filter.shape[2:]
        (sh, sw), (dh, dw) = self.strides, self.dilations
        for row in range((padded.shape[1] - (kh - 1) * dh - 1) // sh + 1):
            for column in range((padded.shape[2] - (kw - 1) * dw - 1) // sw + 1):
                patch = padded[:, row * sh: row * sh + (kh - 1) * dh + 1: dh,
                               column * sw: column * sw + (kw - 1) * dw + 1: dw]
                yield (row, column), list(self.row(
                    patch.reshape(self.group, -1, kh, kw)))

    def rows_of(self, groups, channel):
        if not self.is_conv:
            return groups[0]
        return groups[channel // (len(self.w) // self.group)]


def losses(layer, pairing, image):
    """{position: what each channel loses}: exact less computed."""
    weights = layer.order(pairing, layer.w)
    result = {}
    for at, groups in layer.patches(image):
        lost = []
        for channel, w in enumerate(weights):
            x = layer.order(pairing, layer.rows_of(groups, channel)[None])[0]
            pairs = (x * w).reshape(-1, 2).sum(axis=1)
            lost.append(int((pairs - np.clip(pairs, -32768, 32767)).sum()))
        result[at] = lost
    return result


def expected(layer, pairing):
    """Loss interval of the worst channel and the number of saturating pairs,
    from the two ends of every term of every kind of position."""
    weights = layer.order(pairing, layer.w)
    if layer.is_conv:
        inside = np.ones((1, *layer.image), np.int64)
        outside = layer.zero
        layer.zero = 0
        masks = {tuple(map(bytes, map(np.ascontiguousarray, groups))): groups
                 for _, groups in layer.patches(inside)}.values()
        layer.zero = outside
    else:
        masks = [[np.ones(layer.w.shape[1], np.int64)]]
    worst, saturating = (0, 0), set()
    for groups in masks:
        for channel, w in enumerate(weights):
            inside = layer.rows_of(groups, channel)[None]
            lo = np.where(inside, layer.lo, getattr(layer, "zero", 0))
            hi = np.where(inside, layer.hi, getattr(layer, "zero", 0))
            ends = np.stack([w * layer.order(pairing, lo)[0],
                             w * layer.order(pairing, hi)[0]])
            low = ends.min(axis=0).reshape(-1, 2).sum(axis=1)
            high = ends.max(axis=0).reshape(-1, 2).sum(axis=1)
            saturating |= {(channel, int(p)) for p in
                           np.flatnonzero((low < -32768) | (high > 32767))}
            loss = (int((low - np.clip(low, -32768, 32767)).sum()),
                    int((high - np.clip(high, -32768, 32767)).sum()))
            if max(-loss[0], loss[1]) > max(-worst[0], worst[1]):
                worst = loss
    return worst, saturating


def check(path, report):
    layer = Layer(path)
    with open(report) as file:
        report = json.load(file)
    found = next(entry for entry in report["layers"] if entry["name"] == "layer")
    if layer.unsigned_weights:
        assert found["answer"] == "safe" and not found["pairings"], found
        return "safe: weights in u8"
    assert found["codes"]["shift"] == layer.shift, found["codes"]
    names = ["im2col", "channels"] if layer.is_conv else ["rows"]
    assert [p["pairing"] for p in found["pairings"]] == names
    numbers = np.random.default_rng(1)
    shape = [1, *layer.image] if layer.is_conv else [1, layer.w.shape[1]]
    images = [numbers.integers(layer.lo, layer.hi, shape, endpoint=True)
              for _ in range(20)]
    images += [np.where(numbers.random(shape) < 0.5, layer.lo, layer.hi)
               for _ in range(20)]
    images += [np.full(shape, layer.lo), np.full(shape, layer.hi)]
    for pairing in found["pairings"]:
        name, (low, high) = pairing["pairing"], pairing["loss"]
        worst, saturating = expected(layer, name)
        assert (low, high) == worst, (name, low, high, worst)
        assert pairing["saturating_pairs"] == len(saturating), name
        assert pairing["safe"] == (not saturating), name
        assert pairing["saturating_channels"] == len({c for c, _ in saturating})
        most = max(high, -low)
        for image in images:
            for lost in losses(layer, name, image).values():
                assert max(map(abs, lost)) <= most, (name, lost, most)
    unsafe = any(not p["safe"] for p in found["pairings"])
    assert (found["answer"] == "unsafe") == unsafe, found["answer"]
    if not unsafe:
        assert found["witness"] is None
        return "safe"
    witness = found["witness"]
    codes = np.load(witness["file"])
    assert codes.dtype == (np.int8 if layer.shift else np.uint8)
    codes = codes.astype(np.int64) + layer.shift
    assert list(codes.shape) == shape, codes.shape
    assert layer.lo <= codes.min() and codes.max() <= layer.hi
    position = tuple(witness["position"])
    lost = losses(layer, witness["pairing"], codes)[position]
    assert lost[witness["channel"]] == witness["loss"] != 0, (lost, witness)
    assert abs(witness["loss"]) == max(
        max(map(abs, p["loss"])) for p in found["pairings"]), witness
    return f"unsafe: the witness loses {witness['loss']}"


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        print(check(*sys.argv[2:]))


if __name__ == "__main__":
    main()
