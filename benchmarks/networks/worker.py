# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One runtime with one network in a process of its own.

    worker.py JOB.json

The job names runner, model, input, output, threads and options. The worker
computes the output once, saves it, and answers "ready". Then it reads numbers
of calls and answers each with the nanoseconds of one call: of the clock on the
wall, and of all threads of this process together.
"""

import ctypes
import json
import os
import sys
import time

import numpy as np


def aligned(array):
    """A copy that begins where a cache line does, as allocators have it."""
    raw = np.zeros(array.nbytes + 64, np.uint8)
    first = -raw.ctypes.data % 64
    view = raw[first:first + array.nbytes].view(array.dtype)
    view = view.reshape(array.shape)
    view[...] = array
    return view


def a2q(job, x):
    library = ctypes.CDLL(job["library"])
    library.model_workspace_size.restype = ctypes.c_size_t
    y = aligned(np.zeros(job["shape"], job["type"]))
    x = aligned(x)
    space = aligned(np.zeros(library.model_workspace_size() + 1, np.uint8))
    pointer = lambda a: ctypes.c_void_p(a.ctypes.data)
    inputs = (ctypes.c_void_p * 1)(pointer(x))
    outputs = (ctypes.c_void_p * 1)(pointer(y))

    def run(calls):
        status = library.repeat_model(inputs, outputs, pointer(space), calls)
        if status:
            raise RuntimeError(f"status {status}")
        return y, (x, space)
    return run


def onnxruntime(job, x):
    import onnxruntime as rt
    options = rt.SessionOptions()
    options.intra_op_num_threads = job["threads"]
    options.inter_op_num_threads = 1
    if "exact" in job["options"]:
        options.add_session_config_entry("session.x64quantprecision", "1")
    session = rt.InferenceSession(job["model"], options,
                                  providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_cpu_input(session.get_inputs()[0].name, x)
    binding.bind_output(session.get_outputs()[0].name)

    def run(calls):
        for _ in range(calls):
            session.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()[0], None
    return run


def openvino(job, x):
    import openvino as ov
    model = ov.Core().compile_model(job["model"], "CPU", {
        "INFERENCE_NUM_THREADS": job["threads"],
        "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"})
    request = model.create_infer_request()
    request.set_input_tensor(ov.Tensor(x, shared_memory=True))

    def run(calls):
        for _ in range(calls):
            request.infer()
        return np.array(request.get_output_tensor().data), None
    return run


def iree(job, x):
    from iree import compiler, runtime
    from iree.compiler.tools.import_onnx import __main__ as importer
    stem = os.path.splitext(job["output"])[0]
    importer.main(importer.parse_arguments(
        [job["model"], "-o", stem + ".mlir"]))
    code = compiler.compile_file(
        stem + ".mlir", target_backends=["llvm-cpu"], input_type="onnx",
        extra_args=["--iree-llvmcpu-target-cpu=" + job["options"]["cpu"],
                    "--iree-opt-level=O3"])
    driver = "local-sync" if job["threads"] == 1 else "local-task"
    config = runtime.Config(driver)
    module = runtime.VmModule.copy_buffer(config.vm_instance, code)
    loaded = runtime.load_vm_module(module, config)
    call = loaded[next(n for n in module.function_names
                       if not n.startswith("_") and not n.endswith("$async"))]
    device = runtime.asdevicearray(config.device, x)

    def run(calls):
        for _ in range(calls):
            y = call(device)
        return y.to_host(), None
    return run


def litert(job, x):
    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter(job["model"], num_threads=job["threads"])
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    (target,) = interpreter.get_output_details()
    interpreter.set_tensor(source["index"],
                           np.ascontiguousarray(np.moveaxis(x, 1, -1)))

    def run(calls):
        for _ in range(calls):
            interpreter.invoke()
        return interpreter.get_tensor(target["index"]), None
    return run


def main():
    with open(sys.argv[1]) as f:
        job = json.load(f)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What libraries print is no answer.
    x = np.load(job["input"])
    kind = job["runner"].split()[0]
    try:
        run = globals()[kind](job, x)
        np.save(job["output"], run(1)[0])
        ready = "ready"
    except Exception as error:  # The table says what a runtime cannot do.
        lines = [s for s in str(error).splitlines() if s.strip()]
        ready = type(error).__name__ + ": " + " ".join(lines[:3])[:300]
    print(json.dumps(ready), file=answers, flush=True)
    if ready != "ready":
        return
    for line in sys.stdin:
        calls = int(line)
        wall, cpu = time.perf_counter(), time.process_time()
        run(calls)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps([wall / calls * 1e9, cpu / calls * 1e9]),
              file=answers, flush=True)


if __name__ == "__main__":
    main()
