"""What training did, epoch by epoch, and how scores grow with the recordings."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params, check_is_fitted

from sfmforensics._utils.pipelines import last_step
from sfmforensics.exceptions import ParameterError, ReportError, SplitWarning
from sfmforensics.metrics import METRICS, task_scorers
from sfmforensics.report._wording import figure_text, is_share, metric_label
from sfmforensics.report.displays._axes import BLUE, VERMILLION, Display, own_panels
from sfmforensics.targets import as_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator

    from sfmforensics._types import Column, IntArray, Matrix, RandomState, Split, Splitter, Targets
    from sfmforensics._utils.recordings import Recordings
    from sfmforensics.report.displays._axes import Panels


class TrainingCurveDisplay(Display):
    """Loss by epoch and, for `TANGO`, how sharp the transport plans are.

    Use `from_estimator` to make one.

    Parameters
    ----------
    history : list of dict
        ``history_`` of a fitted model: ``epoch``, ``train_loss``, with early stopping
        ``valid_loss``, with transport ``plan_entropy``.
    best_epoch : int or None, default=None
        Epoch whose weights were kept; marked if there is a ``valid_loss``, without which it is
        the last.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes of shape (n_panels,)
        Loss, entropy; one of them if the history lacks the other.
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    An entropy of 1 is a uniform plan, in which every token receives the average of all others.
    The training loss is the mean over the batches of an epoch, with dropout and noise, so it may
    lie above that of the validation recordings.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> history = [
    ...     {"epoch": 1, "train_loss": 2.0, "plan_entropy": 0.98},
    ...     {"epoch": 2, "train_loss": 1.5, "plan_entropy": 0.97},
    ... ]
    >>> display = TrainingCurveDisplay(history).plot()
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['loss (weighted sum of the tasks)', 'entropy of the plans (1 = uniform)']
    >>> plt.close(display.figure_)
    """

    def __init__(
        self, history: Sequence[dict[str, float]], *, best_epoch: int | None = None
    ) -> None:
        self.history = history
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(
        cls, estimator: BaseEstimator, *, ax: Axes | Sequence[Axes] | Panels | None = None
    ) -> Self:
        """Draw how a model was trained.

        Parameters
        ----------
        estimator : TANGO, ConcatFusion, SingleView, or a pipeline that ends in one
            Fitted.
        [ax of each panel]

        Raises
        ------
        ReportError
            The model keeps no history.
        NotFittedError
            It is not fitted.
        ParameterError
            The axes are more or fewer than the panels.
        """
        model, _ = last_step(estimator)
        check_is_fitted(model)
        if not hasattr(model, "history_"):
            raise ReportError(
                f"{type(model).__name__} keeps no history_; TANGO, ConcatFusion and SingleView do"
            )
        return cls(model.history_, best_epoch=getattr(model, "best_epoch_", None)).plot(ax)

    def plot(self, ax: Axes | Sequence[Axes] | Panels | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        [ax of each panel]

        Raises
        ------
        ReportError
            The history holds neither a loss nor an entropy.
        ParameterError
            The axes are more or fewer than the panels.
        """
        known = {name for row in self.history for name, value in row.items() if value is not None}
        draws = {"training": self._draw_loss} if "train_loss" in known else {}
        draws |= {"transport plans": self._draw_entropy} if "plan_entropy" in known else {}
        if not draws:
            raise ReportError("the history has no 'train_loss' and no 'plan_entropy' to draw")
        axes = own_panels(ax, len(draws), (4.4 * len(draws), 3.4))
        for panel, (title, draw) in zip(axes, draws.items(), strict=True):
            draw(panel)
            panel.set(title=title, xlabel="epoch")
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.grid(color="0.9")
            panel.set_axisbelow(True)
            panel.spines[["top", "right"]].set_visible(False)
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    def _draw_loss(self, ax: Axes) -> None:
        self._line(ax, "train_loss", color=BLUE, marker="o", label="training")
        validation = self._line(ax, "valid_loss", color=VERMILLION, marker="s", label="validation")
        if validation and self.best_epoch is not None:
            label = f"best epoch ({self.best_epoch})"
            ax.axvline(self.best_epoch, color="black", linewidth=1, linestyle=":", label=label)
        ax.set_ylabel("loss (weighted sum of the tasks)")
        if validation:
            ax.legend(frameon=False)

    def _draw_entropy(self, ax: Axes) -> None:
        ax.axhline(1, color="black", linewidth=1, linestyle="--", label="uniform plan")
        self._line(ax, "plan_entropy", color=BLUE, marker="o", label="mean of the plans")
        ax.set(ylim=(0, 1.08), ylabel="entropy of the plans (1 = uniform)")
        ax.legend(loc="lower left", frameon=False)

    def _line(self, ax: Axes, name: str, **style: Any) -> bool:
        rows = [row for row in self.history if row.get(name) is not None]
        if rows:
            ax.plot([row["epoch"] for row in rows], [row[name] for row in rows], ms=3, **style)
        return bool(rows)


SIZES = (0.1, 0.325, 0.55, 0.775, 1.0)


