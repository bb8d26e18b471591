"""The paper's nine views by name, and what any other name stands for."""

from __future__ import annotations

import copy
import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING

from sfmforensics._utils.entry_points import Additions
from sfmforensics._utils.paths import user_path
from sfmforensics.embedders.base import BaseEmbedder
from sfmforensics.exceptions import EmbedderError, ParameterError

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from sfmforensics._types import Channel, PathLike, Truncated

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
    match = _QUOTED_MODEL.match(spec)
    if match is None:
        plain, options = split_options(spec)
        name, _, model = (part.strip() for part in plain.partition("="))
        return name, model, options
    rest, options = split_options(spec[match.end() :])
    if rest:
        raise EmbedderError(
            f"view {spec}: behind a model in quotes stands {rest!r}; only @PARAMETER=VALUE may"
        )
    return match[1], _unquoted(match[2]), options


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
    match = _OPTIONS.search(spec)
    if match is None:
        return spec, {}
    options = {}
    for part in match.group()[1:].split("@"):
        name, _, value = (text.strip() for text in part.partition("="))
        if name in options:
            raise EmbedderError(f"view {spec!r} gives {name} twice; leave one out")
        options[name] = value
    return spec[: match.start()], options


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


@dataclass(frozen=True)
class RegisteredView:
    """A view by name.

    Parameters
    ----------
    embedder : str
        Where its class is, as an entry point says it: "package.module:Class".
    model : str or None
        Its identity on the hub that the class takes models from; None where it takes none.
    dimension : int
        Width of a vector.
    source : str
        Where the choice comes from.
    """

    embedder: str
    model: str | None
    dimension: int
    source: str


_PAPER = "paper, section 3"
_TRANSFORMERS = "sfmforensics.embedders.transformers:TransformersEmbedder"
_SPEECHBRAIN = "sfmforensics.embedders.speechbrain:SpeechBrainEmbedder"
_TFHUB = "sfmforensics.embedders.tfhub:TFHubEmbedder"
_MFCC = "sfmforensics.embedders.mfcc:MFCCEmbedder"
_PROSODY = "sfmforensics.embedders.prosody:ProsodyEmbedder"
_TRILLSSON = "https://tfhub.dev/google/nonsemantic-speech-benchmark/trillsson4/1"

REGISTRY = {
    "xls-r": RegisteredView(_TRANSFORMERS, "facebook/wav2vec2-xls-r-1b", 1280, _PAPER),
    "whisper": RegisteredView(_TRANSFORMERS, "openai/whisper-base", 512, _PAPER),
    "wav2vec2": RegisteredView(_TRANSFORMERS, "facebook/wav2vec2-base", 768, _PAPER),
    "mms": RegisteredView(_TRANSFORMERS, "facebook/mms-1b", 1280, _PAPER),
    "unispeech-sat": RegisteredView(_TRANSFORMERS, "microsoft/unispeech-sat-base", 768, _PAPER),
    "wavlm": RegisteredView(_TRANSFORMERS, "microsoft/wavlm-base", 768, _PAPER),
    "x-vector": RegisteredView(_SPEECHBRAIN, "speechbrain/spkrec-xvect-voxceleb", 512, _PAPER),
    "trillsson": RegisteredView(_TFHUB, _TRILLSSON, 1024, _PAPER),
    "mfcc": RegisteredView(_MFCC, None, 40, "paper, section 5"),
    "prosody": RegisteredView(_PROSODY, None, 34, "ours; needs no download"),
}
"""The nine views of the paper, and one of ours, by the names that specs use: the one table of them.
Another package adds to it by an entry point of the group ``sfmforensics.views``."""

_ADDITIONS = Additions("sfmforensics.views", "view", REGISTRY, EmbedderError)


