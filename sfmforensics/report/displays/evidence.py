"""Likelihood ratios as evidence: how strong they are, and how often they mislead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.exceptions import ParameterError
from sfmforensics.report.displays._axes import BLUE, VERMILLION, heading_of, own_axes
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


class TippettDisplay:
    """Tippett plot: share of the comparisons whose likelihood ratio is at least so high.

    Use `from_predictions` to make one.

    Parameters
    ----------
    log10_lr : ndarray of shape (n_trials,)
        Logarithm to base 10 of each likelihood ratio; may be infinite.
    same : ndarray of shape (n_trials,), bool
        Whether both sides are one speaker. There are trials of both kinds.
    bounds : (float, float) or None, default=None
        Lowest and highest log10 LR that the system reports.
    weights : ndarray of shape (n_trials,) or None, default=None
        How much each trial counts.
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
    legend counts them.

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
        bounds: tuple[float, float] | None = None,
        weights: FloatArray | None = None,
        name: str | None = None,
    ) -> None:
        self.log10_lr = log10_lr
        self.same = same
        self.bounds = bounds
        self.weights = checked_weights(weights, same)
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
            How much each trial counts; None for all alike. See `sfmforensics.evidence.assess`.
        name : str or None, default=None
            What was measured, in the title.
        bounds : (float, float) or None, default=None
            Lowest and highest log10 LR that the system reports; drawn as lines.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure of pyplot's.

        Returns
        -------
        TippettDisplay

        Raises
        ------
        ParameterError
            The lengths differ, something is not a number, or the bounds are not two rising ones.
        ReportError
            All trials are of one kind.
        """
        values, kinds = checked_trials(log10_lr, same)
        if bounds is not None:
            low, high = bounds
            if not -np.inf < low < high < np.inf:
                raise ParameterError(
                    f"bounds are ({low}, {high}); give the lowest and the highest log10 LR, which "
                    "is more"
                )
        told = checked_weights(weights, kinds)
        return cls(values, kinds, bounds=bounds, weights=told, name=name).plot(ax)

    @property
    def misleading(self) -> tuple[float, float]:
        """Shares, 0 to 1: of the same speaker with LR < 1, of different ones with LR > 1."""
        misleads = np.where(self.same, self.log10_lr < 0, self.log10_lr > 0)
        same, different = (
            float(np.average(misleads[kind], weights=self.weights[kind]))
            for kind in (self.same, ~self.same)
        )
        return same, different

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure of pyplot's.

        Returns
        -------
        TippettDisplay
        """
        ax = own_axes(ax, self.figsize)
        marks = [0.0, *(self.bounds or ())]
        low, high = finite_span(np.append(self.log10_lr, marks))
        styles = ((self.same, SAME, BLUE, "-"), (~self.same, DIFFERENT, VERMILLION, "--"))
        for kind, label, colour, line in styles:
            values = self.log10_lr[kind]
            n_infinite = int(np.isinf(values).sum())
            label = f"{label} (n = {len(values):,}{f'; {n_infinite:,} ∞' if n_infinite else ''})"
            x, share = share_at_least(values, self.weights[kind])
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
        shares = "misleading: {:.1f} % of same, {:.1f} % of different".format(
            *(100 * share for share in self.misleading)
        )
        ax.set_title("\n".join(filter(None, [heading_of(self.name), shares])))
        ax.set(xlim=(low, high), ylim=(-2, 102), xlabel="log10 LR")
        ax.set_ylabel("comparisons with at least that LR (%)")
        ax.grid(color="0.9")
        ax.set_axisbelow(True)
        # Few ratios are so low: both curves are high above that corner.
        ax.legend(loc="lower left", framealpha=0.85, edgecolor="none", fontsize=8)
        self.ax_, self.figure_ = ax, ax.figure
        return self


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
    """
    x = np.append(np.unique(values[np.isfinite(values)]), np.inf)
    order = np.argsort(values, kind="stable")
    weights = np.ones(len(values)) if weights is None else weights
    below = np.append(0.0, np.cumsum(weights[order]))
    return x, 1 - below[np.searchsorted(values[order], x, side="left")] / below[-1]
