# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks with data to calibrate and to judge them.

Each task has a float model, arrays `calibration` and `test`, and `labels`. The
packages that carry the models are unpacked wheels below one folder.
"""

import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples/digits"


class Digits:
    """UCI digits, 8 by 8; the demo's network."""

    name = "digits"
    reference = "handwritten digits"

    def __init__(self, packages, folder):
        from sklearn.datasets import load_digits

        self.model = DIGITS / "digits-float.onnx"
        images = np.load(DIGITS / "images.npy")
        test = {image.tobytes() for image in images.reshape(-1, 64)}
        rows = [row for row in load_digits().data.astype(np.uint8)
                if row.tobytes() not in test][:300]
        self.calibration = np.float32(rows).reshape(-1, 1, 8, 8)
        self.test = images.astype(np.float32)
        self.labels = np.load(DIGITS / "labels.npy")

    def correct(self, outputs):
        return outputs.argmax(axis=1) == self.labels


def fixed_batch(source, target, shape, opset=None):
    """The model with one input of that shape, shapes known throughout."""
    import onnx
    from onnx import shape_inference, version_converter

    model = onnx.load(source)
    if opset:
        model = version_converter.convert_version(model, opset)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    for dim, size in zip(dims, shape):
        dim.dim_value = size
    onnx.save(shape_inference.infer_shapes(model), target)


class Direction:
    """PaddleOCR's classifier of text lines: upright or upside down, on lines
    rendered with the machine's fonts."""

    name = "direction"
    package = "rapidocr_onnxruntime"
    reference = "text direction classifier (rapidocr-onnxruntime 1.4.4)"
    shape = (1, 3, 48, 192)

    def __init__(self, packages, folder):
        source = next(pathlib.Path(packages).rglob(
            "ch_ppocr_mobile_v2.0_cls_infer.onnx"))
        self.model = folder / "direction-float.onnx"
        fixed_batch(source, self.model, self.shape, 13)
        numbers = np.random.default_rng(5)
        self.calibration, _ = self.lines(numbers, 100)
        self.test, self.labels = self.lines(numbers, 200)

    def lines(self, numbers, count):
        """Small, faint and noisy lines, half of them turned."""
        from PIL import Image, ImageDraw, ImageFilter, ImageFont

        fonts = sorted(pathlib.Path("/usr/share/fonts").rglob("*.ttf"))
        words = sorted(set((ROOT / "LICENSE").read_text().split()))
        images, labels = [], numbers.integers(0, 2, count)
        for label in labels:
            font = ImageFont.truetype(str(numbers.choice(fonts)),
                                      int(numbers.integers(28, 40)))
            text = " ".join(numbers.choice(words, 2))[:14]
            ground = int(numbers.integers(120, 256))
            ink = ground - int(numbers.integers(60, 120))
            image = Image.new("L", (192, 48), ground)
            draw = ImageDraw.Draw(image)
            draw.text((numbers.integers(2, 12), 24), text, font=font, fill=ink,
                      anchor="lm")
            image = image.rotate(float(numbers.normal(0, 2)), fillcolor=ground)
            image = image.filter(ImageFilter.GaussianBlur(
                float(numbers.uniform(0.3, 1.2))))
            if label:
                image = image.rotate(180)
            pixels = np.asarray(image, np.float32)
            pixels = pixels + numbers.normal(0, 5, pixels.shape)
            images.append(np.repeat(pixels[None].clip(0, 255), 3, axis=0))
        return np.float32(images) / 127.5 - 1, labels

    def correct(self, outputs):
        return outputs.argmax(axis=1) == self.labels


