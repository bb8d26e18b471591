"""Corpora: recordings with the labels that are learnt from them.

Every loader gives a `sklearn.utils.Bunch` with ``data`` (paths, or pairs of signal and rate),
``target`` (a DataFrame), ``groups`` (the speakers), ``details`` and ``DESCR``.
"""

from __future__ import annotations

from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING

import pandas as pd
from sklearn.utils import Bunch

from sfmforensics._utils.entry_points import Additions
from sfmforensics.datasets._base import Corpus, choose_tasks, find_copies, get_data_home, make_bunch
from sfmforensics.datasets.ased import load_ased
from sfmforensics.datasets.audformat import load_audformat
from sfmforensics.datasets.audiofolder import load_audiofolder, load_dataset
from sfmforensics.datasets.auto import BY_NAMES, load_auto
from sfmforensics.datasets.baved import fetch_baved, load_baved
from sfmforensics.datasets.commonvoice import load_commonvoice
from sfmforensics.datasets.cremad import load_cremad
from sfmforensics.datasets.emobox import load_emobox
from sfmforensics.datasets.emodb import load_emodb
from sfmforensics.datasets.emovo import load_emovo
from sfmforensics.datasets.folder import load_folder
from sfmforensics.datasets.kaldi import load_kaldi
from sfmforensics.datasets.lhotse import load_lhotse
from sfmforensics.datasets.librispeech import load_librispeech
from sfmforensics.datasets.nemo import load_nemo
from sfmforensics.datasets.ravdess import load_ravdess
from sfmforensics.datasets.savee import load_savee
from sfmforensics.datasets.shemo import load_shemo
from sfmforensics.datasets.synthetic import make_speech_corpus
from sfmforensics.datasets.table import load_manifest, load_table
from sfmforensics.datasets.tess import load_tess
from sfmforensics.datasets.timit import load_timit
from sfmforensics.datasets.urdu import load_urdu
from sfmforensics.exceptions import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from sfmforensics._types import PathLike

__all__ = [
    "CORPORA",
    "fetch_baved",
    "find_copies",
    "get_data_home",
    "load_ased",
    "load_audformat",
    "load_audiofolder",
    "load_auto",
    "load_baved",
    "load_commonvoice",
    "load_corpus",
    "load_cremad",
    "load_dataset",
    "load_emobox",
    "load_emodb",
    "load_emovo",
    "load_folder",
    "load_kaldi",
    "load_lhotse",
    "load_librispeech",
    "load_manifest",
    "load_nemo",
    "load_ravdess",
    "load_savee",
    "load_shemo",
    "load_table",
    "load_tess",
    "load_timit",
    "load_urdu",
    "make_speech_corpus",
]

CORPORA: dict[str, Callable[..., Bunch]] = {
    "auto": load_auto,
    "table": load_table,
    "folder": load_folder,
    "audiofolder": load_audiofolder,
    "audformat": load_audformat,
    "emobox": load_emobox,
    "kaldi": load_kaldi,
    "lhotse": load_lhotse,
    **BY_NAMES,
}
"""Loaders by the names of their corpora and formats, the one table of them; "table" is a table of a
user, and "auto" recognises the others. Another package adds to it by an entry point of the group
``sfmforensics.corpora``: a function ``load(root)`` whose Bunch has at least ``data`` and
``target``, and which may take the options of `load_corpus`."""

_EARLIER_NAMES = {"manifest": "table"}
_ADDITIONS = Additions(
    "sfmforensics.corpora", "corpus", CORPORA.keys() | _EARLIER_NAMES.keys(), DatasetError
)


def load_corpus(
    name: str,
    root: PathLike,
    *,
    allow_outside: bool = False,
    tasks: Sequence[str] | None = None,
) -> Bunch:
    """Load a corpus by its name.

    Parameters
    ----------
    name : str
        Which corpus: one of `CORPORA`, or one that another package brings. "manifest" is an
        earlier name of "table".
    root : path-like
        Its folder; for "table" the table.
    allow_outside : bool, default=False
        For loaders that take it, of formats that list their recordings: whether paths may lead out
        of the folder, see `load_table`.
    tasks : sequence of str or None, default=None
        Columns of the labels that are learnt, such as ``["emotion", "age"]``; all by default. The
        others are kept in ``details``, and folds go by the speaker still.

    Returns
    -------
    sklearn.utils.Bunch
        What the loader of that corpus gives.

    Raises
    ------
    DatasetError
        The name is unknown, the loader refuses the root, `allow_outside` is set for a corpus
        that lists no recordings, or there is no such task; or what another package brings cannot
        be loaded, or gives no corpus.

    Examples
    --------
    >>> load_corpus("switchboard", "corpora/switchboard")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.DatasetError: unknown corpus 'switchboard'; choose auto, table (a table
    of your own), folder, audiofolder, audformat, emobox, kaldi, lhotse, ased, ... or urdu
    """
    load = CORPORA.get(_EARLIER_NAMES.get(name, name)) or _loader_of_a_package(name)
    takes = signature(load).parameters
    if allow_outside and "allow_outside" not in takes:
        raise DatasetError(
            f"corpus {str(name)!r}: it lists no recordings that could lie outside of its folder; "
            f"leave out --allow-outside (allow_outside=True)"
        )
    options = {"allow_outside": True} if allow_outside else {}
    if "tasks" in takes:
        return load(root, tasks=tasks, **options)
    return choose_tasks(load(root, **options), tasks, name)


def _loader_of_a_package(name: str) -> Callable[..., Bunch]:
    """The loader that an installed package brings, whose corpora are checked."""
    load = _ADDITIONS.load(name)
    if load is None:
        names = [*CORPORA, *_ADDITIONS.names()]
        names[names.index("table")] = "table (a table of your own)"
        raise DatasetError(
            f"unknown corpus {name!r}; choose {', '.join(names[:-1])} or {names[-1]}"
        )

    @wraps(load)  # with its signature
    def checked(*arguments: Any, **options: Any) -> Bunch:
        corpus = load(*arguments, **options)
        if not isinstance(corpus, dict) or not isinstance(corpus.get("target"), pd.DataFrame):
            raise DatasetError(
                f"corpus {name!r}: its loader gives no Bunch with data, a list of recordings, and "
                f"target, a DataFrame, but {type(corpus).__name__}; repair the package"
            )
        return Corpus(
            **corpus
            | make_bunch(
                corpus.get("data", ()),
                corpus["target"].reset_index(drop=True),
                descr=corpus.get("DESCR", name),
                groups=corpus.get("groups"),
                details=corpus.get("details"),
            )
        )

    return checked
