"""Mixed label columns to numbers that a network learns, and back."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np
import pandas as pd
from scipy.special import softmax

from sfmforensics.exceptions import TargetError
from sfmforensics.targets._bands import band_ends, bands, is_banded
from sfmforensics.targets._columns import (
    TargetTable,
    as_frame,
    as_text,
    mean_and_deviation,
    numbers_of,
    plain,
    points_of,
    refuse_numbered_speakers,
    sorted_labels,
    to_polars,
)
from sfmforensics.targets._votes import Votes, voted_classes, voted_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    from numpy.typing import ArrayLike

    from sfmforensics import _types as t

__all__ = ["CLASSIFICATION", "REGRESSION", "TargetCodec", "as_frame", "task_kind"]

CLASSIFICATION: Final = "classification"
"""Kind of a column of labels."""
REGRESSION: Final = "regression"
"""Kind of a column of numbers."""


def task_kind(values: t.Column) -> t.TaskKind:
    """Tell whether a column of labels is learnt as classes or as numbers.

    Parameters
    ----------
    values : Series or ndarray of shape (n_samples,)
        Labels; some may be missing.

    Returns
    -------
    {"classification", "regression"}
        Regression for a floating dtype and for bands of numbers, classification for any other.

    Examples
    --------
    >>> import pandas as pd
    >>> task_kind(pd.Series([31.0, None])), task_kind(pd.Series(["m", None]))
    ('regression', 'classification')
    """
    if is_banded(values):
        return REGRESSION
    dtype = getattr(values, "dtype", np.asarray(values).dtype)
    return REGRESSION if pd.api.types.is_float_dtype(dtype) else CLASSIFICATION


class TargetCodec:
    """Turn targets into a float matrix and a network's answers into the form of the targets.

    Parameters
    ----------
    tasks : {"auto", "classification", "regression"} or dict, default="auto"
        Kind of all columns, or by column, ``{"age": "regression"}``; columns that it does not name,
        or all with "auto", go by their dtype (`task_kind`).
    distribution : bool, default=False
        Whether numbers are learnt as scores of a network over `points_`, and given back as their
        expectation, rather than as one number.
    age_scale : {"standard", "years"}, default="standard"
        Whether numbers are standardised, or learnt in their own unit, which is that of the loss.
    precision : {"float32", "float64"}, default="float32"
        Number format of what `encode` gives and of `points_`.

    Attributes
    ----------
    names_ : list
        Columns of the targets.
    kinds_ : list of str
        "classification" or "regression" by column.
    classes_ : list of ndarray of shape (n_classes,)
        Sorted labels of each classification column, in column order.
    center_, scale_ : ndarray of shape (n_tasks,)
        Mean and standard deviation of the regression columns; 0 and 1 for classes, and for all with
        ``age_scale="years"``.
    banded_ : list of int
        Positions of the columns that hold bands, numbers known to lie between two ends.
    voted_ : list of int
        Positions of the columns whose votes are learnt, see `Votes`; empty if `fit` was not asked
        to, or if they say no more than the labels.
    points_ : list of (ndarray of shape (n_points,) or None)
        For each column that is learnt as a distribution, the standardised numbers that were seen;
        200 evenly spaced ones between the smallest and the largest if there are more.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.DataFrame({"gender": ["f", "m", None], "age": [20.0, 40.0, 30.0]})
    >>> codec = TargetCodec().fit(y)
    >>> codec.encode(y).round(2)
    array([[ 0.  , -1.22],
           [ 1.  ,  1.22],
           [  nan,  0.  ]], dtype=float32)
    >>> codec.decode(codec.settle([[[0.9, 0.1]], [[0.0]]]))
      gender   age
    0      f  30.0
    """

    _saved = ("form_", "flat_", "names_", "schema_", "kinds_", "_classes", "points_")
    _saved += ("center_", "scale_", "banded_", "voted_")
    """Attributes that a file of a fitted one holds, besides its parameters."""

    def __init__(
        self,
        tasks: t.Tasks = "auto",
        distribution: bool = False,
        age_scale: t.AgeScale = "standard",
        precision: Literal["float32", "float64"] = "float32",
    ) -> None:
        self.tasks = tasks
        self.distribution = distribution
        self.age_scale = age_scale
        self.precision = precision

    def fit(
        self,
        y: t.Targets | TargetTable,
        sample_weight: t.FloatArray | None = None,
        *,
        votes: bool = False,
    ) -> Self:
        """Learn classes, means and deviations.

        Parameters
        ----------
        y : array-like, DataFrame or TargetTable of shape (n_samples,) or (n_samples, n_tasks)
            Targets; missing labels (None, NaN) do not count.
        sample_weight : ndarray of shape (n_samples,) or None, default=None
            Weights of the rows in means and deviations.
        votes : bool, default=False
            Whether shares of votes will be learnt: then what nobody's label is, but some voted
            for, is a class, too.

        Returns
        -------
        self

        Raises
        ------
        TargetError
            There is no column, one has no label at all or such as `refuse_odd_labels` refuses, two
            have one name, a kind is unknown, or speakers are floats and nobody says what kind.
        """
        table = TargetTable.of(y)
        frame = table.frame
        self.form_, self.flat_, self.schema_ = table.form, table.flat, table.schema
        self.names_ = list(frame.columns)
        self.kinds_ = self._kinds(frame)
        self.voted_ = voted_columns(frame) if votes else []
        self._classes: list[t.Array | None] = []
        self.points_: list[t.Float32Array | t.FloatArray | None] = []
        self.banded_ = banded_columns(frame)
        center, scale = [], []
        for position, (name, kind) in enumerate(zip(self.names_, self.kinds_, strict=True)):
            column = frame.iloc[:, position]
            labelled = column.notna().to_numpy()
            known = column[labelled]
            if known.empty:
                raise TargetError(
                    f"column {name!r} holds no label in these {len(frame)} recordings; leave it "
                    "out, or, in a fold, use folds that each learn some"
                )
            if kind == REGRESSION:
                numbers = numbers_of(known, name)
                weights = None if sample_weight is None else sample_weight[labelled]
                mean, deviation = mean_and_deviation(numbers, weights, name)
                if self.age_scale == "years":
                    mean, deviation = 0.0, 1.0
                self._classes.append(None)
                center.append(mean)
                scale.append(deviation)
                if is_banded(known):  # what an answer within a band can be made of
                    numbers = _of_bands(known, numbers)
                scaled = (numbers - mean) / deviation
                points = points_of(scaled, self.precision) if self.distribution else None
                self.points_.append(points)
            else:
                if is_banded(known):
                    raise TargetError(
                        f"column {name!r} holds bands of numbers, which are learnt by regression, "
                        'and tasks says "classification"; to learn them as classes make them text '
                        "(astype(str))"
                    )
                if self.tasks == CLASSIFICATION and _continuous(known):
                    raise TargetError(
                        f"Unknown label type: column {name!r} holds continuous numbers, and tasks "
                        'says "classification"'
                    )
                if position in self.voted_:
                    known = _with_minorities(known)
                self._classes.append(sorted_labels(known))
                self.points_.append(None)
                center.append(0.0)
                scale.append(1.0)
        self.center_, self.scale_ = np.array(center), np.array(scale)
        return self

    def like(
        self,
        y: t.Targets | TargetTable,
        distribution: bool,
        precision: Literal["float32", "float64"] = "float32",
    ) -> Self:
        """The same codec for targets with the same columns and labels, in the form that they have.

        Parameters
        ----------
        y : as in `fit`
            Targets.
        distribution, precision
            As in ``__init__``.

        Returns
        -------
        TargetCodec

        Raises
        ------
        TargetError
            They have other columns, a label that was not there in `fit`, or their numbers were
            learnt the other way.
        """
        table, other = TargetTable.of(y), copy(self)
        frame = table.frame
        if distribution != self.distribution:
            raise TargetError(
                "warm_start cannot turn a model of numbers into one of distributions, or back; "
                "leave regression_loss as it was, or fit a new model (warm_start=False)"
            )
        if list(frame.columns) != self.names_:
            raise TargetError(
                f"the targets have the columns {', '.join(map(str, frame.columns))}, but the model "
                f"learnt {', '.join(map(str, self.names_))}; warm_start goes on with the same tasks"
            )
        for position, labels in enumerate(self._classes):
            column = _with_minorities(frame.iloc[:, position].dropna())
            new = set() if labels is None else set(plain(column)) - set(labels)
            if new:
                raise TargetError(
                    f"column {self.names_[position]!r} holds {min(new, key=str)!r}, a label that "
                    "the model did not learn; fit a new model on all labels (warm_start=False)"
                )
        other.precision, other.banded_ = precision, banded_columns(frame)
        other.voted_ = voted_columns(frame)
        other.form_, other.flat_, other.schema_ = table.form, table.flat, table.schema
        return other

    def renamed(self, columns: Collection[Hashable]) -> Self:
        """The same codec with numbers in the place of some columns' labels.

        Parameters
        ----------
        columns : collection of str
            Which; those that are not there, or are numbers already, do not matter.

        Returns
        -------
        TargetCodec
            Labels are "COLUMN 1" and so on, in the order of what they were; whole numbers from 1
            on, where they were numbers.
        """
        other = copy(self)
        other._classes = list(self._classes)
        for position, (name, labels) in enumerate(zip(self.names_, self._classes, strict=True)):
            if name not in columns or labels is None or labels.dtype.kind == "b":
                continue
            numbers = np.arange(1, len(labels) + 1)
            width = len(str(len(labels)))
            renamed: t.Array = (
                numbers.astype(labels.dtype)
                if labels.dtype.kind in "iuf"
                else np.array([f"{name} {number:0{width}}" for number in numbers], dtype=object)
            )
            other._classes[position] = renamed if labels.dtype.kind != "U" else renamed.astype(str)
            if self.schema_ is not None and labels.dtype.kind not in "iuf":
                other.schema_ = as_text(self.schema_, name)
        return other

    @property
    def classes_(self) -> list[t.Array]:
        """Labels of the classification columns, in column order."""
        return [labels for labels in self._classes if labels is not None]

    @property
    def widths_(self) -> list[int]:
        """Outputs that a network needs for each task."""
        widths = []
        for labels, points in zip(self._classes, self.points_, strict=True):
            choices = points if labels is None else labels
            widths.append(1 if choices is None else len(choices))
        return widths

    def encode(self, y: t.Targets | TargetTable) -> t.Float32Array | t.FloatArray:
        """Targets as numbers.

        Parameters
        ----------
        y : as in `fit`
            Targets with the same columns.

        Returns
        -------
        ndarray of shape (n_samples, n_tasks), of the format that `precision` names
            Index of the class, or standardised number; NaN where the label is missing or was not
            there in `fit`.
        """
        frame = y.frame if isinstance(y, TargetTable) else as_frame(y)
        encoded = np.full(frame.shape, np.nan, dtype=self.precision)
        for position, labels in enumerate(self._classes):
            column = frame.iloc[:, position]
            known = column.notna().to_numpy()
            if labels is None:
                numbers = numbers_of(column[known], self.names_[position])
                encoded[known, position] = (numbers - self.center_[position]) / self.scale_[
                    position
                ]
            else:
                values: Any = plain(column[known])
                codes = pd.Index(labels).get_indexer(values).astype(self.precision)
                codes[codes < 0] = np.nan
                encoded[known, position] = codes
        return encoded

    def edges(self, y: t.Targets | TargetTable) -> t.Float32Array | t.FloatArray:
        """Ends of the bands as numbers like those of `encode`.

        Parameters
        ----------
        y : as in `fit`
            Targets with the same columns.

        Returns
        -------
        ndarray of shape (n_samples, n_ends), of the format that `precision` names
            Lower and upper end for each column of `banded_`; the number itself, twice, where it is
            known, NaN where it is missing.
        """
        frame = y.frame if isinstance(y, TargetTable) else as_frame(y)
        ends = np.full((len(frame), 2 * len(self.banded_)), np.nan, dtype=self.precision)
        for place, position in enumerate(self.banded_):
            column = frame.iloc[:, position]
            sides = band_ends(column if is_banded(column) else bands(column))
            for side, numbers in enumerate(sides):
                scaled = (numbers - self.center_[position]) / self.scale_[position]
                ends[:, 2 * place + side] = scaled
        return ends

    def edges_at(self) -> dict[int, int]:
        """Where lower ends begin, if they stand behind the tasks, by position of the task."""
        return {task: len(self.names_) + 2 * place for place, task in enumerate(self.banded_)}

    def shares(self, y: t.Targets | TargetTable) -> t.Float32Array | t.FloatArray:
        """Shares of the votes for each class of the columns of `voted_`.

        Parameters
        ----------
        y : as in `fit`
            Targets with the same columns.

        Returns
        -------
        ndarray of shape (n_samples, n_shares), of the format that `precision` names
            A column for each class, those of one task side by side; a row sums to 1 in each task,
            and to 0 where its label is missing. Classes that were not there in `fit` are left out,
            and a recording of no other votes has 1 at its label.
        """
        frame = y.frame if isinstance(y, TargetTable) else as_frame(y)
        blocks = [np.zeros((len(frame), 0), dtype=self.precision)]
        for position in self.voted_:
            labels = self._classes[position]
            places = {} if labels is None else {label: place for place, label in enumerate(labels)}
            block = np.zeros((len(frame), len(places)), dtype=self.precision)
            for row, label in enumerate(frame.iloc[:, position]):
                of_row = label.shares if isinstance(label, Votes) else {}
                known = {places[name]: share for name, share in of_row.items() if name in places}
                if not known and not pd.isna(label) and label in places:
                    known = {places[label]: 1.0}
                total = sum(known.values())
                for place, share in known.items():
                    block[row, place] = share / total
            blocks.append(block)
        return np.hstack(blocks)

    def shares_at(self, width: int) -> dict[int, int]:
        """Where shares begin, if they are the last of so many columns, by position of the task."""
        at, end = {}, width
        for position in reversed(self.voted_):
            end -= self.widths_[position]
            at[position] = end
        return at

    def settle(self, outputs: Sequence[ArrayLike]) -> t.Array:
        """Decide on one answer a task, in numbers as those of `encode`.

        Parameters
        ----------
        outputs : list of array-like of shape (n_samples, n_outputs)
            For each task, scores of the classes or points, or the standardised number.

        Returns
        -------
        ndarray of shape (n_samples, n_tasks), float64; int64 if all tasks have classes
            Index of the class, or standardised number.
        """
        settled = []
        for position, output in enumerate(map(np.asarray, outputs)):
            if self._classes[position] is None:
                settled.append(self._expectation(position, output))
            else:
                settled.append(output.argmax(axis=1))
        return np.column_stack(settled)

    def decode(self, encoded: t.Array, index: pd.Index | None = None) -> t.Answers:
        """Answers in the form of the targets.

        Parameters
        ----------
        encoded : ndarray of shape (n_samples, n_tasks)
            Numbers as those of `encode`, none of them missing.
        index : Index or None, default=None
            Index of the frame that is returned.

        Returns
        -------
        DataFrame, or ndarray of shape (n_samples,) or (n_samples, n_tasks)
            As the targets were in `fit`.
        """
        columns = {}
        for position, (name, labels) in enumerate(zip(self.names_, self._classes, strict=True)):
            column = encoded[:, position]
            if labels is None:
                columns[name] = self.years(position, column)
            else:
                columns[name] = labels[column.astype(int)]
        if self.form_ == "frame":
            return pd.DataFrame(columns, index=index, columns=pd.Index(self.names_))
        if self.form_ == "polars":
            return to_polars(columns, self.schema_)
        if self.flat_:
            return columns[self.names_[0]]
        arrays = list(columns.values())
        if len({array.dtype for array in arrays}) > 1:
            arrays = [array.astype(object) for array in arrays]
        return np.column_stack(arrays)

    def _expectation(self, position: int, output: t.Array) -> t.Array:
        points = self.points_[position]
        return output[:, 0] if points is None else softmax(output, axis=1) @ points

    def years(self, position: int, numbers: ArrayLike) -> t.FloatArray:
        """Standardised numbers of a regression task in their own unit, as float64."""
        numbers = np.asarray(numbers, dtype=np.float64)
        return numbers * self.scale_[position] + self.center_[position]

    def _kinds(self, frame: pd.DataFrame) -> list[t.TaskKind]:
        tasks: Any = self.tasks
        kinds = {} if tasks is None or isinstance(tasks, str) else dict(tasks)
        if isinstance(self.tasks, str) and self.tasks in (CLASSIFICATION, REGRESSION):
            kinds = dict.fromkeys(self.names_, self.tasks)
        elif isinstance(self.tasks, str) and self.tasks != "auto":
            raise TargetError(
                f'tasks is {self.tasks!r}; use "auto", "classification", "regression" or '
                '{"age": "regression"}'
            )
        for name, kind in kinds.items():
            if kind not in (CLASSIFICATION, REGRESSION):
                raise TargetError(
                    f'tasks says {kind!r} for {name!r}; use "classification" or "regression"'
                )
            if name not in self.names_:
                raise TargetError(
                    f"tasks names {name!r}, but the columns are {', '.join(map(str, self.names_))}"
                )
        for position, name in enumerate(self.names_):
            if name not in kinds:
                refuse_numbered_speakers(name, frame.iloc[:, position])
        return [
            kinds.get(name, task_kind(frame.iloc[:, position]))
            for position, name in enumerate(self.names_)
        ]


def banded_columns(frame: pd.DataFrame) -> list[int]:
    """Positions of the columns of bands."""
    return [place for place in range(frame.shape[1]) if is_banded(frame.iloc[:, place])]


def _of_bands(known: pd.Series, middles: t.FloatArray) -> t.FloatArray:
    """Numbers that bands are made of: finite ends and middles."""
    ends = np.concatenate(band_ends(known))
    return np.concatenate([middles, ends[np.isfinite(ends)]])


def _with_minorities(known: pd.Series) -> pd.Series:
    """Labels of a column, and all that somebody voted for."""
    voted = voted_classes(known)
    return pd.concat([known, pd.Series(voted, dtype=object)]) if voted else known


def _continuous(known: pd.Series) -> bool:
    return task_kind(known) == REGRESSION and bool((known % 1 != 0).any())