class LearningCurveDisplay(Display):
    """Scores of each task on test folds, by the number of training recordings.

    Use `from_estimator` to make one.

    Parameters
    ----------
    scores : DataFrame
        One row a task, fold and size: ``task``, ``metric``, ``size`` (place in the sizes asked
        for), ``n_train`` (recordings), ``fold``, ``value``. Errors are positive, shares 0 to 1.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes of shape (n_tasks,)
        One panel for each task and metric.
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    The rows of a size are drawn at random from the training rows of a fold, smaller ones within
    larger ones, so what the splitter keeps apart stays apart: under `TargetGroupKFold` no test
    voice is ever heard. (scikit-learn's `learning_curve` takes the first rows, and one scorer.)
    Where a sample holds no label of a task, the model learns the other tasks and that score is
    missing. The band is one standard deviation over the folds, of a sample (n - 1).

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sfmforensics import PerTask
    >>> from sfmforensics.model_selection import TargetStratifiedKFold
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> y = pd.DataFrame({"gender": np.where(X[:, 0] > 0, "f", "m"), "age": 40 + 5 * X[:, 1]})
    >>> display = LearningCurveDisplay.from_estimator(
    ...     PerTask(), X, y, cv=TargetStratifiedKFold(2, on="gender"), train_sizes=[0.5, 1.0]
    ... )
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['accuracy (%), more is better', 'RMSE (years), less is better']
    >>> display.scores["n_train"].unique().tolist()
    [10, 20]
    >>> plt.close(display.figure_)
    """

    def __init__(self, scores: pd.DataFrame) -> None:
        self.scores = scores

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Matrix | Recordings,
        y: Targets,
        *,
        cv: Splitter | Iterable[Split],
        train_sizes: Sequence[float] = SIZES,
        groups: Column | None = None,
        scoring: str | Callable[..., float] | Sequence[str] | dict[str, Any] | None = None,
        n_jobs: int | None = 1,
        random_state: RandomState = 0,
        params: dict[str, Any] | None = None,
        ax: Axes | Sequence[Axes] | Panels | None = None,
    ) -> Self:
        """Fit a model on ever more recordings, and draw how well it does.

        Parameters
        ----------
        estimator : estimator
            Cloned for every fit; may be a pipeline.
        X : array-like of shape (n_recordings, ...)
            What it takes.
        y : DataFrame, Series or array-like of shape (n_recordings,) or (n_recordings, n_tasks)
            Targets.
        cv : splitter or iterable of (train, test)
            Such as `TargetStratifiedKFold` (closed) or `TargetGroupKFold` (disjoint).
        train_sizes : sequence of float or int
            Shares of the training rows of a fold, above 0 and up to 1, or numbers of rows.
        groups : array-like of shape (n_recordings,) or None, default=None
            What the splitter keeps together.
        scoring : None, str, callable, list or dict, default=None
            As for `cross_validate`; None takes `task_scorers`. Scores that were negated because
            less is better are drawn positive.
        n_jobs : int or None, default=1
            Fits at a time.
        random_state : int, RandomState instance or None, default=0
            Seed of the samples.
        params : dict or None, default=None
            Passed to `fit`; arrays with one entry a recording are cut as the training rows are,
            as in ``{"groups": speakers}`` for early stopping.
        [ax of each score]

        Raises
        ------
        ParameterError
            A size is out of range, `cv` is a number, which would neither stratify mixed targets
            nor keep speakers apart, or the lengths differ.

        Warns
        -----
        SplitWarning
            Some samples hold no label of a task.
        """
        if cv is None or isinstance(cv, Integral):
            raise ParameterError(
                f"cv={cv!r} would neither stratify targets of several columns nor keep speakers "
                "apart; use TargetStratifiedKFold or TargetGroupKFold of "
                "sfmforensics.model_selection"
            )
        check_consistent_length(X, y, groups)
        frame, scorers, rng = as_frame(y), _scorers(scoring, y), check_random_state(random_state)
        jobs = []
        for fold, (train, test) in enumerate(check_cv(cv).split(X, y, groups)):
            order = rng.permutation(train)
            for size, n_train in enumerate(_counts(train_sizes, len(train))):
                rows = np.sort(order[:n_train])
                known = frame.iloc[rows].notna().any().to_numpy()
                jobs.append((fold, size, rows, test, list(np.flatnonzero(~known))))
        _warn_of_gaps(frame, [absent for *_, absent in jobs])
        job_scores = Parallel(n_jobs=n_jobs)(
            delayed(_fit_and_score)(estimator, X, y, rows, test, absent, scorers, params)
            for *_, rows, test, absent in jobs
        )
        rows = [
            (*_task_and_metric(name, frame), size, len(train), fold, values.get(name, np.nan))
            for name in scorers
            for (fold, size, train, *_), values in zip(jobs, job_scores, strict=True)
        ]
        columns = ["task", "metric", "size", "n_train", "fold", "value"]
        return cls(pd.DataFrame(rows, columns=columns)).plot(ax)

    def plot(self, ax: Axes | Sequence[Axes] | Panels | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        [ax of each score]
        """
        curves: Any = list(self.scores.groupby(["task", "metric"], sort=False, dropna=False))
        n_columns = min(2, len(curves))
        n_rows = -(-len(curves) // n_columns)
        axes = own_panels(ax, len(curves), (4.0 * n_columns, 3.0 * n_rows), n_columns)
        for panel, ((task, metric), scores) in zip(axes, curves, strict=True):
            # pandas makes NaN of a scorer's missing metric.
            _draw_curve(panel, scores, task, metric if isinstance(metric, str) else None)
        axes[0].legend(frameon=False, fontsize=9)
        self.axes_, self.figure_ = axes, axes[0].figure
        return self


def _counts(sizes: Sequence[float], n_train: int) -> list[int]:
    """Numbers of rows that sizes stand for."""
    counts = []
    for size in np.asarray(sizes).tolist():
        share = isinstance(size, Real) and not isinstance(size, Integral)
        if not (0 < size <= 1 if share else 1 <= size <= n_train):
            raise ParameterError(
                f"train_sizes holds {size!r}; use shares above 0 and up to 1, or numbers from 1 to "
                f"{n_train}, the training rows of a fold"
            )
        counts.append(max(1, round(size * n_train)) if share else size)
    return counts


def _scorers(scoring: Any, y: Targets) -> dict[str, Any]:
    if scoring is None:
        return task_scorers(y)
    if callable(scoring):
        return {"score": scoring}
    named = scoring if isinstance(scoring, dict) else None
    if named is None:
        names = [scoring] if isinstance(scoring, str) else scoring
        named = dict(zip(names, names, strict=True))
    return {name: get_scorer(scorer) for name, scorer in named.items()}


def _task_and_metric(name: str, tasks: Iterable[Any]) -> tuple[Any, str | None]:
    """Give what a scorer of a name of `task_scorers` scores; of another, its name, no metric."""
    for metric in METRICS:
        for task in tasks:
            if name == f"{task}_{metric}":
                return task, metric
    return name.removeprefix("neg_"), None


def _warn_of_gaps(frame: pd.DataFrame, absences: Sequence[Any]) -> None:
    for position, name in enumerate(frame.columns):
        n_gaps = sum(position in absent for absent in absences)
        if n_gaps:
            warnings.warn(
                f"{n_gaps} of {len(absences)} samples hold no label of {name!r}; it is not scored "
                "there",
                SplitWarning,
                stacklevel=3,
            )


def _fit_and_score(
    estimator: BaseEstimator,
    X: Any,
    y: Targets,
    rows: IntArray,
    test: IntArray,
    absent: list[int],
    scorers: dict[str, Any],
    params: dict[str, Any] | None,
) -> dict[str, float]:
    """Fit on some rows and score on others; gives the scores by name, errors positive."""
    if absent:
        # No model can learn a column without labels.
        frame = as_frame(y)
        lost = set(frame.columns[absent])
        y = frame.drop(columns=list(lost))
        scorers = {
            name: scorer
            for name, scorer in scorers.items()
            if _task_and_metric(name, lost)[1] is None
        }
        if y.empty or not scorers:
            return {}
    model = clone(estimator)
    X_train, y_train, X_test, y_test = (
        _safe_indexing(part, side) for side in (rows, test) for part in (X, y)
    )
    model.fit(X_train, y_train, **_check_method_params(X, params or {}, indices=rows))
    values = check_scoring(model, scoring=scorers)(model, X_test, y_test)
    return {
        name: -value if _negated(name, scorers[name], y) else value
        for name, value in values.items()
    }


def _negated(name: str, scorer: Any, y: Targets) -> bool:
    _, metric = _task_and_metric(name, as_frame(y))
    if metric is None:
        return getattr(scorer, "_sign", 1) < 0
    return not METRICS[metric].greater_is_better


def _draw_curve(ax: Axes, scores: pd.DataFrame, task: str, metric: str | None) -> None:
    factor = 100 if is_share(metric) else 1
    sizes = scores.groupby("size")
    n_train = sizes["n_train"].mean()
    mean, spread = factor * sizes["value"].mean(), factor * sizes["value"].std()
    n_folds = scores["fold"].nunique()
    if spread.notna().any():
        limits = (0, 100 if is_share(metric) else None)
        ax.fill_between(
            n_train,
            (mean - spread).clip(*limits),
            (mean + spread).clip(*limits),
            color=BLUE,
            alpha=0.2,
            lw=0,
            label="± standard deviation",
        )
    label = f"mean of {n_folds} test fold{'s' if n_folds > 1 else ''}"
    ax.plot(n_train, mean, color=BLUE, marker="o", ms=5, label=label)
    ax.set(title=figure_text(task), xlabel="training recordings")
    ax.set_ylabel("score" if metric is None else metric_label(task, metric))
    if is_share(metric):
        ax.set_ylim(max(-2, ax.get_ylim()[0]), min(102, ax.get_ylim()[1]))
    ax.set_xlim(left=0)
    ax.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
    ax.grid(color="0.9")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
