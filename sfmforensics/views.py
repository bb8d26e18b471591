"""Joining embedders side by side, and finding the views again in the columns."""

from __future__ import annotations

from collections import Counter
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from sklearn.pipeline import FeatureUnion

from sfmforensics._utils.names import is_path
from sfmforensics._utils.paths import user_path
from sfmforensics.audio._hearing import Hearing
from sfmforensics.embedders.registry import make_embedder
from sfmforensics.exceptions import ViewError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sfmforensics._types import (
        Array,
        Channel,
        Column,
        IntArray,
        PathLike,
        Truncated,
        Views,
    )
    from sfmforensics.embedders.registry import ViewSpec


def make_views(
    *specs: ViewSpec,
    cache: PathLike | None = None,
    device: str | None = None,
    batch_size: int = 8,
    verbose: bool = False,
    channel: Channel = "auto",
    truncated: Truncated = "refuse",
) -> FeatureUnion:
    """Put embedders side by side, under column names that tell them apart.

    Parameters
    ----------
    *specs : str, BaseEmbedder or (str, BaseEmbedder)
        One or more views: a registered name (``"whisper"``), ``"name=FOLDER"``,
        ``"name=HUB_ID"``, any of them with parameters behind it (``"mfcc@statistics=mean+std"``,
        ``"whisper=FOLDER@layer=all"``), an embedder, or a pair of a name and an embedder.
    cache : path-like or None, default=None
        Folder that keeps the vectors.
    device : str or None, default=None
        A torch device; None takes CUDA if there is one, else the CPU.
    batch_size : int, default=8
        Recordings that share a forward pass.
    verbose : bool, default=False
        Show a progress bar for each view.
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several is heard, see `sfmforensics.audio.read_audio`; of
        embedders that are handed in, too, unless it is "auto".
    truncated : {"refuse", "use"}, default="refuse"
        What becomes of a file whose end is missing; likewise.

    Returns
    -------
    FeatureUnion
        Takes recordings, gives a DataFrame of float32 whose columns are named ``VIEW__0``,
        ``VIEW__1``, ... in the order of `specs`.

    Raises
    ------
    ViewError
        No spec, or two views of one name.
    EmbedderError
        A spec stands for nothing; see `sfmforensics.embedders.make_embedder`.
    ParameterError
        `channel` or `truncated` is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> tone = np.sin(2 * np.pi * 220 * np.arange(16_000) / 16_000)
    >>> views = make_views("mfcc", "prosody")
    >>> frame = views.fit_transform([(tone, 16_000)])
    >>> frame.shape, frame.columns[0], frame.columns[-1]
    ((1, 74), 'mfcc__0', 'prosody__33')
    """
    if not specs:
        raise ViewError('no view was named; write for instance make_views("mfcc", "prosody")')
    hearing = Hearing(channel, truncated)
    pairs = [
        make_embedder(
            spec,
            cache=cache,
            device=device,
            batch_size=batch_size,
            verbose=verbose,
            channel=hearing.channel,
            truncated=hearing.truncated,
        )
        for spec in specs
    ]
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if twice:
        raise ViewError(
            f"two views are called {twice[0]!r}; give one another name, as in "
            f"'{twice[0]}-2=FOLDER' or ('{twice[0]}-2', embedder)"
        )
    if any("__" in name for name, _ in pairs):
        raise ViewError("a view's name must not contain '__', which ends it in the column names")
    # As a frame, so that the estimator behind it can find the views by their names.
    return FeatureUnion(pairs).set_output(transform="pandas")


def hearing_of(views: FeatureUnion) -> Hearing:
    """Say what views hear of recordings.

    Parameters
    ----------
    views : FeatureUnion
        As `make_views` gives it.

    Returns
    -------
    Hearing

    Raises
    ------
    ViewError
        One view hears another channel than the others.

    Examples
    --------
    >>> hearing_of(make_views("mfcc", "prosody", channel=2)).channel
    2
    """
    hearings = {name: embedder._hearing for name, embedder in views.transformer_list}
    if len(set(hearings.values())) > 1:
        listed = ", ".join(f"{name} {hearing.channel!r}" for name, hearing in hearings.items())
        raise ViewError(
            f"the views do not hear the same of a recording (channel: {listed}); give channel= to "
            "make_views, not to one of them"
        )
    return next(iter(hearings.values()))


