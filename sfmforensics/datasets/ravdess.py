"""RAVDESS: two English sentences, spoken and sung with eight emotions by 24 actors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import leave_out_repeats, match_files

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
_INTENSITIES = {"01": "normal", "02": "strong"}
_VOCALS = {"01": "speech", "02": "song"}
# Modality 02 is video without sound.
_PATTERN = (
    r"(.*/)?0[13]-(?P<vocal>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])-(?P<text>0[12])"
    r"-(?P<repetition>0[12])-(?P<speaker>0[1-9]|1\d|2[0-4])\.wav"
)
_LAYOUT = (
    "RAVDESS's Actor_NN/MODALITY-VOCAL-EMOTION-INTENSITY-STATEMENT-REPETITION-ACTOR.wav, such as "
    "Actor_12/03-01-06-01-02-01-12.wav (modality 01 or 03, vocal 01 or 02, emotion 01 to 08, "
    "actor 01 to 24)"
)
_DESCR = """\
RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song (Livingstone and Russo,
2018): 2 English sentences, acted by 12 men and 12 women with 8 emotions (neutral, calm,
happiness, sadness, anger, fear, disgust, surprise) at 2 intensities; 1,440 recordings of speech
and 1,012 of song, 48 kHz. Read from the names of the files."""


def load_ravdess(root: PathLike) -> Bunch:
    """Load RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the unpacked corpus, with ``Actor_01/`` to ``Actor_24/`` in it or in folders of
        it, such as ``Audio_Speech_Actors_01-24/``.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 3)
            ``speaker`` ("01" to "24"), ``emotion`` ("anger", "calm", "disgust", "fear",
            "happiness", "neutral", "sadness", "surprise") and ``gender`` ("female", "male").
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 4)
            ``text`` ("01": Kids are talking by the door, "02": Dogs are sitting by the door),
            ``intensity`` ("normal", "strong"), ``repetition`` (int, 1 or 2) and ``vocal``
            ("speech", "song").
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording of RAVDESS.

    Warns
    -----
    DatasetWarning
        Some wav files do not fit the naming scheme, or are there twice; they are left out.

    Notes
    -----
    The files are named, not opened. The complete sound of the corpus has 1,440 recordings of
    speech by 24 actors, and 1,012 of song by 23 of them, without disgust and surprise. Actors of
    odd numbers are men, those of even numbers women. Ages are not documented by actor. A neutral
    recording has the intensity "normal" always. Some copies hold the corpus twice, in a folder
    and in one inside of that; each recording is loaded once, a sound track of a film (modality
    01) in place of the same performance as sound alone (03).

    It is obtained as ``Audio_Speech_Actors_01-24.zip`` and ``Audio_Song_Actors_01-24.zip`` from
    https://zenodo.org/record/1188976, under CC BY-NC-SA 4.0.

    References
    ----------
    .. [1] S. R. Livingstone, F. A. Russo, "The Ryerson Audio-Visual Database of Emotional Speech
       and Song (RAVDESS): A dynamic, multimodal set of facial and vocal expressions in North
       American English", PLoS ONE 13(5), 2018.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "Actor_12").mkdir()
    >>> (root / "Actor_12" / "03-01-06-01-02-01-12.wav").touch()
    >>> load_ravdess(root).target
      speaker emotion  gender
    0      12    fear  female
    """
    paths, fields = match_files(root, _PATTERN, layout=_LAYOUT)
    paths, fields = leave_out_repeats(root, paths, fields, [*map(str, fields)])
    target = pd.DataFrame(
        {
            "speaker": fields["speaker"],
            "emotion": label_column(map(_EMOTIONS.get, fields["emotion"])),
            "gender": label_column(
                "male" if int(actor) % 2 else "female" for actor in fields["speaker"]
            ),
        }
    )
    details = pd.DataFrame(
        {
            "text": fields["text"],
            "intensity": label_column(map(_INTENSITIES.get, fields["intensity"])),
            "repetition": fields["repetition"].astype(int),
            "vocal": label_column(map(_VOCALS.get, fields["vocal"])),
        }
    )
    return make_bunch(paths, target, details=details, descr=_DESCR)
