"""What each view and each token adds to the answers of a fitted model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from sfmforensics._utils.pipelines import last_step
from sfmforensics.estimators import TANGO, ConcatFusion, SingleView
from sfmforensics.estimators._parameters import check_inputs
from sfmforensics.exceptions import ParameterError, TargetError, ViewError, shown
from sfmforensics.explanation._attribution import attribute, frozen_copy, shapley_values
from sfmforensics.nn.network import network_gates, network_plans
from sfmforensics.nn.runtime import as_tensor, filled_blocks, one_thread
from sfmforensics.targets import CLASSIFICATION

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from typing import Any

    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from sfmforensics._types import Array, Float32Array, FloatArray, Matrix
    from sfmforensics._utils.recordings import Recordings
    from sfmforensics.explanation._attribution import Measure
    from sfmforensics.targets import TargetCodec


if TYPE_CHECKING:
    from typing import Any, TypeAlias

    import pandas as pd

    from sfmforensics._types import Float32Array, FloatArray, TaskKind

    ByTask: TypeAlias = dict[Any, pd.DataFrame]


@dataclass(frozen=True)
class Explanation:
    """What each view and each token adds to what a model says of some recordings.

    Made by `explain`. Of a class all is in log10 odds, log10(p / (1 - p)); of a number in its own
    unit, such as years.

    Attributes
    ----------
    tasks : dict of str to {"classification", "regression"}
        What was asked.
    answers : DataFrame of shape (n_recordings, n_tasks)
        What is explained: the class that is most probable, or the one that was asked for; or the
        number.
    probabilities : DataFrame of shape (n_recordings, n_tasks)
        Probability of that class; NaN for numbers.
    full : DataFrame of shape (n_recordings, n_tasks)
        Log10 odds of that class, or the number; 0 for a task of one class, which has no odds.
    empty : DataFrame of shape (n_recordings, n_tasks)
        The same when all views are left out.
    views : dict of str to DataFrame of shape (n_recordings, n_views)
        By task, what each view adds: Shapley's value. ``empty`` and all views give ``full``.
    lost : dict of str to DataFrame of shape (n_recordings, n_views)
        By task, what is lost if that view alone is left out: ``full`` less what is said then.
    tokens : dict of str to dict of str to ndarray of shape (n_recordings, n_tokens)
        By task and view, what each token adds. The tokens of a view add up to what the view adds,
        but for the error of a numerical integral. Of several `n_members` the tokens of one follow
        those of another.
    gates : dict of str to ndarray of shape (n_recordings, n_tokens)
        By view, how far the gate of each token is open: the mean of sigmoid(x) over its entries,
        in (0, 1). Empty for a model without gates.
    plans : dict of (str, str) to ndarray of shape (n_recordings, L1, L2)
        As `TANGO.transport_plan` gives them, with several `n_members` (n_recordings, n_members, L1,
        L2); empty for a model that transports nothing.
    n_members : int
        Networks that answer together.
    """

    tasks: dict[Any, TaskKind]
    answers: pd.DataFrame
    probabilities: pd.DataFrame
    full: pd.DataFrame
    empty: pd.DataFrame
    views: ByTask
    lost: ByTask
    tokens: dict[Any, dict[str, FloatArray]]
    gates: dict[str, FloatArray]
    plans: dict[tuple[str, str], Float32Array]
    n_members: int


def labels_asked(codec: TargetCodec, classes: Mapping[Any, Hashable]) -> dict[int, int]:
    """By place of the task, the place of the label that is asked for."""
    labels = dict(_classes(codec))
    codes = {}
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
        codes[place] = int(same[0])
    return codes


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


MOST_VIEWS = 6
"""Of which 64 sets are asked, and 192 ways of a view into a set; both double with each more."""


def explain(
    estimator: BaseEstimator,
    X: Matrix | Recordings,
    *,
    classes: Mapping[Any, Hashable] | None = None,
    reference: ArrayLike | None = None,
    n_steps: int = 64,
) -> Explanation:
    """Tell what each view and each token adds to a model's answers.

    Parameters
    ----------
    estimator : TANGO, ConcatFusion, SingleView, or a pipeline that ends in one
        Fitted.
    X : array-like of shape (n_recordings, ...)
        What it takes. Each recording is explained by itself, in 0.1 to 5 s on one core.
    classes : dict of task to label, or None, default=None
        Classes to explain in the place of the most probable, such as ``{"speaker": "017"}``: what
        speaks for this speaker, whoever was answered.
    reference : array-like of shape (n_features,) or None, default=None
        What stands for a view that is left out, in the units of the views; None takes the means
        of the recordings that the model was fitted on.
    n_steps : int, default=64
        Points at which the gradient of the tokens is taken on each way; 0 leaves the tokens out,
        which is a hundred times as fast. With 64, sums of tokens differed from their view by 1 % of
        the largest view or less as a rule, and by 4 % at most.

    Returns
    -------
    Explanation

    Raises
    ------
    ParameterError
        The model is of another kind, it has no means to take (``scale=False``) and no `reference`
        is given, the reference has another width or is not finite, or `n_steps` is negative.
    TargetError
        `classes` names a task or a label that the model does not know.
    ViewError
        There are more than 6 views.
    NotFittedError
        The model is not fitted.

    Notes
    -----
    A view cannot be taken out of a network, so it is left out by putting the mean of the training
    recordings in its place, which after standardisation is 0: an input that tells nothing of this
    recording. What is said with every set of views is asked, and the difference between all and
    none is shared out by Shapley's value [1]_, [2]_: what a view adds, on average over the orders
    in which views could come in. So shares add up, and two views that tell the same thing share
    it. `lost` is the plain ablation; it adds up only where views neither repeat nor need each
    other, and is about 0 for each of two that say the same.

    The share of a view goes to its tokens by integrated gradients along the way from the tokens of
    the reference to those of the recording [3]_, averaged as Shapley's value averages the sets of
    other views, so that tokens add up to their view. Leaving out one token at a time does not: the
    tokens are maps of one vector, and repeat each other. They are what the encoder gives, before
    the gate: what a token does through gate and plan, to the other view too, counts as its own.
    For that, gradients pass through the plan even where ``grad`` had stopped them in training.

    An explanation is of the model, not of the voice: it says which numbers moved the answer, not
    that they should. A mean input is like no recording, and networks may answer it oddly; see
    `empty`. Log10 odds that a view adds are no likelihood ratio: nothing here is calibrated.
    Tokens of one network have nothing to do with those of another under the same number, and with
    ``encoder="tokens"`` a token is no stretch of time. Nor do gates say much there: normalised
    tokens have gates of about 0.5 on average. Those of ``"conv"`` are never negative, so that
    their gates are 0.5 where the token says nothing, and above elsewhere.

    Torch's generators and the model, its device too, are left as `predict` leaves them.

    References
    ----------
    .. [1] L. S. Shapley, "A value for n-person games", Contributions to the Theory of Games II,
       1953.
    .. [2] S. M. Lundberg and S.-I. Lee, "A unified approach to interpreting model predictions",
       NeurIPS 2017.
    .. [3] M. Sundararajan, A. Taly and Q. Yan, "Axiomatic attribution for deep networks",
       ICML 2017.
    .. [4] The paper, section 4.1: gates and plans.

    Examples
    --------
    >>> import numpy as np
    >>> from sfmforensics import ConcatFusion
    >>> X = np.random.default_rng(0).normal(size=(200, 20)).astype("float32")
    >>> label = np.where(X[:, :4].sum(axis=1) > 0, "high", "low")  # the first view alone tells
    >>> model = ConcatFusion(views=[8, 12], random_state=0).fit(X, label)
    >>> found = explain(model, X[:20], n_steps=0)
    >>> added = found.views["y"].abs().mean()
    >>> bool(added["x1"] > 3 * added["x2"])
    True
    >>> bool(np.allclose(found.empty["y"] + found.views["y"].sum(axis=1), found.full["y"]))
    True
    """
    model = last_step(estimator)[0]
    if not isinstance(model, (TANGO, ConcatFusion, SingleView)):
        raise ParameterError(
            f"{type(model).__name__} cannot be explained by its views and tokens; give TANGO, "
            "ConcatFusion or SingleView, or a pipeline that ends in one"
        )
    check_is_fitted(model)
    if n_steps < 0:
        raise ParameterError(f"n_steps is {n_steps}; give 0, for no tokens, or more")
    if len(model.views_) > MOST_VIEWS:
        raise ViewError(
            f"the model has {len(model.views_)} views, of which {2 ** len(model.views_)} sets "
            f"would be asked; explain takes at most {MOST_VIEWS}"
        )
    codec = model._codec
    chosen_codes = labels_asked(codec, classes or {})
    X = last_step(estimator, X)[1]
    index = getattr(X, "index", None)
    inputs = as_tensor(check_inputs(model, X, reset=False))
    away = _reference(model, reference)
    outputs = model._outputs(X)
    codes = codec.settle(outputs)
    for place, code in chosen_codes.items():
        codes[:, place] = code
    network = frozen_copy(model.module_)
    attributions = []
    with one_thread():
        gates, plans = _gates_and_plans(model, network, inputs)
        for row, code in zip(inputs.split(1), codes, strict=True):
            measures = [measure_of(codec, place, one) for place, one in enumerate(code)]
            attributions.append(attribute(network, row, away, measures, n_steps))
    index = None if callable(index) else index
    form: dict[str, Any] = {"index": index, "columns": pd.Index(codec.names_)}
    of_sets = np.stack([one.of_sets for one in attributions])  # (n_recordings, sets, n_tasks)
    of_views = _of_views(of_sets, codec.names_, {"index": index, "columns": pd.Index(model.views_)})
    return Explanation(
        tasks=dict(model.tasks_),
        answers=answers_of(codec, codes, of_sets[:, -1], form),
        probabilities=probabilities_of(codec, codes, outputs, form),
        full=pd.DataFrame(of_sets[:, -1], **form),
        empty=pd.DataFrame(of_sets[:, 0], **form),
        views=of_views[0],
        lost=of_views[1],
        tokens={
            name: {
                view: np.stack([one.tokens[j][i] for one in attributions])
                for j, view in enumerate(model.views_)
            }
            for i, name in enumerate(codec.names_ if n_steps else [])
        },
        gates=gates,
        plans=plans,
        n_members=len(model._members()),
    )


def _of_views(of_sets: FloatArray, names: list[Any], form: dict[str, Any]) -> list[ByTask]:
    """Shapley's values, and what is lost if one view is left out: by task, a frame of views."""
    n_views = len(form["columns"])
    every = 2**n_views - 1
    added = np.stack([shapley_values(sets) for sets in of_sets])
    lost = [of_sets[:, -1] - of_sets[:, every - 2**view] for view in range(n_views)]
    return [
        {name: pd.DataFrame(table[:, :, i], **form) for i, name in enumerate(names)}
        for table in (added, np.stack(lost, axis=1))
    ]


