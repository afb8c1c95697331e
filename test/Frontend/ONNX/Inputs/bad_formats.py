# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators that take codes, as they are refused: errors name the file's operator."""

import numpy as np
from cases import bad
from models import I8, I32, U8, Graph

MS = "com.microsoft"


def conv(computed_scale=False, weight_zero=0, zero=0, output_zero=0, bias_type=I32):
    g = Graph()
    x = g.input("x", (1, 2, 4, 4), U8)
    s = g.input("s", (), np.float32) if computed_scale else g.constant(0.5, np.float32, "s")
    g.output(g.node("QLinearConv", [
        x, s, g.constant(zero, U8, "xz"), g.constant(np.ones((3, 2, 1, 1)), I8, "w"),
        g.constant([0.5, 0.25, 0.125], np.float32), g.constant(weight_zero, I8, "wz"),
        g.constant(0.5, np.float32), g.constant(output_zero, U8, "yz"),
        g.constant([1, 2, 3], bias_type, "b")], "conv"), 2)
    return g.model()


@bad("node 'conv' (QLinearConv): input 's' is computed, the scale must be constant")
def qlinear_conv_computed_scale():
    return conv(computed_scale=True)


@bad("node 'conv' (QLinearConv): input 'wz' has type INT8 and shape 2, expected INT8 and the shape of the scale, 3")
def qlinear_conv_zero_points():
    return conv(weight_zero=[1, 2])


@bad("node 'conv' (QLinearConv): input 'xz' has type UINT8 and shape 2, expected UINT8 and the shape of the scale, scalar")
def qlinear_conv_input_zero_points():
    return conv(zero=[1, 2])


@bad("node 'conv' (QLinearConv): attribute 'channels_last' is not supported")
def qlinear_conv_attribute():
    m = conv()
    m.graph.node[0].attribute.add(name="channels_last", type=2, i=1)
    return m


@bad("node 'add' (QLinearAdd): input 7, the output's zero point, is missing; it gives the type of the codes")
def qlinear_add_no_zero_point():
    g = Graph()
    x, s, z = g.input("x", (1, 2), U8), g.constant(0.5, np.float32), g.constant(0, U8)
    g.output(g.node("QLinearAdd", [x, s, z, x, s, z, s], "add", domain=MS), 2)
    return g.model()


@bad("node 'concat' (QLinearConcat): has 6 inputs, expected 2 and 3 for each part")
def qlinear_concat_inputs():
    g = Graph()
    x, s, z = g.input("x", (1, 2), U8), g.constant(0.5, np.float32), g.constant(0, U8)
    g.output(g.node("QLinearConcat", [s, z, x, s, z, x], "concat", domain=MS, axis=1), 2)
    return g.model()


@bad("has unsupported operators: 1 com.microsoft.Conv ('c')")
def domain():
    # The standard's operators are not another domain's.
    g = Graph()
    x = g.input("x", (1, 2, 4, 4), np.float32)
    w = g.constant(np.ones((3, 2, 1, 1)), np.float32)
    g.output(g.node("Conv", [x, w], "c", domain=MS))
    return g.model()
