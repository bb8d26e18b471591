"""Both errors of a threshold, at all thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import NullLocator
from scipy.special import ndtr, ndtri

from sfmforensics.metrics import detection_errors, equal_error_rate
from sfmforensics.report._wording import figure_text
from sfmforensics.report.displays._axes import LEGEND, Display, next_style, own_axes
from sfmforensics.report.displays.evidence import checked_trials, checked_weights

if TYPE_CHECKING:
    from typing import Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from sfmforensics._types import FloatArray

TICKS = (0.001, 0.01, 0.1, 0.5, 2, 5, 10, 20, 40, 60, 80, 90, 95, 98)  # %
FINEST = 0.001  # %
COARSEST = 2.0  # %
GID = "det"


class DETDisplay(Display):
    """Detection error tradeoff (DET): misses against false acceptances, on normal deviates.

    Use `from_predictions` to make one. Drawn again on the axes of another, it is compared with it.

    Parameters
    ----------
    false_acceptances, misses : ndarray of shape (n_thresholds,)
        Shares, 0 to 1, by falling threshold, as `detection_errors` gives them.
    eer : float
        Equal error rate, 0 to 1.
    n_same, n_different : int
        Trials of one speaker, and of two.
    name : str or None, default=None
        What was measured, in the legend.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    line_ : matplotlib.lines.Line2D

    Notes
    -----
    Scores of two normal distributions make a straight line. It has a step at every trial; where
    equal scores of both kinds are accepted together, the rates between are on a straight line in
    percent, as for the equal error rate, which is bent here. An axis of normal deviates has no
    zero: it ends at half a trial of the more frequent kind, and errors that do not occur are drawn
    there. scikit-learn's `DetCurveDisplay` joins the thresholds by straight lines, ends at 0.1 %
    and takes no infinite scores.

    References
    ----------
    .. [1] Martin, A., Doddington, G., Kamm, T., Ordowski, M., Przybocki, M. The DET curve in
       assessment of detection task performance. Eurospeech 1997, 1895-1898.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> scores, same = [4, 3, 2, 1, 0, -1], [True, True, False, True, False, False]
    >>> display = DETDisplay.from_predictions(scores, same, name="TANGO")
    >>> display.ax_.get_legend().get_texts()[0].get_text()
    'TANGO: EER 33.3 %'
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('false acceptances (%)', 'misses (%)')
    >>> plt.close(display.figure_)
    """

    figsize = (4.8, 5.0)
    """Width and height in inches of a figure that suits it."""

    def __init__(
        self,
        false_acceptances: FloatArray,
        misses: FloatArray,
        *,
        eer: float,
        n_same: int,
        n_different: int,
        name: str | None = None,
    ) -> None:
        self.false_acceptances = false_acceptances
        self.misses = misses
        self.eer = eer
        self.n_same = n_same
        self.n_different = n_different
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        scores: ArrayLike,
        same: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw both errors of scores whose truth is known.

        Parameters
        ----------
        scores : array-like of shape (n_trials,)
            The higher, the more alike; likelihood ratios or their logarithms will do.
        [trials]
        name : str or None, default=None
            What was measured, in the legend.
        [ax]

        Raises
        ------
        ParameterError
            The lengths differ, or something is not a number.
        ReportError
            All trials are of one kind.
        """
        values, kinds = checked_trials(scores, same)
        sample_weight = None if weights is None else checked_weights(weights, kinds)
        _, false, missed = detection_errors(values, kinds, sample_weight)
        eer = float(equal_error_rate(values, kinds, sample_weight))
        n_same = int(kinds.sum())
        counts = {"n_same": n_same, "n_different": len(kinds) - n_same}
        return cls(false, missed, eer=eer, **counts, name=name).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure of pyplot's. On those of another `DETDisplay` both
            are compared: the axes reach as low as those of the first.

        Returns
        -------
        DETDisplay
        """
        ax = own_axes(ax, self.figsize)
        style = next_style(ax, GID)
        another = any(line.get_gid() == GID for line in ax.lines)
        numbers = (self.n_same, self.n_different)
        high = 98.0 if self.eer > 0.2 or min(numbers) < 10 else 60.0
        if another:
            floor, high = _floor_of(ax), max(high, ax.get_xlim()[1])
        else:
            floor = float(np.clip(50 / max(numbers), FINEST, COARSEST))
        _scale(ax, floor, high)
        rates = _densified(np.column_stack([self.false_acceptances, self.misses]))
        label = f"EER {100 * self.eer:.1f} %"
        label = label if self.name is None else f"{figure_text(self.name)}: {label}"
        drawn = np.clip(100 * rates, floor, 100)
        (self.line_,) = ax.plot(*drawn.T, **style, label=label)
        point = max(100 * self.eer, floor)
        ax.plot(point, point, "o", color=style["color"], markersize=6, markeredgecolor="white")
        title = f"trials: {self.n_same:,} same, {self.n_different:,} different"
        ax.set_title(title if not another or title == ax.get_title() else "of different trials")
        if not another:
            diagonal = [floor, 100]
            ax.plot(diagonal, diagonal, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
            ax.set(xlabel="false acceptances (%)", ylabel="misses (%)", aspect="equal")
            ax.grid(color="0.9")
            ax.set_axisbelow(True)
        ax.legend(loc="upper right", **LEGEND)
        return self._drawn(ax, grid=False)


def _scale(ax: Axes, floor: float, high: float) -> None:
    """Make both axes normal deviates of percent; `floor` stands for 0 and lies above their end."""
    low = 100 * ndtr(_deviate(floor) - 0.08)
    ticks = [floor, *(tick for tick in TICKS if 1.6 * floor < tick <= high)]
    labels = ["0", *(f"{tick:g}" for tick in ticks[1:])]
    functions = (_deviate, lambda z: 100 * ndtr(z))
    ax.set_xscale("function", functions=functions)
    ax.set_yscale("function", functions=functions)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(ticks, labels)
        axis.set_minor_locator(NullLocator())
    ax.set(xlim=(low, high), ylim=(low, high))


def _floor_of(ax: Axes) -> float:
    return float(ax.get_xticks()[0])


def _deviate(percent: ArrayLike) -> FloatArray:
    # Beyond the axes anything finite will do.
    return ndtri(np.clip(np.asarray(percent, dtype=np.float64) / 100, 1e-12, 1 - 1e-12))


def _densified(rates: FloatArray, n_between: int = 20) -> FloatArray:
    """Put points between two thresholds where both rates change; shape (n, 2)."""
    both = (np.diff(rates, axis=0) != 0).all(axis=1)
    steps = np.linspace(0, 1, n_between, endpoint=False)[:, None]
    parts = [
        start + steps * (end - start) if bent else start[None]
        for start, end, bent in zip(rates[:-1], rates[1:], both, strict=True)
    ]
    return np.concatenate([*parts, rates[-1:]])
