#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models whose layers saturate, to be mended.

    saturation_fix.py make FOLDER
    saturation_fix.py same MODEL MENDED       a2q-run gives the same outputs, on
                                              extreme and random codes
    saturation_fix.py near MODEL MENDED       or nearly the same
    saturation_fix.py unsigned MODEL          all that is quantized is so in u8
    saturation_fix.py valid MODEL [OP ...]    the standard's checker accepts it,
                                              and it has these operators
"""

import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(__file__),
                                "../../Frontend/ONNX/Inputs"))
from models import I8, I32, U8, Graph  # noqa: E402


def conv(g, x, weights, name, bias=None, dtype=I8, **attributes):
    """A convolution of dequantized codes; `weights` are its codes."""
    weights = np.asarray(weights)
    scale = np.float32(2.0) ** -(1 + np.arange(len(weights)) % 3)
    w = g.dequantize(g.constant(weights, dtype), scale, 0, dtype, axis=0)
    inputs = [x, w]
    if bias is not None:
        inputs.append(g.dequantize(g.constant(bias, I32), scale * 0.5, 0, I32,
                                   axis=0))
    return g.node("Conv", inputs, name, **attributes)


def first(g, channels, shape=(1, 3, 6, 6), dtype=U8):
    """An input and a safe layer that gives out `channels`."""
    x = g.codes(g.input("x", shape, dtype), dtype=dtype)
    return conv(g, x, g.rng.integers(-60, 61, (channels, shape[1], 1, 1)),
                "first", bias=g.rng.integers(-40, 40, channels))


def large_and_small():
    """Neighbours that saturate; each would be safe beside a small one."""
    weights = np.random.default_rng(2).integers(-7, 8, (4, 8, 3, 3))
    for large, beside in ((0, 1), (2, 3)):
        weights[:, large] = weights[:, beside] = 120
    return weights


def reorder(through=lambda g, x: x, twice=False, result=False):
    g = Graph()
    x = g.requantize(through(g, g.node("Relu", [first(g, 8)])), 0.25, clip=None)
    y = conv(g, x, large_and_small(), "layer", pads=[1, 1, 1, 1])
    g.output(g.node("Add", [y, conv(g, x, g.rng.integers(-9, 9, (4, 8, 1, 1)),
                                    "other")]) if twice else y)
    if result:
        g.output(x, shape=(1, 8, 6, 6))
    return g.model()


def shared(weights):
    """A layer of these weights reads the channels before the one that wants
    another order."""
    g = Graph()
    # Every channel reaches 255.
    x = conv(g, g.codes(g.input("x", (1, 3, 6, 6))),
             g.rng.integers(20, 61, (8, 3, 1, 1)), "first", bias=np.arange(8))
    x = g.requantize(x, 0.25, clip=None)
    y = conv(g, x, weights, "other")
    g.output(y)
    g.output(conv(g, x, large_and_small()[:, :, :1, :1], "layer"))
    # One result is enough for what compares them.
    y, z = (g.node("ReduceMax", [out.name], axes=[1, 2, 3])
            for out in g.outputs)
    g.outputs = []
    g.output(g.node("Add", [y, z]))
    return g.model()


def only_as_they_are():
    """Weights that saturate beside any other neighbour."""
    pairs = [(i, j) for i in range(8) for j in range(i) if i // 2 != j // 2]
    weights = np.zeros((len(pairs), 8, 1, 1), int)
    for row, pair in enumerate(pairs):
        weights[row, pair] = 100
    return weights


def residual(g, x):
    """x + layer(x), whose channels are those of x."""
    x = g.requantize(x, 0.25, clip=None)
    return g.node("Add", [x, conv(g, x, g.rng.integers(-60, 61, (8, 8, 1, 1)),
                                  "residual", bias=np.arange(8) * 5)])


def through_depthwise(g, x):
    x = g.requantize(x, 0.25, clip=None)
    return g.node("MaxPool", [conv(g, x, g.rng.integers(1, 40, (8, 1, 3, 3)),
                                   "depthwise", group=8,
                                   bias=np.arange(8) * 9, pads=[1, 1, 1, 1])],
                  kernel_shape=[2, 2])


def through_sum(g, x):
    """x * clip(x * c + 3) + second layer of the same image."""
    scale = g.constant(np.float32(1 + np.arange(8).reshape(8, 1, 1) % 3) / 64)
    x = g.requantize(x, 0.25, clip=None)
    gate = g.node("Add", [g.node("Mul", [x, scale]),
                          g.constant(np.float32(3))])
    gate = g.node("Clip", [gate, g.constant(np.float32(0)),
                           g.constant(np.float32(6))])
    other = conv(g, g.dequantize("x", 0.5, 0), g.rng.integers(
        -60, 61, (8, 3, 1, 1)), "second", bias=np.arange(8) * 7)
    return g.node("Add", [other, g.node("Mul", [x, gate])])


def gemm():
    g = Graph()
    x = g.codes(g.input("x", (3, 6)))
    w = g.dequantize(g.constant(g.rng.integers(-60, 61, (6, 8)), I8), 0.5, 0, I8)
    x = g.node("Add", [g.node("MatMul", [x, w], "first"),
                       g.constant(np.arange(8) * 0.5, np.float32)])
    x = g.requantize(x, 0.5, clip=None)
    weights = large_and_small()[:, :, 0, 0]
    w = g.dequantize(g.constant(weights, I8), 0.5, 0, I8)
    g.output(g.node("Gemm", [x, w], "layer", transB=1))
    return g.model()


def reals(weights, bias=()):
    """As many rows as channels, out of a product of real numbers."""
    g = Graph()
    x = g.codes(g.input("x", (1, 8, 8) if len(weights) == 3 else (8, 8)))
    real = [g.constant(g.rng.integers(-60, 61, shape) / 64, np.float32)
            for shape in (weights, *bias)]
    x = g.node("Gemm" if bias else "MatMul", [x, *real], "first")
    x = g.requantize(x, 0.5, clip=None)
    w = g.dequantize(g.constant(large_and_small()[:, :, 0, 0].T, I8), 0.5, 0, I8)
    g.output(g.node("MatMul", [x, w], "layer"))
    return g.model()


def wide():
    """More channels than are put in order."""
    g = Graph()
    w = g.dequantize(g.constant(np.full((4098, 1), 127), I8), 0.5, 0, I8)
    g.output(g.node("MatMul", [g.codes(g.input("x", (1, 4098))), w], "layer"))
    return g.model()


def shift():
    """A ReLU in s8, whose codes [0, 127] are [128, 255] to the instruction."""
    g = Graph()
    x = g.node("Relu", [first(g, 8, dtype=I8)])
    x = g.requantize(x, 0.25, dtype=I8, clip=None)
    y = conv(g, x, g.rng.integers(-127, 128, (4, 8, 3, 3)), "layer")
    g.output(g.node("Add", [y, conv(g, x, g.rng.integers(-127, 128, (4, 8, 3, 3)),
                                    "twin")]))
    return g.model()


def dense(channels=8, per_tensor=False, group=1, pads=(0, 0, 0, 0), dtype=U8,
          after=False):
    """Too many pairs for another order."""
    g = Graph()
    x = first(g, channels, dtype=dtype)
    x = g.requantize(x, 0.25, dtype=dtype, clip=None)
    weights = g.rng.integers(-127, 128, (8, channels // group, 3, 3))
    bias = g.rng.integers(-99, 99, 8)
    if per_tensor:
        w = g.dequantize(g.constant(weights, I8), 0.5, 0, I8)
        y = g.node("Conv", [x, w], "layer")
    else:
        y = conv(g, x, weights, "layer", bias, group=group, pads=list(pads))
    if after:  # in s8 as well
        y = conv(g, g.requantize(y, 64.0, dtype=dtype, clip=None),
                 g.rng.integers(-60, 61, (4, 8, 1, 1)), "after")
    g.output(y)
    return g.model()


def brevitas(per_tensor=False, axis=0):
    """Real weights that the network quantizes, clips and dequantizes."""
    g = Graph()
    x = g.requantize(first(g, 8), 0.25, clip=None)
    scale = np.float32(2.0 ** -(1 + np.arange(8) % 3))
    weights = g.rng.integers(-127, 128, (8, 8, 3, 3))
    if per_tensor:
        scale = np.float32(0.25)
    real = g.constant(np.float32(weights * scale.reshape(-1, 1, 1, 1)))
    zeros = g.constant(np.zeros(scale.shape), I8)
    w = g.node("QuantizeLinear", [real, g.constant(scale), zeros], axis=axis)
    w = g.clip(w, -120, 120, I8)
    w = g.node("DequantizeLinear", [w, g.constant(scale), zeros], axis=axis)
    g.output(g.node("Conv", [x, w], "layer"))
    return g.model()


def qlinear(weights):
    """Two QLinearConv; scales of the second per channel, biases in both."""
    g = Graph()
    weights = np.asarray(weights)

    def layer(x, weights, scales, y_scale, name):
        count = len(weights)
        return g.node("QLinearConv", [
            x, g.constant(0.5, np.float32), g.constant(0, U8),
            g.constant(weights, I8), g.constant(scales, np.float32),
            g.constant(np.zeros(np.shape(scales)), I8),
            g.constant(y_scale, np.float32), g.constant(7, U8),
            g.constant(g.rng.integers(-99, 99, count), I32)], name)

    x = layer(g.input("x", (1, 3, 6, 6)), g.rng.integers(-60, 61, (8, 3, 1, 1)),
              0.25, 4.0, "first")
    y = layer(x, weights, 2.0 ** -(1 + np.arange(len(weights)) % 3), 300.0,
              "layer")
    g.output(y, onnx.TensorProto.UINT8)
    return g.model()


def operators(end="real", group=8):
    """Codes in s8 through operators that take them as they are; the layer in
    their midst is depthwise."""
    g = Graph()

    def pair(x, scale, zero):
        return [x, g.constant(scale, np.float32), g.constant(zero, I8)]

    def layer(x, weights, name, zeros=(3, -5), scale=16.0, **attributes):
        return g.node("QLinearConv", pair(x, 0.5, zeros[0]) +
                      pair(g.constant(weights, I8), 0.25, 0) +
                      pair("", scale, zeros[1])[1:], name, **attributes)

    def add(a, b, name, zeros):
        return g.node("QLinearAdd", pair(a, 2.0, zeros[0]) +
                      pair(b, 0.5, zeros[1]) + pair("", 2.0, 1)[1:], name,
                      domain="com.microsoft")

    x = layer(g.input("x", (1, 3, 6, 6), I8),
              g.rng.integers(-60, 61, (8, 3, 1, 1)), "first", (3, 7))
    y = layer(x, g.rng.integers(-127, 128, (8, 8 // group, 3, 3)), "layer",
              (7, -5), 64.0, group=group)
    y = g.node("MaxPool", [y], "pool", kernel_shape=[2, 2])
    y = add(y, g.constant(g.rng.integers(-128, 128, (8, 1, 1)), I8), "add",
            (-5, 9))
    if end == "codes":
        g.output(y, onnx.TensorProto.INT8, (1, 8, 3, 3))
        return g.model()
    if end == "cast":  # reads the codes themselves
        y = g.node("Cast", [y], "cast", to=onnx.TensorProto.FLOAT)
    else:
        y = g.dequantize(y, 2.0, 1, I8)
    g.output(y, shape=(1, 8, 3, 3))
    return g.model()


def operators_shift(end="real"):
    """A ReLU before codes in s8 that begin at 0; the layer before it is safe."""
    g = Graph()
    x = first(g, 8, dtype=I8)
    x = g.quantize(g.node("Relu", [x]), 0.25, 0, I8)
    x = g.node("Identity", [x], "same")
    one, zero = g.constant(0.25, np.float32), g.constant(0, I8)
    y = g.node("QLinearConv", [
        x, one, zero, g.constant(g.rng.integers(-127, 128, (4, 8, 3, 3)), I8),
        one, zero, g.constant(90.0, np.float32), g.constant(-11, I8)], "layer")
    if end == "codes":
        g.output(y, onnx.TensorProto.INT8)
    else:
        g.output(g.dequantize(y, 90.0, -11, I8))
    return g.model()


def flattened():
    g = Graph()
    x = g.requantize(first(g, 4), 0.25, clip=None)
    x = g.node("Flatten", [x], "flatten")
    w = g.dequantize(g.constant(g.rng.integers(-127, 128, (5, 144)), I8), 0.5,
                     0, I8)
    g.output(g.node("Gemm", [x, w], "layer", transB=1))
    return g.model()


def integers(zero=None):
    """An operator of dynamic quantization."""
    g = Graph()
    x = g.input("x", (2, 8), np.float32)
    g.nodes.append(onnx.helper.make_node(
        "DynamicQuantizeLinear", [x], ["codes", "scale", "zero"], "quantize"))
    w = g.rng.integers(-127, 128, (8, 6))
    inputs = ["codes", g.constant(w, I8), "zero"]
    if zero is not None:
        inputs.append(g.constant(zero, I8))
    g.output(g.node("MatMulInteger", inputs, "layer"),
             dtype=onnx.TensorProto.INT32)
    return g.model()


def unknown():
    """The same beside a layer that nobody can judge."""
    model = integers()
    other = onnx.helper.make_tensor_value_info("other", onnx.TensorProto.INT8,
                                               (6, 3))
    model.graph.input.append(other)
    model.graph.node.append(onnx.helper.make_node(
        "MatMulInteger", ["codes", "other2"], ["product"], "computed"))
    model.graph.node.insert(0, onnx.helper.make_node(
        "Pad", ["other", "pads"], ["other2"], "pad"))
    model.graph.initializer.append(numpy_helper.from_array(
        np.array([2, 0, 0, 0]), "pads"))
    model.graph.output.append(onnx.helper.make_tensor_value_info(
        "product", onnx.TensorProto.INT32, None))
    return model


def listed():
    """As old files, with all initializers among the inputs."""
    model = dense()
    for tensor in model.graph.initializer:
        model.graph.input.append(onnx.helper.make_tensor_value_info(
            tensor.name, tensor.data_type, tensor.dims))
    return model


MODELS = {
    "reorder": reorder,
    "reorder_depthwise": lambda: reorder(through_depthwise),
    "reorder_sum": lambda: reorder(through_sum),
    "reorder_shared": lambda: reorder(twice=True),
    "reorder_residual": lambda: reorder(residual),
    "reorder_conflict": lambda: shared(only_as_they_are()),
    "reorder_split": lambda: shared(np.random.default_rng(4).integers(
        -127, 128, (16, 8, 1, 1))),
    "reorder_result": lambda: reorder(result=True),
    "reorder_gemm": gemm,
    "stack": lambda: reals((1, 8, 8)),
    "bias_column": lambda: reals((8, 8), [(8, 1)]),
    "bias_matrix": lambda: reals((8, 8), [(8, 8)]),
    "shift": shift,
    "dense": dense,
    "listed": listed,
    "dense_odd": lambda: dense(channels=5, pads=(1, 1, 1, 1)),
    "dense_per_tensor": lambda: dense(per_tensor=True),
    "grouped": lambda: dense(group=2),
    "depthwise": lambda: dense(group=8),
    "depthwise_signed": lambda: dense(group=8, dtype=I8, after=True),
    "brevitas": brevitas,
    "brevitas_axis": lambda: brevitas(per_tensor=True, axis=-6),
    "wide": wide,
    "qlinear_reorder": lambda: qlinear(large_and_small()),
    "qlinear_dense": lambda: qlinear(np.random.default_rng(4).integers(
        -127, 128, (6, 8, 3, 3))),
    "operators": operators,
    "operators_codes": lambda: operators("codes"),
    "operators_cast": lambda: operators("cast"),
    "operators_dense": lambda: operators(group=1),
    "operators_shift": operators_shift,
    "operators_result": lambda: operators_shift("codes"),
    "flattened": flattened,
    "integers": integers,
    "unknown": unknown,
    "zero_point": lambda: integers(zero=3),
}


def make(folder):
    os.makedirs(folder, exist_ok=True)
    for name, build in MODELS.items():
        onnx.save(build(), os.path.join(folder, name + ".onnx"))
    onnx.save(dense(), os.path.join(folder, "external.onnx"),
              save_as_external_data=True, location="external.bin",
              size_threshold=0)


def outputs_of(path, mended):
    info = onnx.load(path, load_external_data=False).graph.input[0]
    shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
    dtype = {1: np.float32, 2: U8, 3: I8}[info.type.tensor_type.elem_type]
    numbers = np.random.default_rng(1)
    if dtype == np.float32:
        codes = [numbers.normal(0, 2, shape) for _ in range(9)]
    else:
        lo, hi = np.iinfo(dtype).min, np.iinfo(dtype).max
        codes = [np.full(shape, lo), np.full(shape, hi)]
        for _ in range(4):
            codes += [numbers.integers(lo, hi, shape, endpoint=True),
                      np.where(numbers.random(shape) < 0.5, lo, hi)]
    outputs = []
    with tempfile.TemporaryDirectory() as folder:
        np.save(folder + "/x.npy", np.concatenate(codes).astype(dtype))
        for model in (path, mended):
            name = onnx.load(model).graph.output[0].name
            subprocess.run(["a2q-run", model, "--input", folder + "/x.npy",
                            "--output", f"{name}={folder}/y.npy"], check=True,
                           stdout=subprocess.DEVNULL)
            outputs.append(np.load(folder + "/y.npy"))
    valid(mended, [])
    return outputs


def same(path, mended):
    first, second = outputs_of(path, mended)
    assert first.any() and (first == second).all()


def near(path, mended):
    """Within what the projected weights leave to expect, and not the same."""
    first, second = (y.astype(float) for y in outputs_of(path, mended))
    error = np.linalg.norm(first - second) / np.linalg.norm(first)
    assert 0 < error < 0.05, error


def valid(path, operators):
    model = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
    onnx.checker.check_model(model)
    found = [node.op_type for node in model.graph.node]
    for operator in operators:
        assert operator in found, (operator, found)
    read = {name for node in model.graph.node for name in node.input}
    unread = {t.name for t in model.graph.initializer} - read
    assert not unread, unread


def unsigned(path):
    graph = onnx.load(path).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    found = {types[node.input[2]] for node in graph.node
             if node.op_type == "QuantizeLinear"}
    assert found == {onnx.TensorProto.UINT8}, found


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    elif sys.argv[1] == "same":
        same(*sys.argv[2:])
    elif sys.argv[1] == "near":
        near(*sys.argv[2:])
    elif sys.argv[1] == "unsigned":
        unsigned(sys.argv[2])
    else:
        valid(sys.argv[2], sys.argv[3:])
