"""Options of an embedder as they stand in a spec: ``name=MODEL@option=value``."""

from __future__ import annotations

import re
from inspect import signature
from typing import TYPE_CHECKING

from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from sfmforensics.embedders.base import BaseEmbedder

    ViewSpec: TypeAlias = str | BaseEmbedder | tuple[str, BaseEmbedder]

_OPTIONS = re.compile(r"(?:@\s*[A-Za-z]\w*\s*=[^@]*)+$")
_NOT_HERE = frozenset(
    {"self", "model", "name", "cache", "device", "batch_size", "verbose", "channel", "truncated"}
)
_WORDS = frozenset({"revision", "dtype", "pooling"})


def split_options(spec: str) -> tuple[str, dict[str, str]]:
    """Tell a spec from the options behind it.

    Parameters
    ----------
    spec : str
        ``name``, ``name=MODEL``, or either with ``@option=value`` behind it, once or more.

    Returns
    -------
    spec : str
    options : dict of str to str

    Raises
    ------
    EmbedderError
        An option is given twice.

    Examples
    --------
    >>> split_options("whisper=models/tiny@layer=all@pooling=mean+std")
    ('whisper=models/tiny', {'layer': 'all', 'pooling': 'mean+std'})
    >>> split_options("mfcc")
    ('mfcc', {})
    """
    found = _OPTIONS.search(spec)
    if found is None:
        return spec, {}
    options = {}
    for part in found.group()[1:].split("@"):
        name, _, value = (text.strip() for text in part.partition("="))
        if name in options:
            raise EmbedderError(f"view {spec!r} gives {name} twice; leave one out")
        options[name] = value
    return spec[: found.start()], options


def parse_options(view: str, embedder: type, options: dict[str, str]) -> dict[str, Any]:
    """Turn the words of a spec into an embedder's parameters.

    Parameters
    ----------
    view : str
        Name of the view, for messages.
    embedder : type
        Class of the embedder.
    options : dict of str to str
        As `split_options` gives them. Numbers are read as numbers; where the parameter is a
        sequence, its members stand between plus signs.

    Returns
    -------
    dict

    Raises
    ------
    EmbedderError
        The embedder has no such parameter.

    Examples
    --------
    >>> from sfmforensics.embedders import MFCCEmbedder
    >>> parse_options("mfcc", MFCCEmbedder, {"n_mfcc": "20", "statistics": "mean+std"})
    {'n_mfcc': 20, 'statistics': ('mean', 'std')}
    """
    known = {
        name: parameter.default
        for name, parameter in signature(embedder).parameters.items()
        if name not in _NOT_HERE
    }
    for name in options:
        if name not in known:
            raise EmbedderError(
                f"view {view!r} has no option {name!r}; there are {', '.join(known)}"
            )
    return {
        name: tuple(value.split("+")) if isinstance(known[name], tuple) else _plain(name, value)
        for name, value in options.items()
    }


def _plain(name: str, value: str) -> str | float:
    if name in _WORDS:
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