def embedder_class(name: str) -> type[BaseEmbedder]:
    """Give a class of embedder by its own name, importing its module and no library of models.

    Parameters
    ----------
    name : str
        Of a class that a view of `REGISTRY` is of, or a view of another package that is installed.

    Returns
    -------
    type

    Raises
    ------
    EmbedderError
        There is none, or it cannot be loaded.

    Examples
    --------
    >>> embedder_class("MFCCEmbedder").__module__
    'sfmforensics.embedders.mfcc'
    """
    for view in REGISTRY.values():
        if view.embedder.endswith(f":{name}"):
            return _imported(view.embedder)
    embedder = _ADDITIONS.load_attribute(name)
    if embedder is None:
        raise EmbedderError(
            f"no view is of a class {name}; install the package that brings it, or use code"
        )
    return _checked(embedder, name)


def is_found_by_name(embedder: type[BaseEmbedder]) -> bool:
    """Say whether `embedder_class` gives a class again, so that a file can name it.

    Examples
    --------
    >>> from sfmforensics.embedders import CallableEmbedder, MFCCEmbedder
    >>> is_found_by_name(MFCCEmbedder), is_found_by_name(CallableEmbedder)
    (True, False)
    """
    try:
        return embedder_class(embedder.__name__) is embedder
    except EmbedderError:
        return False


def _imported(where: str) -> type[BaseEmbedder]:
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


def _checked(embedder: object, name: str) -> type[BaseEmbedder]:
    if not (isinstance(embedder, type) and issubclass(embedder, BaseEmbedder)):
        raise EmbedderError(
            f"what another package brings as {name!r} is no class of BaseEmbedder, but {embedder!r}"
        )
    return embedder


def _class_of_view(name: str, model: str) -> type[BaseEmbedder]:
    """The class behind a name; of a name of the user's own the model tells."""
    if name in REGISTRY:
        return _imported(REGISTRY[name].embedder)
    embedder = _ADDITIONS.load(name) if name else None
    if embedder is not None:
        return _checked(embedder, name)
    if not name or not model:
        raise EmbedderError(_no_such_view(name or f"={model}"))
    return _imported(_embedder_of(model))


def make_embedder(
    spec: ViewSpec,
    *,
    cache: PathLike | None = None,
    device: str | None = None,
    batch_size: int = 8,
    verbose: bool = False,
    channel: Channel = "auto",
    truncated: Truncated = "refuse",
) -> tuple[str, BaseEmbedder]:
    """Build the embedder that a spec stands for.

    Parameters
    ----------
    spec : str, BaseEmbedder or (str, BaseEmbedder)
        A registered name (``"whisper"``), ``"name=FOLDER"`` or ``"name=HUB_ID"`` for any
        checkpoint of a known kind, an embedder, or a pair of a name and an embedder. A registered
        name keeps its library; for other names the folder or the hub id tells. Behind a name or a
        model, parameters of the embedder may follow, each after an @:
        ``"whisper=FOLDER@layer=all"``, ``"mfcc@statistics=mean+std"``. A folder whose name holds
        @, = or a comma stands in double quotes: ``'whisper="/data/a@b=c"@layer=all'``.
    cache : path-like or None, default=None
        Folder that keeps the vectors, for embedders that have none of their own.
    device : str or None, default=None
        A torch device, where the embedder takes one.
    batch_size : int, default=8
        Recordings that share a forward pass, where the embedder takes one.
    verbose : bool, default=False
        Show a progress bar.
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several is heard, see `sfmforensics.audio.read_audio`; of
        embedders that are handed in, too, unless it is "auto".
    truncated : {"refuse", "use"}, default="refuse"
        What becomes of a file whose end is missing; likewise.

    Returns
    -------
    name : str
        Name of the view.
    embedder : BaseEmbedder

    Raises
    ------
    EmbedderError
        No view has this name, or it has no such parameter.

    Notes
    -----
    A folder is made absolute, so that a model that is saved can be used from elsewhere.

    Examples
    --------
    >>> make_embedder("mfcc")
    ('mfcc', MFCCEmbedder())
    >>> make_embedder("mfcc@statistics=mean+std")
    ('mfcc', MFCCEmbedder(statistics=('mean', 'std')))
    >>> make_embedder("wisper")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.EmbedderError: no view is called 'wisper' (did you mean 'whisper'?);
    there are xls-r, whisper, wav2vec2, mms, unispeech-sat, wavlm, x-vector, trillsson, mfcc,
    prosody, or NAME=FOLDER, or NAME=HUB_ID
    """
    if isinstance(spec, BaseEmbedder):
        return spec._name(), let_hear(spec, channel, truncated)
    if isinstance(spec, tuple) and len(spec) == 2 and isinstance(spec[1], BaseEmbedder):
        return spec[0], let_hear(spec[1], channel, truncated)
    if not isinstance(spec, str):
        raise EmbedderError(
            f"a view is given as {type(spec).__name__}; use a name, NAME=FOLDER, NAME=HUB_ID, an "
            "embedder, or a pair (name, embedder)"
        )
    name, model, words = split_spec(spec)
    embedder = _class_of_view(name, model)
    takes = signature(embedder).parameters
    if model and "model" not in takes:
        raise EmbedderError(f"view {name!r} has no model, but {model!r} was given; write {name!r}")
    if not model and name in REGISTRY:
        model = REGISTRY[name].model or ""
    if model and _looks_like_folder(model, embedder):
        model = _existing_folder(name, model, spec)
    settings = {
        "cache": None if cache is None else os.path.abspath(user_path(cache)),
        "device": device,
        "batch_size": batch_size,
        "verbose": verbose,
        "name": name,
    }
    settings |= {"model": model} if model else {}
    settings = {key: value for key, value in settings.items() if key in takes}
    options = parse_options(name, embedder, words)
    return name, let_hear(embedder(**settings, **options), channel, truncated)


