"""The parameters that the estimators share: what they mean, and what they may be."""

from __future__ import annotations

from inspect import signature
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from sfmforensics.exceptions import ParameterError
from sfmforensics.targets import CLASSIFICATION, REGRESSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeVar

    from sklearn.base import BaseEstimator

    from sfmforensics._types import Epochs, Tasks

    T = TypeVar("T")

_LEAST_EPOCHS, _LEAST_STEPS = 20, 500

CONSTRAINTS = {
    "views": [StrOptions({"auto"}), list, tuple, np.ndarray],
    "tasks": [StrOptions({"auto", "classification", "regression"}), dict, None],
    "hidden": ["array-like"],
    "head": [Interval(Integral, 0, None, closed="left")],
    "n_tokens": [Interval(Integral, 1, None, closed="left")],
    "token_dim": [Interval(Integral, 1, None, closed="left")],
    "encoder": [StrOptions({"conv", "tokens"}), callable],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "input_noise": [Interval(Real, 0, None, closed="left")],
    "scale": ["boolean"],
    "loss_weights": [Interval(Real, 0, None, closed="neither"), "array-like", dict],
    "loss_weighting": [StrOptions({"fixed", "uncertainty", "dwa"})],
    "regression_loss": [StrOptions({"rmse", "huber", "ccc", "distribution"})],
    "age_scale": [StrOptions({"standard", "years"})],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "mixup": [Interval(Real, 0, None, closed="left")],
    "early_stopping": ["boolean"],
    "validation": [Interval(Real, 0, 1, closed="neither"), HasMethods(["split", "get_n_splits"])],
    "patience": [Interval(Integral, 1, None, closed="left")],
    "warm_start": ["boolean"],
    "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    "number_smoothing": [Interval(Real, 0, None, closed="left")],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "schedule": [StrOptions({"constant", "onecycle"})],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "max_epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "n_members": [Interval(Integral, 1, None, closed="left")],
    "precision": [StrOptions({"float32", "bfloat16", "float64"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
"""What each parameter may be, in scikit-learn's terms."""

_COMMON = """
    views : "auto" or sequence of int, default="auto"
        Widths of the views from left to right. "auto" finds them by the column names
        ``VIEW__...`` that `make_views` gives, and cuts other columns into two halves.
    tasks : {"auto", "classification", "regression"} or dict, default="auto"
        Kind of the target columns; "auto" goes by dtype: float columns are regression tasks, all
        others classification tasks. Or by column, ``{"age": "regression"}``. "classification" and
        "regression" make all columns so, and the model a classifier or a regressor to
        scikit-learn, which integer ``cv``, `CalibratedClassifierCV` and `VotingClassifier` ask for.
    encoder : {"conv", "tokens"} or callable, default="conv"
        From a view to its tokens: the paper's convolutions, a linear map to a few tokens, or a
        function of the view's width that returns a torch module.
    n_tokens : int, default=8
        Tokens a view, for ``encoder="tokens"``.
    token_dim : int, default=64
        Dimension of a token, for ``encoder="tokens"``.
    hidden : sequence of int, default=(200, 64, 56)
        Fully connected layers after the fusion, which the tasks share (paper, appendix 9.1, which
        gives these sizes for single-task models alone). Empty for none: each task then has a hidden
        layer of its own, its head's.
    head : int, default=30
        Hidden neurons of each task's head (paper, appendix 9.1); a task alone has none, unless
        `hidden` is empty.
    dropout : float, default=0.0
        Share of activations that are zeroed in training.
    input_noise : float, default=0.0
        Noise added to the inputs in training, in their standard deviations.
    scale : bool, default=True
        Standardise each input column by the training data, in float64, so that columns may be of
        any size: 1e9 added to them or a factor of 1e-20 changes nothing, as long as their own
        number format tells their values apart.
    loss_weights : float, sequence or dict, default=0.33
        Weight of each task's loss, in column order or by name (paper, section 5.2).
    loss_weighting : {"fixed", "uncertainty", "dwa"}, default="fixed"
        Keep these weights, learn one more a task, or raise those of tasks that learn slowly; see
        `sfmforensics.nn.losses.MultiTaskLoss`.
    regression_loss : {"rmse", "huber", "ccc", "distribution"}, default="rmse"
        Loss of numbers: the paper's; one that labels far off sway less; 1 - Lin's concordance
        correlation of each batch, as arousal and valence are learnt, for batches of 16 or more; or
        the cross-entropy of a distribution over the numbers seen, whose expectation is the answer.
        The last answers with nothing outside of what it saw. An answer within a band (see
        `sfmforensics.targets.bands`) is right in all of them.
    age_scale : {"standard", "years"}, default="standard"
        Unit in which numbers are learnt, ages and any others. "standard" learns them in standard
        deviations from their mean, so that their losses are about as large as those of classes;
        the paper says nothing of it. "years" learns them as they are, which is how section 5.2
        reads to the letter: losses are in years ("huber" is Huber's beyond one year), and outputs,
        which start near 0, must first come to learn the mean. Not with "distribution" or
        "ccc", whose losses have no unit.
    class_weight : "balanced", dict or None, default=None
        "balanced" weighs each task's classes by the inverse of their frequency. Or by task,
        ``{"emotion": "balanced", "gender": {"f": 2.0}}``; for 1-D targets by label.
    label_smoothing : float, default=0.0
        Probability spread over all classes.
    number_smoothing : float, default=0.0
        With regression_loss="distribution", a number is learnt as a normal distribution of this
        deviation, in standard deviations of the numbers seen. In trials on BAVED errors in age
        became smaller for voices never heard, and larger for those that were: let a search choose.
    mixup : float, default=0.0
        Above 0 recordings and their labels are mixed in pairs in training, by shares drawn from
        Beta(mixup, mixup).
    learning_rate : float, default=0.001
        Of Adam (paper, appendix 9.1).
    weight_decay : float, default=0.0
        Decoupled weight decay; above 0 the optimiser is AdamW.
    schedule : {"constant", "onecycle"}, default="constant"
        Course of the learning rate.
    batch_size : int, default=32
        Recordings a step (paper, appendix 9.1).
    max_epochs : int or "auto", default=30
        Passes over the data; the paper gives no number. "auto" is 20, or as many as make 500 steps:
        few recordings must be seen more often.
    n_members : int, default=1
        Networks that are trained, each from weights of its own, and whose probabilities and
        numbers are averaged: more accurate, and so many times as slow.
    early_stopping : bool, default=False
        Keep recordings back, end training once they are answered no better, and keep the weights
        of this fit's best epoch. What is kept back is not learnt from.
    validation : float or splitter, default=0.1
        What early stopping keeps back. A share is taken from the labels of the task with most
        labels (every speaker with enough recordings is on both sides, as in the closed protocol)
        or, if `fit` is given ``groups``, in whole groups (the disjoint protocol: groups are
        speakers). Of a splitter, such as `TargetGroupKFold`, the first split. A search or
        `cross_validate` hands groups on to `fit` only with metadata routing; a splitter that reads
        the targets needs none.
    patience : int, default=10
        Epochs without a better one after which early stopping ends training.
    warm_start : bool, default=False
        Go on from the weights of the last `fit`, with its labels, its scale of inputs and its
        layers; the optimiser and the schedule start anew. Only parameters of training may change.
    device : str, default="auto"
        A torch device; "auto" takes CUDA if there is one.
    precision : {"float32", "bfloat16", "float64"}, default="float32"
        Number format. "bfloat16" is torch's automatic mixed precision: matrix products in training
        are shorter; weights, losses and transport stay float32, and so does every answer. On a CPU
        it gains up to a seventh (``benchmarks/bench_fit.py``); on GPUs it is untested. "float64"
        computes everything with 16 digits, not 7, so that a weight of 2 is as good as the recording
        twice to the digits that scikit-learn asks for, and answers hardly depend on the machine;
        with 400 recordings of 300 columns on one core a fit took 1.5 times as long. A device
        without float64 (mps) is refused.
    random_state : int, RandomState or None, default=None
        Seed of the weights, batches, dropout and noise.
    verbose : int, default=0
        1 prints a line an epoch, 2 draws a bar instead.
"""

_FITTED = """
    module_ : torch.nn.Module
        The trained network.
    history_ : list of dict
        "epoch", "train_loss" and "seconds" of each epoch; with early stopping also "valid_loss";
        with transport "plan_entropy" in [0, 1], 1 for plans that choose nothing. With several
        `n_members` their means, and the sum of their seconds.
    n_iter_ : int
        Epochs of training.
    best_epoch_ : int
        The epoch whose weights were kept; the last one without early stopping. With several
        `n_members` the median of theirs.
    tasks_ : dict
        Kind of each target column.
    classes_ : list of ndarray of shape (n_classes,)
        Labels of each classification column, in column order; the array itself for 1-D targets.
    views_ : list of str
        Names of the views.
    n_features_in_ : int
        Columns of `X` in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any.
    versions_ : dict of str to str
        Versions of the packages that fitted this model. Loading it where they differ warns.
"""


def documented(cls: type[T]) -> type[T]:
    """Put the shared parameters and attributes into a class's docstring."""
    common = _COMMON.lstrip("\n")
    if "views" not in signature(cls).parameters:
        common = common[common.index("    tasks :") :]
    cls.__doc__ = (
        str(cls.__doc__)
        .replace("    [common]\n", common)
        .replace("    [fitted]\n", _FITTED.lstrip("\n"))
    )
    return cls


def only_if(check: Callable[[Any], bool]) -> Callable[[T], T]:
    """Scikit-learn's `available_if`, without hiding the method's type from type checkers."""
    return available_if(check)


OF_TRAINING = frozenset(
    {
        *("loss_weights", "loss_weighting", "regression_loss", "class_weight", "label_smoothing"),
        *(
            "number_smoothing",
            "mixup",
            "learning_rate",
            "weight_decay",
            "schedule",
            "batch_size",
            "max_epochs",
        ),
        *("early_stopping", "validation", "patience", "warm_start", "device", "random_state"),
        *("precision", "verbose"),
    }
)
"""Parameters that may change between fits with ``warm_start``; the others make the network."""


def refuse_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with a network that other parameters made, by the name of one of them."""
    for name, value in now.items():
        old = before.get(name, value)  # a model of an earlier version has no such parameter
        if old is not value and not np.array_equal(old, value):
            raise ParameterError(
                f"warm_start goes on with the network as it is, but {name} was {old!r} when it was "
                f"made and is {value!r} now; set it back, or fit a new model (warm_start=False)"
            )


def check_inputs(estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
    """Check inputs with scikit-learn, and give them as float32 or float64, whichever keeps them.

    Of either format they are given as they are, so that nothing on disk is copied; what is shorter
    becomes float32, anything else float64: only standardised columns may be rounded.
    """
    dtype_of_X = getattr(X, "dtype", None)
    short = (
        isinstance(dtype_of_X, np.dtype) and dtype_of_X.kind in "fiub" and dtype_of_X.itemsize < 3
    )
    dtype = [np.float32, np.float64] if short else [np.float64, np.float32]
    return validate_data(estimator, X, dtype=dtype, reset=reset)


def check_y(estimator: object, y: Any) -> Any:
    """Give the targets, or refuse to fit without them, in scikit-learn's words."""
    if y is None:
        raise ParameterError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y "
            "is None."
        )
    return y


def with_type(tags: Any, tasks: Tasks) -> Any:
    """Scikit-learn's tags of an estimator whose tasks are all of the kind that `tasks` names."""
    if isinstance(tasks, str) and tasks == CLASSIFICATION:
        tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
    elif isinstance(tasks, str) and tasks == REGRESSION:
        tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
    return tags


def check_widths(name: str, widths: Iterable[int]) -> tuple[int, ...]:
    """Refuse layers that are not whole numbers of neurons, by the name of their parameter."""
    if not all(isinstance(width, (int, Integral)) and width > 0 for width in widths):
        raise ParameterError(
            f"{name} is {tuple(widths)}; use whole numbers of neurons, as in (200, 64)"
        )
    return tuple(map(int, widths))


def epochs_of(max_epochs: Epochs, n_samples: int, batch_size: int) -> int:
    """Say how many passes over so many recordings `max_epochs` stands for.

    Examples
    --------
    >>> epochs_of("auto", 2000, 64), epochs_of("auto", 320, 64), epochs_of(30, 320, 64)
    (20, 100, 30)
    """
    if max_epochs != "auto":
        return int(max_epochs)
    return max(_LEAST_EPOCHS, -(-_LEAST_STEPS // -(-n_samples // batch_size)))


def keep(estimator: object, arguments: Mapping[str, object]) -> None:
    """Keep the arguments of ``__init__``, ``locals()``, under their names, as scikit-learn asks."""
    for name, value in arguments.items():
        if name != "self":
            setattr(estimator, name, value)
