# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks: read, prove, change, compile; the same answers as the tools'."""

import html
import json
import pickle
import threading

import numpy as np
import pytest

import a2q
from conftest import DIGITS


def test_signature(digits):
    (images,) = digits.inputs
    assert (images.name, images.dtype, images.shape) == ("images", "uint8", (1, 1, 8, 8))
    (logits,) = digits.outputs
    assert logits.describe() == "float32 of shape [1, 10]"


def test_batch(images):
    model = a2q.load(DIGITS / "digits-w4a4.onnx", batch=6)
    assert model.inputs[0].shape == (6, 1, 8, 8)
    one = a2q.load(DIGITS / "digits-w4a4.onnx")
    assert np.array_equal(
        model.compile()(images[:12]), one.compile()(images[:12])
    )


def test_report_is_the_tools(digits, tool):
    report = digits.prove()
    assert str(report) + "\n" == tool("a2q-check", DIGITS / "digits-w4a4.onnx")
    assert report.to_json() == tool(
        "a2q-check", DIGITS / "digits-w4a4.onnx", "--report=-"
    )


def test_report_as_data(digits, tmp_path):
    report = digits.prove("centred")
    assert [layer.name for layer in report] == ["conv1", "conv2", "conv3", "fc"]
    fc = report["fc"]
    assert fc.widths["centred"] == 15 and fc.reduction_length == 512
    assert len(fc.channels) == 10
    worst = max(channel.centred_width for channel in fc.channels)
    assert worst == fc.stages[-1].width == 15
    assert fc.channels[0].l1 == fc.channels[0].pos + fc.channels[0].neg
    data = report.to_dict()
    data["layers"].clear()
    assert report.to_dict()["layers"]
    report.save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text()) == report.to_dict()
    report.save(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert report.to_json().replace("<", r"\u003c") in page
    assert html.escape(page) in report._repr_html_()
    with pytest.raises(a2q.Error, match="must end in .json or .html"):
        report.save(tmp_path / "r.txt")
    with pytest.raises(KeyError):
        report["conv9"]


def test_report_as_frames(digits):
    pytest.importorskip("pandas")
    report = digits.prove()
    layers = report.to_pandas()
    assert list(layers["layer"]) == ["conv1", "conv2", "conv3", "fc"]
    assert list(layers["exact"]) == [10, 13, 14, 16]
    channels = report.to_pandas(per_channel=True)
    assert len(channels) == 16 + 32 + 32 + 10
    assert (channels["prefix_lo"] <= channels["final_lo"]).all()


def test_models_are_values(digits):
    before = str(digits)
    narrow = digits.constrain(width=12)
    staged = digits.stage(inner=8)
    assert str(digits) == before
    assert str(narrow) != before and str(staged) != before


def test_stage_changes_no_answer(digits, compiled, images):
    staged = digits.stage(inner=8)
    report = staged.report()
    assert {layer.stages[0].width for layer in report} == {8}
    assert np.array_equal(staged.compile()(images), compiled(images))
    for accumulator in (8, 16, 32, "auto"):
        program = digits.compile(accumulator=accumulator)
        assert np.array_equal(program(images), compiled(images))


def test_constrain_meets_the_width(digits, images, labels):
    narrow = digits.constrain(width=8, tile=72)
    for layer in narrow.report():
        assert layer.stages[0].width <= 8
        assert layer.constraint["width"] == 8
    # The accumulators that were asked for are compiled, and checked.
    program = narrow.compile(check_accumulators=True)
    accuracy = (program(images).argmax(1) == labels).mean()
    assert accuracy > 0.5
    assert np.array_equal(program(images), narrow.compile("auto")(images))


def test_constrain_with_calibration(digits, images, labels):
    plain = digits.constrain(width=11, method="optimal")
    helped = digits.constrain(width=11, method="optq", calibration=images[:200])
    score = [
        (m.compile()(images[200:]).argmax(1) == labels[200:]).mean()
        for m in (plain, helped)
    ]
    assert score[1] >= score[0] > 0.5
    assert helped.report()["conv2"].constraint["output_error"] is not None


def test_overrides(digits, tmp_path):
    own = {"fc": {"skip": True}, "conv2": {"width": 9}}
    narrow = digits.constrain(width=12, overrides=own)
    assert narrow.report()["fc"].constraint is None
    assert narrow.report()["conv2"].constraint["width"] == 9
    (tmp_path / "own.json").write_text(json.dumps(own))
    same = digits.constrain(width=12, overrides=tmp_path / "own.json")
    assert str(same) == str(narrow)
    with pytest.raises(a2q.Error, match="nonsense"):
        digits.constrain(width=12, overrides={"nonsense": {"skip": True}})
    with pytest.raises(a2q.Error):
        digits.constrain(width=12, overrides={"fc": {"width": {1}}})


def test_quantize(images, labels, tool, tmp_path):
    floats = DIGITS / "digits-float.onnx"
    model = a2q.load(floats)
    data = images.astype("float32") if model.inputs[0].dtype == "float32" else images
    eight = a2q.quantize(floats, data[:100])
    assert {layer.op for layer in eight.prove()} == {"a2q.conv_2d", "a2q.matmul"}
    assert (eight.compile()(data).argmax(1) == labels).mean() > 0.9
    four = model.quantize(
        {model.inputs[0].name: data[:100]}, weight_bits=4, activation_bits=4
    )
    assert max(layer.data["weights"]["bits"] for layer in four.prove()) <= 4
    # The tool makes the same network of the same data.
    np.save(tmp_path / "data.npy", data[:100])
    tool(
        "a2q-quantize", floats, f"--calibration={tmp_path / 'data.npy'}",
        "-o", tmp_path / "q.mlir",
    )
    assert (tmp_path / "q.mlir").read_text() == str(eight)


def test_save_and_load(digits, images, tmp_path, tool):
    narrow = digits.constrain(width=9, tile=36)
    narrow.save(tmp_path / "narrow.mlir")
    again = a2q.load(tmp_path / "narrow.mlir")
    assert str(again.report()) == str(narrow.report())
    assert np.array_equal(again.compile()(images), narrow.compile()(images))
    tool("a2q-check", tmp_path / "narrow.mlir")
    with pytest.raises(a2q.Error, match="ends with .mlir or .onnx"):
        narrow.save(tmp_path / "narrow.txt")


def test_reference(digits, compiled, images):
    few = images[:5]
    assert np.array_equal(digits.run_reference(few)["logits"], compiled(few))
    wrapped = digits.run_reference(few, emulate="wrap:8")["logits"]
    assert not np.array_equal(wrapped, compiled(few))
    with pytest.raises(a2q.Error, match="wrap:P"):
        digits.run_reference(few, emulate="crash:8")
    with pytest.raises(a2q.Error, match="emulate is 5; it takes text such as 'wrap:16'"):
        digits.run_reference(few, emulate=5)


def test_several_inputs_and_outputs(two):
    program = two.compile()
    a, b = np.float32([[1, 2, 3], [4, 5, 6]]), np.full((2, 3), 0.5, np.float32)
    for result in (program(a, b), program(b=b, a=a), program(a, b=b)):
        assert list(result) == ["sum", "output1"]
        assert np.array_equal(result["sum"], a + b)
        assert np.array_equal(result["output1"], a - b)
    assert np.array_equal(program.run([a, b])["sum"], a + b)
    assert np.array_equal(program.run({"a": a, "b": b})["sum"], a + b)
    # Twice the rows run twice.
    both = program(np.concatenate([a, b]), np.concatenate([b, a]))
    assert np.array_equal(both["output1"], np.concatenate([a - b, b - a]))
    out = np.empty((2, 3), np.float32)
    assert program.run([a, b], out={"sum": out})["sum"] is out
    assert np.array_equal(out, a + b)


def test_layouts_are_copied(two, compiled, images):
    program = two.compile()
    wide = np.arange(24, dtype=np.float32).reshape(4, 6)
    a, b = wide[::2, ::2], wide[::-1][:2, 3:]
    assert np.array_equal(program(a, b)["sum"], a + b)
    fortran = np.asfortranarray(wide[:2, :3])
    assert np.array_equal(program(fortran, fortran)["sum"], 2 * fortran)
    bytes_ = np.zeros(4 * 6 + 1, np.uint8)
    odd = bytes_[1:].view(np.float32).reshape(2, 3)
    assert not odd.flags.aligned
    odd[:] = 3
    assert np.array_equal(program(odd, odd)["sum"], np.full((2, 3), 6))
    assert np.array_equal(compiled(images[::-1]), compiled(images)[::-1])
    frozen = images.copy()
    frozen.flags.writeable = False
    assert np.array_equal(compiled(frozen), compiled(images))


def test_threads(compiled, images):
    expected = compiled(images)
    wrong = []

    def work():
        for _ in range(20):
            if not np.array_equal(compiled(images), expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_threads_share_a_model(digits):
    texts, errors = [], []

    def work(width):
        try:
            texts.append(str(digits.constrain(width=width).prove()))
            digits.constrain(width=2)
        except a2q.Error as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(w,)) for w in (9, 10, 9, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 4 and len(set(texts)) == 2
    assert all("lose all their weights" in str(error) for error in errors)
    assert len(errors) == 4


def test_object_file(digits, tmp_path, tool):
    program = digits.compile(isa="portable", prefix="digits")
    program.save_object(tmp_path / "digits.o")
    (tmp_path / "tool").mkdir()
    tool(
        "a2q-compile", DIGITS / "digits-w4a4.onnx", "--isa=portable",
        "-o", tmp_path / "tool" / "digits.o",
    )
    for name in ("digits.o", "digits.h"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "tool" / name).read_bytes()
    with pytest.raises(a2q.Error, match="name of the header"):
        program.save_object(tmp_path / "digits.h")


def test_other_processors(digits, images, tmp_path):
    program = digits.compile(target_cpu="sapphirerapids", isa="avx512vnni")
    program.save_object(tmp_path / "m.o")
    assert (tmp_path / "m.h").exists()


def test_checked_programs_raise(tmp_path):
    """A range that an argument breaks, told by the program itself."""
    program = a2q.parse(
        """
        func.func @main(%x: tensor<4xi32> {a2q.range = [0, 7]}) -> tensor<4xi32> {
          %y = arith.addi %x, %x : tensor<4xi32>
          return %y : tensor<4xi32>
        }
        """
    ).compile(check_accumulators=True)
    x = np.array([0, 1, 7, 3], np.int32)
    assert np.array_equal(program(x), 2 * x)
    with pytest.raises(a2q.Error, match="element 3 is 8, outside"):
        program(np.array([0, 1, 7, 8], np.int32))


def test_saturation(tool, tmp_path):
    path = DIGITS / "digits-w4a4.onnx"
    report = a2q.check(path)
    report.save(tmp_path / "s.html")
    assert f'data-model="{path}"' in (tmp_path / "s.html").read_text()
    assert report.answer == "safe" and len(report) == 4
    assert str(report) + "\n" == tool("a2q-check", "--saturation", path)
    assert report.to_json() == tool("a2q-check", "--saturation", path, "--report=-")
    assert a2q.check(path, isa="avx512vnni").answer == "safe"
    assert a2q.check(path, by_type=True).to_dict()["ranges"] == "types"
    observed = a2q.check(path, calibration=np.load(DIGITS / "images.npy"))
    assert observed.to_dict()["ranges"] == "observed"
    assert observed.to_dict()["runs"] == 360


def test_unsafe_saturation(tmp_path):
    (tmp_path / "m.mlir").write_text(
        """
        !u8 = !quant.uniform<u8:f32, 1.0>
        !s8 = !quant.uniform<i8:f32, 1.0>
        func.func @main(%x: tensor<1x2xi8>) -> tensor<1x1xi32> {
          %c = quant.scast %x : tensor<1x2xi8> to tensor<1x2x!u8>
          %k = arith.constant dense<127> : tensor<1x2xi8>
          %w = quant.scast %k : tensor<1x2xi8> to tensor<1x2x!s8>
          %s = a2q.matmul %c, %w : tensor<1x2x!u8>, tensor<1x2x!s8>
              -> tensor<1x1x!a2q.acc<32>>
          %y = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
          return %y : tensor<1x1xi32>
        }
        """
    )
    report = a2q.check(tmp_path / "m.mlir")
    assert report.answer == "unsafe"
    assert report.layers[0].data["pairings"]


def test_reports_estimate_costs(digits):
    for report in (digits.prove(), digits.constrain(width=8).report()):
        for layer in report:
            assert list(layer.costs) == [
                "portable", "avx2", "avx512bw", "avx512vnni", "avx512vbmi",
            ]  # fmt: skip
            assert 0 < layer.costs["avx512vnni"] <= layer.costs["avx2"]
            assert layer.costs["avx2"] < layer.costs["portable"]
    forms = {c["isa"]: c["form"] for c in digits.prove()["conv2"].data["costs"]}
    assert forms["portable"].startswith(("portable", "planes of"))
    assert forms["avx512vnni"].startswith("vpdpbusd")


def test_networks_programs_reports_and_errors_are_pickled(digits, images):
    narrow = digits.constrain(width=9)
    again = pickle.loads(pickle.dumps(narrow))
    assert str(again) == str(narrow)
    # Accumulators stay chosen, and errors have their command.
    assert again.compile(isa="portable")(images).tolist() == narrow.compile()(images).tolist()
    with pytest.raises(a2q.Error) as caught:
        again.constrain(width=2)
    with pytest.raises(a2q.Error) as first:
        narrow.constrain(width=2)
    assert caught.value.command == first.value.command
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value) and copy.diagnostics == caught.value.diagnostics
    program = pickle.loads(pickle.dumps(narrow.compile(isa="portable", prefix="p")))
    assert np.array_equal(program(images), narrow.compile()(images))
    report = pickle.loads(pickle.dumps(narrow.prove()))
    assert str(report) == str(narrow.prove()) and report["fc"].widths["centred"] == 9
