#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the files of this folder: one small A2Q network of Brevitas 0.13 in the
forms that it exports, an input, and what the network itself answers.

    export.py

needs PyTorch, Brevitas and onnxscript, and writes

    qcdq.onnx            QuantizeLinear, Clip, DequantizeLinear
    qonnx.onnx           QONNX by TorchScript
    qonnx-dynamo.onnx    QONNX by torch.export, its data in qonnx-dynamo.onnx.data
    x.npy y.npy          input and answer
"""

import os

import brevitas.nn as qnn
import numpy as np
import onnx
import torch
from brevitas.export import export_onnx_qcdq, export_qonnx
from brevitas.quant import (Int8AccumulatorAwareWeightQuant, Int8ActPerTensorFloat,
                            Int16Bias, Uint8ActPerTensorFloat)
from torch import nn

WEIGHTS = {"weight_quant": Int8AccumulatorAwareWeightQuant, "weight_bit_width": 4,
           "weight_accumulator_bit_width": 12}


def relu():
    return qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat, bit_width=4,
                         return_quant_tensor=True)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.input = qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat, bit_width=8,
                                       return_quant_tensor=True)
        self.conv1 = qnn.QuantConv2d(1, 6, 3, padding=1, input_bit_width=8,
                                     input_is_signed=True, bias_quant=Int16Bias, **WEIGHTS)
        self.relu1 = relu()
        self.conv2 = qnn.QuantConv2d(6, 6, 3, stride=2, padding=1, bias=False,
                                     input_bit_width=4, input_is_signed=False, **WEIGHTS)
        self.norm = nn.BatchNorm2d(6)
        self.relu2 = relu()
        self.classifier = qnn.QuantLinear(96, 10, bias=True, input_bit_width=4,
                                          input_is_signed=False, **WEIGHTS)

    def forward(self, x):
        x = self.relu1(self.conv1(self.input(x)))
        x = self.relu2(self.norm(self.conv2(x)))
        return self.classifier(x.flatten(1))


def constrained_weights(network, x):
    """The weights as the quantizers give them: by layer."""
    layers = [network.conv1, network.conv2, network.classifier]
    inputs = {}
    hooks = [layer.register_forward_pre_hook(
        lambda layer, arguments: inputs.__setitem__(layer, arguments[0]))
        for layer in layers]
    network(x)
    for hook in hooks:
        hook.remove()
    return {layer: layer.quant_weight(quant_input=inputs[layer]).value for layer in layers}


def without_traces(path):
    """Takes the exporting machine's stack traces off the nodes."""
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        del node.metadata_props[:]
    with open(path, "wb") as file:
        file.write(model.SerializeToString())


def main():
    folder = os.path.dirname(os.path.abspath(__file__))
    torch.manual_seed(7)
    network = Network()
    samples = torch.randn(64, 1, 8, 8)
    for _ in range(5):
        network(samples)  # scales and statistics
    network.eval()
    x = samples[:5]
    with torch.no_grad():
        y = network(x)
        weights = constrained_weights(network, x)
    np.save(os.path.join(folder, "x.npy"), x.numpy())
    np.save(os.path.join(folder, "y.npy"), getattr(y, "value", y).numpy())

    def path(name):
        return os.path.join(folder, name)

    export_onnx_qcdq(network, args=x, export_path=path("qcdq.onnx"), opset_version=13,
                     dynamo=False)
    # The QONNX exporters write the float weights and round them to nearest, which
    # loses the constraint: what the quantizers made of them must be written back.
    with torch.no_grad():
        for layer, weight in weights.items():
            layer.weight.copy_(weight)
    export_qonnx(network, args=x, export_path=path("qonnx.onnx"), opset_version=13,
                 dynamo=False)
    export_qonnx(network, args=x, export_path=path("qonnx-dynamo.onnx"), opset_version=18)
    without_traces(path("qonnx-dynamo.onnx"))


if __name__ == "__main__":
    main()