def files_of_views(union: FeatureUnion) -> list[Path]:
    """Give the files of models that lie in a folder of the user's own.

    Parameters
    ----------
    union : FeatureUnion
        As `make_views` gives it.

    Returns
    -------
    list of Path
        Whatever is in these folders, and in those right below.

    Examples
    --------
    >>> files_of_views(make_views("mfcc"))
    []
    """
    files: list[Path] = []
    for _, embedder in union.transformer_list:
        model = getattr(embedder, "model", None)
        if is_path(model) and (folder := user_path(model)).is_dir():
            files += [file for pattern in ("*", "*/*") for file in folder.glob(pattern)]
    return files


def find_views(
    n_features: int,
    views: Views = "auto",
    feature_names: Column | None = None,
    *,
    at_least: int = 2,
) -> tuple[list[str], list[IntArray]]:
    """Find the blocks of columns that belong to one view each.

    Parameters
    ----------
    n_features : int
        Number of columns.
    views : "auto" or sequence of int, default="auto"
        Widths of the blocks from left to right; "auto" goes by the column names ``VIEW__...``, and
        cuts the columns into `at_least` equal parts where there are no such names.
    feature_names : sequence of str or None, default=None
        Names of the columns.
    at_least : int, default=2
        Views that are needed.

    Returns
    -------
    names : list of str
        Names of the views; "x1", "x2", ... where the columns tell none.
    blocks : list of ndarray of int
        Columns of each view.

    Raises
    ------
    ViewError
        The widths do not add up, or there are too few views.

    Examples
    --------
    >>> names, blocks = find_views(3, feature_names=["mfcc__0", "mfcc__1", "whisper__0"])
    >>> names, [block.tolist() for block in blocks]
    (['mfcc', 'whisper'], [[0, 1], [2]])
    >>> find_views(1536, [512, 1024])[0]
    ['x1', 'x2']
    """
    if not isinstance(views, str):
        return _by_width(n_features, views, feature_names, at_least)
    if views != "auto":
        raise ViewError(f'views is {views!r}; use "auto", or the widths, as in [512, 1024]')
    named = _by_name(feature_names)
    if named is None:
        if n_features < at_least:
            # The words that scikit-learn's own checks look for.
            raise ViewError(
                f"Found array with {n_features} feature(s) while a minimum of {at_least} is "
                "required: one for each view"
            )
        parts = np.array_split(np.arange(n_features), at_least)
        return [f"x{i + 1}" for i in range(at_least)], parts
    if len(named) < at_least:
        raise ViewError(
            f"{at_least} views are fused, but the columns hold only {', '.join(named)}; name "
            f"another view in make_views, or use SingleView"
        )
    return list(named), [np.array(block) for block in named.values()]


def _by_name(feature_names: Column | None) -> dict[str, list[int]] | None:
    """Columns by the part of their name before the last "__", or None without such names."""
    if feature_names is None or not all("__" in str(name) for name in feature_names):
        return None
    blocks: dict[str, list[int]] = {}
    for column, name in enumerate(feature_names):
        blocks.setdefault(str(name).rpartition("__")[0], []).append(column)
    return blocks


def _by_width(
    n_features: int,
    widths: Sequence[int] | Array,
    feature_names: Column | None,
    at_least: int,
) -> tuple[list[str], list[IntArray]]:
    if not all(isinstance(width, Integral) for width in widths):
        raise ViewError(f"views is {list(widths)}; the widths are whole numbers, as in [512, 1024]")
    widths = [int(width) for width in widths]
    if any(width < 1 for width in widths) or sum(widths) != n_features:
        raise ViewError(
            f"views is {widths}, {sum(widths)} columns in all, but the data have {n_features}; "
            "give the width of each view from left to right"
        )
    if len(widths) < at_least:
        raise ViewError(f"views is {widths}; at least {at_least} views are needed")
    edges = np.cumsum(widths)[:-1]
    blocks = np.split(np.arange(n_features), edges)
    named = _by_name(feature_names)
    if named is not None and [len(block) for block in named.values()] == widths:
        return list(named), blocks
    return [f"x{i + 1}" for i in range(len(widths))], blocks
