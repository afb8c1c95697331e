# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX Runtime here, on an emulated Haswell, and there in its exact mode.

QEMU computes pmaddubsw as processors do, so no old machine is needed. It is
slow, and says nothing about time.
"""

import pathlib
import subprocess
import sys
import time

import numpy as np

EXACT = {"session.x64quantprecision": "1"}


def session(model, exact=False):
    import onnxruntime as ort

    ort.set_default_logger_severity(3)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    if exact:
        for key, value in EXACT.items():
            options.add_session_config_entry(key, value)
    return ort.InferenceSession(str(model), options,
                                providers=["CPUExecutionProvider"])


def outputs(made, inputs):
    """The first output for all inputs, batch by batch where it is fixed."""
    info = made.get_inputs()[0]
    batch = info.shape[0] if isinstance(info.shape[0], int) else len(inputs)
    parts = [made.run(None, {info.name: inputs[at: at + batch]})[0]
             for at in range(0, len(inputs), batch)]
    return np.concatenate(parts)


def run(folder, model, inputs, where, cpu="Haswell-v4"):
    """The first output; `where` is here, avx2 or exact, `inputs` a file."""
    output = pathlib.Path(folder) / "output.npy"
    command = [sys.executable, __file__, str(model), str(inputs), str(output),
               where]
    if where != "here":
        command = ["qemu-x86_64-static", "-cpu", cpu] + command
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return np.load(output)


def emulated(folder, models, inputs, cpu="Haswell-v4"):
    """For each model its first output in exact mode and by default, there; one
    process for all, because starting it is what takes the most time."""
    output = pathlib.Path(folder) / "outputs.npz"
    command = ["qemu-x86_64-static", "-cpu", cpu, sys.executable, __file__,
               "--all", str(inputs), str(output), *map(str, models)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    found = np.load(output)
    return [(found[f"{index} exact"], found[f"{index} avx2"])
            for index in range(len(models))]


def processor_time(model, inputs, exact=False):
    """Milliseconds of one thread for one input on this processor, the least of
    many passes: other work on the machine only adds to it."""
    made = session(model, exact)
    outputs(made, inputs)
    best, begin = float("inf"), time.process_time()
    while time.process_time() - begin < 1.5:
        start = time.process_time()
        outputs(made, inputs)
        best = min(best, time.process_time() - start)
    return 1000 * best / len(inputs)


def has_vnni():
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    return "avx512_vnni" in flags or "avx_vnni" in flags


def main():
    if sys.argv[1] != "--all":
        model, inputs, output, where = sys.argv[1:]
        np.save(output, outputs(session(model, where == "exact"),
                                np.load(inputs)))
        return
    inputs, output, *models = sys.argv[2:]
    np.savez(output, **{
        f"{index} {where}": outputs(session(model, where == "exact"),
                                    np.load(inputs))
        for index, model in enumerate(models) for where in ("exact", "avx2")})


if __name__ == "__main__":
    main()
