"""Numbers that are known to lie between two others, such as an age of 20 to 29 years."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sfmforensics.exceptions import TargetError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sfmforensics._types import Array, Column, FloatArray

_FLAGS = re.ASCII | re.IGNORECASE
_N = r"(\d+(?:\.\d*)?|\.\d+)"
_SIGNED = r"([+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf))"
_EXACT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", _FLAGS)
_BETWEEN = re.compile(rf"{_N}\s*(?:[-\u2013\u2014\u2212]|to|\.\.)\s*{_N}", _FLAGS)
_BRACKETS = re.compile(rf"[\[(]\s*{_SIGNED}\s*,\s*{_SIGNED}\s*[\])]", _FLAGS)
_LEAST = re.compile(
    rf"(?:>=|\u2265)\s*{_N}|{_N}\s*(?:\+|(?:and|or) (?:over|older|more|up))", _FLAGS
)
_ABOVE = re.compile(rf"(?:>|over|above)\s*{_N}", _FLAGS)
_MOST = re.compile(rf"(?:<=|\u2264|up to)\s*{_N}", _FLAGS)
_BELOW = re.compile(rf"(?:<|under|below)\s*{_N}", _FLAGS)
_TENS = ("twen", "thir", "for", "fif", "six", "seven", "eigh", "nine")
_DECADES = dict(zip(range(20, 100, 10), _TENS, strict=True))
_WORDS = {f"{word}ties": (start, start + 9) for start, word in _DECADES.items()}
_WORDS |= {f"{start}s": (start, start + 9) for start in _DECADES}
_WORDS |= {"teens": (13, 19), "fourties": (40, 49)}


def bands(values: Iterable[Any] | Column, name: str = "age") -> pd.Series:
    """Make a column of numbers of which some, or all, are known to lie between two ends.

    Such a column is learnt by regression, and each label says what it knows: an answer within the
    band is right, one outside of it is off by its distance to the nearer end.

    Parameters
    ----------
    values : sequence of shape (n_samples,)
        Numbers, None or NaN where nothing is known, `pandas.Interval`, pairs (low, high), or text:
        "34", "20-29", "20 to 29", "60+", "over 89", "<19", "twenties", "20s".
    name : str, default="age"
        Of the column, for messages.

    Returns
    -------
    Series of shape (n_samples,)
        Of dtype ``interval[float64, both]``. A number that is known has both ends in one; a band
        that is open ends at infinity, or begins there.

    Raises
    ------
    TargetError
        A value is none of these, or ends before it begins.

    Notes
    -----
    Ends are numbers as labels are: an age of "20-29" in whole years is 20 to 29, as a person of 29
    years and 11 months has the label 29. So "over 89" begins at 90 and "<19" ends at 18 where they
    are whole.

    Examples
    --------
    >>> bands([34, "20-29", "60+", None]).tolist()
    [Interval(34.0, 34.0, closed='both'), Interval(20.0, 29.0, closed='both'), Interval(60.0, inf,
    closed='both'), nan]
    """
    ends = [_ends(value, name) for value in values]
    low, high = zip(*ends, strict=True) if ends else ((), ())
    made = pd.arrays.IntervalArray.from_arrays(
        np.array(low, dtype=np.float64), np.array(high, dtype=np.float64), closed="both"
    )
    index = values.index if isinstance(values, pd.Series) else None
    return pd.Series(made, name=name, index=index)


def parse_band(text: str) -> tuple[float, float] | None:
    """Both ends of a band or number that is written out, or None.

    Examples
    --------
    >>> [parse_band(text) for text in ("34", "[20, 29]", "> 89", "< 19", "fourties", "old")]
    [(34.0, 34.0), (20.0, 29.0), (90.0, inf), (-inf, 18.0), (40.0, 49.0), None]
    """
    text = text.strip()
    word = _WORDS.get(text.casefold())
    if word is not None:
        return float(word[0]), float(word[1])
    if _EXACT.fullmatch(text):
        return float(text), float(text)
    if match := _BETWEEN.fullmatch(text) or _BRACKETS.fullmatch(text):
        return float(match[1]), float(match[2])
    if match := _LEAST.fullmatch(text):
        return float(match[1] or match[2]), np.inf
    if match := _ABOVE.fullmatch(text):
        return float(match[1]) + float(match[1]).is_integer(), np.inf
    if match := _MOST.fullmatch(text):
        return -np.inf, float(match[1])
    if match := _BELOW.fullmatch(text):
        return -np.inf, float(match[1]) - float(match[1]).is_integer()
    return None


def is_banded(values: Any) -> bool:
    """Whether a column is one of bands.

    Examples
    --------
    >>> is_banded(bands(["20-29"])), is_banded(pd.Series([20.0]))
    (True, False)
    """
    dtype = getattr(values, "dtype", None)
    subtype: Any = getattr(dtype, "subtype", None)
    return isinstance(dtype, pd.IntervalDtype) and pd.api.types.is_numeric_dtype(subtype)


def band_ends(values: Any) -> tuple[FloatArray, FloatArray]:
    """Lower and upper ends (n_samples,) of a column of bands; NaN where a label is missing.

    Examples
    --------
    >>> band_ends(bands(["20-29", 34]))
    (array([20., 34.]), array([29., 34.]))
    """
    array = pd.Series(values).array
    sides = (np.asarray(side, dtype=np.float64) for side in (array.left, array.right))  # type: ignore[attr-defined]
    low, high = sides
    return low, high


def middles(values: Any) -> Any:
    """A column of bands as their middles, of an open one as its end; any other as it is.

    Examples
    --------
    >>> middles(bands(["20-29", 34, "60+"])).tolist()
    [24.5, 34.0, 60.0]
    """
    if not is_banded(values):
        return values
    low, high = band_ends(values)
    low, high = np.where(np.isinf(low), high, low), np.where(np.isinf(high), low, high)
    column = pd.Series(values)
    return pd.Series(low + (high - low) / 2, index=column.index, name=column.name)


def contradict(known: pd.Series) -> bool:
    """Whether labels, none of them missing, cannot all be true: bands that share no number.

    Examples
    --------
    >>> contradict(bands(["20-29", 24, "23-40"])), contradict(bands(["20-29", 24, "25-40"]))
    (False, True)
    """
    if not is_banded(known):
        return len(known.unique()) > 1
    low, high = band_ends(known)
    return bool(len(low)) and bool(low.max() > high.min())


def exact_numbers(values: Any) -> Any:
    """A column of bands as its numbers, NaN where only a band is known; any other as it is.

    Examples
    --------
    >>> exact_numbers(bands(["20-29", 34])).tolist()
    [nan, 34.0]
    """
    if not is_banded(values):
        return values
    low, high = band_ends(values)
    return pd.Series(np.where(low == high, low, np.nan), index=pd.Series(values).index)


def farthest(values: Any, numbers: FloatArray) -> FloatArray:
    """How far (n_samples,) numbers are off at most: in a band the truth may be anywhere.

    Examples
    --------
    >>> farthest(bands(["20-29", 34]), np.array([28.0, 30.0]))
    array([8., 4.])
    """
    if not is_banded(values):
        return np.abs(numbers - np.asarray(values, dtype=np.float64))
    low, high = band_ends(values)
    known = np.concatenate([low[np.isfinite(low)], high[np.isfinite(high)]])
    if (known >= 0).all():  # as of ages, which do not go below 0
        low = np.where(np.isinf(low), 0, low)
    return np.maximum(np.abs(numbers - low), np.abs(numbers - high))


def with_middles(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose columns of bands are those of their middles, for all that describes.

    Examples
    --------
    >>> with_middles(pd.DataFrame({"age": bands(["20-29"])}))
        age
    0  24.5
    """
    banded = [place for place in range(frame.shape[1]) if is_banded(frame.iloc[:, place])]
    if not banded:
        return frame
    columns = [middles(frame.iloc[:, place]) for place in range(frame.shape[1])]
    return pd.concat(columns, axis=1)


