"""The systems of the paper as scikit-learn estimators: one view, concatenation, transport."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sfmforensics.estimators._base import MultiTaskEstimator
from sfmforensics.estimators._parameters import check_inputs, check_widths, documented, keep
from sfmforensics.nn.fusion import DIRECTIONS
from sfmforensics.nn.network import network_plans
from sfmforensics.nn.runtime import as_tensor, filled_blocks, one_thread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sfmforensics import _types as t


@documented
class SingleView(MultiTaskEstimator):
    """One view: the paper's SVST for one target column, its SVMT for several.

    All columns of `X` are taken as one view.

    Parameters
    ----------
    [common]

    Attributes
    ----------
    [fitted]

    References
    ----------
    .. [1] The paper, section 4, Figure 1; Tables 1 and 2.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> X = np.random.default_rng(0).normal(size=(40, 20)).astype("float32")
    >>> y = pd.DataFrame({"gender": np.where(X[:, 0] > 0, "f", "m"), "age": 40 + 5.0 * X[:, 1]})
    >>> SingleView(max_epochs=2, random_state=0).fit(X, y).predict(X[:2]).columns.tolist()
    ['gender', 'age']
    """

    _at_least = 1

    def __init__(
        self,
        *,
        tasks: t.Tasks = "auto",
        encoder: t.Encoder = "conv",
        n_tokens: int = 8,
        token_dim: int = 64,
        hidden: Sequence[int] = (200, 64, 56),
        head: int = 30,
        dropout: float = 0.0,
        input_noise: float = 0.0,
        scale: bool = True,
        loss_weights: t.LossWeights = 0.33,
        loss_weighting: t.LossWeighting = "fixed",
        regression_loss: t.RegressionLoss = "rmse",
        age_scale: t.AgeScale = "standard",
        class_weight: t.ClassWeight = None,
        label_smoothing: float = 0.0,
        number_smoothing: float = 0.0,
        mixup: float = 0.0,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: t.Schedule = "constant",
        batch_size: int = 32,
        max_epochs: t.Epochs = 30,
        n_members: int = 1,
        early_stopping: bool = False,
        validation: float | t.Splitter = 0.1,
        patience: int = 10,
        warm_start: bool = False,
        device: str = "auto",
        precision: t.Precision = "float32",
        random_state: t.RandomState = None,
        verbose: int = 0,
    ) -> None:
        keep(self, locals())

    def _fusion(self) -> dict[str, Any]:
        return {"fusion": "concatenation"}

    def _find_views(self, X: t.Array) -> tuple[list[str], list[t.IntArray]]:
        return ["x1"], [np.arange(X.shape[1])]


@documented
class ConcatFusion(MultiTaskEstimator):
    """Two or more views side by side: the paper's baseline for fusion (MVMT, concatenation).

    Parameters
    ----------
    [common]
    view_hidden : sequence of int, default=(200, 64, 56)
        Fully connected layers of each view before the views meet (paper, section 4; their sizes
        are those of its single-task models, appendix 9.1); () joins
        their tokens as they are, which is what `TANGO` does besides transporting them.

    Attributes
    ----------
    [fitted]

    Notes
    -----
    In our measurements as accurate as `TANGO`, in 55 to 60 % of its time; see its notes.

    References
    ----------
    .. [1] The paper, section 4, Figure 2a; Tables 3 to 5.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(40, 20)).astype("float32")
    >>> model = ConcatFusion(views=[8, 12], max_epochs=2, random_state=0).fit(X, X[:, 0] > 0)
    >>> model.classes_
    array([False,  True])
    """

    _parameter_constraints = MultiTaskEstimator._parameter_constraints | {
        "view_hidden": ["array-like"]
    }

    def __init__(
        self,
        *,
        views: t.Views = "auto",
        tasks: t.Tasks = "auto",
        encoder: t.Encoder = "conv",
        n_tokens: int = 8,
        token_dim: int = 64,
        view_hidden: Sequence[int] = (200, 64, 56),
        hidden: Sequence[int] = (200, 64, 56),
        head: int = 30,
        dropout: float = 0.0,
        input_noise: float = 0.0,
        scale: bool = True,
        loss_weights: t.LossWeights = 0.33,
        loss_weighting: t.LossWeighting = "fixed",
        regression_loss: t.RegressionLoss = "rmse",
        age_scale: t.AgeScale = "standard",
        class_weight: t.ClassWeight = None,
        label_smoothing: float = 0.0,
        number_smoothing: float = 0.0,
        mixup: float = 0.0,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: t.Schedule = "constant",
        batch_size: int = 32,
        max_epochs: t.Epochs = 30,
        n_members: int = 1,
        early_stopping: bool = False,
        validation: float | t.Splitter = 0.1,
        patience: int = 10,
        warm_start: bool = False,
        device: str = "auto",
        precision: t.Precision = "float32",
        random_state: t.RandomState = None,
        verbose: int = 0,
    ) -> None:
        keep(self, locals())

    def _fusion(self) -> dict[str, Any]:
        return {
            "fusion": "concatenation",
            "view_hidden": check_widths("view_hidden", self.view_hidden),
        }


@documented
class TANGO(MultiTaskEstimator):
    """Two or more views, gated and transported onto one another (TANGO).

    Parameters
    ----------
    [common]
    direction : {"both", "x1->x2", "x2->x1"}, default="both"
        Which transported tokens are used. "x1->x2": those of view 1 join view 2 (equation 2);
        "x2->x1": those of view 2 join view 1 (equation 1). With more views, those of the earlier
        join the later ones, or the other way round.
    reg : float, default=0.1
        Entropy of the plan, in units of the largest distance; the paper gives none. At 0.1 plans
        are nearly uniform and transport is close to averaging; see ``history_`` for how sharp they
        are.
    max_iter : int or "auto", default="auto"
        Sinkhorn iterations; "auto" is 2 / reg, at least 20 and at most 1000, more with a `mass`
        below 0.4, and more for recordings of which a thousandth of the mass is still misplaced
        then: below reg=0.02 several times as many.
    grad : {"implicit", "autodiff", "last_step", "detach"}, default="implicit"
        How gradients pass through the plan: as those of the optimum, through all iterations,
        through the last, or not at all.
    mass : float, default=1.0
        Share of the tokens' mass that is transported, in [0.05, 1]. Below 1 transport is
        unbalanced (partial): what matches badly is left out. The paper has 1.
    transport : {"plan", "barycentric"}, default="plan"
        Multiply by the plan, as the equations say, or by the plan over the tokens' weights, so
        that transported tokens are averages (with less `mass`, of what was transported, and 0).
    gated : bool, default=True
        Whether tokens pass x * sigmoid(x) first.
    transport_weight : float, default=0.0
        Weight of the transport cost <gamma, M>, mean over recordings and pairs of views, in the
        loss: above 0 views are drawn together. The paper has no such term.

    Attributes
    ----------
    [fitted]

    Notes
    -----
    Transport is between the tokens of one recording, so no prediction depends on which other
    recordings are predicted with it.

    `TANGO` or `ConcatFusion`? With the tuned settings no task tells them apart beyond chance, on
    BAVED with three views (``benchmarks/results/accuracy-baved.md``). Five networks, 3 seeds:
    closed, transport is 0.0 points ahead in speaker, 0.1 in emotion and 0.1 years in age; with
    voices never heard 1.2 points in emotion (p 0.23) and 0.1 years behind. One network, 5 seeds, as
    many parameters: 0.2 and 0.3 points behind and 0.1 years ahead; 1.1 points ahead in emotion (p
    0.41) and 0.3 years with voices never heard. Nor does it matter that the plan chooses: at
    ``reg=1000``, where it is uniform, nothing changes (p >= 0.6). With stretches of time as tokens
    transport is ahead of concatenation, most with voices never heard (emotion 4.2 points, p 0.05;
    the rest p > 0.1), but both are behind the averages over the recording
    (``benchmarks/results/time-baved.md``). It takes 1.6 times as long to fit with two views and 1.8
    times with three. So take concatenation where time counts, and transport where your tokens are
    stretches of time, where you follow the paper or look at the plans, or have measured that it
    serves your data.

    References
    ----------
    .. [1] The paper, section 4.1, equations 1 to 3, Figure 2b; Tables 3 to 5 and 7 to 9.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> X = np.random.default_rng(0).normal(size=(40, 20)).astype("float32")
    >>> y = pd.DataFrame({"gender": np.where(X[:, 0] > 0, "f", "m"), "age": 40 + 5.0 * X[:, 1]})
    >>> model = TANGO(views=[8, 12], max_epochs=2, random_state=0).fit(X, y)
    >>> model.tasks_
    {'gender': 'classification', 'age': 'regression'}
    >>> model.transport_plan(X)["x1", "x2"].shape
    (40, 2, 3)
    """

    _parameter_constraints = MultiTaskEstimator._parameter_constraints | {
        "direction": [StrOptions(set(DIRECTIONS))],
        "reg": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "grad": [StrOptions({"implicit", "autodiff", "last_step", "detach"})],
        "mass": [Interval(Real, 0.05, 1, closed="both")],
        "transport": [StrOptions({"plan", "barycentric"})],
        "gated": ["boolean"],
        "transport_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        views: t.Views = "auto",
        tasks: t.Tasks = "auto",
        encoder: t.Encoder = "conv",
        n_tokens: int = 8,
        token_dim: int = 64,
        direction: t.Direction = "both",
        reg: float = 0.1,
        max_iter: t.Epochs = "auto",
        grad: t.Gradient = "implicit",
        mass: float = 1.0,
        transport: t.Transport = "plan",
        gated: bool = True,
        transport_weight: float = 0.0,
        hidden: Sequence[int] = (200, 64, 56),
        head: int = 30,
        dropout: float = 0.0,
        input_noise: float = 0.0,
        scale: bool = True,
        loss_weights: t.LossWeights = 0.33,
        loss_weighting: t.LossWeighting = "fixed",
        regression_loss: t.RegressionLoss = "rmse",
        age_scale: t.AgeScale = "standard",
        class_weight: t.ClassWeight = None,
        label_smoothing: float = 0.0,
        number_smoothing: float = 0.0,
        mixup: float = 0.0,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: t.Schedule = "constant",
        batch_size: int = 32,
        max_epochs: t.Epochs = 30,
        n_members: int = 1,
        early_stopping: bool = False,
        validation: float | t.Splitter = 0.1,
        patience: int = 10,
        warm_start: bool = False,
        device: str = "auto",
        precision: t.Precision = "float32",
        random_state: t.RandomState = None,
        verbose: int = 0,
    ) -> None:
        keep(self, locals())

    def _fusion(self) -> dict[str, Any]:
        names = ("direction", "reg", "max_iter", "grad", "mass", "transport", "gated")
        names += ("transport_weight",)
        return {
            "fusion": "transport",
            "transport": {name: getattr(self, name) for name in names},
        }

    def transport_plan(self, X: t.Matrix) -> dict[tuple[str, str], t.Float32Array | t.FloatArray]:
        """Transport plans between the views of each recording.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_recordings, n_features)
            The views, as in `fit`.

        Returns
        -------
        dict of (str, str) to ndarray of shape (n_recordings, L1, L2)
            By pair of views: gamma, whose rows sum to 1 / L1 and columns to 1 / L2, or to less
            with less `mass`. With several `n_members` (n_recordings, n_members, L1, L2): each
            network has tokens and plans of its own, and nothing goes from one to another.
            float64 with that `precision`, float32 otherwise.
        """
        check_is_fitted(self)
        X = check_inputs(self, X, reset=False)
        blocks = filled_blocks(as_tensor(X))
        with one_thread():
            parts = [network_plans(self.module_.to("cpu"), block) for block in blocks]
        plans = [torch.cat(plans)[: len(X)] for plans in zip(*parts, strict=True)]
        network = self.module_
        pairs = network.pairs if hasattr(network, "members") else network.fusion.pairs
        return {
            (self.views_[first], self.views_[second]): plan.numpy()
            for (first, second), plan in zip(pairs, plans, strict=True)
        }
