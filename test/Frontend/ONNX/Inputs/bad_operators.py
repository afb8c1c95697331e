# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Other operators that are refused."""

import numpy as np
from cases import bad
from models import I32, Graph, image, pool


@bad("node 'add' (Add): shapes 1x2x6x6 and 5 do not broadcast")
def not_broadcast():
    g, x = image()
    g.output(g.node("Add", [x, g.constant([1] * 5, np.float32)], "add"))
    return g.model()


@bad("node 'f' (Flatten): axis 7 is outside a shape of rank 4")
def flatten_axis():
    g, x = image()
    g.output(g.node("Flatten", [x], "f", axis=7))
    return g.model()


def reshaped(shape, dtype=np.int64):
    g, x = image(("N", 2, 6, 6))
    g.output(g.node("Reshape", [x, g.constant(shape, dtype, "shape")], "r"))
    return g.model()


@bad("node 'r' (Reshape): input 'dequantizelinear_3_out' has shape 1x2x6x6, which does not have as many elements as 5x14")
def reshape_count():
    return reshaped([5, -1])


@bad("node 'r' (Reshape): input 'shape' asks for size -1 in dimensions 0 and 1, at most one "
     "size can be inferred")
def reshape_inferred_twice():
    return reshaped([-1, -1])


@bad("node 'r' (Reshape): input 'shape' has type INT32 and shape 1, expected a vector of INT64")
def reshape_type():
    return reshaped([-1], I32)


@bad("node 't' (Transpose): perm [0, 1, 1, 2] is no permutation of 4 dimensions")
def permutation():
    g, x = image()
    g.output(g.node("Transpose", [x], "t", perm=[0, 1, 1, 2]))
    return g.model()


@bad("node 'pool' (MaxPool): a padding of 2 leaves nothing to pool in a kernel that spans 2")
def pool_padding():
    return pool("MaxPool", kernel_shape=[2, 2], pads=[2, 0, 0, 0])


@bad("node 'pool' (MaxPool): has no kernel_shape")
def pool_kernel():
    return pool("MaxPool")


@bad("node 'pool' (AveragePool): input 'dequantizelinear_3_out' has shape 1x2, supported is 1-D and 2-D pooling (rank 3 and 4)")
def pool_rows():
    return pool("AveragePool", shape=(1, 2), kernel_shape=[2])


@bad("node 'pool' (AveragePool): input 'x' holds integers, expected real numbers (a DequantizeLinear)")
def pool_codes():
    g = Graph()
    x = g.input("x", (1, 2, 4, 4))
    g.output(g.node("AveragePool", [x], "pool", kernel_shape=[2, 2]))
    return g.model()
