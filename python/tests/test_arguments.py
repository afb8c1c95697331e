# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arguments of every function that are wrong, or odd but right."""

import os
import subprocess

import numpy as np
import pytest

import a2q
from a2q import bounds
from conftest import DIGITS, run_command

WEIGHTS = np.random.default_rng(0).integers(-7, 8, (3, 10))
REALS = WEIGHTS * 1.0
CODES = (0, 15)


@pytest.fixture(scope="session")
def floats():
    return a2q.load(DIGITS / "digits-float.onnx")


@pytest.fixture(scope="session")
def pixels(images, floats):
    return images[:40].astype(floats.inputs[0].dtype)


@pytest.mark.parametrize(
    "change",
    [np.asfortranarray, lambda x: x[::-1], lambda x: x[::2], lambda x: x[..., ::-1]],
)
def test_any_layout_of_an_array(compiled, images, change):
    odd = change(images[:8])
    assert np.array_equal(compiled(odd), compiled(np.ascontiguousarray(odd)))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: a2q.load(3), "3 is no name of a file"),
        (lambda m: a2q.load(None), "None is no name"),
        (lambda m: a2q.load(b"nothing.onnx"), "No such file"),
        (lambda m: a2q.load(DIGITS), "is a directory"),
        (lambda m: a2q.load(__file__), "ends with .onnx or .mlir"),
        (lambda m: a2q.parse(None), "is no text"),
        (lambda m: a2q.parse("module {}\0"), "is no text"),
        (lambda m: a2q.check(3), "is no name"),
        (lambda m: m.save(None), "is no name"),
        (lambda m: m.save("x.txt"), "ends with .mlir or .onnx"),
        (lambda m: m.save("x.onnx", form="tflite"), "'qdq' or 'qonnx'"),
        (lambda m: m.prove().save("x.pdf"), "must end in .json or .html"),
        (lambda m: m.prove().save("/none/x.json"), "No such file"),
        (lambda m: m.constrain(width=2**40), "from 1 to 64"),
        (lambda m: m.constrain(width=8.5), "takes an integer"),
        (lambda m: m.constrain(overrides=5), "is no name"),
        (lambda m: m.constrain(overrides="none.json"), "No such file"),
        (lambda m: m.constrain(overrides={"no": {"width": 9}}), "no layer 'no'"),
        (lambda m: m.constrain(overrides={"fc": {"widht": 9}}), "key 'widht'"),
        (lambda m: m.constrain(overrides={"fc": {9}}), "overrides"),
        (lambda m: a2q.load(DIGITS / "digits-w4a4.onnx", shapes=[1, 1, 8, 9]),
         "fixed size of 8"),
    ],
)  # fmt: skip
def test_of_networks(digits, call, message):
    with pytest.raises(a2q.Error, match=message):
        call(digits)


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "nothing to do"),
        ({"weight_bits": 4, "width": 9}, "`weight_bits` is for layers of floats"),
        ({"range": "mse", "width": 9}, "`range` is for layers of floats"),
        ({"equalize": True, "width": 9}, "`equalize` is for layers of floats"),
        ({"activation_scales": "row"}, "'tensor' or 'channel'"),
        ({"border_bits": 1}, "border_bits is 1"),
    ],
)
def test_of_quantizing_what_is_quantized(digits, images, options, message):
    with pytest.raises(a2q.Error, match=message):
        digits.quantize(images[:20], **options)


def test_moments_are_kept(digits, images):
    kept = digits.quantize(images[:200], moments=True)
    assert "a2q.moments" in str(kept) and "a2q.moments" not in str(digits)
    change = kept.constrain(width=10, method="optq").report()["conv2"].constraint
    assert change["method"] == "optq" and 0 < change["output_error"] < 1


def test_channel_scales_need_layers_that_allow_them(floats, pixels):
    network = floats.quantize(pixels, activation_scales="channel", weight_bits=4)
    assert len(network.prove()) == 4


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: m.quantize(x, width=2),
        lambda m, x: m.quantize(x, overrides={"no": {"weight_bits": 4}}),
        lambda m, x: m.run_reference(x, emulate="wrap:99"),
        lambda m, x: m.constrain(width=8, overrides={"fc": {"widht": 9}}),
    ],
)
def test_commands_with_arrays_reproduce(floats, pixels, call, tmp_path, tool):
    with pytest.raises(a2q.Error) as caught:
        call(floats, pixels)
    error = caught.value
    assert "after:     error.save()" in str(error)
    error.save(tmp_path)
    result = run_command(error, tmp_path)
    assert result.returncode != 0
    said = error.diagnostics[0].message.split("': ")[-1]
    assert said.split("; ")[-1] in result.stderr


