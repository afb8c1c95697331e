# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks as ONNX: the same integers, read by ONNX Runtime and by ourselves."""

import numpy as np
import pytest

import a2q
from conftest import DIGITS

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


def run(path, inputs):
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rows = len(next(iter(inputs.values())))
    batch = session.get_inputs()[0].shape[0]
    results = [
        session.run(None, {name: x[i : i + batch] for name, x in inputs.items()})
        for i in range(0, rows, batch)
    ]
    return np.concatenate([result[0] for result in results])


def integers(path):
    """The weights of each layer: what dequantized constants of rank 2 or 4 hold."""
    found = []
    graph = onnx.load(path).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        # Weights of fewer than 8 bits say so by a Clip.
        if node.op_type in ("Clip", "DequantizeLinear") and node.input[0] in constants:
            array = onnx.numpy_helper.to_array(constants[node.input[0]])
            if array.ndim > 1:
                found.append(array.reshape(array.shape[0], -1))
    return found


NETWORKS = {
    "w4a4": lambda x: a2q.load(DIGITS / "digits-w4a4.onnx"),
    "acc8": lambda x: a2q.load(DIGITS / "digits-acc8.onnx"),
    "constrained": lambda x: a2q.load(DIGITS / "digits-w4a4.onnx").constrain(
        width=9, method="optq", calibration=x[:100]
    ),
    "tiled": lambda x: a2q.load(DIGITS / "digits-w4a4.onnx").constrain(8, tile=72),
    "staged": lambda x: a2q.load(DIGITS / "digits-w4a4.onnx").stage(inner=8),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_digits(name, images, labels, tmp_path):
    model = NETWORKS[name](images)
    path = str(tmp_path / "m.onnx")
    model.save(path)
    onnx.checker.check_model(path, full_check=True)
    assert_all_have_shapes(path)
    ours = model.compile()(images)
    theirs = run(path, {"images": images})
    # Kernels of reals add in other orders: ties may round otherwise.
    assert (ours.argmax(1) == theirs.argmax(1)).mean() > 0.98
    assert np.abs(ours - theirs).max() < 0.2 * np.abs(ours).max()
    # Read back, it is the same network to the last integer.
    again = a2q.load(path)
    for before, after in zip(model.report(), again.report(), strict=True):
        assert before.name == after.name
        assert [(c.pos, c.neg) for c in before.channels] == [
            (c.pos, c.neg) for c in after.channels
        ]
        assert before.widths == after.widths
    assert np.array_equal(again.compile()(images), ours)


def assert_all_have_shapes(path):
    graph = onnx.load(path).graph
    known = {info.name for info in [*graph.value_info, *graph.output]}
    assert [n.output[0] for n in graph.node if n.output[0] not in known] == []


def test_where_other_runtimes_have_other_codes(images, tmp_path):
    """Where the real lies in the middle of two codes to the last digits, which
    float32 products decide as they are added; nowhere else."""
    path, head = str(tmp_path / "m.onnx"), str(tmp_path / "head.onnx")
    (flatten,) = (node for node in onnx.load(DIGITS / "digits-w4a4.onnx").graph.node
                  if node.name == "flatten")  # fmt: skip
    # Up to the codes behind the residual add, as reals.
    onnx.utils.extract_model(
        str(DIGITS / "digits-w4a4.onnx"), head, ["images"], [flatten.input[0]]
    )
    model = a2q.load(head).constrain(width=9)
    model.save(path)
    ours, theirs = model.compile()(images), run(path, {"images": images})
    proto = onnx.load(path)
    (add,) = (node for node in proto.graph.node if node.op_type == "Add")
    (quantize,) = (n for n in proto.graph.node if n.input[0] == add.output[0])
    (scale,) = (onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer
                if tensor.name == quantize.input[1])  # fmt: skip
    shape = [1, *theirs.shape[1:]]
    del proto.graph.output[:]
    proto.graph.output.append(
        onnx.helper.make_tensor_value_info(add.output[0], 1, shape)
    )
    onnx.save(proto, path)
    from_tie = np.abs(run(path, {"images": images}) / scale % 1 - 0.5)
    differ = np.abs(ours - theirs) > 1e-6
    assert 0 < differ.mean() < 0.01
    assert np.abs(ours - theirs).max() == scale
    assert from_tie[differ].max() < 1e-5 < np.median(from_tie)


def test_constrained_integers_are_in_the_file(images, tmp_path):
    model = a2q.load(DIGITS / "digits-w4a4.onnx").constrain(9, calibration=images[:50])
    path = str(tmp_path / "m.onnx")
    model.save(path)
    weights = integers(path)
    assert [w.shape for w in weights] == [(16, 9), (32, 144), (32, 288), (10, 512)]
    # Proven again from the file alone: by the ranges of each channel's codes.
    for layer in a2q.load(path).report():
        assert layer.data["width"]["centred"] <= 9
    for layer, rows in zip(model.report(), weights, strict=True):
        l1 = [channel.l1 for channel in layer.channels]
        assert np.abs(rows.astype(int)).sum(1).tolist() == l1


@pytest.mark.parametrize("bits", [4, 8])
def test_quantized_from_floats(bits, images, labels, tmp_path):
    floats = a2q.load(DIGITS / "digits-float.onnx")
    data = images.astype(floats.inputs[0].dtype)
    model = floats.quantize(data[:100], weight_bits=bits, activation_bits=bits)
    path = str(tmp_path / "m.onnx")
    model.save(path)
    onnx.checker.check_model(path, full_check=True)
    ours = model.compile()(data)
    theirs = run(path, {floats.inputs[0].name: data})
    assert (ours.argmax(1) == theirs.argmax(1)).mean() > 0.98
    assert (theirs.argmax(1) == labels).mean() > 0.9
    assert np.array_equal(a2q.load(path).compile()(data), ours)


def test_open_shapes(tmp_path):
    """The shapes that a file leaves open come from whoever loads it."""
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["a", "b"], ["y"])],
        "g",
        [info(name, 1, ["rows", "columns"]) for name in "ab"],
        [info("y", 1, None)],
    )
    path = str(tmp_path / "m.onnx")
    opset = [onnx.helper.make_opsetid("", 13)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save(model, path)
    model = a2q.load(path, shapes={"a": [2, 3], "b": (2, 3)})
    assert [spec.shape for spec in model.inputs] == [(2, 3), (2, 3)]
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(model.compile()(a, a), 2 * a)


def test_float_networks(images, tmp_path):
    floats = a2q.load(DIGITS / "digits-float.onnx")
    data = images.astype(floats.inputs[0].dtype)
    path = str(tmp_path / "m.onnx")
    floats.save(path)
    theirs = run(path, {floats.inputs[0].name: data})
    assert np.allclose(floats.compile()(data), theirs, atol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_qonnx(name, images, tmp_path):
    """Reals behind Quant nodes; our importer reads the integers again."""
    model = NETWORKS[name](images)
    path = str(tmp_path / "m.onnx")
    model.save(path, form="qonnx")
    graph = onnx.load(path).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("Quant") >= 7 and "QuantizeLinear" not in kinds
    assert_all_have_shapes(path)
    again = a2q.load(path)
    for before, after in zip(model.report(), again.report(), strict=True):
        # Ranges are those of types: Quant's reals prove no narrower ones.
        assert before.name == after.name
        assert before.widths["datatype"] == after.widths["datatype"]
        assert before.widths["exact"] <= after.widths["exact"]
        assert [(c.pos, c.neg) for c in before.channels] == [
            (c.pos, c.neg) for c in after.channels
        ]
    ours, theirs = model.compile()(images), again.compile()(images)
    assert (ours.argmax(1) == theirs.argmax(1)).mean() > 0.98
    with pytest.raises(a2q.Error, match="'qdq' or 'qonnx'"):
        model.save(path, form="qdqdq")


def graph_of(nodes, inputs, outputs, constants=()):
    """A model: nodes (op, inputs, outputs, attributes), shapes by name."""
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, i, o, name=o[0], **more) for op, i, o, more in nodes],
        "g",
        [info(name, 1, shape) for name, shape in inputs.items()],
        [info(name, 1, None) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(v), n) for n, v in dict(constants).items()],
    )  # fmt: skip
    opset = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)


