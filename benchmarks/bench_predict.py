"""How long an answer takes: one recording and a thousand, cold and warm; and how long a start.

A pipeline of MFCC, prosody and TANGO (tuned) is trained on synthetic voices and saved. Cold is a
process of its own, import and loading included. Peers: the same pipeline with SVC and SVR; the
fused networks in a bare torch call; importing torch and scikit-learn.

    python benchmarks/bench_predict.py
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("POT_BACKEND_DISABLE_TENSORFLOW", "1")

import joblib
import numpy as np
import torch
from _figures import figure, finish, ratio, timed
from sklearn.pipeline import make_pipeline

from sfmforensics import make_views
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.nn.runtime import one_thread
from sfmforensics.presets import make_estimator

COLD = "import joblib, sys; joblib.load(sys.argv[1]).predict([sys.argv[2]])"


def python(code, *arguments):
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = make_speech_corpus(8, 6, output=folder / "voices")
        recording = [str(corpus.data[0])]
        X = make_views("mfcc", "prosody", cache=folder / "cache").fit_transform(corpus.data)
        files, models = {}, {}
        for system, estimator in (
            ("TANGO", make_estimator("tango", "tuned", random_state=0)),
            ("SVC, SVR", make_estimator("svm")),
        ):
            pipe = make_pipeline(make_views("mfcc", "prosody"), estimator.fit(X, corpus.target))
            files[system] = str(folder / f"{system}.joblib")
            joblib.dump(pipe, files[system])
            models[system] = joblib.load(files[system])
        thousand = X.sample(1000, replace=True, random_state=0)
        tensor = torch.from_numpy(thousand.to_numpy(np.float32))
        fitted = {system: pipe[-1] for system, pipe in models.items()}

        def bare():
            with one_thread(), torch.inference_mode():
                fitted["TANGO"].module_(tensor)

        command = str(Path(sys.executable).parent / "sfmforensics")
        runs = {
            "import sfmforensics": lambda: python("import sfmforensics"),
            "import torch, sklearn": lambda: python("import torch, sklearn.base"),
            "import sfmforensics.estimators": lambda: python("import sfmforensics.estimators"),
            "sfmforensics predict, one file": lambda: subprocess.run(
                [command, "predict", files["TANGO"], *recording],
                check=True,
                capture_output=True,
            ),
        }
        for system, pipe in models.items():
            runs |= {
                f"{system}: one recording, cold": lambda s=system: python(
                    COLD, files[s], *recording
                ),
                f"{system}: one recording, warm": lambda p=pipe: p.predict(recording),
                f"{system}: one vector, warm": lambda s=system: fitted[s].predict(X.iloc[:1]),
                f"{system}: a thousand vectors, warm": lambda s=system: fitted[s].predict(thousand),
            }
        runs["bare torch: a thousand vectors"] = bare
        for system in models:
            models[system].predict(recording)  # what is done once is done
        seconds = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, run in runs.items():
                seconds[name].append(timed(run)[1])
    figures = [figure(name, values, "s") for name, values in seconds.items()]
    pairs = [
        ("import sfmforensics.estimators", "import torch, sklearn"),
        ("TANGO: one recording, cold", "SVC, SVR: one recording, cold"),
        ("TANGO: one recording, warm", "SVC, SVR: one recording, warm"),
        ("TANGO: a thousand vectors, warm", "SVC, SVR: a thousand vectors, warm"),
        ("TANGO: a thousand vectors, warm", "bare torch: a thousand vectors"),
    ]
    figures += [ratio(f"{a} / {b}", seconds[a], seconds[b]) for a, b in pairs]
    finish(figures, options.json)


if __name__ == "__main__":
    main()
