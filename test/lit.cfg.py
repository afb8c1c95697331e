# Configuration of the lit tests; CMake fills lit.site.cfg.py.in.
import importlib.util
import os
import shutil
import subprocess
import sys

import lit.formats
from lit.llvm import llvm_config

config.name = "a2q"
config.test_format = lit.formats.ShTest(True)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "CMakeLists.txt"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.a2q_obj_root + "/test"

# A test that hangs fails within this many seconds.
lit_config.maxIndividualTestTime = 300

llvm_config.with_environment("PATH", config.a2q_tools_dir, append_path=True)
llvm_config.with_environment("PATH", config.llvm_tools_dir, append_path=True)
config.environment["FILECHECK_OPTS"] = "-enable-var-scope --allow-unused-prefixes=false"

# The asan preset's: the packaged LLVM and MLIR are not sanitized, and memory
# that headers poison would never be unpoisoned by the libraries.
llvm_config.with_system_environment("ASAN_OPTIONS")

# Tests are run by lit's own Python, the system's. A2Q_TEST_PYTHON names another
# one, such as that of an environment with packages from PyPI.
python = os.environ.get("A2Q_TEST_PYTHON", sys.executable)


def has_modules(*names):
    if python == sys.executable:
        return all(map(importlib.util.find_spec, names))
    search = "import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, sys.argv[1:])))"
    return subprocess.run([python, "-c", search, *names]).returncode == 0


# Tests that make ONNX models (Debian: python3-onnx).
if has_modules("onnx"):
    config.available_features.add("python-onnx")

# Tests that ask ONNX Runtime anew (PyPI: onnxruntime).
if has_modules("onnx", "onnxruntime"):
    config.available_features.add("python-onnxruntime")

# Tests that run TensorFlow Lite, and PyTorch by way of torch-mlir (PyPI; see
# examples/tflite and examples/torch-mlir).
if has_modules("ai_edge_litert", "tosa_converter_for_tflite"):
    config.available_features.add("python-tflite")
if has_modules("torch", "torch_mlir"):
    config.available_features.add("python-torch-mlir")

# Tests that look at pages (Debian: chromium).
if shutil.which("chromium"):
    config.available_features.add("chromium")

# Tests of programs on processors that this one is not (Debian:
# qemu-user-static).
qemu = shutil.which("qemu-x86_64-static")
if qemu:
    config.available_features.add("qemu-x86_64")
    config.substitutions.append(("%qemu", qemu))

# Tests of programs with several threads (Debian: libomp-22-dev).
if os.path.exists(os.path.join(os.path.dirname(config.llvm_tools_dir), "lib",
                               "libomp.so")):
    config.available_features.add("libomp")

config.substitutions.append(("%a2q_src", config.a2q_src_root))
config.substitutions.append(("%a2q_obj", config.a2q_obj_root))
config.substitutions.append(
    ("%mlir_libs", os.path.join(os.path.dirname(config.llvm_tools_dir), "lib")))
config.substitutions.append(("%python", python))

# Programs are tested for every instruction set that this machine has; the
# others are reported as unsupported.
try:
    with open("/proc/cpuinfo") as cpuinfo:
        flags = set(cpuinfo.read().split())
except OSError:
    flags = set()
if "avx2" in flags:
    config.available_features.add("avx2")
if {"avx512bw", "avx512vl"} <= flags:
    config.available_features.add("avx512bw")
if {"avx512bw", "avx512vl", "avx512_vnni"} <= flags:
    config.available_features.add("avx512vnni")
if {"avx512bw", "avx512vl", "avx512_vnni", "avx512vbmi"} <= flags:
    config.available_features.add("avx512vbmi")

# A stock mlir-opt has no sanitizer runtime, which a sanitized plugin needs.
if "-fsanitize" not in config.a2q_cxx_flags:
    config.available_features.add("plugin")
