"""The one table of metrics: what each is, and those that other packages bring."""

from __future__ import annotations

import warnings
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.entry_points import Additions
from sfmforensics.exceptions import PackageWarning, TargetError, shown
from sfmforensics.metrics._classification import accuracy, known_labels, macro_f1, uar
from sfmforensics.metrics._regression import as_numbers, ccc, known_numbers, mae, rmse
from sfmforensics.metrics._weights import UnitWeights
from sfmforensics.targets import CLASSIFICATION, REGRESSION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sfmforensics._types import Array, Column, FloatArray

GROUP = "sfmforensics.metrics"
"""Entry points by which other packages bring metrics."""


_LEADING: dict[object, str] = {"emotion": "uar"}
_LEADING |= dict.fromkeys(("arousal", "valence", "dominance"), "ccc")
"""By task: what is shown first, where it is not the default of its kind."""


@dataclass(frozen=True)
class Metric:
    """What a metric is, and where it is shown.

    Parameters
    ----------
    function : callable or None
        Takes ``(y_true, y_pred, sample_weight=None)`` of one dimension and gives a float. None for
        "eer", which reads scores, not answers: see `speaker_eer`.
    greater_is_better : bool, default=True
        False for errors, whose scorers are negative.
    kind : {"classification", "regression"}, default="classification"
        Kind of task.
    unit : {"none", "share", "target"}, default="none"
        "share" (0 to 1, shown in percent), "target" for the unit of the labels, such as years, or
        "none" for a coefficient.
    title : str, default=""
        How it is written in tables and figures; as its name by default.
    proportion : bool, default=False
        Whether it is the share of recordings that are right, so that 0 and 1 have bounds as well.
    in_report : bool, default=True
        Whether the page shows its intervals.
    in_assessment : bool, default=True
        Whether `sfmforensics.evidence.assess` measures it, each speaker counting alike.

    Examples
    --------
    >>> def hits(y_true, y_pred, sample_weight=None):
    ...     return float(np.average(y_true == y_pred, weights=sample_weight))
    >>> Metric(hits, unit="share", title="hits").kind
    'classification'
    """

    function: Callable[..., Any] | None
    greater_is_better: bool = True
    kind: str = CLASSIFICATION
    unit: str = "none"
    title: str = ""
    proportion: bool = False
    in_report: bool = True
    in_assessment: bool = True


