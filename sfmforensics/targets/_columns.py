"""A column of labels: without the types of the library that it came from, in order, as numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d

from sfmforensics.exceptions import TargetError, shown
from sfmforensics.targets._bands import bands, is_banded, middles
from sfmforensics.targets._votes import have_votes

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from numpy.typing import DTypeLike

    from sfmforensics._types import (
        Array,
        Column,
        Float32Array,
        FloatArray,
        IntArray,
        Targets,
    )


UNKNOWN_SPEAKER = ""
"""Group of the recordings whose speaker is not known. A label is never blank, so it is free."""

_MOST_POINTS = 200


def as_frame(y: Targets) -> pd.DataFrame:
    """Accept targets in any form as a DataFrame, one column a task.

    Parameters
    ----------
    y : DataFrame, Series, ndarray of shape (n_samples,) or (n_samples, n_tasks), or sequence
        Targets.

    Returns
    -------
    DataFrame
        Columns as given; "y", or "y0", "y1", ..., where there are no names.

    Raises
    ------
    TargetError
        They are a dict, one text or nothing, or two columns have one name.

    Examples
    --------
    >>> as_frame([1, 2]).columns.tolist()
    ['y']
    """
    if isinstance(y, pd.Series):
        y = y.to_frame(y.name if y.name is not None else "y")
    if isinstance(y, pd.DataFrame):
        if not y.columns.is_unique:
            name = y.columns[y.columns.duplicated()][0]
            raise TargetError(f"the targets have two columns called {name!r}; rename one")
        return with_floats(y)
    other: Any = y
    if is_polars(other):
        columns = other.get_columns() if hasattr(other, "get_columns") else [other]
        return pd.DataFrame({column.name or "y": from_polars(column) for column in columns})
    if hasattr(other, "to_pandas"):
        return as_frame(other.to_pandas())
    if y is None or isinstance(y, (dict, str, bytes)) or np.isscalar(y):
        raise TargetError(
            f"the targets are {shown(y)}, a {type(y).__name__}; give a DataFrame (of a dict: "
            "pd.DataFrame(y)), an array or a list, with one row a recording"
        )
    # A list of several types must not become one of strings.
    values = np.asarray(y, dtype=None if hasattr(y, "dtype") else object)
    if values.ndim == 2 and values.shape[1] > 1:
        columns = {f"y{i}": column for i, column in enumerate(values.T)}
    else:
        columns = {"y": column_or_1d(values, warn=True)}
    return pd.DataFrame({name: with_dtype(column) for name, column in columns.items()})


@dataclass(frozen=True)
class TargetTable:
    """Targets that were checked once: as a frame, and the form that answers are given in.

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_tasks)
        As `as_frame` gives it.
    form : {"frame", "polars", "array"}
        What they were.
    flat : bool
        Whether they were 1-D.
    schema : object
        Of polars' columns; None for any other form.
    y : as in an estimator's `fit`, or None
        As they were; None for a part of them.
    """

    frame: pd.DataFrame
    form: str
    flat: bool
    schema: Any = None
    y: Any = None

    @classmethod
    def of(cls, y: Targets | TargetTable) -> TargetTable:
        """Check targets, unless they are checked already.

        Examples
        --------
        >>> TargetTable.of(["a", "b"]).flat
        True
        """
        if isinstance(y, TargetTable):
            return y
        frame = as_frame(y)
        refuse_odd_labels(frame)
        form, flat = form_of(y, frame)
        schema = getattr(y, "schema", None) if form == "polars" else None
        return cls(frame, form, flat, schema, y)

    def take(self, rows: IntArray) -> TargetTable:
        """Give some rows of them."""
        return replace(self, frame=self.frame.iloc[rows], y=None)


def label_codes(labels: Column) -> tuple[IntArray, Array]:
    """Number labels of any type, tuples included, in the order in which they come.

    Examples
    --------
    >>> label_codes([("a", 1), None, ("a", 2), ("a", 1)])[0]
    array([ 0, -1,  1,  0])
    """
    if getattr(labels, "ndim", 1) != 1:
        labels = column_or_1d(labels, warn=True)
    return pd.factorize(pd.Series(list(labels), dtype=object).to_numpy())


def refuse_odd_labels(frame: pd.DataFrame) -> None:
    """Refuse labels of which nobody can say which are the same.

    Examples
    --------
    >>> refuse_odd_labels(pd.DataFrame({"age": [20.0, "thirty"]}))
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.TargetError: column 'age' holds numbers such as 20.0 and text such as
    'thirty' (row 1); correct it, leave it blank, or make all of them text
    """
    if not frame.shape[1]:
        raise TargetError("the targets have no column; give labels of at least one task")
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        if column.dtype != object:
            continue
        known = column.notna().to_numpy()
        values = column.to_numpy()[known]
        rows = np.flatnonzero(known).tolist()
        kinds = dict(zip(map(type, values), rows, strict=True))  # the last of each
        for kind, row in kinds.items():
            if pd.api.types.is_list_like(column.iloc[row]):
                raise TargetError(
                    f"column {name!r} holds a {kind.__name__}, {shown(column.iloc[row])} (row "
                    f"{row}); give one label a cell"
                )
        if len(kinds) > 1:
            _refuse_mixed(kinds, column, name)


def refuse_numbered_speakers(name: Hashable, column: pd.Series) -> None:
    """Refuse speakers that would be learnt as numbers, as pandas makes of integers with gaps.

    Examples
    --------
    >>> refuse_numbered_speakers("speaker", pd.Series([46, None]))
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.TargetError: column 'speaker' holds floats such as 46.0, which would be
    learnt as numbers, but a speaker is a name; make it text or whole numbers, as in astype("Int64")
    """
    if name == "speaker" and pd.api.types.is_float_dtype(column.dtype):
        known = column.dropna()
        first = f" such as {known.iloc[0]}" if len(known) else ""
        raise TargetError(
            f"column 'speaker' holds floats{first}, which would be learnt as numbers, but a "
            'speaker is a name; make it text or whole numbers, as in astype("Int64")'
        )


def _refuse_mixed(kinds: dict[type, int], column: pd.Series, name: Hashable) -> None:
    rows = {_sort_of(kind): row for kind, row in kinds.items()}
    sorts = [sort for sort in ("numbers", "truth values", "text") if sort in rows]
    if len(sorts) > 1:
        one, other = (rows[sort] for sort in sorts[:2])
        raise TargetError(
            f"column {name!r} holds {sorts[0]} such as {shown(column.iloc[one])} and {sorts[1]} "
            f"such as {shown(column.iloc[other])} (row {other}); correct it, leave it blank, or "
            "make all of them text"
        )


def _sort_of(kind: type) -> str | type:
    """What labels of a type are, where it matters that they are not of another."""
    if issubclass(kind, str):
        return "text"
    if issubclass(kind, (bool, np.bool_)):
        return "truth values"
    return "numbers" if issubclass(kind, (Real, np.number)) else kind


def is_polars(y: Targets) -> bool:
    """Whether this is a polars DataFrame or Series, without importing polars."""
    return type(y).__module__.partition(".")[0] == "polars"


def form_of(y: Targets, frame: pd.DataFrame) -> tuple[str, bool]:
    """The form of the targets, "frame", "polars" or "array", and whether they are 1-D."""
    form = "frame" if isinstance(y, pd.DataFrame) else "array"
    if is_polars(y) and hasattr(y, "get_columns"):
        form = "polars"
    return form, frame.shape[1] == 1 and len(getattr(y, "shape", (0,))) == 1


def from_polars(column: Any) -> pd.Series:
    """A polars Series as a pandas one, without the pyarrow that polars itself would ask for."""
    if column.dtype.is_float() or (column.dtype.is_integer() and not column.null_count()):
        return pd.Series(column.to_numpy())
    return pd.Series(column.to_list(), dtype=object if column.dtype.is_integer() else None)


def to_polars(columns: Mapping[str, Array], schema: Any) -> Any:
    """Answers as a polars frame, of the types of the targets; means of integers stay floats."""
    import polars

    answers = []
    for name, values in columns.items():
        answer = polars.Series(name, values if values.dtype.kind == "M" else values.tolist())
        numbers = schema[name].is_integer() or schema[name] == polars.Object  # of bands
        if not (answer.dtype.is_float() and numbers):
            answer = answer.cast(schema[name])
        answers.append(answer)
    return polars.DataFrame(answers)


def with_dtype(column: pd.Series | Array) -> pd.Series:
    """A column of an array; one of objects gets the type that its labels have, gaps or not."""
    if isinstance(column, np.ndarray) and column.dtype == object and have_votes(column):
        return pd.Series(column, dtype=object)  # lest pandas makes plain text of them
    column = pd.Series(column)
    if column.dtype != object or have_votes(column):
        return column
    known = column[column.notna()].infer_objects()
    if is_banded(known) or any(isinstance(one, pd.Interval) for one in known):
        return bands(column, str(column.name))
    if pd.api.types.is_float_dtype(known.dtype):
        return column.where(column.notna(), np.nan).astype(known.dtype)
    return column.astype(known.dtype) if len(known) == len(column) else column


def with_floats(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose columns of objects that hold only floats and gaps are columns of floats."""
    columns = [frame.iloc[:, position] for position in range(frame.shape[1])]
    floats = [column if column.dtype != object else with_dtype(column) for column in columns]
    changed = [pd.api.types.is_float_dtype(new) or is_banded(new) for new in floats]
    if not any(new and old.dtype == object for new, old in zip(changed, columns, strict=True)):
        return frame
    pairs = zip(columns, floats, changed, strict=True)
    return pd.concat([new if change else old for old, new, change in pairs], axis=1)


