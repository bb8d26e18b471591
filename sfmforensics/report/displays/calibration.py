"""How far probabilities can be trusted, and what leaving out the least sure answers gains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import ParameterError, TargetError, shown
from sfmforensics.metrics import calibration_bins, risk_coverage
from sfmforensics.metrics._calibration import area_under_risk, error_of_bins
from sfmforensics.metrics._classification import known_labels
from sfmforensics.report._wording import figure_text
from sfmforensics.report.displays._axes import (
    LEGEND,
    MARKERS,
    Display,
    heading_of,
    next_style,
    own_axes,
    own_panels,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from sfmforensics._types import Column, FloatArray
    from sfmforensics.metrics._calibration import Strategy
    from sfmforensics.report.displays._axes import Panels


WIDTHS = {"uniform": "bins of equal width", "quantile": "bins of like counts"}
GID = "reliability"


class ReliabilityDisplay:
    """Reliability diagram: how often the likeliest class is right, against its probability.

    Use `from_predictions` to make one.

    Parameters
    ----------
    bins : dict of str to DataFrame
        By name, what `calibration_bins` gives: ``low``, ``high``, ``n``, ``confidence`` and
        ``accuracy``, one row a bin.
    strategy : {"uniform", "quantile"}, default="uniform"
        How the bins were made, for the axis.
    name : str or None, default=None
        What was measured, in the title: a task, a model.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Accuracy by confidence.
    counts_ax_ : matplotlib.axes.Axes
        Recordings by confidence.
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    Points below the diagonal are answers that are too sure. The number in the title, or of each
    set in the legend, is the expected calibration error over these bins; its short name, ECE, is
    not used, since it also means the empirical cross-entropy of likelihood ratios (`ECEDisplay`).
    Bins without a recording have no point; where the bars are low, a point is chance.

    References
    ----------
    .. [1] Guo, C., Pleiss, G., Sun, Y., Weinberger, K. Q. On calibration of modern neural networks.
       ICML 2017.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> probabilities = [[0.9, 0.1], [0.9, 0.1], [0.3, 0.7]]
    >>> display = ReliabilityDisplay.from_predictions(
    ...     ["f", "m", "m"], probabilities, classes=["f", "m"], name="gender"
    ... )
    >>> print(display.ax_.get_title())
    gender
    expected calibration error 36.7 % (n = 3)
    >>> plt.close(display.figure_)
    """

    figsize = (4.8, 5.4)
    """Width and height in inches of a figure that suits it."""

    def __init__(
        self,
        bins: Mapping[str, pd.DataFrame],
        *,
        strategy: Strategy = "uniform",
        name: str | None = None,
    ) -> None:
        self.bins = bins
        self.strategy = strategy
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        y_true: Column,
        probabilities: ArrayLike | Mapping[str, ArrayLike],
        *,
        classes: Column,
        n_bins: int = 10,
        strategy: Strategy = "uniform",
        weights: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | Sequence[Axes] | Panels | None = None,
    ) -> Self:
        """Draw the probabilities of recordings whose labels are known.

        Parameters
        ----------
        y_true : array-like of shape (n_recordings,)
            Labels; recordings without one do not count.
        probabilities : array-like of shape (n_recordings, n_classes), or dict of them by name
            Of each class, 0 to 1, as `predict_proba` gives them. Of several sets, such as before
            and after a calibration, each is a curve.
        classes : array-like of shape (n_classes,)
            Labels that the columns stand for.
        n_bins : int, default=10
            Most bins.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of equal width between 0 and 1, or with about as many recordings each.
        weights : array-like of shape (n_recordings,) or None, default=None
            How much each recording counts; None for all alike. See `sfmforensics.evidence.assess`.
        name : str or None, default=None
            What was measured, in the title.
        ax : matplotlib.axes.Axes, array-like of 2 Axes, or None, default=None
            Where to draw: one that is divided, or one for the diagram and one for the counts; None
            makes a figure of pyplot's.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        TargetError
            No label is known, or labels are text and classes are not.
        ParameterError
            There are no probabilities, or they have not that shape, `n_bins` or `strategy` is
            unknown, or the axes are more or fewer than 2.
        """
        sets: Any = probabilities if isinstance(probabilities, Mapping) else {"": probabilities}
        if not sets:
            raise ParameterError("probabilities is an empty dict; give at least one set by name")
        if not pd.Series(y_true).notna().any():
            raise TargetError("no label of the recordings is known; give those whose label is")
        bins = {
            key: calibration_bins(y_true, rows, classes, n_bins, strategy, weights)
            for key, rows in sets.items()
        }
        return cls(bins, strategy=strategy, name=name).plot(ax)

    @property
    def errors(self) -> dict[str, float]:
        """Expected calibration error of each set, 0 to 1."""
        return {key: error_of_bins(bins) for key, bins in self.bins.items()}

    def plot(self, ax: Axes | Sequence[Axes] | Panels | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, array-like of 2 Axes, or None, default=None
            Where to draw: one that is divided, or one for the diagram and one for the counts; None
            makes a figure of pyplot's.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ParameterError
            The strategy is unknown, or the axes are more or fewer than 2.
        """
        if self.strategy not in WIDTHS:
            raise ParameterError(f'strategy is {shown(self.strategy)}; use "uniform" or "quantile"')
        diagram, counts = own_panels(ax, 2, self.figsize, 1, heights=(3.2, 1))
        ends = (0, 100)
        diagram.plot(ends, ends, color="0.4", linewidth=1, linestyle="--", label="as sure as right")
        error = "expected calibration error"
        n = int(next(iter(self.bins.values()))["n"].sum())
        for place, (key, bins) in enumerate(self.bins.items()):
            style = next_style(diagram, GID)
            several = f"{figure_text(key)}: {100 * self.errors[key]:.1f} %"
            diagram.plot(
                100 * bins["confidence"],
                100 * bins["accuracy"],
                marker=MARKERS[place % len(MARKERS)],
                markersize=5,
                label=several if len(self.bins) > 1 else figure_text(key) or "answers",
                **style,
            )
            low, high = 100 * bins["low"], 100 * bins["high"]
            # Outlines, since bars of several sets would hide each other.
            solid = place == 0
            width = (high - low).clip(lower=0.5)
            counts.bar(
                (low + high) / 2,
                bins["n"],
                width,
                facecolor=style["color"] if solid else "none",
                alpha=0.35 if solid else 1,
                edgecolor=style["color"],
                linestyle=style["linestyle"],
            )
        single = f"{100 * self.errors[next(iter(self.errors))]:.1f} % "
        heading = f"{error} {single if len(self.errors) == 1 else ''}(n = {n:,})"
        diagram.set_title("\n".join(filter(None, [heading_of(self.name), heading])))
        for panel in (diagram, counts):
            panel.set_xlim(-2, 102)
            panel.grid(color="0.9")
            panel.set_axisbelow(True)
        diagram.set(ylim=(-4, 104), ylabel="accuracy (%)")
        what = f"confidence (%), {WIDTHS[self.strategy]}"
        diagram.set_xlabel("probability of the likeliest class (%)")
        counts.set(xlabel=what, ylabel="recordings")
        counts.yaxis.get_major_locator().set_params(integer=True, nbins=3)
        diagram.legend(**LEGEND)
        self.ax_, self.counts_ax_, self.figure_ = diagram, counts, diagram.figure
        return self