def test_commands_of_programs_reproduce(tmp_path, tool):
    program = a2q.parse(
        """
        func.func @main(%x: tensor<4x!quant.uniform<u8<0:15>:f32, 0.5>>)
            -> tensor<4xf32> {
          %y = a2q.dequantize %x
              : tensor<4x!quant.uniform<u8<0:15>:f32, 0.5>> to tensor<4xf32>
          return %y : tensor<4xf32>
        }
        """
    ).compile(isa="portable", check_accumulators=True)
    with pytest.raises(a2q.Error, match="element 2 is 200") as caught:
        program(np.array([0, 1, 200, 3], np.uint8))
    error = caught.value
    assert error.command.startswith(
        "a2q-run --isa=portable --accumulator=auto --check-accumulators --input="
    )
    error.save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["input0.npy", "model.mlir"]
    result = subprocess.run(
        ["bash", "-c", f"$A2Q_TOOLS/{error.command}"], capture_output=True, text=True,
        cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 1 and "is 200" in result.stderr


@pytest.mark.parametrize(
    "weights, message",
    [
        (REALS + 0.5, "are integers, the array holds float64"),
        (WEIGHTS > 0, "holds bool"),
        (WEIGHTS.astype(object), "holds object"),
        (np.full((1, 3), 2**64 - 1, np.uint64), "holds uint64"),
        (np.full((1, 3), 2**62), "at most 32 bits"),
        (WEIGHTS[None], "2 dimensions"),
        ([[1], [2, 3]], "is no array"),
    ],
)
def test_of_bounds(weights, message):
    with pytest.raises(a2q.Error, match=message):
        bounds.width(weights, CODES)


def test_odd_weights_that_are_right():
    assert bounds.width(WEIGHTS[0], CODES) == bounds.width(WEIGHTS, CODES)[0]
    assert bounds.width(WEIGHTS[:0], CODES).shape == (0,)
    assert bounds.width(WEIGHTS[:, :0], CODES).tolist() == [1, 1, 1]
    flipped = bounds.width(WEIGHTS[::-1, ::-1], CODES)
    assert flipped.tolist() == bounds.width(WEIGHTS, CODES)[::-1].tolist()
    assert a2q.constrain_weights(WEIGHTS[:0], 9, CODES).integers.shape == (0, 10)


@pytest.mark.parametrize(
    "codes, message",
    [
        ((15, 0), "is empty"),
        ((0, 2**63 - 1), "more than 32 bits"),
        ((0, 2**70), "does not fit 64 bits"),
        ((0, 1, 2), "the smallest and the largest code"),
        (None, "the smallest and the largest code"),
        ((0, 1.5), "takes an integer"),
    ],
)
def test_of_codes(codes, message):
    for call in (bounds.width, lambda w, c: a2q.constrain_weights(w, 9, c)):
        with pytest.raises(a2q.Error, match=message):
            call(WEIGHTS, codes)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"width": 3, "codes": (0, 255)}, "the narrowest accumulator is 8 bits"),
        ({"weights": np.full((2, 3), np.inf)}, "is infinite"),
        ({"weights": REALS * np.nan}, "is nan"),
        ({"weights": REALS[:, :0]}, "no channels of 0"),
        ({"weight_bits": 99}, "from 2 to 53"),
        ({"tile": -1}, "from 0"),
        ({"method": "magic"}, "expected one of"),
        ({"method": "optq"}, r"needs moments; give all products, \[K, K\]"),
        ({"moments": np.ones(9)}, "there are 9"),
        ({"moments": np.ones((9, 10))}, r"shape \[9, 10\]"),
        ({"moments": np.triu(np.ones((10, 10)))}, "symmetric"),
        ({"moments": np.eye(10) * np.nan}, "finite"),
        ({"moments": -np.eye(10)}, "at least 0"),
        ({"moments": np.ones((10, 10)) - np.eye(10)}, "mean squares are 0"),
        ({"moments": np.eye(10), "samples": 0}, "samples is 0"),
    ],
)
def test_of_constraining(options, message):
    given = {"weights": REALS, "width": 9, "codes": CODES, "weight_bits": 4}
    with pytest.raises(a2q.Error, match=message):
        a2q.constrain_weights(**{**given, **options})


def test_products_of_activations_lower_the_error_of_sums():
    random = np.random.default_rng(1)
    weights = random.normal(0, 2, (8, 64))
    # Activations that come in pairs, such as neighbours in an image.
    x = random.integers(0, 16, (500, 32)).repeat(2, 1)[:, :64].astype(float)
    products = x.T @ x / len(x)

    def error(method, moments):
        held = a2q.constrain_weights(
            weights, 9, CODES, weight_bits=4, method=method, moments=moments,
            samples=len(x),
        )  # fmt: skip
        assert bounds.width(held.integers, CODES, "centred").max() <= 9
        lost = weights - held.integers * held.scales[:, None]
        return np.einsum("ck,kl,cl->", lost, products, lost)

    assert error("optq", products) < 0.8 * error("optimal", np.diag(products))
    # The diagonal of the products is what they say without the rest.
    squares = error("optimal", np.diag(products).copy())
    assert error("optimal", products) == pytest.approx(squares)
