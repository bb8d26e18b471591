"""SAVEE: English sentences, acted with seven emotions by four men."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import leave_out_repeats, match_files

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
_PATTERN = (
    rf"(.*/)?(?P<speaker>DC|JE|JK|KL)[/_](?P<text>(?P<emotion>{'|'.join(_EMOTIONS)})\d\d)\.wav"
)
_LAYOUT = (
    "SAVEE's AudioData/SPEAKER/EMOTION NUMBER.wav, such as AudioData/DC/a01.wav, or "
    "SPEAKER_EMOTION NUMBER.wav, such as DC_a01.wav (speaker DC, JE, JK or KL, emotion a, d, f, h, "
    "n, sa or su)"
)
_DESCR = """\
SAVEE, the Surrey Audio-Visual Expressed Emotion database (Haq and Jackson, 2009): English
sentences from TIMIT, acted by 4 men of 27 to 31 years with 7 emotions (anger, disgust, fear,
happiness, neutral, sadness, surprise); 480 recordings, 44.1 kHz. Read from the names of the
files."""


def load_savee(root: PathLike) -> Bunch:
    """Load SAVEE, the Surrey Audio-Visual Expressed Emotion database [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the corpus: with ``AudioData/DC/``, ``JE/``, ``JK/`` and ``KL/`` in it, as it is
        published, or with files such as ``DC_a01.wav``, as in copies of it.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 3)
            ``speaker`` ("DC", "JE", "JK", "KL"), ``emotion`` ("anger", "disgust", "fear",
            "happiness", "neutral", "sadness", "surprise") and ``gender`` ("male").
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 1)
            ``text`` ("a01", ...): the sentence, numbered within its emotion.
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording of SAVEE.

    Warns
    -----
    DatasetWarning
        Some wav files do not fit the naming schemes, or are there twice; they are left out.

    Notes
    -----
    The files are named, not opened. The complete corpus has 480 recordings of 4 speakers: each
    says 15 sentences with every emotion, and 30 neutrally. Three of the 15 are common to all
    emotions; the names do not say so, and ``text`` tells them apart. Of the ages it is known that
    they are from 27 to 31 years, not who is how old, so there is no ``age``. The corpus is
    obtained on registration from http://kahlan.eps.surrey.ac.uk/savee/; we could not confirm its
    licence.

    References
    ----------
    .. [1] S. Haq, P. J. B. Jackson, "Speaker-dependent audio-visual emotion recognition", AVSP
       2009.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "DC_su01.wav").touch()
    >>> load_savee(root).target
      speaker   emotion gender
    0      DC  surprise   male
    """
    paths, fields = match_files(root, _PATTERN, layout=_LAYOUT)
    paths, fields = leave_out_repeats(root, paths, fields, ["speaker", "text"])
    target = pd.DataFrame(
        {
            "speaker": fields["speaker"],
            "emotion": label_column(map(_EMOTIONS.get, fields["emotion"])),
            "gender": label_column(["male"] * len(paths)),
        }
    )
    return make_bunch(paths, target, details=fields[["text"]], descr=_DESCR)
