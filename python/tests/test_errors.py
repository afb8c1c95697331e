# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is refused: one exception with the cause, the remedy and a command."""

import os
import shutil
import subprocess

import numpy as np
import pytest

import a2q
from conftest import DIGITS, run_command


def test_no_such_file():
    with pytest.raises(a2q.Error, match="No such file") as caught:
        a2q.load("nothing.onnx")
    assert "nothing.onnx" in str(caught.value)
    assert "reproduce: a2q-translate --import-onnx" in str(caught.value)


@pytest.mark.parametrize("name", ["m.onnx", "m.mlir", "m.txt", "folder.onnx"])
def test_unreadable_model(tmp_path, name):
    path = tmp_path / name
    path.mkdir() if name.startswith("folder") else path.write_bytes(b"\x08\xffno\x00")
    with pytest.raises(a2q.Error):
        a2q.load(path)


def test_truncated_model(tmp_path):
    whole = (DIGITS / "digits-w4a4.onnx").read_bytes()
    for length in (1, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "m.onnx").write_bytes(whole[:length])
        with pytest.raises(a2q.Error):
            a2q.load(tmp_path / "m.onnx")


def test_diagnostics_have_a_place_and_a_note(digits, capfd):
    with pytest.raises(a2q.Error) as caught:
        digits.constrain(width=3)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.severity == "error"
    assert diagnostic.location == "conv1"
    assert diagnostic.message.startswith(
        "channels 0 to 15 would lose all their weights"
    )
    assert "smallest width" in diagnostic.notes[0].message
    assert caught.value.model is digits
    # Everything is in the exception.
    assert capfd.readouterr() == ("", "")


def test_parse_errors_have_a_line():
    with pytest.raises(a2q.Error) as caught:
        a2q.parse("module {\n  nonsense\n}")
    assert caught.value.diagnostics[0].location.endswith(":2:3")


@pytest.mark.parametrize("after", [lambda m: m, lambda m: m.stage(inner=8)])
def test_commands_reproduce(digits, after, tool):
    with pytest.raises(a2q.Error) as caught:
        after(digits).constrain(width=3)
    error = caught.value
    path = os.environ["A2Q_TOOLS"] + os.pathsep + os.environ["PATH"]
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", error.command],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
    )
    assert result.returncode != 0
    assert error.diagnostics[0].message in result.stderr


def test_commands_of_networks_without_a_file(two, digits, images, tmp_path, tool):
    model = digits.quantize(images[:20], width=9)
    with pytest.raises(a2q.Error) as caught:
        model.constrain(width=2)
    error = caught.value
    assert "after:" in str(error)
    error.model.save(tmp_path / "model.mlir")
    result = run_command(error, tmp_path)
    assert result.returncode != 0
    assert error.diagnostics[0].message in result.stderr


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.prove("tight"), "tight"),
        (lambda m: m.constrain(width=0), "from 1 to 64"),
        (lambda m: m.constrain(width="12a"), "takes an integer"),
        (lambda m: m.constrain(method="magic"), "magic"),
        (lambda m: m.constrain(method="a2q-plus", bound="exact"), "exact"),
        (lambda m: m.constrain(tile=-5), "from 0"),
        (lambda m: m.stage(inner=0), "from 1"),
        (lambda m: m.stage(granularity=0), "from 1"),
        (lambda m: m.compile(accumulator=7), "it takes 8, 16, 32"),
        (lambda m: m.compile(isa="mmx"), "portable, avx2"),
        (lambda m: m.compile(target_cpu="z80"), "z80"),
        (lambda m: m.compile(target_cpu="core2", isa="avx2"), "lacks"),
        (lambda m: m.compile(prefix="1st"), "cannot begin the name"),
        (lambda m: a2q.load(DIGITS / "digits-w4a4.onnx", batch=0), "batch is 0"),
        (lambda m: a2q.load("m.mlir", batch=2), "are for .onnx"),
        (lambda m: a2q.load("m.mlir", shapes=[1, 2]), "are for .onnx"),
        (lambda m: a2q.load("m.onnx", shapes=5), "a shape, or shapes by name"),
        (lambda m: a2q.load("m.onnx", shapes=[1, -2]), "a size is -2"),
        (
            lambda m: a2q.load(DIGITS / "digits-w4a4.onnx", shapes={"no": [1]}),
            "no",
        ),
        (lambda m: a2q.check("nothing.onnx"), "No such file"),
        (lambda m: a2q.check(DIGITS / "digits-w4a4.onnx", isa="mmx"), "ssse3"),
        (lambda m: a2q.check("m.mlir", by_type=True), "for .onnx files"),
        (lambda m: a2q.check("m.mlir", shapes=[1, 2]), "are for .onnx files"),
        (
            lambda m: a2q.check(DIGITS / "digits-w4a4.onnx", shapes={"no": [1]}),
            "no",
        ),
    ],
)
def test_bad_options(digits, call, message):
    with pytest.raises(a2q.Error, match=message):
        call(digits)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda c, x: c(), "input 'images' is missing; it takes uint8"),
        (lambda c, x: c(x, x), "2 arrays are too many"),
        (lambda c, x: c(x, images=x), "given twice"),
        (lambda c, x: c(pictures=x), "no input 'pictures'; it takes 'images'"),
        (lambda c, x: c(x.astype("float32")), r"holds float32; .*astype\('uint8'\)"),
        (lambda c, x: c(x.astype(">u2")), "holds >u2"),
        (lambda c, x: c("text"), "takes uint8"),
        (lambda c, x: c(None), "takes uint8"),
        (lambda c, x: c([[1], [2, 3]]), "is no array"),
        (lambda c, x: c(x[:, :, :7]), r"shape \[360, 1, 7, 8\]"),
        (lambda c, x: c(x[0]), r"shape \[1, 8, 8\]"),
        (lambda c, x: c(x[:0]), r"shape \[0, 1, 8, 8\]"),
        (lambda c, x: c(x[0, 0, 0, 0]), r"shape \[\]"),
        (lambda c, x: c.run(x, out={"y": x}), "no output 'y'; it has 'logits'"),
        (lambda c, x: c.run(x, out={"logits": x}), "no writable C-contiguous"),
        (lambda c, x: c.run(x, out=x), "out is of type ndarray; .*{'logits': array}"),
        (lambda c, x: c.run(x, out=[x]), "out is of type list; it takes arrays by"),
    ],
)
def test_bad_arrays(compiled, images, call, message):
    with pytest.raises(a2q.Error, match=message):
        call(compiled, images)


