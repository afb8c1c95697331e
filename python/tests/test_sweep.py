# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sweeps: all points once, through failures, kills and lost workers."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import a2q
from a2q.sweep import ConstrainedAccuracy, grid, main, read, search, sweep
from conftest import DIGITS


def square(point):
    if point["x"] == 3:
        raise ValueError("three is refused")
    return {"y": point["x"] ** 2}


def slow(point):
    """Notes that it began, then takes its time."""
    with open(point["log"], "a") as file:
        file.write(f"{point['x']} {os.getpid()}\n")
    time.sleep(point["seconds"])
    return {"y": point["x"] ** 2}


def dies(point):
    if point["x"] in (0, 3):
        os.kill(os.getpid(), signal.SIGKILL)
    return {"y": point["x"] ** 2}


def saturates(point):
    """Good from `from` on; None fails and is not good."""
    if point["width"] == point["fails"]:
        raise ValueError("no such width")
    return {"good": point["width"] >= point["from"]}


def values(entries):
    return [entry.get("result", {}).get("y") for entry in entries]


def test_grid_is_the_product():
    points = grid(width=[8, 10], method=["optimal", "top-b"])
    assert len(points) == 4 and points[1] == {"width": 8, "method": "top-b"}


@pytest.mark.parametrize("jobs", [1, 2])
def test_failures_are_recorded_and_not_fatal(jobs, tmp_path):
    path = tmp_path / "results.jsonl"
    entries = sweep(square, grid(x=range(6)), path, jobs=jobs, progress=False)
    assert values(entries) == [0, 1, 4, None, 16, 25]
    assert entries[3]["error"] == "ValueError: three is refused"
    assert "in square" in entries[3]["traceback"]
    assert len(read(path)) == 6


def test_a_point_that_kills_its_process_is_recorded_with_the_cause(tmp_path):
    path = tmp_path / "results.jsonl"
    entries = sweep(dies, grid(x=range(5)), path, jobs=2, progress=False)
    assert values(entries) == [None, 1, 4, None, 16]
    assert entries[0]["error"] == entries[3]["error"] and len(read(path)) == 5
    assert "died twice: it was killed by SIGKILL" in entries[0]["error"]
    # A failure like others.
    sweep(slow, grid(x=range(5)), path, progress=False)
    assert len(read(path)) == 5
    again = sweep(square, grid(x=[0]), path, retry_failed=True, progress=False)
    assert values(again) == [0]


def dies_once(point):
    """As one whose worker another one brought down."""
    try:
        with open(point["log"], "x"):
            os.kill(os.getpid(), signal.SIGKILL)
    except FileExistsError:
        return {"y": point["x"] ** 2}


@pytest.mark.parametrize("joblib", [False, True])
def test_a_point_that_lost_its_process_is_measured_again(joblib, tmp_path):
    if joblib:
        pytest.importorskip("joblib")
    path = tmp_path / "results.jsonl"
    points = [{"x": x, "log": str(tmp_path / f"log{x % 2}")} for x in range(4)]
    entries = sweep(
        dies_once, points, path, jobs=2, joblib=joblib, progress=False
    )
    assert values(entries) == [0, 1, 4, 9] and len(read(path)) == 4


def test_joblib_measures(tmp_path):
    joblib = pytest.importorskip("joblib")
    path = tmp_path / "results.jsonl"
    entries = sweep(square, grid(x=range(6)), path, jobs=2, joblib=True, progress=False)
    assert values(entries) == [0, 1, 4, None, 16, 25]
    assert entries[3]["error"] == "ValueError: three is refused"
    here = tmp_path / "here.jsonl"
    pids = []

    def local(point):
        pids.append(os.getpid())
        return {"y": point["x"]}

    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert values(sweep(local, grid(x=range(3)), here, joblib=True,
                            progress=False)) == [0, 1, 2]  # fmt: skip
    assert pids == 3 * [os.getpid()]


def leaves(point):
    sys.exit("bye") if point["x"] == 1 else None
    return {"y": point["x"]}


@pytest.mark.parametrize("jobs", [1, 2])
def test_exit_is_an_error_of_its_point(jobs, tmp_path):
    path = tmp_path / "results.jsonl"
    entries = sweep(leaves, grid(x=range(3)), path, jobs=jobs, progress=False)
    assert values(entries) == [0, None, 2]
    assert entries[1]["error"] == "SystemExit: bye"


SCRIPT = """
from a2q.sweep import sweep
def evaluate(point):
    return {"y": point["x"]}
sweep(evaluate, [{"x": 1}, {"x": 2}], "results.jsonl", jobs=2, progress=False)
"""


def run_script(how, tmp_path, prologue=""):
    text = prologue + SCRIPT
    (tmp_path / "script.py").write_text(text)
    arguments = {"script": ["script.py"], "stdin": ["-"], "text": ["-c", text]}
    return subprocess.run(
        [sys.executable, *arguments[how]], cwd=tmp_path, capture_output=True,
        text=True, input=text, timeout=120,
    )  # fmt: skip


