# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the accumulators of a QDQ file reach on data, beside what was proven."""

import numpy as np
from programs import Session


def constant_inputs(model):
    """Initializers, and what DequantizeLinear makes of them with its scale."""
    from onnx import numpy_helper

    arrays = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    made = {}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            made[node.output[0]] = node
    return arrays, made


class Layer:
    """A quantized Conv, MatMul or Gemm: what turns its result into sums of integer products."""

    def __init__(self, node, arrays, made):
        self.name, self.output = node.name, node.output[0]
        self.axis = 1 if node.op_type == "Conv" else -1
        first, second = (made[name] for name in node.input[:2])
        scales = arrays[second.input[1]] if second.input[1] in arrays else 1
        self.scale = np.asarray(arrays[first.input[1]], np.float64) * scales
        # Accumulators sum products with codes, the zero point included.
        self.shift = 0.0
        if second.input[0] in arrays and len(first.input) > 2:
            codes = arrays[second.input[0]].astype(np.float64)
            self.shift = float(arrays[first.input[2]]) * self.weight_sums(node, codes)
        self.bias = 0.0
        if len(node.input) > 2:
            name = node.input[2]
            self.bias = (arrays[made[name].input[0]].astype(np.float64)
                         * arrays[made[name].input[1]] if name in made
                         else arrays[name].astype(np.float64))

    @staticmethod
    def weight_sums(node, codes):
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        if node.op_type == "Conv":
            return codes.reshape(len(codes), -1).sum(1)
        return codes.sum(1 if transposed else 0)

    def sums(self, result):
        """[positions, channels]"""
        moved = np.moveaxis(result.astype(np.float64), self.axis, -1)
        sums = (moved.reshape(-1, moved.shape[-1]) - self.bias) / self.scale
        return np.rint(sums + self.shift)


def layers(path):
    import onnx

    model = onnx.load(path)
    arrays, made = constant_inputs(model)
    return [Layer(node, arrays, made) for node in model.graph.node
            if node.op_type in ("Conv", "MatMul", "Gemm")
            and all(name in made for name in node.input[:2])]


def extremes(path, feeds, count):
    """The least and the greatest sum of each layer's channels on the first samples, by ONNX
    Runtime without its optimizations: float32 results divided by the scales."""
    found = layers(path)
    session = Session(path, optimized=False, outputs=[layer.output for layer in found])
    ends = {}
    for index in range(min(count, len(next(iter(feeds.values()))))):
        results = session({k: v[index:index + 1] for k, v in feeds.items()})
        for layer, result in zip(found, results):
            sums = layer.sums(result)
            lo, hi = sums.min(0), sums.max(0)
            if layer.name in ends:
                lo, hi = np.minimum(lo, ends[layer.name][0]), np.maximum(hi, ends[layer.name][1])
            ends[layer.name] = (lo, hi)
    return ends


def width(lo, hi):
    """Bits of a signed register."""
    bits = 1
    while not (-(1 << (bits - 1)) <= lo and hi < 1 << (bits - 1)):
        bits += 1
    return bits
