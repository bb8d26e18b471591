"""Likelihood ratios as evidence: how strong they are, and how often they mislead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.exceptions import ParameterError
from sfmforensics.report.displays._axes import (
    BLUE,
    GREEN,
    VERMILLION,
    Display,
    heading_of,
    own_axes,
)
from sfmforensics.report.displays._trials import (
    DIFFERENT,
    SAME,
    checked_trials,
    checked_weights,
    finite_span,
)

if TYPE_CHECKING:
    from typing import Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from sfmforensics._types import BoolArray, FloatArray


class TippettDisplay(Display):
    """Tippett plot: share of the comparisons whose likelihood ratio is at least so high.

    Use `from_predictions` to make one.

    Parameters
    ----------
    log10_lr : ndarray of shape (n_trials,)
        Logarithm to base 10 of each likelihood ratio; may be infinite.
    same : ndarray of shape (n_trials,), bool
        Whether both sides are one speaker. There are trials of both kinds.
    weights : ndarray of shape (n_trials,) or None, default=None
        How much each trial counts within its kind; None for all alike.
    bounds : (float, float) or None, default=None
        Lowest and highest log10 LR that the system reports.
    case : float or None, default=None
        The log10 LR of a comparison whose truth is not known.
    name : str or None, default=None
        What was measured, in the title.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    The curves have a step at every trial. A ratio of exactly 1 misleads nobody. Infinite ratios
    lie beyond the axis: a curve that does not start at 100 % or end at 0 % has some, and the
    legend counts them. With weights the curves and the title tell shares of the weight; the legend
    counts comparisons still.

    References
    ----------
    .. [1] Evett, I. W., Buckleton, J. S. Statistical analysis of STR data. Advances in Forensic
       Haemogenetics 6 (1996), 79-86.
    .. [2] Meuwly, D., Drygajlo, A. Forensic speaker recognition based on a Bayesian framework and
       Gaussian mixture modelling. Odyssey 2001, 145-150.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> same = [True, True, True, True, False, False]
    >>> display = TippettDisplay.from_predictions([2, 1, 1, -0.5, 0.3, -2], same, name="TANGO")
    >>> print(display.ax_.get_title())
    TANGO
    misleading: 25.0 % of same, 50.0 % of different
    >>> plt.close(display.figure_)
    """

    figsize = (5.4, 4.2)
    """Width and height in inches of a figure that suits it."""

    def __init__(
        self,
        log10_lr: FloatArray,
        same: BoolArray,
        *,
        weights: FloatArray | None = None,
        bounds: tuple[float, float] | None = None,
        case: float | None = None,
        name: str | None = None,
    ) -> None:
        self.log10_lr = log10_lr
        self.same = same
        self.weights = weights
        self.bounds = bounds
        self.case = case
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        log10_lr: ArrayLike,
        same: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        name: str | None = None,
        bounds: tuple[float, float] | None = None,
        case: float | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw likelihood ratios of comparisons whose truth is known.

        Parameters
        ----------
        log10_lr : array-like of shape (n_trials,)
            Logarithm to base 10 of each likelihood ratio; may be infinite.
        same : array-like of shape (n_trials,), bool
            Whether both sides are one speaker.
        weights : array-like of shape (n_trials,) or None, default=None
            How much each trial counts within its kind, such as `Trials.weights`, by which no
            speaker counts more than another; None for all alike.
        name : str or None, default=None
            What was measured, in the title.
        bounds : (float, float) or None, default=None
            Lowest and highest log10 LR that the system reports; drawn as lines.
        case : float or None, default=None
            The log10 LR of a comparison whose truth is not known; drawn as a line.
        [ax]

        Raises
        ------
        ParameterError
            The lengths differ, something is not a number, a weight is negative or infinite, a kind
            has no weight, the bounds are not two rising ones, or the case is not finite.
        ReportError
            All trials are of one kind.
        """
        values, kinds = checked_trials(log10_lr, same)
        counted = None if weights is None else checked_weights(weights, kinds)
        if case is not None and not np.isfinite(case):
            raise ParameterError(f"case is {case}; give the log10 LR of a comparison")
        if bounds is not None:
            low, high = bounds
            if not -np.inf < low < high < np.inf:
                raise ParameterError(
                    f"bounds are ({low}, {high}); give the lowest and the highest log10 LR, which "
                    "is more"
                )
        drawn = cls(values, kinds, weights=counted, bounds=bounds, case=case, name=name)
        return drawn.plot(ax)

    @property
    def misleading(self) -> tuple[float, float]:
        """Shares, 0 to 1: of the same speaker with LR < 1, of different ones with LR > 1."""
        return (
            float(np.average(self.log10_lr[self.same] < 0, weights=self._counted(self.same))),
            float(np.average(self.log10_lr[~self.same] > 0, weights=self._counted(~self.same))),
        )

    def _counted(self, kind: BoolArray) -> FloatArray | None:
        return None if self.weights is None else self.weights[kind]

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw it."""
        ax = own_axes(ax, self.figsize)
        marks = [0.0, *(self.bounds or ()), *([] if self.case is None else [self.case])]
        low, high = finite_span(np.append(self.log10_lr, marks))
        styles = ((self.same, SAME, BLUE, "-"), (~self.same, DIFFERENT, VERMILLION, "--"))
        for kind, label, colour, line in styles:
            values = self.log10_lr[kind]
            n_infinite = int(np.isinf(values).sum())
            label = f"{label} (n = {len(values):,}{f'; {n_infinite:,} ∞' if n_infinite else ''})"
            x, share = share_at_least(values, self._counted(kind))
            ax.plot(
                np.append(low, np.minimum(x, high)),
                100 * np.append(share[0], share),
                drawstyle="steps-pre",
                color=colour,
                linestyle=line,
                label=label,
            )
        ax.axvline(0, color="black", linewidth=1)
        if self.bounds is not None:
            label = "bounds ({:.2f}, {:.2f})".format(*self.bounds).replace("-", "\N{MINUS SIGN}")
            for bound in self.bounds:
                ax.axvline(bound, color="0.4", linewidth=1, linestyle=":", label=label)
                label = "_"  # once is enough
        if self.case is not None:
            label = f"this case ({self.case:.2f})".replace("-", "\N{MINUS SIGN}")
            ax.axvline(self.case, color=GREEN, linewidth=2.5, linestyle="-.", label=label)
        shares = "misleading: {:.1f} % of same, {:.1f} % of different".format(
            *(100 * share for share in self.misleading)
        )
        ax.set_title("\n".join(filter(None, [heading_of(self.name), shares])))
        ax.set(xlim=(low, high), ylim=(-2, 102), xlabel="log10 LR")
        ax.set_ylabel("comparisons with at least that LR (%)")
        # Curves of this form leave no corner free; below are ticks and a label (in font sizes).
        ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            borderaxespad=5,
            ncols=2,
            edgecolor="none",
            fontsize=8,
        )
        return self._drawn(ax)


def share_at_least(
    values: FloatArray, weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Share of the values that are at least so high, at each of them.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Without NaN.
    weights : ndarray of shape (n_values,) or None, default=None
        How much each counts; None for all alike.

    Returns
    -------
    x : ndarray of shape (n_finite + 1,)
        Finite values, rising, each once, and infinity.
    share : ndarray of shape (n_finite + 1,)
        0 to 1; the last is the share of infinite ones.

    Examples
    --------
    >>> share_at_least(np.array([2.0, 1.0, 1.0, -np.inf]))
    (array([ 1.,  2., inf]), array([0.75, 0.25, 0.  ]))
    >>> share_at_least(np.array([2.0, 1.0]), np.array([3.0, 1.0]))
    (array([ 1.,  2., inf]), array([1.  , 0.75, 0.  ]))
    """
    x = np.append(np.unique(values[np.isfinite(values)]), np.inf)
    order = np.argsort(values, kind="stable")
    lower = np.searchsorted(values[order], x, side="left")
    if weights is None:
        return x, 1 - lower / len(values)
    # Summed from the top, so that above the highest nothing is left, not a rounding error.
    above = np.append(np.cumsum(weights[order][::-1])[::-1], 0.0)
    return x, above[lower] / above[0]
