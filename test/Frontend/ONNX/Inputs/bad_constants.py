# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Constant tensors that are refused."""

from cases import bad
from models import image
from onnx import TensorProto


def with_tensor(**fields):
    """Adds the tensor `c` of the given fields to an input."""
    g, x = image((1, 4))
    g.initializers.append(TensorProto(name="c", **fields))
    g.output(g.node("Add", [x, "c"], "add"))
    return g.model()


@bad("node 'add' (Add): input 'c' has 12 bytes of data, 4 of FLOAT needs 16")
def payload_size():
    return with_tensor(data_type=1, dims=[4], raw_data=b"\0" * 12)


@bad("node 'add' (Add): input 'c' has 3 elements of data, 4 of FLOAT needs 4")
def field_size():
    return with_tensor(data_type=1, dims=[4], float_data=[1, 2, 3])


@bad("node 'add' (Add): input 'c' has shape -4, sizes must not be negative nor their product beyond 2^31")
def negative_dims():
    return with_tensor(data_type=1, dims=[-4], raw_data=b"")


@bad("node 'add' (Add): input 'c' has shape 4294967296x4294967296, sizes must not be negative nor their product beyond 2^31")
def huge_dims():
    return with_tensor(data_type=1, dims=[1 << 32, 1 << 32], raw_data=b"")


@bad("node 'add' (Add): input 'c' has element type FLOAT16; supported are FLOAT and signed and unsigned integers")
def half_precision():
    return with_tensor(data_type=10, dims=[4], raw_data=b"\0" * 8)


@bad("node 'add' (Add): input 'c' holds 300, which is no UINT8")
def value_outside_type():
    return with_tensor(data_type=2, dims=[1], int32_data=[300])


@bad("node 'add' (Add): input 'c' holds integers, expected real numbers (a DequantizeLinear)")
def integers_for_reals():
    return with_tensor(data_type=2, dims=[1], int32_data=[3])


def external(**entries):
    m = with_tensor(data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        m.graph.initializer[-1].external_data.add(key=key, value=value)
    return m


@bad("input 'c' has external data in 'FOLDER/absent.bin': No such file or directory")
def external_absent():
    return external(location="absent.bin")


@bad("input 'c' has external data at '../up.bin', expected a file below the model's folder")
def external_above():
    return external(location="../up.bin")


@bad("input 'c' has external data beyond the end of 'FOLDER/empty_file.onnx'")
def external_short():
    return external(location="empty_file.onnx", offset="0", length="16")
