"""Whether two models differ by more than chance: paired over the folds that both were tested on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from scipy.stats import t as student

from sfmforensics.exceptions import MetricWarning, SFMForensicsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from sfmforensics._types import FloatArray

    System: TypeAlias = tuple[str, str]

ROUNDING = 1e-9
"""Differences that differ by no more, relative to their mean, are equal: differences of two scores
are right to some 1e-13 of themselves, and one recording more is at least 1e-6 or so."""

NO_RATIO = (
    "test_over_train is {!r}; use recordings tested over recordings learnt from, such as 0.25 in 5 "
    "folds"
)

COMPARISON_COLUMNS = [
    *("protocol", "task", "metric", "model_1", "views_1", "model_2", "views_2"),
    *("folds", "difference", "sd", "t", "p", "p_holm"),
]


@dataclass(frozen=True)
class PairedTest:
    """What a paired test found.

    Parameters
    ----------
    difference : float
        Mean of the differences.
    sd : float
        Their standard deviation (n - 1 in the denominator).
    t : float
        Test statistic.
    p : float
        Probability of a statistic as large, either way, if the two are equal.
    n : int
        Differences.
    """

    difference: float
    sd: float
    t: float
    p: float
    n: int


def corrected_resampled_ttest(differences: ArrayLike, test_over_train: float) -> PairedTest:
    """Nadeau and Bengio's corrected resampled t-test.

    Parameters
    ----------
    differences : array-like of shape (n_folds,)
        Score of one model minus that of the other, fold by fold, of the same folds. Missing ones
        do not count.
    test_over_train : float
        Recordings tested over recordings learnt from, in a fold: 1 / (k - 1) in k folds.

    Returns
    -------
    PairedTest
        NaN with fewer than two differences, and, with a warning, where all are equal and not 0: by
        how much they would vary is then not known, and no p follows. Where all are 0 there is no
        difference to be tested: t is 0 and p is 1.

    Raises
    ------
    SFMForensicsError
        The ratio is not positive.

    Warns
    -----
    MetricWarning
        All differences are equal and not 0, but for rounding.

    Notes
    -----
    ``t = mean / sqrt((1 / n + test_over_train) * variance)`` with n - 1 degrees of freedom. An
    ordinary t-test takes folds for independent, though they share most of what they learn from,
    and finds differences where there are none; the second term makes up for that.

    References
    ----------
    .. [1] Nadeau, C., Bengio, Y. Inference for the generalization error. Machine Learning 52
       (2003), 239-281.
    .. [2] Bouckaert, R. R., Frank, E. Evaluating the replicability of significance tests for
       comparing learning algorithms. PAKDD 2004: repeated folds.

    Examples
    --------
    >>> result = corrected_resampled_ttest([0.02, 0.01, 0.03, 0.02, 0.02], 1 / 4)
    >>> round(result.t, 2), round(result.p, 3)
    (4.22, 0.014)
    """
    if not test_over_train > 0:
        raise SFMForensicsError(NO_RATIO.format(test_over_train))
    differences = np.asarray(differences, dtype=np.float64)
    differences = differences[~np.isnan(differences)]
    test = _tested(differences, test_over_train)
    if _undefined(test):
        warnings.warn(
            f"all {test.n} differences are {test.difference:.3g}, so that nothing says how sure "
            "their mean is; t and p are NaN: use more folds, or repeat them",
            MetricWarning,
            stacklevel=2,
        )
    return test


def _tested(differences: FloatArray, test_over_train: float) -> PairedTest:
    n = len(differences)
    if n < 2:
        mean = float(differences.mean()) if n else np.nan
        return PairedTest(mean, np.nan, np.nan, np.nan, n)
    if not differences.any():
        return PairedTest(0.0, 0.0, 0.0, 1.0, n)
    mean, sd = float(differences.mean()), float(differences.std(ddof=1))
    if np.ptp(differences) <= ROUNDING * abs(mean):
        return PairedTest(mean, 0.0, np.nan, np.nan, n)
    statistic = float(mean / np.sqrt((1 / n + test_over_train) * sd**2))
    return PairedTest(mean, sd, statistic, float(2 * student.sf(abs(statistic), n - 1)), n)


def _undefined(test: PairedTest) -> bool:
    """Whether the differences are equal, and not 0."""
    return test.sd == 0 and test.difference != 0


def compare_models(
    scores: pd.DataFrame,
    *,
    pairs: Sequence[tuple[System, System]] | None = None,
    test_over_train: float | dict[str, float] | None = None,
) -> pd.DataFrame:
    """Compare every two models of a table of scores, task by task.

    Parameters
    ----------
    scores : DataFrame
        Columns ``model, views, protocol, fold, task, metric, value``, as `evaluate` gives them.
    pairs : sequence of ((model, views), (model, views)) or None, default=None
        What to compare; every two systems by default.
    test_over_train : float, dict of str to float, or None, default=None
        Recordings tested over recordings learnt from, of all protocols or by protocol. None takes
        all folds of the table for the k folds of one draw: 1 / (k - 1). With repeats, say it.

    Returns
    -------
    DataFrame
        A row for each pair, protocol, task and metric: ``protocol, task, metric, model_1, views_1,
        model_2, views_2, folds, difference, sd, t, p, p_holm``. The difference is the first's score
        minus the second's, in the unit of the scores: above 0 the first is better where more is
        better, and worse where the metric is an error. ``p_holm`` is corrected for as many
        comparisons as the table holds of that metric and protocol.

    Raises
    ------
    SFMForensicsError
        A ratio is not positive.

    Warns
    -----
    MetricWarning
        Some differences are equal in all folds, and not 0: their p is NaN, and is not counted by
        Holm's correction.

    Notes
    -----
    See `corrected_resampled_ttest`. A large p does not show that two models are equally good: with
    five folds only large differences can be told from chance.

    Examples
    --------
    >>> scores = pd.DataFrame({
    ...     "model": ["a"] * 3 + ["b"] * 3, "views": "mfcc", "protocol": "closed",
    ...     "fold": [0, 1, 2] * 2, "task": "gender", "metric": "accuracy",
    ...     "value": [0.9, 0.8, 0.9, 0.7, 0.7, 0.6],
    ... })
    >>> compare_models(scores)[["model_1", "model_2", "difference", "p"]].round(2)
      model_1 model_2  difference     p
    0       a       b         0.2  0.16
    """
    rows = []
    for (protocol, task, metric), fold_scores in scores.groupby(
        ["protocol", "task", "metric"], sort=False
    ):
        wide = fold_scores.pivot_table(
            index="fold", columns=["model", "views"], values="value", sort=False
        )
        ratio = 1 / (max(2, fold_scores["fold"].nunique()) - 1)
        if isinstance(test_over_train, dict):
            ratio = test_over_train.get(cast("str", protocol), ratio)
        elif test_over_train is not None:
            ratio = test_over_train
        for first, second in combinations(wide.columns, 2) if pairs is None else pairs:
            if first not in wide.columns or second not in wide.columns:
                continue
            if not ratio > 0:
                raise SFMForensicsError(NO_RATIO.format(ratio))
            tested = _tested(_differences(wide[first], wide[second]), ratio)
            rows.append(
                [protocol, task, metric, *first, *second, tested.n]
                + [tested.difference, tested.sd, tested.t, tested.p, np.nan]
            )
    table = pd.DataFrame(rows, columns=COMPARISON_COLUMNS)
    undefined = (table["sd"] == 0) & (table["difference"] != 0)
    if undefined.any():
        where = table[undefined].iloc[0]
        warnings.warn(
            f"{int(undefined.sum())} of {len(table)} comparisons have no p: the difference is the "
            f"same in every fold (the first: {where['model_1']} and {where['model_2']}, "
            f"{where['task']} {where['metric']}, {where['protocol']}), so that nothing says how "
            "sure it is; use more folds, or repeat them",
            MetricWarning,
            stacklevel=2,
        )
    for _, family in table.groupby(["protocol", "metric"], sort=False):
        table.loc[family.index, "p_holm"] = holm(family["p"])
    return table


def _differences(first: pd.Series, second: pd.Series) -> FloatArray:
    """Fold by fold, where both were scored; 0 where they differ by rounding alone."""
    one, other = (side.to_numpy(dtype=np.float64) for side in (first, second))
    differences = one - other
    differences = np.where(
        np.abs(differences) <= 1e-12 * np.maximum(np.abs(one), np.abs(other)), 0.0, differences
    )
    return differences[~np.isnan(differences)]


def holm(p: ArrayLike) -> FloatArray:
    """Correct p values for their number, as Holm does.

    Parameters
    ----------
    p : array-like of shape (n_tests,)
        Missing ones do not count.

    Returns
    -------
    ndarray of shape (n_tests,)

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, dtype=np.float64)
    corrected = np.full(len(p), np.nan)
    order = np.argsort(p, kind="stable")[: np.sum(~np.isnan(p))]
    steps = p[order] * (len(order) - np.arange(len(order)))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected
