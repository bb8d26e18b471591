"""What an explanation holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
