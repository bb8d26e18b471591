"""Scores and predictions as `evaluate` writes them, drawn at random."""

import json

import numpy as np
import pandas as pd
import pytest

CONFIG = {
    "corpus": "baved",
    "root": "data/baved",
    "views": ["mfcc", "whisper"],
    "models": ["tango", "concat"],
    "preset": "tuned",
    "protocols": ["closed", "disjoint"],
    "folds": 5,
    "seed": 0,
    "recordings": 1935,
    "speakers": 60,
    "tasks": {
        "speaker": "classification",
        "emotion": "classification",
        "gender": "classification",
        "age": "regression",
    },
    "versions": {"python": "3.11.7", "torch": "2.9.0"},
    "created": "2026-01-02T03:04:05+00:00",
    "seconds": 123.456,
    "command": "sfmforensics evaluate --corpus baved --root data/baved --views mfcc,whisper "
    "--model tango,concat --preset tuned --protocol both --folds 5 --seed 0 --output run",
    "audit": {
        "copies": 27,
        "aliases": [["46", "53"]],
        "left_out": 3,
        "shared_copies": {"closed": 0, "disjoint": 0},
    },
}


def draw_run(models=("tango", "concat"), protocols=("closed", "disjoint"), folds=5, **options):
    """Scores, and predictions by model, of guesses that are often right."""
    rng = np.random.default_rng(0)
    n, views = options.get("n", 240), options.get("views", "mfcc+whisper")
    speakers = np.array(options.get("speakers", [str(i) for i in range(60)]), dtype=object)
    emotions, genders = np.array(["low", "neutral", "high"], object), np.array(["f", "m"], object)
    who, how, fold = rng.integers(len(speakers), size=n), rng.integers(3, size=n), np.arange(n)
    fold = fold % folds
    ages = rng.integers(18, 60, size=len(speakers)).astype(float)[who]
    scores, predictions = [], {}
    for model in models:
        parts = []
        for protocol in protocols:
            hard = protocol == "disjoint"
            known = {
                "speaker": (speakers, who, 0.1),
                "emotion": (emotions, how, 0.35 if hard else 0.2),
                "gender": (genders, who % 2, 0.2 if hard else 0.01),
            }
            answers = {"age": (ages, ages + rng.normal(0, 9 if hard else 2.5, n))}
            for task, (labels, true, rate) in known.items():
                guess = np.where(rng.random(n) < rate, rng.integers(len(labels), size=n), true)
                answers[task] = labels[true], labels[guess]
            for task in ["speaker", "emotion", "gender", "age"]:
                if hard and task == "speaker":
                    continue
                true, predicted = answers[task]
                path = [f"rec/{i}.wav" for i in range(n)]
                columns = {"path": path, "fold": fold, "protocol": protocol, "task": task}
                answer = {"true": true.astype(object), "predicted": predicted.astype(object)}
                parts.append(pd.DataFrame(columns | answer))
                for k in range(folds):
                    a, b = true[fold == k], predicted[fold == k]
                    if task == "age":
                        values = {"rmse": np.sqrt(((a - b) ** 2).mean()), "mae": abs(a - b).mean()}
                    else:
                        recalls = [(b[a == label] == label).mean() for label in set(a)]
                        values = {"accuracy": (a == b).mean(), "uar": np.mean(recalls)}
                    scores += [
                        [model, views, protocol, k, task, metric, value]
                        for metric, value in values.items()
                    ]
        predictions[model] = pd.concat(parts, ignore_index=True)
    names = ["model", "views", "protocol", "fold", "task", "metric", "value"]
    return pd.DataFrame(scores, columns=names), predictions


@pytest.fixture
def make_scores():
    return draw_run


@pytest.fixture(scope="session")
def make_run(tmp_path_factory):
    """Write a folder as `evaluate` does, of one model; options go to `draw_run`."""

    def write(config=None, directory=None, **options):
        scores, predictions = draw_run(**{"models": ("tango",)} | options)
        directory = tmp_path_factory.mktemp("run") if directory is None else directory
        scores.to_csv(directory / "scores.csv", index=False)
        for place, (model, frame) in enumerate(predictions.items()):
            name = "predictions.csv" if place == 0 else f"predictions-{model}.csv"
            frame.to_csv(directory / name, index=False)
        settings = CONFIG | {"models": list(predictions)} | (config or {})
        (directory / "config.json").write_text(json.dumps(settings), encoding="utf-8")
        return directory

    return write
