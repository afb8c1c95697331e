#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models of the operators that give images another size: Resize, ConvTranspose, blocks.

suite.py says how it is run; the answers are in image_expected.npz. A model may return
several outputs: they are joined to one.
"""

import numpy as np
from float_models import Graph
from float_operators import F32, each, ints, joined
from models import Graph as IntegerGraph
from suite import Suite

U8, I8 = np.uint8, np.int8

model = Suite("models", "image_expected.npz",
              lambda found, expected: np.isclose(found, expected, rtol=3e-6, atol=1e-5))


def resize(g, x, scales=None, sizes=None, roi="", **attributes):
    inputs = [x, roi, g.constant(scales, F32) if scales else "",
              ints(g, *sizes) if sizes else ""]
    while not inputs[-1]:
        inputs.pop()
    return g.node("Resize", inputs, **attributes)


COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")


# Resize. 3 rows become 7 and 5 columns 4: up and down, at no whole ratio.


@model
def nearest():
    # Ties lie between elements: each rounding takes its own.
    g = Graph(13)
    x = g.input("x", (1, 2, 3, 5))
    return joined(g, [resize(g, x, sizes=size, coordinate_transformation_mode=coordinates,
                             nearest_mode=rounding)
                      for coordinates in COORDINATES
                      for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
                      for size in ([1, 2, 7, 4], [1, 2, 6, 10])])


@model
def nearest_scales():
    # 2.6 times 5 is 13 exactly in float32, 1.3 times 10 less: sizes are rounded down.
    g = Graph(13)
    x = g.input("x", (1, 2, 5, 10))
    return joined(g, [resize(g, x, [1, 1, 2.6, 1.3], coordinate_transformation_mode=coordinates)
                      for coordinates in COORDINATES + ("tf_half_pixel_for_nn",)])


@model
def nearest_all_axes():
    g = Graph(13)
    x, v = g.input("x", (2, 3, 2, 2)), g.input("v", (5,))
    return joined(g, [resize(g, x, [2, 3, 1, 1.5]), resize(g, v, [1.7])])


@model
def linear():
    g = Graph(13)
    x = g.input("x", (1, 2, 3, 5))
    return joined(g, [resize(g, x, sizes=size, mode="linear",
                             coordinate_transformation_mode=coordinates)
                      for coordinates in COORDINATES
                      for size in ([1, 2, 7, 4], [1, 2, 6, 10], [1, 2, 1, 1], [1, 2, 3, 8])])


@model
def linear_sequences():
    g = Graph(13)
    x, y = g.input("x", (2, 3, 5)), g.input("y", (4, 5))
    return joined(g, [resize(g, x, [1, 1, 2], mode="linear"),
                      resize(g, x, [1.5, 2, 2], mode="linear"),
                      resize(g, y, [0.6, 2.2], mode="linear")])


@model
def linear_channels_last():
    # After a convolution, and between layers.
    g = Graph(13)
    x = g.conv(g.input("x", (1, 3, 4, 5)), (4, 3, 3, 3), pads=[1, 1, 1, 1])
    x = resize(g, x, [1, 1, 2, 2], mode="linear")
    y = resize(g, x, [1, 1, 2, 2], mode="nearest", nearest_mode="floor",
               coordinate_transformation_mode="asymmetric")
    return g.finish(g.conv(y, (2, 4, 1, 1)))


@model
def cubic():
    g = Graph(13)
    x = g.input("x", (1, 2, 4, 5))
    return joined(g, [resize(g, x, sizes=size, mode="cubic", cubic_coeff_a=a,
                             exclude_outside=excludes,
                             coordinate_transformation_mode=coordinates)
                      for coordinates in COORDINATES
                      for a, excludes in ((-0.75, 0), (-0.5, 1))
                      for size in ([1, 2, 9, 3], [1, 2, 8, 10])])


@model
def antialias():
    g = Graph(18)
    x = g.input("x", (1, 2, 9, 11))
    return joined(g, [resize(g, x, sizes=size, mode=mode, antialias=1, exclude_outside=excludes)
                      for mode in ("linear", "cubic") for excludes in (0, 1)
                      for size in ([1, 2, 4, 3], [1, 2, 13, 5])])


@model
def axes_and_aspect():
    g = Graph(18)
    x = g.input("x", (1, 4, 6, 2))
    return joined(g, [resize(g, x, sizes=[7, 3], axes=[1, 2]),
                      resize(g, x, [2, 0.5], axes=[2, 1])] + [
                          resize(g, x, sizes=[7, 7], axes=[2, 1], keep_aspect_ratio_policy=policy)
                          for policy in ("not_larger", "not_smaller")])


@model
def half_pixel_symmetric():
    g = Graph(19)
    x = g.input("x", (1, 2, 5, 7))
    return joined(g, [resize(g, x, [1, 1, 1.3, 0.7], mode=mode,
                             coordinate_transformation_mode="half_pixel_symmetric")
                      for mode in ("nearest", "linear")])


@model
def crop_and_resize():
    # Beyond the image is the value -3.
    g = Graph(13)
    x = g.input("x", (1, 2, 5, 7))
    roi = g.constant([0, 0, 0.2, -0.2, 1, 1, 1.3, 0.7], F32)
    return joined(g, [resize(g, x, sizes=[1, 2, 6, 5], roi=roi, mode=mode,
                             coordinate_transformation_mode="tf_crop_and_resize",
                             extrapolation_value=-3.0) for mode in ("nearest", "linear")])


@model
def resized_codes():
    # Elements that are only repeated stay codes, signed or not, padded or not.
    g = IntegerGraph(13)
    x = g.codes(g.input("x", (1, 2, 3, 4)), 0.5, 100)
    y = resize(g, x, [1, 1, 2, 3], nearest_mode="floor",
               coordinate_transformation_mode="asymmetric")
    y = resize(g, y, sizes=[1, 2, 5, 7])
    w, _ = g.weights((3, 2, 3, 3))
    y = g.node("Conv", [y, w], "conv", pads=[1, 1, 1, 1])
    g.output(g.requantize(y, 64.0, 128, clip=None))
    return g.model()


@model
def narrow_codes():
    # Codes of 4 bits stay such through all that moves them: layers accept no others.
    g = IntegerGraph(13)
    x = g.codes(g.input("x", (1, 2, 3, 4)), 0.5, 3, clip=(0, 15))
    w, _ = g.weights((4, 2, 3, 3), scale=0.25)
    y = resize(g, x, sizes=[1, 2, 5, 7])
    y = g.requantize(g.node("Conv", [y, w], "conv", pads=[1, 1, 1, 1]), 4.0, 3)
    w, _ = g.weights((4, 4, 3, 3), axis=1, scale=0.25)
    y = g.requantize(g.node("ConvTranspose", [y, w], "up", strides=[2, 2]), 32.0, 3)
    y = g.node("Slice", [y, ints(g, 1), ints(g, -1), ints(g, 3)])
    y = g.node("SpaceToDepth", [g.node("Pad", [y, ints(g, 0, 0, 1, 1, 0, 0, 0, 0)],
                                       mode="reflect")], blocksize=2)
    w, _ = g.weights((2, 16, 3, 3), scale=0.25)
    g.output(g.requantize(g.node("Conv", [y, w], "last"), 256.0, 3))
    return g.model()


# ConvTranspose


def transposed(g, x, shape, groups=1, bias=True, **attributes):
    inputs = [x, g.reals(*shape)] + ([g.reals(shape[1] * groups)] if bias else [])
    return g.node("ConvTranspose", inputs, group=groups, **attributes)


@model
def conv_transpose():
    # Strides larger and smaller than the kernel, padding beyond it, dilations.
    g = Graph()
    x = g.input("x", (2, 3, 4, 5))
    return joined(g, [
        transposed(g, x, (3, 4, 3, 2)),
        transposed(g, x, (3, 4, 2, 2), strides=[2, 2]),
        transposed(g, x, (3, 2, 3, 4), strides=[2, 3], pads=[1, 0, 2, 1]),
        transposed(g, x, (3, 2, 2, 1), strides=[3, 2], bias=False),
        transposed(g, x, (3, 2, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
        transposed(g, x, (3, 2, 3, 2), dilations=[2, 3], strides=[2, 1]),
        transposed(g, x, (3, 2, 2, 2), pads=[2, 3, 2, 1], strides=[2, 2])])


@model
def conv_transpose_sizes():
    g = Graph()
    x = g.input("x", (1, 2, 4, 5))
    return joined(g, [
        transposed(g, x, (2, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
        transposed(g, x, (2, 3, 3, 3), strides=[2, 2], auto_pad="SAME_LOWER"),
        transposed(g, x, (2, 3, 3, 3), strides=[2, 2], auto_pad="VALID"),
        transposed(g, x, (2, 3, 3, 3), strides=[2, 2], output_shape=[8, 10]),
        transposed(g, x, (2, 3, 4, 4), strides=[3, 3], output_shape=[10, 13],
                   auto_pad="SAME_UPPER")])


@model
def conv_transpose_groups():
    # Of two channels each, and each channel for itself.
    g = Graph()
    x = g.input("x", (1, 4, 3, 5))
    return joined(g, [
        transposed(g, x, (4, 3, 3, 3), 2, strides=[2, 2], pads=[1, 1, 0, 0]),
        transposed(g, x, (4, 1, 3, 2), 4, strides=[2, 1]),
        transposed(g, x, (4, 2, 2, 2), 4, strides=[2, 2])])


@model
def conv_transpose_sequence():
    g = Graph()
    x = g.input("x", (2, 3, 7))
    return joined(g, [transposed(g, x, (3, 4, 3), strides=[2], pads=[1, 0]),
                      transposed(g, x, (3, 4, 4))])


def codes_transposed(shape, groups=1, zero=100, weight_zero=None, bias=True, **attributes):
    """Scales are powers of two: the float sums of the answers are exact."""
    g = IntegerGraph()
    x = g.codes(g.input("x", (2, shape[0]) + (4, 5)[:len(shape) - 2]), 0.5, zero)
    channels = shape[1]
    scale = np.float32([0.25, 0.5, 1.0][:channels])
    dtype = I8 if weight_zero is None else U8
    w, _ = g.weights(shape, axis=1, scale=scale, dtype=dtype, zero=weight_zero or 0, lo=-7 if
                     dtype is I8 else 0, hi=7 if dtype is I8 else 200, clip=False)
    inputs = [x, w]
    if bias:
        inputs.append(g.constant(g.rng.integers(-64, 65, channels * groups) / 4, F32))
    y = g.node("ConvTranspose", inputs, "enlarge", group=groups, **attributes)
    g.output(g.requantize(y, 32.0 if dtype is I8 else 512.0, 128, clip=None))
    return g.model()


@model
def conv_transpose_codes():
    return codes_transposed((3, 2, 3, 3), strides=[2, 2], pads=[1, 1, 0, 1])


@model
def conv_transpose_unsigned_weights():
    return codes_transposed((3, 2, 2, 3), weight_zero=90, strides=[2, 2], pads=[0, 2, 1, 0])


@model
def conv_transpose_codes_groups():
    return codes_transposed((4, 2, 3, 3), groups=2, strides=[2, 1], bias=False)


@model
def conv_transpose_codes_sequence():
    return codes_transposed((3, 2, 4), strides=[2], pads=[1, 1])


# Blocks


@model
def blocks():
    g = Graph()
    x = g.conv(g.input("x", (1, 3, 4, 6)), (8, 3, 1, 1))
    return joined(g, [g.node("DepthToSpace", [x], blocksize=2),
                      g.node("DepthToSpace", [x], blocksize=2, mode="CRD"),
                      g.node("SpaceToDepth", [x], blocksize=2)])


@model
def group_norm_21():
    g = Graph(21)
    x = g.node("GroupNormalization", [g.input("x", (2, 6, 3, 4)), g.reals(6), g.reals(6)],
               num_groups=3, epsilon=0.01)
    return g.finish(x)


@model
def global_pools():
    return each((2, 3, 4, 5), ("GlobalAveragePool", [], {}), ("GlobalMaxPool", [], {}))


if __name__ == "__main__":
    model.main()
