"""Corpora: recordings with the labels that are learnt from them.

Every loader gives a `sklearn.utils.Bunch` with ``data`` (paths, or pairs of signal and rate),
``target`` (a DataFrame), ``groups`` (the speakers), ``details`` and ``DESCR``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfmforensics.datasets._base import choose_tasks, find_copies, get_data_home
from sfmforensics.datasets.baved import fetch_baved, load_baved
from sfmforensics.datasets.cremad import load_cremad
from sfmforensics.datasets.emodb import load_emodb
from sfmforensics.datasets.synthetic import make_speech_corpus
from sfmforensics.datasets.table import load_manifest
from sfmforensics.exceptions import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

__all__ = [
    "fetch_baved",
    "find_copies",
    "get_data_home",
    "load_baved",
    "load_corpus",
    "load_cremad",
    "load_emodb",
    "load_manifest",
    "make_speech_corpus",
]

_LOADERS: dict[str, Callable[[PathLike], Bunch]] = {
    "baved": load_baved,
    "emodb": load_emodb,
    "cremad": load_cremad,
    "manifest": load_manifest,
}


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
    name : {"baved", "emodb", "cremad", "manifest"}
        Which corpus.
    root : path-like
        Its folder; for "manifest" the CSV table.
    allow_outside : bool, default=False
        For "manifest" alone: whether its paths may lead out of the folder of the table, see
        `load_manifest`.
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
        that has no table, or there is no such task.

    Examples
    --------
    >>> load_corpus("timit", "corpora/timit")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.DatasetError: unknown corpus 'timit'; choose baved, emodb, cremad or
    manifest (a CSV table of your own)
    """
    if name not in _LOADERS:
        raise DatasetError(
            f"unknown corpus {name!r}; choose baved, emodb, cremad or manifest (a CSV table of "
            f"your own)"
        )
    if name == "manifest":
        return load_manifest(root, allow_outside=allow_outside, tasks=tasks)
    if allow_outside:
        raise DatasetError(
            f"corpus {str(name)!r}: only a manifest can list recordings outside of its folder; "
            f"leave out --allow-outside (allow_outside=True)"
        )
    return choose_tasks(_LOADERS[name](root), tasks, name)
