"""Types that signatures share; type checkers read them, nothing needs them when it runs.

Modules import them under ``if TYPE_CHECKING``, so that they cost no time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pandas.api.extensions import ExtensionArray

if TYPE_CHECKING:
    import polars
    from torch import nn

PathLike: TypeAlias = str | os.PathLike[str]
"""A file or a folder."""

Array: TypeAlias = NDArray[Any]
"""An array of any type."""
FloatArray: TypeAlias = NDArray[np.float64]
Float32Array: TypeAlias = NDArray[np.float32]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

Signal: TypeAlias = NDArray[np.float32]
"""Mono samples at 16 kHz, of shape (n_samples,)."""

Matrix: TypeAlias = pd.DataFrame | ArrayLike
"""The views side by side, (n_recordings, n_features)."""
Column: TypeAlias = pd.Series | pd.Index | ExtensionArray | Array | Sequence[Any]
"""One label or number a recording, (n_recordings,)."""
Targets: TypeAlias = (
    "pd.DataFrame | pd.Series | polars.DataFrame | polars.Series | Array | Sequence[Any]"
)
"""Labels of one task or several."""
Answers: TypeAlias = "pd.DataFrame | polars.DataFrame | Array"
"""Predictions, in the form that the targets had in `fit`."""
Split: TypeAlias = tuple[IntArray, IntArray]
"""Rows of the training and of the test side."""
Labels: TypeAlias = "Targets | None"
Groups: TypeAlias = Column | None
On: TypeAlias = Hashable | list[Any] | None
"""One column of the targets, or several."""

Rng: TypeAlias = np.random.RandomState | None
RandomState: TypeAlias = int | np.random.RandomState | None
"""What `sklearn.utils.check_random_state` takes."""
OnError: TypeAlias = Literal["stop", "skip"]
"""What becomes of a recording that cannot be used."""
Handling: TypeAlias = Literal["stop", "skip", "use"]
"""The same, and "use" for one whose end is missing: what is there is used."""
Channel: TypeAlias = int | Literal["auto", "mix"]
"""Which channel of a recording is heard, counted from 1."""
Truncated: TypeAlias = Literal["refuse", "use"]
"""What becomes of a file whose end is missing."""

Layer: TypeAlias = Literal["last", "mean"] | int
Pooling: TypeAlias = Literal["mean", "mean+std"]
DType: TypeAlias = Literal["float32", "float16", "bfloat16"]

TaskKind: TypeAlias = Literal["classification", "regression"]
Tasks: TypeAlias = Literal["auto", "classification", "regression"] | dict[Any, TaskKind] | None
Views: TypeAlias = Literal["auto"] | Sequence[int] | Array
Encoder: TypeAlias = "Literal['conv', 'tokens'] | Callable[[int], nn.Module]"
LossWeights: TypeAlias = float | Sequence[float] | dict[Any, float]
LossWeighting: TypeAlias = Literal["fixed", "uncertainty", "dwa"]
RegressionLoss: TypeAlias = Literal["rmse", "huber", "ccc", "distribution"]
AgeScale: TypeAlias = Literal["standard", "years"]
ClassWeight: TypeAlias = Literal["balanced"] | dict[Any, Any] | None
Schedule: TypeAlias = Literal["constant", "onecycle"]
Epochs: TypeAlias = int | Literal["auto"]
Precision: TypeAlias = Literal["float32", "bfloat16", "float64"]
Direction: TypeAlias = Literal["both", "x1->x2", "x2->x1"]
Gradient: TypeAlias = Literal["implicit", "autodiff", "last_step", "detach"]
Transport: TypeAlias = Literal["plan", "barycentric"]

Protocols: TypeAlias = Literal["closed", "disjoint", "both"]
Folds: TypeAlias = int | Literal["speakers"]
Model: TypeAlias = Literal["tango", "concat", "single", "svm"]
Preset: TypeAlias = Literal["paper", "tuned"]


class Splitter(Protocol):
    """Deals recordings out to folds, as the splitters of scikit-learn and of this package do."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Split]:
        """Generate the rows to train and test on."""

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Give the number of splits."""


class Advance(Protocol):
    """Moves a bar by some steps, and says what is being done; see `_utils.progress`."""

    def __call__(self, steps: int, note: str = "") -> None:
        """Move it."""
