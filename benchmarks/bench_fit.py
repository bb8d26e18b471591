"""What fitting costs: transport or not, estimator or bare loop, one model or four.

The data are random, of the size of BAVED (1,935 recordings, 60 speakers, 3 emotions), with two
views of the widths of MFCC (mean and deviation) and of a d-vector.

    python benchmarks/bench_fit.py
"""

from __future__ import annotations

import argparse
import io
import os
import time

os.environ.setdefault("POT_BACKEND_DISABLE_TENSORFLOW", "1")

import joblib
import numpy as np
import pandas as pd
import torch
from _figures import figure, finish, ratio, timed
from sklearn.base import clone

from sfmforensics.estimators._base import as_tensor
from sfmforensics.nn.runtime import one_thread, seeded
from sfmforensics.presets import make_estimator

WIDTHS = {"mfcc": 80, "dvector": 256}


def problem(n, seed=0, widths=WIDTHS):
    rng = np.random.default_rng(seed)
    names = [f"{view}__{i}" for view, width in widths.items() for i in range(width)]
    X = pd.DataFrame(rng.normal(size=(n, len(names))).astype(np.float32), columns=names)
    speaker = rng.integers(0, 60, n)
    y = pd.DataFrame(
        {
            "speaker": [f"{number:02d}" for number in speaker],
            "emotion": rng.integers(0, 3, n),
            "gender": np.where(speaker % 2, "f", "m"),
            "age": 18.0 + speaker % 20,
        }
    )
    return X, y


def bare_loop(model, X, y):
    """The network, loss and settings of an estimator, in a loop as one writes it by hand."""
    fitted = clone(model).set_params(max_epochs=1).fit(X, y)
    X, codes = as_tensor(X.to_numpy()), torch.from_numpy(fitted._codec.encode(y))

    def run():
        with one_thread(), seeded(0):
            network = fitted._network(fitted._find_views(X)[1], fitted._codec)
            network.standardise(X)
            loss = fitted._loss(fitted._codec, codes.numpy(), None)
            parameters = [*network.parameters(), *loss.parameters()]
            if model.weight_decay:
                optimizer = torch.optim.AdamW(
                    parameters, model.learning_rate, weight_decay=model.weight_decay, fused=True
                )
            else:
                optimizer = torch.optim.Adam(parameters, model.learning_rate, fused=True)
            schedule = None
            if model.schedule == "onecycle":
                steps = model.max_epochs * -(-len(X) // model.batch_size)
                schedule = torch.optim.lr_scheduler.OneCycleLR(
                    optimizer, model.learning_rate, total_steps=steps
                )
            network.train()
            for _ in range(model.max_epochs):
                for rows in torch.randperm(len(X)).split(model.batch_size):
                    optimizer.zero_grad()
                    value = loss(network(X[rows]), codes[rows])
                    value.backward()
                    optimizer.step()
                    if schedule is not None:
                        schedule.step()

    return run


def compare(preset, X, y, rounds, epochs):
    """Times of the same number of epochs, in turn."""
    tango = make_estimator("tango", preset, random_state=0, max_epochs=epochs, n_members=1)
    same = {name: getattr(tango, name) for name in ("encoder", "hidden", "dropout", "n_members")}
    concat = make_estimator("concat", preset, random_state=0, max_epochs=epochs, **same)
    tokens_alone = clone(concat).set_params(view_hidden=())
    loop = bare_loop(tango, X, y)
    short = clone(tango).set_params(precision="bfloat16")
    runs = {
        "TANGO": lambda: clone(tango).fit(X, y),
        "ConcatFusion": lambda: clone(concat).fit(X, y),
        "ConcatFusion, view_hidden=()": lambda: clone(tokens_alone).fit(X, y),
        "TANGO, precision bfloat16": lambda: clone(short).fit(X, y),
        "bare loop of TANGO's network": loop,
    }
    rows = [{name: timed(run)[1] for name, run in runs.items()} for _ in range(rounds)]
    times = pd.DataFrame(rows) / epochs
    figures = [figure(f"{preset}: {name}, an epoch", times[name], "s") for name in runs]
    return figures + [
        ratio(f"{preset}: TANGO / {other}", times["TANGO"], times[other])
        for other in list(runs)[1:]
    ]


def resources(preset, X, y, rounds, epochs):
    """One TANGO for all tasks against one single-view network a task, on each view."""

    def cost(models, targets):
        start = time.perf_counter()
        fitted = [clone(model).fit(X_, y_) for model, (X_, y_) in zip(models, targets, strict=True)]
        seconds = time.perf_counter() - start
        size = 0
        for model in fitted:
            buffer = io.BytesIO()
            joblib.dump(model, buffer)
            size += len(buffer.getvalue())
        weights = sum(p.numel() for model in fitted for p in model.module_.parameters())
        return seconds / epochs, weights, size

    make = {"preset": preset, "random_state": 0, "max_epochs": epochs, "n_members": 1}
    single = make_estimator("single", **make)
    systems = {"one TANGO, both views": ([make_estimator("tango", **make)], [(X, y)])}
    systems["one ConcatFusion, both views"] = ([make_estimator("concat", **make)], [(X, y)])
    for view in WIDTHS:
        part = X.filter(regex=f"^{view}__")
        systems[f"one SVMT, {view}"] = ([single], [(part, y)])
        systems[f"four SVSTs, {view}"] = ([single] * 4, [(part, y[task]) for task in y])
    systems["four SVSTs, both views as one"] = ([single] * 4, [(X, y[task]) for task in y])
    found = [{name: cost(*system) for name, system in systems.items()} for _ in range(rounds)]
    times = pd.DataFrame([{name: row[name][0] for name in systems} for row in found])
    weights = {name: found[0][name][1] for name in systems}
    size = {name: found[0][name][2] for name in systems}
    figures = [
        row
        for name in systems
        for row in (
            figure(f"{preset}: {name}, weights", [weights[name]], ""),
            figure(f"{preset}: {name}, saved", [size[name] / 2**20], "MiB"),
        )
    ]
    one = next(iter(systems))
    return figures + [
        row
        for name in list(systems)[1:]
        for row in (
            ratio(f"{preset}: {one} / {name}, time", times[one], times[name]),
            ratio(f"{preset}: {one} / {name}, weights", [weights[one]], [weights[name]]),
        )
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=1935)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--json")
    options = parser.parse_args()
    X, y = problem(options.recordings)
    figures = []
    for preset in ("tuned", "paper"):
        figures += compare(preset, X, y, options.rounds, options.epochs)
        figures += resources(preset, X, y, max(2, options.rounds // 2), options.epochs)
    finish(figures, options.json)


if __name__ == "__main__":
    main()