RISK_CURVE = "risk"


class RiskCoverageDisplay(Display):
    """Share of errors among the answers, against the share of recordings that are answered.

    Use `from_predictions` to make one. Drawn again on the axes of another, it is compared with it.

    Parameters
    ----------
    coverage, risk, thresholds : ndarray of shape (n_thresholds,)
        As `risk_coverage` gives them.
    n_recordings : int
        How many there are.
    threshold : float or None, default=None
        Confidence from which on an answer is given, marked on the curve.
    name : str or None, default=None
        What was measured, in the legend.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    line_ : matplotlib.lines.Line2D

    Notes
    -----
    The rightmost point is the error rate where all are answered. A confidence that says nothing of
    the errors stays at that height; a good one falls towards the left. At the left end few
    recordings are left, so that the curve is chance. AURC, the area under the steps, is the risk
    averaged over all coverages, 0 to 1: the less the better, for a model that errs as often.

    References
    ----------
    .. [1] Geifman, Y., El-Yaniv, R. Selective classification for deep neural networks.
       NeurIPS 2017.
    .. [2] El-Yaniv, R., Wiener, Y. On the foundations of noise-free selective classification.
       Journal of Machine Learning Research 11 (2010), 1605-1641.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> display = RiskCoverageDisplay.from_predictions(
    ...     ["f", "m", "m", "f"], ["f", "m", "f", "f"], [0.9, 0.8, 0.6, 0.7], threshold=0.7
    ... )
    >>> for text in display.ax_.get_legend().get_texts():
    ...     print(text.get_text())
    AURC 0.062
    confidence ≥ 0.7: 75.0 % answered,
    0.0 % of them wrong
    >>> plt.close(display.figure_)
    """

    figsize = (5.4, 4.2)
    """Width and height in inches of a figure that suits it."""

    def __init__(
        self,
        coverage: FloatArray,
        risk: FloatArray,
        thresholds: FloatArray,
        *,
        n_recordings: int,
        threshold: float | None = None,
        name: str | None = None,
    ) -> None:
        self.coverage = coverage
        self.risk = risk
        self.thresholds = thresholds
        self.n_recordings = n_recordings
        self.threshold = threshold
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        y_true: Column,
        y_pred: Column,
        confidence: ArrayLike,
        *,
        threshold: float | None = None,
        weights: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the errors of answers whose truth is known.

        Parameters
        ----------
        y_true : array-like of shape (n_recordings,)
            Labels; recordings without one do not count.
        y_pred : array-like of shape (n_recordings,)
            Predicted labels; a missing one is wrong.
        confidence : array-like of shape (n_recordings,)
            How sure each answer is, on any scale: the higher, the surer. For example the
            probability of the likeliest class.
        threshold : float or None, default=None
            Confidence from which on an answer is given; marks the point.
        weights : array-like of shape (n_recordings,) or None, default=None
            How much each recording counts; None for all alike. See `sfmforensics.evidence.assess`.
        name : str or None, default=None
            What was measured, in the legend.
        [ax]

        Raises
        ------
        TargetError
            No label is known, or one side is text and the other is not.
        ParameterError
            The lengths differ, a confidence is not a number, or none reaches the threshold.
        """
        if not len(y_true) == len(y_pred) == np.size(confidence):
            raise ParameterError(
                f"there are {len(y_true)} labels, {len(y_pred)} predictions and "
                f"{np.size(confidence)} confidences; give one of each for each recording"
            )
        true, predicted = known_labels(y_true, y_pred)
        if not len(true):
            raise TargetError("no label of the recordings is known; give those whose label is")
        known = pd.Series(y_true).notna().to_numpy()
        if weights is not None:
            check_consistent_length(weights, known)
            weights = np.asarray(weights)[known]
        # What is sure of a recording whose label is not known may be missing.
        curve = risk_coverage(true == predicted, np.asarray(confidence)[known], weights)
        return cls(*curve, n_recordings=len(true), threshold=threshold, name=name).plot(ax)

    @property
    def aurc(self) -> float:
        """Area under the curve, 0 to 1."""
        return area_under_risk(self.coverage, self.risk)

    @property
    def point(self) -> tuple[float, float] | None:
        """Coverage and risk at the threshold, 0 to 1; None without one.

        Raises
        ------
        ParameterError
            No confidence reaches the threshold.
        """
        if self.threshold is None:
            return None
        n_reached = int((self.thresholds >= self.threshold).sum())
        if not n_reached:
            raise ParameterError(
                f"no confidence reaches the threshold {shown(self.threshold)}; choose at most "
                f"{self.thresholds.max():g}"
            )
        return float(self.coverage[n_reached - 1]), float(self.risk[n_reached - 1])

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure of pyplot's. On those of another
            `RiskCoverageDisplay` both are compared.

        Returns
        -------
        RiskCoverageDisplay

        Raises
        ------
        ParameterError
            No confidence reaches the threshold.
        """
        point = self.point
        ax = own_axes(ax, self.figsize)
        style = next_style(ax, RISK_CURVE)
        label = f"AURC {self.aurc:.3f}"
        label = label if self.name is None else f"{figure_text(self.name)}: {label}"
        (self.line_,) = ax.plot(
            100 * np.append(0, self.coverage),
            100 * np.append(self.risk[0], self.risk),
            drawstyle="steps-pre",
            label=label,
            **style,
        )
        if point is not None:
            share, error = (100 * part for part in point)
            text = f"{share:.1f} % answered,\n{error:.1f} % of them wrong"
            label = f"confidence ≥ {self.threshold:g}: {text}"
            ax.plot(
                share, error, "o", color=style["color"], markeredgecolor="black", ms=7, label=label
            )
        curves = [line for line in ax.lines if line.get_gid() == RISK_CURVE]
        highest = max(1.0, *(np.asarray(line.get_ydata()).max() for line in curves))
        ax.set(xlim=(0, 101), ylim=(-0.02 * highest, 1.05 * highest))
        ax.set(xlabel="recordings that are answered (%)", ylabel="errors among the answers (%)")
        ax.set_title(f"inconclusive below a confidence (n = {self.n_recordings:,})")
        ax.legend(**LEGEND)
        return self._drawn(ax)
