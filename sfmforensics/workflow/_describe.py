"""What a corpus is made of, and what in it would make a figure too good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.names import describe_source
from sfmforensics.audio._hearing import Hearing
from sfmforensics.audio._survey import surveyed
from sfmforensics.audit import (
    alike_voices,
    audit_corpus,
    find_leaks,
    join_copies,
    names_of,
    near_copies,
    rater_agreement,
    recording_details,
    shared_recordings,
    speaker_conflicts,
    unreadable,
    with_evidence,
)
from sfmforensics.datasets import find_copies
from sfmforensics.datasets._base import with_speaker
from sfmforensics.model_selection import SPEAKER
from sfmforensics.targets import CLASSIFICATION, task_kind
from sfmforensics.targets._bands import middles
from sfmforensics.views import make_views

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sklearn.pipeline import FeatureUnion
    from sklearn.utils import Bunch

    from sfmforensics._types import Channel, Float32Array, IntArray, PathLike, Truncated
    from sfmforensics._utils.recordings import Recording
    from sfmforensics.embedders.registry import ViewSpec

_MANY = 15
_ROWS = 10


@surveyed
def describe_corpus(
    corpus: Bunch,
    *,
    views: Sequence[ViewSpec] | None = None,
    cache: PathLike | None = None,
    device: str | None = None,
    folds: int = 5,
    seed: int = 0,
    rows: int | None = _ROWS,
    verbose: bool = False,
    channel: Channel = "auto",
    truncated: Truncated = "refuse",
) -> dict[str, pd.DataFrame]:
    """Counts, durations, distributions, copies, conflicts, leaks and findings, as tables.

    Parameters
    ----------
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it.
    views : sequence of (str or BaseEmbedder) or None, default=None
        Specs for `make_views`, by which near copies and alike voices are looked for; None or an
        empty sequence leaves these out. A view that knows speakers sees more: one of speech
        models more than "mfcc".
    cache : path-like or None, default=None
        Folder that keeps the embeddings.
    device : str or None, default=None
        A torch device; None takes CUDA if there is one.
    folds : int, default=5
        Number of folds that leaks are looked for in.
    seed : int, default=0
        Seed of these folds.
    rows : int or None, default=10
        Longest list of pairs, speakers or files; the last row says how many more there are. None
        shows all.
    verbose : bool, default=False
        Show progress bars.
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several is heard, see `sfmforensics.audio.read_audio`.
    truncated : {"refuse", "use"}, default="refuse"
        What becomes of a file whose end is missing.

    Returns
    -------
    dict of str to DataFrame
        Tables by title, in the order in which they are read. Recordings that cannot be read or
        embedded are listed, not refused. The last table, "findings", is that of
        `sfmforensics.audit.audit_corpus`.

    Raises
    ------
    ViewError, EmbedderError
        A view cannot be made.

    Examples
    --------
    >>> from sfmforensics.datasets import make_speech_corpus
    >>> tables = describe_corpus(make_speech_corpus(5, 5, duration=0.4), views=["mfcc"])
    >>> list(tables)
    ['corpus', 'labels', 'numbers', 'leaks between folds', 'findings']
    """
    tasks = list(corpus.target)
    corpus = with_speaker(corpus)
    data, target = corpus.data, corpus.target
    hearing = Hearing(channel, truncated)
    heard: Any = {"channel": hearing.channel, "truncated": hearing.truncated}
    union = None
    if views:
        union = make_views(*views, cache=cache, device=device, verbose=verbose, **heard)
        union.fit(data)  # says at once if a model is not there
    copies = find_copies(data, verbose=verbose)
    details = recording_details(data)
    bad = unreadable(data, details)
    near = alike = new = None
    tables = {
        "corpus": bad,  # which is first, and told last
        "recordings that cannot be read": bad,
    } | _distributions(target[tasks])
    tables["agreement of raters"] = rater_agreement(corpus)
    if union is not None:
        X, refused = _embedded(union, data)
        new = refused[~refused["path"].isin(bad["path"])]
        tables["recordings that cannot be embedded"] = new.reset_index(drop=True)
        near = near_copies(data, X, copies=copies, verbose=verbose, **heard)
        tables["near copies"] = _with_names(near, corpus)
        if SPEAKER in target:
            alike = alike_voices(X, target[SPEAKER])
            pairs = with_evidence(alike, target, copies)
            names = ", ".join(name for name, _ in union.transformer_list)
            tables[f"speakers whose voices are alike ({names})"] = _spoken(pairs)
    tables["corpus"] = _overview(corpus, details, bad, copies, near, alike)
    joined = copies if near is None else join_copies(copies, near)
    tables["copies under several speakers"] = shared_recordings(corpus, joined)
    tables["speakers with several ages or genders"] = speaker_conflicts(target)
    leaks = find_leaks(target, copies, near=near, alike=alike, folds=folds, seed=seed)
    tables["leaks between folds"] = leaks
    tables["findings"] = audit_corpus(
        corpus,
        copies=copies,
        near=near,
        alike=alike,
        details=details,
        leaks=leaks,
        refused=new,
        folds=folds,
        **heard,
    )
    whole = ("corpus", "labels", "numbers", "agreement of raters", "leaks between folds")
    whole += ("findings",)
    return {
        title: frame if title in whole else _cut(frame, rows)
        for title, frame in tables.items()
        if len(frame)
    }


def _embedded(union: FeatureUnion, data: Sequence[Recording]) -> tuple[Float32Array, pd.DataFrame]:
    """Vectors side by side, NaN where a recording cannot have all; and what was refused."""
    blocks = []
    refused: dict[int, str] = {}
    for _, embedder in union.transformer_list:
        vectors, usable, errors = embedder.transform_usable(data)
        block = np.full((len(data), vectors.shape[1]), np.nan, dtype=np.float32)
        block[usable] = vectors
        blocks.append(block)
        left_out = np.setdiff1d(np.arange(len(data)), usable)
        for position, error in zip(left_out, errors, strict=True):
            refused.setdefault(int(position), getattr(error, "found", str(error)))
    rows = [(describe_source(data[position]), refused[position]) for position in sorted(refused)]
    return np.hstack(blocks), pd.DataFrame(rows, columns=["path", "found"])


def _with_names(near: pd.DataFrame, corpus: Bunch) -> pd.DataFrame:
    names = np.array(names_of(corpus.data), dtype=object)
    shown = near.assign(first=names[near["first"]], second=names[near["second"]])
    if SPEAKER in corpus.target:
        speakers = corpus.target[SPEAKER].to_numpy()
        shown["speakers"] = [
            f"{speakers[row.first]} / {speakers[row.second]}" for row in near.itertuples()
        ]
    return shown.rename(columns={"lag_ms": "lag ms"})


def _spoken(pairs: pd.DataFrame) -> pd.DataFrame:
    words = {"one_voice": "one voice", "above_others": "sd above others"}
    return pairs.rename(columns=words)


def _cut(frame: pd.DataFrame, rows: int | None) -> pd.DataFrame:
    """The first rows, and one that says how many more there are."""
    if rows is None or len(frame) <= rows:
        return frame
    more = [f"... {len(frame) - rows} more", *[None] * (frame.shape[1] - 1)]
    last = pd.DataFrame([more], columns=frame.columns, dtype=object)
    return pd.concat([frame.head(rows).astype(object), last], ignore_index=True)


def _overview(
    corpus: Bunch,
    details: pd.DataFrame,
    bad: pd.DataFrame,
    copies: IntArray,
    near: pd.DataFrame | None,
    alike: pd.DataFrame | None,
) -> pd.DataFrame:
    rows = [
        ("recordings", f"{len(corpus.data)}"),
        ("that cannot be read", f"{len(bad)}"),
        ("that are copies of another", f"{len(copies) - len(np.unique(copies))}"),
    ]
    if near is not None:
        rows.append(("pairs that are near copies", f"{len(near)}"))
    if SPEAKER in corpus.target:
        counts = corpus.target[SPEAKER].value_counts()
        rows += [
            ("speakers", f"{len(counts)}"),
            (
                "recordings a speaker",
                f"{counts.min()} to {counts.max()}, median {counts.median():g}",
            ),
        ]
    if alike is not None:
        rows.append(("pairs of speakers alike", f"{len(alike)}"))
    seconds = details["seconds"].dropna()
    if len(seconds):
        rows += [
            ("hours", f"{seconds.sum() / 3600:.2f}"),
            (
                "seconds a recording",
                f"{seconds.min():.2f} to {seconds.max():.2f}, median {seconds.median():.2f}",
            ),
            ("sampling rates", _listed(details["rate"], " Hz")),
            ("channels", _listed(details["channels"], "")),
        ]
    return pd.DataFrame(rows, columns=["what", "found"])


def _listed(values: pd.Series, unit: str) -> str:
    counts = values.value_counts()
    return ", ".join(f"{value}{unit} ({count})" for value, count in counts.items())


def _distributions(target: pd.DataFrame) -> dict[str, pd.DataFrame]:
    labels, numbers = [], []
    for task in target:
        column = target[task]
        missing = int(column.isna().sum())
        if task_kind(column) == CLASSIFICATION:
            counts = column.value_counts()
            shown = counts.head(_MANY)
            text = ", ".join(f"{label} {count}" for label, count in shown.items())
            if len(counts) > _MANY:
                text += f", ... {len(counts) - _MANY} more"
            labels.append((task, len(counts), missing, text))
        else:
            known = middles(column.dropna())
            numbers.append((task, missing, known.min(), known.median(), known.max(), known.std()))
    tables = {}
    if labels:
        tables["labels"] = pd.DataFrame(labels, columns=["task", "classes", "missing", "counts"])
    if numbers:
        tables["numbers"] = pd.DataFrame(
            numbers, columns=["task", "missing", "least", "median", "most", "sd"]
        )
    return tables
