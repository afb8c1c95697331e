#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory that an import takes, beside three times the file and 200 MB.

    memory.py build FOLDER      writes models of some ten megabytes
    memory.py measure FOLDER    imports them and fails where one takes more

Two steps, because a process counts what its parent held when it was started.
"""

import glob
import os
import resource
import subprocess
import sys


def build(folder):
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def model(dtype, size, layers):
        rng = np.random.default_rng(1)
        tensors, nodes, x = [], [], "x"

        def constant(values, dtype, name):
            tensors.append(numpy_helper.from_array(np.asarray(values, dtype), name))
            return name

        s, z = constant(0.01, np.float32, "s"), constant(128, np.uint8, "z")
        for layer in range(layers):
            if dtype is np.int8:
                codes = rng.integers(-127, 128, (size, size), dtype=np.int8)
                w = constant(codes, dtype, f"w{layer}")
                nodes.append(helper.make_node("QuantizeLinear", [x, s, z], [f"q{layer}"]))
                nodes.append(helper.make_node("DequantizeLinear", [f"q{layer}", s, z],
                                              [f"x{layer}"]))
                nodes.append(helper.make_node("DequantizeLinear", [w, s], [f"dw{layer}"]))
                x, w = f"x{layer}", f"dw{layer}"
            else:
                w = constant(rng.random((size, size), np.float32), dtype, f"w{layer}")
            nodes.append(helper.make_node("MatMul", [x, w], [f"y{layer}"]))
            x = f"y{layer}"
        graph = helper.make_graph(
            nodes, "memory", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, size])],
            [helper.make_tensor_value_info(x, TensorProto.FLOAT, None)], tensors)
        result = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        result.ir_version = 8
        return result

    os.makedirs(folder, exist_ok=True)
    integers = model(np.int8, 2000, 6)
    onnx.save(integers, os.path.join(folder, "integers.onnx"))
    onnx.save(model(np.float32, 1600, 3), os.path.join(folder, "reals.onnx"))
    onnx.save(integers, os.path.join(folder, "external.onnx"), save_as_external_data=True,
              location="external.data")


def peak(command):
    """Bytes, of this child alone: the largest so far is what the system tells."""
    read, write = os.pipe()
    if os.fork() == 0:
        code = subprocess.run(command).returncode
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        os.write(write, b"%d %d" % (code, most * 1024))
        os._exit(0)
    os.wait()
    code, most = os.read(read, 64).split()
    if int(code):
        sys.exit(f"{' '.join(command)} failed")
    return int(most)


def main():
    mode, folder = sys.argv[1:]
    if mode == "build":
        return build(folder)
    wrong = False
    for path in sorted(glob.glob(os.path.join(folder, "*.onnx"))):
        data = path.replace(".onnx", ".data")
        size = os.path.getsize(path) + (os.path.getsize(data) if os.path.exists(data) else 0)
        # Printing elided constants takes nothing.
        most = peak(["a2q-translate", "--import-onnx", path, "-o", os.devnull,
                     "--mlir-elide-elementsattrs-if-larger=16"])
        limit = 3 * size + 200 * 10**6
        wrong |= most > limit
        print(f"{os.path.basename(path)}: {size / 1e6:.0f} MB, {most / 1e6:.0f} MB of "
              f"{limit / 1e6:.0f} MB: {'too much' if most > limit else 'fits'}")
    sys.exit(wrong)


if __name__ == "__main__":
    main()
