# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Training in PyTorch with accumulators that never overflow.

    model = a2q.torch.prepare(float_model, images, weight_bits=4,
                              activation_bits=4, accumulator_width=8)
    ...                         # train it like any other
    for proof in a2q.torch.prove(model):
        print(proof)
    a2q.torch.export(model, "model.onnx", images)

After every step of training the integers of every layer meet their accumulator's
width; `prove` shows it from the integers alone.
"""

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError("a2q.torch needs PyTorch: pip install 'a2q[torch]'") from error

from .budget import Accumulator, Codes
from .export import export
from .layers import (
    LayerIntegers,
    QuantConv1d,
    QuantConv2d,
    QuantLinear,
    penalty,
    quantized_layers,
)
from .prepare import describe, prepare, reestimate_batch_norm
from .projection import nearest_integers
from .prove import LayerProof, proof_of, prove
from .quantizers import METHODS, ActivationQuantizer, WeightQuantizer, weight_quantizer

__all__ = [
    "Accumulator",
    "ActivationQuantizer",
    "Codes",
    "LayerIntegers",
    "LayerProof",
    "METHODS",
    "QuantConv1d",
    "QuantConv2d",
    "QuantLinear",
    "WeightQuantizer",
    "describe",
    "export",
    "nearest_integers",
    "penalty",
    "prepare",
    "proof_of",
    "prove",
    "quantized_layers",
    "reestimate_batch_norm",
    "weight_quantizer",
]
