"""Values as JSON holds them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


def as_json(value: Any) -> Any:
    """Give a value without infinite numbers, tuples, and anything of NumPy's.

    Parameters
    ----------
    value : object
        A number, a text, a label, or a list, tuple or dict of them.

    Returns
    -------
    object
        None for a number that is not finite.

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
