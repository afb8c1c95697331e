# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks and programs."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from a2q import _core
from a2q._arrays import Array, Arrays, allocate, bind, bind_any
from a2q._errors import Error, file_name
from a2q._report import Report
from a2q.bounds import natural

Path = Union[str, "os.PathLike[str]"]
#: Constraints of single layers, by their names in the report: a JSON file, or
#: what is in it.
Overrides = Union[Path, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class TensorSpec:
    """One input or output: a dense row-major array.

    range: the integers that an input must hold, or that an output can hold.
    meaning: what the codes mean, such as "real = 0.25 * (code - 3)".
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    range: tuple[int, int] | None = None
    meaning: str = ""

    def describe(self) -> str:
        return f"{self.dtype} of shape {list(self.shape)}"


class Compiled:
    """A network as machine code. Call it with numpy arrays, by order or by name.

    Arrays have the shapes of `inputs`, or all of them n times as many rows; the
    network then runs n times. Any number of threads may call at the same time.
    C-contiguous arrays are read where they lie; others are copied first.

    >>> y = compiled(x)                                 # doctest: +SKIP
    >>> outputs = compiled.run({"ids": ids, "mask": m}) # doctest: +SKIP
    """

    def __init__(
        self,
        core: _core.Compiled,
        model: Model,
        options: str,
        arguments: Mapping[str, Any],
    ):
        self._core = core
        self._model = model
        #: Those of the command a2q-run that make the same program.
        self._options = options
        #: Of `Model.compile`.
        self._arguments = dict(arguments)
        self.inputs = tuple(TensorSpec(*fields) for fields in core.inputs())
        self.outputs = tuple(TensorSpec(*fields) for fields in core.outputs())

    def __call__(self, *arrays: npt.ArrayLike, **named: npt.ArrayLike) -> Any:
        """The output, or a dict of outputs by name where there are several."""
        outputs = self._run(bind(self.inputs, arrays, named), {})
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def run(
        self, inputs: Arrays, out: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        """All outputs by name.

        out: C-contiguous arrays to write outputs to, for those that have one;
            they share no memory with each other or the inputs.
        """
        if out is not None and not isinstance(out, Mapping):
            name = next(iter(self.outputs)).name
            raise Error(
                f"out is of type {type(out).__name__}; it takes arrays by name, such "
                f"as {{{name!r}: array}}"
            )
        return self._run(bind_any(self.inputs, inputs), out or {})

    def _run(self, arrays: list[Array], out: Mapping[str, Array]) -> dict[str, Array]:
        outputs = allocate(self.inputs, arrays, self.outputs)
        for name, array in out.items():
            _check_output(name, array, outputs)
            outputs[name] = array
        given = list(out.values())
        for index, array in enumerate(given):
            if any(
                np.may_share_memory(array, other)
                for other in (*arrays, *given[:index])
            ):
                raise Error("an array for an output shares memory with another array")
        with self._model._reproduced_by(f"a2q-run{self._options}", self.inputs, arrays):
            self._core.run(arrays, list(outputs.values()))
        return outputs

    def save_object(self, path: Path) -> None:
        """Writes the object file and its C header beside it: m.o and m.h."""
        name = file_name(path)
        header = os.path.splitext(name)[0] + ".h"
        if header == name:
            raise Error(
                f"'{name}': is the name of the header, which is written beside "
                "the object file"
            )
        self._core.save(name, header)

    def __reduce__(self) -> tuple[Any, ...]:
        """Compiled again where it is unpickled, for the processor there unless one
        was named."""
        return _compiled, (self._model, self._arguments)

    def __repr__(self) -> str:
        return f"<a2q.Compiled {_signature(self.inputs, self.outputs)}>"


class Model:
    """A network. Nothing changes it: operations return another one.

    inputs, outputs: what it takes and returns.
    """

    def __init__(
        self, core: _core.Model, source: str | None = None, chosen: bool = False
    ):
        self._core = core
        #: A command that prints the network, where there is one.
        self._source = source
        #: Whether someone has chosen its accumulators.
        self._chosen = chosen

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(*fields) for fields in self._core.inputs())

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(*fields) for fields in self._core.outputs())

    def prove(self, bound: str = "exact") -> Report:
        """Proves what the network claims and the narrowest accumulators.

        bound: what guarantees them: datatype, a2q, a2q-plus, exact or centred.
        Raises Error where something cannot be proven.
        """
        with self._reproduced_by(f"a2q-check - --bound={shlex.quote(str(bound))}"):
            proven = self._core.prove(str(bound))
        return Model(proven, self._then(f"--a2q-prove-pipeline=bound={bound}")).report()

    def report(self) -> Report:
        """The report of the accumulators that the network has, unproven."""
        with self._reproduced_by("a2q-opt --a2q-report-accumulators"):
            text, table = self._core.report()
        return Report(text, table, self)

    def stage(self, inner: int = 16, granularity: int = 1) -> Model:
        """Splits sums, without changing them, into tiles that fit `inner` bits.

        granularity: tile ends are multiples of this many terms.
        """
        inner = natural(inner, "inner", 1, 64)
        granularity = natural(granularity, "granularity", 1)
        step = _pass("a2q-stage-accumulators", inner=inner, granularity=granularity)
        with self._reproduced_by(f"a2q-opt {step}"):
            core = self._core.stage(inner, granularity)
        return Model(core, self._then(step), chosen=True)

    def constrain(
        self,
        width: int = 16,
        method: str = "optimal",
        tile: int = 0,
        bound: str | None = None,
        overrides: Overrides | None = None,
        calibration: Arrays | None = None,
    ) -> Model:
        """Changes weights so that sums of `tile` products fit `width` bits.

        method: one of a2q.methods(). tile: 0 for all products. bound: one of the
        method's, None for its first. overrides: what single layers have of their
        own, by name: {"fc": {"skip": True}}.
        calibration: inputs like those that the network will see. They give the
        moments that the method weighs errors with, and the means and variances
        of sums, which are restored.
        """
        width = natural(width, "width", 1, 64)
        tile = natural(tile, "tile")
        if calibration is not None:
            # What is quantized stays so; codes are not chosen anew.
            return self.quantize(
                calibration,
                width=width,
                tile=tile,
                method=method,
                bound=bound,
                overrides=overrides,
            )
        with _overrides_file(overrides) as (path, files):
            options = dict(width=width, tile=tile, method=method, bound=bound or "")
            # What can be typed reads a file that is still there.
            lasting = {"overrides": next(iter(files), path)} if path else {}
            step = _pass("a2q-constrain-weights", **options, **lasting)
            with self._reproduced_by(f"a2q-opt {step}", files=files):
                core = self._core.constrain(
                    width, tile, str(method), str(bound or ""), path
                )
        return Model(core, None if files else self._then(step), chosen=True)

    def quantize(
        self,
        calibration: Arrays,
        weight_bits: int | None = None,
        activation_bits: int | None = None,
        border_bits: int | None = None,
        range: str | None = None,
        equalize: bool = False,
        activation_scales: str | None = None,
        moments: bool = False,
        width: int | None = None,
        tile: int = 0,
        method: str = "optimal",
        bound: str | None = None,
        overrides: Overrides | None = None,
    ) -> Model:
        """A float network in integers, by calibration data alone.

        calibration: inputs like those that the network will see: an array for
            its one input, or arrays by name, with n times the network's rows.
        weight_bits: from 2 to 8, 8 by default. activation_bits: from 1 to 8, 8 by
            default. border_bits: both in the first and the last layer.
        range: where activations are clipped: mse (the default), min-max,
            percentile:P or kl.
        equalize: give channels between two layers weights of one size.
        activation_scales: "tensor" (the default), or "channel": one for each
            channel where the layers that read them allow it.
        moments: keep those of every layer's inputs in the network, for
            `constrain` without calibration by any method: K^2 numbers a layer.
        width, tile, method, bound: constrain weights as well; see `constrain`.

        A network that is quantized already keeps its codes: it takes a constraint
        and moments.
        """
        arrays = bind_any(self.inputs, calibration)
        for spec, array in zip(self.inputs, arrays):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise Error(
                    f"calibration data of input '{spec.name}' hold numbers that "
                    "are not finite"
                )
        options = _Options()
        arguments = _core.QuantizeArguments()
        for name, value, least in (
            ("weight_bits", weight_bits, 2),
            ("activation_bits", activation_bits, 1),
            ("border_bits", border_bits, 2),
        ):
            if value is not None:
                setattr(arguments, name, natural(value, name, least, 8))
                options.add(name, value)
        if range is not None:
            arguments.range = str(range)
            options.add("range", range)
        if equalize:
            arguments.equalize = True
            options.add("equalize")
        if activation_scales is not None:
            if activation_scales not in ("tensor", "channel"):
                raise Error(
                    f"activation_scales is {activation_scales!r}; it takes 'tensor' "
                    "or 'channel'"
                )
            arguments.channel_scales = activation_scales == "channel"
            options.add("activation_scales", activation_scales)
        arguments.float_options = options.names
        arguments.tile = natural(tile, "tile")
        arguments.method = str(method)
        arguments.bound = str(bound or "")
        if width is not None:
            arguments.width = natural(width, "width", 1, 64)
            constraint = f"{width}x{tile}" if tile else str(width)
            constraint += f":{method}" + (f":{bound}" if bound else "")
            options.add("constrain", constraint)
        if moments:
            arguments.keep_moments = True
            options.add("moments")
        with _overrides_file(overrides) as (path, files):
            for name in files:
                options.add("overrides", name)
            if path and not files:
                options.add("overrides", path)
            with self._reproduced_by(
                f"a2q-quantize -o quantized.mlir{options}",
                self.inputs,
                arrays,
                flag="calibration",
                files=files,
            ):
                arguments.overrides = path
                core = self._core.quantize(arrays, arguments)
        return Model(core, chosen=width is not None)

    def compile(
        self,
        accumulator: int | str | None = None,
        target_cpu: str = "",
        isa: str = "",
        check_accumulators: bool = False,
        prefix: str = "model",
    ) -> Compiled:
        """Machine code.

        accumulator: 8, 16 or 32 splits sums, without changing them, into stages
            whose inner accumulators have that width; "auto" does so with the
            width that the processor is fastest with; "proven" keeps the
            accumulators that the network has. None is "proven" after `stage` and
            `constrain`, else "auto".
        target_cpu: an LLVM name, by default this processor. isa: portable, avx2,
            avx512bw, avx512vnni or avx512vbmi, by default the best that it has.
        check_accumulators: code that raises Error when an accumulator leaves what
            its type promises.
        prefix: what the names of the C functions in the object file begin with.
        """
        if accumulator is None:
            accumulator = "proven" if self._chosen else "auto"
        if str(accumulator) not in ("auto", "proven", "8", "16", "32"):
            raise Error(
                f"accumulator is {accumulator!r}; it takes 8, 16, 32, 'auto' or "
                "'proven'"
            )
        arguments = _core.CompileArguments()
        arguments.accumulator = str(accumulator)
        arguments.target_cpu = str(target_cpu)
        arguments.isa = str(isa)
        arguments.check_accumulators = bool(check_accumulators)
        arguments.prefix = str(prefix)
        options = _Options()
        for name, text in (("target_cpu", target_cpu), ("isa", isa)):
            if text:
                options.add(name, text)
        if accumulator != "proven":
            options.add("accumulator", accumulator)
        if check_accumulators:
            options.add("check_accumulators")
        with self._reproduced_by(f"a2q-compile - -o model.o{options}"):
            core = self._core.compile(arguments)
        return Compiled(
            core,
            self,
            str(options),
            dict(
                accumulator=accumulator,
                target_cpu=arguments.target_cpu,
                isa=arguments.isa,
                check_accumulators=arguments.check_accumulators,
                prefix=arguments.prefix,
            ),
        )

    def run_reference(
        self, inputs: Arrays, emulate: str | None = None
    ) -> dict[str, Array]:
        """All outputs by name, from the slow reference: exact sums in 128 bits.

        emulate: "wrap:P" or "saturate:P" keeps every sum in a register of P bits
        that does so, whatever is proven.
        """
        if emulate is not None and not isinstance(emulate, str):
            raise Error(
                f"emulate is {emulate!r}; it takes text such as 'wrap:16' or "
                "'saturate:16'"
            )
        specs, outputs = self.inputs, self.outputs
        arrays = bind_any(specs, inputs)
        result = allocate(specs, arrays, outputs)
        options = _Options()
        options.add("emulate", emulate) if emulate else options.add("reference")
        with self._reproduced_by(f"a2q-run{options}", specs, arrays):
            self._core.run_reference(arrays, list(result.values()), emulate or "")
        return result

    def save(self, path: Path, form: str = "qdq") -> None:
        """Writes the network to a .mlir or an .onnx file; `load` reads both.

        ONNX gets the integers that the network has now, between QuantizeLinear
        and DequantizeLinear, or with form="qonnx" behind the Quant nodes of
        QONNX; accumulators have no place there. What has no counterpart in ONNX
        is an Error.
        """
        if form not in ("qdq", "qonnx"):
            raise Error(f"form is {form!r}; it takes 'qdq' or 'qonnx'")
        name = file_name(path)
        if not name.endswith((".mlir", ".onnx")):
            raise Error(
                f"'{name}': the name of a network ends with .mlir or .onnx"
            )
        flag = "--export-qonnx" if form == "qonnx" else "--export-onnx"
        with self._reproduced_by(f"a2q-translate {flag} -o model.onnx"):
            self._core.save(name, form == "qonnx")

    def __reduce__(self) -> tuple[Any, ...]:
        """As MLIR's text; the command that makes it goes along."""
        return _parsed, (str(self), self._source, self._chosen)

    def __str__(self) -> str:
        """The network in MLIR's text."""
        return str(self._core.text())

    def __repr__(self) -> str:
        try:
            return f"<a2q.Model {_signature(self.inputs, self.outputs)}>"
        except Error:
            return "<a2q.Model>"

    def _then(self, step: str) -> str | None:
        if self._source is None:
            return None
        return f"{self._source} | a2q-opt --mlir-print-debuginfo {step}"

    @contextlib.contextmanager
    def _reproduced_by(
        self,
        command: str,
        specs: Sequence[TensorSpec] = (),
        arrays: Sequence[Array] = (),
        flag: str = "input",
        files: Mapping[str, Array | str] | None = None,
    ) -> Iterator[None]:
        """Errors know the command line that fails as the operation does.

        `command` reads the network from standard input; with arrays it reads them
        from files, `flag` for each, and the network from one too.
        """
        try:
            yield
        except Error as error:
            error.model = self
            error.files = dict(files or {})
            if specs:
                for number, (spec, array) in enumerate(zip(specs, arrays)):
                    name = f"input{number}.npy"
                    error.files[name] = array
                    command += f" --{flag}={shlex.quote(spec.name + '=' + name)}"
                error.command = f"{command} model.mlir"
            elif self._source:
                error.command = f"{self._source} | {command}"
            else:
                error.command = f"cat model.mlir | {command}"
            raise


def _parsed(text: str, source: str | None, chosen: bool) -> Model:
    return Model(_core.parse(text), source, chosen)


def _compiled(model: Model, arguments: Mapping[str, Any]) -> Compiled:
    return model.compile(**arguments)


class _Options:
    """Words of a command line, from the names of Python's options."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._text = ""

    def add(self, name: str, value: object = None) -> None:
        self.names.append(name)
        self._text += f" --{name.replace('_', '-')}"
        if value is not None:
            self._text += f"={shlex.quote(str(value))}"

    def __str__(self) -> str:
        return self._text


def _pass(name: str, **options: object) -> str:
    text = " ".join(f"{key}={value}" for key, value in options.items() if value != "")
    return shlex.quote(f"--pass-pipeline=builtin.module({name}{{{text}}})")


def _signature(
    inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> str:
    def text(specs: tuple[TensorSpec, ...]) -> str:
        return ", ".join(f"{spec.name}: {spec.describe()}" for spec in specs)

    return f"({text(inputs)}) -> ({text(outputs)})"


def _check_output(name: str, array: object, outputs: Mapping[str, Array]) -> None:
    if name not in outputs:
        names = ", ".join(f"'{known}'" for known in outputs)
        raise Error(f"the network has no output '{name}'; it has {names}")
    wanted = outputs[name]
    if (
        not isinstance(array, np.ndarray)
        or array.dtype != wanted.dtype
        or array.shape != wanted.shape
        or not array.flags.carray
    ):
        raise Error(
            f"the array for output '{name}' is no writable C-contiguous array of "
            f"{wanted.dtype} of shape {list(wanted.shape)}"
        )


@contextlib.contextmanager
def _overrides_file(
    overrides: Overrides | None,
) -> Iterator[tuple[str, dict[str, Array | str]]]:
    """The path of a file with these overrides, empty without any; and what is in
    it by another name, where the file will not last."""
    if overrides is None:
        yield "", {}
        return
    if not isinstance(overrides, Mapping):
        yield file_name(overrides), {}
        return
    try:
        text = json.dumps(overrides)
    except (TypeError, ValueError) as problem:
        raise Error(f"overrides: {problem}") from problem
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "overrides.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        yield path, {"overrides.json": text}


def named_shapes(
    shapes: Mapping[str, Sequence[int]] | Sequence[int] | None,
) -> list[tuple[str, list[int]]]:
    if shapes is None:
        return []
    named = shapes if isinstance(shapes, Mapping) else {"": shapes}
    try:
        return [
            (str(name), [natural(size, "a size", 1) for size in sizes])
            for name, sizes in named.items()
        ]
    except TypeError as problem:
        raise Error(
            f"shapes is {shapes!r}; it takes a shape, or shapes by name"
        ) from problem


def shape_options(shapes: list[tuple[str, list[int]]]) -> list[str]:
    """The same for a tool."""
    return [
        "--shape="
        + shlex.quote((f"{name}=" if name else "") + "x".join(map(str, sizes)))
        for name, sizes in shapes
    ]


def load(
    path: Path,
    batch: int | None = None,
    shapes: Mapping[str, Sequence[int]] | Sequence[int] | None = None,
) -> Model:
    """Reads a .onnx file, or a .mlir file.

    batch: size of a batch dimension that the file leaves open; 1 by default.
    shapes: whole shapes of inputs that the file leaves open, by name, or the
        shape of its first input.
    """
    name = file_name(path)
    if name == "-":
        raise Error("'-': is standard input, which only the tools read")
    if batch is not None:
        batch = natural(batch, "batch", 1)
    wanted = named_shapes(shapes)
    quoted = shlex.quote(name)
    if name.endswith(".onnx"):
        source = "a2q-translate --import-onnx --mlir-print-debuginfo "
        source += f"--batch={batch} " if batch else ""
        source += "".join(f"{option} " for option in shape_options(wanted))
        source += quoted
    elif batch is not None or wanted:
        raise Error(f"'{name}': batch and shapes are for .onnx files")
    else:
        source = f"cat {quoted}"
    try:
        return Model(_core.load(name, batch, wanted), source)
    except Error as error:
        error.command = source if name.endswith(".onnx") else f"a2q-check {quoted}"
        raise


def parse(text: str) -> Model:
    """A network from MLIR's text."""
    try:
        if "\0" in text:
            raise ValueError("a character 0 ends it")
        text.encode()
    except (AttributeError, TypeError, ValueError) as problem:
        raise Error(f"{text!r:.40} is no text of MLIR: {problem}") from problem
    return Model(_core.parse(text))


def quantize(
    model: Model | Path, calibration: Arrays, **options: Any
) -> Model:
    """`Model.quantize` of a network or of the file that it is in."""
    if not isinstance(model, Model):
        model = load(model)
    return model.quantize(calibration, **options)
