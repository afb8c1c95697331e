# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The float networks of build.py as TFLite files of TensorFlow's own quantizer.

    tflite.py NETWORK BATCH FILE.tflite

Weights and activations have 8 bits and are symmetric and asymmetric in int8, as
XNNPACK wants them; layers with a stride pad as TensorFlow does. So the network
has the size and the layers of the others but not their codes, and its output is
not compared. Needs tensorflow 2.21.0.
"""

import sys

import numpy as np
import tensorflow as tf

import build
from cases import NETWORKS


class Network(tf.Module):
    """Runs the nodes of a Graph, channels last."""

    def __init__(self, graph, output):
        super().__init__()
        self.graph, self.output = graph, output

    def __call__(self, x):
        values = {"x": x}
        for node in self.graph.nodes:
            values[node.output[0]] = self.compute(node, values)
        return values[self.output]

    def compute(self, node, values):
        facts = {a.name: (list(a.ints) or a.i) for a in node.attribute}
        x = values[node.input[0]]
        rest = [self.graph.constants.get(n) for n in node.input[1:]]
        if node.op_type == "Conv":
            w = np.transpose(rest[0], (2, 3, 1, 0))
            stride = [1, *facts["strides"], 1]
            if facts["group"] > 1:
                y = tf.nn.depthwise_conv2d(x, np.transpose(w, (0, 1, 3, 2)),
                                           stride, "SAME")
            else:
                y = tf.nn.conv2d(x, w, stride, "SAME")
            return tf.nn.bias_add(y, rest[1])
        if node.op_type == "Gemm":
            return tf.nn.bias_add(tf.matmul(x, rest[0].T), rest[1])
        if node.op_type == "Add":
            return x + values[node.input[1]]
        if node.op_type == "MaxPool":
            return tf.nn.max_pool2d(x, 3, 2, "SAME")
        return {"Relu": tf.nn.relu, "Clip": tf.nn.relu6,
                "GlobalAveragePool": lambda v: tf.reduce_mean(v, [1, 2]),
                "Flatten": lambda v: v}[node.op_type](x)


def convert(network, batch):
    graph = build.Graph()
    shape, output = getattr(build, network.build)(graph, *network.arguments)
    size = (batch, *shape[1:], shape[0])
    call = tf.function(Network(graph, output)).get_concrete_function(
        tf.TensorSpec(size, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([call])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [build.random_input(size, 100 + i)] for i in range(2))
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter.convert()


def main():
    name, batch, path = sys.argv[1:]
    network = next(n for n in NETWORKS if n.name == name)
    with open(path, "wb") as f:
        f.write(convert(network, int(batch)))


if __name__ == "__main__":
    main()
