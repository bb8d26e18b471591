"""What an estimator of views is told and keeps, and how scikit-learn and a pickle see it."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING

import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from sfmforensics._parameters import with_type
from sfmforensics._utils.versions import CarriesVersions
from sfmforensics.exceptions import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

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