REALS = {
    "softmax": [("Softmax", ["x"], ["y"], {"axis": -1})],
    "softmax of the first axis": [("Softmax", ["x"], ["y"], {"axis": 1})],
    "layer norm": [("LayerNormalization", ["x", "g", "b"], ["y"], {})],
    "gelu": [
        ("Mul", ["x", "half"], ["h"], {}),
        ("Erf", ["h"], ["e"], {}),
        ("Add", ["e", "half"], ["y"], {}),
    ],
    "quotients": [("Div", ["x", "g"], ["y"], {})],
    "hard swish": [("HardSwish", ["x"], ["y"], {})],
    "leaky": [("LeakyRelu", ["x"], ["y"], {"alpha": 0.1})],
    "means": [("ReduceMean", ["x"], ["y"], {"axes": [1], "keepdims": 0})],
    "largest": [("ReduceMax", ["x"], ["y"], {"axes": [1, 2], "keepdims": 1})],
    "norms": [("ReduceL2", ["x"], ["y"], {"axes": [2], "keepdims": 0})],
    "roots": [("Abs", ["x"], ["a"], {}), ("Sqrt", ["a"], ["y"], {})],
    "slices": [("Slice", ["x", "one", "two"], ["s"], {}), ("Tanh", ["s"], ["y"], {})],
    "powers": [("Abs", ["x"], ["a"], {}), ("Pow", ["a", "half"], ["y"], {})],
}


