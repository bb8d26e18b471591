"""Weights of recordings, of tasks and of classes: as a user asks for them, as a loss wants them."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from sklearn.utils.validation import _check_sample_weight

from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.targets import CLASSIFICATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from numpy.typing import ArrayLike

    from sfmforensics._types import Array, ClassWeight, FloatArray
    from sfmforensics.targets import TargetCodec


def checked_weights(sample_weight: ArrayLike, X: Array) -> FloatArray:
    """Check the weights of recordings, and give them as they are."""
    weights: FloatArray = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weights < 0).any():
        row = int(np.argmin(weights))
        raise ParameterError(f"sample_weight[{row}] is {weights[row]:g}; weights are 0 or more")
    if not weights.any():
        raise ParameterError("sample_weight holds only zeros; there is nothing to learn from")
    return weights


def recording_weights(sample_weight: ArrayLike | None, X: Array) -> FloatArray | None:
    """Check the weights of recordings, and give them as parts of the largest; None if alike."""
    if sample_weight is None:
        return None
    weights = checked_weights(sample_weight, X)
    return None if (weights == weights[0]).all() else weights / weights.max()


def task_weights(loss_weights: Any, codec: TargetCodec) -> list[float]:
    """Weights of the tasks' losses."""
    names = codec.names_
    if isinstance(loss_weights, dict):
        _refuse_unknown(loss_weights, names, "loss_weights", "columns")
        loss_weights = [loss_weights.get(name, 0.33) for name in names]
    if not np.ndim(loss_weights):
        loss_weights = [loss_weights] * len(names)
    if len(loss_weights) != len(names):
        raise TargetError(f"loss_weights holds {len(loss_weights)} weights for {len(names)} tasks")
    weights = [
        _weight(weight, f"loss_weights of {name!r}")
        for name, weight in zip(names, loss_weights, strict=True)
    ]
    if not any(weights):
        raise TargetError("loss_weights holds only zeros; nothing would be learnt")
    return weights


def class_weights(
    class_weight: ClassWeight,
    codec: TargetCodec,
    encoded: Array,
    sample_weight: Array | None = None,
    dtype: torch.dtype = torch.float32,
) -> list[torch.Tensor | None]:
    """Weights of the classes of each task."""
    names, widths = codec.names_, codec.widths_
    by_task = dict.fromkeys(names, class_weight if class_weight == "balanced" else None)
    if isinstance(class_weight, dict):
        by_label = all(isinstance(weight, Real) for weight in class_weight.values())
        if codec.flat_ and by_label:
            class_weight = {names[0]: class_weight}
        _refuse_unknown(class_weight, names, "class_weight", "columns")
        by_task |= class_weight
    tensors: list[torch.Tensor | None] = []
    shares_at = codec.shares_at(encoded.shape[1])
    labels = iter(codec.classes_)
    for position, (name, kind) in enumerate(zip(names, codec.kinds_, strict=True)):
        wanted = by_task[name]
        of_task = next(labels) if kind == CLASSIFICATION else None
        if of_task is None and isinstance(class_weight, dict) and wanted is not None:
            raise TargetError(f"class_weight names {name!r}, which has numbers, not classes")
        if of_task is None or wanted is None:
            tensors.append(None)
        elif isinstance(wanted, dict):
            _refuse_unknown(wanted, list(of_task), f"class_weight of {name!r}", "labels")
            weights = [
                _weight(wanted.get(label, 1.0), f"class_weight of {name!r}, {label!r},")
                for label in of_task
            ]
            if not any(weights):
                raise TargetError(f"class_weight of {name!r} holds only zeros")
            tensors.append(torch.tensor(weights, dtype=dtype))
        elif wanted == "balanced":
            known = ~np.isnan(encoded[:, position])
            weights = None if sample_weight is None else sample_weight[known]
            if position in shares_at:  # a class counts as much as it has votes
                first = shares_at[position]
                votes = encoded[known, first : first + widths[position]].astype(np.float64)
                counts = votes.sum(axis=0) if weights is None else weights @ votes
            else:
                codes = encoded[known, position].astype(int)
                counts = np.bincount(codes, weights=weights, minlength=widths[position])
            weights = counts.sum() / (len(counts) * np.where(counts > 0, counts, np.inf))
            tensors.append(torch.as_tensor(weights, dtype=dtype))
        else:
            raise TargetError(
                f'class_weight of {name!r} is {wanted!r}; use "balanced" or {{label: weight}}'
            )
    return tensors


def task_scales(
    encoded: Array, sample_weight: Array | None, dtype: torch.dtype = torch.float32
) -> torch.Tensor | None:
    """What each task's losses are multiplied by, so that its labels weigh 1 on average."""
    if sample_weight is None:
        return None
    known = ~np.isnan(encoded)
    total = sample_weight @ known
    scales = np.where(total > 0, known.sum(axis=0) / np.where(total > 0, total, 1), 1)
    return torch.as_tensor(scales, dtype=dtype)


def _weight(weight: Any, what: str) -> float:
    if not isinstance(weight, Real) or not np.isfinite(cast("float", weight)) or weight < 0:
        raise TargetError(f"{what} is {weight!r}; a weight is a number of 0 or more")
    return float(weight)


def _refuse_unknown(
    names: Iterable[object], known: Sequence[object], what: str, of_what: str
) -> None:
    for name in names:
        if name not in known:
            raise TargetError(
                f"{what} names {name!r}, but the {of_what} are {', '.join(map(str, known))}"
            )
