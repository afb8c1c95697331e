# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators that look elements up, scatter, sort and sum them and are refused."""

import numpy as np
from cases import bad
from models import Graph
from onnx import numpy_helper


def node(op, *inputs, shape=(3, 4), opset=18, **attributes):
    """One node of x and constants; an integer or a list is INT64, an array is FLOAT."""
    g = Graph(opset)
    names = [g.input("x", shape, np.float32)]
    for index, value in enumerate(inputs):
        dtype = np.float32 if isinstance(value, np.ndarray) else np.int64
        names.append(g.constant(value, dtype, f"c{index}"))
    g.output(g.node(op, names, "n", **attributes))
    return g.model()


@bad("node 'n' (TopK): input 'c0' asks for 5 of 4 elements along axis 1")
def too_many():
    return node("TopK", [5])


@bad("node 'n' (CumSum): input 'c0' is no axis of a shape of rank 2")
def cumulative_axis():
    return node("CumSum", 2)


@bad("node 'n' (Trilu): input 'x' has shape 3, expected rank 2 or more")
def triangle_rank():
    return node("Trilu", shape=(3,))


@bad("node 'n' (ScatterND): input 'c0' holds an index outside of the shape 3x4")
def scatter_outside():
    return node("ScatterND", [[3]], np.ones((1, 4)))


@bad("node 'n' (ScatterND): input 'c0' names one element of 12 400000 times, the product of "
     "both may be 2^22")
def scatter_often():
    return node("ScatterND", [[1]] * 400000, np.ones((400000, 4)), reduction="add")


@bad("node 'n' (TensorScatter): input 'c0' has type FLOAT and shape 3x5, which is no part along "
     "axis 1 of FLOAT 3x4")
def tensor_scatter_long():
    return node("TensorScatter", np.ones((3, 5)), axis=1)


@bad("node 'n' (TensorScatter): mode 'around' is not known; known are linear, circular")
def tensor_scatter_mode():
    return node("TensorScatter", np.ones((3, 2)), axis=1, mode="around")


@bad("node 'n' (ScatterND): input 'c0' has type INT64 and shape 1x1, which does not fit data of "
     "shape 3x4 and updates of shape 1x3")
def scatter_shape():
    return node("ScatterND", [[1]], np.ones((1, 3)))


@bad("node 'n' (ScatterElements): reduction 'mean' is not known; known are none, add, mul, max "
     "and min")
def scatter_reduction():
    return node("ScatterElements", [[1]], np.ones((1, 1)), reduction="mean")


@bad("node 'n' (GatherElements): input 'c0' has shape 4x1, which does not fit 3x4 along axis 1")
def gather_elements_shape():
    return node("GatherElements", [[0], [0], [0], [0]], axis=1)


@bad("node 'n' (GatherND): indices of shape 1x3 do not fit data of shape 3x4 with 0 batch_dims")
def gather_deep():
    return node("GatherND", [[0, 0, 0]])


@bad("node 'n' (Einsum): equation 'ii->i' gives one dimension the sizes 3 and 4")
def einsum_diagonal():
    return node("Einsum", equation="ii->i")


@bad("node 'n' (Einsum): equation 'ij,jk' gives one dimension the sizes 4 and 5")
def einsum_sizes():
    return node("Einsum", np.ones((5, 2)), equation="ij,jk")


@bad("node 'n' (Einsum): equation 'ij->k' is not supported for shapes 3x4")
def einsum_result():
    return node("Einsum", equation="ij->k")


@bad("node 'n' (GroupNormalization): input 'x' has shape 1x6x2, expected rank 3 or more and "
     "channels of which there are 4 equal groups")
def group_count():
    return node("GroupNormalization", np.ones(4), np.ones(4), shape=(1, 6, 2), num_groups=4)


@bad("node 'n' (GroupNormalization): input 'c0' has shape 6, expected 3 values in operator set 18")
def group_factors():
    return node("GroupNormalization", np.ones(6), np.ones(6), shape=(1, 6, 2), num_groups=3)


@bad("node 'n' (LpNormalization): p is 3, supported are 1 and 2")
def norm_power():
    return node("LpNormalization", p=3)