#: As where neither Dask nor joblib is installed.
NO_CLOUDPICKLE = """
import sys
sys.modules["cloudpickle"] = sys.modules["joblib"] = None
"""


@pytest.mark.parametrize("how", ["script", "stdin", "text"])
def test_processes_that_cannot_start_are_one_error(how, tmp_path):
    result = run_script(how, tmp_path, NO_CLOUDPICKLE)
    assert result.returncode == 1
    assert result.stderr.count("a process cannot measure points") == 1 + (
        how == "script"  # the process that imported it said so as well
    )
    assert 'if __name__ == "__main__"' in result.stderr
    assert "pip install 'a2q[sweep]'" in result.stderr
    # No point is to blame.
    assert read(tmp_path / "results.jsonl") == []


def test_functions_that_no_module_has(tmp_path):
    """As those of a notebook."""
    pytest.importorskip("cloudpickle")
    result = run_script("text", tmp_path)
    assert result.returncode == 0, result.stderr
    assert sorted(values(read(tmp_path / "results.jsonl"))) == [1, 2]


def test_what_cannot_be_sent_to_a_process_is_an_error(tmp_path):
    path = tmp_path / "results.jsonl"
    lock = threading.Lock()
    with pytest.raises(a2q.Error, match="(?i)pickle"):
        sweep(lambda point: {"n": lock}, [{"x": 1}], path, jobs=2, progress=False)
    assert read(path) == []


def test_search_finds_the_first_good_value(tmp_path):
    path = tmp_path / "results.jsonl"
    widths = range(4, 33)
    points = grid(**{"from": [0, 4, 5, 17, 32, 33], "fails": [99]})
    found = search(saturates, points, path, good=lambda r: r["good"], values=widths,
                   progress=False)
    assert [e and e["point"]["width"] for e in found] == [4, 4, 5, 17, 32, None]
    # A bisection, and nothing twice.
    assert len(read(path)) <= 5 * len(points)
    again = search(saturates, points, path, good=lambda r: r["good"], values=widths,
                   progress=False)
    assert again == found and len(read(path)) == len({str(e["point"]) for e in read(path)})
    (first,) = search(saturates, [{"from": 0, "fails": 4}], path, values=[4, 5],
                      good=lambda r: r["good"], progress=False)
    assert first["point"]["width"] == 5


def test_known_points_are_not_measured_again(tmp_path):
    path = tmp_path / "results.jsonl"
    sweep(square, grid(x=[1, 3]), path, progress=False)

    def never(point):
        raise AssertionError(point)

    entries = sweep(never, grid(x=[1, 3]), path, progress=False)
    assert values(entries) == [1, None]
    assert len(read(path)) == 2
    again = sweep(lambda point: {"y": 9}, grid(x=[1, 3]), path, progress=False,
                  retry_failed=True)
    assert values(again) == [1, 9]


def test_what_a_kill_cut_off_is_measured_again(tmp_path):
    path = tmp_path / "results.jsonl"
    sweep(square, grid(x=[1, 2]), path, progress=False)
    text = path.read_text()
    path.write_text(text[:-10])
    assert len(read(path)) == 1
    assert values(sweep(square, grid(x=[1, 2]), path, progress=False)) == [1, 4]
    assert len(read(path)) == 2
    path.write_text("nonsense\n" + text)
    with pytest.raises(a2q.Error, match="results.jsonl:1: no line of results"):
        read(path)


def test_a_last_line_that_lacks_only_its_end_is_kept(tmp_path):
    path = tmp_path / "results.jsonl"
    sweep(square, grid(x=[1]), path, progress=False)
    path.write_text(path.read_text().rstrip())
    assert values(sweep(square, grid(x=[1, 2]), path, progress=False)) == [1, 4]
    assert [entry["point"]["x"] for entry in read(path)] == [1, 2]
    assert path.read_text().count("\n") == 2


