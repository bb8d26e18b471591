"""What the estimators share: views and targets in, a trained network, answers out."""

from __future__ import annotations

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.metrics import r2_score
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from sfmforensics.exceptions import TargetError
from sfmforensics.nn.losses import MultiTaskLoss
from sfmforensics.nn.network import MultiViewNetwork
from sfmforensics.nn.training import as_tensor, one_thread, seeded, train
from sfmforensics.targets import CLASSIFICATION, TargetCodec, as_frame
from sfmforensics.views import find_views

_ROWS_AT_ONCE = 512

COMMON_PARAMETERS = """
    views : "auto" or sequence of int, default="auto"
        Widths of the views from left to right. "auto" finds them by the column names
        ``VIEW__...`` that `make_views` gives, and cuts other columns into two halves.
    tasks : "auto" or dict, default="auto"
        Kind of a target column, ``{"age": "regression"}``; float columns are regression tasks, all
        others classification tasks.
    encoder : {"conv", "tokens"} or callable, default="conv"
        From a view to its tokens: the paper's convolutions, a linear map to a few tokens, or a
        function of the view's width that returns a torch module.
    n_tokens : int, default=8
        Tokens a view, for ``encoder="tokens"``.
    token_dim : int, default=64
        Dimension of a token, for ``encoder="tokens"``.
    hidden : sequence of int, default=(200, 64, 56)
        Fully connected layers after the fusion (paper, appendix 9.1).
    head : int, default=30
        Hidden neurons of each task's head (paper, appendix 9.1); a task alone has none.
    dropout : float, default=0.0
        Share of activations that are zeroed in training.
    input_noise : float, default=0.0
        Noise added to the inputs in training, in their standard deviations.
    scale : bool, default=True
        Standardise each input column by the training data.
    loss_weights : float, sequence or dict, default=0.33
        Weight of each task's loss, in column order or by name (paper, section 5.2).
    loss_weighting : {"fixed", "uncertainty", "dwa"}, default="fixed"
        Keep these weights, learn one more a task, or raise those of tasks that learn slowly; see
        `sfmforensics.nn.losses.MultiTaskLoss`.
    regression_loss : {"rmse", "huber"}, default="rmse"
        Loss of numbers: the paper's, or one that labels far off sway less.
    label_smoothing : float, default=0.0
        Probability spread over all classes.
    learning_rate : float, default=0.001
        Of Adam (paper, appendix 9.1).
    weight_decay : float, default=0.0
        Decoupled weight decay; above 0 the optimiser is AdamW.
    schedule : {"constant", "onecycle"}, default="constant"
        Course of the learning rate.
    batch_size : int, default=32
        Recordings a step (paper, appendix 9.1).
    max_epochs : int, default=30
        Passes over the data; the paper gives no number.
    device : str, default="auto"
        A torch device; "auto" takes CUDA if there is one.
    random_state : int, RandomState or None, default=None
        Seed of the weights, batches, dropout and noise.
    verbose : int, default=0
        1 prints a line an epoch, 2 draws a bar instead.
"""

FITTED_ATTRIBUTES = """
    module_ : torch.nn.Module
        The trained network.
    history_ : list of dict
        "epoch", "train_loss" and "seconds" of each epoch; with transport also "plan_entropy" in
        [0, 1], 1 for plans that choose nothing.
    tasks_ : dict
        Kind of each target column.
    classes_ : list of ndarray of shape (n_classes,)
        Labels of each classification column, in column order; the array itself for 1-D targets.
    views_ : list of str
        Names of the views.
    n_features_in_ : int
        Columns of `X` in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if they have any.
"""


def documented(cls):
    """Put the shared parameters and attributes into a class's docstring."""
    cls.__doc__ = cls.__doc__.replace("    [common]\n", COMMON_PARAMETERS.lstrip("\n")).replace(
        "    [fitted]\n", FITTED_ATTRIBUTES.lstrip("\n")
    )
    return cls


def _has_classes(estimator):
    codec = getattr(estimator, "_codec", None)
    return codec is None or CLASSIFICATION in codec.kinds_


