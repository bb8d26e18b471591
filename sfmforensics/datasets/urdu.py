"""The URDU dataset: Urdu talk shows, with four emotions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import match_files

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_EMOTIONS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}
_GENDERS = {"M": "male", "F": "female"}
_PATTERN = r"(.*/)?(?P<speaker>S(?P<gender>[MF])\d+)_F(?P<record>\d+)_(?P<emotion>[AHNS])\d+\.wav"
_LAYOUT = (
    "the URDU dataset's FOLDER/SPEAKER_FILE_EMOTION NUMBER.wav, such as Angry/SM1_F10_A010.wav "
    "(speaker SM or SF with a number, emotion A, H, N or S)"
)
_DESCR = """\
The URDU dataset (Latif et al., 2018): utterances from Urdu talk shows, by 27 men and 11 women with
4 emotions (anger, happiness, neutral, sadness); 400 recordings. Read from the names of the files.
Source: https://github.com/siddiquelatif/URDU-Dataset"""


def load_urdu(root: PathLike) -> Bunch:
    """Load the URDU dataset of emotional speech in talk shows [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the corpus, with ``Angry/``, ``Happy/``, ``Neutral/`` and ``Sad/`` in it.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 3)
            ``speaker`` ("SM1", "SF1", ...), ``emotion`` ("anger", "happiness", "neutral",
            "sadness") and ``gender`` ("female", "male").
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 1)
            ``record`` (int): the number of the recording, among those of its speaker and emotion.
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording of the URDU dataset.

    Warns
    -----
    DatasetWarning
        Some wav files do not fit the naming scheme; they are left out.

    Notes
    -----
    The files are named, not opened. The complete corpus has 400 recordings of 38 speakers, 100 of
    each emotion. Speech is spontaneous, and most speakers are heard with one emotion only, so a
    voice can give the emotion away. One name is one speaker in all four folders: the numbers run
    on through them, and come to the 38 of the README. What is said and how old the speakers are
    is not published.

    It is obtained with ``git clone https://github.com/siddiquelatif/URDU-Dataset``, for research
    only, as its README says.

    References
    ----------
    .. [1] S. Latif, A. Qayyum, M. Usman, J. Qadir, "Cross Lingual Speech Emotion Recognition:
       Urdu vs. Western Languages", FIT 2018.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "SF2_F1_H013.wav").touch()
    >>> load_urdu(root).target
      speaker    emotion  gender
    0     SF2  happiness  female
    """
    paths, fields = match_files(root, _PATTERN, layout=_LAYOUT)
    target = pd.DataFrame(
        {
            "speaker": fields["speaker"],
            "emotion": label_column(map(_EMOTIONS.get, fields["emotion"])),
            "gender": label_column(map(_GENDERS.get, fields["gender"])),
        }
    )
    details = pd.DataFrame({"record": fields["record"].astype(int)})
    return make_bunch(paths, target, details=details, descr=_DESCR)
