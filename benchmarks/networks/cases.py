# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The networks that run.py measures, each with the reason why it is there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    name: str
    reason: str
    build: str  # a function of build.py
    arguments: tuple = ()
    widths: tuple = ("w4a8", "w8a8")
    batches: tuple = (1,)
    threads: tuple = (1,)


NETWORKS = [
    Network("resnet18", "what everyone measures: 3x3 convolutions from 56x56 "
            "to 7x7, a strided 7x7 first layer, residual sums; random weights",
            "resnet18", (224,), batches=(1, 8), threads=(1, 2)),
    Network("resnet18-sparse", "the same with what 8-bit accumulators leave of "
            "the weights between the first and the last layer, at random "
            "places: what planes are for",
            "resnet18", (224,),
            widths=("units17", "units17of144", "units85a2")),
    Network("mobilenetv2", "depthwise and 1x1 layers: little arithmetic per "
            "byte, so what surrounds the kernels shows; random weights",
            "mobilenetv2", (224,), threads=(1, 2)),
    Network("encoder", "MiniLM's six layers on 128 tokens: matrix products "
            "with real numbers between them; random weights",
            "encoder", (6, 128, 384, 12, 1536)),
    Network("resnet8", "small images (32x32), tens of microseconds: what a "
            "call costs; random weights",
            "resnet8", (32,)),
    Network("digits", "the trained network of the examples, 8x8 images",
            "file", ("examples/digits/digits-w4a4.onnx",), widths=("w4a4",),
            batches=(1, 8)),
]


@dataclass(frozen=True)
class Units:
    """Weights of -1, 0 and 1 in all layers but the first and the last one."""
    count: int  # that are not zero, in each tile of each channel
    tile: int  # products; 0: all of the channel
    bits: int  # of the activations between those layers


@dataclass(frozen=True)
class Widths:
    weights: int
    activations: int
    units: Units | None = None


WIDTHS = {
    "w4a8": Widths(4, 8),
    "w8a8": Widths(8, 8),
    # Sums of a whole channel in 8 bits: 17 units of codes up to 15.
    "units17": Widths(8, 8, Units(17, 0, 4)),
    # The same in each tile: 12 % of the weights.
    "units17of144": Widths(8, 8, Units(17, 144, 4)),
    # Codes up to 3 leave room for 85.
    "units85a2": Widths(8, 8, Units(85, 0, 2)),
}


@dataclass(frozen=True)
class Runner:
    """A runtime, and how it is told which instructions and accumulators."""
    name: str
    reason: str
    environment: tuple = ()
    options: tuple = ()
    # Whether it is there for networks of units, for others, or for both.
    of_units: bool | None = None


@dataclass(frozen=True)
class Cap:
    """An instruction set, and who keeps to it."""
    name: str
    runners: tuple


def a2q(isa, cpu, bits):
    return Runner(f"a2q {bits}", f"--accumulator={bits}",
                  options=(("isa", isa), ("cpu", cpu), ("accumulator", bits)),
                  of_units=False)


def units(isa, cpu):
    """Planes where they are faster, and what they are faster than."""
    options = (("isa", isa), ("cpu", cpu), ("accumulator", "auto"))
    return (Runner("a2q planes", "as users call it", options=options,
                   of_units=True),
            Runner("a2q dense", "the same file without planes",
                   options=(*options, ("planes", "never")), of_units=True))


def openvino(cap, of_units=None):
    return Runner("openvino", "oneDNN inside, capped",
                  (("ONEDNN_MAX_CPU_ISA", cap),), of_units=of_units)


def iree(cpu):
    return Runner("iree", "compiled for the processor", options=(("cpu", cpu),))


CAPS = [
    Cap("avx2", (a2q("avx2", "haswell", "16"), a2q("avx2", "haswell", "32"),
                 *units("avx2", "haswell"), openvino("AVX2"), iree("haswell"))),
    Cap("avx512bw", (a2q("avx512bw", "skylake-avx512", "16"),
                     a2q("avx512bw", "skylake-avx512", "32"),
                     *units("avx512bw", "skylake-avx512"),
                     openvino("AVX512_CORE"), iree("skylake-avx512"))),
    Cap("avx512vnni", (a2q("avx512vnni", "cascadelake", "32"),
                       *units("avx512vnni", "cascadelake"),
                       openvino("AVX512_CORE_VNNI"), iree("cascadelake"))),
    # Tables of 256 entries. oneDNN has no code of its own for it.
    Cap("avx512vbmi", (*units("avx512vbmi", "icelake-server"),
                       openvino("AVX512_CORE_VNNI", of_units=True))),
    # They look at the processor themselves.
    Cap("uncapped", (Runner("onnxruntime", "as users call it"),
                     Runner("onnxruntime exact", "x64quantprecision=1",
                            options=(("exact", "1"),)),
                     Runner("openvino", "as users call it"),
                     Runner("litert", "XNNPACK, with codes of its own"))),
]
