"""What every corpus shares: the Bunch it is handed over in, its root, its home and its copies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sfmforensics._utils.names import describe_source, name_few
from sfmforensics._utils.pages import templates
from sfmforensics._utils.paths import user_path
from sfmforensics._utils.progress import progress
from sfmforensics.audio._survey import content_hash
from sfmforensics.exceptions import DatasetError
from sfmforensics.targets import REGRESSION, task_kind
from sfmforensics.targets._bands import middles
from sfmforensics.targets._columns import UNKNOWN_SPEAKER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sfmforensics._types import Column, IntArray, PathLike
    from sfmforensics._utils.recordings import Recording


def get_data_home(data_home: PathLike | None = None) -> str:
    """Give the folder that fetched corpora are kept in, and make it.

    Parameters
    ----------
    data_home : path-like or None, default=None
        The folder. None takes the environment variable ``SFMFORENSICS_DATA`` or, where that is
        not set or empty, ``~/sfmforensics_data``.

    Returns
    -------
    str
        Absolute path of the folder, which exists.

    Raises
    ------
    DatasetError
        The folder cannot be made.

    Examples
    --------
    >>> import os, tempfile
    >>> home = get_data_home(os.path.join(tempfile.mkdtemp(), "corpora"))
    >>> os.path.isdir(home)
    True
    """
    if data_home is None:
        data_home = os.environ.get("SFMFORENSICS_DATA") or "~/sfmforensics_data"
    home = os.path.abspath(user_path(data_home))
    try:
        os.makedirs(home, exist_ok=True)
    except OSError as error:
        raise DatasetError(
            f"{home}: cannot be used as the data home ({error.strerror}); give data_home=, or set "
            f"SFMFORENSICS_DATA, to a folder that can be written to"
        ) from error
    return home


def label_column(values: Iterable[object]) -> pd.Series:
    """Make a column of labels that stays a column of labels.

    Notes
    -----
    Without the dtype pandas would turn integers with gaps into floats, which would make a
    regression task of them, and text into an extension type that scikit-learn does not index.

    Examples
    --------
    >>> label_column([1, None]).tolist()
    [1, None]
    """
    return pd.Series(list(values), dtype=object)


class Corpus(Bunch):
    """A corpus as every loader hands it over, which a notebook shows."""

    def _repr_html_(self) -> str:
        """How many recordings, of whom, with which labels; nothing is read for it."""
        page = templates("datasets").get_template("corpus.html")
        target, groups = self["target"], self["groups"]
        first = [describe_source(source) for source in self["data"][:5]]
        return page.render(
            count=len(self["data"]),
            speakers=None if groups is None else len({*groups} - {UNKNOWN_SPEAKER}),
            tasks=[_task(target[name]) for name in target],
            details=[str(name) for name in self["details"]],
            paths=first + ["..."] * (len(self["data"]) > len(first)),
            description=self["DESCR"],
        )


def _task(labels: pd.Series) -> tuple[str, str, str, str]:
    """Name, kind, labels and gaps of a task, for people."""
    known = middles(labels).dropna()
    kind = task_kind(labels)
    if not len(known):
        summary = "none is known"
    elif kind == REGRESSION:
        summary = f"{known.min():g} to {known.max():g}"
    else:
        counts = known.astype(str).value_counts()
        names = [f"{name} ({count:,})" for name, count in counts.items()]
        summary = f"{len(counts):,}: {name_few(names, 6)}"
    return str(labels.name), kind, summary, f"{len(labels) - len(known):,}"


def make_bunch(
    data: Iterable[Recording],
    target: pd.DataFrame,
    *,
    descr: str,
    groups: Column | None = None,
    details: pd.DataFrame | None = None,
) -> Bunch:
    """Put a corpus into the form in which every loader hands it over.

    Examples
    --------
    >>> corpus = make_bunch(["a.wav"], pd.DataFrame({"speaker": ["46"]}), descr="One recording.")
    >>> corpus.groups.tolist()
    ['46']
    """
    data = list(data)
    if groups is None and "speaker" in target:
        groups = [UNKNOWN_SPEAKER if pd.isna(name) else name for name in target["speaker"]]
    if details is None:
        details = pd.DataFrame(index=target.index)
    if groups is not None:
        groups = np.asarray(groups, dtype=str)
    parts = {"target": target, "groups": groups, "details": details}
    lengths = {name: len(part) for name, part in parts.items() if part is not None}
    if set(lengths.values()) != {len(data)}:
        raise DatasetError(f"{len(data)} recordings, but {lengths}; give one row a recording")
    return Corpus(data=data, target=target, groups=groups, details=details, DESCR=descr)


def check_tasks(
    tasks: Sequence[str], columns: Sequence[str], source: str, *, also: Sequence[str] = ()
) -> list[str]:
    """Refuse tasks that are no columns of labels.

    Examples
    --------
    >>> check_tasks(["age", "Emotion"], ["speaker", "emotion", "age"], "t.csv", also=["emotion"])
    ['emotion', 'age']
    """
    if isinstance(tasks, str):
        raise DatasetError(f"tasks is {tasks!r}, one text; give a list of names, as in [{tasks!r}]")
    named = [name.lower() if name.lower() in also else name for name in tasks]
    unknown = [name for name in named if name not in columns]
    if unknown or not named:
        problem = f"no column {name_few([repr(name) for name in unknown])} to be learnt"
        raise DatasetError(
            f"{source}: {problem if unknown else 'no task is named'}; there are "
            f"{name_few(list(columns), 20) or 'none'}"
        )
    return [name for name in columns if name in named]


def choose_tasks(corpus: Bunch, tasks: Sequence[str] | None, source: str) -> Bunch:
    """Keep some columns of the targets, and the others among the details.

    Examples
    --------
    >>> target = pd.DataFrame({"speaker": ["46"], "age": [31.0]})
    >>> corpus = choose_tasks(make_bunch(["a.wav"], target, descr="One."), ["age"], "mine")
    >>> list(corpus.target), list(corpus.details), corpus.groups.tolist()
    (['age'], ['speaker'], ['46'])
    """
    if tasks is None:
        return corpus
    named = check_tasks(tasks, list(corpus.target), source)
    others = corpus.target.drop(columns=[*named, *corpus.details.columns], errors="ignore")
    details = pd.concat([others, corpus.details], axis=1)
    return Corpus(**corpus | {"target": corpus.target[named], "details": details})


def with_speaker(corpus: Bunch) -> Bunch:
    """A corpus whose targets have the speakers, also where who speaks is no task.

    Examples
    --------
    >>> target = pd.DataFrame({"speaker": ["46"], "age": [31.0]})
    >>> corpus = choose_tasks(make_bunch(["a.wav"], target, descr="One."), ["age"], "mine")
    >>> list(with_speaker(corpus).target)
    ['speaker', 'age']
    """
    details = corpus.get("details")
    if "speaker" in corpus.target or details is None or "speaker" not in details:
        return corpus
    speakers = details[["speaker"]].set_axis(corpus.target.index)
    return Corpus(**corpus | {"target": pd.concat([speakers, corpus.target], axis=1)})


def find_copies(data: Sequence[Recording], *, verbose: bool = False) -> IntArray:
    """Give copies of one recording the same label.

    Parameters
    ----------
    data : list of length n_recordings
        Paths, or ``(signal, rate)`` pairs with signals of shape (n_samples,) or (n_samples,
        n_channels). Integer signals are scaled by the range of their type, as in a wav file.
    verbose : bool, default=False
        Show a progress bar.

    Returns
    -------
    ndarray of shape (n_recordings,), int64
        Labels 0, 1, ... in order of first appearance. Two recordings share a label where their
        decoded samples, number of channels and rate are equal: a wav file and its flac copy do,
        whatever their names and headers. A file that cannot be decoded has a label of its own.

    Notes
    -----
    Compared is the SHA-256 of the samples as float64, which holds every integer format up to
    32 bits exactly. A split that separates copies tests on what it has trained on; labels are
    groups that a splitter can keep together. The same speech at another level, rate or coding
    that loses anything is not a copy here.

    Examples
    --------
    >>> one, two = np.zeros(800), np.ones(800)
    >>> find_copies([(one, 16000), (two, 16000), (one, 16000), (one, 8000)])
    array([0, 1, 0, 2])
    """
    labels: dict[str | int, int] = {}
    copies = []
    with progress("looking for copies", len(data), verbose) as advance:
        for position, recording in enumerate(data):
            copies.append(labels.setdefault(content_hash(recording) or position, len(labels)))
            advance(1)
    return np.asarray(copies, dtype=np.int64)
