# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the integers of the digits network as an ONNX model in QCDQ form.

QCDQ is standard ONNX: QuantizeLinear, Clip on the integer type, and
DequantizeLinear. The Clip carries what the 8-bit types cannot say: that codes
have 4 bits.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IMAGE_MAX = 16


@dataclass
class IntegerLayer:
    """One convolution [out, in, 3, 3] or fully connected layer [out, in]."""

    name: str
    weight: np.ndarray  # int8
    weight_limit: int  # |weight| <= weight_limit
    weight_scale: np.ndarray  # float32 [out]
    bias: np.ndarray  # int32 [out], in units of input scale * weight scale
    stride: int


class GraphBuilder:
    """Collects nodes and initializers; a node's output carries its name."""

    def __init__(self):
        self.nodes = []
        self.initializers = []

    def constant(self, name, value):
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op, name, inputs, **attributes):
        output = f"{name}_out"
        self.nodes.append(helper.make_node(op, inputs, [output], name, **attributes))
        return output

    def clip(self, name, x, lo, hi, dtype):
        lo = self.constant(f"{name}_min", dtype(lo))
        hi = self.constant(f"{name}_max", dtype(hi))
        return self.node("Clip", name, [x, lo, hi])

    def dequantize(self, name, x, scale, zero_point, **attributes):
        scale = self.constant(f"{name}_scale", np.float32(scale))
        zero_point = self.constant(f"{name}_zero_point", zero_point)
        inputs = [x, scale, zero_point]
        return self.node("DequantizeLinear", name, inputs, **attributes)

    def activation(self, name, x, scale, limit):
        """Float to codes [0, limit] and back; saturation at 0 is the ReLU."""
        inputs = [
            x,
            self.constant(f"{name}_quantize_scale", np.float32(scale)),
            self.constant(f"{name}_quantize_zero_point", np.uint8(0)),
        ]
        x = self.node("QuantizeLinear", f"{name}_quantize", inputs)
        x = self.clip(f"{name}_clip", x, 0, limit, np.uint8)
        return self.dequantize(f"{name}_dequantize", x, scale, np.uint8(0))

    def layer(self, op, layer, x, input_scale, **attributes):
        name, limit = layer.name, layer.weight_limit
        zeros = np.zeros(len(layer.weight))
        weight = self.constant(f"{name}_weight", layer.weight)
        weight = self.clip(f"{name}_weight_clip", weight, -limit, limit, np.int8)
        weight = self.dequantize(
            f"{name}_weight_dequantize",
            weight,
            layer.weight_scale,
            zeros.astype(np.int8),
            axis=0,
        )
        bias = self.dequantize(
            f"{name}_bias_dequantize",
            self.constant(f"{name}_bias", layer.bias),
            np.float32(input_scale) * layer.weight_scale,
            zeros.astype(np.int32),
            axis=0,
        )
        return self.node(op, name, [x, weight, bias], **attributes)

    def conv(self, layer, x, input_scale):
        strides = [layer.stride, layer.stride]
        return self.layer(
            "Conv",
            layer,
            x,
            input_scale,
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
            strides=strides,
        )


def build_model(layers, scales, activation_max):
    """layers: conv1, conv2, conv3, fc. scales: of the activations that conv1,
    conv2 and the residual add around conv3 produce, by layer name."""
    conv1, conv2, conv3, fc = layers
    graph = GraphBuilder()
    x = graph.clip("images_clip", "images", 0, IMAGE_MAX, np.uint8)
    x = graph.dequantize("images_dequantize", x, 1.0, np.uint8(0))
    x = graph.conv(conv1, x, 1.0)
    x = graph.activation("conv1", x, scales["conv1"], activation_max)
    x = graph.conv(conv2, x, scales["conv1"])
    x = graph.activation("conv2", x, scales["conv2"], activation_max)
    y = graph.conv(conv3, x, scales["conv2"])
    x = graph.node("Add", "residual", [y, x])
    x = graph.activation("residual", x, scales["conv3"], activation_max)
    x = graph.node("Flatten", "flatten", [x], axis=1)
    x = graph.layer("Gemm", fc, x, scales["conv3"], transB=1)
    graph.nodes[-1].output[0] = "logits"

    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "digits",
            [
                helper.make_tensor_value_info(
                    "images", TensorProto.UINT8, ["N", 1, 8, 8]
                )
            ],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        producer_name="a2q examples/digits",
    )
    model.ir_version = 8
    return model


def save_model(model, path):
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