@pytest.mark.parametrize("name", REALS)
def test_arithmetic_of_reals(name, tmp_path):
    random = np.random.RandomState(0)
    constants = {
        "g": random.rand(6).astype(np.float32) + 0.5,
        "b": random.rand(6).astype(np.float32),
        "half": np.float32(0.5),
        "one": np.array([0, 1, 2]),
        "two": np.array([1, 3, 6]),
    }
    used = {value for node in REALS[name] for value in node[1]}
    held = {key: value for key, value in constants.items() if key in used}
    path = str(tmp_path / "m.onnx")
    onnx.save(graph_of(REALS[name], {"x": [2, 4, 6]}, ["y"], held), path)
    x = random.normal(0, 2, (2, 4, 6)).astype(np.float32)
    expected = run(path, {"x": x})
    again = str(tmp_path / "again.onnx")
    a2q.load(path).save(again)
    onnx.checker.check_model(again, full_check=True)
    assert_all_have_shapes(again)
    assert np.allclose(run(again, {"x": x}), expected, atol=1e-5)
    assert np.allclose(a2q.load(again).compile()(x), expected, atol=1e-5)


def attention():
    """Queries times keys, softmax, times values; all codes have the zero point 0."""
    constants, nodes = {"zero": np.int8(0), "none": np.uint8(0)}, []

    def codes(name, scale, zero="zero"):
        constants[f"{name}_s"] = np.float32(scale)
        nodes.append(("QuantizeLinear", [name, f"{name}_s", zero], [f"{name}_q"], {}))
        nodes.append(
            ("DequantizeLinear", [f"{name}_q", f"{name}_s", zero], [f"{name}_d"], {})
        )

    for name in "qkv":
        codes(name, 0.02)
    nodes.append(("Transpose", ["k_d"], ["k_t"], {"perm": [0, 1, 3, 2]}))
    nodes.append(("MatMul", ["q_d", "k_t"], ["scores"], {}))
    nodes.append(("Softmax", ["scores"], ["p"], {"axis": -1}))
    codes("p", 1 / 255, "none")
    nodes.append(("MatMul", ["p_d", "v_d"], ["y"], {}))
    shapes = {name: [1, 2, 5, 8] for name in "qkv"}
    return graph_of(nodes, shapes, ["y"], constants)


def test_products_of_two_activations(tmp_path):
    path = str(tmp_path / "m.onnx")
    onnx.save(attention(), path)
    model = a2q.load(path)
    assert len(model.prove()) == 2
    random = np.random.RandomState(1)
    given = {n: random.normal(0, 1, (1, 2, 5, 8)).astype(np.float32) for n in "qkv"}
    expected = run(path, given)
    assert np.allclose(model.compile()(**given), expected, atol=0.02)
    again = str(tmp_path / "again.onnx")
    model.save(again)
    onnx.checker.check_model(again, full_check=True)
    assert np.allclose(run(again, given), expected, atol=0.02)
    back = a2q.load(again)
    assert [layer.widths["datatype"] for layer in back.prove()] == [
        layer.widths["datatype"] for layer in model.prove()
    ]
    assert np.array_equal(back.compile()(**given), model.compile()(**given))


