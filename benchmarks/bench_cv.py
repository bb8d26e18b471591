"""Five-fold cross-validation of TANGO, against what else one would run on the same matrix.

Random data of BAVED's size: 1,935 recordings, views of 80 and 384 columns, four tasks. TANGO has
the tuned settings with one network. Peers: SVC and SVR, a multi-layer perceptron of scikit-learn
(its defaults), one a task each; TANGO's own network in a bare torch loop; and itself, with two
processes in place of one.

    python benchmarks/bench_cv.py
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("POT_BACKEND_DISABLE_TENSORFLOW", "1")

import pandas as pd
from _figures import figure, finish, ratio, timed
from bench_fit import bare_loop, problem
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_validate
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sfmforensics.estimators import PerTask
from sfmforensics.metrics import task_scorers
from sfmforensics.presets import make_estimator

WIDTHS = {"mfcc": 80, "whisper": 384}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=1935)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="of TANGO; the preset's by default")
    parser.add_argument("--json")
    options = parser.parse_args()
    X, y = problem(options.recordings, widths=WIDTHS)
    settings = {"max_epochs": options.epochs} if options.epochs else {}
    tango = make_estimator("tango", "tuned", random_state=0, n_members=1, **settings)
    network = clone(tango).set_params(max_epochs=options.epochs or 20)
    folds = list(KFold(5, shuffle=True, random_state=0).split(X))
    mlp = PerTask(MLPClassifier(random_state=0), MLPRegressor(random_state=0))

    def cross(model, jobs=1):
        cross_validate(model, X, y, cv=folds, n_jobs=jobs, scoring=task_scorers(y))

    loops = [bare_loop(network, X.iloc[train], y.iloc[train]) for train, _ in folds]

    def loop():
        for run in loops:
            run()

    runs = {
        "TANGO": lambda: cross(tango),
        "TANGO, n_jobs=2": lambda: cross(tango, 2),
        "SVC, SVR": lambda: cross(make_estimator("svm")),
        "MLPClassifier, MLPRegressor": lambda: cross(mlp),
        "bare loop": loop,
    }
    cross(clone(tango).set_params(max_epochs=1), 2)  # starts the processes
    rounds = [{name: timed(run)[1] for name, run in runs.items()} for _ in range(options.rounds)]
    times = pd.DataFrame(rounds)
    figures = [figure(f"{name}: five folds", times[name], "s") for name in runs]
    figures += [
        ratio(f"TANGO / {name}", times["TANGO"], times[name]) for name in runs if name != "TANGO"
    ]
    finish(figures, options.json)


if __name__ == "__main__":
    main()
