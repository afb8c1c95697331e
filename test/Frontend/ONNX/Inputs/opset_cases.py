# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One or more nodes of every supported operator, in the form that an operator set
gives them.

Each function below appends nodes for one operator to a `Graph` of `opset` and returns
the values to compare. It tests what its operator can be asked in that version: axes as
an attribute or an input, defaults that changed, attributes that were added.
"""

import numpy as np
from models import I8, I32, U8

F, L = np.float32, np.int64
CASES = {}


def case(*operators):
    def register(function):
        for name in operators:
            CASES[name] = lambda g, opset, name=name: function(g, opset, name)
        return function

    return register


def image(g):
    return g.shared("image", (2, 4, 6, 6))


def rows(g):
    return g.shared("rows", (2, 3, 4))


def other(g):
    return g.shared("other", (3, 4))


def counts(g):
    return g.shared("counts", (2, 3, 4), I32)


def longs(g):
    return g.shared("longs", (2, 3, 4), L)


def truths(g):
    return g.shared("truths", (2, 3, 4), np.bool_)


def positive(g):
    return g.node("Abs", [g.node("Add", [rows(g), g.constant(0.125, F)])])


def reals(g, *shape):
    return g.constant(g.rng.integers(-16, 17, shape) / 8, F)


def axes(g, opset, since, values, op, inputs, **attributes):
    """`axes` is an input from operator set `since` on, and an attribute before."""
    if opset >= since:
        return g.node(op, inputs + [g.constant(values, L)], **attributes)
    return g.node(op, inputs, axes=values, **attributes)


# Functions of single elements -------------------------------------------------------------


@case("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Identity", "Mish",
      "Neg", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Tanh")
def function(g, opset, name):
    values = [g.node(name, [rows(g)])]
    if name in ("Abs", "Neg", "Sign", "Identity") or (name == "Relu" and opset >= 14):
        values.append(g.node(name, [counts(g)]))
    return values


@case("Log", "Sqrt", "Reciprocal")
def of_positive(g, opset, name):
    return [g.node(name, [positive(g)])]


@case("Celu", "Elu", "LeakyRelu", "Selu", "ThresholdedRelu", "HardSigmoid", "Swish")
def with_default(g, opset, name):
    values = [g.node(name, [rows(g)]), g.node(name, [rows(g)], alpha=0.375)]
    if name == "Selu":
        values.append(g.node(name, [rows(g)], gamma=0.5))
    if name == "HardSigmoid":
        values.append(g.node(name, [rows(g)], beta=0.25))
    return values


@case("Gelu")
def gelu(g, opset, name):
    return [g.node(name, [rows(g)]), g.node(name, [rows(g)], approximate="tanh")]


@case("IsNaN", "IsInf")
def classes(g, opset, name):
    x = g.node("Div", [rows(g), g.node("Relu", [rows(g)])])
    values = [g.node(name, [x])]
    if name == "IsInf":
        values.append(g.node(name, [x], detect_negative=0))
    return values


@case("Not")
def negation(g, opset, name):
    return [g.node(name, [truths(g)])]


@case("Clip")
def clip(g, opset, name):
    values = [g.node(name, [rows(g), g.constant(-1, F), g.constant(1.5, F)]),
              g.node(name, [rows(g), "", g.constant(1, F)])]
    if opset >= 12:
        values.append(g.node(name, [counts(g), g.constant(-2, I32), g.constant(5, I32)]))
    return values


@case("Dropout")
def dropout(g, opset, name):
    if opset < 12:
        return [g.node(name, [rows(g)], ratio=0.25)]
    return [g.node(name, [rows(g), g.constant(0.25, F)], seed=3),
            g.node(name, [rows(g), "", g.constant(False, np.bool_)])]


@case("Cast")
def cast(g, opset, name):
    return [g.node(name, [rows(g)], to=6), g.node(name, [counts(g)], to=1),
            g.node(name, [truths(g)], to=7), g.node(name, [counts(g)], to=9)]


@case("CastLike")
def cast_like(g, opset, name):
    return [g.node(name, [rows(g), counts(g)]), g.node(name, [longs(g), rows(g)])]


# Functions of several elements ------------------------------------------------------------


@case("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "PRelu")
def arithmetic(g, opset, name):
    values = [g.node(name, [rows(g), other(g)])]
    if name == "Div":
        values = [g.node(name, [rows(g), reals(g, 4)])]
    if name in ("Add", "Sub", "Mul") or (name in ("Max", "Min") and opset >= 12):
        values.append(g.node(name, [counts(g), g.constant([1, -2, 3, 4], I32)]))
    if name in ("Add", "Sub", "Mul") and opset >= 14:
        small = g.node("Cast", [counts(g)], to=3)
        values.append(g.node(name, [small, g.constant([100, -128, 3, 127], I8)]))
    if name in ("Max", "Min", "Sum", "Mean"):
        values += [g.node(name, [rows(g)]), g.node(name, [rows(g), other(g), rows(g)])]
    return values


@case("Mod")
def modulus(g, opset, name):
    return [g.node(name, [counts(g), g.constant([3, -3, 5, 2], I32)]),
            g.node(name, [rows(g), g.constant([1.5, -1.5, 2, 0.75], F)], fmod=1)]


@case("Pow")
def power(g, opset, name):
    values = [g.node(name, [positive(g), other(g)]), g.node(name, [rows(g), g.constant(2, F)])]
    if opset >= 12:
        values.append(g.node(name, [rows(g), g.constant(3, L)]))
    return values


@case("And", "Or", "Xor")
def logic(g, opset, name):
    return [g.node(name, [truths(g), g.node("Greater", [rows(g), other(g)])])]


@case("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
def compare(g, opset, name):
    return [g.node(name, [rows(g), other(g)]),
            g.node(name, [counts(g), g.constant([1, -2, 3, 4], I32)])]


@case("Where")
def where(g, opset, name):
    return [g.node(name, [truths(g), rows(g), other(g)]),
            g.node(name, [truths(g), counts(g), g.constant(9, I32)])]


# Shapes and places ------------------------------------------------------------------------


@case("Squeeze")
def squeeze(g, opset, name):
    x = g.node("Reshape", [rows(g), g.constant([1, 2, 3, 1, 4], L)])
    return [g.node(name, [x]), axes(g, opset, 13, [0, -2], name, [x])]


@case("Unsqueeze")
def unsqueeze(g, opset, name):
    return [axes(g, opset, 13, [0, -1], name, [rows(g)]),
            axes(g, opset, 13, [1, 3], name, [counts(g)])]


@case("Flatten")
def flatten(g, opset, name):
    return [g.node(name, [image(g)]), g.node(name, [image(g)], axis=-1),
            g.node(name, [image(g)], axis=0)]


@case("Reshape")
def reshape(g, opset, name):
    values = [g.node(name, [image(g), g.constant([0, -1, 2], L)])]
    if opset >= 14:
        values.append(g.node(name, [image(g), g.constant([4, -1], L)], allowzero=1))
    return values


@case("Transpose")
def transpose(g, opset, name):
    return [g.node(name, [rows(g)]), g.node(name, [image(g)], perm=[0, 2, 3, 1])]


@case("Shape")
def shape(g, opset, name):
    values = [g.node(name, [image(g)])]
    if opset >= 15:
        values += [g.node(name, [image(g)], start=1), g.node(name, [image(g)], start=-3, end=-1)]
    return [plus_shape(g, value) for value in values]


def plus_shape(g, value):
    """Shapes are constant; what is returned depends on an input."""
    return g.node("Add", [g.node("Cast", [value], to=1), g.node("ReduceMax", [rows(g)], keepdims=0)])


@case("Size")
def size(g, opset, name):
    return [plus_shape(g, g.node(name, [image(g)]))]


@case("Range")
def range_of(g, opset, name):
    bounds = [g.constant(value, L) for value in (1, 9, 2)]
    return [plus_shape(g, g.node(name, bounds))]


@case("Constant")
def constant(g, opset, name):
    from onnx import numpy_helper

    values = [g.node(name, [], value=numpy_helper.from_array(np.array([1.5, -2], F)))]
    if opset >= 12:
        values += [g.node(name, [], value_float=2.5), g.node(name, [], value_ints=[1, 2, 3]),
                   g.node(name, [], value_floats=[0.5, 2.0]), g.node(name, [], value_int=4)]
    return [plus_shape(g, value) for value in values]


@case("ConstantOfShape")
def constant_of_shape(g, opset, name):
    from onnx import numpy_helper

    shape = g.constant([2, 3], L)
    return [plus_shape(g, g.node(name, [shape])),
            plus_shape(g, g.node(name, [shape],
                                 value=numpy_helper.from_array(np.array([7], I32))))]


@case("Concat")
def concat(g, opset, name):
    return [g.node(name, [rows(g), g.node("Neg", [rows(g)])], axis=-1),
            g.node(name, [counts(g), counts(g), counts(g)], axis=1)]


@case("Split")
def split(g, opset, name):
    def parts(count, inputs, **attributes):
        first = g.node(name, inputs, **attributes)
        names = [first] + [f"{first}_{part}" for part in range(1, count)]
        g.nodes[-1].output.extend(names[1:])
        return names

    values = []
    if opset < 13:
        values += parts(2, [image(g)], axis=1, split=[1, 3]) + parts(3, [rows(g)], axis=1)
    else:
        values += parts(2, [image(g), g.constant([1, 3], L)], axis=-3)
    if 13 <= opset < 18:
        values += parts(3, [rows(g)], axis=1)
    if opset >= 18:
        # The last part is smaller.
        values += parts(2, [rows(g)], axis=1, num_outputs=2)
    return values


@case("Slice")
def slices(g, opset, name):
    def vector(*values):
        return g.constant(values, L)

    return [g.node(name, [image(g), vector(1, -3), vector(4, 100), vector(1, 3)]),
            g.node(name, [rows(g), vector(-1), vector(-100), vector(2), vector(-2)])]


@case("Gather")
def gather(g, opset, name):
    return [g.node(name, [rows(g), g.constant([[2, -1], [0, 1]], L)], axis=1),
            g.node(name, [counts(g), g.constant(-1, I32)])]


@case("GatherElements")
def gather_elements(g, opset, name):
    indices = g.constant(g.rng.integers(-3, 3, (2, 2, 4)), L)
    return [g.node(name, [rows(g), indices], axis=1)]


@case("GatherND")
def gather_nd(g, opset, name):
    values = [g.node(name, [rows(g), g.constant([[0, 2], [-1, 1]], L)])]
    if opset >= 12:
        values.append(g.node(name, [rows(g), g.constant([[2], [-1]], L)], batch_dims=1))
    return values


@case("ScatterElements")
def scatter_elements(g, opset, name):
    indices = g.constant([[[2, 1, 0, -1]], [[0, 0, 1, 1]]], L)
    values = [g.node(name, [rows(g), indices, reals(g, 2, 1, 4)], axis=1)]
    modes = (["add", "mul"] if opset >= 16 else []) + (["max", "min"] if opset >= 18 else [])
    # One element is named twice.
    twice = g.constant([[[2, 1, 2, 2]] * 3, [[0, 0, 1, 0]] * 3], L)
    for mode in modes:
        values.append(g.node(name, [rows(g), twice, reals(g, 2, 3, 4)], axis=2, reduction=mode))
    return values


@case("ScatterND")
def scatter_nd(g, opset, name):
    values = [g.node(name, [rows(g), g.constant([[1, 2], [0, -3]], L), reals(g, 2, 4)])]
    modes = (["add", "mul"] if opset >= 16 else []) + (["max", "min"] if opset >= 18 else [])
    twice = g.constant([[1, 2], [0, 0], [1, 2]], L)
    for mode in modes:
        values.append(g.node(name, [rows(g), twice, reals(g, 3, 4)], reduction=mode))
    return values


@case("TensorScatter")
def tensor_scatter(g, opset, name):
    update, starts = reals(g, 2, 2, 4), g.constant([2, 1], L)
    return [g.node(name, [rows(g), update]), g.node(name, [rows(g), reals(g, 2, 1, 4), starts]),
            g.node(name, [rows(g), update, starts], mode="circular"),
            g.node(name, [image(g), reals(g, 2, 4, 6, 2), g.constant([4, 0], L)], axis=-1)]


@case("OneHot")
def one_hot(g, opset, name):
    return [g.node(name, [longs(g), g.constant(5, L), g.constant([0.5, 2], F)]),
            g.node(name, [longs(g), g.constant(9, L), g.constant([1, -1], F)], axis=0)]


@case("Expand")
def expand(g, opset, name):
    return [g.node(name, [other(g), g.constant([2, 1, 4], L)])]


@case("Tile")
def tile(g, opset, name):
    return [g.node(name, [rows(g), g.constant([1, 2, 3], L)])]


@case("Trilu")
def trilu(g, opset, name):
    return [g.node(name, [rows(g)]), g.node(name, [counts(g), g.constant(-1, L)], upper=0)]


@case("Pad")
def pad(g, opset, name):
    pads = g.constant([0, 0, 1, 2, 0, 0, 3, 0], L)
    values = [g.node(name, [image(g), pads]),
              g.node(name, [image(g), pads, g.constant(1.5, F)], mode="constant"),
              g.node(name, [image(g), pads], mode="edge"),
              g.node(name, [image(g), pads], mode="reflect")]
    if opset >= 13:
        values.append(g.node(name, [counts(g), g.constant([0, 1, 0, 0, 0, -1], L),
                                    g.constant(3, I32)]))
    if opset >= 18:
        values.append(g.node(name, [image(g), g.constant([1, 2, 0, 1], L), "",
                                    g.constant([-1, 1], L)]))
    if opset >= 19:
        values.append(g.node(name, [image(g), pads], mode="wrap"))
    return values


@case("DepthToSpace")
def depth_to_space(g, opset, name):
    return [g.node(name, [image(g)], blocksize=2),
            g.node(name, [image(g)], blocksize=2, mode="CRD")]


@case("SpaceToDepth")
def space_to_depth(g, opset, name):
    return [g.node(name, [image(g)], blocksize=3)]


@case("Resize")
def resize(g, opset, name):
    # The region is an input that nobody needs here; before 13 it must be given.
    roi = "" if opset >= 13 else g.constant(np.zeros(8), F)
    scales = g.constant([1, 1, 1.5, 2], F)
    sizes = g.constant([2, 4, 9, 7], L)
    nothing = "" if opset >= 13 else g.constant(np.zeros(0), F)
    values = [g.node(name, [image(g), roi, scales]),
              g.node(name, [image(g), roi, scales], mode="linear"),
              g.node(name, [image(g), roi, nothing, sizes], mode="linear",
                     coordinate_transformation_mode="align_corners"),
              g.node(name, [image(g), roi, scales], mode="cubic",
                     coordinate_transformation_mode="asymmetric")]
    if opset >= 18:
        values += [
            g.node(name, [image(g), "", "", g.constant([9, 4], L)], axes=[2, 3],
                   keep_aspect_ratio_policy="not_larger", mode="linear"),
            g.node(name, [image(g), "", g.constant([0.5, 0.5], F)], axes=[2, 3], antialias=1,
                   mode="linear")]
    if opset >= 19:
        values.append(g.node(name, [image(g), "", scales], mode="linear",
                             coordinate_transformation_mode="half_pixel_symmetric"))
    return values


# Reductions -------------------------------------------------------------------------------


@case("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
      "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare")
def reduction(g, opset, name):
    since = 13 if name == "ReduceSum" else 18
    x = positive(g) if name == "ReduceLogSum" else rows(g)
    values = [g.node(name, [x]), axes(g, opset, since, [-1, 0], name, [x]),
              axes(g, opset, since, [1], name, [x], keepdims=0)]
    if opset >= since:
        values.append(g.node(name, [x, g.constant([], L)], noop_with_empty_axes=1))
        values.append(g.node(name, [x, ""], keepdims=0))
    if name in ("ReduceMax", "ReduceMin"):
        values.append(axes(g, opset, since, [1], name, [counts(g)]))
        if opset >= 12:
            small = g.node("Cast", [counts(g)], to=3)
            values.append(axes(g, opset, since, [2], name, [small]))
        if opset >= 20:
            values.append(axes(g, opset, since, [2], name, [truths(g)]))
    if name == "ReduceSum":
        values.append(axes(g, opset, since, [1], name, [counts(g)]))
    return values


@case("ArgMax", "ArgMin")
def argument(g, opset, name):
    values = [g.node(name, [rows(g)]), g.node(name, [rows(g)], axis=-1, keepdims=0),
              g.node(name, [counts(g)], axis=1)]
    if opset >= 12:
        values.append(g.node(name, [rows(g)], axis=1, select_last_index=1))
    return values


@case("CumSum")
def cumulative_sum(g, opset, name):
    return [g.node(name, [rows(g), g.constant(-1, L)]),
            g.node(name, [counts(g), g.constant(1, I32)], exclusive=1, reverse=1)]


@case("TopK")
def top_k(g, opset, name):
    values = []
    for x, attributes in ((rows(g), {}), (rows(g), {"largest": 0, "axis": 1}),
                          (counts(g), {}), (longs(g), {"largest": 0})):
        values.append(g.node(name, [x, g.constant([2], L)], **attributes))
        g.nodes[-1].output.append(values[-1] + "_indices")
        values.append(values[-1] + "_indices")
    return values


# Layers -----------------------------------------------------------------------------------


@case("Conv")
def conv(g, opset, name):
    return [g.node(name, [image(g), reals(g, 3, 4, 3, 3), reals(g, 3)], pads=[1, 0, 1, 2]),
            g.node(name, [image(g), reals(g, 4, 1, 3, 3)], group=4, strides=[2, 2],
                   auto_pad="SAME_UPPER"),
            g.node(name, [rows(g), reals(g, 2, 3, 2)], dilations=[2])]


@case("ConvTranspose")
def conv_transpose(g, opset, name):
    return [g.node(name, [image(g), reals(g, 4, 3, 3, 3), reals(g, 3)], strides=[2, 2],
                   pads=[1, 1, 1, 1], output_padding=[1, 0]),
            g.node(name, [image(g), reals(g, 4, 1, 2, 2)], group=2)]


@case("Gemm")
def gemm(g, opset, name):
    return [g.node(name, [other(g), reals(g, 4, 5)]),
            g.node(name, [other(g), reals(g, 5, 4), reals(g, 5)], transB=1, alpha=0.5, beta=2.0),
            g.node(name, [other(g), reals(g, 3, 5), reals(g, 1, 5)], transA=1)]


@case("MatMul")
def matmul(g, opset, name):
    return [g.node(name, [rows(g), reals(g, 4, 5)]), g.node(name, [rows(g), reals(g, 4)]),
            g.node(name, [rows(g), g.node("Transpose", [rows(g)], perm=[0, 2, 1])])]


@case("Einsum")
def einsum(g, opset, name):
    square = g.node("MatMul", [g.node("Transpose", [other(g)]), other(g)])
    return [g.node(name, [rows(g), reals(g, 4, 5)], equation="bij,jk->bik"),
            g.node(name, [rows(g)], equation="...ij->...ji"),
            g.node(name, [square], equation="ii->i"), g.node(name, [square], equation="ii"),
            g.node(name, [rows(g), square, other(g)], equation="bij,jj,ik->bk")]


@case("Attention")
def attention(g, opset, name):
    q = g.shared("queries", (2, 4, 3, 8))
    k, v = reals(g, 2, 2, 5, 8), reals(g, 2, 2, 5, 6)
    past_k, past_v = reals(g, 2, 2, 2, 8), reals(g, 2, 2, 2, 6)
    mask = g.constant(g.rng.integers(0, 2, (3, 5)) * np.ones((2, 1, 1, 1)), np.bool_)

    def node(inputs, outputs=1, **attributes):
        first = g.node(name, inputs, **attributes)
        names = [first, first + "_key", first + "_value", first + "_scores"][:outputs]
        g.nodes[-1].output.extend(names[1:])
        return names

    values = node([q, k, v], is_causal=1) + node([q, k, v, mask], softcap=2.0, scale=0.5)
    values += node([q, k, v, "", past_k, past_v], 4, is_causal=1, qk_matmul_output_mode=3)
    for mode, cap in ((0, 0.0), (1, 1.5), (2, 1.5)):
        bias = reals(g, 3, 5)
        values += node([q, k, v, bias], 4, softcap=cap, qk_matmul_output_mode=mode)[::3]
    flat = g.shared("flat", (2, 3, 32))
    values += node([flat, reals(g, 2, 5, 16), reals(g, 2, 5, 12)], q_num_heads=4, kv_num_heads=2)
    if opset >= 24:
        used = g.constant([3, 5], L)
        values += node([q, k, v, reals(g, 3, 5), "", "", used], is_causal=1)
        values += node([q, k, v, "", "", "", used])
    if opset >= 25:
        values += node([q, k, v], left_window_size=1, right_window_size=2)
        values += node([q, k, v, "", past_k, past_v], is_causal=1, left_window_size=3)
    return values


@case("MaxPool")
def max_pool(g, opset, name):
    values = [g.node(name, [image(g)], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1]),
              g.node(name, [image(g)], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
              g.node(name, [rows(g)], kernel_shape=[2], dilations=[2])]
    if opset >= 12:
        codes = g.shared("codes", (2, 4, 6, 6), U8)
        values.append(g.node(name, [codes], kernel_shape=[2, 2]))
    return values


@case("AveragePool")
def average_pool(g, opset, name):
    values = [g.node(name, [image(g)], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1]),
              g.node(name, [image(g)], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
                     count_include_pad=1),
              g.node(name, [rows(g)], kernel_shape=[2])]
    if opset >= 19:
        values.append(g.node(name, [image(g)], kernel_shape=[2, 2], dilations=[2, 3]))
        values.append(g.node(name, [image(g)], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1))
    return values


@case("GlobalAveragePool", "GlobalMaxPool")
def global_pool(g, opset, name):
    return [g.node(name, [image(g)])]


# Normalization ----------------------------------------------------------------------------


@case("Softmax", "LogSoftmax")
def softmax(g, opset, name):
    # The default axis and what it means changed in 13.
    return [g.node(name, [rows(g)]), g.node(name, [rows(g)], axis=-1),
            g.node(name, [rows(g)], axis=1)]


@case("BatchNormalization")
def batch_normalization(g, opset, name):
    variance = g.constant([0.5, 1, 2, 4], F)
    inputs = [image(g), reals(g, 4), reals(g, 4), reals(g, 4), variance]
    values = [g.node(name, inputs), g.node(name, inputs, epsilon=0.25, momentum=0.5)]
    if opset >= 14:
        values.append(g.node(name, inputs, training_mode=0))
    return values


@case("InstanceNormalization")
def instance_normalization(g, opset, name):
    return [g.node(name, [image(g), reals(g, 4), reals(g, 4)], epsilon=1e-3)]


@case("LayerNormalization")
def layer_normalization(g, opset, name):
    return [g.node(name, [rows(g), reals(g, 4)]),
            g.node(name, [rows(g), reals(g, 3, 4), reals(g, 3, 4)], axis=1, epsilon=1e-3)]


@case("RMSNormalization")
def rms_normalization(g, opset, name):
    return [g.node(name, [rows(g), reals(g, 4)]),
            g.node(name, [rows(g), reals(g, 3, 4)], axis=-2, epsilon=1e-3)]


@case("GroupNormalization")
def group_normalization(g, opset, name):
    # Factors are one for each group before 21 and one for each channel from then on.
    count = 2 if opset < 21 else 4
    return [g.node(name, [image(g), reals(g, count), reals(g, count)], num_groups=2)]


@case("LpNormalization")
def lp_normalization(g, opset, name):
    # The reference takes no absolute values where p is 1.
    return [g.node(name, [rows(g)]), g.node(name, [positive(g)], axis=1, p=1)]


# Codes ------------------------------------------------------------------------------------


def steps(g, dtype=U8, zero=3):
    return [g.constant(0.0625, F), g.constant(zero, dtype)]


@case("QuantizeLinear")
def quantize(g, opset, name):
    values = [g.node(name, [rows(g)] + steps(g)), g.node(name, [rows(g)] + steps(g, I8, -5)),
              g.node(name, [rows(g), g.constant(0.0625, F)])]
    if opset >= 19:
        values.append(g.node(name, [rows(g)] + steps(g), saturate=1))
    if opset >= 21:
        values += [g.node(name, [rows(g)] + steps(g, np.int16, -300)),
                   g.node(name, [rows(g), g.constant(0.0625, F)], output_dtype=3),
                   g.node(name, [rows(g)] + steps(g), axis=0, block_size=0)]
    if opset >= 23:
        values.append(g.node(name, [rows(g)] + steps(g), precision=1))
    return values


@case("DequantizeLinear")
def dequantize(g, opset, name):
    codes = g.shared("codes", (2, 4, 6, 6), U8)
    values = [g.node(name, [codes] + steps(g)), g.node(name, [codes, g.constant(0.25, F)])]
    weights = g.constant(g.rng.integers(-128, 128, (4, 5)), I8)
    if opset >= 13:
        scales = g.constant([0.5, 0.25, 0.125, 1], F)
        zeros = g.constant([1, -2, 3, -4], I8)
        values.append(g.node("MatMul", [rows(g), g.node(name, [weights, scales, zeros], axis=0)]))
    if opset >= 21:
        blocks = g.constant(2.0 ** -g.rng.integers(0, 4, (2, 5)), F)
        zeros = g.constant(g.rng.integers(-3, 4, (2, 5)), I8)
        values.append(g.node("MatMul", [rows(g), g.node(name, [weights, blocks, zeros], axis=0,
                                                        block_size=2)]))
    if opset >= 23:
        values.append(g.node(name, [codes] + steps(g), output_dtype=1))
    return values


@case("DynamicQuantizeLinear")
def dynamic_quantize(g, opset, name):
    first = g.node(name, [rows(g)])
    g.nodes[-1].output.extend([first + "_scale", first + "_zero"])
    return [first, first + "_scale", first + "_zero"]


@case("MatMulInteger")
def matmul_integer(g, opset, name):
    codes = g.shared("codes", (2, 4, 6, 6), U8)
    weights = g.constant(g.rng.integers(-128, 128, (6, 5)), I8)
    turned = g.node("Transpose", [codes], perm=[0, 1, 3, 2])
    zero, one = g.constant(7, U8), g.constant(120, U8)
    return [g.node(name, [codes, weights]), g.node(name, [codes, weights, zero]),
            g.node(name, [codes, turned, zero, one])]


@case("ConvInteger")
def conv_integer(g, opset, name):
    codes = g.shared("codes", (2, 4, 6, 6), U8)
    weights = g.constant(g.rng.integers(-128, 128, (3, 4, 3, 3)), I8)
    return [g.node(name, [codes, weights, g.constant(7, U8)], pads=[1, 1, 1, 1])]


@case("QLinearConv")
def qlinear_conv(g, opset, name):
    codes = g.shared("codes", (2, 4, 6, 6), U8)
    weights = g.constant(g.rng.integers(-128, 128, (3, 4, 3, 3)), I8)
    scales = [g.constant([0.5, 0.25, 1], F), g.constant([0, 0, 0], I8)]
    bias = g.constant([100, -2000, 300], I32)
    return [g.node(name, [codes] + steps(g) + [weights] + scales + [g.constant(16, F),
                   g.constant(120, U8), bias])]


@case("QLinearMatMul")
def qlinear_matmul(g, opset, name):
    codes = g.shared("codes", (2, 4, 6, 6), U8)
    weights = g.constant(g.rng.integers(-128, 128, (6, 5)), I8)
    scale = g.constant(0.5, F)
    return [g.node(name, [codes] + steps(g) + [weights, scale, g.constant(2, I8), g.constant(4, F),
                   g.constant(128, U8)]),
            g.node(name, [codes] + steps(g) + [g.node("Transpose", [codes], perm=[0, 1, 3, 2])] +
                   # Runtimes round before they add an odd zero point, the reference after.
                   steps(g, U8, 9) + [g.constant(16, F), g.constant(2, U8)])]
