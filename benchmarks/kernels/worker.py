# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One peer in a process of its own, so that its instruction set can be capped.

    worker.py PEER

Reads lines `CASE BATCHES CALLS` and answers each with the nanoseconds of one
call in each batch, as JSON; time is that of the thread, so that what else the
machine does counts little. Peers are fbgemm, fbgemm16 and onednn, all inside
the PyTorch package, and ort and nbits of ONNX Runtime. Weights are packed beforehand and
results are requantized to bytes by the peer's own post-processing.
"""

import ctypes
import functools
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from cases import CASES, SPARSE, SUB_BYTE_CASES


def data(case):
    rng = np.random.default_rng(0)
    if case.rows:
        x = rng.integers(0, 256, (case.rows, case.length))
        w = rng.integers(-7, 8, (case.channels, case.length))
    else:
        x = rng.integers(0, 256, (1, case.inputs, case.image, case.image))
        w = rng.integers(-7, 8, (case.channels, case.inputs // case.groups,
                                 case.kernel, case.kernel))
    return x.astype(np.uint8), w.astype(np.int8)


def torch_threads():
    import torch
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    return torch


def fbgemm(case):
    torch = torch_threads()
    torch.backends.quantized.engine = "fbgemm"
    x, w = map(torch.from_numpy, data(case))
    q = torch._make_per_tensor_quantized_tensor(x, 0.1, 0)
    qw = torch._make_per_tensor_quantized_tensor(w, 0.1, 0)
    if case.rows:
        packed = torch.ops.quantized.linear_prepack(qw, None)
        return lambda: torch.ops.quantized.linear(q, packed, 9.0, 0)
    q = q.contiguous(memory_format=torch.channels_last)
    pad = [case.kernel // 2] * 2
    packed = torch.ops.quantized.conv2d_prepack(
        qw, None, [case.stride] * 2, pad, [1, 1], case.groups)
    return lambda: torch.ops.quantized.conv2d(q, packed, 9.0, 0)


@functools.cache
def fbgemm16_library():
    """fbgemm16.cpp beside PyTorch's libraries, built once in a process."""
    root = os.path.dirname(torch_threads().__file__)
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "fbgemm16.cpp")
    path = os.path.join(tempfile.mkdtemp(prefix="a2q-bench-"), "fbgemm16.so")
    subprocess.run(
        ["clang++-22", "-O2", "-std=c++20", "-shared", "-fPIC", source,
         f"-I{root}/include", f"-L{root}/lib", "-ltorch_cpu", "-lc10",
         f"-Wl,-rpath,{root}/lib", "-o", path], check=True)
    library = ctypes.CDLL(path)
    library.create.restype = ctypes.c_void_p
    return library


