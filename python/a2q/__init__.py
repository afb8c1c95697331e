# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantized networks with proven accumulator widths.

>>> import a2q
>>> model = a2q.load("model.onnx")
>>> print(model.prove())                       # bits that each layer needs
>>> narrow = model.constrain(width=16)         # another model, whose sums fit
>>> program = narrow.compile()
>>> y = program(x)                             # numpy in, numpy out

Everything is computed by the C++ library; this package names it, checks
arguments and converts arrays. It needs numpy and nothing else.
"""

from a2q import bounds
from a2q._check import LayerSaturation, SaturationReport, check
from a2q._errors import Diagnostic, Error
from a2q._model import Compiled, Model, TensorSpec, load, parse, quantize
from a2q._report import ChannelReport, LayerReport, Report, Stage
from a2q._weights import (
    Constrained,
    constrain_weights,
    methods,
    nearest_integers,
    project,
)

__version__ = "0.1.0"

__all__ = [
    "ChannelReport",
    "Compiled",
    "Constrained",
    "Diagnostic",
    "Error",
    "LayerReport",
    "LayerSaturation",
    "Model",
    "Report",
    "SaturationReport",
    "Stage",
    "TensorSpec",
    "bounds",
    "check",
    "constrain_weights",
    "load",
    "methods",
    "nearest_integers",
    "parse",
    "project",
    "quantize",
]
