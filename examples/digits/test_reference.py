#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of the reference: against enumeration, and against ONNX Runtime.

    python3 test_reference.py

Needs numpy. What needs onnx and onnxruntime is skipped, and said to be, where
they are not installed.
"""

import copy
import itertools
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

import widths
from onnx_reader import ModelError, read_model
from reference import Evaluator

try:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    onnx = None

HERE = Path(__file__).parent
EDITIONS = ("digits-w4a4.onnx", "digits-acc8.onnx")
needs_onnxruntime = unittest.skipIf(onnx is None, "onnx and onnxruntime not installed")


def run_onnxruntime(path, images, optimized):
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    )
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: images})[0]


class Widths(unittest.TestCase):
    def test_intervals_and_widths_by_enumeration(self):
        # K = 3 and codes of two bits: all weights, all inputs, all subsets.
        for lo, hi in ((0, 3), (-2, 1), (1, 3)):
            codes = range(lo, hi + 1)
            for weights in itertools.product(range(-2, 3), repeat=3):
                final, prefix = set(), {0}
                for x in itertools.product(codes, repeat=3):
                    products = [q * c for q, c in zip(weights, x)]
                    final.add(sum(products))
                    for mask in itertools.product((0, 1), repeat=3):
                        prefix.add(sum(p for p, m in zip(products, mask) if m))
                figures = widths.channel_figures(weights, [lo] * 3, [hi] * 3)
                self.assertEqual(figures["final"], [min(final), max(final)])
                self.assertEqual(figures["prefix"], [min(prefix), max(prefix)])
                for key, sums in (("final_width", final), ("prefix_width", prefix)):
                    self.assert_narrowest(figures[key], sums)

    def assert_narrowest(self, width, sums):
        def fits(p):
            return all(-(2 ** (p - 1)) <= s < 2 ** (p - 1) for s in sums)

        self.assertTrue(fits(width))
        self.assertFalse(width > 1 and fits(width - 1))

    def test_centred_width(self):
        # 17 units of weight and 4-bit codes: 255 apart, whatever the signs.
        for negative in range(18):
            weights = [-1] * negative + [1] * (17 - negative)
            figures = widths.channel_figures(weights, [0] * 17, [15] * 17)
            self.assertEqual(figures["centred_width"], 8)
        self.assertEqual(
            widths.channel_figures([1] * 18, [0] * 18, [15] * 18)["centred_width"], 9
        )

    def test_ranges_without_zero(self):
        figures = widths.channel_figures([1, 1], [200, 200], [255, 255])
        self.assertEqual(widths.span_width(*figures["final"]), 7)
        self.assertEqual(figures["centred_width"], 9)

    def test_a2q_plus_looks_at_both_signs(self):
        # l1 = 256 meets the 16-bit budget of 256.99, and reaches 65,280.
        layer = widths.Layer("l", "Gemm", [[64] * 4], [[0] * 4], [[255] * 4], 8)
        figures = widths.layer_figures(layer)["width"]
        self.assertEqual(figures["exact"], 17)
        self.assertEqual(figures["centred"], 16)
        self.assertGreater(figures["a2q-plus"], 16)

    def test_a2q_and_a2q_plus_at_their_limits(self):
        # N = 4: a2q l1 * 16 <= 2^(P-1) - 1, a2q-plus 2 * max * 15 <= 2^P - 2.
        for pos, neg, a2q, a2q_plus in ((7, 0, 8, 8), (8, 0, 9, 8), (8, 7, 9, 8),
                                        (17, 17, 11, 9), (18, 17, 11, 10)):  # fmt: skip
            weights = [[1] * pos + [-1] * neg]
            ranges = [[0] * (pos + neg)], [[15] * (pos + neg)]
            layer = widths.Layer("l", "Gemm", weights, *ranges, 4)
            figures = widths.layer_figures(layer)["width"]
            self.assertEqual((figures["a2q"], figures["a2q-plus"]), (a2q, a2q_plus))

    def test_datatype_at_its_limit(self):
        # 15 * 2^7 + 2^7 = 2^11 does not fit 12 bits, 15 * 2^7 does.
        for length, width in ((15, 12), (16, 13)):
            ranges = [[0] * length], [[15] * length]
            layer = widths.Layer("l", "Gemm", [[1] * length], *ranges, 4)
            self.assertEqual(widths.layer_figures(layer)["width"]["datatype"], width)

    def test_nothing_to_add_needs_one_bit(self):
        for weights, hi in (([0] * 4, 15), ([1, -7, 3, 7], 0)):
            layer = widths.Layer("l", "Gemm", [weights], [[0] * 4], [[hi] * 4], 4)
            figures = widths.layer_figures(layer)["width"]
            self.assertGreater(figures.pop("datatype"), 1)
            self.assertEqual(set(figures.values()), {1})

    def test_each_channel_has_its_own_ranges(self):
        # The wide channel meets the narrow range: a grouped convolution.
        layer = widths.Layer(
            "l", "Conv", [[7] * 9, [1] * 9], [[0] * 9] * 2, [[1] * 9, [3] * 9], 4
        )
        figures = widths.layer_figures(layer)
        self.assertEqual(figures["activation"]["hi"], 3)
        self.assertEqual(figures["width"]["exact"], 7)
        self.assertEqual(figures["width"]["a2q"], 8)

    def test_bounds_are_ordered(self):
        random = np.random.RandomState(1)
        for _ in range(50):
            bits = int(random.randint(2, 9))
            lo, hi = ((0, 15), (-8, 7), (0, 16), (-3, 100))[random.randint(4)]
            limit = 2 ** (bits - 1) - 1
            weights = random.randint(-limit, limit + 1, (4, 20)).tolist()
            layer = widths.Layer(
                "l", "Gemm", weights, [[lo] * 20] * 4, [[hi] * 20] * 4, bits
            )
            width = widths.layer_figures(layer)["width"]
            self.assertLessEqual(width["centred"], width["exact"])
            self.assertLessEqual(width["exact"], width["a2q"])
            self.assertLessEqual(width["a2q"], width["datatype"])
            self.assertLessEqual(width["centred"], width["a2q-plus"])


class Digits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.images = np.load(HERE / "images.npy")
        cls.labels = np.load(HERE / "labels.npy")

    def test_images(self):
        self.assertEqual(self.images.shape, (360, 1, 8, 8))
        self.assertEqual(self.images.dtype, np.uint8)
        self.assertEqual(self.images.max(), 16)
        self.assertEqual(self.labels.shape, (360,))
        self.assertEqual(set(self.labels.tolist()), set(range(10)))

    def test_accuracy(self):
        for edition, right in zip(EDITIONS, (355, 351)):
            logits = Evaluator(read_model(HERE / edition)).run(self.images)
            self.assertEqual((logits.argmax(1) == self.labels).sum(), right, edition)

    def test_acc8_fits_eight_bits(self):
        evaluator = Evaluator(read_model(HERE / EDITIONS[1]), infer_ranges=False)
        evaluator.run(self.images[:1])
        self.assertEqual(
            [layer.name for layer in evaluator.layers],
            ["conv1", "conv2", "conv3", "fc"],
        )
        for layer in evaluator.layers[1:]:
            figures = widths.layer_figures(layer)
            self.assertEqual(figures["activation"]["hi"], 15)
            self.assertEqual(figures["weights"]["bits"], 4)
            self.assertLessEqual(figures["width"]["centred"], 8, layer.name)

    def test_intervals_hold_what_is_observed(self):
        extremes = np.stack([np.full((1, 8, 8), v, np.uint8) for v in (0, 16)])
        noise = np.random.RandomState(2).randint(0, 17, (200, 1, 8, 8), np.uint8)
        inputs = np.concatenate([self.images, extremes, noise])
        for edition in EDITIONS:
            evaluator = Evaluator(read_model(HERE / edition))
            evaluator.run(inputs)
            for layer in evaluator.layers:
                lowest, highest = evaluator.observed[layer.name]
                rows = zip(layer.weights, layer.lo, layer.hi, lowest, highest)
                for weights, lo, hi, least, most in rows:
                    interval = widths.final_interval(weights, lo, hi)
                    self.assertLessEqual(interval[0], least)
                    self.assertGreaterEqual(interval[1], most)

    @needs_onnxruntime
    def test_equals_onnxruntime(self):
        for edition in EDITIONS:
            logits = Evaluator(read_model(HERE / edition)).run(self.images)
            for optimized in (False, True):
                peer = run_onnxruntime(HERE / edition, self.images, optimized)
                np.testing.assert_array_equal(logits, peer)

    def test_replaced_weights(self):
        model = read_model(HERE / EDITIONS[0])
        plain = Evaluator(model)
        expected = plain.run(self.images[:8])
        integers = model.initializers["fc_weight"]
        same = Evaluator(model, replaced_weights={"fc": integers})
        np.testing.assert_array_equal(same.run(self.images[:8]), expected)
        zero = Evaluator(model, replaced_weights={"fc": 0 * integers})
        self.assertEqual(zero.run(self.images[:8]).std(0).max(), 0)
        for name, wrong in (
            ("fc", integers[:9]),
            ("fc", 2 * integers),
            ("f", integers),
        ):
            with self.assertRaises(ModelError):
                Evaluator(model, replaced_weights={name: wrong}).run(self.images[:1])


class Report(unittest.TestCase):
    """A report is accepted when it is right, and only then."""

    @classmethod
    def setUpClass(cls):
        images = np.load(HERE / "images.npy")[:1]
        cls.tables = []
        for infer in (True, False):
            evaluator = Evaluator(read_model(HERE / EDITIONS[0]), infer)
            evaluator.run(images)
            cls.tables.append(evaluator.layers)

    def report(self, layers):
        figures = [{"name": l.name, **widths.layer_figures(l)} for l in layers]
        return json.loads(json.dumps({"version": 1, "layers": figures}))

    def test_right_reports(self):
        inferred, declared = self.tables
        for layers in self.tables:
            self.assertEqual(
                widths.check_report(self.report(layers), inferred, declared), []
            )
            self.assertEqual(
                widths.check_report(self.report(layers), layers, layers), []
            )

    def test_inferred_ranges_are_tighter(self):
        inferred, declared = self.tables
        self.assertTrue(widths.check_report(self.report(declared), inferred, inferred))

    def test_every_wrong_number_is_found(self):
        inferred, declared = self.tables
        for layer in (0, 3):
            for change in self.changes():
                report = self.report(declared)
                where = change(report["layers"][layer])
                problems = widths.check_report(report, inferred, declared)
                self.assertTrue(problems, where)
                self.assertIn(declared[layer].name, problems[0])

    @staticmethod
    def changes():
        def shift(path, amount):
            def change(layer):
                target = layer
                for key in path[:-1]:
                    target = target[key]
                target[path[-1]] += amount
                return path

            return change

        def remove(key):
            return lambda layer: (layer.pop(key), key)

        for bound in ("datatype", "a2q", "a2q-plus", "exact", "centred", "zero-point"):
            yield shift(("width", bound), 1)
        for key in ("l1", "pos", "neg"):
            yield shift(("per_channel", 3, key), 1)
        for key in ("final_width", "prefix_width", "centred_width"):
            yield shift(("per_channel", 3, key), 1)
            yield shift(("per_channel", 3, key), -1)
        for key in ("final", "prefix"):
            yield shift(("per_channel", 3, key, 1), 1)
            yield shift(("per_channel", 3, key, 0), -1)
        yield shift(("reduction_length",), 1)
        yield shift(("channels",), 1)
        yield shift(("activation", "hi"), 1)
        yield shift(("activation", "lo"), -1)
        yield shift(("weights", "bits"), 1)
        yield shift(("weights", "sparsity"), 0.01)
        yield remove("width")
        yield remove("per_channel")

    def test_widths_must_be_those_of_the_intervals(self):
        # Both widths are possible, but not with the other's interval.
        def layers(hi):
            return [widths.Layer("l", "Gemm", [[1, 1]], [[0, 0]], [[hi, hi]], 2)]

        tight, loose = layers(7), layers(15)
        for change in ("final_width", "prefix_width", "centred_width"):
            report = self.report(loose)
            report["layers"][0]["per_channel"][0][change] -= 1
            self.assertTrue(widths.check_report(report, tight, loose), change)
        for bound in ("exact", "centred"):
            report = self.report(loose)
            report["layers"][0]["width"][bound] -= 1
            self.assertEqual(len(widths.check_report(report, tight, loose)), 1)

    def test_missing_and_unknown_layers(self):
        inferred, declared = self.tables
        report = self.report(declared)
        extra = copy.deepcopy(report)
        extra["layers"][0]["name"] = "other"
        problems = widths.check_report(extra, inferred, declared)
        self.assertEqual(len(problems), 2)
        report["version"] = 2
        self.assertEqual(len(widths.check_report(report, inferred, declared)), 1)


class CommandLine(unittest.TestCase):
    def run_reference(self, *arguments):
        return subprocess.run(
            [sys.executable, HERE / "reference.py", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    def test_logits_and_accuracy(self):
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "logits.npy"
            result = self.run_reference(
                HERE / EDITIONS[1],
                f"--images={HERE / 'images.npy'}",
                f"--labels={HERE / 'labels.npy'}",
                f"--output={output}",
            )
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("(351 of 360)", result.stdout)
            logits = np.load(output)
            self.assertEqual((logits.shape, logits.dtype), ((360, 10), np.float32))

    def test_bad_input(self):
        images = f"--images={HERE / 'images.npy'}"
        with tempfile.TemporaryDirectory() as folder:
            for size in (0, 1, 100, 26000):
                broken = Path(folder) / "broken.onnx"
                broken.write_bytes((HERE / EDITIONS[0]).read_bytes()[:size])
                self.assert_one_error(self.run_reference(broken, images))
            report = Path(folder) / "report.json"
            for text in ("{}", "not JSON"):
                report.write_text(text)
                self.assert_one_error(
                    self.run_reference(
                        HERE / EDITIONS[0], images, f"--check-report={report}"
                    )
                )
        self.assert_one_error(self.run_reference(HERE / "missing.onnx", images))
        self.assert_one_error(self.run_reference(HERE, images))
        labels = f"--images={HERE / 'labels.npy'}"
        self.assert_one_error(self.run_reference(HERE / EDITIONS[0], labels))

    def assert_one_error(self, result):
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("error: "), result.stderr)


@needs_onnxruntime
class SmallModels(unittest.TestCase):
    """One layer at a time: shapes and zero points that digits does not have."""

    def check(self, nodes, constants, images):
        """Bit for bit as ONNX Runtime: scales are powers of two."""
        model = helper.make_model(
            helper.make_graph(
                nodes,
                "small",
                [helper.make_tensor_value_info("x", TensorProto.UINT8, images.shape)],
                [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                [numpy_helper.from_array(v, k) for k, v in constants.items()],
            ),
            opset_imports=[helper.make_opsetid("", 13)],
        )
        model.ir_version = 8
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "small.onnx"
            onnx.save(model, path)
            evaluator = Evaluator(read_model(path))
            result = evaluator.run(images)
            np.testing.assert_array_equal(result, run_onnxruntime(path, images, False))
        return evaluator

    def layer(self, op, weight, images, x_zero_point, y_zero_point, relu, **attributes):
        random = np.random.RandomState(3)
        channels = weight.shape[0]
        powers = random.randint(-8, -4, channels)
        constants = {
            "xs": np.float32(0.5),
            "xz": np.uint8(x_zero_point),
            "w": weight,
            "ws": np.ldexp(np.float32(1), powers).astype(np.float32),
            "wz": np.zeros(channels, np.int8),
            "b": random.randint(-300, 300, channels).astype(np.int32),
            "bs": np.ldexp(np.float32(0.5), powers).astype(np.float32),
            "bz": np.zeros(channels, np.int32),
            "ys": np.float32(0.25),
            "yz": np.uint8(y_zero_point),
        }
        node = helper.make_node
        nodes = [
            node("DequantizeLinear", ["x", "xs", "xz"], ["xd"]),
            node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
            node("DequantizeLinear", ["b", "bs", "bz"], ["bd"], axis=0),
            node(op, ["xd", "wd", "bd"], ["sum"], "layer", **attributes),
            node("Relu", ["sum"], ["relu"]),
            node("QuantizeLinear", ["relu" if relu else "sum", "ys", "yz"], ["q"]),
            node("DequantizeLinear", ["q", "ys", "yz"], ["y"]),
        ]
        if not relu:
            del nodes[4]
        return self.check(nodes, constants, images)

    def test_conv_shapes(self):
        random = np.random.RandomState(4)
        for groups, attributes in (
            (1, dict(pads=[1, 0, 2, 1], strides=[2, 1])),
            (1, dict(dilations=[2, 3])),
            (2, dict(pads=[1, 1, 1, 1], strides=[1, 3])),
            (4, dict(pads=[0, 2, 1, 0], dilations=[1, 2])),
        ):
            images = random.randint(0, 256, (3, 4, 9, 10), np.uint8)
            shape = (8, 4 // groups, 3, 2)
            weight = random.randint(-127, 128, shape).astype(np.int8)
            for zero_point, relu in ((0, True), (128, False), (7, True)):
                evaluator = self.layer(
                    "Conv", weight, images, zero_point, 100, relu,
                    group=groups, **attributes,
                )  # fmt: skip
                (layer,) = evaluator.layers
                self.assertEqual(len(layer.weights[0]), weight[0].size)

    def test_inferred_ends_are_reached(self):
        # The kernel covers the image: the witnesses of the one output are two
        # images, and a code must reach both ends that were inferred.
        random = np.random.RandomState(6)
        weight = random.randint(-7, 8, (5, 2, 3, 3)).astype(np.int8)
        upper = np.where(weight > 0, 255, 0).astype(np.uint8)
        images = np.concatenate([upper, 255 - upper])
        evaluator = self.layer("Conv", weight, images, 128, 100, False)
        for name in ("sum", "q"):
            value = evaluator.values[name]
            reached = value.values[:, :, 0, 0]
            np.testing.assert_array_equal(reached.min(0), value.ends[0])
            np.testing.assert_array_equal(reached.max(0), value.ends[1])
        codes = evaluator.values["q"]
        self.assertGreater(len(set(codes.ends[1])), 1)
        self.assertLess(codes.ends[1].min(), 255)

    def test_padding_joins_the_zero_point(self):
        node = helper.make_node
        for pads, expected in (([0, 0, 0, 0], (5, 9)), ([0, 1, 0, 0], (3, 9))):
            nodes = [
                node("Clip", ["x", "lo", "hi"], ["c"]),
                node("DequantizeLinear", ["c", "s", "z"], ["xd"]),
                node("DequantizeLinear", ["w", "s", "wz"], ["wd"]),
                node("Conv", ["xd", "wd"], ["y"], "conv", pads=pads),
            ]
            constants = {
                "lo": np.uint8(5),
                "hi": np.uint8(9),
                "s": np.float32(0.5),
                "z": np.uint8(3),
                "w": np.ones((1, 1, 1, 1), np.int8),
                "wz": np.int8(0),
            }
            images = np.arange(12, dtype=np.uint8).reshape(1, 1, 3, 4)
            (layer,) = self.check(nodes, constants, images).layers
            self.assertEqual((layer.lo[0][0], layer.hi[0][0]), expected)

    def test_gemm(self):
        random = np.random.RandomState(5)
        images = random.randint(0, 256, (5, 33), np.uint8)
        weight = random.randint(-127, 128, (7, 33)).astype(np.int8)
        for zero_point, relu in ((0, False), (200, True)):
            self.layer("Gemm", weight, images, zero_point, 0, relu, transB=1)

    def test_reader_agrees_with_onnx(self):
        for edition in EDITIONS:
            ours = read_model(HERE / edition)
            theirs = onnx.load(HERE / edition)
            self.assertEqual(ours.opset, theirs.opset_import[0].version)
            nodes = theirs.graph.node
            self.assertEqual([n.name for n in ours.nodes], [n.name for n in nodes])
            for a, b in zip(ours.nodes, nodes):
                self.assertEqual((a.op, a.inputs), (b.op_type, list(b.input)))
                attributes = {
                    x.name: helper.get_attribute_value(x) for x in b.attribute
                }
                self.assertEqual(a.attributes, attributes)
            for tensor in theirs.graph.initializer:
                expected = numpy_helper.to_array(tensor)
                actual = ours.initializers[tensor.name]
                self.assertEqual(actual.dtype, expected.dtype)
                np.testing.assert_array_equal(actual, expected)


if __name__ == "__main__":
    unittest.main()
