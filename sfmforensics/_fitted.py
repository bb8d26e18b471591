"""What an estimator of views is told and keeps, and how scikit-learn and a pickle see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from sfmforensics._parameters import with_type
from sfmforensics._versions import CarriesVersions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sklearn.utils import Tags

    from sfmforensics import _types as t
    from sfmforensics.targets import TargetCodec


class ViewsEstimator(
    CarriesVersions, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """An estimator with the parameters of `sfmforensics._parameters`, fitted or not yet."""

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

    def _members(self) -> Any:
        return getattr(self.module_, "members", [self.module_])

    @property
    def _n_features_out(self) -> int:
        return self.module_.width

    def _device(self) -> str:
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return str(self.device)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.non_deterministic = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return with_type(tags, self.tasks)

    def __getstate__(self) -> dict[str, Any]:
        # A model that was fitted on a GPU is loaded where there is none.
        if "module_" in self.__dict__:
            self.module_.to("cpu")
        return super().__getstate__()
