# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures a function at many points, here or on many machines, once each.

>>> points = grid(width=[8, 10], method=["optimal", "top-b"])
>>> points[0]
{'width': 8, 'method': 'optimal'}
>>> def evaluate(point):
...     return {"bits": 2 * point["width"]}
>>> import tempfile
>>> path = tempfile.mkdtemp() + "/results.jsonl"
>>> entries = sweep(evaluate, points, path, progress=False)
>>> entries[0]["point"]["width"], entries[0]["result"]
(8, {'bits': 16})

Each point becomes one line of a file of JSON lines as soon as it is known, so a
sweep can be killed and started again: what stands in the file is not measured
again. A point that fails becomes a line with its error, and the others go on.

`search` measures no more of a grid than it takes to find the narrowest
accumulators that will do.

`evaluate` runs in this process, in many (`jobs`, also by `joblib`), or on a Dask
cluster (`client` or `scheduler`); it and its results are then sent between
processes. A point whose process or worker is lost is measured once more; where it
takes that one along too, its line says of what it died.
`ConstrainedAccuracy` is such a function: the accuracy of a network that is
quantized and whose weights are held to what the point says. The command `a2q-sweep` calls it.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import functools
import hashlib
import importlib
import itertools
import json
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from a2q._errors import Error
from a2q._report import optional

Point = dict[str, Any]
Entry = dict[str, Any]
Evaluate = Callable[[Point], Mapping[str, Any]]

#: How entries begin, their keys sorted.
_STARTS = (b'{"error": ', b'{"identity": ', b'{"point": ')

_DIED = "the process that measured it died"

__all__ = ["ConstrainedAccuracy", "grid", "read", "search", "sweep"]

#: Of a point: what is about floats, in the words of `Model.quantize`.
_FLOAT_OPTIONS = frozenset(
    {
        "activation_bits",
        "activation_scales",
        "border_bits",
        "equalize",
        "range",
        "weight_bits",
    }
)


def grid(**axes: Iterable[Any]) -> list[Point]:
    """All combinations of the values of each axis, the last axis fastest."""
    return [
        dict(zip(axes, values)) for values in itertools.product(*axes.values())
    ]


def key_of(point: Point) -> str:
    """What makes two points the same."""
    if not isinstance(point, dict):
        raise Error(f"point {point!r} is no dictionary")
    try:
        return json.dumps(point, sort_keys=True)
    except TypeError as problem:
        raise Error(f"point {point!r} is no JSON: {problem}") from problem


def read(results: str | os.PathLike[str]) -> list[Entry]:
    """The lines of a file of results: {"point", "seconds"} and "result" or
    "error". A last line that a kill cut off does not count."""
    path = Path(results)
    try:
        lines = path.read_bytes().split(b"\n") if path.exists() else []
    except OSError as problem:
        raise Error(f"{path}: cannot be read: {problem.strerror}") from problem
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            if line:
                entries.append(_entry(line))
        except ValueError as problem:
            if number < len(lines) or not _is_cut(line, bool(entries)):
                raise Error(
                    f"{path}:{number}: no line of results: {problem}\n"
                    "note: take the line out, or name another file"
                ) from problem
    return entries


def _identity_of(evaluate: Evaluate) -> str | None:
    identity = getattr(evaluate, "identity", None)
    return None if identity is None else str(identity())


def _entry(line: bytes) -> Entry:
    """What a line says; a ValueError where it is no entry."""
    entry = json.loads(line)
    if not isinstance(entry, dict) or not isinstance(entry.get("point"), dict):
        raise ValueError("it has no point")
    if not isinstance(entry.get("result"), dict) and "error" not in entry:
        raise ValueError("it has neither a result nor an error")
    return entry


def sweep(
    evaluate: Evaluate,
    points: Iterable[Point],
    results: str | os.PathLike[str],
    *,
    jobs: int = 1,
    client: Any = None,
    scheduler: str | None = None,
    joblib: bool = False,
    retry_failed: bool = False,
    progress: bool = True,
) -> list[Entry]:
    """Measures the points that are not in `results` yet; the entries of all.

    evaluate: point -> numbers and text, as JSON holds them. Where it has a method
        `identity`, lines hold the text that this returns, and lines with another
        one are not of these points: the same of another network, say.
    jobs: processes on this machine. client: a dask.distributed.Client.
    scheduler: the address of one, such as tcp://10.0.0.1:8786.
    joblib: by joblib, with `jobs` processes where that is more than one, else as
        joblib.parallel_config says.
    retry_failed: measures points whose line has an error again.
    """
    wanted = {key_of(point): point for point in points}
    identity = _identity_of(evaluate)
    known = {
        key_of(entry["point"]): entry
        for entry in read(results)
        if entry.get("identity") == identity
    }
    todo = [
        point
        for key, point in wanted.items()
        if key not in known or (retry_failed and "error" in known[key])
    ]
    measured = _entries(evaluate, todo, jobs, client, scheduler, joblib)
    # Closed in any case: processes end with it.
    with _opened(Path(results)) as file, contextlib.closing(measured):
        for entry in _progress(measured, len(todo), progress):
            if identity is not None:
                entry["identity"] = identity
            file.write(json.dumps(entry, sort_keys=True) + "\n")
            file.flush()
            known[key_of(entry["point"])] = entry
    return [known[key] for key in wanted]