def one_hot(depth):
    g = Graph()
    x = g.input("x", (2,), np.int64)
    g.output(g.node("OneHot", [x, g.constant(depth, np.int64, "c0"),
                               g.constant([0, 1], np.float32)], "n"))
    return g.model()


@bad("node 'n' (OneHot): input 'c0' must be one positive integer")
def one_hot_depth():
    return one_hot(0)


@bad("node 'n' (OneHot): input 'c0' asks for depth 35184372088832, the most is 2147483647")
def one_hot_deep():
    return one_hot(1 << 45)


@bad("node 'n' (LayerNormalization): attribute 'epsilon' is nan, it must be finite")
def epsilon_nan():
    return node("LayerNormalization", np.ones(4), epsilon=float("nan"))


@bad("node 'n' (LeakyRelu): attribute 'alpha' is -INF, it must be finite")
def slope_infinite():
    return node("LeakyRelu", alpha=float("-inf"))


def attention(q, k, v, mask=None, **attributes):
    g = Graph(23)
    inputs = [g.input(name, shape, np.float32) for name, shape in zip("qkv", (q, k, v))]
    if mask:
        inputs.append(g.constant(np.ones(mask), np.float32, "mask"))
    g.output(g.node("Attention", inputs, "n", **attributes))
    return g.model()


@bad("node 'n' (Attention): queries of shape 1x3x4x8, keys of 1x2x4x8 and values of 1x2x4x8 do not "
     "fit")
def attention_heads():
    return attention((1, 3, 4, 8), (1, 2, 4, 8), (1, 2, 4, 8))


@bad("node 'n' (Attention): input 'q' has shape 1x4x8 and q_num_heads is 3; expected rank 4, or "
     "rank 3 and heads that divide it")
def attention_parts():
    return attention((1, 4, 8), (1, 4, 8), (1, 4, 8), q_num_heads=3, kv_num_heads=2)


@bad("node 'n' (Attention): input 'mask' has type FLOAT and shape 4x5, expected FLOAT or BOOL that "
     "broadcasts to 1x2x4x4")
def attention_mask():
    return attention((1, 2, 4, 8), (1, 2, 4, 8), (1, 2, 4, 8), (4, 5))


HEADS = [(1, 2, 4, 8)] * 3


@bad("node 'n' (Attention): softcap -5.000000e+00 is negative")
def attention_cap():
    return attention(*HEADS, softcap=-5.0)


@bad("node 'n' (Attention): softmax_precision FLOAT16 is not supported, only FLOAT")
def attention_precision():
    return attention(*HEADS, softmax_precision=10)


@bad("node 'n' (Attention): qk_matmul_output_mode 4 is not known; known are 0 to 3")
def attention_mode():
    return attention(*HEADS, qk_matmul_output_mode=4)


@bad("node 'n' (Attention): has windows of -2 and -1, supported are -1 (no limit) and above")
def attention_window():
    return attention(*HEADS, left_window_size=-2)


def with_past(*shapes, dtype=np.float32):
    model = attention(*HEADS, (4, 4))
    node = model.graph.node[0]
    for name, shape in zip(("past_key", "past_value", "used"), shapes):
        if shape is not None:
            tensor = numpy_helper.from_array(np.ones(shape, dtype), name)
            model.graph.initializer.append(tensor)
        node.input.append(name if shape is not None else "")
    return model


@bad("node 'n' (Attention): has one of past_key and past_value, expected both or none")
def attention_half_a_cache():
    return with_past((1, 2, 3, 8))


@bad("node 'n' (Attention): input 'past_value' has shape 1x2x3x9, which does not go before "
     "1x2x4x8 in dimension 2")
def attention_cache_shape():
    return with_past((1, 2, 3, 8), (1, 2, 3, 9))


@bad("node 'n' (Attention): has past_key and nonpad_kv_seqlen, expected one of them")
def attention_two_caches():
    return with_past((1, 2, 3, 8), (1, 2, 3, 8), (1,))


@bad("node 'n' (Attention): input 'used' has type INT64 and shape 2, expected INT64 for each of "
     "1 batches")
def attention_used():
    return with_past(None, None, (2,), dtype=np.int64)
