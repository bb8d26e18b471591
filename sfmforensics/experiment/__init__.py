"""One experiment: models over the folds of the closed and the disjoint protocol, to tables.

Examples
--------
>>> import pandas as pd
>>> target = pd.DataFrame({"speaker": list("aabb")})
>>> len(make_splits(target, "disjoint", folds="speakers"))
2
"""

from sfmforensics.experiment._evaluate import Evaluation, evaluate
from sfmforensics.experiment._intervals import score_intervals
from sfmforensics.results import PREDICTION_COLUMNS, SCORE_COLUMNS

__all__ = [
    "PREDICTION_COLUMNS",
    "SCORE_COLUMNS",
    "Evaluation",
    "evaluate",
    "score_intervals",
]
