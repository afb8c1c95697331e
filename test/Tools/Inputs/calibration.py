# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a float network, calibration data and overrides into a folder, and bad
ones of each."""

import json
import os
import re
import sys

import numpy as np

random = np.random.default_rng(4)


def path(name):
    return os.path.join(sys.argv[1], name)


def constant(shape, scale):
    values = (random.normal(size=shape) * scale).astype(np.float32)
    text = np.array2string(values, separator=",", threshold=10**6,
                           formatter={"float": lambda v: f"{v:.9e}"})
    type = "x".join(map(str, shape)) + "xf32"
    return (f'"tosa.const"() <{{values = dense<{text}> : tensor<{type}>}}> '
            f": () -> tensor<{type}>")


# Two convolutions with ReLUs, the second with stride 2, one image column more on
# the right and a batch norm behind it, and a matrix product.
NETWORK = f"""
func.func @main(%x: tensor<1x6x6x2xf32> {{a2q.name = "x"}})
    -> (tensor<1x5xf32> {{a2q.name = "scores"}}) {{
  %z = "tosa.const"() <{{values = dense<0.0> : tensor<1xf32>}}> : () -> tensor<1xf32>
  %w1 = {constant((8, 3, 3, 2), 0.3)}
  %b1 = {constant((8,), 0.2)}
  %1 = tosa.conv2d %x, %w1, %b1, %z, %z {{acc_type = f32, pad = array<i64: 1, 1, 1, 1>,
      stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>}}
    : (tensor<1x6x6x2xf32>, tensor<8x3x3x2xf32>, tensor<8xf32>, tensor<1xf32>,
       tensor<1xf32>) -> tensor<1x6x6x8xf32> loc("conv1")
  %r1 = tosa.clamp %1 {{min_val = 0.0 : f32, max_val = 0x7F800000 : f32}}
    : (tensor<1x6x6x8xf32>) -> tensor<1x6x6x8xf32>
  %w2 = {constant((12, 3, 3, 8), 0.15)}
  %b2 = {constant((12,), 0.2)}
  %2 = tosa.conv2d %r1, %w2, %b2, %z, %z {{acc_type = f32, pad = array<i64: 1, 0, 1, 2>,
      stride = array<i64: 2, 2>, dilation = array<i64: 1, 1>}}
    : (tensor<1x6x6x8xf32>, tensor<12x3x3x8xf32>, tensor<12xf32>, tensor<1xf32>,
       tensor<1xf32>) -> tensor<1x3x4x12xf32> loc("conv2")
  %shift = "tosa.const"() <{{values = dense<0> : tensor<1xi8>}}> : () -> tensor<1xi8>
  %factor = {constant((1, 1, 1, 12), 1)}
  %m2 = tosa.mul %2, %factor, %shift
    : (tensor<1x3x4x12xf32>, tensor<1x1x1x12xf32>, tensor<1xi8>) -> tensor<1x3x4x12xf32>
  %summand = {constant((1, 1, 1, 12), 0.2)}
  %n2 = tosa.add %m2, %summand
    : (tensor<1x3x4x12xf32>, tensor<1x1x1x12xf32>) -> tensor<1x3x4x12xf32>
  %r2 = tosa.clamp %n2 {{min_val = 0.0 : f32, max_val = 0x7F800000 : f32}}
    : (tensor<1x3x4x12xf32>) -> tensor<1x3x4x12xf32>
  %s = tosa.const_shape {{values = dense<[1, 1, 144]> : tensor<3xindex>}} : () -> !tosa.shape<3>
  %f = tosa.reshape %r2, %s : (tensor<1x3x4x12xf32>, !tosa.shape<3>) -> tensor<1x1x144xf32>
  %w3 = {constant((1, 144, 5), 0.1)}
  %3 = tosa.matmul %f, %w3, %z, %z
    : (tensor<1x1x144xf32>, tensor<1x144x5xf32>, tensor<1xf32>, tensor<1xf32>)
    -> tensor<1x1x5xf32> loc("fc")
  %b3 = {constant((1, 1, 5), 0.2)}
  %4 = tosa.add %3, %b3 : (tensor<1x1x5xf32>, tensor<1x1x5xf32>) -> tensor<1x1x5xf32>
  %t = tosa.const_shape {{values = dense<[1, 5]> : tensor<2xindex>}} : () -> !tosa.shape<2>
  %5 = tosa.reshape %4, %t : (tensor<1x1x5xf32>, !tosa.shape<2>) -> tensor<1x5xf32>
  return %5 : tensor<1x5xf32>
}}
"""
NO_LAYERS = """
func.func @main(%x: tensor<1x6x6x2xf32>) -> tensor<1x6x6x2xf32> {
  %y = math.absf %x : tensor<1x6x6x2xf32>
  return %y : tensor<1x6x6x2xf32>
}
"""
LOOP = """
func.func @main(%x: tensor<1x6x6x2xf32>) -> tensor<36x2xf32> {
  %w = arith.constant dense<[[0.5, 0.25], [1.0, -1.0]]> : tensor<2x2xf32>
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %i3 = arith.constant 3 : index
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<36x2xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%e : tensor<36x2xf32>) -> tensor<36x2xf32>
  %rows = tensor.collapse_shape %x [[0, 1, 2], [3]]
    : tensor<1x6x6x2xf32> into tensor<36x2xf32>
  %y = scf.for %i = %i0 to %i3 step %i1 iter_args(%a = %rows) -> tensor<36x2xf32> {
    %1 = linalg.matmul ins(%a, %w : tensor<36x2xf32>, tensor<2x2xf32>)
        outs(%fill : tensor<36x2xf32>) -> tensor<36x2xf32>
    scf.yield %1 : tensor<36x2xf32>
  }
  return %y : tensor<36x2xf32>
}
"""
# 3e38 times what calibration data hold is infinite.
OVERFLOW = NETWORK.replace("loc(\"conv1\")", "loc(\"conv1\")\n  %big = \"tosa.const\"() "
                           "<{values = dense<3.0e38> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>\n"
                           "  %s8 = \"tosa.const\"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>\n"
                           "  %large = tosa.mul %1, %big, %s8 : (tensor<1x6x6x8xf32>, "
                           "tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x6x6x8xf32>\n"
                           "  %huge = tosa.mul %large, %large, %s8 : (tensor<1x6x6x8xf32>, "
                           "tensor<1x6x6x8xf32>, tensor<1xi8>) -> tensor<1x6x6x8xf32>",
                           1).replace("tosa.clamp %1 ", "tosa.identity %huge ") \
                          .replace("tosa.identity %huge {min_val = 0.0 : f32, max_val = 0x7F800000 : f32}",
                                   "tosa.identity %huge", 1)
# The sums of the last layer themselves are.
LAST = """
func.func @main(%x: tensor<1x6x6x2xf32>) -> tensor<36x2xf32> {
  %w = arith.constant dense<3.0e38> : tensor<2x2xf32>
  %zero = arith.constant dense<0.0> : tensor<36x2xf32>
  %rows = tensor.collapse_shape %x [[0, 1, 2], [3]]
    : tensor<1x6x6x2xf32> into tensor<36x2xf32>
  %y = linalg.matmul ins(%rows, %w : tensor<36x2xf32>, tensor<2x2xf32>)
      outs(%zero : tensor<36x2xf32>) -> tensor<36x2xf32>
  return %y : tensor<36x2xf32>
}
"""
# A weight and a bias that are no numbers.
WEIGHT = re.sub(r"(%w2 = .*?)-?\d\.\d+e[-+]\d+", r"\g<1>0x7FC00000", NETWORK, count=1,
                flags=re.S)
BIAS = re.sub(r"(%b2 = .*?)-?\d\.\d+e[-+]\d+", r"\g<1>0xFF800000", NETWORK, count=1,
              flags=re.S)
for name, text in (("weight.mlir", WEIGHT), ("bias.mlir", BIAS), ("net.mlir", NETWORK), ("last.mlir", LAST), ("none.mlir", NO_LAYERS),
                   ("loop.mlir", LOOP), ("overflow.mlir", OVERFLOW)):
    with open(path(name), "w") as f:
        f.write(text)

x = np.abs(random.normal(size=(64, 6, 6, 2))).astype(np.float32)
np.save(path("x.npy"), x)
np.save(path("digit.npy"), random.integers(0, 17, (1, 1, 8, 8)).astype(np.float32))
np.save(path("signed.npy"), x - 0.5)
np.save(path("int.npy"), x.astype(np.int8))
np.save(path("shape.npy"), x[:, :5])
np.save(path("empty.npy"), x[:0])
for name in "nan", "inf":
    bad = x.copy()
    bad[3, 1, 4, 1] = float(name)
    np.save(path(name + ".npy"), bad)

for name, content in {
        "good": {"conv1": {"weight_bits": 8, "activation_bits": 8,
                           "range": "min-max", "skip": True},
                 "fc": {"width": 14, "method": "a2q-plus"}},
        "unknown": {"conv7": {"width": 12}},
        "bits": {"conv2": {"weight_bits": 9}},
        "rule": {"conv2": {"range": "largest"}},
        "key": {"conv2": {"colour": 3}},
        "method": {"conv2": {"method": "magic"}},
        "list": [1, 2]}.items():
    with open(path(name + ".json"), "w") as f:
        json.dump(content, f)
with open(path("text.json"), "w") as f:
    f.write("{ not json")
