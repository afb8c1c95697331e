# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions, integers, indexing and shapes that are refused."""

import numpy as np
from cases import bad
from models import Graph
from onnx import TensorProto

I64, F32 = np.int64, np.float32


def one(op, *inputs, shape=(2, 3), dtype=F32, opset=17, **attributes):
    """A node "n" of an input and constants."""
    g = Graph(opset)
    x = g.input("x", shape, dtype)
    names = [g.constant(np.asarray(i), name=f"c{n}") for n, i in enumerate(inputs)]
    g.output(g.node(op, [x] + names, "n", **attributes))
    return g.model()


def ints(*values):
    return np.array(values, I64)


@bad("node 'n' (Erf): input 'x' holds elements of type INT64, expected FLOAT")
def function_of_integers():
    return one("Erf", dtype=I64)


@bad("node 'n' (Not): input 'x' holds elements of type FLOAT, expected BOOL")
def not_of_reals():
    return one("Not")


@bad("node 'n' (Add): input 'c0' holds elements of type INT32, expected INT64")
def mixed_integers():
    return one("Add", np.ones(3, np.int32), dtype=I64)


@bad("node 'n' (And): input 'x' holds elements of type INT64, expected BOOL")
def logic_of_integers():
    return one("And", ints(1, 2, 3), dtype=I64)


@bad("node 'n' (Greater): shapes 2x3 and 2 do not broadcast")
def comparison_shapes():
    return one("Greater", np.ones(2, F32))


@bad("node 'n' (Where): input 'x' holds elements of type FLOAT, expected BOOL")
def where_of_reals():
    return one("Where", np.ones(3, F32), np.ones(3, F32))


@bad("node 'n' (Cast): casts to DOUBLE; supported are FLOAT, BOOL and integers of 8 to 64 bits")
def cast_to_double():
    return one("Cast", to=TensorProto.DOUBLE)


@bad("node 'n' (Slice): axis 2 with step 1 cannot be taken of the shape 2x3")
def slice_axis():
    return one("Slice", ints(0), ints(1), ints(2))


@bad("node 'n' (Slice): axis 0 with step 0 cannot be taken of the shape 2x3")
def slice_step():
    return one("Slice", ints(0), ints(1), ints(0), ints(0))


@bad("node 'n' (Slice): its result has shape 0x3, sizes must be positive and their product at most 2^31")
def empty_slice():
    return one("Slice", ints(1), ints(1))


@bad("node 'n' (Split): the parts [1, 3] for 1 outputs are not the size 3 of axis 1")
def split_sizes():
    return one("Split", ints(1, 3), axis=1)


@bad("node 'n' (Split): num_outputs is 0, and it has 1 outputs")
def split_no_outputs():
    return one("Split", num_outputs=0)


@bad("node 'n' (Tile): input 'c0' asks for 2147483648 copies along axis 0, supported are 1 to 2147483647")
def tile_copies():
    return one("Tile", ints(2**31, 1))


@bad("node 'n' (Gather): input 'c0' holds elements of type FLOAT, expected INT32 or INT64")
def gather_reals():
    return one("Gather", np.ones(2, F32))


@bad("node 'n' (Expand): shapes 2x3 and 4x2x2 do not broadcast")
def expand_shape():
    return one("Expand", ints(4, 2, 2))


@bad("node 'n' (Expand): its result has shape 1099511627776x2x3, sizes must be positive and their product at most 2^31")
def expand_far():
    return one("Expand", ints(2**40, 1, 1))


@bad("node 'n' (Tile): input 'c0' has 1 elements for a shape of rank 2")
def tile_rank():
    return one("Tile", ints(2))


@bad("node 'n' (Pad): mode 'ring' is not known; known are constant, edge, reflect and wrap")
def pad_mode():
    return one("Pad", ints(0, 1, 0, 1), mode="ring")


@bad("node 'n' (Pad): input 'c0' pads axis 1 of size 3 by -1 and -2, which leaves nothing of it")
def negative_pad():
    return one("Pad", ints(0, -1, 0, -2))


@bad("node 'n' (Pad): input 'c0' pads axis 1 of size 3 by -1 and 2, supported are sizes to 1")
def mirrored_pad():
    return one("Pad", ints(0, -1, 0, 2), mode="reflect")


@bad("node 'n' (ReduceSum): input 'c0' holds axis 2, outside a shape of rank 2")
def sum_axis():
    return one("ReduceSum", ints(2))


@bad("node 'n' (ReduceSum): input 'c0' holds an axis twice")
def sum_axis_twice():
    return one("ReduceSum", ints(1, -1))


@bad("node 'n' (LayerNormalization): axis 2 is outside a shape of rank 2")
def norm_axis():
    return one("LayerNormalization", np.ones(3, F32), axis=2)


@bad("node 'n' (LayerNormalization): input 'c0' has shape 4, which does not broadcast to 2x3")
def norm_gain():
    return one("LayerNormalization", np.ones(4, F32))


@bad("node 'n' (InstanceNormalization): input 'c0' has shape 4, expected one value for each of 3 channels")
def instance_gain():
    return one("InstanceNormalization", np.ones(4, F32), np.ones(3, F32), shape=(2, 3, 4))


@bad("node 'n' (Add): shapes 3 and 2 do not broadcast")
def range_at_the_end():
    # float64 does not tell these ends apart.
    g = Graph(17)
    most = 2**63 - 1
    ends = [g.constant(np.array(value, I64)) for value in (most - 3, most, 2)]
    g.output(g.node("Add", [g.input("x", (3,), I64), g.node("Range", ends)], "n"))
    return g.model()


@bad("node 'n21' (Concat): its result has shape 4294967296, sizes must be positive and their product at most 2^31")
def doubled():
    g = Graph(17)
    x = g.constant(np.zeros(1024, F32))
    for step in range(45):
        x = g.node("Concat", [x, x], f"n{step}", axis=0)
    g.output(g.node("Relu", [x]))
    return g.model()


@bad("node 'n' (Range): its inputs are computed or not those of the standard, or it has more than 2^22 elements; supported are constants")
def computed_range():
    return one("Range", np.float32(3), np.float32(1), shape=())


@bad("node 'n' (ConstantOfShape): its inputs are computed or not those of the standard, or it has more than 2^22 elements; supported are constants")
def huge_constant():
    g = Graph()
    g.input("x", (2,), F32)
    g.output(g.node("ConstantOfShape", [g.constant(ints(2**20, 2**10))], "n"))
    return g.model()


@bad("node 'n' (MatMul): the shapes 2x3 and 2x4x2 cannot be multiplied")
def product_shapes():
    return one("MatMul", np.ones((2, 4, 2), F32))


@bad("input 'x' has rank 2, the shape 3 was asked for", "--shape=x=3")
def asked_rank():
    return one("Abs")


@bad("input 'x' has a fixed size of 3, a size of 4 was asked for", "--shape=2x4")
def asked_size():
    return one("Abs")


@bad("has no input 'y' that could be given a shape; it has x", "--shape=y=2x4")
def asked_name():
    return one("Abs")


@bad("the shape '2xa' must be [NAME=] and positive sizes with x between them, such as 1x3x48x480",
     "--shape=2xa")
def asked_text():
    return one("Abs")
