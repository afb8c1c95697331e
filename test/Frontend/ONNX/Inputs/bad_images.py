# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Resize, ConvTranspose and blocks that are refused."""

import numpy as np
from cases import bad
from models import Graph


def resize(scales=None, sizes=None, shape=(1, 2, 4, 4), dtype=np.float32, **attributes):
    g = Graph(18)
    inputs = [g.input("x", shape, dtype), "",
              "" if scales is None else g.constant(scales, np.float32, "scales"),
              "" if sizes is None else g.constant(sizes, np.int64, "sizes")]
    while not inputs[-1]:
        inputs.pop()
    g.output(g.node("Resize", inputs, "r", **attributes))
    return g.model()


@bad("node 'r' (Resize): has scales and sizes, expected either")
def resize_twice():
    return resize([1, 1, 2, 2], [1, 2, 8, 8])


@bad("node 'r' (Resize): has no scales and no sizes, expected either")
def resize_not():
    return resize()


@bad("node 'r' (Resize): mode 'area' is not known; known are nearest, linear, cubic")
def resize_mode():
    return resize([1, 1, 2, 2], mode="area")


@bad("node 'r' (Resize): nearest_mode 'odd' is not known; known are round_prefer_floor, "
     "round_prefer_ceil, floor, ceil")
def resize_rounding():
    return resize([1, 1, 2, 2], nearest_mode="odd")


@bad("node 'r' (Resize): input 'scales' has type FLOAT and shape 2, expected 4 FLOAT elements: "
     "the scales")
def resize_rank():
    return resize([2, 2])


@bad("node 'r' (Resize): scales dimension 2 by -1.000000e+00, scales are positive, normal and "
     "finite")
def resize_negative():
    return resize([1, 1, -1, 2])


@bad("node 'r' (Resize): scales dimension 3 by nan, scales are positive, normal and finite")
def resize_nan():
    return resize([1, 1, 1, np.nan])


@bad("node 'r' (Resize): scales dimension 2 of size 4 by 1.000000e+09, the result is at most "
     "2147483648 elements long")
def resize_huge():
    return resize([1, 1, 1e9, 1])


@bad("node 'r' (Resize): input 'sizes' asks for size -4 in dimension 2, sizes are 1 to 2147483647")
def resize_to_negative():
    return resize(sizes=[1, 2, -4, 4])


@bad("node 'r' (Resize): input 'sizes' asks for size 4611686018427387904 in dimension 3, sizes are 1 "
     "to 2147483647")
def resize_to_huge():
    return resize(sizes=[1, 2, 4, 1 << 62], keep_aspect_ratio_policy="not_smaller")


@bad("node 'r' (Resize): attribute 'cubic_coeff_a' is nan, it must be finite")
def resize_coefficient():
    return resize([1, 1, 2, 2], mode="cubic", cubic_coeff_a=float("nan"))


@bad("node 'r' (Resize): its result has shape 1x2x0x4, sizes must be positive and their product "
     "at most 2^31")
def resize_to_nothing():
    return resize([1, 1, 0.125, 1])


@bad("node 'r' (Resize): computes 1073741824 elements of 1 each along one axis, supported are "
     "products to 2^22")
def resize_huge():
    return resize(sizes=[1, 2, 1 << 30, 1])


@bad("node 'r' (Resize): has scales and no sizes, expected either, and a roi")
def resize_without_region():
    return resize([1, 1, 2, 2], coordinate_transformation_mode="tf_crop_and_resize")


@bad("node 'r' (Resize): antialias needs mode linear or cubic")
def resize_antialias():
    return resize([1, 1, 2, 2], antialias=1)


@bad("node 'r' (Resize): input 'x' holds integers, expected real numbers (a DequantizeLinear)")
def resize_integers():
    return resize([1, 1, 2, 2], dtype=np.uint8, mode="linear")


def transposed(shape=(2, 3, 3, 3), x=(1, 2, 4, 4), **attributes):
    g = Graph()
    inputs = [g.input("x", x, np.float32), g.constant(np.ones(shape), np.float32, "w")]
    g.output(g.node("ConvTranspose", inputs, "t", **attributes))
    return g.model()


@bad("node 't' (ConvTranspose): 3 groups do not divide 2 input channels with weights for 2")
def transposed_groups():
    return transposed(group=3)


@bad("node 't' (ConvTranspose): 1 groups do not divide 2 input channels with weights for 4")
def transposed_channels():
    return transposed((4, 3, 3, 3))


@bad("node 't' (ConvTranspose): kernel_shape [2, 3] is not that of the weights, [3, 3]")
def transposed_kernel():
    return transposed(kernel_shape=[2, 3])


@bad("node 't' (ConvTranspose): pads 3 and 3 leave nothing of 6 positions")
def transposed_pads():
    return transposed(pads=[3, 0, 3, 0])


@bad("node 't' (ConvTranspose): pads 16 and output_padding 3 leave results that nothing reaches")
def transposed_far():
    return transposed(pads=[16, 0, 0, 0], output_padding=[3, 0], strides=[4, 1])


@bad("node 't' (ConvTranspose): output_padding 5 must be less than the stride or the dilation, 2")
def transposed_output_padding():
    return transposed(output_padding=[0, 5], strides=[1, 2])


@bad("node 't' (ConvTranspose): strides [4096, 4096] and dilations [1, 1] spread a kernel "
     "of [3, 3] over more than 16 times its size")
def transposed_strides():
    return transposed(x=(1, 2, 1, 1), strides=[4096, 4096], output_shape=[4, 4])


@bad("node 't' (ConvTranspose): input 'x' has shape 1x2x4x4x4, supported is 1-D and 2-D "
     "convolution (rank 3 and 4)")
def transposed_3d():
    return transposed((2, 3, 3, 3, 3), (1, 2, 4, 4, 4))


@bad("node 't' (ConvTranspose): input 'dequantizelinear_10_out' has scales along axis 0, supported "
     "is the output channel, axis 1")
def transposed_scales():
    g = Graph()
    x = g.codes(g.input("x", (1, 2, 4, 4)))
    w, _ = g.weights((2, 3, 3, 3))
    g.output(g.node("ConvTranspose", [x, w], "t"))
    return g.model()


def blocks(op, shape, **attributes):
    g = Graph()
    g.output(g.node(op, [g.input("x", shape, np.float32)], "b", **attributes))
    return g.model()


@bad("node 'b' (DepthToSpace): blocksize 2 does not divide the channels of 1x6x2x2")
def depth_blocks():
    return blocks("DepthToSpace", (1, 6, 2, 2), blocksize=2)


@bad("node 'b' (DepthToSpace): mode 'DRC' is not known; known are DCR and CRD")
def depth_mode():
    return blocks("DepthToSpace", (1, 4, 2, 2), blocksize=2, mode="DRC")


@bad("node 'b' (SpaceToDepth): blocksize 0 does not divide the rows and columns of 1x6x2x2")
def space_blocks():
    return blocks("SpaceToDepth", (1, 6, 2, 2))
