#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Evaluates a quantized ONNX model (QDQ or QCDQ) with exact integers.

Slow, readable, and independent of the compiler: numpy and the standard library
only. Accumulators are 64-bit integers over codes. What happens to a sum, the
integer bias included, is defined as

    code  = clamp(round_half_even(float32(sum) * m) + z_y),
            m = float32(float32(s_x * s_w) / s_y)        at a QuantizeLinear
    value = float32(sum) * float32(s_x * s_w)            anywhere else

    reference.py MODEL --images X.npy --labels Y.npy [--output logits.npy]
                 [--widths] [--weights LAYER=codes.npy ...]
                 [--check-report report.json [--ranges ...]]

Exit status 1 when a report disagrees with the integers, or on bad input.
"""

import argparse
import json
import sys
from dataclasses import dataclass

import numpy as np

from onnx_reader import ModelError, read_model
from widths import Layer, check_report, code_bits, layer_figures

# Every value on the way carries `ends`, [2, channels or 1]: the lowest and the
# highest value of each channel on any input. What acts on elements one by one
# and is monotone acts on `values` [N, channels, ...] and on `ends` alike.


@dataclass
class Codes:
    """Integers of a quantized tensor; `declared`: what type and Clip allow."""

    values: np.ndarray  # int64
    ends: np.ndarray  # int64
    declared: tuple


@dataclass
class Dequantized:
    """scale * (codes - zero_point), still known by its codes."""

    codes: Codes
    scale: np.ndarray  # float32, scalar or [channels]
    zero_point: np.ndarray  # int64, likewise
    axis: int


@dataclass
class Sum:
    """sum q * (x - z_x) + bias, in units of `scale`; `relu` clamps it at 0."""

    values: np.ndarray  # int64
    ends: np.ndarray  # int64
    scale: np.ndarray  # float32 [channels], s_x * s_w
    relu: bool = False


@dataclass
class Real:
    values: np.ndarray  # float32
    ends: np.ndarray  # float32


def along(vector, array, axis=1):
    """`vector` (scalar or one element per channel) shaped to broadcast."""
    vector = np.asarray(vector)
    if vector.size == 1:
        return vector.reshape(())
    return vector.reshape([-1 if i == axis else 1 for i in range(array.ndim)])


def to_real(value):
    if isinstance(value, Real):
        return value
    if isinstance(value, Sum):
        floor = np.float32(0 if value.relu else -np.inf)

        def convert(x):
            x = x.astype(np.float32) * along(value.scale, x)
            return np.maximum(x, floor)

        return Real(convert(value.values), convert(value.ends))
    if isinstance(value, Dequantized):

        def convert(x):
            x = (x - along(value.zero_point, x)).astype(np.float32)
            return x * along(value.scale, x)

        return Real(convert(value.codes.values), convert(value.codes.ends))
    raise ModelError("quantized codes are used where numbers are expected")


def im2col(x, kernel, strides, dilations):
    """[N, C, H, W] to [N, C, kh, kw, out_h, out_w]."""
    out = [
        (size - d * (k - 1) - 1) // s + 1
        for size, k, s, d in zip(x.shape[2:], kernel, strides, dilations)
    ]
    if min(out) < 1:
        raise ModelError("the kernel is larger than the padded image")
    columns = np.empty(x.shape[:2] + tuple(kernel) + tuple(out), x.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            top, left = i * dilations[0], j * dilations[1]
            columns[:, :, i, j] = x[
                :,
                :,
                top : top + strides[0] * (out[0] - 1) + 1 : strides[0],
                left : left + strides[1] * (out[1] - 1) + 1 : strides[1],
            ]
    return columns


class Evaluator:
    """Runs a model. `layers` then holds the integers of its accumulating nodes.

    infer_ranges: follow the ends of every accumulator through requantization;
    otherwise the range of a code is what its type and Clip declare.
    replaced_weights: {node name: integers}, used instead of the model's.
    """

    def __init__(self, model, infer_ranges=True, replaced_weights=None):
        self.model = model
        self.replaced_weights = replaced_weights or {}
        self.infer_ranges = infer_ranges
        self.layers = []
        self.observed = {}  # layer name: (min, max) per channel, without bias
        self.values = {}

    def run(self, images):
        self.layers, self.observed = [], {}
        self.values = {n: self._constant(v) for n, v in self.model.initializers.items()}
        self._bind_input(images)
        names = {node.name for node in self.model.nodes if node.op in ("Conv", "Gemm")}
        for name in self.replaced_weights:
            if name not in names:
                raise ModelError(
                    f"no layer {name}; there are {', '.join(sorted(names))}"
                )
        for node in self.model.nodes:
            method = getattr(self, f"_{node.op}", None)
            if method is None:
                raise ModelError(f"{node.name}: operator {node.op} is not supported")
            try:
                inputs = [self.values[n] if n else None for n in node.inputs]
            except KeyError as missing:
                raise ModelError(f"{node.name}: no value {missing}") from None
            self.values[node.outputs[0]] = method(node, *inputs)
        return to_real(self.values[self.model.outputs[0]]).values

    def _constant(self, array):
        if array.dtype.kind in "iu":
            info = np.iinfo(array.dtype)
            declared = (int(info.min), int(info.max))
            return Codes(array.astype(np.int64), np.array([declared]).T, declared)
        return Real(array, np.array([[-np.inf], [np.inf]], np.float32))

    def _bind_input(self, images):
        if len(self.model.inputs) != 1 or len(self.model.outputs) != 1:
            raise ModelError("the model needs one input and one output")
        ((name, (dtype, dims)),) = self.model.inputs.items()
        fits = len(dims) == images.ndim and all(
            d is None or d == n for d, n in zip(dims, images.shape)
        )
        if images.dtype != dtype or not fits:
            raise ModelError(
                f"input {name} is {np.dtype(dtype)} {dims}, "
                f"the images are {images.dtype} {list(images.shape)}"
            )
        self.values[name] = self._constant(images)

    def _settle(self, codes):
        if not self.infer_ranges:
            codes.ends = np.array([codes.declared]).T
        return codes

    # Quantization.

    def _Clip(self, node, x, lo=None, hi=None):
        if not isinstance(x, Codes):
            raise ModelError(f"{node.name}: only integer Clip is supported")
        lo = x.declared[0] if lo is None else max(x.declared[0], lo.values.item())
        hi = x.declared[1] if hi is None else min(x.declared[1], hi.values.item())
        if lo > hi:
            raise ModelError(f"{node.name}: the range [{lo}, {hi}] is empty")
        values, ends = np.clip(x.values, lo, hi), np.clip(x.ends, lo, hi)
        return self._settle(Codes(values, ends, (lo, hi)))

    def _parameters(self, node, scale, zero_point):
        """(scale, zero point, range of the zero point's type), checked."""
        scale = scale.values.astype(np.float32)
        if not (np.isfinite(scale).all() and (scale > 0).all()):
            raise ModelError(f"{node.name}: a scale is not positive and finite")
        if zero_point is None:
            return scale, np.int64(0), (0, 255)
        return scale, zero_point.values, zero_point.declared

    def _DequantizeLinear(self, node, x, scale, zero_point=None):
        scale, zero_point, _ = self._parameters(node, scale, zero_point)
        axis = node.attributes.get("axis", 1)
        return Dequantized(x, scale, zero_point, axis % max(x.values.ndim, 1))

    def _QuantizeLinear(self, node, x, scale, zero_point=None):
        scale, zero_point, declared = self._parameters(node, scale, zero_point)
        if scale.size != 1 or zero_point.size != 1:
            raise ModelError(f"{node.name}: activations need one scale")
        scale, zero_point = scale.reshape(()), zero_point.reshape(())
        lowest = declared[0]
        if isinstance(x, Sum):
            multiplier = x.scale / scale
            lowest = max(lowest, zero_point.item()) if x.relu else lowest

            def real_code(sums):
                return sums.astype(np.float32) * along(multiplier, sums)

        else:
            x = to_real(x)

            def real_code(reals):
                return reals / scale

        def quantize(elements):
            code = np.rint(real_code(elements))
            code = np.clip(code, lowest - zero_point, declared[1] - zero_point)
            return code.astype(np.int64) + zero_point

        return self._settle(Codes(quantize(x.values), quantize(x.ends), declared))

    # Accumulation.

    def _operands(self, node, x, w, bias):
        """(bias codes or 0, scale of the sum), both per channel; checked."""
        if not isinstance(x, Dequantized) or not isinstance(w, Dequantized):
            raise ModelError(f"{node.name}: operands must be dequantized codes")
        if x.scale.size != 1 or x.zero_point.size != 1:
            raise ModelError(f"{node.name}: activations need one scale")
        if np.any(w.zero_point):
            raise ModelError(f"{node.name}: weights need zero point 0")
        scale = x.scale.reshape(()) * w.scale
        if bias is None:
            return 0, scale
        if not isinstance(bias, Dequantized) or np.any(bias.zero_point):
            raise ModelError(f"{node.name}: the bias must be integers of zero point 0")
        if not np.allclose(bias.scale, scale, rtol=1e-6, atol=0):
            raise ModelError(f"{node.name}: the bias is not in units of the sum")
        return bias.codes.values, scale

    def _accumulate(self, node, columns, weights, x, ends, bias, scale):
        """columns [N, groups, K, P], weights [channels, K], ends [2, groups * K]:
        the layer's sums [N, channels, P]. Records the layer."""
        groups, length = columns.shape[1:3]
        channels = len(weights)
        per_group = weights.reshape(groups, channels // groups, length)
        sums = np.einsum("gok,ngkp->ngop", per_group, columns, optimize=True)
        sums = sums.reshape(len(columns), channels, -1)
        if sums.size:
            self.observed[node.name] = (sums.min(axis=(0, 2)), sums.max(axis=(0, 2)))

        terms = np.repeat(ends.reshape(2, groups, length), channels // groups, axis=1)
        self.layers.append(
            Layer(
                node.name,
                node.op,
                weights.tolist(),
                terms[0].tolist(),
                terms[1].tolist(),
                self.weight_bits,
            )
        )
        products = weights * terms
        interval = np.stack([products.min(0).sum(1), products.max(0).sum(1)])
        offset = bias - x.zero_point.item() * weights.sum(1)
        return Sum(sums + along(offset, sums), interval + offset, scale)

    def _weights(self, node, w):
        """The layer's integers, replaced ones checked against their type."""
        lo, hi = w.codes.declared
        self.weight_bits = code_bits(min(lo, -1), hi)
        weights = self.replaced_weights.get(node.name, w.codes.values)
        if weights.shape != w.codes.values.shape or weights.dtype.kind not in "iu":
            raise ModelError(
                f"{node.name}: weights are {weights.dtype} {list(weights.shape)}, "
                f"expected integers {list(w.codes.values.shape)}"
            )
        if weights.min() < lo or weights.max() > hi:
            raise ModelError(f"{node.name}: weights leave their range [{lo}, {hi}]")
        return weights.astype(np.int64)

    def _Conv(self, node, x, w, bias=None):
        bias, scale = self._operands(node, x, w, bias)
        weights = self._weights(node, w)
        get = node.attributes.get
        if weights.ndim != 4 or get("auto_pad", "NOTSET") != "NOTSET":
            raise ModelError(f"{node.name}: only 2-D Conv with explicit pads")
        if w.scale.size > 1 and w.axis != 0:
            raise ModelError(f"{node.name}: weight scales need the channel axis")
        channels, _, *kernel = weights.shape
        groups, pads = get("group", 1), get("pads", [0] * 4)
        zero_point = x.zero_point.item()
        image = np.pad(
            x.codes.values,
            ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])),
            constant_values=zero_point,
        )
        columns = im2col(
            image, kernel, get("strides", [1, 1]), get("dilations", [1, 1])
        )
        batch, depth = columns.shape[:2]
        if depth != weights.shape[1] * groups or channels % groups:
            raise ModelError(f"{node.name}: {depth} input channels do not fit")
        ends = np.broadcast_to(x.codes.ends, (2, depth))
        if any(pads):
            ends = np.stack(
                [ends[0].clip(max=zero_point), ends[1].clip(min=zero_point)]
            )
        result = self._accumulate(
            node,
            columns.reshape(batch, groups, weights[0].size, -1),
            weights.reshape(channels, -1),
            x,
            np.repeat(ends, kernel[0] * kernel[1], axis=1),
            bias,
            scale,
        )
        result.values = result.values.reshape(batch, channels, *columns.shape[4:])
        return result

    def _Gemm(self, node, x, w, bias=None):
        bias, scale = self._operands(node, x, w, bias)
        get = node.attributes.get
        if get("transA", 0) or get("alpha", 1) != 1 or get("beta", 1) != 1:
            raise ModelError(f"{node.name}: only plain Gemm, transB free")
        weights = self._weights(node, w)
        if not get("transB", 0):
            weights = weights.T
        if w.scale.size > 1 and w.axis != (0 if get("transB", 0) else 1):
            raise ModelError(f"{node.name}: weight scales need the channel axis")
        columns = x.codes.values
        if columns.ndim != 2 or columns.shape[1] != weights.shape[1]:
            raise ModelError(f"{node.name}: {columns.shape} does not fit the weights")
        ends = np.broadcast_to(x.codes.ends, (2, columns.shape[1]))
        columns = columns[:, None, :, None]
        result = self._accumulate(node, columns, weights, x, ends, bias, scale)
        result.values = result.values[:, :, 0]
        return result

    # Everything else.

    def _Relu(self, node, x):
        if isinstance(x, Sum):
            return Sum(x.values, x.ends, x.scale, relu=True)
        x = to_real(x)
        return Real(np.maximum(x.values, 0), np.maximum(x.ends, 0))

    def _Add(self, node, a, b):
        a, b = to_real(a), to_real(b)
        if a.values.shape != b.values.shape:
            raise ModelError(f"{node.name}: the shapes of a residual add must agree")
        return Real(a.values + b.values, a.ends + b.ends)

    def _Flatten(self, node, x):
        if node.attributes.get("axis", 1) != 1:
            raise ModelError(f"{node.name}: only axis 1")
        if not isinstance(x, Dequantized) or x.scale.size != 1:
            raise ModelError(f"{node.name}: only quantized activations")
        codes = x.codes
        values = codes.values.reshape(len(codes.values), -1)
        ends = codes.ends
        if ends.shape[1] > 1:
            ends = np.repeat(ends, values.shape[1] // ends.shape[1], axis=1)
        codes = Codes(values, ends, codes.declared)
        return Dequantized(codes, x.scale, x.zero_point, 1)


def print_widths(layers):
    bounds = ("datatype", "a2q", "a2q-plus", "exact", "centred", "zero-point")
    print(f"{'layer':12}{'K':>6}" + "".join(f"{b:>11}" for b in bounds))
    for layer in layers:
        figures = layer_figures(layer)
        widths = "".join(f"{figures['width'][b]:>11}" for b in bounds)
        print(f"{layer.name:12}{figures['reduction_length']:>6}{widths}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--images", required=True, help="the model's input, .npy")
    parser.add_argument("--labels", help="the class of each image, .npy")
    parser.add_argument("--output", help="write the logits here, .npy")
    parser.add_argument(
        "--widths", action="store_true", help="print accumulator widths"
    )
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="LAYER=CODES.npy",
        help="use these integers in a layer instead of the model's",
    )
    parser.add_argument("--check-report", help="a JSON report of a2q-check")
    parser.add_argument(
        "--ranges",
        choices=("any", "declared", "inferred"),
        default="any",
        help="activation ranges that the report must use: those that types and "
        "Clips declare, those inferred through every layer, or any between; "
        "'inferred' is also what --widths then prints, else 'declared'",
    )
    return parser.parse_args()


