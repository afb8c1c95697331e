#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times the methods of this project beside Brevitas, in one run, on one thread.

    pip install torch==2.13.0 brevitas==0.13.4
    cmake --preset release && cmake --build build/release -t A2QLayerBenchmark
    python benchmarks/brevitas/compare.py --json compare.json

Both sides take turns, and both count processor time. Layers have the same
weights, scales and inputs; their error is that of the outputs, relative. Says
which processor and how many repetitions, as medians with the range.
"""

import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch

import brevitas
from brevitas.graph.magr import _project_onto_l1_ball
from brevitas.nn import QuantLinear
from brevitas.quant import Int8WeightPerChannelFloat, Uint8ActPerTensorFloat
from brevitas_examples.common.axe import a2gpfq_mode, a2gptq_mode

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RESNET18 = [(64, 147)] + [(64, 576)] * 4 + [
    (128, 576), (128, 1152), (128, 64), (128, 1152), (128, 1152),
    (256, 1152), (256, 2304), (256, 128), (256, 2304), (256, 2304),
    (512, 2304), (512, 4608), (512, 256), (512, 4608), (512, 4608),
    (1000, 512)]


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def laplace(generator, *shape):
    return generator.laplace(size=shape).astype(np.float32)


def codes(generator, samples, length, bits):
    """After a ReLU, a quarter as many causes as activations."""
    causes = max(length // 4, 1)
    mix = generator.normal(size=(causes, length)) / np.sqrt(causes)
    size = np.exp(0.5 * generator.normal(size=length))
    x = generator.normal(size=(samples, causes)) @ mix
    x = (x + 0.5 * generator.normal(size=x.shape)) * size
    top = 2**bits - 1
    return np.clip(np.rint(x * top / 4), 0, top).astype(np.float32)


class Layer:
    """One layer as both sides see it."""

    def __init__(self, folder, rows, length, samples, bits=8, weight_bits=8):
        generator = np.random.default_rng(rows + length)
        self.rows, self.length, self.samples = rows, length, samples
        self.bits, self.weight_bits = bits, weight_bits
        self.weights = 0.05 * laplace(generator, rows, length)
        self.inputs = codes(generator, samples, length, bits)
        limit = 2**(weight_bits - 1) - 1
        self.scales = np.abs(self.weights).max(axis=1) / limit
        self.files = [folder / f"{rows}x{length}.{kind}"
                      for kind in ("weights", "inputs", "result")]
        (self.weights / self.scales[:, None]).tofile(self.files[0])
        self.inputs.tofile(self.files[1])

    def error(self, weights):
        target = self.inputs @ self.weights.T
        off = self.inputs @ (weights - self.weights).T
        return float(np.mean((off**2).sum(0) / (target**2).sum(0)))

    def width(self, integers):
        """Signed bits that the widest channel's sum needs."""
        top = 2**self.bits - 1
        integers = integers.astype(np.int64)
        high = np.maximum(integers, 0).sum(axis=1).max() * top
        low = np.maximum(-integers, 0).sum(axis=1).max() * top
        return max(int(high).bit_length(), int(max(low - 1, 0)).bit_length()) + 1

    def brevitas(self, mode, width):
        layer = QuantLinear(
            self.length, self.rows, bias=False,
            weight_quant=Int8WeightPerChannelFloat,
            weight_bit_width=self.weight_bits,
            input_quant=Uint8ActPerTensorFloat, input_bit_width=self.bits)
        layer.weight.data.copy_(torch.from_numpy(self.weights))
        model = torch.nn.Sequential(layer)
        x = torch.from_numpy(self.inputs)
        with torch.no_grad():
            model.train()
            model(x)
            model.eval()
            model(x)
            begin = time.process_time()
            with mode(model, act_order=True, max_accumulator_bit_width=width,
                      use_quant_activations=True) as run:
                for _ in range(run.num_layers):
                    run.model(x)
                    run.update()
            taken = time.process_time() - begin
            quantized = layer.quant_weight()
            return taken, quantized.value.numpy(), quantized.int().numpy()

    def ours(self, program, method, width, with_inputs=True):
        output = run(program, "layer", method, width, self.bits,
                     self.weight_bits, self.files[0],
                     f"{self.rows}x{self.length}", self.files[1],
                     self.samples if with_inputs else 0, self.files[2])
        weights = np.fromfile(self.files[2], np.float32)
        weights = weights.reshape(self.rows, self.length)
        return output, weights * self.scales[:, None]