class MetricTable(MutableMapping[str, Metric]):
    """Metrics by name: this package's own, then those of others; of each kind the default first.

    A metric is a function and one entry here. Whatever names metrics reads this table: scorers,
    `evaluate` with its intervals and groups, tables, figures, the page, `assess` and `verify`.

    Parameters
    ----------
    own : dict of str to Metric
        Metrics of this package.
    group : str, default="sfmforensics.metrics"
        Entry points of other packages, read when the table is first asked for more than one of its
        own. Each is a function ``f(y_true, y_pred, sample_weight)``, or a `Metric`. The name of the
        entry point is that of the metric.

    Warns
    -----
    PackageWarning
        A metric of another package cannot be loaded, is no metric, or has a name of this table. It
        is left out, and all else works.

    Notes
    -----
    A bare function says what it is by attributes, ``kind``, ``greater_is_better``, ``unit`` and
    ``title``, as `Metric` has them. Without any it is of classes, has no unit, and is better where
    it is greater; of numbers (``f.kind = "regression"``) where it is less.

    A function from outside is called with rows whose truth is known, as arrays: labels as they are
    (None for an answer that is missing) or float64. ``sample_weight`` is None where all count
    alike, else an array of positive numbers; a weight of 2 is a row that is there twice. It gives
    one number, NaN where there is nothing to measure.

    Examples
    --------
    >>> METRICS.of("regression")[:3], METRICS.default("classification")
    (('rmse', 'mae', 'ccc'), 'accuracy')
    >>> METRICS.leading("gender", "classification"), METRICS.leading("emotion", "classification")
    ('accuracy', 'uar')
    """

    def __init__(self, own: dict[str, Metric], group: str = GROUP) -> None:
        self._own = {name: replace(m, title=m.title or name) for name, m in own.items()}
        self._group = group

    def __getitem__(self, name: str) -> Metric:
        return self._own[name] if name in self._own else self._all[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._all

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __setitem__(self, name: str, metric: Any) -> None:
        self._all[name] = _described(name, metric, "this session")

    def __delitem__(self, name: str) -> None:
        del self._all[name]

    def of(self, kind: str) -> tuple[str, ...]:
        """Names of the metrics of answers of a kind of task, the default first."""
        return tuple(
            name for name, metric in self.items() if metric.kind == kind and metric.function
        )

    def default(self, kind: str) -> str:
        """Name of the metric that a kind of task is scored by where nobody says which."""
        return next(name for name, metric in self._own.items() if metric.kind == kind)

    def leading(self, task: object, kind: str) -> str:
        """Name of the metric that tables, figures and pages show first of a task.

        Of emotion it is UAR, the field's measure: some emotions are rarer than others, and of
        accuracy a frequent one decides. Of its dimensions, arousal, valence and dominance, it is
        CCC. Of others it is the default of their kind.
        """
        name = _LEADING.get(task)
        if name in self._own and self._own[name].kind == kind:
            return name
        return self.default(kind)

    @property
    def defaults(self) -> tuple[str, ...]:
        """Names of the default of each kind."""
        return tuple(self.default(kind) for kind in (CLASSIFICATION, REGRESSION))

    @cached_property
    def _all(self) -> dict[str, Metric]:
        metrics = dict(self._own)
        additions = Additions(self._group, "metric", self._own, TargetError)
        for point in additions.points():
            package = "?" if point.dist is None else point.dist.name
            try:
                metrics[point.name] = _described(
                    point.name, additions.load(point.name), f"the package {package!r}"
                )
            except TargetError as error:
                warnings.warn(f"{error}; it is left out", PackageWarning, stacklevel=3)
        return metrics


def _described(name: str, added: Any, source: str) -> Metric:
    """Describe what is brought from outside, or say why it is no metric."""
    if isinstance(added, Metric):
        metric = added
    else:
        kind = getattr(added, "kind", CLASSIFICATION)
        greater = getattr(added, "greater_is_better", kind == CLASSIFICATION)
        unit, title = getattr(added, "unit", "none"), getattr(added, "title", name)
        metric = Metric(added, bool(greater), kind, unit, title)
    problem = ""
    if not callable(metric.function):
        problem = f"it is {shown(metric.function)}, which cannot be called"
    elif metric.kind not in (CLASSIFICATION, REGRESSION):
        problem = f'its kind is {shown(metric.kind)}, not "classification" or "regression"'
    elif metric.unit not in ("none", "share", "target"):
        problem = f'its unit is {shown(metric.unit)}, not "none", "share" or "target"'
    if problem:
        raise TargetError(f"the metric {name!r} of {source} is none: {problem}")
    outside = _Outside(name, source, metric.kind, metric.function)
    return replace(metric, function=outside, title=metric.title or name)


@dataclass(frozen=True)
class _Outside:
    """A metric from outside: called with what is known and counts, and named where it fails."""

    name: str
    source: str
    kind: str
    function: Any

    def __call__(self, y_true: Column, y_pred: Column, sample_weight: Any = None) -> Any:
        """One number, or of weights (n_resamples, n_rows) one for each resample."""
        if self.kind == CLASSIFICATION:
            known = pd.Series(y_true).notna().to_numpy()
            sides = known_labels(y_true, y_pred)
            true, pred = (pd.Series(side).infer_objects().to_numpy() for side in sides)
        else:
            known_numbers(y_true, y_pred)  # refuses what is missing
            true, pred = (as_numbers(side, self.name) for side in (y_true, y_pred))
            known = ~np.isnan(true)
            true, pred = true[known], pred[known]
        if sample_weight is None:
            return self._one(true, pred, None)
        one = not isinstance(sample_weight, UnitWeights) and np.ndim(sample_weight) == 1
        scores = []
        for weights in [sample_weight] if one else sample_weight:
            row = np.asarray(weights, dtype=np.float64)[known]
            scores.append(self._one(true[row > 0], pred[row > 0], row[row > 0]))
        return scores[0] if one else np.array(scores)

    def _one(self, true: Array, pred: Array, weights: FloatArray | None) -> float:
        if not len(true):
            return float("nan")
        try:
            return float(self.function(true, pred, sample_weight=weights))
        except Exception as error:
            raise TargetError(
                f"the metric {self.name!r} of {self.source} failed ({type(error).__name__}: "
                f"{error}); repair it there, or take it away"
            ) from error


METRICS = MetricTable(
    {
        "accuracy": Metric(accuracy, unit="share", proportion=True),
        "uar": Metric(uar, unit="share", title="UAR", in_assessment=False),
        "macro_f1": Metric(
            macro_f1, unit="share", title="macro F1", in_report=False, in_assessment=False
        ),
        "eer": Metric(None, False, unit="share", title="EER"),
        "rmse": Metric(rmse, False, REGRESSION, "target", "RMSE", in_assessment=False),
        "mae": Metric(mae, False, REGRESSION, "target", "MAE"),
        "ccc": Metric(ccc, kind=REGRESSION, title="CCC", in_report=False, in_assessment=False),
    }
)
"""Metrics by name; see `MetricTable` for how one is added."""
