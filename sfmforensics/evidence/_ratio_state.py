"""What a `LikelihoodRatio` keeps: scorers, and the recordings that calibrate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.evidence._calibration import BOUNDS, CALIBRATIONS, Calibration, calibrate
from sfmforensics.evidence._pair_scorer import PairwiseLogistic
from sfmforensics.evidence._scorers import PLDA, CosineScorer
from sfmforensics.evidence._trials import copy_numbers, pooled_trials, trial_weights
from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.metrics import Trials

if TYPE_CHECKING:
    from typing import Any, Self

    from sfmforensics._types import Column, FloatArray, IntArray

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
        self._one_space = one_space
        self.scorer_, self.n_features_in_ = scorer, scorer.n_features_in_
        self._voices, self._copies, self._parts = voices, copies, parts
        used = np.concatenate([rows for _, rows, _ in parts])
        self.n_speakers_ = len(np.unique(voices[used]))
        self._calibrations: dict[int, Calibration] = {}
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
        calibration = self._calibrated(n_known)
        found = calibration.trials
        weights = trial_weights(self._voices[found.first], self._voices[found.second])
        ratios = calibration(found.scores)
        return Trials(ratios, found.same, found.first, found.second, weights)

    def _calibrated(self, n_known: int) -> Calibration:
        if n_known not in self._calibrations:
            self._calibrations[n_known] = self._calibrate(n_known)
        return self._calibrations[n_known]

    def _calibrate(self, n_known: int) -> Calibration:
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
