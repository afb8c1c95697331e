# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""QLinear operators and QONNX, as they are refused: errors name the file's operator."""

import numpy as np
from cases import bad
from models import I8, I32, U8, Graph
from onnx import numpy_helper

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


# QONNX


def quant(scale=0.5, zero=0, bits=4, x_shape=(1, 2, 3), domain="qonnx.custom_op.general",
          op="Quant", **attributes):
    g = Graph()
    x = g.input("x", x_shape, np.float32)
    inputs = [x] + [g.constant(value, np.float32, name)
                    for value, name in ((scale, "s"), (zero, "z"), (bits, "b"))]
    g.output(g.node(op, inputs, "q", domain=domain, **attributes))
    return g.model()


@bad("node 'q' (Quant): rounding_mode 'NEAREST' is not known; known are ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, HALF_UP and HALF_DOWN")
def quant_mode():
    return quant(rounding_mode="NEAREST")


@bad("node 'q' (Quant): input 's' has scale -5.000000e-01, scales are positive, normal and finite")
def quant_scale():
    return quant(scale=-0.5)


@bad("node 'q' (Quant): input 's' holds nan at index 0")
def quant_scale_nan():
    return quant(scale=np.nan)


def weights_quant(shape, scale, zero=0, bits=4):
    g = Graph()
    inputs = [g.constant(np.asarray(value), np.float32, name)
              for value, name in ((np.ones(shape), "w"), (scale, "s"), (zero, "z"), (bits, "b"))]
    w = g.node("Quant", inputs, "q", domain="qonnx.custom_op.general")
    g.output(g.node("Add", [g.input("x", shape, np.float32), w]))
    return g.model()


@bad("node 'q' (Quant): input 's' has shape 2x2, expected one number or one for each index of one dimension of 4x2x2")
def quant_two_dimensions():
    return weights_quant((4, 2, 2), np.ones((2, 2)))


@bad("node 'q' (Quant): input 'z' varies along dimension 1, another parameter along 0; all must vary along the same one")
def quant_two_axes():
    return weights_quant((3, 3, 2, 2), np.ones((3, 1, 1, 1)), np.zeros((1, 3, 1, 1)))


@bad("node 'q' (Quant): input 'b' varies along dimension 0, another parameter along 1; all must vary along the same one")
def quant_bits_axis():
    return weights_quant((3, 3), np.ones((1, 3)), 0, [[4], [3], [4]])


@bad("node 'q' (Quant): input 'z' holds 5.000000e-01, the zero point must be an integer")
def quant_zero_point():
    return quant(zero=0.5)


@bad("node 'q' (Quant): zero point 9 is outside the range of the codes, [-8, 7]")
def quant_zero_point_range():
    return quant(zero=9)


@bad("node 'q' (Quant): input 'b' is 0, supported are bit widths from 1 to 16, and to 32 for constants that are signed")
def quant_no_bits():
    return quant(bits=0)


@bad("node 'q' (Quant): input 'b' is more than 16 for what is no constant")
def quant_many_bits():
    return quant(bits=24)


@bad("node 'q' (Quant): input 's' has one scale per channel, activations need one per tensor")
def quant_channels():
    return quant(scale=[[0.5], [0.25]])


@bad("node 'q' (Quant): input 's' has shape 2x3, expected one number or one for each index of one dimension of 1x2x3")
def quant_two_dimensions():
    return quant(scale=np.full((2, 3), 0.5))


@bad("node 'q' (Quant): input 'b' has 2 values, another parameter has 3")
def quant_counts():
    return quant(scale=[0.5] * 3, bits=[4, 4])


@bad("has unsupported operators: 1 qonnx.custom_op.channels_last.Quant ('q')")
def quant_domain():
    return quant(domain="qonnx.custom_op.channels_last")


def threshold(values, shape=(1, 3, 4, 4), **attributes):
    g = Graph()
    x = g.input("x", shape, np.float32)
    g.output(g.node("MultiThreshold", [x, g.constant(values, np.float32, "t")], "m",
                    domain="finn.custom_op.general", **attributes))
    return g.model()


@bad("node 'm' (MultiThreshold): input 't' has shape 2x1, expected thresholds for 1 or 3 channels")
def threshold_channels():
    return threshold([[1], [2]])


@bad("node 'm' (MultiThreshold): out_dtype 'UINT999999999999999999' is not supported, only integers of 1 to 32 bits")
def threshold_type():
    return threshold([[1, 2]], out_dtype="UINT999999999999999999")


@bad("node 'm' (MultiThreshold): out_scale 5.000000e-01 and out_bias 1.250000e+00 give no codes: the bias must be a multiple of the scale")
def threshold_bias():
    return threshold([[1, 2]], out_scale=0.5, out_bias=1.25)


