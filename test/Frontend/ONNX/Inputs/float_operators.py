#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models of the operators beside layers: functions, integers, indexing, shapes, normalization.

suite.py says how it is run; the answers are in operators_expected.npz. A model may return several outputs: they are joined to one, which tests Concat as well.
"""

import numpy as np
from float_models import Graph
from onnx import TensorProto, helper
from suite import Suite

I64, F32, BOOL = np.int64, np.float32, np.bool_
model = Suite("models", "operators_expected.npz",
              lambda found, expected: np.isclose(found, expected, rtol=3e-6, atol=3e-6,
                                                 equal_nan=True))


def ints(g, *values):
    return g.constant(np.array(values, I64))


def joined(g, parts):
    """All parts as one vector."""
    flat = [g.node("Reshape", [x, ints(g, -1)]) for x in parts]
    return g.finish(g.node("Concat", flat, axis=0))


def each(shape, *nodes, opset=15):
    """Each (operator, inputs after the first, attributes) of one input."""
    g = Graph(opset)
    x = g.input("x", shape)
    return joined(g, [g.node(op, [x] + [i(g) if callable(i) else i for i in inputs], **attributes)
                      for op, inputs, attributes in nodes])


def to_real(g, x):
    return g.node("Cast", [x], to=TensorProto.FLOAT)


# Functions of one element


@model
def functions():
    return each((2, 3, 5), *((op, [], {}) for op in (
        "Abs", "Neg", "Exp", "Floor", "Ceil", "Round", "Erf", "Sign", "Softplus", "Softsign",
        "Sin", "Cos", "Elu", "Selu", "Reciprocal")), ("Elu", [], {"alpha": 0.5}))


@model
def positive_functions():
    g = Graph()
    x = g.node("Add", [g.node("Abs", [g.input("x", (3, 7))]), g.constant(0.25, F32)])
    return joined(g, [g.node(op, [x]) for op in ("Log", "Sqrt", "Reciprocal")] + [
        g.node("Pow", [x, g.constant(e, F32)]) for e in (2, 3, 0.5, 1.7)])


@model
def special_powers():
    # Of infinities and of -0.
    g = Graph()
    x = g.input("x", (2, 9))
    zero = g.node("Mul", [x, g.constant(0, F32)])
    x = g.node("Concat", [g.node("Div", [x, g.constant(0, F32)]), zero, x], axis=0)
    return joined(g, [g.node("Pow", [x, g.constant(e, F32)]) for e in (0.5, 1.5)])


@model
def young_functions():
    return each((2, 9), ("Gelu", [], {}), ("Gelu", [], {"approximate": "tanh"}),
                ("Mish", [], {}), opset=20)


@model
def division():
    # A product with the reciprocal is another number.
    g = Graph()
    x = g.input("x", (4, 8))
    return joined(g, [g.node("Div", [x, g.constant(3, F32)]), g.node("Div", [g.reals(4, 1), x]),
                      g.node("Mod", [x, g.constant(0.75, F32)], fmod=1)])


# Integers and truth values


@model
def integers():
    g = Graph()
    x, y = g.input("x", (3, 5), I64), g.constant([3, -4, 5, 7, -2], I64)
    parts = [g.node(op, [x, y]) for op in ("Add", "Sub", "Mul", "Div", "Mod", "Min", "Max")]
    parts += [g.node("Mod", [x, y], fmod=1), g.node("Neg", [x]), g.node("Abs", [x])]
    return joined(g, [to_real(g, p) for p in parts])


@model
def comparisons():
    g = Graph()
    x, y = g.input("x", (3, 5)), g.input("y", (3, 5), np.int32)
    whole = g.constant(1, np.int32)
    parts = [g.node(op, [x, g.constant(0.5, F32)]) for op in (
        "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual")]
    parts += [g.node(op, [y, whole]) for op in ("Equal", "Less", "GreaterOrEqual")]
    parts += [g.node(op, [parts[1], parts[5]]) for op in ("And", "Or", "Xor")]
    parts.append(g.node("Not", [parts[0]]))
    return joined(g, [to_real(g, p) for p in parts])


@model
def choices():
    g = Graph()
    x, mask = g.input("x", (2, 3, 4)), g.input("mask", (3, 1), BOOL)
    y = g.node("Where", [mask, x, g.reals(4)])
    return g.finish(g.node("Where", [mask, g.constant(-9, F32), y]))


@model
def casts():
    g = Graph()
    x = g.input("x", (3, 5))
    parts = []
    for kind in (TensorProto.INT32, TensorProto.INT64, TensorProto.INT8, TensorProto.BOOL):
        parts.append(to_real(g, g.node("Cast", [x], to=kind)))
    # Truncated, then wrapped.
    wide = g.node("Mul", [g.node("Cast", [x], to=TensorProto.INT32), g.constant(77, np.int32)])
    parts.append(to_real(g, g.node("Cast", [wide], to=TensorProto.INT8)))
    parts.append(to_real(g, g.node("Cast", [wide], to=TensorProto.UINT8)))
    return joined(g, parts)


# Reductions


@model
def reductions():
    return each((2, 3, 4, 5), *((op, [], attributes) for op in (
        "ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2",
        "ReduceSumSquare") for attributes in (
            {}, {"axes": [1]}, {"axes": [-1, 0]}, {"axes": [2], "keepdims": 0})))


@model
def sums():
    g = Graph()
    x = g.conv(g.input("x", (2, 3, 4, 5)), (6, 3, 1, 1))  # channels last
    parts = [g.node("ReduceSum", [x, ints(g, *axes)], keepdims=keep)
             for axes in ([1], [2], [-1, -2], [0, 1, 2, 3]) for keep in (0, 1)]
    parts += [g.node("ReduceSum", [x]), g.node("ReduceSum", [x], noop_with_empty_axes=1)]
    return joined(g, parts)


@model
def integer_reductions():
    g = Graph()
    x = g.input("x", (3, 4), np.int32)
    return joined(g, [to_real(g, g.node(op, [x], axes=[1])) for op in (
        "ReduceMax", "ReduceMin", "ReduceProd")] + [
            to_real(g, g.node("ReduceSum", [x, ints(g, 0)]))])


@model
def arguments():
    # Values repeat, so that the first and the last index differ.
    g = Graph()
    x = g.node("Round", [g.input("x", (3, 9))])
    return joined(g, [to_real(g, g.node(op, [x], axis=axis, select_last_index=last))
                      for op in ("ArgMax", "ArgMin") for axis in (0, -1) for last in (0, 1)])


# Normalization


@model
def layer_norm():
    g = Graph(17)
    x = g.node("LayerNormalization", [g.input("x", (2, 3, 8)), g.reals(8), g.reals(8)])
    return g.finish(g.node("LayerNormalization", [x, g.reals(3, 8)], axis=1, epsilon=0.1))


@model
def rms_norm():
    g = Graph(23)
    return g.finish(g.node("RMSNormalization", [g.input("x", (2, 3, 8)), g.reals(8)],
                           epsilon=0.1))


@model
def instance_norm():
    g = Graph()
    x = g.conv(g.input("x", (2, 3, 5, 4)), (4, 3, 1, 1))
    return g.finish(g.node("InstanceNormalization", [x, g.reals(4), g.reals(4)], epsilon=0.01))


def spelled(g, x, axes, centres=True, square="Pow"):
    d = g.node("Sub", [x, g.node("ReduceMean", [x], axes=axes)]) if centres else x
    other = g.constant(2, F32) if square == "Pow" else d
    v = g.node("ReduceMean", [g.node(square, [d, other])], axes=axes)
    root = g.node("Sqrt", [g.node("Add", [v, g.constant(0.01, F32)])])
    return g.node("Div", [d, root])


@model
def spelled_norms():
    g = Graph()
    x = g.input("x", (2, 3, 8))
    return joined(g, [spelled(g, x, [-1]), spelled(g, x, [-1], square="Mul"),
                      spelled(g, x, [1, 2]), spelled(g, x, [2], centres=False)])


@model
def not_a_norm():
    # The variance is of other axes than the mean: deviations of mean 0 are not what is divided.
    g = Graph()
    x = g.input("x", (2, 3, 8))
    d = g.node("Sub", [x, g.node("ReduceMean", [x], axes=[1])])
    v = g.node("ReduceMean", [g.node("Mul", [d, d])], axes=[2])
    root = g.node("Sqrt", [g.node("Add", [v, g.constant(0.01, F32)])])
    return g.finish(g.node("Div", [d, root]))


# Indexing


@model
def slices():
    g = Graph()
    x, image = g.input("x", (4, 6, 7)), g.conv(g.input("y", (1, 2, 6, 5)), (4, 2, 1, 1))

    def cut(of, starts, ends, axes, steps):
        return g.node("Slice", [of, ints(g, *starts), ints(g, *ends), ints(g, *axes),
                                ints(g, *steps)])

    far = 2**62
    return joined(g, [
        cut(x, [1, -3], [3, far], [0, 2], [1, 1]), cut(x, [0, 5], [far, 0], [1, 2], [2, -2]),
        cut(x, [-1], [-far], [1], [-1]), cut(image, [1, 1], [3, -1], [1, 3], [1, 2]),
        cut(image, [0], [far], [1], [1]), cut(x, [2**63 - 1], [-2**63], [2], [-2**63])])


@model
def splits():
    g = Graph()
    x = g.input("x", (2, 7, 3))
    g.nodes.append(helper.make_node("Split", [x, ints(g, 3, 4)], ["a", "b"], "split", axis=1))
    g.nodes.append(helper.make_node("Split", ["b"], ["c", "d"], "halves", axis=-2))
    return g.finish(g.node("Concat", ["d", "a", "c"], axis=1))


@model
def gathers():
    g = Graph()
    ids, x = g.input("ids", (2, 3), I64), g.input("x", (4, 9, 2))
    table = g.node("Gather", [g.reals(9, 5), ids])
    return joined(g, [table, g.node("Gather", [x, ids], axis=1),
                      g.node("Gather", [x, g.constant(-2, I64)], axis=1)])


@model
def repeats():
    g = Graph()
    x = g.input("x", (2, 1, 3))
    return joined(g, [g.node("Expand", [x, ints(g, 4, 1)]), g.node("Expand", [x, ints(g, 1)]),
                      g.node("Tile", [x, ints(g, 2, 3, 2)])])


@model
def pads():
    g = Graph()
    x, pads = g.input("x", (2, 4, 5)), ints(g, 0, 1, 2, 1, 0, 3)
    return joined(g, [g.node("Pad", [x, pads]), g.node("Pad", [x, pads, g.constant(-3, F32)]),
                      g.node("Pad", [x, pads], mode="edge"),
                      g.node("Pad", [x, ints(g, 0, 1, 2, 0, 3, 4)], mode="reflect")])


@model
def pads_axes_in_any_order():
    g = Graph(18)
    x = g.input("x", (2, 4, 5))
    return joined(g, [g.node("Pad", [x, ints(g, 2, 1, 0, 3), "", ints(g, -1, 1)]),
                      g.node("Pad", [x, ints(g, 2, 1, 0, 1), "", ints(g, 2, 0)])])


# Shapes


@model
def computed_shapes():
    """As exporters write them: [N, C, H, W] to [N, -1, C / 2]."""
    g = Graph()
    x = g.input("x", ("N", 4, 3, 2))
    shape = g.node("Shape", [x])
    batch = g.node("Slice", [shape, ints(g, 0), ints(g, 1)])
    channels = g.node("Gather", [shape, g.constant(1, I64)])
    half = g.node("Div", [channels, g.constant(2, I64)])
    target = g.node("Concat", [batch, ints(g, -1), g.node("Unsqueeze", [half, ints(g, 0)])], axis=0)
    target = g.node("Where", [g.node("Equal", [target, ints(g, 0)]), ints(g, 1), target])
    x = g.node("Reshape", [x, g.node("Cast", [target], to=TensorProto.INT64)])
    ramp = g.node("Range", [g.constant(0, I64), g.node("ReduceProd", [shape], keepdims=0),
                            g.constant(24, I64)])
    fill = g.node("ConstantOfShape", [g.node("Shape", [ramp])],
                  value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.5]))
    total = g.node("Add", [to_real(g, g.node("ReduceSum", [ramp, ints(g, 0)])),
                           g.node("ReduceSum", [fill])])
    return g.finish(g.node("Add", [x, total]))


@model
def sequences():
    # Channels last, through shapes that keep the channels.
    g = Graph()
    x = g.conv(g.input("x", (2, 3, 4, 5)), (6, 3, 1, 1))
    x = g.node("Reshape", [x, ints(g, 0, 0, -1)])
    y = g.node("MatMul", [g.node("Transpose", [x], perm=[0, 2, 1]), g.reals(6, 4)])
    x = g.node("Add", [x, g.reals(6, 1)])
    return joined(g, [g.node("Softmax", [x], axis=1), y, g.node("Flatten", [x])])


# Layers


@model
def conv_1d():
    g = Graph()
    x = g.conv(g.input("x", (2, 3, 11)), (4, 3, 3), pads=[2, 0], strides=[2], dilations=[2])
    x = g.node("MaxPool", [x], kernel_shape=[2], strides=[1], pads=[0, 1])
    y = g.conv(x, (4, 1, 2), group=4)
    return joined(g, [y, g.node("GlobalAveragePool", [x]), g.node("GlobalMaxPool", [x]),
                      g.node("AveragePool", [x], kernel_shape=[3])])


@model
def ceil_pools():
    g = Graph()
    x = g.input("x", (1, 2, 8, 7))
    return joined(g, [g.node(op, [x], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 0, 0],
                             ceil_mode=1, **more)
                      for op, more in (("MaxPool", {}), ("AveragePool", {}),
                                       ("AveragePool", {"count_include_pad": 1}))])


@model
def products():
    g = Graph()
    x, y = g.input("x", (2, 3, 4, 5)), g.input("y", (3, 5, 2))
    v = g.input("v", (5,))
    return joined(g, [g.node("MatMul", [x, y]), g.node("MatMul", [x, v]),
                      g.node("MatMul", [v, y]), g.node("MatMul", [v, g.reals(5, 3)]),
                      g.node("MatMul", [g.reals(2, 4), g.node("MatMul", [x, g.reals(3, 5, 2)])])])


@model
def gemms():
    g = Graph()
    x, y = g.input("x", (4, 3)), g.input("y", (5, 4))
    z = g.node("Gemm", [x, y, g.reals(3, 5)], transA=1, transB=1, alpha=0.5, beta=2.0)
    return joined(g, [z, g.node("Gemm", [x, g.reals(4, 2)], transA=1)])


@model
def old_operators():
    # Operator set 11 has attributes where later ones have inputs.
    g = Graph(11)
    x = g.input("x", (2, 6, 1, 4))
    g.nodes.append(helper.make_node("Split", [x], ["a", "b"], "split", axis=1, split=[2, 4]))
    y = g.node("Squeeze", ["b"], axes=[2])
    y = g.node("Softmax", [y], axis=1)
    y = g.node("Unsqueeze", [y], axes=[0])
    return joined(g, [y, g.node("ReduceSum", ["a"], axes=[1], keepdims=0),
                      g.node("Clip", ["a", g.constant(-1, F32)])])


if __name__ == "__main__":
    model.main()
