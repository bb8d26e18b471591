"""TESS: 200 English words, acted with seven emotions by two women."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import leave_out_repeats, match_files

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}
_AGES = {"OAF": 64, "YAF": 26}
"""Years, as the corpus documents them: OAF is the older actress, YAF the younger one."""
# One file is published as OA_bite_neutral.wav.
_PATTERN = (
    rf"(.*/)?(?P<speaker>OAF?|YAF)_(?P<text>[A-Za-z'-]+)_(?P<emotion>{'|'.join(_EMOTIONS)})\.wav"
)
_LAYOUT = (
    "TESS's SPEAKER_WORD_EMOTION.wav, such as OAF_Fear/OAF_back_fear.wav (speaker OAF or YAF, "
    "emotion angry, disgust, fear, happy, neutral, ps or sad)"
)
_DESCR = """\
TESS, the Toronto Emotional Speech Set (Pichora-Fuller and Dupuis, 2010): 200 English words in the
phrase "Say the word ...", acted by 2 women of 26 and 64 years with 7 emotions (anger, disgust,
fear, happiness, neutral, pleasant surprise, sadness); 2,800 recordings. Read from the names of the
files."""


def load_tess(root: PathLike) -> Bunch:
    """Load TESS, the Toronto Emotional Speech Set [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the recordings, with or without folders such as ``OAF_Fear/`` in it.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 4)
            ``speaker`` ("OAF", "YAF"), ``emotion`` ("anger", "disgust", "fear", "happiness",
            "neutral", "sadness", "surprise": a pleasant one), ``gender`` ("female") and ``age``
            (float, years: 64 or 26).
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 1)
            ``text`` ("back", ...): the word.
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording of TESS.

    Warns
    -----
    DatasetWarning
        Some wav files do not fit the naming scheme, or are there twice; they are left out.

    Notes
    -----
    The files are named, not opened. The complete corpus has 2,800 recordings of 2 speakers. One
    of OAF is published as ``OA_bite_neutral.wav`` and loaded as hers. Some copies hold the corpus
    twice, in a folder and in one inside of that; each recording is loaded once. With two speakers
    of one gender, gender is no task, and age is the same task as the speaker.

    It is obtained from https://doi.org/10.5683/SP2/E8H2MF; we could not confirm its licence.

    References
    ----------
    .. [1] M. K. Pichora-Fuller, K. Dupuis, "Toronto emotional speech set (TESS)", Scholars Portal
       Dataverse, 2020.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "YAF_back_ps.wav").touch()
    >>> load_tess(root).target
      speaker   emotion  gender   age
    0     YAF  surprise  female  26.0
    """
    paths, fields = match_files(root, _PATTERN, layout=_LAYOUT)
    fields["speaker"] = fields["speaker"].replace("OA", "OAF")
    paths, fields = leave_out_repeats(root, paths, fields, ["speaker", "text", "emotion"])
    target = pd.DataFrame(
        {
            "speaker": fields["speaker"],
            "emotion": label_column(map(_EMOTIONS.get, fields["emotion"])),
            "gender": label_column(["female"] * len(paths)),
            "age": pd.Series([_AGES[speaker] for speaker in fields["speaker"]], dtype=float),
        }
    )
    return make_bunch(paths, target, details=fields[["text"]], descr=_DESCR)