def read_numbers(values: pd.Series) -> pd.Series:
    """A column of numbers, or of bands that are written out, as they were.

    Raises
    ------
    ValueError
        They are neither.

    Examples
    --------
    >>> read_numbers(pd.Series(["20.5", None])).tolist()
    [20.5, nan]
    >>> read_numbers(pd.Series(["20-29"])).tolist()
    [Interval(20.0, 29.0, closed='both')]
    """
    try:
        return pd.to_numeric(values)
    except (TypeError, ValueError):
        return bands(values, str(values.name))


def band_text(band: Any) -> Any:
    """A band as `parse_band` reads it; what is none as it is.

    Examples
    --------
    >>> [band_text(band) for band in bands(["20 to 29", 34, "60+"])]
    ['20-29', '34', '60+']
    """
    if not isinstance(band, pd.Interval):
        return band
    low, high = float(band.left), float(band.right)
    if low == high:
        return _digits(low)
    texts = _digits(low), _digits(high)
    if np.isinf(high) and low >= 0 and "e" not in texts[0]:
        return f"{texts[0]}+"
    if np.isinf(low) and high >= 0 and "e" not in texts[1]:
        return f"<={texts[1]}"
    plain = low >= 0 and not any("e" in text or "inf" in text for text in texts)
    return "-".join(texts) if plain else f"[{texts[0]}, {texts[1]}]"


def _digits(number: float) -> str:
    """A number so that it is read again as it was."""
    return repr(number).removesuffix(".0")


def labels_as_written(column: pd.Series) -> Array:
    """Labels of any kind as objects, bands as `parse_band` reads them.

    Examples
    --------
    >>> labels_as_written(bands(["20 to 29", None]))
    array(['20-29', nan], dtype=object)
    """
    labels = column.astype(object)
    return labels.map(band_text).to_numpy() if is_banded(column) else labels.to_numpy()


def _ends(value: Any, name: str) -> tuple[float, float]:
    ends: Any = None
    if isinstance(value, str) and not value.strip():
        return np.nan, np.nan
    if isinstance(value, str):
        ends = parse_band(value)
    elif isinstance(value, pd.Interval):
        ends = value.left, value.right
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        ends = tuple(value)
    elif value is None or value is pd.NA or value is pd.NaT or value != value:
        return np.nan, np.nan
    elif isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_)):
        ends = value, value
    try:
        low, high = map(float, ends)
    except (TypeError, ValueError):
        raise TargetError(
            f"column {name!r} holds {shown(value)}, which is neither a number nor a band; write "
            "34, 20-29, 60+ or <19, or leave it blank"
        ) from None
    if not low <= high or (np.isinf(low) and np.isinf(high)):
        raise TargetError(
            f"column {name!r} holds {shown(value)}, a band from {low:g} to {high:g}; give its "
            "lower end first, and one that is finite"
        )
    return low, high
