# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks with random weights, as one QDQ file that every runtime reads.

    build.py NETWORK WIDTHS BATCH FILE.onnx

A float network is written first; ONNX Runtime computes it on random images, and
the ranges of what it computes become the scales of the codes. Weights have one
scale per output channel and are signed 8-bit codes, of which 4-bit weights use
-7 to 7. The same numbers as in the float network, rounded: nothing is chosen to
please one runtime. Codes stand where ONNX Runtime's own quantizer puts them:
around layers, sums and pooling, behind a Relu that follows.
"""

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

from cases import NETWORKS, WIDTHS

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
# Operators whose operands and results are codes.
QUANTIZED = {"Conv", "Gemm", "MatMul", "Add", "MaxPool", "GlobalAveragePool"}


class Graph:
    """A float network, operator by operator."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants, self.real = [], {}, set()
        self.count = 0

    def op(self, kind, inputs, real=False, **attributes):
        self.count += 1
        name = f"{kind.lower()}{self.count}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name,
                                           **attributes))
        if real:  # stays float in the quantized network
            self.real.add(name)
        return name

    def constant(self, array, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array, dtype)
        return name

    def weights(self, *shape, fan):
        return self.constant(self.rng.normal(0, np.sqrt(2 / fan), shape))

    def bias(self, channels):
        return self.constant(self.rng.normal(0, 0.2, channels))

    def conv(self, x, inputs, outputs, kernel, stride=1, groups=1, relu=True,
             top=None):
        w = self.weights(outputs, inputs // groups, kernel, kernel,
                         fan=inputs // groups * kernel * kernel)
        y = self.op("Conv", [x, w, self.bias(outputs)], group=groups,
                    kernel_shape=[kernel] * 2, strides=[stride] * 2,
                    pads=[kernel // 2] * 4)
        if top:
            return self.op("Clip", [y, self.constant(0.0), self.constant(top)])
        return self.op("Relu", [y]) if relu else y

    def classifier(self, x, inputs, classes):
        x = self.op("GlobalAveragePool", [x])
        x = self.op("Flatten", [x], axis=1)
        w = self.weights(classes, inputs, fan=inputs)
        return self.op("Gemm", [x, w, self.bias(classes)], transB=1)


def basic_block(g, x, inputs, outputs, stride):
    y = g.conv(x, inputs, outputs, 3, stride)
    y = g.conv(y, outputs, outputs, 3, relu=False)
    if stride != 1 or inputs != outputs:
        x = g.conv(x, inputs, outputs, 1, stride, relu=False)
    # He's initialization doubles the variance at every sum; the trained
    # network's normalization does not.
    for name in (y, x):
        node = next(n for n in g.nodes if n.output[0] == name)
        if node.op_type == "Conv":
            g.constants[node.input[1]] *= np.sqrt(0.5)
    return g.op("Relu", [g.op("Add", [y, x])])


def resnet18(g, size):
    x = g.conv("x", 3, 64, 7, 2)
    x = g.op("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2],
             pads=[1] * 4)
    inputs = 64
    for stage, outputs in enumerate((64, 128, 256, 512)):
        for block in range(2):
            x = basic_block(g, x, inputs, outputs,
                            2 if stage and not block else 1)
            inputs = outputs
    return (3, size, size), g.classifier(x, 512, 1000)


def resnet8(g, size):
    x = g.conv("x", 3, 16, 3)
    for inputs, outputs, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
        x = basic_block(g, x, inputs, outputs, stride)
    return (3, size, size), g.classifier(x, 64, 10)


def mobilenetv2(g, size):
    x = g.conv("x", 3, 32, 3, 2, top=6.0)
    inputs = 32
    for expand, outputs, count, first in (
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
            (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(count):
            hidden, stride = inputs * expand, first if i == 0 else 1
            y = x
            if expand != 1:
                y = g.conv(y, inputs, hidden, 1, top=6.0)
            y = g.conv(y, hidden, hidden, 3, stride, hidden, top=6.0)
            y = g.conv(y, hidden, outputs, 1, relu=False)
            x = g.op("Add", [x, y]) if stride == 1 and inputs == outputs else y
            inputs = outputs
    x = g.conv(x, 320, 1280, 1, top=6.0)
    return (3, size, size), g.classifier(x, 1280, 1000)


def encoder(g, layers, tokens, hidden, heads, inner):
    def linear(x, inputs, outputs):
        w = g.weights(inputs, outputs, fan=2 * inputs)
        y = g.op("MatMul", [x, w])
        return g.op("Add", [y, g.bias(outputs)], real=True)

    def normalize(x):
        return g.op("LayerNormalization",
                    [x, g.constant(np.ones(hidden)), g.bias(hidden)], axis=-1)

    def split(x, order):
        shape = g.constant([0, tokens, heads, hidden // heads], np.int64)
        return g.op("Transpose", [g.op("Reshape", [x, shape])], perm=order)

    def gelu(x):
        y = g.op("Div", [x, g.constant(np.sqrt(2))])
        y = g.op("Add", [g.op("Erf", [y]), g.constant(1.0)], real=True)
        return g.op("Mul", [g.op("Mul", [x, y]), g.constant(0.5)])

    x = normalize("x")
    for _ in range(layers):
        q = split(linear(x, hidden, hidden), [0, 2, 1, 3])
        k = split(linear(x, hidden, hidden), [0, 2, 3, 1])
        v = split(linear(x, hidden, hidden), [0, 2, 1, 3])
        a = g.op("MatMul", [q, k], real=True)
        a = g.op("Div", [a, g.constant(np.sqrt(hidden / heads))])
        a = g.op("MatMul", [g.op("Softmax", [a], axis=-1), v], real=True)
        a = g.op("Transpose", [a], perm=[0, 2, 1, 3])
        a = g.op("Reshape", [a, g.constant([0, tokens, hidden], np.int64)])
        x = normalize(g.op("Add", [linear(a, hidden, hidden), x], real=True))
        y = gelu(linear(x, hidden, inner))
        x = normalize(g.op("Add", [linear(y, inner, hidden), x], real=True))
    return (tokens, hidden), x


def make_model(nodes, constants, shape, output):
    graph = helper.make_graph(
        nodes, "network", [helper.make_tensor_value_info("x", T.FLOAT, shape)],
        [helper.make_tensor_value_info(output, T.FLOAT, None)],
        [numpy_helper.from_array(a, n) for n, a in constants.items()])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def random_input(shape, seed):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def find_ranges(graph, shape, output):
    """The least and greatest value of everything that is computed."""
    import onnxruntime as rt
    model = make_model(graph.nodes, graph.constants, (1, *shape), output)
    del model.graph.output[:]
    names = [n.output[0] for n in graph.nodes]
    for name in names:
        model.graph.output.append(
            helper.make_tensor_value_info(name, T.FLOAT, None))
    options = rt.SessionOptions()
    options.intra_op_num_threads = 1
    session = rt.InferenceSession(model.SerializeToString(), options,
                                  providers=["CPUExecutionProvider"])
    ranges = {}
    for seed in range(2):
        x = random_input((1, *shape), 100 + seed)
        for name, value in zip(["x", *names],
                               [x, *session.run(names, {"x": x})]):
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = (min(low, float(value.min())),
                            max(high, float(value.max())))
    return ranges


def draw_units(graph, units):
    """Makes the weights of all layers but the first and the last one 1, -1 and
    0, times what keeps their variance."""
    layers = [n for n in graph.nodes if n.op_type == "Conv"][1:]
    for node in layers:
        w = graph.constants[node.input[1]]
        out, inputs, *kernel = w.shape
        # Tiles follow the order of the sums: row, column, input channel.
        drawn = np.zeros((out, w[0].size), np.float32)
        length = units.tile or w[0].size
        for row in drawn:
            for first in range(0, len(row), length):
                tile = row[first:first + length]
                share = len(tile) / length
                places = graph.rng.permutation(len(tile))
                places = places[:round(units.count * share)]
                tile[places] = graph.rng.choice([-1, 1], len(places))
        scale = np.sqrt((w ** 2).sum() / np.abs(drawn).sum())
        drawn = np.moveaxis(drawn.reshape(out, *kernel, inputs), -1, 1)
        graph.constants[node.input[1]] = drawn * np.float32(scale)


class Quantizer:
    """The same network with QuantizeLinear and DequantizeLinear."""

    def __init__(self, graph, ranges, widths):
        self.graph, self.ranges = graph, ranges
        self.wbits, self.abits = widths.weights, widths.activations
        self.units, self.narrow = widths.units, set()
        if self.units:
            names = [n.output[0] for n in graph.nodes]
            kinds = [n.op_type for n in graph.nodes]
            self.narrow = set(names[:kinds.index("GlobalAveragePool")])
        self.nodes, self.constants = [], {}
        self.scales, self.codes = {}, {}
        self.readers = {}
        for node in graph.nodes:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def constant(self, name, array):
        self.constants[name] = array
        return name

    def is_quantized(self, node):
        return node.op_type in QUANTIZED and node.output[0] not in \
            self.graph.real

    def activation(self, name, scale_of=None):
        """The codes of `name`, read back as reals."""
        if name in self.codes:
            return self.codes[name]
        clip = name in self.narrow and not scale_of
        if scale_of:
            scale, zero = self.scales[scale_of]
        else:
            low, high = self.ranges[name]
            # Few codes are not spent on the rare ends.
            share = 0.6 if clip else 1
            top = 2 ** (self.units.bits if clip else self.abits) - 1
            scale = np.float32((high - low) * share / top)
            zero = np.uint8(np.rint(-low * share / scale))
        self.scales[name] = scale, zero
        if clip:
            ends = [self.constant(name + end, np.float32(code * scale))
                    for end, code in (("_lo", -float(zero)),
                                      ("_hi", float(top - zero)))]
            self.nodes.append(helper.make_node(
                "Clip", [name, *ends], [name + "_c"]))
        s = self.constant(name + "_s", np.array(scale, np.float32))
        z = self.constant(name + "_z", np.array(zero, np.uint8))
        self.nodes.append(helper.make_node(
            "QuantizeLinear", [name + "_c" if clip else name, s, z],
            [name + "_q"]))
        self.nodes.append(helper.make_node(
            "DequantizeLinear", [name + "_q", s, z], [name + "_d"]))
        self.codes[name] = name + "_d"
        return name + "_d"

    def weights(self, name, axis):
        w = self.graph.constants[name]
        has_units = self.units and len(np.unique(np.abs(w))) == 2
        top = 1 if has_units else 2 ** (self.wbits - 1) - 1
        rest = tuple(i for i in range(w.ndim) if i != axis)
        scale = (np.abs(w).max(rest) / top).astype(np.float32)
        shape = [1] * w.ndim
        shape[axis] = -1
        codes = np.rint(w / scale.reshape(shape)).astype(np.int8)
        self.constant(name + "_q", codes)
        self.constant(name + "_s", scale)
        self.constant(name + "_z", np.zeros(len(scale), np.int8))
        self.nodes.append(helper.make_node(
            "DequantizeLinear", [name + f for f in ("_q", "_s", "_z")],
            [name + "_d"], axis=axis))
        return name + "_d", scale

    def bias(self, name, scale):
        codes = np.rint(self.graph.constants[name] / scale).astype(np.int32)
        self.constant(name + "_q", codes)
        self.constant(name + "_s", scale.astype(np.float32))
        self.constant(name + "_z", np.zeros(len(scale), np.int32))
        self.nodes.append(helper.make_node(
            "DequantizeLinear", [name + f for f in ("_q", "_s", "_z")],
            [name + "_d"], axis=0))
        return name + "_d"

    def node(self, node):
        inputs = list(node.input)
        if self.is_quantized(node):
            inputs[0] = self.activation(inputs[0])
            if node.op_type == "Add":
                inputs[1] = self.activation(inputs[1])
            if node.op_type in ("Conv", "Gemm", "MatMul"):
                axis = 1 if node.op_type == "MatMul" else 0
                inputs[1], scale = self.weights(inputs[1], axis)
            if len(inputs) == 3:
                xs = self.scales[node.input[0]][0]
                inputs[2] = self.bias(inputs[2], xs * scale)
        else:
            for i, name in enumerate(inputs):
                if name in self.codes and name not in self.graph.real \
                        and self.closed.get(name):
                    inputs[i] = self.codes[name]
                elif name in self.graph.constants:
                    self.constant(name, self.graph.constants[name])
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        del copy.input[:]
        copy.input.extend(inputs)
        self.nodes.append(copy)

    def run(self, output):
        self.closed = {}
        for node in self.graph.nodes:
            self.node(node)
            name = node.output[0]
            fused = [r.op_type for r in self.readers.get(name, [])] in (
                ["Relu"], ["Clip"])
            quantized = self.is_quantized(node)
            follows = node.op_type in ("Relu", "Clip")
            # A product alone stays real: its sum with the bias is no code.
            if (quantized and not fused and node.op_type != "MatMul") \
                    or follows:
                same = node.input[0] if node.op_type == "MaxPool" else None
                self.activation(name, same)
                self.closed[name] = True
        return self.codes.get(output, output)


def build(network, widths, batch):
    """A model, and its input."""
    if network.build == "file":
        model = onnx.load(os.path.join(ROOT, network.arguments[0]))
        (value,) = model.graph.input
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim][1:]
        value.type.tensor_type.shape.dim[0].dim_value = batch
        del model.graph.value_info[:]
        for out in model.graph.output:
            out.type.tensor_type.shape.dim[0].dim_value = batch
        images = np.load(os.path.join(
            ROOT, os.path.dirname(network.arguments[0]), "images.npy"))
        kind = helper.tensor_dtype_to_np_dtype(
            value.type.tensor_type.elem_type)
        return model, images[:batch].reshape(batch, *shape).astype(kind)
    graph, widths = Graph(), WIDTHS[widths]
    shape, output = globals()[network.build](graph, *network.arguments)
    if widths.units:
        draw_units(graph, widths.units)
    quantizer = Quantizer(graph, find_ranges(graph, shape, output), widths)
    result = quantizer.run(output)
    model = make_model(quantizer.nodes, quantizer.constants, (batch, *shape),
                       result)
    return model, random_input((batch, *shape), 7)


def main():
    name, widths, batch, path = sys.argv[1:]
    network = next(n for n in NETWORKS if n.name == name)
    model, x = build(network, widths, int(batch))
    onnx.checker.check_model(model)
    onnx.save(model, path)
    np.save(os.path.splitext(path)[0] + ".npy", x)


if __name__ == "__main__":
    main()
