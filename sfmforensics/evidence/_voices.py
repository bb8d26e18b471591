"""Voices compared by a model that was calibrated for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from sfmforensics.evidence._likelihood_ratio import LikelihoodRatio
from sfmforensics.evidence._open_set import OpenSetIdentifier
from sfmforensics.exceptions import TargetError

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics._types import (
        Array,
        Column,
        FloatArray,
        IntArray,
        Matrix,
        Recordings,
        Split,
    )
    from sfmforensics.evidence._comparison import Comparison


def _taught(ratio: LikelihoodRatio, vectors: FloatArray, voices: IntArray) -> Any:
    """A scorer of its own, fitted to the recordings of which somebody says who speaks."""
    return clone(ratio.new_scorer()).fit(vectors[voices >= 0], voices[voices >= 0])


class ComparesVoices:
    """How `CalibratedModel` tells speakers apart."""

    estimator_: Any
    likelihood_ratio: LikelihoodRatio | None
    likelihood_ratio_: LikelihoodRatio | None
    n_calibration_speakers_: int
    transform: Any

    def log10_lr(
        self,
        questioned: Matrix | Recordings,
        known: Matrix | Recordings,
        known_speakers: Column | None = None,
    ) -> FloatArray:
        """Weigh the evidence that recordings are of known speakers.

        Parameters
        ----------
        questioned, known : array-like of shape (n_questioned, ...) and (n_known, ...)
            What the estimator takes.
        known_speakers : array-like of shape (n_known,) or None, default=None
            Who speaks; None takes each for a speaker of its own.

        Returns
        -------
        ndarray of shape (n_questioned, n_known_speakers)
            Logarithms to base 10 of likelihood ratios, see `LikelihoodRatio.log10_lr`.

        Raises
        ------
        TargetError
            Voices cannot be compared by this model.
        """
        ratio = self._ratio()
        return ratio.log10_lr(self.transform(questioned), self.transform(known), known_speakers)

    def compare(self, questioned: Matrix | Recordings, known: Matrix | Recordings) -> Comparison:
        """Compare one recording with those of one known speaker, for a report.

        Parameters
        ----------
        questioned : array-like of shape (1, ...)
            The recording whose speaker is in question, as the estimator takes it.
        known : array-like of shape (n_known, ...)
            Recordings of one speaker.

        Returns
        -------
        Comparison

        Raises
        ------
        TargetError
            Voices cannot be compared by this model.
        """
        ratio = self._ratio()
        return ratio.compare(self.transform(questioned), self.transform(known))

    def identify(
        self,
        X: Matrix | Recordings,
        enrolled: Matrix | Recordings,
        speakers: Column,
        *,
        false_alarm: float = 0.05,
    ) -> Array:
        """Tell which enrolled speaker recordings are of, or that they are of none of them.

        Parameters
        ----------
        X, enrolled : array-like of shape (n_recordings, ...) and (n_enrolled, ...)
            What the estimator takes.
        speakers : array-like of shape (n_enrolled,)
            Who speaks in the enrolled recordings.
        false_alarm : float, default=0.05
            How often a recording of somebody who is not enrolled may be given a name.

        Returns
        -------
        ndarray of shape (n_recordings,), object
            None for "none of them"; see `OpenSetIdentifier`.

        Raises
        ------
        TargetError
            Voices cannot be compared by this model, or it was calibrated by folds.
        """
        identifier = OpenSetIdentifier(self._ratio(), false_alarm=false_alarm)
        return identifier.fit(self.transform(enrolled), speakers).predict(self.transform(X))

    def _fit_ratio(
        self, X: Any, voices: IntArray, copies: Any, models: list[Any], sides: list[Split]
    ) -> None:
        if not hasattr(self.estimator_, "transform") or self.n_calibration_speakers_ < 4:
            return
        ratio = LikelihoodRatio() if self.likelihood_ratio is None else self.likelihood_ratio
        vectors: list[list[Any]] = [
            [model.transform(_safe_indexing(X, rows)) if len(rows) else None for rows in side]
            for model, side in zip(models, sides, strict=True)
        ]
        fitted = clone(ratio)
        if vectors[0][0] is None:
            ((_, held),) = sides
            copies = None if copies is None else copies[held]
            self.likelihood_ratio_ = fitted.fit(vectors[0][1], voices[held], copies)
            return
        # Compared by what the speakers trained with have taught, calibrated by the others.
        parts = []
        for (train, held), (told, asked) in zip(sides, vectors, strict=True):
            scorer = _taught(ratio, told, voices[train])
            parts.append((scorer, held, scorer.project(asked)))
        if len(parts) > 1:
            scorer = _taught(ratio, self.estimator_.transform(X), voices)
        self.likelihood_ratio_ = fitted.fit_parts(scorer, parts, voices, copies)

    def _ratio(self) -> LikelihoodRatio:
        check_is_fitted(self)
        if self.likelihood_ratio_ is None:
            raise TargetError(
                "voices cannot be compared by this model: it needs an estimator that gives a "
                "representation (transform), and at least four speakers to calibrate by, some "
                f"with several recordings; {self.n_calibration_speakers_} were kept back"
            )
        return self.likelihood_ratio_
