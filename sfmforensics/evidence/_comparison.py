"""What one comparison of a questioned recording with a known speaker says."""

from __future__ import annotations

from dataclasses import dataclass

from sfmforensics.evidence._verbal import verbal_scale


@dataclass(frozen=True)
class Measures:
    """How well the comparisons that calibrated were told apart.

    Parameters
    ----------
    n_same, n_different, cllr, cllr_min, eer
        As in `Comparison`.
    """

    n_same: int
    n_different: int
    cllr: float
    cllr_min: float
    eer: float


@dataclass(frozen=True)
class Comparison:
    """One comparison, and what it rests on.

    Parameters
    ----------
    log10_lr : float
        Logarithm to base 10 of the likelihood ratio, within bounds.
    unbounded : float
        The same without: an extrapolation where it lies beyond a bound.
    lower, upper : float
        Bounds of the logarithm that the calibration data support.
    score : float
        What was calibrated.
    n_known : int
        Known recordings.
    n_speakers : int
        Voices that calibrated.
    n_same, n_different : int
        Comparisons of one and of two speakers among these.
    cllr : float
        Of the bounded ratios of the comparisons that calibrated: flattering.
    cllr_min, eer : float
        Of their scores: what no calibration and no bounds could better.
    """

    log10_lr: float
    unbounded: float
    lower: float
    upper: float
    score: float
    n_known: int
    n_speakers: int
    n_same: int
    n_different: int
    cllr: float
    cllr_min: float
    eer: float

    @property
    def at_bound(self) -> bool:
        """Whether the ratio is one of the bounds, and the findings would have been beyond."""
        return not self.lower < self.unbounded < self.upper

    @property
    def verbal(self) -> str:
        """The ratio in words, see `verbal_scale`."""
        return verbal_scale(self.log10_lr)
