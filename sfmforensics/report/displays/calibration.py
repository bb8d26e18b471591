"""Whether a model that says 80 % is right 8 times out of 10."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.exceptions import ParameterError, TargetError, shown
from sfmforensics.metrics import calibration_bins
from sfmforensics.metrics._calibration import error_of_bins
from sfmforensics.report._wording import figure_text
from sfmforensics.report.displays._axes import LEGEND, MARKERS, heading_of, next_style, own_panels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from sfmforensics._types import Column
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
