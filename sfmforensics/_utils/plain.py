"""Values as JSON and back, to the last bit, without code: numbers, texts, arrays of them, nests."""

from __future__ import annotations

import base64
import math
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.exceptions import ModelFileError

if TYPE_CHECKING:
    from typing import Any


_DTYPES = "OUbiuf"
_LONG = 64
"""Values from which an array of numbers is written as its bytes rather than one by one."""

NO_CODE = "save it with joblib, whose files only those should open who trust them"


def pack(value: Any, where: str) -> Any:
    """Turn a value into what JSON holds.

    Examples
    --------
    >>> pack({"ages": (20.5, None)}, "x")
    {'dict': [['ages', {'tuple': [20.5, None]}]]}
    >>> unpack(pack({"ages": (20.5, None)}, "x"))
    {'ages': (20.5, None)}
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list):
        return [pack(part, where) for part in value]
    if isinstance(value, tuple):
        return {"tuple": [pack(part, where) for part in value]}
    if isinstance(value, dict):
        return {
            "dict": [
                [pack(name, where), pack(part, f"{name} of {where}")]
                for name, part in value.items()
            ]
        }
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in _DTYPES:
        if value.dtype.kind in "biuf" and len(value) >= _LONG:
            content = np.ascontiguousarray(value).tobytes()
            return {"base64": base64.b64encode(content).decode(), "of": value.dtype.str}
        return {"array": [pack(part, where) for part in value.tolist()], "of": value.dtype.str}
    raise ModelFileError(
        f"{where} is a {type(value).__name__}, which cannot be saved without code; {NO_CODE}"
    )


def unpack(value: Any) -> Any:
    """Turn what `pack` made into the value again."""
    if isinstance(value, list):
        return [unpack(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(unpack(value["tuple"]))
    if "dict" in value:
        return {unpack(name): unpack(part) for name, part in value["dict"]}
    dtype = np.dtype(value["of"])
    if dtype.kind not in _DTYPES:
        raise ValueError(f"an array of {dtype}")
    if "base64" in value:
        if dtype.kind not in "biuf":
            raise ValueError(f"bytes of {dtype}")
        return np.frombuffer(base64.b64decode(value["base64"], validate=True), dtype).copy()
    array = np.empty(len(value["array"]), dtype=dtype)
    array[:] = unpack(value["array"])
    return array


def as_json(value: Any) -> Any:
    """Give a value without infinite numbers, tuples, and anything of NumPy's.

    Examples
    --------
    >>> as_json({"low": float("-inf"), "set": ("high", "low")})
    {'low': None, 'set': ['high', 'low']}
    """
    if isinstance(value, dict):
        return {name: as_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
