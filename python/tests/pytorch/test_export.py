# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Exported networks: the integers prove, other runtimes compute the same."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("onnxscript")

import onnx
import torch
from onnx import numpy_helper

import a2q
import a2q.torch
from fixtures import *


@pytest.fixture
def trained(float_network, images, step):
    """Held to 8 bits, after a few steps; (model, its outputs)."""
    model = a2q.torch.prepare(float_network, images, accumulator_width=8)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(3):
        step(model, optimizer)
    model.eval()
    with torch.no_grad():
        return model, model(images).numpy()


def initializers(proto):
    return {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}


@pytest.mark.parametrize("form", ["qcdq", "qdq", "qonnx"])
def test_other_runtimes_compute_the_same(form, trained, images, tmp_path):
    model, expected = trained
    path = tmp_path / "model.onnx"
    a2q.torch.export(model, path, images[:1], format=form)

    if form != "qonnx":
        onnxruntime = pytest.importorskip("onnxruntime")
        session = onnxruntime.InferenceSession(str(path))
        (output,) = session.run(None, {"input": images.numpy()})
        assert np.allclose(output, expected, atol=1e-4)
    else:
        check_quant_nodes(onnx.load(path), model)

    network = a2q.load(path)
    assert np.allclose(network.compile()(images.numpy()), expected, atol=1e-4)
    layers = {layer.name: layer for layer in network.prove(bound="centred").layers}
    assert set(layers) == {"conv1", "conv2", "conv3", "fc"}
    for name in ("conv2", "conv3", "fc"):
        assert layers[name].widths["centred"] == 8


@pytest.fixture
def execute(monkeypatch):
    """Runs a QONNX file by the package qonnx, node by node."""
    pytest.importorskip("qonnx")
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    # It gives nodes the newest version of onnx, which ONNX Runtime may not know.
    monkeypatch.setattr(onnx, "IR_VERSION", 10)

    def run(path, x, infer=False):
        model = ModelWrapper(str(path))
        model.set_tensor_shape(model.graph.input[0].name, list(x.shape))
        if infer:
            model = model.transform(InferShapes())
        (output,) = execute_onnx(model, {model.graph.input[0].name: x}).values()
        return output

    return run


def test_qonnx_executes_what_we_write(trained, images, execute, tmp_path):
    model, expected = trained
    path, again = tmp_path / "model.onnx", tmp_path / "again.onnx"
    a2q.torch.export(model, path, images[:1], format="qonnx")
    x = images[:2].numpy()
    assert np.allclose(execute(path, x, infer=True), expected[:2], atol=1e-4)
    # What this project writes knows its shapes.
    a2q.load(path, batch=2).constrain(width=10).save(again, form="qonnx")
    constrained = a2q.load(path, batch=2).constrain(width=10).compile()(x)
    assert np.allclose(execute(again, x), constrained, atol=1e-4)


def test_trained_networks_are_saved_as_onnx(trained, images, tmp_path):
    """Loaded, constrained further and saved for others."""
    runtime = pytest.importorskip("onnxruntime")
    path, again = tmp_path / "model.onnx", tmp_path / "again.onnx"
    a2q.torch.export(trained[0], path, images[:1])
    x = images[:1].numpy()
    narrow = a2q.load(path).constrain(width=10)
    narrow.save(again)
    session = runtime.InferenceSession(str(again))
    (output,) = session.run(None, {session.get_inputs()[0].name: x})
    assert np.allclose(output, narrow.compile()(x), atol=1e-4)
    assert np.allclose(a2q.load(again).compile()(x), narrow.compile()(x), atol=1e-6)


def test_integer_biases(trained, images, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    model, expected = trained
    path = tmp_path / "model.onnx"
    a2q.torch.export(model, path, images[:1], bias="integer")
    graph = onnx.load(path).graph
    biases = [t for t in graph.initializer if t.name.endswith(".sum_bias")]
    # Of convolutions that nothing is added to.
    assert [len(b.dims) for b in biases] == [1, 1]
    network = a2q.load(path)
    # Sums become codes at once.
    assert str(network).count("a2q.requantize") == 2
    ours = network.compile()(images.numpy())
    session = runtime.InferenceSession(str(path))
    (theirs,) = session.run(None, {"input": images.numpy()})
    assert np.abs(ours - theirs).max() < 0.2 * np.abs(expected).max()
    # Half a unit of a narrow sum is much, but does not change a network.
    assert np.corrcoef(ours.ravel(), expected.ravel())[0, 1] > 0.8
    with pytest.raises(ValueError, match="biases are real in qonnx"):
        a2q.torch.export(model, path, images, format="qonnx", bias="integer")
    with pytest.raises(ValueError, match="bias 'float' is unknown"):
        a2q.torch.export(model, path, images, bias="float")


def test_the_compilers_tiles_are_those_of_training(float_network, images, tmp_path):
    model = a2q.torch.prepare(float_network, images, accumulator_width=8, tile=20)
    path = tmp_path / "model.onnx"
    a2q.torch.export(model, path, images)
    report = a2q.load(path).stage(inner=8).report()
    for name, length in (("conv2", 72), ("conv3", 144), ("fc", 64)):
        # As many inner sums as training had, or fewer.
        assert report[name].stages[0].width == 8
        assert report[name].stages[0].tiles <= -(-length // 20)


def check_quant_nodes(proto, model):
    """Weights stand in the file as integers times their scale."""
    values = initializers(proto)
    quants = {n.name: n for n in proto.graph.node if n.op_type == "Quant"}
    assert {n.domain for n in quants.values()} == {"qonnx.custom_op.general"}
    for name, layer in a2q.torch.quantized_layers(model).items():
        node = quants[f"{name}.weight.quant"]
        weight, scale, zero, bits = (values[value] for value in node.input)
        assert zero == 0 and bits == layer.weight_quantizer.bits
        integers = np.rint(weight / scale)
        assert np.allclose(integers, weight / scale, atol=1e-4)
        assert np.array_equal(integers, layer.folded().weight.numpy())


def test_refusals(trained, images, float_network, tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(ValueError, match="format 'tflite' is unknown"):
        a2q.torch.export(trained[0], path, images, format="tflite")
    with pytest.raises(ValueError, match="no quantized layer"):
        a2q.torch.export(float_network, path, images)
    assert not path.exists()
