"""CREMA-D: twelve English sentences, acted with six emotions by 91 actors."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.names import name_few
from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import match_files
from sfmforensics.exceptions import DatasetError, DatasetWarning

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
_LEVELS = {"X": "unspecified", "XX": "unspecified", "LO": "low", "MD": "medium", "HI": "high"}
_PATTERN = (
    rf"AudioWAV/(?P<speaker>\d{{4}})_(?P<sentence>[A-Z]{{3}})"
    rf"_(?P<emotion>{'|'.join(_EMOTIONS)})_(?P<level>{'|'.join(_LEVELS)})\.wav"
)
_DEMOGRAPHICS = "VideoDemographics.csv"
_LAYOUT = (
    f"CREMA-D's {_DEMOGRAPHICS} and AudioWAV/ACTOR_SENTENCE_EMOTION_LEVEL.wav, such as "
    f"AudioWAV/1001_DFA_ANG_XX.wav"
)
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_LFS_MAX_BYTES = 1024
_DESCR = """\
CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset (Cao et al., 2014): 12 English
sentences, acted by 48 men and 43 women of 20 to 74 years with 6 emotions (anger, disgust, fear,
happiness, neutral, sadness); 7,442 recordings, mono, 16 kHz. Labels from the names of the files,
ages and sexes from VideoDemographics.csv."""


def load_cremad(root: PathLike) -> Bunch:
    r"""Load CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the corpus, with ``AudioWAV/`` and ``VideoDemographics.csv`` in it.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 4)
            ``speaker`` ("1001", ...), ``emotion`` ("anger", "disgust", "fear", "happiness",
            "neutral", "sadness": what the actor was asked for), ``gender`` ("female", "male") and
            ``age`` (float, years).
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 2)
            ``text`` (the sentence: "DFA", ...) and ``level`` ("unspecified", "low", "medium",
            "high").
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording of CREMA-D; the table of the actors
        is missing, lacks a column or has an age that is not a number; the recordings are pointers
        of git LFS.

    Warns
    -----
    DatasetWarning
        Some wav files do not fit the naming scheme, and are left out; or some actors are not in
        the table, and their gender and age are missing.

    Notes
    -----
    The files are named, not opened. The complete corpus has 7,442 recordings of 91 actors. It is
    obtained with ``git clone https://github.com/CheyneyComputerScience/CREMA-D``, where git LFS is
    installed; that verifies the SHA-256 of every recording, so there is no ``fetch_cremad``.

    References
    ----------
    .. [1] H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma, "CREMA-D:
       Crowd-sourced Emotional Multimodal Actors Dataset", IEEE Transactions on Affective
       Computing 5(4), 2014.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "AudioWAV").mkdir()
    >>> (root / "AudioWAV" / "1001_DFA_ANG_XX.wav").touch()
    >>> _ = (root / "VideoDemographics.csv").write_text("ActorID,Age,Sex\n1001,51,Male")
    >>> load_cremad(root).target
      speaker emotion gender   age
    0    1001   anger   male  51.0
    """
    paths, fields = match_files(root, _PATTERN, layout=_LAYOUT)
    _refuse_pointers(root, paths)
    actors = _read_actors(user_path(root) / _DEMOGRAPHICS)
    unknown = sorted(set(fields["speaker"]) - set(actors))
    if unknown:
        warnings.warn(
            f"{root}: {len(unknown)} actors are not in {_DEMOGRAPHICS} ({name_few(unknown)}); "
            f"their gender and age are missing",
            DatasetWarning,
            stacklevel=2,
        )
    known = [actors.get(actor, (None, np.nan)) for actor in fields["speaker"]]
    gender, age = zip(*known, strict=True)
    target = pd.DataFrame(
        {
            "speaker": fields["speaker"],
            "emotion": label_column(map(_EMOTIONS.get, fields["emotion"])),
            "gender": label_column(gender),
            "age": pd.Series(age, dtype=float),
        }
    )
    details = pd.DataFrame(
        {
            "text": fields["sentence"],
            "level": label_column(map(_LEVELS.get, fields["level"])),
        }
    )
    return make_bunch(paths, target, details=details, descr=_DESCR)


def _read_actors(table: Path) -> dict[str, tuple[str, float]]:
    if not table.is_file():
        raise DatasetError(f"{table}: not there; expected {_LAYOUT}")
    try:
        rows = pd.read_csv(table, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        raise DatasetError(f"{table}: cannot be read as CSV ({error}); get it again") from error
    missing = [name for name in ("ActorID", "Age", "Sex") if name not in rows]
    if missing:
        raise DatasetError(
            f"{table}: lacks the columns {missing}, has {list(rows)}; get it again from CREMA-D"
        )
    actors: Iterable[Any] = rows.itertuples(index=False)
    return {row.ActorID.strip(): (_gender(row, table), _years(row, table)) for row in actors}


def _gender(row: Any, table: Path) -> str:
    sex = row.Sex.strip().lower()
    if sex not in ("male", "female"):
        raise DatasetError(
            f"{table}: actor {row.ActorID} has the sex {row.Sex!r}; expected Male or Female"
        )
    return sex


def _years(row: Any, table: Path) -> float:
    try:
        return float(row.Age)
    except ValueError as error:
        raise DatasetError(
            f"{table}: actor {row.ActorID} has the age {row.Age!r}; expected a number of years"
        ) from error


def _refuse_pointers(root: PathLike, paths: Sequence[str]) -> None:
    pointers = [path for path in paths if _is_pointer(path)]
    if pointers:
        raise DatasetError(
            f"{root}: {len(pointers)} of {len(paths)} recordings are pointers of git LFS, not "
            f"sound ({name_few(pointers)}); run: git lfs pull"
        )


def _is_pointer(path: str) -> bool:
    # Opening a named pipe could wait for ever.
    if not os.path.isfile(path) or os.path.getsize(path) > _LFS_MAX_BYTES:
        return False
    with open(path, "rb") as file:
        return file.read(len(_LFS_POINTER)) == _LFS_POINTER
