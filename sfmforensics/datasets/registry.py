"""Which corpora and formats there are; loading one by its name, or by how it looks."""

from __future__ import annotations

import os
import warnings
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics._utils.entry_points import Additions
from sfmforensics._utils.names import name_few
from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._base import Corpus, choose_tasks, make_bunch
from sfmforensics.datasets.ased import load_ased
from sfmforensics.datasets.audformat import load_audformat
from sfmforensics.datasets.audiofolder import find_metadata, load_audiofolder
from sfmforensics.datasets.baved import load_baved
from sfmforensics.datasets.commonvoice import load_commonvoice
from sfmforensics.datasets.cremad import load_cremad
from sfmforensics.datasets.emobox import find_folds, load_emobox
from sfmforensics.datasets.emodb import load_emodb
from sfmforensics.datasets.emovo import load_emovo
from sfmforensics.datasets.folder import find_sound, load_folder
from sfmforensics.datasets.kaldi import load_kaldi
from sfmforensics.datasets.lhotse import find_manifests, load_lhotse
from sfmforensics.datasets.librispeech import load_librispeech
from sfmforensics.datasets.nemo import load_nemo
from sfmforensics.datasets.ravdess import load_ravdess
from sfmforensics.datasets.savee import load_savee
from sfmforensics.datasets.shemo import load_shemo
from sfmforensics.datasets.table import load_table
from sfmforensics.datasets.tess import load_tess
from sfmforensics.datasets.timit import load_timit
from sfmforensics.datasets.urdu import load_urdu
from sfmforensics.exceptions import DatasetError, DatasetWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_TABLES = (".csv", ".json", ".parquet")
_MANY = 0.9
"""Share of the sound files below a root that a corpus must name for it to be that corpus."""
_BY_LISTS = ("commonvoice",)
"""Corpora that list their recordings, which may be a few of those that are there."""


def load_auto(
    root: PathLike, *, tasks: Sequence[str] | None = None, allow_outside: bool = False
) -> Bunch:
    """Load a corpus whose layout is recognised, and say what it was taken for.

    Parameters
    ----------
    root : path-like
        A folder, or a table.
    tasks : sequence of str or None, default=None
        Columns that are learnt, as for `load_table`.
    allow_outside : bool, default=False
        As for `load_table`, where the layout lists its recordings.

    Returns
    -------
    sklearn.utils.Bunch
        What the loader of the layout gives, and ``layout``, its name.

    Raises
    ------
    DatasetError
        No layout is recognised, several are, or the loader refuses what it finds.

    Warns
    -----
    DatasetWarning
        Always: what the root was taken for. Name the layout, and it is not said.

    Notes
    -----
    A file is a table, or Lhotse's cuts. A folder is looked at for what stands in it: db.yaml
    (audformat), wav.scp (Kaldi), manifests of Lhotse, EmoBox's folds, a metadata file (Hugging
    Face's AudioFolder); then for a corpus whose own naming fits nine tenths of the sound files or
    more; then for one table with a column ``path``; and is, last, a folder of folders.

    Examples
    --------
    >>> import tempfile, warnings
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "wav").mkdir()
    >>> (root / "wav" / "03a01Fa.wav").touch()
    >>> with warnings.catch_warnings(record=True):
    ...     warnings.simplefilter("always")
    ...     corpus = load_auto(root)
    >>> corpus.layout, corpus.target["emotion"].tolist()
    ('emodb', ['happiness'])
    """
    root = Path(os.path.abspath(user_path(root)))
    if not root.exists():
        raise DatasetError(f"{root}: does not exist; give the folder of a corpus, or a table")
    name, load = _recognised(root)
    corpus = load(tasks, allow_outside)
    warnings.warn(
        f"{root}: taken for {name} ({len(corpus.data)} recordings); --corpus {name} "
        f"(load_corpus({name!r}, ...)) says so without asking",
        DatasetWarning,
        stacklevel=2,
    )
    corpus["layout"] = name
    return corpus


def _recognised(
    root: Path,
) -> tuple[str, Callable[[Sequence[str] | None, bool], Bunch]]:
    """The name of a layout, and what loads the root."""

    def by(load: Callable[..., Bunch], place: Path = root) -> Callable[..., Bunch]:
        return lambda tasks, outside: load(place, tasks=tasks, allow_outside=outside)

    if root.is_file():
        cuts = root.name.endswith((".jsonl", ".jsonl.gz")) and "cuts" in root.name.lower()
        return ("lhotse", by(load_lhotse)) if cuts else ("table", by(load_table))
    if (root / "db.yaml").is_file():
        return "audformat", by(load_audformat)
    if (root / "wav.scp").is_file():
        return "kaldi", by(load_kaldi)
    if find_manifests(root, "cuts") or find_manifests(root, "supervisions"):
        return "lhotse", by(load_lhotse)
    if find_folds(root):
        return "emobox", by(load_emobox)
    if find_metadata(root):
        return "audiofolder", by(load_audiofolder)
    fits = _fitting(root)
    if len(fits) > 1:
        raise DatasetError(
            f"{root}: its files are named as those of {' and of '.join(fits)} are; say which it is "
            f"(--corpus {fits[0]})"
        )
    if fits:
        (name,) = fits
        # Once more, for what it warns of.
        return name, lambda tasks, _: choose_tasks(CORPORA[name](root), tasks, name)
    tables = [file for file in sorted(root.iterdir()) if file.suffix.lower() in _TABLES]
    if tables:
        if len(tables) > 1:
            raise DatasetError(
                f"{root}: holds several tables ({name_few([table.name for table in tables])}); "
                f"name one of them (--root {tables[0]})"
            )
        return "table", by(load_table, tables[0])
    return "folder", lambda tasks, _: load_folder(root, tasks=tasks)


def _fitting(root: Path) -> list[str]:
    """Corpora whose names of files fit."""
    # Of TIMIT some copies have each recording twice, as SA1.WAV and as SA1.WAV.wav.
    count = len({file.parent / file.name.split(".")[0] for file in find_sound(root)})
    fits = []
    for name, load in CORPORA.items():
        if name in _FORMATS:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DatasetWarning)
            try:
                corpus = load(root)
            except DatasetError:
                continue
        if name in _BY_LISTS or len(corpus.data) >= _MANY * count:
            fits.append(name)
    return fits


_FORMATS: dict[str, Callable[..., Bunch]] = {
    "auto": load_auto,
    "table": load_table,
    "folder": load_folder,
    "audiofolder": load_audiofolder,
    "audformat": load_audformat,
    "emobox": load_emobox,
    "kaldi": load_kaldi,
    "lhotse": load_lhotse,
}

CORPORA: dict[str, Callable[..., Bunch]] = _FORMATS | {
    "ased": load_ased,
    "baved": load_baved,
    "commonvoice": load_commonvoice,
    "cremad": load_cremad,
    "emodb": load_emodb,
    "emovo": load_emovo,
    "librispeech": load_librispeech,
    "nemo": load_nemo,
    "ravdess": load_ravdess,
    "savee": load_savee,
    "shemo": load_shemo,
    "tess": load_tess,
    "timit": load_timit,
    "urdu": load_urdu,
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
