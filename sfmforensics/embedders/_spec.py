"""Options of an embedder as they stand in a spec: ``name=MODEL@option=value``."""

from __future__ import annotations

import re
from inspect import signature
from typing import TYPE_CHECKING

from sfmforensics.exceptions import EmbedderError, ParameterError

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from sfmforensics.embedders.base import BaseEmbedder

    ViewSpec: TypeAlias = str | BaseEmbedder | tuple[str, BaseEmbedder]

_OPTIONS = re.compile(r"(?:@\s*[A-Za-z]\w*\s*=[^@]*)+$")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_QUOTED_MODEL = re.compile(rf"\s*([^=@\"]+?)\s*=\s*({_QUOTED.pattern})\s*")
_TELLING = re.compile(r"[,@=\"]|^\s|\s$")
_NOT_HERE = frozenset(
    {"self", "model", "name", "cache", "device", "batch_size", "verbose", "channel", "truncated"}
)
_WORDS = frozenset({"revision", "dtype", "pooling"})


def split_list(text: str) -> list[str]:
    """Take apart what commas separate, but for those in double quotes.

    Parameters
    ----------
    text : str
        As in a CSV table: what stands in double quotes is one, and two of them are one there.
        Quotes may also stand behind an equals sign, and then they are left as they are.

    Returns
    -------
    list of str
        Without the space around each; what is empty is left out.

    Raises
    ------
    ParameterError
        A quote is not closed.

    Examples
    --------
    >>> split_list('mfcc, whisper="/data/a,b"@layer=all')
    ['mfcc', 'whisper="/data/a,b"@layer=all']
    >>> split_list('"age, in years",emotion')
    ['age, in years', 'emotion']
    """
    parts, start, place, opens = [], 0, 0, True
    while place < len(text):
        character = text[place]
        if character == '"' and opens:
            quoted = _QUOTED.match(text, place)
            if quoted is None:
                raise ParameterError(f"{text}: a double quote is not closed; close it, or leave it")
            place, opens = quoted.end(), False
            continue
        if character == ",":
            parts.append(text[start:place])
            start = place + 1
        opens = character in ",=" or (opens and character.isspace())
        place += 1
    parts = [part.strip() for part in (*parts, text[start:])]
    return [_unquoted(part) if _QUOTED.fullmatch(part) else part for part in parts if part]


def _unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"')


def quote_spec(name: str, model: str) -> str:
    """Write a view's name and model as a spec that is read back as both.

    Parameters
    ----------
    name, model : str
        Of the view; of a folder or of a hub.

    Returns
    -------
    str
        With the model in quotes where it holds what separates specs or their parts.

    Examples
    --------
    >>> print(quote_spec("whisper", "/data/a,b"), quote_spec("whisper", "models/tiny"))
    whisper="/data/a,b" whisper=models/tiny
    """
    if _TELLING.search(model) is None:
        return f"{name}={model}"
    doubled = model.replace('"', '""')
    return f'{name}="{doubled}"'


def split_spec(spec: str) -> tuple[str, str, dict[str, str]]:
    """Tell name, model and options of a spec.

    Parameters
    ----------
    spec : str
        ``name``, ``name=MODEL`` or ``name="MODEL"``, and ``@option=value`` behind any of them, once
        or more. In quotes a model may hold commas, equals signs and @; ``""`` is a quote there.

    Returns
    -------
    name, model : str
        "" for no model.
    options : dict of str to str

    Raises
    ------
    EmbedderError
        An option is given twice, or something else stands behind a model in quotes.

    Examples
    --------
    >>> split_spec('whisper="/data/a@b=c"@layer=all')
    ('whisper', '/data/a@b=c', {'layer': 'all'})
    >>> split_spec("mfcc@n_mfcc=20")
    ('mfcc', '', {'n_mfcc': '20'})
    """
    found = _QUOTED_MODEL.match(spec)
    if found is None:
        plain, options = split_options(spec)
        name, _, model = (part.strip() for part in plain.partition("="))
        return name, model, options
    rest, options = split_options(spec[found.end() :])
    if rest:
        raise EmbedderError(
            f"view {spec}: behind a model in quotes stands {rest!r}; only @PARAMETER=VALUE may"
        )
    return found[1], _unquoted(found[2]), options


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
