"""What a `LikelihoodRatio` keeps: scorers, and the recordings that calibrate."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.evidence._calibration import BOUNDS, CALIBRATIONS, Calibration, calibrate
from sfmforensics.evidence._comparison import Measures
from sfmforensics.evidence._pair_scorer import PairwiseLogistic
from sfmforensics.evidence._people import NO_PEOPLE
from sfmforensics.evidence._scorers import PLDA, CosineScorer
from sfmforensics.evidence._trials import copy_numbers, pooled_trials, trial_weights
from sfmforensics.exceptions import ModelFileError, ParameterError, TargetError
from sfmforensics.metrics import Trials, cllr, cllr_min, equal_error_rate

if TYPE_CHECKING:
    from typing import Any, Self

    from sfmforensics._types import Column, FloatArray, IntArray

MOST_KNOWN = 10
"""Known recordings of one speaker up to which a model that holds no people is calibrated."""

SCORES = {"plda": PLDA, "cosine": CosineScorer, "logistic": PairwiseLogistic}


class CalibratedScores:
    """Scorers, each with recordings that it has not seen, and what these say of its scores."""

    scorer: Any
    calibration: str
    bounds: str | None
    random_state: int
    scorer_: Any
    n_features_in_: int
    n_speakers_: int
    _voices: IntArray
    _copies: IntArray
    _parts: list[tuple[Any, IntArray, FloatArray]]
    _one_space: bool
    _told: dict[int, Measures] | None = None
    _calibrations: dict[int, Calibration]

    def new_scorer(self) -> Any:
        """Give the scorer that the parameters name, not yet fitted, or the one that they hold."""
        self._check_parameters()
        return SCORES[self.scorer]() if isinstance(self.scorer, str) else self.scorer

    def fit_parts(
        self,
        scorer: Any,
        parts: list[tuple[Any, IntArray, FloatArray]],
        voices: IntArray,
        copies: Column | None = None,
    ) -> Self:
        """Calibrate by several scorers, each on speakers that it has not seen.

        Parameters
        ----------
        scorer : estimator
            Fitted: what compares from now on.
        parts : list of (scorer, rows, projected)
            Fitted scorers, the recordings that each has not seen, and what its `project` makes of
            them. Recordings of different parts are not compared: each may come from a model of its
            own, and vectors of one say nothing in another.
        voices : ndarray of shape (n_recordings,), int
            Who speaks.
        copies : array-like of shape (n_recordings,) or None, default=None
            As for `fit`.

        Returns
        -------
        self
        """
        self._check_parameters()
        numbers = copy_numbers(copies, len(voices))
        return self._keep(scorer, voices, numbers, parts, one_space=len(parts) == 1)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a pickled state; limits of 0.1.0, which were too wide, are found anew when asked."""
        super().__setstate__(state)  # type: ignore[misc]  # BaseEstimator's
        if "_calibrations" in state and "_told" not in state:
            self._calibrations = {}

    def _projected(self, scorer: Any, X: FloatArray) -> FloatArray:
        """Project what was checked, under its columns' names where the scorer knows names."""
        names = getattr(self, "feature_names_in_", None)
        if names is not None and hasattr(scorer, "feature_names_in_"):
            return np.asarray(scorer.project(pd.DataFrame(X, columns=names)))
        return np.asarray(scorer.project(X))

    def _keep(
        self,
        scorer: Any,
        voices: IntArray,
        copies: IntArray,
        parts: list[tuple[Any, IntArray, FloatArray]],
        *,
        one_space: bool = True,
    ) -> Self:
        # Whether the vectors of all parts come from one model, that of `scorer`.
        self._one_space, self._told = one_space, None
        self.scorer_, self.n_features_in_ = scorer, scorer.n_features_in_
        self._voices, self._copies, self._parts = voices, copies, parts
        used = np.concatenate([rows for _, rows, _ in parts])
        self.n_speakers_ = len(np.unique(voices[used]))
        self._calibrations = {}
        self._calibrated(1)
        return self

    @property
    def bounds_(self) -> tuple[float, float]:
        """Bounds of `log10_lr` for one known recording."""
        calibration = self._calibrated(1)
        return calibration.lower, calibration.upper

    @property
    def calibration_trials_(self) -> Trials:
        """Comparisons that calibrate, by the rows that were given.

        Their scores are logarithms to base 10 of the ratios.
        """
        return self._weighed(1)

    def _weighed(self, n_known: int) -> Trials:
        """Give the comparisons that calibrated, with logarithms of ratios and weights."""
        if self._told is not None:
            raise ModelFileError(
                f"{NO_PEOPLE}, nor the comparisons of them that calibrated it; look at those of "
                "the model that does"
            )
        calibration = self._calibrated(n_known)
        found = calibration.trials
        weights = trial_weights(self._voices[found.first], self._voices[found.second])
        ratios = calibration(found.scores)
        return Trials(ratios, found.same, found.first, found.second, weights)

    def _measures(self, n_known: int) -> Measures:
        """Measure the comparisons that calibrated, each speaker and each pair counting alike."""
        if self._told is not None:
            return self._told[n_known]
        calibration, trials = self._calibrated(n_known), self._weighed(n_known)
        truth: Any = (trials.same, trials.weights)
        scores = calibration.trials.scores  # without bounds, beyond which all are alike
        return Measures(
            n_same=int(trials.same.sum()),
            n_different=int((~trials.same).sum()),
            cllr=cllr(trials.scores, *truth),
            cllr_min=cllr_min(scores, *truth),
            eer=float(equal_error_rate(scores, *truth)),
        )

    def _without_people(self) -> Self:
        """Give the same without voices: with what they calibrated for up to some recordings."""
        reduced = copy(self)
        calibrations, told = {}, {}
        for n_known in range(1, MOST_KNOWN + 1):
            try:
                calibrations[n_known] = self._calibrated(n_known)
            except TargetError:
                break
            told[n_known] = self._measures(n_known)
        reduced._forget(calibrations, told)
        return reduced

    def _forget(self, calibrations: dict[int, Calibration], told: dict[int, Measures]) -> None:
        """Keep calibrations and measures in the place of voices."""
        nothing = np.empty(0, dtype=int)
        self._voices, self._copies, self._parts = nothing, nothing, []
        self._calibrations = {
            n_known: replace(one, trials=no_trials()) for n_known, one in calibrations.items()
        }
        self._told = told

    def _calibrated(self, n_known: int) -> Calibration:
        if n_known not in self._calibrations:
            self._calibrations[n_known] = self._calibrate(n_known)
        return self._calibrations[n_known]

    def _calibrate(self, n_known: int) -> Calibration:
        if self._told is not None:
            raise TargetError(
                f"{NO_PEOPLE}, and was calibrated for up to {max(self._told)} known recordings of "
                f"one speaker; give no more, or use the model that holds people, for {n_known}"
            )
        trials = pooled_trials(self._parts, self._voices, self._copies, n_known, self.random_state)
        if not trials.same.any() or trials.same.all():
            kind = "of one speaker" if not trials.same.any() else "of two speakers"
            raise TargetError(
                f"the calibration data hold no comparison {kind} with {n_known} known "
                f"recording{'s' if n_known > 1 else ''}; give fewer known recordings, or calibrate "
                "with more recordings of each speaker"
            )
        return calibrate(trials, self._voices, self.calibration, self.bounds)

    def _check_parameters(self) -> None:
        for name, known in (("calibration", CALIBRATIONS), ("bounds", (*BOUNDS, None))):
            if getattr(self, name) not in known:
                raise ParameterError(f"{name} is {getattr(self, name)!r}; use one of {known}")
        is_scorer = hasattr(self.scorer, "project") and hasattr(self.scorer, "match")
        if not is_scorer and self.scorer not in list(SCORES):
            raise ParameterError(
                f"scorer is {self.scorer!r}; use one of {list(SCORES)}, or an estimator such as "
                "PLDA(50)"
            )


def no_trials() -> Trials:
    """Give the comparisons of nobody."""
    nothing = np.empty(0, dtype=int)
    return Trials(np.empty(0), np.empty(0, dtype=bool), nothing, nothing)