def test_codes_outside_of_their_range():
    program = a2q.parse(
        """
        func.func @main(%x: tensor<4x!quant.uniform<u8<0:15>:f32, 0.5>>)
            -> tensor<4xf32> {
          %y = a2q.dequantize %x
              : tensor<4x!quant.uniform<u8<0:15>:f32, 0.5>> to tensor<4xf32>
          return %y : tensor<4xf32>
        }
        """
    ).compile()
    codes = np.array([0, 1, 15, 3], np.uint8)
    assert np.array_equal(program(codes), codes / 2)
    with pytest.raises(a2q.Error, match="element 2 is 200, outside of the integers "
                       "from 0 to 15"):
        program(np.array([0, 1, 200, 3], np.uint8))


def test_outputs_that_overlap(two):
    program = two.compile()
    a = np.ones((2, 3), np.float32)
    with pytest.raises(a2q.Error, match="shares memory"):
        program.run([a, a], out={"sum": a})
    with pytest.raises(a2q.Error, match="shares memory"):
        out = np.empty((2, 3), np.float32)
        program.run([a, a], out={"sum": out, "output1": out})


def test_calibration_data(digits, images):
    floats = a2q.load(DIGITS / "digits-float.onnx")
    spec = floats.inputs[0]
    data = np.zeros((4, *spec.shape[1:]), spec.dtype)
    if spec.dtype == "float32":
        data[2] = np.nan
        with pytest.raises(a2q.Error, match="not finite"):
            floats.quantize(data)
    with pytest.raises(a2q.Error, match="takes"):
        digits.constrain(width=12, calibration=images.astype("int32"))
    for options, message in (
        ({"weight_bits": 1}, "weight_bits is 1"),
        ({"activation_bits": 9}, "activation_bits is 9"),
        ({"range": "widest"}, "percentile:P"),
    ):
        with pytest.raises(a2q.Error, match=message):
            digits.quantize(images[:4], **options)


def test_files_that_cannot_be_written(digits, compiled, tmp_path):
    with pytest.raises(a2q.Error, match="cannot be written"):
        digits.save(tmp_path / "none" / "m.mlir")
    with pytest.raises(a2q.Error):
        compiled.save_object(tmp_path / "none" / "m.o")
    assert not os.listdir(tmp_path)
    assert shutil.which("bash")


def test_programs_that_cannot_run_here(digits, images):
    program = digits.compile(target_cpu="sapphirerapids")
    try:
        program(images)
    except a2q.Error as error:
        assert "this processor lacks" in str(error)