def test_layers_of_four_dimensions_that_are_no_images(tmp_path):
    weights = np.random.RandomState(2).randint(-7, 8, (8, 6)).astype(np.int8)
    constants = {"w_q": weights, "s": np.float32(0.02), "zero": np.int8(0)}
    nodes = [
        ("QuantizeLinear", ["x", "s", "zero"], ["x_q"], {}),
        ("DequantizeLinear", ["x_q", "s", "zero"], ["x_d"], {}),
        ("DequantizeLinear", ["w_q", "s", "zero"], ["w_d"], {}),
        ("MatMul", ["x_d", "w_d"], ["y"], {}),
    ]
    path, again = str(tmp_path / "m.onnx"), str(tmp_path / "again.onnx")
    onnx.save(graph_of(nodes, {"x": [1, 3, 5, 8]}, ["y"], constants), path)
    x = np.random.RandomState(3).normal(0, 1, (1, 3, 5, 8)).astype(np.float32)
    a2q.load(path).save(again)
    assert np.allclose(run(again, {"x": x}), run(path, {"x": x}), atol=1e-5)


@pytest.mark.parametrize("form", ["qdq", "qonnx"])
@pytest.mark.parametrize("pads", [0, 1])
@pytest.mark.parametrize("code", [np.uint8, np.int8])
def test_largest_codes_of_windows(code, pads, form, tmp_path):
    path, again = str(tmp_path / "m.onnx"), str(tmp_path / "again.onnx")
    nodes = [
        ("QuantizeLinear", ["x", "s", "z"], ["q"], {}),
        ("DequantizeLinear", ["q", "s", "z"], ["d"], {}),
        ("MaxPool", ["d"], ["p"],
         {"kernel_shape": [3, 3], "strides": [2, 2], "pads": 4 * [pads]}),
        ("QuantizeLinear", ["p", "s", "z"], ["r"], {}),
        ("DequantizeLinear", ["r", "s", "z"], ["y"], {}),
    ]  # fmt: skip
    constants = {"s": np.float32(0.1), "z": code(0)}
    onnx.save(graph_of(nodes, {"x": [1, 2, 8, 8]}, ["y"], constants), path)
    a2q.load(path).save(again, form=form)
    assert_all_have_shapes(again)
    x = np.random.RandomState(7).normal(0, 5, (1, 2, 8, 8)).astype(np.float32)
    assert np.array_equal(a2q.load(again).compile()(x), run(path, {"x": x}))
    assert [n.op_type for n in onnx.load(again).graph.node].count("Pad") == 0
    if form == "qdq":
        onnx.checker.check_model(again, full_check=True)
        assert np.array_equal(run(again, {"x": x}), run(path, {"x": x}))


def trained(bias_shape, words=False):
    """What a2q.torch writes: real biases, batch norm's, behind convolutions."""
    random = np.random.RandomState(5)
    code = np.int16 if words else np.uint8
    constants = {
        "s": np.float32(0.01 if words else 0.1), "z": code(0), "zw": np.int8(0),
        "lo": np.uint8(0), "hi": np.uint8(15),
        "w1": random.randint(-7, 8, (6, 3, 3, 3)).astype(np.int8),
        "w2": random.randint(-7, 8, (4, 6, 1, 1)).astype(np.int8),
        "b1": random.normal(0, 0.5, bias_shape).astype(np.float32),
        "g2": random.rand(4, 1, 1).astype(np.float32) + 0.5,
    }  # fmt: skip
    nodes = []

    def layer(x, weight, y):
        clips = [("Clip", [f"{y}_q", "lo", "hi"], [f"{y}_c"], {})]
        nodes.extend([
            ("QuantizeLinear", [x, "s", "z"], [f"{y}_q"], {}),
            *([] if words else clips),
            ("DequantizeLinear", [f"{y}_{'q' if words else 'c'}", "s", "z"],
             [f"{y}_d"], {}),
            ("DequantizeLinear", [weight, "s", "zw"], [f"{weight}_d"], {}),
            ("Conv", [f"{y}_d", f"{weight}_d"], [y], {"pads": 4 * [0]}),
        ])  # fmt: skip

    layer("x", "w1", "y1")
    nodes.append(("Add", ["y1", "b1"], ["a1"], {}))
    nodes.append(("Relu", ["a1"], ["r1"], {}))
    layer("r1", "w2", "y2")
    nodes.append(("Mul", ["y2", "g2"], ["m2"], {}))
    nodes.append(("Tanh", ["m2"], ["y"], {}))
    if words:
        del constants["lo"], constants["hi"]
    model = graph_of(nodes, {"x": [2, 3, 8, 8]}, ["y"], constants)
    model.opset_import[0].version = 21 if words else 17
    model.ir_version = 10
    return model


