"""BAVED: Arabic words, spoken at three levels of emotion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._fetch import fetch_archive
from sfmforensics.datasets._files import match_files

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_EMOTIONS = {"0": "low", "1": "neutral", "2": "high"}
_GENDERS = {"m": "male", "f": "female"}
_PATTERN = (
    r"[0-6]/(?P<speaker>\d+)-(?P<gender>[mf])-(?P<age>\d+)"
    r"-(?P<word>[0-6])-(?P<emotion>[0-2])-(?P<record>\d+)\.wav"
)
_LAYOUT = (
    "BAVED's WORD/SPEAKER-SEX-AGE-WORD-EMOTION-RECORD.wav, such as 0/46-m-20-0-2-158.wav "
    "(word 0 to 6, sex m or f, emotion 0 to 2)"
)
# The commit, not the branch: what it names cannot change.
_URL = (
    "https://github.com/40uf411/Basic-Arabic-Vocal-Emotions-Dataset/archive/"
    "9c91b2167ed608163fdf1673bc56e2ac8088e5b7.zip"
)
_DIGEST = "f5ef5474942c3afeeb3174a705eb1bbe316934710a72aad44f5c586bc5a335ba"
_MAX_BYTES = 200_000_000
_MAX_MEMBERS = 4_000
_DESCR = """\
BAVED, the Basic Arabic Vocal Emotions Dataset (A. Aouf, 2019): 7 Arabic words, spoken by 60
people of 5 to 41 years at three levels of emotion (low, neutral, high); 1,935 recordings, mono,
16 kHz. Read from the names of the files: SPEAKER-SEX-AGE-WORD-EMOTION-RECORD.wav.
Source: https://github.com/40uf411/Basic-Arabic-Vocal-Emotions-Dataset"""


def load_baved(root: PathLike) -> Bunch:
    """Load BAVED, the Basic Arabic Vocal Emotions Dataset [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the corpus, with ``0/`` to ``6/`` in it.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 4)
            ``speaker`` ("0", ...), ``emotion`` ("low", "neutral", "high"), ``gender`` ("female",
            "male") and ``age`` (float, years).
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 2)
            ``text`` (the word, "0" to "6") and ``record`` (int), from the name of the file.
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording of BAVED.

    Warns
    -----
    DatasetWarning
        Some wav files do not fit the naming scheme; they are left out.

    Notes
    -----
    The files are named, not opened. The complete corpus has 1,935 recordings of 60 speakers, of
    whom 52 is missing. One recording lies in the folder of another word than its name says; the
    name counts. 27 recordings are copies of others, some under another speaker's name: see
    `find_copies`.

    References
    ----------
    .. [1] https://github.com/40uf411/Basic-Arabic-Vocal-Emotions-Dataset

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "0").mkdir()
    >>> (root / "0" / "46-m-20-0-2-158.wav").touch()
    >>> load_baved(root).target
      speaker emotion gender   age
    0      46    high   male  20.0
    """
    paths, fields = match_files(root, _PATTERN, layout=_LAYOUT)
    target = pd.DataFrame(
        {
            "speaker": fields["speaker"],
            "emotion": label_column(map(_EMOTIONS.get, fields["emotion"])),
            "gender": label_column(map(_GENDERS.get, fields["gender"])),
            "age": fields["age"].astype(float),
        }
    )
    details = pd.DataFrame({"text": fields["word"], "record": fields["record"].astype(int)})
    return make_bunch(paths, target, details=details, descr=_DESCR)


def fetch_baved(*, data_home: PathLike | None = None, download_if_missing: bool = True) -> Bunch:
    """Load BAVED, downloading it (103 MB of recordings) on the first call.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder that fetched corpora are kept in; see `get_data_home`.
    download_if_missing : bool, default=True
        False raises an error where the corpus is not in the data home.

    Returns
    -------
    sklearn.utils.Bunch
        As from `load_baved`.

    Raises
    ------
    DatasetError
        The corpus is not there and may not be downloaded, the download fails, or the content
        differs from the expected one. Nothing that was in the data home is deleted.

    Notes
    -----
    Unpacked are the recordings only. Their content is compared with a digest of the complete
    corpus, on the first call and on every later one (about half a second).

    Examples
    --------
    >>> from sfmforensics.datasets import fetch_baved
    >>> corpus = fetch_baved()  # doctest: +SKIP
    """
    root = fetch_archive(
        "baved",
        url=_URL,
        pattern=_PATTERN,
        digest=_DIGEST,
        data_home=data_home,
        download_if_missing=download_if_missing,
        max_bytes=_MAX_BYTES,
        max_members=_MAX_MEMBERS,
    )
    return load_baved(root)
