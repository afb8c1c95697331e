#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One file, two processors, other answers: the digits network in 8 bits.

    digits.py FOLDER [--a2q-check build/release/bin/a2q-check]
              [--results results.json]

quantizes examples/digits/digits-float.onnx with ONNX Runtime's quantizer (QDQ,
u8 activations, s8 weights per channel), once as it is, once with the vendor's
remedy `reduce_range` (7-bit weights), and runs both on the held-out images

  here     on this processor, if it has VNNI,
  avx2     on a Haswell that QEMU emulates, as ONNX Runtime runs by default,
  exact    there, with session.x64quantprecision=1 (u8 weights).

It prints how many answers and how many logits differ from the exact ones, and
what a2q-check says of the files. Then it feeds the witness of each layer to
that layer alone, the same node of the same file, on the same processors. All of
it goes into the results as well, of which page.py makes docs/saturation.md.

Needs onnx, onnxruntime and scikit-learn (PyPI; tried with onnxruntime 1.31.1)
and qemu-user-static (Debian). QEMU computes pmaddubsw as processors do, so no
old machine is needed; it is slow, which does not matter here.
"""

import argparse
import json
import os
import pathlib
import subprocess

import numpy as np

import runtime
import tasks


# ---------------------------------------------------------------------------
# The experiment
# ---------------------------------------------------------------------------


def compare(folder, task, model):
    labels, images = task.labels, folder / "images.npy"
    np.save(images, task.test)
    exact = runtime.run(folder, model, images, "exact")
    places = (["here"] if runtime.has_vnni() else []) + ["avx2"]
    print(f"\n{model.name}, {len(labels)} images\n"
          f"{'':10} {'right':>8} {'other answers':>14} {'other logits':>13} "
          f"{'largest difference':>19}")
    print(f"{'exact':10} {(exact.argmax(1) == labels).mean():8.2%}")
    rows = [{"place": "exact", "right": int((exact.argmax(1) == labels).sum())}]
    for place in places:
        found = runtime.run(folder, model, images, place)
        row = {"place": place,
               "right": int((found.argmax(1) == labels).sum()),
               "other_answers": int((found.argmax(1) !=
                                     exact.argmax(1)).sum()),
               "other_logits": float((found != exact).mean()),
               "largest_difference": float(np.abs(found - exact).max())}
        rows.append(row)
        print(f"{place:10} {row['right'] / len(labels):8.2%} "
              f"{row['other_answers']:14} {row['other_logits']:13.1%} "
              f"{row['largest_difference']:19.4f}")
    return {"inputs": len(labels), "rows": rows}


def patch(node_attributes, weights, image, position, channel):
    """What one output of a convolution multiplies: codes and weights."""
    pads = node_attributes.get("pads", [0, 0, 0, 0])
    strides = node_attributes.get("strides", [1, 1])
    dilations = node_attributes.get("dilations", [1, 1])
    per_group = len(weights) // node_attributes.get("group", 1)
    w = weights[channel].astype(np.int64)
    first = channel // per_group * w.shape[0]
    x = np.zeros_like(w)
    for row in range(w.shape[1]):
        for column in range(w.shape[2]):
            at = [position[d] * strides[d] + tap * dilations[d] - pads[d]
                  for d, tap in ((0, row), (1, column))]
            if all(0 <= at[d] < image.shape[2 + d] for d in (0, 1)):
                x[:, row, column] = image[0, first:first + len(w), at[0], at[1]]
    return x, w


def layer_model(folder, model, layer, witness):
    """The node of that name as QLinearConv or QGemm. Its bias takes away the
    sum that a2q-check foretells for the worst channel under saturation, so that
    this channel is code 128, to the unit, where it does saturate."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = onnx.load(model).graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    by_output = {out: node for node in graph.node for out in node.output}
    node = next(n for n in graph.node if n.name == layer["name"])
    x, w = (by_output[name] for name in node.input[:2])
    weights, zero = constants[w.input[0]], constants[x.input[2]]
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    found = layer["witness"]
    channel, one = found["channel"], np.float32(1)
    inputs = ["x", "one", "x_zero", "w", "one", "w_zero"]
    # Zero points are 0 here: the runtime's correction for others is exact.
    if node.op_type == "Conv":
        codes, row = patch(attributes, weights, witness.astype(np.int64),
                           found["position"], channel)
        only = helper.make_node("QLinearConv",
                                inputs + ["one", "y_zero", "bias"], ["y"],
                                **attributes)
    else:
        if not attributes.get("transB", 0):
            weights = weights.T.copy()
        codes, row = witness[0].astype(np.int64), weights[channel]
        only = helper.make_node("QGemm", inputs + ["bias", "one", "y_zero"],
                                ["y"], domain="com.microsoft", transB=1)
    bias = np.zeros(len(weights), np.int32)
    bias[channel] = found["loss"] - int((codes * row.astype(np.int64)).sum())
    tensors = {"one": one, "x_zero": zero.dtype.type(0), "w": weights,
               "w_zero": np.int8(0), "bias": bias, "y_zero": np.uint8(128)}
    element = TensorProto.INT8 if zero.dtype == np.int8 else TensorProto.UINT8
    result = helper.make_model(
        helper.make_graph(
            [only], "layer",
            [helper.make_tensor_value_info("x", element, witness.shape)],
            [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
            [numpy_helper.from_array(np.asarray(v), k)
             for k, v in tensors.items()]),
        opset_imports=[helper.make_opsetid("", 13),
                       helper.make_opsetid("com.microsoft", 1)])
    result.ir_version = 8
    path = folder / "layer.onnx"
    onnx.save(result, path)
    return path


def witnesses(folder, model, report):
    print(f"\nwitnesses of {model.name} in ONNX Runtime: codes of the worst "
          f"channel when its\nbias makes the saturated sum 128\n"
          f"{'layer':24} {'channel':>8} {'foretold loss':>14} {'avx2':>5} "
          f"{'exact':>6}")
    rows = []
    for layer in report["layers"]:
        if not layer["witness"]:
            continue
        found = layer["witness"]
        inputs = pathlib.Path(found["file"])
        path = layer_model(folder, model, layer, np.load(inputs))
        at = (0, found["channel"], *found["position"])
        codes = [runtime.run(folder, path, inputs, place)[at]
                 for place in ("avx2", "exact")]
        print(f"{layer['name'][-24:]:24} {found['channel']:8} "
              f"{found['loss']:14} {codes[0]:5} {codes[1]:6}")
        rows.append({"layer": layer["name"], "channel": found["channel"],
                     "loss": found["loss"], "avx2": int(codes[0]),
                     "exact": int(codes[1])})
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--a2q-check", default="build/release/bin/a2q-check")
    parser.add_argument("--results", type=pathlib.Path)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    task = tasks.Digits(None, args.folder)
    example = {}
    for reduce_range in (False, True):
        model = tasks.quantize(task, args.folder, reduce_range)
        name = "reduce_range" if reduce_range else "8 bits"
        example[name] = compare(args.folder, task, model)
        report = args.folder / (model.stem + ".json")
        report.unlink(missing_ok=True)
        folder = args.folder / (model.stem + "-witness")
        print(f"\na2q-check --saturation {model.name}", flush=True)
        status = subprocess.run(
            [args.a2q_check, "--saturation", str(model), f"--report={report}",
             f"--witness={folder}"]).returncode
        print(f"exit status {status}", flush=True)
        example[name]["status"] = status
        example[name]["witnesses"] = witnesses(args.folder, model,
                                               json.loads(report.read_text()))
    if args.results:
        results = json.loads(args.results.read_text())
        results["example"] = example
        args.results.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