def search(
    evaluate: Evaluate,
    points: Iterable[Point],
    results: str | os.PathLike[str],
    *,
    good: Callable[[Mapping[str, Any]], bool],
    values: Sequence[Any],
    axis: str = "width",
    **options: Any,
) -> list[Entry | None]:
    """For each point the entry of the first of `values` that is good, or None.

    values: of `axis`, in an order in which good ones stand behind bad ones, such
        as widths from narrow to wide; a bisection asks a few of them. Whether a
        later one is bad again is not looked at. A point that fails is not good.
    good: a result -> whether it will do.
    options: of `sweep`, which measures a value of each point at a time, all of
        them in the same file.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/results.jsonl"
    >>> (entry,) = search(lambda point: {"accuracy": 10 * point["width"]}, [{}], path,
    ...     good=lambda result: result["accuracy"] >= 90, values=range(6, 17),
    ...     progress=False)
    >>> entry["point"], len(read(path))
    ({'width': 9}, 3)
    """
    wanted = list(points)
    # Everything before `low` is bad; `high` is good, or behind the last.
    low, high = [0] * len(wanted), [len(values)] * len(wanted)
    best: list[Entry | None] = [None] * len(wanted)
    while undecided := [i for i in range(len(wanted)) if low[i] < high[i]]:
        middle = {i: (low[i] + high[i]) // 2 for i in undecided}
        entries = sweep(
            evaluate,
            [{**wanted[i], axis: values[at]} for i, at in middle.items()],
            results,
            **options,
        )
        by_point = {key_of(entry["point"]): entry for entry in entries}
        for i, at in middle.items():
            entry = by_point[key_of({**wanted[i], axis: values[at]})]
            if "result" in entry and good(entry["result"]):
                high[i], best[i] = at, entry
            else:
                low[i] = at + 1
    return best


def _opened(path: Path) -> TextIO:
    """The file, to append lines to."""
    try:
        _mend_last_line(path)
        return path.open("a")
    except OSError as problem:
        raise Error(f"{path}: cannot be written: {problem.strerror}") from problem


def _is_cut(line: bytes, after_entries: bool) -> bool:
    """Whether a last line is what a kill left of an entry, and not a line of
    somebody else's: entries were before it, or it begins as they do, and it is no
    JSON of its own."""
    try:
        json.loads(line)
    except ValueError:
        begins = any(
            line.startswith(start) or start.startswith(line) for start in _STARTS
        )
        return after_entries or begins or not line.strip(b"\0")
    return False


def _mend_last_line(path: Path) -> None:
    """Ends a last line that lacks only its end; takes off what a kill left of
    another."""
    data = path.read_bytes() if path.exists() else b""
    end = data.rfind(b"\n") + 1
    if end == len(data):
        return
    with path.open("r+b") as file:
        try:
            _entry(data[end:])
        except ValueError:
            file.truncate(end)
        else:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")


def _as_json(value: Any) -> Any:
    """Numbers that JSON does not have as null (nan) or text (infinities)."""
    if isinstance(value, float):
        if value != value:
            return None
        return value if abs(value) != float("inf") else str(float(value))
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    return value


def _measure(evaluate: Evaluate, point: Point) -> Entry:
    """One entry, whatever happens; runs where the work is done."""
    begin = time.perf_counter()
    entry: Entry = {"point": point}
    try:
        result = _as_json(dict(evaluate(point)))
        json.dumps(result, allow_nan=False)
        entry["result"] = result
    except (Exception, SystemExit) as error:
        entry["error"] = f"{type(error).__name__}: {error}"
        entry["traceback"] = traceback.format_exc()
    entry["seconds"] = round(time.perf_counter() - begin, 4)
    return entry


def _entries(
    evaluate: Evaluate,
    points: list[Point],
    jobs: int,
    client: Any,
    scheduler: str | None,
    joblib: bool,
) -> Generator[Entry, None, None]:
    """The entries as they come."""
    if client is not None or scheduler is not None:
        yield from _on_cluster(evaluate, points, client, scheduler)
    elif joblib:
        yield from _by_joblib(evaluate, points, jobs)
    elif jobs <= 1:
        for point in points:
            yield _measure(evaluate, point)
    else:
        yield from _in_processes(evaluate, points, jobs)


def _failed(point: Point, error: str) -> Entry:
    return {"point": point, "error": error, "seconds": 0}


class _Process:
    """A process that measures one point at a time, so that it is known which one
    was lost when it dies, and of what."""

    def __init__(self, function: bytes):
        # Forked children would share locks that threads of the parent hold.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function))
        self.process.start()
        theirs.close()
        self.started = False

    def check(self) -> None:
        """An Error where it cannot measure; waits until it has begun."""
        if self.started:
            return
        self.started = True
        try:
            problem = self.receive()
        except EOFError:
            problem = "it died when it began"
        if problem:
            raise _cannot_measure(problem)

    def send(self, point: Point) -> None:
        self.check()
        # One that died meanwhile answers with the end of its file.
        with contextlib.suppress(OSError):
            self.connection.send(point)

    def receive(self) -> Any:
        """What it sent; EOFError where it died."""
        try:
            return self.connection.recv()
        except (EOFError, OSError) as problem:
            raise EOFError from problem

    def cause_of_death(self) -> str:
        self.process.join()
        code = self.process.exitcode or 0
        if code >= 0:
            return f"it ended with exit status {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        often = ", as happens where memory runs out" if name == "SIGKILL" else ""
        return f"it was killed by {name}{often}"

    def stop(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()


def _serve(connection: Any, function: bytes) -> None:
    """What a process does: says what keeps it from measuring, or None; then
    answers each point with its entry."""
    try:
        evaluate = pickle.loads(function)
        connection.send(None)
    except Exception as error:
        connection.send(f"{type(error).__name__}: {error}")
        return
    while True:
        try:
            point = connection.recv()
        except EOFError:
            return
        connection.send(_measure(evaluate, point))


def _in_processes(
    evaluate: Evaluate, points: list[Point], jobs: int
) -> Iterator[Entry]:
    """Entries by processes of this machine. A point whose process dies is measured
    once more."""
    if not points:
        return
    try:
        function = _sent(evaluate)
    except Exception as error:
        raise _cannot_measure(f"{type(error).__name__}: {error}") from error
    left = points[::-1]
    lost: set[str] = set()
    idle: list[_Process] = []
    running: dict[Any, tuple[_Process, Point]] = {}
    try:
        # What keeps the first one from measuring keeps them all.
        idle.append(_first_process(function))
        idle += [_Process(function) for _ in range(min(jobs, len(points)) - 1)]
        while left or running:
            while left and idle:
                process, point = idle.pop(), left.pop()
                running[process.connection] = process, point
                process.send(point)
            for connection in multiprocessing.connection.wait(list(running)):
                process, point = running.pop(connection)
                try:
                    entry = process.receive()
                except EOFError:
                    cause = process.cause_of_death()
                    process.stop()
                    process = _Process(function)
                    entry = None
                    if key_of(point) in lost:
                        entry = _failed(point, f"{_DIED} twice: {cause}")
                    else:
                        # The point may be innocent.
                        lost.add(key_of(point))
                        left.append(point)
                idle.append(process)
                if entry:
                    yield entry
    finally:
        for process in [*idle, *(process for process, _ in running.values())]:
            process.stop()


def _first_process(function: bytes) -> _Process:
    try:
        process = _Process(function)
    except RuntimeError as error:  # in a script that a process imports
        raise _cannot_measure(f"{type(error).__name__}: {error}") from error
    try:
        process.check()
    except Error:
        process.stop()
        raise
    return process


def _sent(evaluate: Evaluate) -> bytes:
    """The function as bytes: with cloudpickle, which joblib and Dask bring along,
    those of notebooks and lambdas as well."""
    cloudpickle: Any
    for name in ("cloudpickle", "joblib.externals.cloudpickle"):
        try:
            cloudpickle = importlib.import_module(name)
        except ImportError:
            continue
        return bytes(cloudpickle.dumps(evaluate))
    return pickle.dumps(evaluate)


def _cannot_measure(problem: str) -> Error:
    """No fault of any point."""
    return Error(
        f"a process cannot measure points: {problem}\n"
        "note: processes import the script and the function: a script is a file and "
        "calls this under `if __name__ == \"__main__\":`; a function of a notebook "
        "is imported from a module or needs cloudpickle (pip install 'a2q[sweep]'); "
        "jobs=1 needs none of this"
    )


def _by_joblib(
    evaluate: Evaluate, points: list[Point], jobs: int
) -> Iterator[Entry]:
    """joblib does not say which point a process that dies took along: what is not
    known by then is measured in processes that do."""
    joblib = optional("joblib", "sweep")
    parallel = joblib.Parallel(
        n_jobs=jobs if jobs > 1 else None, return_as="generator_unordered"
    )
    left = {key_of(point): point for point in points}
    try:
        for entry in parallel(joblib.delayed(_measure)(evaluate, p) for p in points):
            del left[key_of(entry["point"])]
            yield entry
    except concurrent.futures.BrokenExecutor:
        yield from _in_processes(evaluate, list(left.values()), max(jobs, 2))


def _on_cluster(
    evaluate: Evaluate, points: list[Point], client: Any, scheduler: str | None
) -> Iterator[Entry]:
    """Dask gives the points of a worker that is lost to the others, until one has
    lost too many (`distributed.scheduler.allowed-failures`)."""
    try:
        from dask import distributed
    except ImportError as problem:
        raise Error(
            "a sweep on a cluster needs Dask: pip install 'a2q[sweep]'"
        ) from problem
    own = None
    if client is None:
        client = own = distributed.Client(scheduler)
    try:
        futures = {
            client.submit(_measure, evaluate, point, pure=False): point
            for point in points
        }
        waiting = distributed.as_completed(futures)
        lost: set[str] = set()
        for future in waiting:
            point = futures[future]
            try:
                yield future.result()
            except distributed.KilledWorker as error:
                # Others may have died under it: once more, when they are done.
                if key_of(point) in lost:
                    yield _failed(point, f"{_DIED} again and again: {error}")
                    continue
                lost.add(key_of(point))
                again = client.submit(_measure, evaluate, point, pure=False)
                futures[again] = point
                waiting.add(again)
            except Exception as error:  # nothing that `evaluate` raised
                yield _failed(point, f"{type(error).__name__}: {error}")
    finally:
        if own is not None:
            own.close()


def _progress(entries: Iterator[Entry], total: int, shown: bool) -> Iterator[Entry]:
    """A bar by tqdm where it is installed, else a line for each point."""
    if not shown:
        yield from entries
        return
    try:
        from tqdm import tqdm
    except ImportError:
        for count, entry in enumerate(entries, 1):
            said = entry.get("result") or entry.get("error")
            print(f"{count}/{total} {entry['point']} {said}", file=sys.stderr)
            yield entry
    else:
        yield from tqdm(entries, total=total, unit="point")


class ConstrainedAccuracy:
    """The accuracy of a network held to a point's accumulators.

    model: path of a network (.onnx, .mlir), quantized or of floats. inputs,
    labels: paths of arrays; calibration: inputs for the methods, or None. A point
    holds keywords of `Model.constrain`, and of `Model.quantize` where the network
    is one of floats; an empty one leaves the network as it is.

    Results: "accuracy" in percent, and "widths": bits that each layer's sums need
    from a centred start. All are of the files as they were when `identity` was
    last called, which `sweep` does, or else at the first point.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        inputs: str | os.PathLike[str],
        labels: str | os.PathLike[str],
        calibration: str | os.PathLike[str] | None = None,
    ):
        # Absolute: workers may stand elsewhere.
        self.model = os.path.abspath(model)
        self.inputs = os.path.abspath(inputs)
        self.labels = os.path.abspath(labels)
        self.calibration = None if calibration is None else os.path.abspath(calibration)
        self._identity: str | None = None

    def identity(self) -> str:
        """A digest of the network and the data, as the files hold them now."""
        self._identity = _digest(_load(*self._paths()))
        return self._identity

    def _paths(self) -> tuple[str, str, str, str | None]:
        return self.model, self.inputs, self.labels, self.calibration

    def __call__(self, point: Point) -> dict[str, Any]:
        identity = self._identity or self.identity()
        model, inputs, labels, calibration = _loaded(identity, *self._paths())
        if _FLOAT_OPTIONS & point.keys():
            if calibration is None:
                raise Error(
                    "a point with bits needs calibration data: codes are chosen by "
                    "what the network sees"
                )
            model = model.quantize(calibration, **point)
        elif point:
            model = model.constrain(calibration=calibration, **point)
        report = model.prove(bound="centred")
        scores = np.asarray(model.compile()(inputs))
        right = scores.reshape(len(labels), -1).argmax(1) == labels
        return {
            "accuracy": round(100 * float(right.mean()), 4),
            "widths": {layer.name: layer.widths["centred"] for layer in report},
        }


@functools.lru_cache(maxsize=4)
def _loaded(identity: str, *paths: str | None) -> Any:
    """Once in each process; an Error where the files are others by now."""
    loaded = _load(*paths)
    if _digest(loaded) != identity:
        raise Error("the network or its data have changed since the sweep began")
    return loaded


def _load(model: str | None, *arrays: str | None) -> tuple[Any, ...]:
    """The network, and an array or None for each of the others."""
    import a2q

    assert model is not None
    return a2q.load(model), *(path and _array(path) for path in arrays)


def _array(path: str) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(np.load(path))
    except (OSError, ValueError) as problem:
        raise Error(f"'{path}': is no array of numpy: {problem}") from problem


def _digest(loaded: tuple[Any, ...]) -> str:
    """Of the network's text, which holds what lies in files beside the model."""
    model, *arrays = loaded
    digest = hashlib.sha256(str(model).encode())
    for array in arrays:
        if array is None:
            digest.update(b"none")
        else:
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="a2q-sweep",
        description="accuracy of a network over widths, methods, tiles and bits",
    )
    parser.add_argument("model", help=".onnx or .mlir; of floats with --weight-bits")
    parser.add_argument("--input", required=True, metavar="x.npy")
    parser.add_argument("--labels", required=True, metavar="y.npy")
    parser.add_argument("--calibration", metavar="c.npy")
    parser.add_argument("--width", type=int, nargs="+", required=True)
    parser.add_argument("--method", nargs="+", default=["optimal"])
    parser.add_argument("--tile", type=int, nargs="+", default=[0], help="0: all of K")
    parser.add_argument("--weight-bits", type=int, nargs="+")
    parser.add_argument("--activation-bits", type=int, nargs="+")
    parser.add_argument(
        "--narrowest",
        type=float,
        metavar="PERCENT",
        help="of the widths, search the narrowest with this accuracy",
    )
    parser.add_argument("--results", required=True, metavar="results.jsonl")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--joblib", action="store_true", help="processes of joblib")
    parser.add_argument("--scheduler", help="of a Dask cluster, tcp://...")
    parser.add_argument("--retry-failed", action="store_true")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command a2q-sweep."""
    given = _parser().parse_args(arguments)
    axes: dict[str, list[Any]] = {"method": given.method, "tile": given.tile}
    for name in ("weight_bits", "activation_bits"):
        if getattr(given, name):
            axes[name] = getattr(given, name)
    evaluate = ConstrainedAccuracy(
        given.model, given.input, given.labels, given.calibration
    )
    options = dict(
        jobs=given.jobs,
        joblib=given.joblib,
        scheduler=given.scheduler,
        retry_failed=given.retry_failed,
    )
    try:
        if given.narrowest is None:
            points = grid(**axes, width=given.width)
            return _print(sweep(evaluate, points, given.results, **options))
        points = grid(**axes)
        found = search(
            evaluate,
            points,
            given.results,
            good=lambda result: bool(result["accuracy"] >= given.narrowest),
            values=sorted(set(given.width)),
            **options,
        )
    except Error as error:
        print(f"a2q-sweep: error: {error}", file=sys.stderr)
        return 1
    missing = {"error": f"no width has {given.narrowest:g} %"}
    return _print(
        [entry or {"point": point, **missing} for point, entry in zip(points, found)]
    )


def _print(entries: list[Entry]) -> int:
    """A line for each entry; 1 where one has an error, else 0."""
    heads = {"method": 20, "tile": 6, "weight_bits": 12, "activation_bits": 16,
             "width": 6}  # fmt: skip
    shown = {
        name: size
        for name, size in heads.items()
        if name in ("method", "tile", "width")
        or any(name in entry["point"] for entry in entries)
    }
    print(" ".join(f"{name:<{size}}" for name, size in shown.items()) + " accuracy")
    for entry in entries:
        point = entry["point"]
        said = entry.get("error", "").split("\n")[0]
        if "result" in entry:
            said = f"{entry['result']['accuracy']:.2f} %"
        cells = {**point, "tile": point["tile"] or "all"}
        line = (f"{cells.get(name, ''):<{size}}" for name, size in shown.items())
        print(" ".join(line) + " " + said)
    return 1 if any("error" in entry for entry in entries) else 0


if __name__ == "__main__":
    sys.exit(main())