class MultiTaskEstimator(BaseEstimator):
    """What the three systems share; each says how views become one vector (`_fusion`)."""

    _at_least = 2

    _parameter_constraints: ClassVar[dict] = {
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
        "regression_loss": [StrOptions({"rmse", "huber"})],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "schedule": [StrOptions({"constant", "onecycle"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _fusion(self):
        """Options of `MultiViewNetwork` that tell this system from the others."""
        raise NotImplementedError

    def _find_views(self, X):
        return find_views(
            X.shape[1],
            self.views,
            getattr(self, "feature_names_in_", None),
            at_least=self._at_least,
        )

    def fit(self, X, y):
        """Learn all tasks at once.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_recordings, n_features)
            The views, side by side.
        y : DataFrame, or array-like of shape (n_recordings,) or (n_recordings, n_tasks)
            Targets; a missing label (None, NaN) does not count in its task's loss.

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
        X = validate_data(self, X, dtype=np.float32)
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        check_consistent_length(X, y)
        self._codec = TargetCodec(self.tasks).fit(y)
        self.tasks_ = dict(zip(self._codec.names_, self._codec.kinds_, strict=True))
        self.views_, blocks = self._find_views(X)
        device = self._device()
        inputs = as_tensor(X)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with one_thread(), seeded(seed, device):
            network = MultiViewNetwork(
                blocks,
                self._codec.widths_,
                encoder=self.encoder,
                n_tokens=self.n_tokens,
                token_dim=self.token_dim,
                hidden=tuple(self.hidden),
                head=self.head,
                dropout=self.dropout,
                input_noise=self.input_noise,
                **self._fusion(),
            )
            if self.scale:
                network.standardise(inputs)
            loss = MultiTaskLoss(
                self._codec.kinds_,
                self._weights(),
                self.loss_weighting,
                self.label_smoothing,
                self.regression_loss,
            )
            self.history_ = train(
                network,
                loss,
                inputs,
                torch.from_numpy(self._codec.encode(y)),
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                schedule=self.schedule,
                batch_size=self.batch_size,
                max_epochs=self.max_epochs,
                device=device,
                verbose=self.verbose,
            )
        self.module_ = network
        return self

    @property
    def classes_(self):
        """Labels of each classification column; the array itself for 1-D targets."""
        check_is_fitted(self)
        classes = self._codec.classes_
        return classes[0] if self._codec.flat_ and classes else classes

    def predict(self, X):
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
        outputs = self._outputs(X)
        return self._codec.decode(outputs, index=None if callable(index) else index)

    @available_if(_has_classes)
    def predict_proba(self, X):
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

    def score(self, X, y):
        """Mean over the tasks of accuracy (classes) and R squared (numbers).

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_recordings, n_features)
            The views, as in `fit`.
        y : as in `fit`
            True targets; missing labels do not count.

        Returns
        -------
        float
            At most 1. For one figure a task use `sfmforensics.metrics.task_scorers`.
        """
        true, predicted = as_frame(y), as_frame(self.predict(X))
        scores = []
        for position, kind in enumerate(self._codec.kinds_):
            known = true.iloc[:, position].notna().to_numpy()
            if not known.any():
                continue
            truth = true.iloc[:, position].to_numpy()[known]
            answer = predicted.iloc[:, position].to_numpy()[known]
            if kind == CLASSIFICATION:
                scores.append(np.mean(truth == answer))
            else:
                scores.append(r2_score(truth.astype(float), answer.astype(float)))
        if not scores:
            raise TargetError("there is no label to score against")
        return float(np.mean(scores))

    def _outputs(self, X):
        """What the network says: list of (n_recordings, outputs), float64."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        device = self._device()
        module = self.module_.to(device)
        with one_thread(), torch.inference_mode():
            parts = [
                [output.double().cpu().numpy() for output in module(rows.to(device))]
                for rows in as_tensor(X).split(_ROWS_AT_ONCE)
            ]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _device(self):
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return self.device

    def _weights(self):
        names = self._codec.names_
        if isinstance(self.loss_weights, dict):
            unknown = [name for name in self.loss_weights if name not in names]
            if unknown:
                raise TargetError(
                    f"loss_weights names {unknown[0]!r}, but the columns are "
                    f"{', '.join(map(str, names))}"
                )
            return [float(self.loss_weights.get(name, 0.33)) for name in names]
        if np.ndim(self.loss_weights) and len(self.loss_weights) != len(names):
            raise TargetError(
                f"loss_weights holds {len(self.loss_weights)} weights for {len(names)} tasks"
            )
        return self.loss_weights

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.non_deterministic = False
        return tags

    def __getstate__(self):
        # A model that was fitted on a GPU is loaded where there is none.
        if "module_" in self.__dict__:
            self.module_.to("cpu")
        return super().__getstate__()
