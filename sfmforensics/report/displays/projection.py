"""Vectors of recordings as points of a plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, check_consistent_length
from threadpoolctl import threadpool_limits

from sfmforensics._utils.pipelines import last_step
from sfmforensics.exceptions import ParameterError, ReportError
from sfmforensics.report._wording import figure_text, natural_key, unit_of
from sfmforensics.report.displays._axes import COLOURS, MARKERS, Display, heading_of, own_axes
from sfmforensics.report.displays.predictions import as_text, choose_task
from sfmforensics.targets import REGRESSION, task_kind
from sfmforensics.targets._bands import middles

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator

    from sfmforensics._types import Array, Column, Matrix, RandomState, Targets
    from sfmforensics._utils.recordings import Recordings

    Method = Literal["tsne", "umap"]

METHODS = {"tsne": "t-SNE", "umap": "UMAP"}
LEAST = 4  # recordings; of fewer, neighbours say nothing
PERPLEXITY = 30.0
DIMENSIONS = 50


class ProjectionDisplay(Display):
    """Vectors of recordings in two dimensions, coloured by the labels of a task.

    Use `from_views` or `from_estimator` to make one.

    Parameters
    ----------
    points : ndarray of shape (n_recordings, 2)
        Where each recording is drawn.
    labels : Series or array-like of shape (n_recordings,)
        Labels of the task; floats are drawn on a scale, anything else as classes.
    task : str or None, default=None
        Name of the task.
    method : str, default="tsne"
        What made the points.
    unit : str or None, default=None
        Unit of labels that are numbers; None takes "years" for age.
    name : str or None, default=None
        What the vectors are, in the title.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    Neighbours are near each other; distances between clusters, and their sizes, mean nothing, so
    the axes have no scale. Vectors are standardised and reduced to 50 principal components
    first. The perplexity of t-SNE is 30, or a third of the recordings if that is less.

    Up to 8 classes have a colour and a marker each. Of more, such as speakers, colours and markers
    recur, each pair of them once in 64 classes, and there is no legend.

    References
    ----------
    .. [1] The paper, appendix, Figures 6 and 7: t-SNE of raw representations by emotion and gender.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> X = np.random.default_rng(0).normal(size=(20, 5))
    >>> y = pd.DataFrame({"gender": ["f", "m"] * 10, "age": 30.0 + X[:, 0]})
    >>> display = ProjectionDisplay.from_views(X, y, task="gender", name="mfcc")
    >>> print(display.ax_.get_title())
    mfcc, t-SNE
    20 recordings by gender
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        points: Array,
        labels: Column,
        *,
        task: str | None = None,
        method: str = "tsne",
        unit: str | None = None,
        name: str | None = None,
    ) -> None:
        self.points = points
        self.labels = labels
        self.task = task
        self.method = method
        self.unit = unit
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Matrix | Recordings,
        y: Targets,
        *,
        task: str | None = None,
        method: Method = "tsne",
        random_state: RandomState = 0,
        unit: str | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the representation that a model makes of its views.

        Parameters
        ----------
        estimator : estimator
            Fitted; its `transform`, or its pipeline's, gives the fused representation.
        X : array-like of shape (n_recordings, ...)
            What it takes.
        y, task, method, random_state, unit, ax
            As in `from_views`.
        name : str or None, default=None
            What the vectors are, in the title; None takes the name of the model's class.

        Returns
        -------
        ProjectionDisplay

        Raises
        ------
        ReportError
            The model has no `transform`, or as in `from_views`.
        TargetError, ImportError, ParameterError
            As in `from_views`.
        """
        kind = type(last_step(estimator)[0]).__name__
        if not hasattr(estimator, "transform"):
            raise ReportError(
                f"{kind} has no transform, so there is no representation to draw; use TANGO, "
                "ConcatFusion or SingleView, or from_views for the vectors themselves"
            )
        return cls.from_views(
            estimator.transform(X),
            y,
            task=task,
            method=method,
            random_state=random_state,
            unit=unit,
            name=kind if name is None else name,
            ax=ax,
        )

    @classmethod
    def from_views(
        cls,
        X: Matrix,
        y: Targets,
        *,
        task: str | None = None,
        method: Method = "tsne",
        random_state: RandomState = 0,
        unit: str | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw vectors as they are, such as those of one speech foundation model.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_recordings, n_features)
            Vectors; of several views side by side, one is ``X.filter(regex="^whisper__")``.
        y : DataFrame, Series or array-like of shape (n_recordings,) or (n_recordings, n_tasks)
            Targets. A missing label is drawn in grey.
        task : str or None, default=None
            Column of the targets; it can be left out if there is one.
        method : {"tsne", "umap"}, default="tsne"
            "umap" needs the package umap-learn.
        random_state : int, RandomState instance or None, default=0
            Seed of the projection.
        unit : str or None, default=None
            Unit of labels that are numbers; None takes "years" for age.
        name : str or None, default=None
            What the vectors are, in the title.
        [ax]

        Raises
        ------
        TargetError
            The task is not there, or several could be meant.
        ReportError
            There are fewer than 4 recordings, or all vectors are equal.
        ImportError
            umap-learn is not installed.
        ParameterError
            The method is unknown, or the lengths differ.
        """
        task, labels, _ = choose_task(y, task)
        labels = middles(labels)
        check_consistent_length(X, labels)
        points = project(X, method, random_state)
        return cls(points, labels, task=task, method=method, unit=unit, name=name).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw it."""
        labels = pd.Series(self.labels).reset_index(drop=True)
        many = task_kind(labels) != REGRESSION and labels.nunique() > len(COLOURS)
        ax = own_axes(ax, (4.9, 5.0) if many else (5.8, 4.6))
        known = labels.notna().to_numpy()
        method = METHODS.get(self.method, str(self.method))
        task = "label" if self.task is None else figure_text(self.task)
        # Many points are drawn small, or they would hide one another.
        size = float(np.clip(9000 / len(labels), 7, 36))
        points = np.asarray(self.points)
        if not known.all():
            label = f"not known ({np.sum(~known):,})"
            x, y = points[~known].T
            ax.scatter(x, y, s=size, color="0.7", label=label, lw=0)
        note = ""
        if task_kind(labels) == REGRESSION:
            self._draw_numbers(ax, points[known], labels[known].to_numpy(), task, size)
        else:
            note = _draw_classes(ax, points[known], as_text(labels[known]), task, size)
        heading = method if self.name is None else heading_of(self.name, method)
        ax.set_title(f"{heading}\n{len(labels):,} recordings by {task}{note}")
        ax.set(xticks=[], yticks=[], xlabel=f"{method} 1 (no unit)", ylabel=f"{method} 2 (no unit)")
        ax.set_aspect("equal", adjustable="datalim")
        return self._drawn(ax, grid=False)

    def _draw_numbers(
        self, ax: Axes, points: Array, numbers: Array, task: str, size: float
    ) -> None:
        x, y = points.T
        drawn = ax.scatter(x, y, c=numbers, s=size, cmap="viridis", lw=0.2, edgecolors="0.3")
        unit = unit_of(self.task) if self.unit is None else self.unit
        ax.figure.colorbar(drawn, ax=ax, shrink=0.85).set_label(f"{task} ({figure_text(unit)})")
        if len(ax.collections) > 1:
            ax.legend(frameon=False, loc="best")


def project(X: Matrix, method: Method = "tsne", random_state: RandomState = 0) -> Array:
    """Project vectors onto a plane so that neighbours stay near each other.

    Parameters
    ----------
    X : array-like of shape (n_recordings, n_features)
        Finite numbers.
    method : {"tsne", "umap"}, default="tsne"
        How.
    random_state : int, RandomState instance or None, default=0
        Seed.

    Returns
    -------
    ndarray of shape (n_recordings, 2)

    Raises
    ------
    ReportError, ImportError, ParameterError
        As in `ProjectionDisplay.from_views`.

    Examples
    --------
    >>> project(np.random.default_rng(0).normal(size=(6, 3))).shape
    (6, 2)
    """
    if method not in METHODS:
        raise ParameterError(f'method is {method!r}; use "tsne" or "umap"')
    make_umap = _umap() if method == "umap" else None
    X = check_array(X, dtype=np.float64)
    if len(X) < LEAST:
        raise ReportError(f"{len(X)} recordings cannot be projected; give {LEAST} or more")
    X = StandardScaler().fit_transform(X)
    if not np.ptp(X, axis=0).any():
        raise ReportError("all recordings have the same vector, so there is nothing to project")
    width = min(DIMENSIONS, X.shape[1], len(X) - 1)
    X = PCA(width, random_state=random_state).fit_transform(X)
    if make_umap is not None:
        near = min(15, len(X) - 1)
        return make_umap(n_neighbors=near, random_state=random_state).fit_transform(X)
    tsne = TSNE(
        perplexity=min(PERPLEXITY, (len(X) - 1) / 3),
        init="pca" if width > 1 else "random",
        random_state=random_state,
    )
    # The order of sums, and so the figure, depends on the threads. On a busy machine one thread
    # is also much faster than several that wait for each other.
    with threadpool_limits(1):
        return tsne.fit_transform(X)


def _umap() -> Any:
    try:
        from umap import UMAP
    except ImportError as error:
        raise ImportError("umap-learn is not installed; run: pip install umap-learn") from error
    return UMAP


def _draw_classes(ax: Axes, points: Array, labels: pd.Series, task: str, size: float) -> str:
    """Draw the points of each class; gives what the title must say of their colours."""
    counts = labels.value_counts()
    names = sorted(counts.index, key=natural_key)
    few = len(names) <= len(COLOURS)
    for place, name in enumerate(names):
        n = len(COLOURS)
        x, y = points[(labels == name).to_numpy()].T
        ax.scatter(
            x,
            y,
            s=size,
            color=COLOURS[place % n],
            marker=MARKERS[(place if few else place + place // n) % n],
            alpha=0.8,
            lw=0.3,
            edgecolors="0.3",
            label=f"{figure_text(name, 16)} ({counts[name]:,})" if few else None,
        )
    if few:
        legend: Any = ax.legend(
            title=task, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5)
        )
        for handle in legend.legend_handles:
            handle.set_sizes([36])
        return ""
    return f", {len(names)} classes:\ncolours and markers recur, so there is no legend"
