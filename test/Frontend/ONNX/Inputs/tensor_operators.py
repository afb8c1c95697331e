#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models of operators that look elements up, scatter, sort and sum them.

suite.py says how it is run; the answers are in tensor_expected.npz. A model may return
several outputs: they are joined to one.
"""

import numpy as np
from float_models import Graph
from float_operators import BOOL, F32, I64, each, ints, joined, to_real
from onnx import TensorProto, helper
from suite import Suite

model = Suite("models", "tensor_expected.npz",
              lambda found, expected: np.isclose(found, expected, rtol=3e-6, atol=3e-6,
                                                 equal_nan=True))


@model
def log_softmax():
    g = Graph(13)
    x = g.node("Mul", [g.input("x", (2, 3, 5)), g.constant(8, F32)])
    return joined(g, [g.node("LogSoftmax", [x], axis=axis) for axis in (0, 1, -1)])


@model
def log_softmax_11():
    g = Graph(11)
    return joined(g, [g.node("LogSoftmax", [g.input("x", (2, 3, 5))])])


@model
def more_functions():
    return each((2, 3, 5), ("Celu", [], {"alpha": 0.5}), ("ThresholdedRelu", [], {"alpha": 0.75}),
                ("LpNormalization", [], {}), ("LpNormalization", [], {"axis": 1, "p": 1}))


@model
def variadic():
    g = Graph()
    x, y, z = g.input("x", (2, 3)), g.input("y", (3,)), g.input("z", (2, 1))
    return joined(g, [g.node(op, inputs) for op in ("Sum", "Mean", "Min", "Max")
                      for inputs in ([x], [x, y], [x, y, z])])


@model
def powers():
    # The exponent has a type of its own.
    g = Graph()
    x = g.node("Add", [g.node("Abs", [g.input("x", (2, 5))]), g.constant(0.25, F32)])
    e = g.input("e", (5,), I64)
    return joined(g, [g.node("Pow", [x, g.constant(2, I64)]), g.node("Pow", [x, e]),
                      g.node("Pow", [x, g.constant(-3, np.int32)])])


@model
def classes():
    g = Graph(20)
    x = g.input("x", (3, 7))
    zero = g.node("Sub", [x, x])
    odd = g.node("Where", [g.node("Greater", [x, g.constant(1, F32)]),
                           g.node("Div", [x, zero]), g.node("Div", [g.node("Relu", [x]), zero])])
    parts = [g.node("IsNaN", [odd]), g.node("IsInf", [odd]),
             g.node("IsInf", [g.node("Neg", [odd])], detect_positive=0),
             g.node("IsInf", [odd], detect_negative=0)]
    return joined(g, [to_real(g, p) for p in parts])


@model
def log_sums():
    return each((2, 3, 4), *(("ReduceLogSumExp", [], attributes) for attributes in (
        {}, {"axes": [1]}, {"axes": [-1, 0], "keepdims": 0})))


@model
def log_sum():
    g = Graph()
    x = g.node("Abs", [g.input("x", (2, 3, 4))])
    x = g.node("Add", [x, g.constant(0.25, F32)])
    return joined(g, [g.node("ReduceLogSum", [x], axes=[1]), g.node("ReduceLogSum", [x])])


@model
def running_sums():
    g = Graph()
    x, y = g.input("x", (2, 5)), g.input("y", (2, 3, 4), I64)
    kinds = [{}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}]
    return joined(g, [g.node("CumSum", [x, g.constant(1, I64)], **kind) for kind in kinds] + [
        to_real(g, g.node("CumSum", [y, g.constant(-2, np.int32)], **kind)) for kind in kinds])


@model
def largest():
    # Values repeat: of equal ones the first comes first.
    g = Graph(11)
    x = g.node("Round", [g.input("x", (2, 9, 3))])
    outputs = []
    for at, (k, axis, most) in enumerate(((4, 1, 1), (3, -1, 1), (9, 1, 0), (1, 0, 0))):
        g.nodes.append(helper.make_node("TopK", [x, ints(g, k)], [f"v{at}", f"i{at}"], f"top{at}",
                                        axis=axis, largest=most))
        outputs += [f"v{at}", to_real(g, f"i{at}")]
    return joined(g, outputs)


@model
def triangles():
    g = Graph(14)
    x = g.input("x", (2, 4, 5))
    parts = [g.node("Trilu", [x]), g.node("Trilu", [x], upper=0),
             g.node("Trilu", [x, g.constant(-2, I64)], upper=0),
             g.node("Trilu", [x, g.constant(1, I64)])]
    mask = g.node("Trilu", [g.input("m", (4, 4), BOOL), g.constant(1, I64)])
    return joined(g, parts + [to_real(g, mask)])


@model
def gathers_of_elements():
    g = Graph(13)
    x, rows = g.input("x", (9, 3)), g.input("rows", (4, 2), I64)
    y = g.input("y", (2, 9, 9, 2))
    pairs = g.input("pairs", (2, 3, 2), I64)
    return joined(g, [g.node("GatherElements", [x, rows]),
                      g.node("GatherElements", [x, g.constant([[0, -1], [2, 1]], I64)], axis=1),
                      g.node("GatherND", [y, pairs], batch_dims=1),
                      g.node("GatherND", [x, g.constant([[1], [-2]], I64)])])


@model
def one_hot():
    g = Graph(11)
    x = g.input("x", (2, 3), I64)
    return joined(g, [g.node("OneHot", [x, g.constant(9, I64), g.constant([-1, 4], F32)]),
                      g.node("OneHot", [x, ints(g, 9), g.constant([0, 1], F32)], axis=0)])


@model
def scatters():
    g = Graph(18)
    x, rows, cells = g.input("x", (3, 4)), g.input("rows", (2, 4)), g.input("cells", (2, 2))
    at = g.constant([[2], [-3]], I64)
    places = g.constant([[0, 3], [-1, 1]], I64)
    one = g.constant([[0, 1]], I64)
    return joined(g, [g.node("ScatterND", [x, at, rows]),
                      g.node("ScatterND", [x, at, rows], reduction="add"),
                      g.node("ScatterElements", [x, places, cells], axis=1),
                      g.node("ScatterElements", [x, g.constant([[2, 0], [1, -2]], I64), cells]),
                      g.node("ScatterElements", [x, places, cells], axis=-1, reduction="mul"),
                      g.node("ScatterND", [x, one, g.constant([7], F32)], reduction="max")])


@model
def einsums():
    g = Graph(13)
    q, k = g.input("q", (2, 3, 4, 5)), g.input("k", (2, 3, 6, 5))
    x, w = g.input("x", (4, 5)), g.reals(5, 3)
    v = g.input("v", (5,))
    three = g.reals(5, 3, 2)

    def sum(equation, *inputs):
        return g.node("Einsum", list(inputs), equation=equation)

    return joined(g, [
        sum("bhqd,bhkd->bhqk", q, k), sum("bhqd, bhkd -> bqkh", q, k), sum("ij,jk", x, w),
        sum("ij,jk->ki", x, w), sum("ij->ji", x), sum("ij->i", x), sum("ij->", x), sum("ij", x),
        sum("...d,de->...e", q, w), sum("ij,j->ij", x, v), sum("i,j->ij", v, v), sum("i,i->", v, v),
        sum("bhid,dnm->bihnm", q, three), sum("...ij->...ji", k), sum("ij,kl->il", x, w)])


@model
def group_norm():
    g = Graph(18)
    x = g.node("GroupNormalization", [g.input("x", (2, 6, 3, 4)), g.reals(3), g.reals(3)],
               num_groups=3)
    return g.finish(x)


@model
def crops():
    # Negative padding takes away.
    g = Graph(13)
    x = g.input("x", (2, 5, 6))
    return joined(g, [g.node("Pad", [x, ints(g, 0, -1, 2, 0, 1, -3)]),
                      g.node("Pad", [x, ints(g, 0, -2, -1, 0, -1, 0), g.constant(7, F32)])])


@model
def clips():
    # Where the least is above the most, all is the most.
    g = Graph(13)
    x = g.input("x", (3, 5))
    return joined(g, [g.node("Clip", [x, g.constant(2, F32), g.constant(-1, F32)]),
                      g.node("Clip", [x, g.constant(-1, F32), g.constant(0.5, F32)]),
                      g.node("Clip", [x, "", g.constant(0.5, F32)])])


@model
def truths():
    # BOOL is what is returned.
    g = Graph()
    x = g.node("Less", [g.input("x", (3, 4)), g.constant(0.5, F32)])
    g.outputs.append(helper.make_tensor_value_info(x, TensorProto.BOOL, None))
    return g.model()


@model
def attention():
    # Heads apart, and heads as parts of one dimension; two of queries share one of keys.
    g = Graph(23)
    q, k = g.input("q", (2, 4, 3, 5)), g.input("k", (2, 2, 6, 5))
    v, mask = g.input("v", (2, 2, 6, 7)), g.input("mask", (3, 6), BOOL)
    x, y = g.input("x", (2, 5, 6)), g.input("y", (2, 5, 6))
    keep = g.node("Or", [mask, g.constant([[1, 0, 0, 0, 0, 0]], BOOL)])
    parts = [g.node("Attention", [q, k, v]), g.node("Attention", [q, k, v, keep], scale=0.25),
             g.node("Attention", [q, k, v, g.reals(4, 3, 6)]),
             g.node("Attention", [x, y, x], q_num_heads=3, kv_num_heads=3, is_causal=1)]
    return joined(g, parts)


@model
def casts_like():
    g = Graph(24)
    x, y = g.input("x", (3, 5)), g.input("y", (2,), I64)
    return joined(g, [to_real(g, g.node("CastLike", [x, y])), g.node("CastLike", [y, x])])


@model
def divisions_by_minus_one():
    # Its own path, because -2^31 / -1 stops processors (and ONNX Runtime).
    g = Graph()
    x = g.input("x", (4,), np.int32)
    least = g.node("Add", [g.constant(np.arange(1, 5) - 2**31, np.int32),
                           g.node("Sub", [x, x])])
    y = g.node("Sub", [g.node("Sub", [x, x]), g.constant([1, -3, 5, 7], np.int32)])
    parts = [g.node("Div", [least, y]), g.node("Mod", [least, y]),
             g.node("Mod", [least, y], fmod=1)]
    return joined(g, [to_real(g, p) for p in parts])


@model
def far_functions():
    # Where polynomials alone would be far off: 1e38, the greatest and the least numbers.
    g = Graph()
    x = g.input("x", (3, 4))
    far = g.constant([1e38, 3e38, -1e30, 123456.7, 1e10, 33000.1, 7e4, 1e-38, 1e-45, 6e-39,
                      1.1754944e-38, 3.4028235e38], F32)
    far = g.node("Reshape", [far, ints(g, 3, 4)])
    y = g.node("Add", [far, g.node("Sub", [x, x])])
    return joined(g, [g.node(op, [y]) for op in ("Sin", "Cos", "Tanh", "Sigmoid", "Erf")] + [
        g.node("Log", [g.node("Abs", [y])])])


if __name__ == "__main__":
    model.main()
