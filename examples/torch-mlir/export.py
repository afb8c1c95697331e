# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A quantized network in PyTorch, and what torch-mlir makes of it.

    export.py [--batch=N] [MODULE.mlir [LOGITS.npy]]

The network of ../digits with 4-bit weights, written in PyTorch with integers:
convolutions of int8 codes into int32 sums, which become codes in float32. torch.export
and torch-mlir turn it into structured operations on tensors. Writes those, for N
images at a time (20), and the answers of PyTorch to all images of ../digits.

Needs torch and torch-mlir (PyPI).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

DIGITS = Path(__file__).resolve().parent.parent / "digits"
sys.path.insert(0, str(DIGITS))
from onnx_reader import read_model  # noqa: E402


class IntegerLayer(nn.Module):
    """Codes of int8 in, exact sums out."""

    def __init__(self, model, name):
        super().__init__()

        def take(suffix):
            return torch.from_numpy(np.array(model.initializers[f"{name}_{suffix}"]))

        self.register_buffer("weight", take("weight"))
        self.register_buffer("bias", take("bias"))
        self.register_buffer("scale", take("bias_dequantize_scale"))

    def real(self, sums, rank):
        """float32(sum + bias) * scale, by channel."""
        shape = [1, -1] + [1] * (rank - 2)
        return (sums + self.bias.view(shape)).to(torch.float32) * self.scale.view(shape)


class Conv(IntegerLayer):
    def __init__(self, model, name, stride=1):
        super().__init__(model, name)
        self.stride = stride

    def forward(self, codes):
        sums = F.conv2d(codes.to(torch.int32), self.weight.to(torch.int32),
                        stride=self.stride, padding=1)
        return self.real(sums, 4)


class Linear(IntegerLayer):
    def forward(self, codes):
        sums = F.linear(codes.to(torch.int32), self.weight.to(torch.int32))
        return self.real(sums, 2)


def encode(real, scale):
    """4-bit codes without a sign."""
    return torch.clamp(torch.round(real / scale), 0, 15).to(torch.int8)


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        model = read_model(DIGITS / "digits-w4a4.onnx")
        self.conv1 = Conv(model, "conv1")
        self.conv2 = Conv(model, "conv2", stride=2)
        self.conv3 = Conv(model, "conv3")
        self.fc = Linear(model, "fc")

    def forward(self, images):
        x = encode(self.conv1(torch.clamp(images, 0, 16)), 0.25)
        x = encode(self.conv2(x), 0.25)
        x = encode(self.conv3(x) + x.to(torch.float32) * 0.25, 0.5)
        return self.fc(x.flatten(1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("module", nargs="?", default="digits.mlir")
    parser.add_argument("logits", nargs="?", default="logits.npy")
    options = parser.parse_args()
    from torch_mlir import fx

    network = Digits().eval()
    images = torch.from_numpy(np.load(DIGITS / "images.npy")).to(torch.int8)
    with torch.no_grad():
        np.save(options.logits, network(images).numpy())
    module = fx.export_and_import(network, images[:options.batch],
                                  output_type="linalg-on-tensors")
    Path(options.module).write_text(str(module))


if __name__ == "__main__":
    main()
