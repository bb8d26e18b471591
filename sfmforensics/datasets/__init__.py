"""Corpora: recordings with the labels that are learnt from them.

Every loader gives a `sklearn.utils.Bunch` with ``data`` (paths, or pairs of signal and rate),
``target`` (a DataFrame), ``groups`` (the speakers), ``details`` and ``DESCR``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfmforensics.datasets._base import find_copies, get_data_home
from sfmforensics.datasets.baved import fetch_baved, load_baved
from sfmforensics.datasets.cremad import load_cremad
from sfmforensics.datasets.emodb import load_emodb
from sfmforensics.datasets.manifest import load_manifest
from sfmforensics.datasets.synthetic import make_speech_corpus
from sfmforensics.exceptions import DatasetError

if TYPE_CHECKING:
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

_LOADERS = {
    "baved": load_baved,
    "emodb": load_emodb,
    "cremad": load_cremad,
    "manifest": load_manifest,
}


def load_corpus(name: str, root: PathLike) -> Bunch:
    """Load a corpus by its name.

    Parameters
    ----------
    name : {"baved", "emodb", "cremad", "manifest"}
        Which corpus.
    root : path-like
        Its folder; for "manifest" the CSV table.

    Returns
    -------
    sklearn.utils.Bunch
        What the loader of that corpus gives.

    Raises
    ------
    DatasetError
        The name is unknown, or the loader refuses the root.

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
    return _LOADERS[name](root)
