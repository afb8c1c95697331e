# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes networks as ONNX models: the integers of the digits network in QCDQ
form, and floating-point networks as they are trained.

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


class FloatGraphBuilder(GraphBuilder):
    """Nodes named after the layers; batch norm stays a node of its own."""

    def conv(self, name, module, x):
        """A convolution without bias, [out, in, kh, kw]."""
        weight = self.constant(f"{name}_weight", module.weight.detach().numpy())
        return self.node(
            "Conv",
            name,
            [x, weight],
            kernel_shape=list(module.kernel_size),
            pads=list(module.padding) * 2,
            strides=list(module.stride),
        )

    def norm(self, name, module, x):
        parts = {
            "scale": module.weight,
            "bias": module.bias,
            "mean": module.running_mean,
            "variance": module.running_var,
        }
        inputs = [x] + [
            self.constant(f"{name}_{part}", value.detach().numpy())
            for part, value in parts.items()
        ]
        return self.node("BatchNormalization", name, inputs, epsilon=module.eps)

    def linear(self, name, module, x):
        weight = self.constant(f"{name}_weight", module.weight.detach().numpy())
        bias = self.constant(f"{name}_bias", module.bias.detach().numpy())
        return self.node("Gemm", name, [x, weight, bias], transB=1)

    def model(self, name, image_shape, classes):
        """The last node's output becomes `logits`; opset 17."""
        self.nodes[-1].output[0] = "logits"
        images = helper.make_tensor_value_info(
            "images", TensorProto.FLOAT, ["N", *image_shape]
        )
        logits = helper.make_tensor_value_info(
            "logits", TensorProto.FLOAT, ["N", classes]
        )
        model = helper.make_model(
            helper.make_graph(
                self.nodes, name, [images], [logits], self.initializers
            ),
            opset_imports=[helper.make_opsetid("", 17)],
            producer_name="a2q examples",
        )
        model.ir_version = 8
        return model


def build_float_digits(net):
    """A trained DigitsNet before quantization; images float32, 0..16."""
    graph = FloatGraphBuilder()

    def normalized(name, x):
        x = graph.conv(name, getattr(net, name), x)
        return graph.norm(f"{name}_norm", net.norm[name], x)

    x = graph.node("Relu", "conv1_relu", [normalized("conv1", "images")])
    x = graph.node("Relu", "conv2_relu", [normalized("conv2", x)])
    x = graph.node("Add", "residual", [normalized("conv3", x), x])
    x = graph.node("Relu", "residual_relu", [x])
    x = graph.node("Flatten", "flatten", [x], axis=1)
    graph.linear("fc", net.fc, x)
    return graph.model("digits", [1, 8, 8], 10)


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