def let_hear(embedder: BaseEmbedder, channel: Channel, truncated: Truncated) -> BaseEmbedder:
    """Give an embedder that hears what was asked for; the one handed in stays as it is.

    Parameters
    ----------
    embedder : BaseEmbedder
    channel : int or {"auto", "mix"}
        "auto" leaves its own.
    truncated : {"refuse", "use"}
        "refuse" leaves its own.

    Returns
    -------
    BaseEmbedder

    Raises
    ------
    EmbedderError
        It has no such parameter.
    """
    settings: dict[str, Any] = {"channel": channel} if channel != "auto" else {}
    settings |= {"truncated": truncated} if truncated != "refuse" else {}
    if not settings:
        return embedder
    missing = set(settings) - set(embedder.get_params(deep=False))
    if missing:
        raise EmbedderError(
            f"{type(embedder).__name__} has no parameter {min(missing)!r}; add it to its __init__, "
            "as the embedders of sfmforensics have it"
        )
    return copy.copy(embedder).set_params(**settings)


def _no_such_view(name: str) -> str:
    names = [*REGISTRY, *_ADDITIONS.names()]
    close = get_close_matches(name, names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return (
        f"no view is called {name!r}{hint}; there are {', '.join(names)}, or NAME=FOLDER, or "
        "NAME=HUB_ID"
    )


def _looks_like_folder(model: str, embedder: type[BaseEmbedder]) -> bool:
    if os.path.isdir(model) or model.startswith((".", "/", "~")):
        return True
    return model.count("/") > 1 and not embedder._hub_names_have_many_parts


def _existing_folder(name: str, model: str, spec: str) -> str:
    folder = user_path(model)
    if not folder.is_dir():
        whole = spec.partition("=")[2].strip()
        if user_path(whole).is_dir():
            raise EmbedderError(
                f"view {name!r}: there is no folder {model}, but there is {whole}; where @, = or a "
                f"comma is a part of its name, write it in quotes: {quote_spec(name, whole)}"
            )
        raise EmbedderError(
            f"view {name!r}: there is no folder {model}; give the folder of a saved model, or a "
            "hub id such as openai/whisper-base"
        )
    return str(folder.resolve())


def _embedder_of(model: str) -> str:
    """Tell the class that runs a model from what lies in its folder, or from its hub id."""
    folder = user_path(model)
    if (folder / "hyperparams.yaml").exists() or model.startswith("speechbrain/"):
        return _SPEECHBRAIN
    if (folder / "saved_model.pb").exists() or model.startswith("https://"):
        return _TFHUB
    return _TRANSFORMERS