def fbgemm16(case):
    """FBGEMM with 16-bit accumulators, which saturate."""
    if case.groups > 1:
        raise ValueError("no groups")
    library = fbgemm16_library()
    x, w = data(case)
    if not case.rows:
        x = np.ascontiguousarray(np.moveaxis(x, 1, 3))
        w = np.ascontiguousarray(np.moveaxis(w, 1, 3))
    y = np.empty(case.macs // w[0].size, np.uint8)
    pointer = lambda a: ctypes.c_void_p(a.ctypes.data)
    layer = ctypes.c_void_p(library.create(
        case.rows, case.channels, case.length, case.image, case.inputs,
        case.kernel, case.stride, pointer(w), ctypes.c_float(0.001)))
    arguments = layer, pointer(x), pointer(y)

    def run():  # Holds the arrays.
        library.run(*arguments)
        return x, w, y
    return run


def onednn(case):
    torch = torch_threads()
    x, w = map(torch.from_numpy, data(case))
    scales = torch.full((case.channels,), 0.1)
    zeros = torch.zeros(case.channels, dtype=torch.int64)
    after = (None, 9.0, 0, torch.uint8, "none", [], "")
    if case.rows:
        packed = torch.ops.onednn.qlinear_prepack(w, x.shape)
        return lambda: torch.ops.onednn.qlinear_pointwise(
            x, 0.1, 0, packed, scales, zeros, *after)
    x = x.contiguous(memory_format=torch.channels_last)
    where = ([case.stride] * 2, [case.kernel // 2] * 2, [1, 1], case.groups)
    packed = torch.ops.onednn.qconv_prepack(w, scales, 0.1, 0, *where,
                                            x.shape)
    return lambda: torch.ops.onednn.qconv_pointwise(
        x, 0.1, 0, packed, scales, zeros, None, *where, *after[1:])


def bound_run(model, x):
    """Calls ONNX Runtime on one thread, from x to y, without copies."""
    import onnxruntime as rt
    options = rt.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = rt.InferenceSession(model.SerializeToString(), options,
                                  providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("y")
    return lambda: session.run_with_iobinding(binding)


def ort(case):
    import onnx
    from onnx import TensorProto as T
    from onnx import helper, numpy_helper
    x, w = data(case)
    if case.rows:
        w = np.ascontiguousarray(w.T)
    constant = numpy_helper.from_array
    scale = lambda name: constant(np.array(0.1, np.float32), name)
    weights = [constant(w, "w"), scale("xs"), scale("ws"),
               constant(np.array(9.0, np.float32), "ys"),
               constant(np.array(0, np.uint8), "xz"),
               constant(np.array(0, np.int8), "wz")]
    inputs = ["x", "xs", "xz", "w", "ws", "wz", "ys", "xz"]
    if case.rows:
        node = helper.make_node("QLinearMatMul", inputs, ["y"])
    else:
        node = helper.make_node(
            "QLinearConv", inputs, ["y"], group=case.groups,
            strides=[case.stride] * 2, pads=[case.kernel // 2] * 4)
    graph = helper.make_graph(
        [node], "case", [helper.make_tensor_value_info("x", T.UINT8, x.shape)],
        [helper.make_tensor_value_info("y", T.UINT8, None)], weights)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bound_run(model, x)


def nbits(case):
    """Weights of two bits in blocks of 128, activations of 8 made from floats."""
    from onnx import TensorProto as T
    from onnx import helper, numpy_helper
    if not case.rows:
        raise ValueError("no convolutions")
    rng = np.random.default_rng(0)
    blocks = case.length // 128
    weights = rng.integers(0, 256, (case.channels, blocks, 32))
    scales = np.full(case.channels * blocks, 0.1, np.float32)
    x = rng.random((case.rows, case.length), np.float32)
    node = helper.make_node(
        "MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft",
        K=case.length, N=case.channels, bits=2, block_size=128,
        accuracy_level=4)
    graph = helper.make_graph(
        [node], "case", [helper.make_tensor_value_info("x", T.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", T.FLOAT, None)],
        [numpy_helper.from_array(weights.astype(np.uint8), "w"),
         numpy_helper.from_array(scales, "s")])
    model = helper.make_model(
        graph, ir_version=8, opset_imports=[
            helper.make_opsetid("", 17),
            helper.make_opsetid("com.microsoft", 1)])
    return bound_run(model, x)


def main():
    build = {"fbgemm": fbgemm, "fbgemm16": fbgemm16, "onednn": onednn,
             "ort": ort, "nbits": nbits}[sys.argv[1]]
    cases = {case.name: case for case in SUB_BYTE_CASES + CASES + SPARSE}
    ready = {}
    for line in sys.stdin:
        name, batches, calls = line.split()
        try:
            if name not in ready:
                ready[name] = build(cases[name])
            run, times = ready[name], []
            for _ in range(int(batches)):
                start = time.thread_time()
                for _ in range(int(calls)):
                    run()
                times.append((time.thread_time() - start) * 1e9 / int(calls))
            print(json.dumps(times), flush=True)
        except Exception as error:  # The table says what a peer cannot do.
            print(json.dumps(str(error).splitlines()[0]), flush=True)


if __name__ == "__main__":
    main()
