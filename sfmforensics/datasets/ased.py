"""ASED: Amharic sentences, spoken with five emotions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import match_files

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_EMOTIONS = {"n": "neutral", "f": "fear", "h": "happiness", "s": "sadness", "a": "anger"}
_GENDERS = {"01": "female", "02": "male"}
# One file is published with a capital: S4-04-02-01-29.wav.
_PATTERN = (
    r"(.*/)?(?P<emotion>[nfhsaNFHSA])\d+-(?P<text>\d\d)-(?P<repetition>\d\d)"
    r"-(?P<gender>0[12])-(?P<speaker>\d\d)\.wav"
)
_LAYOUT = (
    "ASED's EMOTION FOLDER-SENTENCE-REPETITION-SEX-SPEAKER.wav, such as a5-03-01-02-50.wav "
    "(emotion n, f, h, s or a, sex 01 or 02)"
)
_DESCR = """\
ASED, the Amharic Speech Emotion Dataset, version 1 (Retta et al., 2022): 27 Amharic sentences,
spoken by 25 women and 40 men with 5 emotions (neutral, fear, happiness, sadness, anger); 2,474
recordings that most of 8 judges accepted. Read from the names of the files.
Source: https://github.com/Ethio2021/ASED_V1"""


def load_ased(root: PathLike) -> Bunch:
    """Load ASED, the Amharic Speech Emotion Dataset, version 1 [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the corpus, with a folder for each emotion in it.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 3)
            ``speaker`` ("01", ...), ``emotion`` ("anger", "fear", "happiness", "neutral",
            "sadness": what the speaker was asked for and judges confirmed) and ``gender``
            ("female", "male").
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 2)
            ``text`` ("a03", ...): the sentence, numbered within its emotion; and ``repetition``
            (int, 1 or 2).
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording of ASED.

    Warns
    -----
    DatasetWarning
        Some wav files do not fit the naming scheme; they are left out.

    Notes
    -----
    The files are named, not opened. The complete corpus has 2,474 recordings of 65 speakers, by
    its README. Five sentences of each emotion are said with that one only, so the emotion can be
    read off the words; two are said with all. Which numbers those have is not documented, and
    ``text`` tells them apart. The names give no age. The corpus is obtained from
    https://github.com/Ethio2021/ASED_V1; it names no licence that we could find.

    References
    ----------
    .. [1] E. A. Retta, E. Almekhlafi, R. Sutcliffe, M. Mhamed, H. Ali, J. Feng, "A New Amharic
       Speech Emotion Dataset and Classification Benchmark", ACM Transactions on Asian and
       Low-Resource Language Information Processing, 2022.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "a5-03-01-02-50.wav").touch()
    >>> load_ased(root).target
      speaker emotion gender
    0      50   anger   male
    """
    paths, fields = match_files(root, _PATTERN, layout=_LAYOUT)
    letters = fields["emotion"].str.lower()
    target = pd.DataFrame(
        {
            "speaker": fields["speaker"],
            "emotion": label_column(map(_EMOTIONS.get, letters)),
            "gender": label_column(map(_GENDERS.get, fields["gender"])),
        }
    )
    details = pd.DataFrame(
        {
            "text": label_column(letters + fields["text"]),
            "repetition": fields["repetition"].astype(int),
        }
    )
    return make_bunch(paths, target, details=details, descr=_DESCR)