class Magika:
    """Google's file types, on files of this machine: the label is what the name
    ends with."""

    name = "magika"
    package = "magika"
    reference = "Magika v3.3 (magika 1.0.3)"
    kinds = {".py": "python", ".h": "c", ".c": "c", ".hpp": "cpp",
             ".cpp": "cpp", ".js": "javascript", ".json": "json",
             ".html": "html", ".css": "css", ".xml": "xml", ".svg": "svg",
             ".png": "png", ".gz": "gzip", ".sh": "shell", ".pl": "perl",
             ".pm": "perl", ".md": "markdown", ".rst": "rst", ".txt": "txt",
             ".cmake": "cmake", ".so": "elf", ".o": "elf", ".ttf": "ttf",
             ".npy": "npy", ".yaml": "yaml", ".yml": "yaml", ".csv": "csv",
             ".pyc": "pythonbytecode", ".zip": "zip", ".java": "java",
             ".tcl": "tcl", ".lua": "lua", ".go": "go", ".rs": "rust",
             ".jpg": "jpeg", ".diff": "diff", ".sql": "sql", ".toml": "toml"}

    def __init__(self, packages, folder):
        import json

        home = next(pathlib.Path(packages).rglob("standard_v3_3"))
        config = json.loads((home / "config.min.json").read_text())
        self.names = config["target_labels_space"]
        self.model = folder / "magika-float.onnx"
        fixed_batch(home / "model.onnx", self.model, (1, 2048))
        files = self.files(220)
        codes = np.stack([self.features(path, config) for path in files])
        kinds = np.array([self.names.index(self.kinds[path.suffix])
                          for path in files])
        self.calibration, self.test = codes[:60], codes[60:]
        self.labels = kinds[60:]

    def files(self, count):
        """As many of each kind, and of each folder few."""
        numbers = np.random.default_rng(7)
        found = {}
        for path in sorted(pathlib.Path("/usr").rglob("*")):
            if path.suffix in self.kinds and path.is_file() and \
                    not path.is_symlink() and path.stat().st_size >= 64 and \
                    self.kinds[path.suffix] in self.names:
                found.setdefault(path.suffix, []).append(path)
        chosen = []
        for suffix in sorted(found):
            paths = found[suffix]
            chosen += [paths[i] for i in numbers.permutation(len(paths))[:12]]
        return [chosen[i] for i in numbers.permutation(len(chosen))[:count]]

    @staticmethod
    def features(path, config):
        size, block = config["beg_size"], config["block_size"]
        content = path.read_bytes()
        begin = content[:block].lstrip()[:size]
        end = content[-block:].rstrip()[-config["end_size"]:]
        pad = config["padding_token"]
        row = list(begin) + [pad] * (size - len(begin))
        row += [pad] * (config["end_size"] - len(end)) + list(end)
        return np.array(row, np.int32)

    def correct(self, outputs):
        return outputs.argmax(axis=1) == self.labels


TASKS = {task.name: task for task in (Digits, Direction, Magika)}


def quantize(task, folder, reduce_range):
    """ONNX Runtime's static quantization of Conv, Gemm and MatMul: u8
    activations, s8 weights per channel."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process
    import onnx

    class Reader:
        def __init__(self):
            name = onnx.load(task.model).graph.input[0].name
            self.rows = iter([{name: row[None]} for row in task.calibration])

        def get_next(self):
            return next(self.rows, None)

    prepared = folder / f"{task.name}-prepared.onnx"
    quant_pre_process(str(task.model), str(prepared), skip_symbolic_shape=True)
    result = folder / (f"{task.name}-reduce-range.onnx" if reduce_range
                       else f"{task.name}-w8a8.onnx")
    quantize_static(str(prepared), str(result), Reader(),
                    quant_format=QuantFormat.QDQ,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8, per_channel=True,
                    reduce_range=reduce_range,
                    op_types_to_quantize=["Conv", "Gemm", "MatMul"],
                    extra_options={
                        "QDQDisableWeightAdjustForInt32Bias": True})
    return result


def first_layer_of(full, reduced, result):
    """NNCF's default on such processors: half of the range for the first layer
    alone. The two models differ in the numbers of their layers, and these of
    the first layer are taken from the second."""
    import onnx

    model, other = onnx.load(full), onnx.load(reduced)
    producers = {out: node for node in model.graph.node for out in node.output}
    layer = next(node for node in model.graph.node
                 if node.op_type in ("Conv", "Gemm", "MatMul") and
                 all(producers.get(name) is not None and
                     producers[name].op_type == "DequantizeLinear"
                     for name in node.input[:2]))
    wanted = {name for source in layer.input[1:]
              for name in producers[source].input}
    values = {tensor.name: tensor for tensor in other.graph.initializer}
    for tensor in model.graph.initializer:
        if tensor.name in wanted:
            tensor.CopyFrom(values[tensor.name])
    onnx.save(model, result)
    return result


if __name__ == "__main__":
    sys.exit("this is a module; run models.py")
