"""How far raters agree, beyond which no model can be expected to agree with them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from sfmforensics.audit._finding import NOTE, Finding, counted
from sfmforensics.exceptions import TargetError
from sfmforensics.targets import CLASSIFICATION, task_kind
from sfmforensics.targets._votes import leaders, vote_columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sklearn.utils import Bunch

    from sfmforensics._types import Array

LEAST_ALPHA = 0.667
"""Krippendorff's alpha below which he draws not even tentative conclusions from ratings (2004)."""

COLUMNS = ["task", "raters", "recordings", "alpha", "all agree", "ties"]


def krippendorff_alpha(
    ratings: pd.DataFrame | Array, level: Literal["nominal", "interval"] = "nominal"
) -> float:
    r"""Agreement of raters beyond chance.

    Parameters
    ----------
    ratings : DataFrame or array-like of shape (n_recordings, n_raters)
        A label or a number of each rater; missing (None, NaN) where one gave none.
    level : {"nominal", "interval"}, default="nominal"
        Whether two ratings are the same or not, as labels are; or differ by the square of their
        distance, as numbers do.

    Returns
    -------
    float
        1 where all agree, about 0 where they do so as chance would have it, below 0 where they
        disagree by system; NaN where no recording has two ratings, or all ratings are the same.

    Raises
    ------
    TargetError
        Ratings of an interval are no numbers, or `level` is another.

    Notes
    -----
    With :math:`\delta^2` 0 or 1, or the squared distance, :math:`m_u` ratings of recording u, and n
    ratings of all recordings that have two or more [1]_,

    .. math:: \alpha = 1 - \frac{D_o}{D_e}, \quad
        D_o = \frac{1}{n} \sum_u \frac{1}{m_u - 1} \sum_{i \ne j} \delta^2(v_{ui}, v_{uj}), \quad
        D_e = \frac{1}{n (n - 1)} \sum_{i \ne j} \delta^2(v_i, v_j).

    References
    ----------
    .. [1] K. Krippendorff, "Computing Krippendorff's alpha-reliability", University of
       Pennsylvania, 2011.

    Examples
    --------
    >>> round(krippendorff_alpha([["calm", "calm"], ["sad", "sad"], ["sad", "calm"]]), 3)
    0.444
    """
    if level not in ("nominal", "interval"):
        raise TargetError(f'level is {level!r}; use "nominal" or "interval"')
    frame = pd.DataFrame(ratings)
    rows = [[value for value in row if not pd.isna(value)] for row in frame.to_numpy(dtype=object)]
    rows = [row for row in rows if len(row) > 1]
    values = [value for row in rows for value in row]
    if level == "interval":
        try:
            numbers = np.array(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TargetError(
                f'level is "interval", but ratings are no numbers: {error}; use "nominal"'
            ) from error
        middle = numbers.mean() if len(numbers) else 0.0  # lest a large mean takes their digits
        rows = [[float(value) - middle for value in row] for row in rows]
        values = [value for row in rows for value in row]
    apart = _categories_apart if level == "nominal" else _numbers_apart
    expected = apart(values) / (len(values) - 1) if values else 0.0
    if not expected:
        return float("nan")
    return float(1 - sum(apart(row) / (len(row) - 1) for row in rows) / expected)


def _categories_apart(values: list[Any]) -> float:
    """How many ordered pairs of ratings differ."""
    return len(values) ** 2 - sum(count**2 for count in Counter(values).values())


def _numbers_apart(values: list[Any]) -> float:
    """Sum of the squared distances of all ordered pairs of ratings."""
    numbers = np.array(values, dtype=np.float64)
    return float(2 * len(numbers) * ((numbers - numbers.mean()) ** 2).sum())


def rater_agreement(corpus: Bunch) -> pd.DataFrame:
    """Say for each task that several raters labelled how far they agree.

    Parameters
    ----------
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it, with columns ``TASK:NAME`` in
        ``details`` for the raters.

    Returns
    -------
    DataFrame of shape (n_tasks, 6)
        Columns task; raters, of whom there are ratings; recordings, that two or more of them rated;
        alpha, as `krippendorff_alpha` gives it, of labels as "nominal" and of numbers as
        "interval"; "all agree", the share of these recordings on which they do; and ties, the
        number of recordings of which two labels or more have the most votes. Tasks of which only
        shares of votes are known are not there.

    Examples
    --------
    >>> from sklearn.utils import Bunch
    >>> details = pd.DataFrame(
    ...     {"mood:anna": ["calm", "sad", "sad"], "mood:ben": ["calm", "sad", "calm"]}
    ... )
    >>> target = pd.DataFrame({"mood": ["calm", "sad", "calm"]})
    >>> rater_agreement(Bunch(target=target, details=details)).round(3).values.tolist()
    [['mood', 2, 3, 0.444, 0.667, 1]]
    """
    target, details = corpus.target, corpus.get("details")
    rows = []
    for task, columns in vote_columns(() if details is None else details).items():
        if task not in target:
            continue
        ratings = details[list(columns)]
        ratings = ratings.loc[:, ratings.notna().any().to_numpy()]
        numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in ratings.dtypes]
        of_labels = task_kind(target[task]) == CLASSIFICATION
        if any(numeric) and of_labels:
            continue  # shares of classes, of which nobody knows who gave them
        if not of_labels and not all(numeric):
            continue  # a column as it was written, of a task that was not chosen
        counts = [Counter(row[~pd.isna(row)]) for row in ratings.to_numpy(dtype=object)]
        several = [count for count in counts if count.total() > 1]
        if not several:
            continue
        agreed = float(np.mean([len(count) == 1 for count in several]))
        ties = sum(len(leaders(count)) > 1 for count in several) if of_labels else 0
        alpha = krippendorff_alpha(ratings, "nominal" if of_labels else "interval")
        rows.append((task, ratings.shape[1], len(several), alpha, agreed, ties))
    return pd.DataFrame(rows, columns=COLUMNS)


def agreement_findings(corpus: Bunch) -> Iterator[Finding]:
    """Say of which tasks raters agree too little with each other.

    Examples
    --------
    >>> from sklearn.utils import Bunch
    >>> details = pd.DataFrame({"mood:anna": ["calm", "sad"], "mood:ben": ["sad", "calm"]})
    >>> target = pd.DataFrame({"mood": ["calm", "calm"]})
    >>> for finding in agreement_findings(Bunch(target=target, details=details)):
    ...     print(finding.what)
    mood: Krippendorff's alpha -0.50 (2 raters, 2 recordings with two ratings or more); all agree on
    0 %, 2 ties
    """
    for task, raters, recordings, alpha, agreed, ties in rater_agreement(corpus).itertuples(
        index=False
    ):
        if alpha < LEAST_ALPHA:
            tied = f", {counted(ties, 'tie')}" if ties else ""
            yield Finding(
                NOTE,
                "raters disagree",
                f"{task}: Krippendorff's alpha {alpha:.2f} ({counted(raters, 'rater')}, "
                f"{counted(recordings, 'recording')} with two ratings or more); all agree on "
                f"{agreed:.0%}{tied}".replace("%", " %"),
                "A model cannot be expected to agree with a label more than raters agree with each "
                f"other; below {LEAST_ALPHA} Krippendorff (2004) draws not even tentative "
                "conclusions from such labels.",
                "Read the score beside it; ask more raters or train them, or leave out recordings "
                "on which they disagree, and say so. Networks learn the shares of their votes.",
            )
