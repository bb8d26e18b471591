"""What the estimators share: views and targets in, a trained network, answers out."""

from __future__ import annotations

import copy
import warnings
from inspect import signature
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics import r2_score
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils.validation import _num_samples, check_is_fitted

from sfmforensics._utils.versions import CarriesVersions
from sfmforensics.estimators._parameters import (
    CONSTRAINTS,
    OF_TRAINING,
    check_inputs,
    check_widths,
    check_y,
    epochs_of,
    only_if,
    refuse_changes,
    with_type,
)
from sfmforensics.estimators._summary import ShowsFit, task_rows
from sfmforensics.estimators._weights import (
    class_weights,
    recording_weights,
    task_scales,
    task_weights,
)
from sfmforensics.exceptions import ParameterError, SplitWarning, TargetError, ViewError, shown
from sfmforensics.model_selection._folds import held_out
from sfmforensics.nn.losses import MultiTaskLoss
from sfmforensics.nn.network import Ensemble, MultiViewNetwork, joined_histories
from sfmforensics.nn.runtime import as_tensor, check_device, filled_blocks, one_thread, seeded
from sfmforensics.nn.training import Labelled, train
from sfmforensics.targets import CLASSIFICATION, REGRESSION, TargetCodec, as_frame
from sfmforensics.targets._bands import band_ends, is_banded
from sfmforensics.targets._columns import TargetTable, numbers_of
from sfmforensics.views import find_views

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike
    from sklearn.utils import Tags

    from sfmforensics import _types as t
    from sfmforensics._types import (
        Answers,
        Array,
        Column,
        Float32Array,
        FloatArray,
        IntArray,
        Matrix,
        Targets,
    )
    from sfmforensics.estimators._summary import Rows


_LARGE = 1e150


def mean_score(
    codec: TargetCodec, y: Targets, answers: Answers, sample_weight: ArrayLike | None = None
) -> float:
    """Mean over the tasks of accuracy (classes) and R squared (numbers).

    Examples
    --------
    >>> from sfmforensics.targets import TargetCodec
    >>> mean_score(TargetCodec().fit(["a", "b"]), ["a", "b"], np.array(["a", "a"]))
    0.5
    """
    predicted, true = as_frame(answers), as_frame(y)
    check_consistent_length(predicted, true, sample_weight)
    if hasattr(y, "columns"):
        missing = [name for name in codec.names_ if name not in true]
        if missing:
            raise TargetError(
                f"the targets have no column {missing[0]!r}, which the model learnt; they have "
                f"{', '.join(map(str, true.columns))}"
            )
        true = true[codec.names_]
    elif true.shape[1] != predicted.shape[1]:
        raise TargetError(
            f"the targets have {true.shape[1]} columns, the model learnt {predicted.shape[1]}"
        )
    weights = recording_weights(sample_weight, predicted.to_numpy())
    weights = np.ones(len(true)) if weights is None else weights
    scores, classes = [], iter(codec.classes_)
    for position, kind in enumerate(codec.kinds_):
        labels = next(classes) if kind == CLASSIFICATION else None
        known = true.iloc[:, position].notna().to_numpy() & (weights > 0)
        if not known.any():
            continue
        truth = true.iloc[:, position].to_numpy()[known]
        answer = predicted.iloc[:, position].to_numpy()[known]
        if labels is None and len(truth) < 2:
            warnings.warn(
                f"{codec.names_[position]!r} has one label to score against, of which "
                "R squared is not defined; it is left out",
                SplitWarning,
                stacklevel=3,
            )
            continue
        if labels is None:
            column = true.iloc[:, position][known]
            truth = numbers_of(column, codec.names_[position])
            answer = answer.astype(float)
            if is_banded(column):  # within a band nothing is left to be explained
                answer = truth + answer - np.clip(answer, *band_ends(column))
            most = np.abs(truth).max()
            if most > _LARGE:  # lest their squares overflow
                truth, answer = truth / most, answer / most
            scores.append(r2_score(truth, answer, sample_weight=weights[known]))
            continue
        scores.append(np.average(truth == answer, weights=weights[known]))
        if not pd.Series(truth).isin(labels).any():
            warnings.warn(
                f"none of the labels of {codec.names_[position]!r} to score against was "
                "learnt, so that its accuracy is 0: an integer cv does not stratify (use "
                "TargetStratifiedKFold), and a split by speaker leaves nobody to recognise "
                "(score the other tasks, with task_scorers)",
                SplitWarning,
                stacklevel=3,
            )
    if not scores:
        raise TargetError("there is no label to score against")
    return float(np.mean(scores))


