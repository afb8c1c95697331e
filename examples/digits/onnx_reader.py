# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small ONNX reader without protobuf: what an integer reference needs.

It decodes the wire format of the few messages that carry a graph: nodes,
attributes, initializers, inputs, outputs. It knows nothing of operators.
"""

import struct
from dataclasses import dataclass, field

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

# TensorProto.DataType, and the field that holds such data when not raw.
ELEMENT_TYPES = {
    1: (np.float32, "float_data"),
    2: (np.uint8, "int32_data"),
    3: (np.int8, "int32_data"),
    4: (np.uint16, "int32_data"),
    5: (np.int16, "int32_data"),
    6: (np.int32, "int32_data"),
    7: (np.int64, "int64_data"),
    11: (np.float64, "double_data"),
}


class ModelError(Exception):
    """The file is not a model that this reference understands."""


@dataclass
class Node:
    op: str
    name: str
    inputs: list
    outputs: list
    attributes: dict


@dataclass
class Model:
    opset: int
    nodes: list
    initializers: dict
    inputs: dict = field(default_factory=dict)  # name: (dtype, dims); None: free
    outputs: list = field(default_factory=list)


def _varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ModelError("truncated file")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def _fields(data):
    """{field number: [(wire type, value), ...]} of one message."""
    result, at = {}, 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(data, at)
        else:
            if wire == BYTES:
                size, at = _varint(data, at)
            elif wire in (FIXED32, FIXED64):
                size = 4 if wire == FIXED32 else 8
            else:
                raise ModelError(f"unknown wire type {wire}: not an ONNX file")
            if at + size > len(data):
                raise ModelError("truncated file")
            value, at = data[at : at + size], at + size
        result.setdefault(number, []).append((wire, value))
    return result


def _messages(fields, number):
    return [_fields(value) for _, value in fields.get(number, [])]


def _last(fields, number, default=None):
    return fields[number][-1][1] if number in fields else default


def _text(fields, number):
    return bytes(_last(fields, number, b"")).decode()


def _texts(fields, number):
    return [bytes(value).decode() for _, value in fields.get(number, [])]


def _integers(fields, number):
    """A repeated integer, packed or not."""
    values = []
    for wire, value in fields.get(number, []):
        if wire == VARINT:
            values.append(_signed(value))
            continue
        at = 0
        while at < len(value):
            element, at = _varint(value, at)
            values.append(_signed(element))
    return values


def _reals(fields, number, code):
    """A repeated float ("f") or double ("d"), packed or not."""
    data = b"".join(bytes(value) for _, value in fields.get(number, []))
    return list(struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data))


def _tensor(fields):
    name = _text(fields, 8)
    element = _last(fields, 2, 0)
    if element not in ELEMENT_TYPES:
        raise ModelError(f"initializer {name}: unsupported element type {element}")
    if _last(fields, 14, 0) == 1:
        raise ModelError(f"initializer {name}: external data is not supported")
    dtype, where = ELEMENT_TYPES[element]
    if 9 in fields:
        little = np.dtype(dtype).newbyteorder("<")
        values = np.frombuffer(bytes(_last(fields, 9)), little).astype(dtype)
    elif where == "float_data":
        values = np.array(_reals(fields, 4, "f"), dtype)
    elif where == "double_data":
        values = np.array(_reals(fields, 10, "d"), dtype)
    else:
        number = 5 if where == "int32_data" else 7
        values = np.array(_integers(fields, number), np.int64).astype(dtype)
    dims = _integers(fields, 1)
    if values.size != np.prod(dims, dtype=np.int64):
        raise ModelError(f"initializer {name}: {values.size} elements, shape {dims}")
    return name, values.reshape(dims)


def _attribute(fields):
    name, kind = _text(fields, 1), _last(fields, 20, 0)
    if kind == 1:
        return name, struct.unpack("<f", _last(fields, 2))[0]
    if kind == 2:
        return name, _signed(_last(fields, 3, 0))
    if kind == 3:
        return name, _text(fields, 4)
    if kind == 6:
        return name, _reals(fields, 7, "f")
    if kind == 7:
        return name, _integers(fields, 8)
    raise ModelError(f"attribute {name}: unsupported attribute type {kind}")


def _value_info(fields):
    """(name, (dtype, dims)); a dimension that is not a number is None."""
    name = _text(fields, 1)
    tensor = _fields(_last(_fields(_last(fields, 2, b"")), 1, b""))
    element = _last(tensor, 1, 0)
    if element not in ELEMENT_TYPES:
        raise ModelError(f"value {name}: unsupported element type {element}")
    shape = _fields(_last(tensor, 2, b""))
    dims = [_last(dim, 1) for dim in _messages(shape, 1)]
    return name, (ELEMENT_TYPES[element][0], dims)


def _node(fields):
    outputs = _texts(fields, 2)
    return Node(
        op=_text(fields, 4),
        name=_text(fields, 3) or (outputs[0] if outputs else ""),
        inputs=_texts(fields, 1),
        outputs=outputs,
        attributes=dict(_attribute(a) for a in _messages(fields, 5)),
    )


def read_model(path):
    """The graph of an ONNX file; raises ModelError when it is not one."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        return _model(_fields(memoryview(data)))
    except (struct.error, TypeError, ValueError) as error:
        raise ModelError(f"not an ONNX model: {error}") from None


def _model(fields):
    graphs = _messages(fields, 7)
    if len(graphs) != 1:
        raise ModelError("no graph: not an ONNX model")
    graph = graphs[0]
    opsets = [o for o in _messages(fields, 8) if _text(o, 1) in ("", "ai.onnx")]
    initializers = dict(_tensor(t) for t in _messages(graph, 5))
    inputs = dict(_value_info(v) for v in _messages(graph, 11))
    return Model(
        opset=_last(opsets[0], 2, 0) if opsets else 0,
        nodes=[_node(n) for n in _messages(graph, 1)],
        initializers=initializers,
        inputs={n: v for n, v in inputs.items() if n not in initializers},
        outputs=[_value_info(v)[0] for v in _messages(graph, 12)],
    )
