"""How time and memory grow with the number of recordings: a matrix on disk, one epoch of TANGO.

The matrix is random, 512 + 1024 columns, memory-mapped; each size is fitted in a process of its
own. Memory is what the process holds for itself (RssAnon): pages of the file, which the system
takes back when it needs them, do not count. The peer is scikit-learn's incremental way with what
does not fit into memory: StandardScaler and one SGDClassifier a task, by partial_fit over the same
batches.

    python benchmarks/bench_scale.py --rows 1000 10000 100000 1000000
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from _figures import figure, finish, ratio
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler

WIDTHS = [512, 1024]
BLOCK = 10_000
PAGE = 4096


def anonymous():
    """Bytes that this process holds for itself."""
    with open("/proc/self/status", encoding="ascii") as status:
        (line,) = (line for line in status if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


class Peak(threading.Thread):
    """Follows the memory of this process until it is told to stop."""

    def __init__(self):
        super().__init__(daemon=True)
        self.highest, self._stop_now = 0, threading.Event()

    def run(self):
        """Look every 10 ms."""
        while not self._stop_now.wait(0.01):
            self.highest = max(self.highest, anonymous())

    def stop(self):
        """End it, and give the highest in bytes."""
        self._stop_now.set()
        self.join()
        return self.highest


def fit(file):
    """Fit in this process, and print seconds and bytes as JSON."""
    from sfmforensics.presets import make_estimator

    X = np.load(file, mmap_mode="r")
    y = np.column_stack([np.arange(len(X)) % 60, np.arange(len(X)) % 3])
    settings = {"views": WIDTHS, "n_members": 1, "max_epochs": 1, "batch_size": 512}
    model = make_estimator("tango", "tuned", random_state=0, **settings)
    model.fit(X[:1000], y[:1000]).predict(X[:1000])  # all that is done once is done
    before = anonymous()
    seconds, peaks = [], []
    scale, linear = StandardScaler(), [SGDClassifier(random_state=0) for _ in y.T]
    classes = [np.unique(labels) for labels in y.T]
    batches = [slice(start, start + 512) for start in range(0, len(X), 512)]

    def learn():
        for rows in batches:
            scale.partial_fit(X[rows])
        for rows in batches:
            part = scale.transform(X[rows])
            for one, labels, one_of_each in zip(linear, y.T, classes, strict=True):
                one.partial_fit(part, labels[rows], classes=one_of_each)

    def answer():
        for rows in batches:
            part = scale.transform(X[rows])
            for one in linear:
                one.predict(part)

    for run in (lambda: model.fit(X, y), lambda: model.predict(X), learn, answer):
        peak = Peak()
        peak.start()
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
        peaks.append(max(0, peak.stop() - before))
    print(json.dumps({"seconds": seconds, "peaks": peaks}))


def write(file, n_rows):
    matrix = np.lib.format.open_memmap(
        file, mode="w+", dtype=np.float32, shape=(n_rows, sum(WIDTHS))
    )
    rng = np.random.default_rng(0)
    for start in range(0, n_rows, BLOCK):
        block = matrix[start : start + BLOCK]
        block[:] = rng.standard_normal(block.shape, dtype=np.float32)
    matrix.flush()
    return matrix.nbytes


def growth(rows, values):
    """Power of the number of rows with which a quantity grows (1 is in proportion), and R squared.

    The line is fitted to logarithms.
    """
    x, y = np.log(rows), np.log(values)
    slope, start = np.polyfit(x, y, 1)
    return float(slope), float(1 - np.var(y - slope * x - start) / np.var(y))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", help="where the matrices lie meanwhile")
    parser.add_argument("--json")
    parser.add_argument("--fit", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        fit(options.fit)
        return
    figures, by_task = [], {"fit": [], "predict": []}
    memory = {task: [] for task in by_task}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for n_rows in options.rows:
            file = Path(folder) / "X.npy"
            size = write(file, n_rows)
            command = [sys.executable, __file__, "--fit", str(file)]
            found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            ours, theirs = found["seconds"][:2], found["seconds"][2:]
            for task, seconds, peer, peak in zip(
                by_task, ours, theirs, found["peaks"][:2], strict=True
            ):
                by_task[task].append(seconds)
                memory[task].append(max(peak, PAGE))
                figures += [
                    figure(f"{task}, {n_rows:,} rows: a row", 1e6 * seconds / n_rows, "us"),
                    ratio(f"{task}, {n_rows:,} rows: TANGO / SGDClassifier", seconds, peer),
                    figure(f"{task}, {n_rows:,} rows: memory over matrix", peak / size, "ratio"),
                    figure(f"{task}, {n_rows:,} rows: memory", peak / 2**20, "MiB"),
                ]
            file.unlink()
    for what, found in (("seconds", by_task), ("memory", memory)):
        for task, values in found.items():
            if len(values) > 1:
                power, fit_of_line = growth(options.rows, values)
                name = f"{task}: {what}, power of the rows"
                figures += [
                    figure(name, power, ""),
                    figure(f"{name}: R squared", fit_of_line, ""),
                ]
    finish(figures, options.json)


if __name__ == "__main__":
    main()
