#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""external_data.py WITHIN BESIDE: one model twice, the second time with its tensors in
weights.data beside it."""

import sys

import onnx
from models import conv_padded


def main():
    within, beside = sys.argv[1:]
    model = conv_padded()
    with open(within, "wb") as file:
        file.write(model.SerializeToString())
    onnx.save_model(model, beside, save_as_external_data=True, all_tensors_to_one_file=True,
                    location="weights.data", size_threshold=0)
    tensors = onnx.load(beside, load_external_data=False).graph.initializer
    places = [entry.value for tensor in tensors for entry in tensor.external_data
              if entry.key == "offset"]
    print(f"{len(tensors)} tensors at {len(set(places))} places")


if __name__ == "__main__":
    main()
