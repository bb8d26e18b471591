"""Which answers are explained, and as which numbers: odds of classes, numbers in their unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax

from sfmforensics.exceptions import TargetError, shown
from sfmforensics.targets import CLASSIFICATION

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from typing import Any

    from sfmforensics._types import Array, FloatArray
    from sfmforensics.nn.attribution import Measure
    from sfmforensics.targets import TargetCodec


def labels_asked(codec: TargetCodec, classes: Mapping[Any, Hashable]) -> dict[int, int]:
    """By place of the task, the place of the label that is asked for."""
    labels = dict(_classes(codec))
    found = {}
    for name, label in classes.items():
        if name not in codec.names_:
            known = ", ".join(map(str, codec.names_))
            raise TargetError(f"classes names {shown(name)}, but the model's tasks are {known}")
        place = codec.names_.index(name)
        if place not in labels:
            raise TargetError(f"classes names {shown(name)}, which is a number; leave it out")
        same = np.flatnonzero([label == one for one in labels[place]])
        if not len(same):
            some = ", ".join(map(repr, labels[place][:5].tolist()))
            raise TargetError(
                f"classes asks for {shown(label)} of {shown(name)}, which the model did not learn; "
                f"it knows {len(labels[place])}: {some}{', ...' if len(labels[place]) > 5 else ''}"
            )
        found[place] = int(same[0])
    return found


def _classes(codec: TargetCodec) -> list[tuple[int, Array]]:
    places = [place for place, kind in enumerate(codec.kinds_) if kind == CLASSIFICATION]
    return list(zip(places, codec.classes_, strict=True))


def measure_of(codec: TargetCodec, place: int, code: float) -> Measure:
    """Make the function from a task's outputs (rows, outputs) to the numbers that are explained.

    `code` is the place of the class that is explained; for a number it is not used.
    """
    if codec.kinds_[place] == CLASSIFICATION:
        return _LogOdds(int(code))
    points = codec.points_[place]
    scale, center = float(codec.scale_[place]), float(codec.center_[place])

    def number(outputs: torch.Tensor) -> torch.Tensor:
        outputs = outputs.double()
        if points is None:
            return outputs[:, 0] * scale + center
        return outputs.softmax(dim=1) @ torch.from_numpy(points).double() * scale + center

    return number


class _LogOdds:
    """Log10 odds of one class, exact however sure the model is: log10(p / (1 - p))."""

    def __init__(self, code: int) -> None:
        self.code = code

    def __call__(self, outputs: torch.Tensor) -> torch.Tensor:
        outputs = outputs.double()
        others = [column for column in range(outputs.shape[1]) if column != self.code]
        if not others:  # a single class has no odds
            return outputs[:, 0] * 0
        odds = outputs[:, self.code] - outputs[:, others].logsumexp(dim=1)
        return odds / math.log(10)


def answers_of(
    codec: TargetCodec, codes: Array, full: FloatArray, form: Mapping[str, Any]
) -> pd.DataFrame:
    """Labels that are explained, and numbers: one column a task."""
    labels = dict(_classes(codec))
    columns: list[Any] = [
        labels[place][codes[:, place].astype(int)] if place in labels else full[:, place]
        for place in range(codes.shape[1])
    ]
    return _frame(columns, form)


def probabilities_of(
    codec: TargetCodec, codes: Array, outputs: Sequence[FloatArray], form: Mapping[str, Any]
) -> pd.DataFrame:
    """Probabilities of those labels; NaN for numbers."""
    rows = np.arange(len(codes))
    columns = [
        softmax(output, axis=1)[rows, codes[:, place].astype(int)]
        if kind == CLASSIFICATION
        else np.full(len(codes), np.nan)
        for place, (kind, output) in enumerate(zip(codec.kinds_, outputs, strict=True))
    ]
    return _frame(columns, form)


def _frame(columns: Sequence[Any], form: Mapping[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(dict(enumerate(columns)), index=form["index"])
    return frame.set_axis(form["columns"], axis=1)