def _reference(model: Any, reference: ArrayLike | None) -> torch.Tensor:
    """What stands for a view that is left out: (1, n_features)."""
    n_features = model.n_features_in_
    if reference is None:
        if not model._made_with["scale"]:
            raise ParameterError(
                "the model was fitted with scale=False, so that it does not know the means that "
                "stand for a view that is left out; give reference=X_train.mean(axis=0)"
            )
        return model._members()[0].center[None].cpu()
    vector = np.asarray(reference, dtype=np.float64)
    if vector.shape != (n_features,) or not np.isfinite(vector).all():
        n_bad = int((~np.isfinite(vector)).sum())
        raise ParameterError(
            f"reference has shape {vector.shape} and {n_bad} entries that are not finite; give "
            f"the {n_features} numbers of one recording, such as means"
        )
    return torch.from_numpy(vector)[None]


def _gates_and_plans(
    model: Any, network: Any, inputs: torch.Tensor
) -> tuple[dict[str, FloatArray], dict[tuple[str, str], Float32Array]]:
    """By view and by pair of views, block by block as `TANGO.transport_plan`."""
    pairs = getattr(model._members()[0].fusion, "pairs", [])
    if not pairs:
        return {}, {}
    blocks = filled_blocks(inputs)
    gates, plans = (
        [torch.cat(parts)[: len(inputs)].numpy() for parts in zip(*pieces, strict=True)]
        for pieces in (
            [network_gates(network, block) for block in blocks],
            [network_plans(network, block) for block in blocks],
        )
    )
    names = model.views_
    return (
        {view: gate.astype(np.float64) for view, gate in zip(names, gates, strict=bool(gates))},
        {(names[i], names[j]): plan for (i, j), plan in zip(pairs, plans, strict=True)},
    )