@pytest.mark.parametrize("form", ["qdq", "qonnx"])
@pytest.mark.parametrize("bias", [(1, 6, 1, 1), (6, 6, 6)])
def test_reals_behind_layers(form, bias, tmp_path):
    path, again = str(tmp_path / "m.onnx"), str(tmp_path / "again.onnx")
    onnx.save(trained(bias), path)
    x = np.random.RandomState(6).rand(2, 3, 8, 8).astype(np.float32)
    model = a2q.load(path)
    narrow = model.constrain(width=9)
    for network in (model, narrow):
        network.save(again, form=form)
        assert_all_have_shapes(again)
        assert np.allclose(a2q.load(again).compile()(x), network.compile()(x), atol=1e-6)
        if form == "qdq":
            onnx.checker.check_model(again, full_check=True)
            assert np.allclose(run(again, {"x": x}), network.compile()(x), atol=1e-4)
    model.save(again)
    assert np.allclose(run(again, {"x": x}), run(path, {"x": x}), atol=1e-4)
    # Images keep ONNX's layout, but for pairs at the network's ends that cancel.
    transposes = [n for n in onnx.load(again).graph.node if n.op_type == "Transpose"]
    assert len(transposes) <= 4


@pytest.mark.parametrize("form", ["qdq", "qonnx"])
def test_codes_of_16_bits(form, tmp_path):
    path, again = str(tmp_path / "m.onnx"), str(tmp_path / "again.onnx")
    onnx.save(trained((1, 6, 1, 1), words=True), path)
    x = np.random.RandomState(6).normal(0, 100, (2, 3, 8, 8)).astype(np.float32)
    model = a2q.load(path)
    assert model.report().layers[0].data["activation"]["bits"] == 16
    model.save(again, form=form)
    assert_all_have_shapes(again)
    back = a2q.load(again)
    assert np.allclose(back.compile()(x), model.compile()(x), atol=1e-6)
    assert back.report().layers[0].data["activation"]["bits"] == 16
    if form == "qdq":
        onnx.checker.check_model(again, full_check=True)
        assert np.allclose(run(again, {"x": x}), run(path, {"x": x}), atol=1e-4)


def test_refusals_say_what_helps(tmp_path):
    model = a2q.parse(
        "func.func @main(%x: tensor<2x!quant.uniform<u8:f32:0, {0.5, 0.25}>>)"
        " -> tensor<2xf32> {\n"
        "  %y = a2q.dequantize %x : tensor<2x!quant.uniform<u8:f32:0, {0.5, 0.25}>>"
        " to tensor<2xf32>\n"
        "  return %y : tensor<2xf32>\n}"
    )
    with pytest.raises(a2q.Error, match="cannot be exported") as caught:
        model.save(tmp_path / "m.onnx")
    assert "as MLIR the network can be saved whole" in str(caught.value)
    model.save(tmp_path / "m.mlir")


def test_what_has_no_counterpart(tmp_path):
    model = a2q.parse(
        "func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {\n"
        "  %y = math.sin %x : tensor<2x3xf32>\n"
        "  return %y : tensor<2x3xf32>\n"
        "}"
    )
    with pytest.raises(a2q.Error, match="'math.sin' cannot be exported to ONNX"):
        model.save(tmp_path / "m.onnx")
    generic = """
        #same = affine_map<(i, j) -> (i, j)>
        #turned = affine_map<(i, j) -> (j, i)>
        func.func @main(%x: tensor<3x3xf32>) -> tensor<3x3xf32> {{
          %e = tensor.empty() : tensor<3x3xf32>
          %y = linalg.generic {{indexing_maps = [#{map}, #same],
              iterator_types = ["parallel", "parallel"]}}
              ins(%x : tensor<3x3xf32>) outs(%e : tensor<3x3xf32>) {{
            ^bb0(%a: f32, %b: f32):
              %r = math.{op} %a : f32
              linalg.yield %r : f32
          }} -> tensor<3x3xf32>
          return %y : tensor<3x3xf32>
        }}"""
    for change, note in (
        ({"map": "turned", "op": "exp"}, "it transposes or gathers what it reads"),
        ({"map": "same", "op": "tan"}, "there is no operator for this"),
    ):
        with pytest.raises(a2q.Error, match="'linalg.generic' cannot") as caught:
            a2q.parse(generic.format(**change)).save(tmp_path / "m.onnx")
        assert note in str(caught.value)
    assert not list(tmp_path.iterdir())