def check(path, ranges, inferred, declared):
    tight = declared if ranges == "declared" else inferred
    loose = inferred if ranges == "inferred" else declared
    with open(path, encoding="utf-8") as file:
        problems = check_report(json.load(file), tight, loose)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if not problems:
        print(f"report: {len(tight)} layers agree with the integers")
    return not problems


def main():
    args = parse_arguments()
    model = read_model(args.model)
    images = np.load(args.images)
    replaced = {}
    for pair in args.weights:
        name, equals, path = pair.partition("=")
        if not equals:
            raise ModelError(f"--weights {pair}: expected LAYER=CODES.npy")
        replaced[name] = np.load(path)
    evaluator = Evaluator(model, replaced_weights=replaced)
    logits = evaluator.run(images)
    if args.output:
        np.save(args.output, logits)
    if args.labels:
        labels = np.load(args.labels)
        if labels.shape != (len(images),):
            raise ModelError(f"{len(images)} images, labels of shape {labels.shape}")
        right = int((logits.argmax(1) == labels).sum())
        print(f"accuracy: {100 * right / len(labels):.2f} % ({right} of {len(labels)})")
    declared = Evaluator(model, infer_ranges=False, replaced_weights=replaced)
    declared.run(images[:1])
    if args.widths:
        print_widths((evaluator if args.ranges == "inferred" else declared).layers)
    if args.check_report:
        return check(args.check_report, args.ranges, evaluator.layers, declared.layers)
    return True


if __name__ == "__main__":
    try:
        sys.exit(0 if main() else 1)
    except (ModelError, OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