@pytest.mark.parametrize(
    "line, said",
    [
        ("[1]", "it has no point"),
        ('{"point": 3, "result": {}}', "it has no point"),
        ('{"point": {"x": 1}}', "neither a result nor an error"),
        ("\udcff", "decode"),
    ],
)
def test_lines_that_are_no_entries_are_errors(line, said, tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_bytes((line + "\n").encode(errors="surrogateescape"))
    with pytest.raises(a2q.Error, match=said) as error:
        sweep(square, grid(x=[1]), path, progress=False)
    assert "results.jsonl:1:" in str(error.value) and "note: " in str(error.value)


def test_files_that_cannot_be_opened_are_errors(tmp_path):
    with pytest.raises(a2q.Error, match="cannot be read: Is a directory"):
        sweep(square, grid(x=[1]), tmp_path, progress=False)
    with pytest.raises(a2q.Error, match="cannot be written: No such file"):
        sweep(square, grid(x=[1]), tmp_path / "none" / "r.jsonl", progress=False)


def test_a_killed_sweep_goes_on(tmp_path):
    path, log = tmp_path / "results.jsonl", tmp_path / "log"
    points = grid(x=range(4), seconds=[0.3], log=[str(log)])
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import json, test_sweep\n"
        "test_sweep.sweep(test_sweep.slow, json.loads(sys.argv[2]), sys.argv[3])\n"
    )
    folder = os.path.dirname(__file__)
    process = subprocess.Popen(
        [sys.executable, "-c", code, folder, json.dumps(points), str(path)]
    )
    deadline = time.monotonic() + 120
    while len(read(path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = [entry["point"]["x"] for entry in read(path)]
    assert 2 <= len(done) < 4
    log.unlink()
    assert values(sweep(slow, points, path, progress=False)) == [0, 1, 4, 9]
    measured = [int(line.split()[0]) for line in log.read_text().splitlines()]
    assert measured == [x for x in range(4) if x not in done]


def test_a_cluster_that_loses_a_worker(tmp_path):
    distributed = pytest.importorskip("dask.distributed")
    path, log = tmp_path / "results.jsonl", tmp_path / "log"
    points = grid(x=range(8), seconds=[0.4], log=[str(log)])
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
        host="127.0.0.1",
    )  # fmt: skip
    killed = []

    def kill_one(_):
        """Once half of the points began, one worker dies."""
        if log.exists() and not killed:
            begun = log.read_text().splitlines()
            if len(begun) >= 3:
                killed.append(int(begun[-1].split()[1]))
                os.kill(killed[0], signal.SIGKILL)

    with cluster, distributed.Client(cluster) as client:
        watch = _every(0.05, kill_one)
        try:
            entries = sweep(slow, points, path, client=client, progress=False)
        finally:
            watch.set()
    assert killed
    assert values(entries) == [x**2 for x in range(8)]
    assert len(read(path)) == 8
    # Somebody else began again what the worker took along.
    assert len(log.read_text().splitlines()) > 8


def test_a_point_that_kills_workers_of_a_cluster(tmp_path):
    distributed = pytest.importorskip("dask.distributed")
    path = tmp_path / "results.jsonl"
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
        host="127.0.0.1",
    ) as cluster, distributed.Client(cluster) as client:  # fmt: skip
        client.run_on_scheduler(lambda dask_scheduler: setattr(
            dask_scheduler, "allowed_failures", 0))  # fmt: skip
        # Lost once, it is given to another; a killer is known in the end.
        points = [{"x": 2, "log": str(tmp_path / "log")}]
        assert values(sweep(dies_once, points, path, client=client,
                            progress=False)) == [4]  # fmt: skip
        entries = sweep(dies, grid(x=[3, 1]), path, client=client, progress=False)
    assert values(entries) == [None, 1]
    assert "the process that measured it died again and again" in entries[0]["error"]
    assert len(read(path)) == 3


def _every(seconds, action):
    stop = threading.Event()

    def run():
        while not stop.wait(seconds):
            action(None)

    threading.Thread(target=run, daemon=True).start()
    return stop


def test_points_that_are_no_json_are_refused(tmp_path):
    with pytest.raises(a2q.Error, match="is no JSON"):
        sweep(square, [{"x": object()}], tmp_path / "r.jsonl")


def test_accuracy_over_widths(tmp_path, capsys):
    path = tmp_path / "results.jsonl"
    status = main([
        str(DIGITS / "digits-w4a4.onnx"), f"--input={DIGITS}/images.npy",
        f"--labels={DIGITS}/labels.npy", f"--results={path}",
        "--width", "12", "7", "--method", "optimal", "a3q",
    ])  # fmt: skip
    assert status == 1
    by_point = {
        (e["point"]["method"], e["point"]["width"]): e for e in read(path)
    }
    wide, narrow = by_point["optimal", 12], by_point["optimal", 7]
    assert wide["result"]["accuracy"] > 95 > narrow["result"]["accuracy"]
    assert max(wide["result"]["widths"].values()) <= 12
    assert "a3q" in by_point["a3q", 12]["error"]
    printed = capsys.readouterr().out
    assert f"{wide['result']['accuracy']:.2f} %" in printed
    free = ConstrainedAccuracy(DIGITS / "digits-w4a4.onnx", DIGITS / "images.npy",
                               DIGITS / "labels.npy")({})
    assert free["accuracy"] == pytest.approx(98.61, abs=0.01)