def mean_and_deviation(
    numbers: FloatArray, weights: FloatArray | None, name: Hashable
) -> tuple[float, float]:
    """Mean and standard deviation of a column; 1 for one that hardly varies."""
    # What all have in common is taken from them first: a large mean would take their digits.
    apart = numbers - numbers[0]
    mean = numbers[0] + np.average(apart, weights=weights)
    most = np.abs(numbers - mean).max()  # lest squares of large numbers overflow
    shares = (numbers - mean) / (most or 1.0)
    deviation = most * np.sqrt(np.average(shares**2, weights=weights))
    if not np.isfinite(deviation):
        raise TargetError(
            f"column {name!r} holds numbers too large to be learnt; correct or blank them"
        )
    still = deviation <= 8 * np.finfo(np.float64).eps * abs(mean)
    return mean, 1.0 if still or not deviation else deviation


def plain(column: pd.Series) -> Array:
    """Labels without pandas' own types, so that they come back as they went in."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.is_extension_array_dtype(column.dtype):
        kind = getattr(column.dtype, "kind", "O")
        dtype: Any = {"i": "int64", "u": "uint64", "b": bool}.get(kind, object)
        return column.to_numpy(dtype=dtype)
    return column.to_numpy()


def sorted_labels(known: pd.Series) -> Array:
    """The distinct labels of a column without gaps, in order; of votes the labels alone."""
    labels = pd.unique(plain(known))
    if have_votes(labels):
        labels = np.array(list(map(str, labels)), dtype=object)
    try:
        return np.sort(labels)
    except TypeError:  # labels of several types have no order of their own
        return np.array(sorted(labels, key=lambda label: (str(type(label)), label)), dtype=object)


def points_of(numbers: FloatArray, dtype: DTypeLike = np.float32) -> Float32Array | FloatArray:
    """The distinct numbers, ascending; evenly spaced ones between the ends if there are many."""
    points = np.unique(numbers.astype(dtype))
    if len(points) > _MOST_POINTS:
        points = np.linspace(points[0], points[-1], _MOST_POINTS, dtype=dtype)
    return points


def numbers_of(column: pd.Series, name: Hashable) -> FloatArray:
    """A column as float64; an infinite number, or what is no number, is refused by its name.

    Of bands it is their middles.
    """
    column = middles(column)
    try:
        numbers = column.to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TargetError(
            f"column {name!r} is learnt as numbers, but: {error}; correct it, or leave it blank"
        ) from error
    if not np.isfinite(numbers).all():
        raise TargetError(f"column {name!r} holds an infinite number; correct or blank it")
    return numbers


def as_text(schema: Any, name: str) -> Any:
    """A schema of polars in which a column is text, whatever it was."""
    import polars

    return type(schema)(dict(schema) | {name: polars.String})
