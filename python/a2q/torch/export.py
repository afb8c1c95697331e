# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a trained network as ONNX, in one of three forms.

  qcdq   QuantizeLinear, Clip on the integers, DequantizeLinear: standard ONNX of
         8-bit types; the Clip says that codes have fewer bits. ONNX Runtime runs
         it, and this project's tools read it. The default.
  qdq    the same with weights of up to 4 bits in INT4 (opset 21).
  qonnx  `Quant` nodes of the domain qonnx.custom_op.general, for FINN and others.

PyTorch's exporter writes the float part of the graph. Quantizers are markers in
it, replaced here by what the form wants; so one exporter serves all forms and no
optimization touches the integers.
"""

import copy
from pathlib import Path
from typing import Union

import numpy as np
import torch
from torch import nn

from .layers import QuantLayer, check_finite, quantized_layers
from .prepare import Sample, _arguments
from .quantizers import ActivationQuantizer

FORMATS = ("qcdq", "qdq", "qonnx")
BIASES = ("real", "integer")
_DOMAIN = "a2q.export"
_QONNX = "qonnx.custom_op.general"


def export(
    model: nn.Module,
    path: Union[str, Path],
    sample: Sample,
    *,
    format: str = "qcdq",
    bias: str = "real",
    input_names=("input",),
    output_names=("output",),
) -> None:
    """Writes `model` in evaluation mode, batch norm folded into its scales.

    sample: inputs (a tuple where there are several); their first dimension
        becomes a free one.
    bias: "real" biases are added behind the layer. In units of the accumulator,
        which narrow accumulators make coarse, they would move what the network
        computes, and ONNX Runtime rounds to these units the bias of a quantized
        Conv or Gemm. "integer" rounds them so where a convolution's codes follow at
        once: programs need no reals there and are faster; measure the accuracy.
    Needs the packages onnx and onnxscript.
    """
    if bias not in BIASES:
        raise ValueError(f"bias '{bias}' is unknown; there are {', '.join(BIASES)}")
    if bias == "integer" and format == "qonnx":
        raise ValueError("biases are real in qonnx; take the format 'qcdq' or 'qdq'")
    if format not in FORMATS:
        raise ValueError(f"format '{format}' is unknown; there are {', '.join(FORMATS)}")
    onnx = _require("onnx")
    _require("onnxscript")
    if not quantized_layers(model):
        raise ValueError("the network has no quantized layer; prepare() makes them")
    _check_finite(model)
    marked = copy.deepcopy(model).eval()
    marks = _Marks()
    marks.replace(marked)
    opset = 21 if format == "qdq" else 18
    proto = _float_graph(marked, _arguments(sample), opset, input_names, output_names)
    writer = {"qcdq": _Qcdq, "qdq": _Qdq, "qonnx": _Qonnx}[format](marks)
    writer.rewrite(proto)
    if bias == "integer":
        round_biases(proto)
    onnx.checker.check_model(proto, full_check=format != "qonnx")
    onnx.save(proto, str(path))


def _check_finite(model):
    """A ValueError that names the layer where training diverged."""
    for name, module in model.named_modules():
        try:
            if isinstance(module, QuantLayer):
                module.folded()
            elif isinstance(module, ActivationQuantizer):
                check_finite(module.scale(), "scales of activations")
        except ValueError as error:
            raise ValueError(f"layer '{name}': {error}") from error


#: Hand on codes, or their reals, as they are or in another order.
_PASSING = ("Flatten", "Identity", "MaxPool", "Relu", "Reshape", "Transpose")


def round_biases(proto) -> None:
    """Real biases of a QDQ model in units of the sums, in place: those added to a
    Conv without one, where nothing but a QuantizeLinear follows."""
    helper, arrays = _require("onnx").helper, _require("onnx").numpy_helper
    graph = proto.graph
    constants = {t.name: t for t in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}
    readers = {}
    for node in graph.node:
        for value in node.input:
            readers.setdefault(value, []).append(node)

    def scale_of(value):
        """Of the codes that a value is made of, or None."""
        node = makers.get(value)
        while node is not None and node.op_type in _PASSING:
            node = makers.get(node.input[0])
        if node is None or node.op_type != "DequantizeLinear":
            return None
        return arrays.to_array(constants[node.input[1]])

    def becomes_codes(value):
        users = readers.get(value, [])
        return len(users) == 1 and (
            users[0].op_type == "QuantizeLinear"
            or (users[0].op_type in _PASSING and becomes_codes(users[0].output[0]))
        )

    for add in [node for node in graph.node if node.op_type == "Add"]:
        conv = next((makers[v] for v in add.input if v in makers), None)
        real = next((constants[v] for v in add.input if v in constants), None)
        if conv is None or conv.op_type != "Conv" or len(conv.input) != 2:
            continue
        scales = [scale_of(value) for value in conv.input]
        if real is None or any(scale is None for scale in scales):
            continue
        if len(readers[conv.output[0]]) != 1 or not becomes_codes(add.output[0]):
            continue
        unit = (scales[0] * scales[1]).astype(np.float32).reshape(-1)
        integers = np.rint(arrays.to_array(real).reshape(-1) / unit.astype(float))
        if len(integers) != len(unit) or (np.abs(integers) >= 2**31).any():
            continue
        name = conv.name or conv.output[0]
        values = {
            f"{name}.sum_bias": integers.astype(np.int32),
            f"{name}.bias_scale": unit,
            f"{name}.bias_zero_point": np.zeros(len(unit), np.int32),
        }
        graph.initializer.extend(arrays.from_array(v, n) for n, v in values.items())
        dequantize = helper.make_node(
            "DequantizeLinear", list(values), [f"{name}.bias_out"],
            f"{name}.bias_dequantize", axis=0,
        )  # fmt: skip
        place = next(i for i, node in enumerate(graph.node) if node is conv)
        conv.input.append(dequantize.output[0])
        for user in readers[add.output[0]]:
            names = [conv.output[0] if v == add.output[0] else v for v in user.input]
            del user.input[:]
            user.input.extend(names)
        graph.node.remove(add)
        graph.node.insert(place, dequantize)
        if len(readers[real.name]) == 1:
            graph.initializer.remove(real)


def _require(name):
    try:
        return __import__(name)
    except ImportError as error:
        raise ImportError(
            f"export needs the package '{name}': pip install 'a2q[torch]'"
        ) from error


def _float_graph(model, sample, opset, input_names, output_names):
    """The ModelProto of a model with marks."""
    dynamic = tuple({0: torch.export.Dim.DYNAMIC} for _ in sample)
    # A batch of one would be taken for a constant.
    sample = tuple(
        torch.cat([x, x]) if x.shape[0] == 1 else x[:2] for x in sample
    )
    program = torch.onnx.export(
        model,
        sample,
        dynamo=True,
        opset_version=opset,
        dynamic_shapes=dynamic,
        input_names=list(input_names),
        output_names=list(output_names),
        verbose=False,
    )
    proto = program.model_proto
    proto.producer_name = "a2q"
    for node in proto.graph.node:
        del node.metadata_props[:]
    del proto.graph.value_info[:]
    return proto


def _mark(kind, name, inputs, shape):
    """A node of our own in the exported graph, found again by its name."""
    return torch.onnx.ops.symbolic(
        f"{_DOMAIN}::{kind}",
        inputs,
        {"name": name},
        dtype=torch.float32,
        shape=shape,
        version=1,
    )


class _CodesMark(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, x):
        return _mark("Codes", self.name, (x,), x.shape)


class _LayerMark(nn.Module):
    def __init__(self, name, layer):
        super().__init__()
        self.name = name
        self.input_mark = layer.input_quantizer
        self.operation = getattr(layer, "_convolution", torch.nn.functional.linear)
        self.shape = tuple(layer.weight.shape)
        bias = layer.folded().bias
        if bias is not None:
            bias = bias.reshape(-1, *[1] * (layer.weight.dim() - 2))
        self.register_buffer("bias", bias)

    def forward(self, x):
        if self.input_mark is not None:
            x = self.input_mark(x)
        weight = _mark("Weight", self.name, (), self.shape)
        x = self.operation(x, weight, None)
        return x if self.bias is None else x + self.bias


class _Marks:
    """The quantizers that marks stand for."""

    def __init__(self):
        self.activations = {}
        self.layers = {}

    def replace(self, model):
        modules = list(model.named_modules())
        for name, module in modules:
            if isinstance(module, ActivationQuantizer):
                self.activations[name] = module
                _set(model, name, _CodesMark(name))
        for name, module in modules:
            if isinstance(module, QuantLayer):
                self.layers[name] = module
                _set(model, name, _LayerMark(name, module))


def _set(model, name, module):
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, module)


class _Writer:
    """Replaces marks by nodes. Layers keep their names in the nodes."""

    def __init__(self, marks):
        import onnx

        self.onnx = onnx
        self.marks = marks
        self.nodes = []
        self.constants = {}
        # Names of the layers whose weights values are.
        self.weights = {}

    def rewrite(self, proto):
        graph = proto.graph
        for node in graph.node:
            if node.domain != _DOMAIN:
                self._name_layer(node)
                self.nodes.append(node)
                continue
            name = self.onnx.helper.get_node_attr_value(node, "name").decode()
            output = node.output[0]
            if node.op_type == "Codes":
                self.codes(name, self.marks.activations[name], node.input[0], output)
            else:
                self.weight(name, self.marks.layers[name], output)
                self.weights[output] = name
        del graph.node[:]
        graph.node.extend(self.nodes)
        for name, value in self.constants.items():
            graph.initializer.append(self._tensor(name, value))
        self._set_opsets(proto)

    def _name_layer(self, node):
        for value in node.input:
            if value in self.weights:
                node.name = self.weights[value]

    def _set_opsets(self, proto):
        kept = [entry for entry in proto.opset_import if entry.domain != _DOMAIN]
        del proto.opset_import[:]
        proto.opset_import.extend(kept)

    def _tensor(self, name, value):
        if isinstance(value, self.onnx.TensorProto):
            value.name = name
            return value
        return self.onnx.numpy_helper.from_array(np.asarray(value), name)

    def constant(self, name, value):
        self.constants[name] = value
        return name

    def node(self, op, name, inputs, output=None, **attributes):
        output = output or f"{name}_out"
        self.nodes.append(
            self.onnx.helper.make_node(op, inputs, [output], name, **attributes)
        )
        return output


class _Qcdq(_Writer):
    def codes(self, name, quantizer, x, output):
        codes, scale = quantizer.codes, np.float32(quantizer.scale())
        storage = np.int8 if codes.signed else np.uint8
        if codes.bits > 8:
            storage = np.int16 if codes.signed else np.uint16
        zero = self.constant(f"{name}.zero_point", storage(0))
        scale = self.constant(f"{name}.scale", scale)
        x = self.node("QuantizeLinear", f"{name}.quantize", [x, scale, zero])
        x = self._clip(name, x, codes.lo, codes.hi, storage)
        inputs = [x, scale, zero]
        self.node("DequantizeLinear", f"{name}.dequantize", inputs, output)

    def weight(self, name, layer, output):
        folded = layer.folded()
        limit = layer.weight_quantizer.limit
        storage = np.int8 if limit < 128 else np.int16
        value = folded.weight.numpy().astype(storage)
        x = self.constant(f"{name}.weight", value)
        x = self._clip(f"{name}.weight", x, -limit, limit, storage)
        self._dequantize_weight(name, x, folded.scale, storage, output)

    def _clip(self, name, x, lo, hi, storage):
        limits = np.iinfo(storage)
        if lo == limits.min and hi == limits.max:
            return x
        lo = self.constant(f"{name}.min", storage(lo))
        hi = self.constant(f"{name}.max", storage(hi))
        return self.node("Clip", f"{name}.clip", [x, lo, hi])

    def _dequantize_weight(self, name, x, scale, storage, output):
        inputs = [
            x,
            self.constant(f"{name}.weight_scale", scale.numpy()),
            self.constant(f"{name}.weight_zero_point", np.zeros(len(scale), storage)),
        ]
        self.node(
            "DequantizeLinear", f"{name}.weight_dequantize", inputs, output, axis=0
        )


class _Qdq(_Qcdq):
    """Weights of up to 4 bits in INT4. Not so activations: ONNX Runtime moves
    MaxPool and others onto codes and has no such kernels for UINT4."""

    def _packed(self, kind, values):
        return self.onnx.helper.make_tensor(
            "", kind, np.shape(values), np.asarray(values).flatten()
        )

    def weight(self, name, layer, output):
        if layer.weight_quantizer.limit > 7:
            return super().weight(name, layer, output)
        folded = layer.folded()
        kind = self.onnx.TensorProto.INT4
        zeros = np.zeros(len(folded.scale), np.int64)
        inputs = [
            self.constant(f"{name}.weight", self._packed(kind, folded.weight.numpy())),
            self.constant(f"{name}.weight_scale", folded.scale.numpy()),
            self.constant(f"{name}.weight_zero_point", self._packed(kind, zeros)),
        ]
        return self.node(
            "DequantizeLinear", f"{name}.weight_dequantize", inputs, output, axis=0
        )


class _Qonnx(_Writer):
    def codes(self, name, quantizer, x, output):
        codes = quantizer.codes
        scale = np.float32(quantizer.scale())
        self._quant(name, x, scale, codes.bits, codes.signed, False, output)

    def weight(self, name, layer, output):
        folded = layer.folded()
        bits = layer.weight_quantizer.bits
        shape = (-1, *[1] * (folded.weight.dim() - 1))
        scale = folded.scale.reshape(shape).numpy()
        value = folded.weight.numpy().astype(np.float32) * scale
        x = self.constant(f"{name}.weight", value)
        self._quant(f"{name}.weight", x, scale, bits, True, True, output)

    def _quant(self, name, x, scale, bits, signed, narrow, output):
        inputs = [
            x,
            self.constant(f"{name}.scale", scale),
            self.constant(f"{name}.zero_point", np.float32(0)),
            self.constant(f"{name}.bits", np.float32(bits)),
        ]
        attributes = {
            "signed": int(signed), "narrow": int(narrow), "rounding_mode": "ROUND",
        }  # fmt: skip
        self.node("Quant", f"{name}.quant", inputs, output, domain=_QONNX, **attributes)

    def _set_opsets(self, proto):
        super()._set_opsets(proto)
        proto.opset_import.append(self.onnx.helper.make_opsetid(_QONNX, 1))
