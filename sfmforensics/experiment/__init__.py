"""One experiment: models over the folds of protocols, or over corpora, to tables.

Examples
--------
>>> import numpy as np
>>> import pandas as pd
>>> from sfmforensics.experiment import evaluate
>>> from sfmforensics.model_selection import make_splits
>>> from sfmforensics.presets import make_estimator
>>> X, target = np.eye(2)[[0, 1] * 10], pd.DataFrame({"gender": ["f", "m"] * 10})
>>> splits = {"closed": make_splits(target, "closed", folds=2)}
>>> scores = evaluate(X, target, {"svm": make_estimator("svm")}, splits, views="mine").scores
>>> scores["metric"].unique().tolist(), float(scores["value"].mean())
(['accuracy', 'uar', 'macro_f1'], 1.0)
"""

from sfmforensics.experiment._across import (
    OTHERS,
    CrossEvaluation,
    evaluate_across,
)
from sfmforensics.experiment._evaluate import Evaluation, evaluate
from sfmforensics.experiment._intervals import score_intervals
from sfmforensics.results import CROSS_COLUMNS, PREDICTION_COLUMNS, SCORE_COLUMNS

__all__ = [
    "CROSS_COLUMNS",
    "OTHERS",
    "PREDICTION_COLUMNS",
    "SCORE_COLUMNS",
    "CrossEvaluation",
    "Evaluation",
    "evaluate",
    "evaluate_across",
    "score_intervals",
]