class ViewsEstimator(
    ShowsFit, CarriesVersions, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """An estimator with the parameters of `_parameters`, fitted or not yet."""

    views: t.Views
    tasks: t.Tasks
    encoder: t.Encoder
    n_tokens: int
    token_dim: int
    hidden: Sequence[int]
    head: int
    dropout: float
    input_noise: float
    scale: bool
    loss_weights: t.LossWeights
    loss_weighting: t.LossWeighting
    regression_loss: t.RegressionLoss
    age_scale: t.AgeScale
    class_weight: t.ClassWeight
    label_smoothing: float
    number_smoothing: float
    mixup: float
    learning_rate: float
    weight_decay: float
    schedule: t.Schedule
    batch_size: int
    max_epochs: t.Epochs
    n_members: int
    early_stopping: bool
    validation: float | t.Splitter
    patience: int
    warm_start: bool
    device: str
    precision: t.Precision
    random_state: t.RandomState
    verbose: int

    module_: Any  # a torch.nn.Module, a MultiViewNetwork or an Ensemble of them
    history_: list[dict[str, float]]
    n_iter_: int
    best_epoch_: int
    tasks_: dict[Any, t.TaskKind]
    views_: list[str]
    n_features_in_: int
    feature_names_in_: t.Array
    _codec: TargetCodec
    _made_with: dict[str, Any]
    _split_seed: int

    _saved = ("history_", "n_iter_", "best_epoch_", "tasks_", "versions_", "views_")
    _saved += ("n_features_in_", "feature_names_in_", "_made_with", "_split_seed")
    """Attributes that a file of a fitted one holds, besides parameters, network and targets."""

    def _members(self) -> Any:
        return getattr(self.module_, "members", [self.module_])

    @property
    def _n_features_out(self) -> int:
        return self.module_.width

    def _device(self) -> str:
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        device = str(self.device)
        if device.startswith("mps") and self._format() == "float64":
            raise ParameterError(
                f'precision is "float64", which device {device!r} does not have; use '
                'precision="float32", or device="cpu"'
            )
        return device

    def _format(self) -> Literal["float32", "float64"]:
        """Number format of the weights, and of all that comes from them."""
        return "float64" if self.precision == "float64" else "float32"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.non_deterministic = False
        tags.transformer_tags.preserves_dtype = [self._format()]
        return with_type(tags, self.tasks)

    def _tasks_and_facts(self) -> tuple[Rows, Rows]:
        if not hasattr(self, "module_"):
            return [], []
        _, blocks = self._find_views(np.empty((0, self.n_features_in_)))
        widths = zip(self.views_, map(len, blocks), strict=True)
        weights_note = f", weights of epoch {self.best_epoch_}" if self.early_stopping else ""
        loss = self.history_[-1]["train_loss"]
        facts = [
            ("views", ", ".join(f"{view} ({width:,} columns)" for view, width in widths)),
            ("epochs", f"{self.n_iter_}{weights_note}; loss at the end {loss:.3f}"),
            ("networks", f"{len(self._members())}"),
        ]
        return task_rows(self.tasks_, self._codec.classes_), facts

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle of an earlier version lacks the parameters that came later.
        defaults = signature(type(self)).parameters
        missing = {name: one.default for name, one in defaults.items() if name not in state}
        super().__setstate__(missing | state)

    def __getstate__(self) -> dict[str, Any]:
        # A model that was fitted on a GPU is loaded where there is none.
        if "module_" in self.__dict__:
            self.module_.to("cpu")
        return super().__getstate__()


def _has_classes(estimator: Any) -> bool:
    codec = getattr(estimator, "_codec", None)
    if codec is None:
        return not (isinstance(estimator.tasks, str) and estimator.tasks == REGRESSION)
    return CLASSIFICATION in codec.kinds_


class _NoNumber(Exception):
    """An answer is not finite: some input is too far from all that was learnt."""


def _finite(output: torch.Tensor) -> torch.Tensor:
    if not output.isfinite().all():
        raise _NoNumber
    return output.cpu()


def _scores(network: Any, block: torch.Tensor) -> list[FloatArray]:
    return [_finite(output).double().numpy() for output in network(block)]


class MultiTaskEstimator(ViewsEstimator):
    """What the three systems share; each says how views become one vector (`_fusion`)."""

    _at_least = 2
    _parameter_constraints: ClassVar[dict[str, Any]] = CONSTRAINTS

    def _fusion(self) -> dict[str, Any]:
        """Options of `MultiViewNetwork` that tell this system from the others."""
        raise NotImplementedError

    def _find_views(self, X: Array) -> tuple[list[str], list[IntArray]]:
        return find_views(
            X.shape[1],
            self.views,
            getattr(self, "feature_names_in_", None),
            at_least=self._at_least,
        )

    def fit(
        self,
        X: Matrix,
        y: Targets,
        sample_weight: ArrayLike | None = None,
        groups: Column | None = None,
    ) -> Self:
        """Learn all tasks at once.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_recordings, n_features)
            The views, side by side.
        y : DataFrame, or array-like of shape (n_recordings,) or (n_recordings, n_tasks)
            Targets; a missing label (None, NaN) does not count in its task's loss. Of labels that
            are `sfmforensics.targets.Votes` the shares are learnt.
        sample_weight : array-like of shape (n_recordings,) or None, default=None
            Weight of each recording in the losses and in the scales of inputs and numbers; one of
            weight 0 is as if it were not there.
        groups : array-like of shape (n_recordings,) or None, default=None
            Recordings that stay on one side of the split for early stopping, such as a speaker's;
            those without a group are then left out, of which a warning tells.

        Returns
        -------
        self

        Raises
        ------
        TargetError
            A target column holds no label, or a task is unknown.
        ViewError
            The views cannot be found in the columns.
        TrainingError
            The loss is no longer finite.
        """
        self._validate_params()
        if self.age_scale == "years" and self.regression_loss in ("distribution", "ccc"):
            what = "correlation" if self.regression_loss == "ccc" else "cross-entropy"
            raise ParameterError(
                f'age_scale is "years", but regression_loss "{self.regression_loss}" is a {what}, '
                'which has no unit; use regression_loss="rmse" or "huber", or age_scale="standard"'
            )
        check_device(self._device())
        self.__dict__.pop("holds_people_", None)  # of one that was made to forget, and learns anew
        going_on = self.warm_start and hasattr(self, "module_")
        X = check_inputs(self, X, reset=not going_on)
        y = check_y(self, y)
        check_consistent_length(X, y, groups)
        weight = recording_weights(sample_weight, X)
        rng = check_random_state(self.random_state)
        seed, split_seed = (int(rng.randint(2**31 - 1)) for _ in range(2))
        made_with = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in OF_TRAINING
        }
        if going_on:
            split_seed = self._split_seed  # what was kept back is kept back again
            refuse_changes(self._made_with, made_with)
        codec, encoded, sides = self._targets(X, y, weight, groups, split_seed, going_on)
        whole = weight is None and not self.early_stopping
        data, *validation = (
            Labelled(
                as_tensor(X),
                torch.from_numpy(encoded[side]),
                None if weight is None else torch.from_numpy(weight[side]).to(self._dtype()),
                None if whole else torch.from_numpy(side),
            )
            for side in sides
        )
        views, blocks = self._find_views(X)
        members: list[Any] = []
        histories = []
        for member in range(self.n_members):
            if member:
                seed = int(rng.randint(2**31 - 1))
            with one_thread(), seeded(seed, self._device()):
                if going_on:
                    network = copy.deepcopy(self._members()[member])
                else:
                    network = self._network(blocks, codec)
                    if members:  # whose scale is that of the same recordings
                        network.center.copy_(members[0].center)
                        network.spread.copy_(members[0].spread)
                    elif self.scale:
                        network.standardise(data.X, data.weight, data.rows)
                network.to(self._dtype())
                loss = self._loss(codec, encoded[sides[0]], data.weight).to(self._dtype())
                histories.append(self._train(network, loss, data, *validation))
            members.append(network)
        self._remember_history(histories, self.history_ if going_on else [])
        scored = [width > 1 for width in codec.widths_]
        self.module_ = Ensemble(members, scored) if len(members) > 1 else members[0]
        self._codec, self.views_ = codec, views
        self._made_with, self._split_seed = made_with, split_seed
        self.tasks_ = dict(zip(codec.names_, codec.kinds_, strict=True))
        self._remember_versions()
        return self

    def _targets(
        self,
        X: Array,
        y: Targets,
        weight: FloatArray | None,
        groups: Column | None,
        split_seed: int,
        going_on: bool,
    ) -> tuple[TargetCodec, Float32Array | FloatArray, list[IntArray]]:
        """What the targets are, as numbers, and the rows to learn from and to judge by.

        Behind the tasks stand ends of bands, and last shares of votes.
        """
        rows = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
        places = np.arange(len(X))  # of rows in the table
        if self.early_stopping:
            table = TargetTable.of(y)
            rng = check_random_state(split_seed)
            sides = list(held_out(X, table, self.validation, groups, rng, rows))
        else:
            table, sides = TargetTable.of(y if weight is None else _safe_indexing(y, rows)), [rows]
            places[rows] = np.arange(len(rows))
        labels = table.take(places[sides[0]])
        if going_on:
            distribution = self.regression_loss == "distribution"
            codec = self._codec.like(labels, distribution, self._format())
        else:
            codec = TargetCodec(
                self.tasks, self.regression_loss == "distribution", self.age_scale, self._format()
            )
            codec.fit(labels, None if weight is None else weight[sides[0]], votes=True)
        used = np.unique(np.concatenate(sides))
        taken = table.take(places[used])
        known = np.column_stack([codec.encode(taken), codec.edges(taken), codec.shares(taken)])
        encoded = np.full((len(X), known.shape[1]), np.nan, dtype=codec.precision)
        encoded[used] = known
        return codec, encoded, sides

    def _remember_history(
        self, histories: list[list[dict[str, float]]], before: list[dict[str, float]]
    ) -> None:
        best = [
            np.argmin([row.get("valid_loss", -row["epoch"]) for row in rows]) for rows in histories
        ]
        self.best_epoch_ = len(before) + 1 + int(np.median(best))
        history = joined_histories(histories)
        self.history_ = before + [row | {"epoch": len(before) + row["epoch"]} for row in history]
        self.n_iter_ = len(self.history_)

    def _train(
        self, network: Any, loss: MultiTaskLoss, data: Labelled, validation: Labelled | None = None
    ) -> list[dict[str, float]]:
        return train(
            network,
            loss,
            data,
            validation=validation,
            patience=self.patience,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            mixup=self.mixup,
            batch_size=int(self.batch_size),
            max_epochs=epochs_of(self.max_epochs, len(data.y), int(self.batch_size)),
            device=self._device(),
            precision=self.precision,
            verbose=self.verbose,
        )

    def _network(self, blocks: Sequence[IntArray], codec: TargetCodec) -> MultiViewNetwork:
        return MultiViewNetwork(
            blocks,
            codec.widths_,
            encoder=self.encoder,
            n_tokens=self.n_tokens,
            token_dim=self.token_dim,
            hidden=check_widths("hidden", self.hidden),
            head=self.head,
            dropout=self.dropout,
            input_noise=self.input_noise,
            **self._fusion(),
        )

    def _dtype(self) -> torch.dtype:
        return torch.float64 if self._format() == "float64" else torch.float32

    def _loss(
        self,
        codec: TargetCodec,
        encoded: Float32Array | FloatArray,
        weight: torch.Tensor | None,
    ) -> MultiTaskLoss:
        dtype = self._dtype()
        points = [
            None if numbers is None else torch.from_numpy(numbers).to(dtype)
            for numbers in codec.points_
        ]
        weight = None if weight is None else weight.numpy()
        return MultiTaskLoss(
            codec.kinds_,
            task_weights(self.loss_weights, codec),
            self.loss_weighting,
            self.label_smoothing,
            self.regression_loss,
            class_weights(self.class_weight, codec, encoded, weight, dtype),
            points,
            task_scales(encoded[:, : len(codec.names_)], weight, dtype),
            self.number_smoothing,
            codec.edges_at(),
            codec.shares_at(encoded.shape[1]),
        )

    @property
    def classes_(self) -> list[Array] | Array:
        """Labels of each classification column; the array itself for 1-D targets."""
        check_is_fitted(self)
        classes = self._codec.classes_
        return classes[0] if self._codec.flat_ and classes else classes

    def predict(self, X: Matrix) -> Answers:
        """Answer all tasks.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_recordings, n_features)
            The views, as in `fit`.

        Returns
        -------
        DataFrame, or ndarray of shape (n_recordings,) or (n_recordings, n_tasks)
            In the form of the targets in `fit`: labels, and numbers in their own unit (years).
            A frame has the index of `X` if that is a frame.
        """
        index = getattr(X, "index", None)
        # Block by block, so that memory holds one number a task and not a score for each class.
        parts = self._ask(X, lambda *block: self._codec.settle(_scores(*block)))
        settled = np.concatenate(parts)[: _num_samples(X)]
        return self._codec.decode(settled, index=None if callable(index) else index)

    @only_if(_has_classes)
    def predict_proba(self, X: Matrix) -> list[FloatArray] | FloatArray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_recordings, n_features)
            The views, as in `fit`.

        Returns
        -------
        list of ndarray of shape (n_recordings, n_classes)
            One for each classification task, in column order, its columns as in `classes_`; the
            array itself for 1-D targets.
        """
        outputs = self._outputs(X)
        probabilities = []
        for output, kind in zip(outputs, self._codec.kinds_, strict=True):
            if kind == CLASSIFICATION:
                shifted = np.exp(output - output.max(axis=1, keepdims=True))
                probabilities.append(shifted / shifted.sum(axis=1, keepdims=True))
        return probabilities[0] if self._codec.flat_ else probabilities

    def score(self, X: Matrix, y: Targets, sample_weight: ArrayLike | None = None) -> float:
        """Mean over the tasks of accuracy (classes) and R squared (numbers).

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_recordings, n_features)
            The views, as in `fit`.
        y : as in `fit`
            True targets; missing labels do not count.
        sample_weight : array-like of shape (n_recordings,) or None, default=None
            Weight of each recording.

        Returns
        -------
        float
            At most 1. For one figure a task use `sfmforensics.metrics.task_scorers`.
        """
        check_consistent_length(X, y, sample_weight)
        return mean_score(self._codec, y, self.predict(X), sample_weight)

    def transform(self, X: Matrix) -> Float32Array | FloatArray:
        """Give the fused representation: the last hidden layer that the tasks share.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_recordings, n_features)
            The views, as in `fit`.

        Returns
        -------
        ndarray of shape (n_recordings, width), float32, or float64 with that `precision`
            `width` is the last of `hidden`, times `n_members`; if that is empty, `head` for each
            task, their hidden layers side by side. Recordings can be compared by it, voices that
            were never heard as well.
        """
        parts = self._ask(X, lambda network, block: _finite(network.embed(block)).numpy())
        return np.concatenate(parts)[: _num_samples(X)]

    def _outputs(self, X: Matrix) -> list[FloatArray]:
        """What the network says: list of (n_recordings, outputs), float64."""
        parts = self._ask(X, _scores)
        n_samples = _num_samples(X)
        return [np.concatenate(outputs)[:n_samples] for outputs in zip(*parts, strict=True)]

    def _ask(self, X: Matrix, ask: Callable[[Any, torch.Tensor], Any]) -> list[Any]:
        """Ask the network about blocks of recordings: a list of what it says of each block."""
        check_is_fitted(self)
        X = check_inputs(self, X, reset=False)
        device = self._device()
        if device.startswith("cuda") and not torch.cuda.is_available():
            device = "cpu"  # fitted on a GPU, asked where there is none
        module = self.module_
        if next(module.parameters()).device != torch.device(device):
            module.to(device)  # asked each time, it would be an eighth of one recording's answer
        with one_thread(), torch.inference_mode():
            answers: list[Any] = []
            for block in filled_blocks(as_tensor(X)):
                try:
                    answers.append(ask(module, block))
                except _NoNumber:
                    raise self._too_far(block, len(answers) * len(block)) from None
            return answers

    def _too_far(self, block: torch.Tensor, first: int) -> ViewError:
        """What to say of the input that is furthest from those that were learnt from."""
        network = self._members()[0]
        apart = (block.to(network.center.device) - network.center) / network.spread
        row, column = divmod(int(apart.abs().nan_to_num(torch.inf).argmax()), block.shape[1])
        names = getattr(self, "feature_names_in_", range(self.n_features_in_))
        return ViewError(
            f"recording {first + row} has {float(block[row, column]):.3g} in column "
            f"{shown(names[column])}, {abs(float(apart[row, column])):.1g} standard deviations "
            "from what the model learnt from, which it cannot answer; correct that column, or "
            "leave the recording out"
        )