@bad("node 'm' (MultiThreshold): data_layout 'NHWC' does not fit an input of rank 2")
def threshold_layout():
    return threshold([[1, 2]], (1, 3), data_layout="NHWC")


@bad("node 'm' (MultiThreshold): input 't' holds INF at index 0")
def threshold_infinite():
    return threshold([[np.inf, 2]])


@bad("node 't' (Trunc): input 'z' is 3, no multiple of 16")
def trunc_zero_point():
    g = Graph()
    x = g.input("x", (1, 2), np.float32)
    constants = [g.constant(value, np.float32, name) for value, name in (
        (0.25, "s"), (3, "z"), (8, "i"), (4, "os"), (4, "o"))]
    g.output(g.node("Trunc", [x] + constants, "t", domain="qonnx.custom_op.general"))
    return g.model()


# Products of integers


def integers(op, weights_shape, zero_shape=(), computed=False, **attributes):
    g = Graph()
    x, z = g.input("x", (1, 2, 4, 4), U8), g.input("z", zero_shape, U8)
    w = (g.input("w", weights_shape, I8) if computed
         else g.constant(np.ones(weights_shape), I8, "w"))
    g.output(g.node(op, [x, w, z], "m", **attributes), 6)
    return g.model()


@bad("node 'm' (ConvInteger): auto_pad SAME_UPPER is not supported where the zero point is computed, only pads")
def conv_integer_padding():
    return integers("ConvInteger", (3, 2, 3, 3), auto_pad="SAME_UPPER")


@bad("node 'm' (ConvInteger): input 'z' has shape 2, a zero point that is computed must be one UINT8 code")
def conv_integer_zero_points():
    return integers("ConvInteger", (3, 2, 3, 3), (2,))


@bad("node 'm' (MatMulInteger): input 'z' has shape 4; supported is one zero point for all activations")
def matmul_integer_rows():
    m = integers("MatMulInteger", (4, 5), (4,))
    del m.graph.input[1]
    m.graph.initializer.append(numpy_helper.from_array(np.arange(4, dtype=U8), "z"))
    return m


@bad("node 'm' (MatMulInteger): input 'w' has shape 2x4x5 and 5 scales or zero points; supported "
     "are matrices of one scale and zero point that fit the activations, or a single matrix")
def matmul_integer_batched_columns():
    m = integers("MatMulInteger", (2, 4, 5))
    m.graph.node[0].input.append("wz")
    m.graph.initializer.append(numpy_helper.from_array(np.arange(5, dtype=I8), "wz"))
    return m


@bad("node 'a\\0A\\1B[31mb' (Relu): attribute 'x\\0Dy' is not supported")
def control_characters():
    g = Graph()
    g.output(g.node("Relu", [g.input("x", (2, 3), np.float32)], "a\n\x1b[31mb", **{"x\ry": 1}))
    return g.model()


def weight_zero(op, inputs, produced="Identity", domain=""):
    """`inputs`: of the names of constants, "x", and "wz", which is no constant."""
    g = Graph()
    real = op == "DynamicQuantizeMatMul"
    values = {
        "x": g.input("x", (1, 2, 4, 4), np.float32 if real else U8),
        "z": g.constant(0, U8, "z"),
        "w": g.constant(np.ones((3, 2, 1, 1) if op == "ConvInteger" else (4, 5)), I8, "w"),
        "s": g.constant(0.5, np.float32, "s"),
        "wz": (g.input("wz", (), I8) if produced == "input"
               else g.node("Identity", [g.constant(3, I8)], "i") if produced == "Identity"
               else g.node("Cast", [g.constant(3, I32)], "i", to=3))}
    g.output(g.node(op, [values[name] for name in inputs], "m", domain=domain))
    return g.model()


@bad("node 'm' (MatMulInteger): input 'i_out' is computed; the zero point of weights must be constant")
def matmul_integer_weight_zero():
    return weight_zero("MatMulInteger", ["x", "w", "z", "wz"])


@bad("node 'm' (ConvInteger): input 'i_out' is computed; the zero point of weights must be constant")
def conv_integer_weight_zero():
    return weight_zero("ConvInteger", ["x", "w", "z", "wz"], "Cast")


@bad("node 'm' (DynamicQuantizeMatMul): input 'wz' is computed; the zero point of weights must be constant")
def dynamic_matmul_weight_zero():
    return weight_zero("DynamicQuantizeMatMul", ["x", "w", "s", "wz"], "input", MS)


@bad("node 'm' (MatMulIntegerToFloat): input 'i_out' is computed; the zero point of weights must be constant")
def integer_to_float_weight_zero():
    return weight_zero("MatMulIntegerToFloat", ["x", "w", "s", "s", "z", "wz"], domain=MS)


@bad("has unsupported operators: 1 a2q.own.IntegerSums ('m')")
def own_domain():
    return integers("IntegerSums", (4, 5), domain="a2q.own")
