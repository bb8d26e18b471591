"""Mozilla Common Voice: sentences of one language, read by volunteers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics._utils.names import show_name
from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import corpus_folder, read_columns
from sfmforensics.exceptions import DatasetError, shown
from sfmforensics.targets import bands

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_SPLITS = ("train", "dev", "test")
_TABLES = (*_SPLITS, "validated", "invalidated", "other")
_COLUMNS = ("client_id", "path", "sentence", "age", "gender")
_GENDERS = {
    "male_masculine": "male",
    "female_feminine": "female",
    "do_not_wish_to_say": None,
    "": None,
}
"""What the words of later releases mean in earlier ones; any other is kept."""
_AGES = {"teens": "<19", "twenties": "19-29", "fourties": "40-49", "nineties": "90+"}
"""What the form that speakers fill in says beside the words that are not decades."""
_LAYOUT = (
    "a language of Common Voice: clips/*.mp3 and validated.tsv, or train.tsv, dev.tsv and test.tsv"
)
_DESCR = """\
Mozilla Common Voice (Ardila et al., 2020), one language: sentences, read by volunteers, who say
themselves of what gender and age band they are, or do not. Labels from the tables of the corpus."""


def load_commonvoice(root: PathLike, split: str | None = None) -> Bunch:
    r"""Load a language of Mozilla Common Voice [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the language, such as ``cv-corpus-17.0-2024-03-15/pl/``, with ``clips/`` and the
        tables in it.
    split : {"train", "dev", "test", "validated", "invalidated", "other"} or None, default=None
        The table whose clips are loaded. None takes ``validated.tsv`` or, where that is missing,
        those of ``train.tsv``, ``dev.tsv`` and ``test.tsv`` that are there.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 3)
            ``speaker`` (the whole ``client_id``), ``gender`` ("female", "male", or what else the
            speaker says; missing where nothing is said) and ``age`` (bands of years, see
            `sfmforensics.targets.bands`; missing where nothing is said).
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording, "" where it is missing.
        details : DataFrame of shape (n_recordings, 2)
            ``text``: the sentence; and ``split`` ("train", "dev", "test"; None for a clip that is
            in none of the three).
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file; `split` is unknown; a table that is needed is missing,
        cannot be read, lacks a column or has no row; or clips that it lists are not there, or
        are listed twice.

    Notes
    -----
    The clips are named, not opened. What a corpus has depends on its language and release. The
    three splits are a part of ``validated.tsv``, made so that sentences do not recur. What
    speakers say of themselves is not verified, and one ``client_id`` is a device or an account
    rather than a person. "male_masculine" and "female_feminine" of later releases
    are "male" and "female" here; "other", "non-binary", "transgender" and "intersex" are kept;
    "do_not_wish_to_say" is missing.

    It is obtained from https://datacollective.mozillafoundation.org, under CC0 1.0; whoever
    downloads it agrees not to determine who the speakers are.

    References
    ----------
    .. [1] R. Ardila et al., "Common Voice: A Massively-Multilingual Speech Corpus", LREC 2020.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "clips").mkdir()
    >>> (root / "clips" / "common_voice_pl_1.mp3").touch()
    >>> header = "client_id\tpath\tsentence\tage\tgender\n"
    >>> row = "4fd2\tcommon_voice_pl_1.mp3\tDobry wieczór.\tthirties\tfemale_feminine\n"
    >>> _ = (root / "validated.tsv").write_text(header + row, encoding="utf-8")
    >>> load_commonvoice(root).target
      speaker  gender           age
    0    4fd2  female  [30.0, 39.0]
    """
    folder = corpus_folder(root, _LAYOUT)
    chosen = _chosen(folder, split)
    rows = pd.concat(
        [read_columns(folder / f"{name}.tsv", _COLUMNS, separator="\t") for name in chosen]
    )
    # Early releases leave the ending away.
    rows["clip"] = [_clip(path) for path in rows["path"]]
    rows = rows.sort_values("clip", ignore_index=True)
    _check_clips(folder, chosen, rows["clip"])
    splits = _splits(folder)
    target = pd.DataFrame(
        {
            "speaker": label_column(cell or None for cell in rows["client_id"]),
            "gender": label_column(_GENDERS.get(cell, cell) for cell in rows["gender"]),
            "age": bands(_AGES.get(cell, cell or None) for cell in rows["age"]),
        }
    )
    details = pd.DataFrame(
        {
            "text": label_column(cell or None for cell in rows["sentence"]),
            "split": label_column(map(splits.get, rows["clip"])),
        }
    )
    paths = [str(folder / "clips" / clip) for clip in rows["clip"]]
    return make_bunch(paths, target, details=details, descr=_DESCR)


def _chosen(folder: Path, split: str | None) -> list[str]:
    there = [name for name in _TABLES if (folder / f"{name}.tsv").is_file()]
    if split is None:
        chosen = ["validated"] if "validated" in there else [n for n in _SPLITS if n in there]
    elif split in _TABLES:
        chosen = [split] if split in there else []
    else:
        raise DatasetError(
            f"split is {shown(split)}; choose {', '.join(_TABLES)} or None for validated"
        )
    if not chosen:
        problem = f"has no {split or 'validated'}.tsv, found {', '.join(there) or 'no table'}"
        raise DatasetError(f"{folder}: {problem}; expected {_LAYOUT}")
    return chosen


def _clip(path: str) -> str:
    return path if path.endswith(".mp3") else f"{path}.mp3"


def _splits(folder: Path) -> dict[str, str]:
    """Which of the three splits a clip is in."""
    return {
        _clip(path): name
        for name in _SPLITS
        if (folder / f"{name}.tsv").is_file()
        for path in read_columns(folder / f"{name}.tsv", ["path"], separator="\t")["path"]
    }


def _check_clips(folder: Path, tables: Sequence[str], clips: pd.Series) -> None:
    listed = " and ".join(f"{name}.tsv" for name in tables)
    try:
        there = set(os.listdir(folder / "clips"))
    except OSError as error:
        raise DatasetError(
            f"{folder / 'clips'}: cannot be read ({error.strerror}); expected {_LAYOUT}"
        ) from error
    missing = [clip for clip in clips if clip not in there]
    if missing:
        raise DatasetError(
            f"{folder / 'clips'}: {len(missing)} of {len(clips)} clips in {listed} are not there, "
            f"the first is {show_name(missing[0])}; unpack the corpus again"
        )
    twice = clips[clips.duplicated()]
    if len(twice):
        raise DatasetError(
            f"{folder}: {len(twice)} clips are listed twice in {listed}, the first is "
            f"{show_name(twice.iloc[0])}; unpack the corpus again"
        )
