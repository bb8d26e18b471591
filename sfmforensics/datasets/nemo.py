"""nEMO: Polish sentences, acted with six emotions by nine people."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics._utils.names import name_few, show_name
from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import corpus_folder, list_files, read_columns
from sfmforensics.exceptions import DatasetError, DatasetWarning, shown

if TYPE_CHECKING:
    from pathlib import Path

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_EMOTIONS = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}
_PUBLISHED = {
    "file_id": "path",
    "speaker_id": "speaker",
    "emotion": "emotion",
    "gender": "gender",
    "age": "age",
    "normalized_text": "text",
}
"""Columns of data.tsv, and what they are called in table.csv and here."""
_LAYOUT = (
    "nEMO's data.tsv and samples/SPEAKER_EMOTION_SENTENCE.wav, such as samples/EB0_anger_11.wav, "
    "or a table.csv with the columns path, speaker, emotion, gender, age and text"
)
_DESCR = """\
nEMO (Christop, 2024): 90 Polish sentences, acted by 4 women and 5 men of 23 to 28 years with 6
emotions (anger, fear, happiness, neutral, sadness, surprise); 4,481 recordings. Labels from the
table of the corpus.
Source: https://huggingface.co/datasets/amu-cai/nEMO"""


def load_nemo(root: PathLike) -> Bunch:
    r"""Load nEMO, a corpus of emotional speech in Polish [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the corpus: with ``data.tsv`` and ``samples/`` in it, as it is published, or
        with a ``table.csv`` whose column ``path`` gives the recordings, as of a part of it.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 4)
            ``speaker`` ("EB0", ...), ``emotion`` ("anger", "fear", "happiness", "neutral",
            "sadness", "surprise"), ``gender`` ("female", "male") and ``age`` (float, years).
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 1)
            ``text``: the sentence, in small letters without punctuation.
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or has neither table; the table lacks a column, has an
        unknown emotion or gender, or an age that is not a number; or it lists a recording twice,
        or one that is not below the root.

    Warns
    -----
    DatasetWarning
        Some wav or flac files are not in the table; they are left out.

    Notes
    -----
    The recordings are named, not opened. The complete corpus has 4,481 recordings of 9 speakers,
    under CC BY-NC-SA 4.0. It is obtained with
    ``git clone https://huggingface.co/datasets/amu-cai/nEMO``, where git LFS is installed; its
    parquet files hold the same recordings and are not read. Its "surprised" is "surprise" here.

    References
    ----------
    .. [1] I. Christop, "nEMO: Dataset of Emotional Speech in Polish", LREC-COLING 2024.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "EB0_surprised_6.flac").touch()
    >>> rows = "path,speaker,emotion,gender,age,text\nEB0_surprised_6.flac,EB0,surprised,female,27,"
    >>> _ = (root / "table.csv").write_text(rows)
    >>> load_nemo(root).target
      speaker   emotion  gender   age
    0     EB0  surprise  female  27.0
    """
    folder = corpus_folder(root, _LAYOUT)
    table, rows = _read(folder)
    rows = rows.sort_values("path", ignore_index=True)
    recordings = list_files(folder, [".wav", ".flac"])
    _check_paths(table, rows["path"], recordings)
    unlisted = [show_name(name) for name in sorted(set(recordings) - set(rows["path"]))]
    if unlisted:
        warnings.warn(
            f"{folder}: left out {len(unlisted)} of {len(recordings)} wav or flac files that "
            f"{table.name} does not list ({name_few(unlisted)})",
            DatasetWarning,
            stacklevel=2,
        )
    _check_labels(table, rows["emotion"], list(_EMOTIONS))
    _check_labels(table, rows["gender"], ["female", "male"])
    target = pd.DataFrame(
        {
            "speaker": label_column(cell or None for cell in rows["speaker"]),
            "emotion": label_column(map(_EMOTIONS.get, rows["emotion"])),
            "gender": label_column(rows["gender"]),
            "age": pd.Series([_years(age, table) for age in rows["age"]], dtype=float),
        }
    )
    details = pd.DataFrame({"text": label_column(cell or None for cell in rows["text"])})
    paths = [str(folder / path) for path in rows["path"]]
    return make_bunch(paths, target, details=details, descr=_DESCR)


def _read(folder: Path) -> tuple[Path, pd.DataFrame]:
    published, part = folder / "data.tsv", folder / "table.csv"
    if published.is_file():
        rows = read_columns(published, list(_PUBLISHED), separator="\t")
        rows = rows.rename(columns=_PUBLISHED)
        if (folder / "samples").is_dir():
            rows["path"] = "samples/" + rows["path"]
        return published, rows
    if part.is_file():
        return part, read_columns(part, list(_PUBLISHED.values()))
    raise DatasetError(f"{folder}: has neither data.tsv nor table.csv; expected {_LAYOUT}")


def _check_paths(table: Path, paths: pd.Series, recordings: list[str]) -> None:
    twice = [show_name(path) for path in paths[paths.duplicated()]]
    if twice:
        raise DatasetError(
            f"{table}: lists {len(twice)} recordings twice ({name_few(twice)}); get it again"
        )
    there = set(recordings)
    missing = [show_name(path) for path in paths if path not in there]
    if missing:
        raise DatasetError(
            f"{table}: {len(missing)} of {len(paths)} recordings are not there, the first is "
            f"{missing[0]}; get the corpus again, or delete their rows"
        )


def _check_labels(table: Path, labels: pd.Series, known: list[str]) -> None:
    unknown = sorted(set(labels) - set(known))
    if unknown:
        raise DatasetError(
            f"{table}: has the {labels.name} {shown(unknown[0])}; expected {', '.join(known)}"
        )


def _years(age: str, table: Path) -> float:
    try:
        return float(age or "nan")
    except ValueError as error:
        raise DatasetError(
            f"{table}: has the age {shown(age)}; expected a number of years"
        ) from error