def test_another_network_or_other_data_are_other_points(tmp_path):
    path, model = tmp_path / "results.jsonl", tmp_path / "model.mlir"
    network = a2q.load(DIGITS / "digits-w4a4.onnx")
    labels = np.load(DIGITS / "labels.npy")

    def accuracy(evaluate):
        return sweep(evaluate, grid(width=[12]), path, progress=False)[0]["result"][
            "accuracy"
        ]

    def measured(network, labels):
        network.save(model)
        np.save(tmp_path / "labels.npy", labels)
        evaluate = ConstrainedAccuracy(
            model, DIGITS / "images.npy", tmp_path / "labels.npy"
        )
        return accuracy(evaluate), evaluate

    whole, evaluate = measured(network, labels)
    spoilt, _ = measured(network.constrain(width=8, method="a2q"), labels)
    assert whole > 95 > 50 > spoilt and len(read(path)) == 2
    # The same names and the same object.
    assert accuracy(evaluate) == spoilt and len(read(path)) == 2
    assert measured(network, (labels + 1) % 10)[0] < 50 and len(read(path)) == 3
    # All as it was at first is known.
    assert measured(network, labels)[0] == whole and len(read(path)) == 3


def test_files_that_change_while_they_are_swept(tmp_path):
    model = tmp_path / "model.mlir"
    network = a2q.load(DIGITS / "digits-w4a4.onnx")
    network.save(model)
    evaluate = ConstrainedAccuracy(model, DIGITS / "images.npy", DIGITS / "labels.npy")
    evaluate.identity()
    network.constrain(width=8, method="a2q").save(model)
    with pytest.raises(a2q.Error, match="have changed since the sweep began"):
        evaluate({"width": 12})


def test_arrays_that_are_none_are_errors(tmp_path, capsys):
    (tmp_path / "labels.npy").write_text("1 2 3")
    for name in ("labels.npy", "none.npy"):
        status = main([
            str(DIGITS / "digits-w4a4.onnx"), f"--input={DIGITS}/images.npy",
            f"--labels={tmp_path}/{name}", f"--results={tmp_path}/r.jsonl",
            "--width", "12",
        ])  # fmt: skip
        assert status == 1 and "is no array of numpy" in capsys.readouterr().err


def test_narrowest_width_of_a_float_network(tmp_path, capsys):
    path, calibration = tmp_path / "results.jsonl", tmp_path / "calibration.npy"
    floats = a2q.load(DIGITS / "digits-float.onnx")
    images = np.load(DIGITS / "images.npy").astype(floats.inputs[0].dtype)
    np.save(tmp_path / "images.npy", images)
    np.save(calibration, images[:100])
    status = main([
        str(DIGITS / "digits-float.onnx"), f"--input={tmp_path}/images.npy",
        f"--labels={DIGITS}/labels.npy", f"--calibration={calibration}",
        f"--results={path}", "--weight-bits", "4", "--activation-bits", "4", "6",
        "--width", *map(str, range(6, 20)), "--narrowest", "95",
    ])  # fmt: skip
    assert status == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "method", "tile", "weight_bits", "activation_bits", "width", "accuracy",
    ]  # fmt: skip
    found = {line.split()[3]: line.split() for line in lines[1:]}
    four, six = int(found["4"][4]), int(found["6"][4])
    assert 7 <= four < six <= 15
    assert all(float(cells[5]) >= 95 for cells in found.values())
    # Four or less of the fourteen widths, for each.
    assert len(read(path)) <= 8


def test_points_with_bits_need_data(tmp_path):
    evaluate = ConstrainedAccuracy(DIGITS / "digits-float.onnx", DIGITS / "images.npy",
                                   DIGITS / "labels.npy")
    (entry,) = sweep(evaluate, [{"weight_bits": 4}], tmp_path / "r.jsonl",
                     progress=False)
    assert "need calibration data" in entry["error"] or "needs" in entry["error"]


@pytest.mark.parametrize(
    "contents", [b'{"my": "thesis data"}', b"some text", b'["x"]', b"1"]
)
def test_a_file_of_somebody_else_stays(contents, tmp_path):
    path = tmp_path / "precious.json"
    path.write_bytes(contents)
    with pytest.raises(a2q.Error, match="no line of results"):
        sweep(square, grid(x=[1]), path, progress=False)
    assert path.read_bytes() == contents


def test_points_are_dictionaries(tmp_path):
    path = tmp_path / "results.jsonl"
    with pytest.raises(a2q.Error, match="is no dictionary"):
        sweep(square, [{"x": 1}, [3]], path, progress=False)
    assert not path.exists()


def unbounded(point):
    return {"y": float("nan"), "z": [float("inf")]}


def test_results_are_json(tmp_path):
    path = tmp_path / "results.jsonl"
    sweep(unbounded, grid(x=[1]), path, progress=False)
    assert "NaN" not in path.read_text() and "Infinity" not in path.read_text()
    assert read(path)[0]["result"] == {"y": None, "z": ["inf"]}