def run(program, *arguments):
    environment = {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([program, *map(str, arguments)], check=True,
                          capture_output=True, text=True, env=environment)
    return json.loads(done.stdout)


def projection(program, folder, name, shapes, repetitions, truncate):
    """The l1 ball of a tenth of a row's mean norm."""
    generator = np.random.default_rng(1)
    matrices = [laplace(generator, *shape) for shape in shapes]
    radius = float(np.mean([np.abs(m).sum(1).mean() for m in matrices]) / 10)
    file = folder / "matrices"
    np.concatenate([m.ravel() for m in matrices]).tofile(file)
    tensors = [torch.from_numpy(m) for m in matrices]
    theirs, ours = [], []
    for _ in range(repetitions):
        begin = time.process_time()
        for tensor in tensors:
            result = _project_onto_l1_ball(tensor, radius)
            if truncate:
                result.trunc_()
        theirs.append(time.process_time() - begin)
        ours.append(run(program, "ep-init" if truncate else "project", file,
                        radius, *(f"{r}x{c}" for r, c in shapes))["seconds"])
    return {"case": name, "brevitas": theirs, "a2q": ours}


def layer_case(program, layer, name, mode, method, width, repetitions,
               with_inputs=True):
    case = {"case": name, "width": width, "brevitas": [], "a2q": []}
    for _ in range(repetitions):
        if mode:
            taken, weights, integers = layer.brevitas(mode, width)
            case["brevitas"].append(taken)
            case["brevitas_error"] = layer.error(weights)
            case["brevitas_width"] = layer.width(integers)
        output, weights = layer.ours(program, method, width,
                                     with_inputs)
        case["a2q"].append(output["seconds"])
        case["a2q_error"] = layer.error(weights)
        case["a2q_extra_over_weights"] = (
            (output["kib_after"] - output["kib_before"]) * 1024 /
            (layer.rows * layer.length * 8))
    return case


def summary(values):
    if not values:
        return "-"
    middle = statistics.median(values)
    return f"{middle:.4g} ({min(values):.4g} to {max(values):.4g})"


def table(cases):
    yield ("case | P | Brevitas, s | a2q, s | ratio | output error of Brevitas"
           " | of a2q | width of Brevitas | memory beside the weights")
    yield "--- | --- | --- | --- | --- | --- | --- | --- | ---"
    for case in cases:
        ratio = (statistics.median(case["brevitas"]) /
                 statistics.median(case["a2q"]) if case["brevitas"] else None)
        yield " | ".join([
            case["case"], str(case.get("width", "-")),
            summary(case["brevitas"]), summary(case["a2q"]),
            f"{ratio:.1f}" if ratio else "-",
            *(f"{case[key]:.3g}" if key in case else "-"
              for key in ("brevitas_error", "a2q_error")),
            str(case.get("brevitas_width", "-")),
            f"{case['a2q_extra_over_weights']:.2f} x"
            if "a2q_extra_over_weights" in case else "-"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=pathlib.Path, default=ROOT /
                        "build/release/benchmarks/brevitas/A2QLayerBenchmark")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only", default="", help="cases with this in them")
    options = parser.parse_args()
    torch.set_num_threads(1)

    cases = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = options.program
        repetitions = options.repetitions

        def projections():
            yield "l1 projection 512x4608", lambda name: projection(
                program, folder, name, [(512, 4608)], 5 * repetitions, False)
            yield "EP-init, ResNet18's weights", lambda name: projection(
                program, folder, name, RESNET18, 5 * repetitions, True)

        def layers():
            def case(rows, length, mode, method, width, weight_bits=8,
                     with_inputs=True, samples=256):
                return lambda name: layer_case(
                    program, Layer(folder, rows, length, samples,
                                   weight_bits=weight_bits),
                    name, mode, method, width, repetitions, with_inputs)
            yield "optimal 512x4608", case(512, 4608, None, "optimal", 16, 4,
                                           with_inputs=False)
            yield "optimal 512x4608, E[x^2]", case(512, 4608, None, "optimal",
                                                   16, 4)
            for length in (576, 1152, 2304):
                yield f"AXE-GPFQ 512x{length}, 256 samples", case(
                    512, length, a2gpfq_mode, "gpfq", 20)
            yield "AXE-OPTQ 512x4608, 256 samples", case(
                512, 4608, a2gptq_mode, "optq", 20)
            # Moments of full rank.
            yield "AXE-OPTQ 512x1152, 4608 samples", case(
                512, 1152, a2gptq_mode, "optq", 20, samples=4608)

        for name, measure in [*projections(), *layers()]:
            if options.only in name:
                cases.append(measure(name))
                print(json.dumps(cases[-1]), flush=True)

    result = {"processor": processor(), "threads": 1, "torch": torch.__version__,
              "brevitas": brevitas.__version__, "cases": cases}
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(f"\n{result['processor']}, one thread, torch {torch.__version__}, "
          f"Brevitas {brevitas.__version__}; processor seconds, median (range)\n")
    print("\n".join(table(cases)))


if __name__ == "__main__":
    main()
