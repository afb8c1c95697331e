# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks as something to call: ONNX Runtime's sessions, and what a2q-compile makes."""

import ctypes
import re
import subprocess

import numpy as np


class Session:
    """ONNX Runtime on one thread."""

    def __init__(self, path, optimized=True, outputs=()):
        import onnx
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if not optimized:
            options.graph_optimization_level = \
                onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        model = onnx.load(path)
        for name in outputs:
            model.graph.output.append(onnx.ValueInfoProto(name=name))
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                                    providers=["CPUExecutionProvider"])
        self.outputs = list(outputs) or [self.session.get_outputs()[0].name]

    def __call__(self, feeds):
        return self.session.run(self.outputs, feeds)


class Program:
    """A compiled network in this process; its header says what it takes and gives."""

    TYPES = {"float": np.float32, "int64_t": np.int64, "int32_t": np.int32}

    def __init__(self, compiler, model, path, *options):
        """Compiles `model` unless `path`, a .so, is there."""
        if not path.exists():
            stem = re.sub(r"\W", "_", path.stem)
            call([compiler, model, "-o", path.with_suffix(".o"), f"--prefix={stem}", *options])
            call(["cc", "-shared", "-o", path, path.with_suffix(".o"), "-lm"])
        header = path.with_suffix(".h").read_text()
        self.library = ctypes.CDLL(str(path))
        prefix = re.search(r"(\w+)_workspace_size", header)[1]
        size = getattr(self.library, prefix + "_workspace_size")
        size.restype = ctypes.c_size_t
        self.workspace = np.zeros(size() + 64, np.uint8)
        self.run = getattr(self.library, prefix + "_run")
        self.inputs = self.arrays(header, "inputs")
        self.outputs = self.arrays(header, "outputs")

    def arrays(self, header, side):
        """(name, array) in the order of the header."""
        found = re.findall(rf"{side}\[\d+\]: (\w+) ((?:\[\d+\])*),? ?(.*)", header)
        return [(name.split(",")[0],
                 np.zeros([int(n) for n in re.findall(r"\d+", shape)], self.TYPES[kind]))
                for kind, shape, name in found]

    def __call__(self, feeds):
        for name, array in self.inputs:
            array[...] = feeds[name]
        pointers = [(ctypes.c_void_p * len(side))(*[a.ctypes.data for _, a in side])
                    for side in (self.inputs, self.outputs)]
        status = self.run(*pointers, ctypes.c_void_p(self.workspace.ctypes.data))
        if status:
            raise RuntimeError(f"the program returned {status}")
        return [array.copy() for _, array in self.outputs]


def call(command):
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr.strip()}")
    return done.stdout


def answers(program, feeds):
    """The first output of each sample, one after the other."""
    count = len(next(iter(feeds.values())))
    return np.concatenate([program({k: v[i:i + 1] for k, v in feeds.items()})[0]
                           for i in range(count)])
