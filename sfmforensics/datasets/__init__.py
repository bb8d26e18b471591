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
from sfmforensics.datasets.baved import fetch_baved, load_baved
from sfmforensics.datasets.cremad import load_cremad
from sfmforensics.datasets.emodb import load_emodb
from sfmforensics.datasets.synthetic import make_speech_corpus
from sfmforensics.datasets.table import load_manifest, load_table
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
    "load_baved",
    "load_corpus",
    "load_cremad",
    "load_emodb",
    "load_manifest",
    "load_table",
    "make_speech_corpus",
]

CORPORA: dict[str, Callable[..., Bunch]] = {
    "baved": load_baved,
    "emodb": load_emodb,
    "cremad": load_cremad,
    "table": load_table,
}
"""Loaders by the names of their corpora, the one table of them; "table" is a CSV table of a user.
Another package adds to it by an entry point of the group ``sfmforensics.corpora``: a function
``load(root)`` whose Bunch has at least ``data`` and ``target``, and which may take the options of
`load_corpus`."""

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
        Its folder; for "table" the CSV table.
    allow_outside : bool, default=False
        For "table", or another loader that takes it: whether its paths may lead out of the folder
        of the table, see `load_table`.
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
        that has no table, or there is no such task; or what another package brings cannot be
        loaded, or gives no corpus.

    Examples
    --------
    >>> load_corpus("timit", "corpora/timit")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.DatasetError: unknown corpus 'timit'; choose baved, emodb, cremad or
    table (a CSV table of your own)
    """
    load = CORPORA.get(_EARLIER_NAMES.get(name, name)) or _loader_of_a_package(name)
    takes = signature(load).parameters
    if allow_outside and "allow_outside" not in takes:
        raise DatasetError(
            f"corpus {str(name)!r}: only a table can list recordings outside of its folder; "
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
        names[names.index("table")] = "table (a CSV table of your own)"
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
