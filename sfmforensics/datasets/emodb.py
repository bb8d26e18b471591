"""emo-DB: ten German sentences, acted with seven emotions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import match_files

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
# Sex and age in years, as the corpus documents them.
_SPEAKERS = {
    "03": ("male", 31),
    "08": ("female", 34),
    "09": ("female", 21),
    "10": ("male", 32),
    "11": ("male", 26),
    "12": ("male", 30),
    "13": ("female", 32),
    "14": ("female", 35),
    "15": ("male", 25),
    "16": ("female", 31),
}
_PATTERN = (
    rf"(wav/)?(?P<speaker>{'|'.join(_SPEAKERS)})(?P<text>[a-z]\d\d)"
    rf"(?P<emotion>[{''.join(_EMOTIONS)}])(?P<version>[a-z]?)\.wav"
)
_LAYOUT = (
    "emo-DB's wav/SPEAKER TEXT EMOTION VERSION.wav, such as wav/03a01Fa.wav "
    "(speaker 03 or 08 to 16, emotion W, L, E, A, F, T or N)"
)
_DESCR = """\
emo-DB, the Berlin Database of Emotional Speech (Burkhardt et al., 2005): 10 German sentences,
acted by 5 women and 5 men with 7 emotions (anger, boredom, disgust, fear, happiness, sadness,
neutral); 535 recordings, mono, 16 kHz. Read from the names of the files."""


def load_emodb(root: PathLike) -> Bunch:
    """Load emo-DB, the Berlin Database of Emotional Speech [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the unpacked corpus, with ``wav/`` in it, or the folder of the recordings.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 4)
            ``speaker`` ("03", ...), ``emotion`` ("anger", "boredom", "disgust", "fear",
            "happiness", "neutral", "sadness"), ``gender`` ("female", "male") and ``age`` (float,
            years).
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 2)
            ``text`` ("a01", ...) and ``version`` ("a", ...; "" where the name has none).
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording of emo-DB.

    Warns
    -----
    DatasetWarning
        Some wav files do not fit the naming scheme; they are left out.

    Notes
    -----
    The files are named, not opened. The complete corpus has 535 recordings of 10 speakers. It is
    obtained as ``download.zip`` from http://emodb.bilderbar.info/download/. There is no
    ``fetch_emodb``: we know of no publicly recorded checksum of that archive, so a download could
    not be verified.

    References
    ----------
    .. [1] F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier, B. Weiss, "A database of German
       emotional speech", Interspeech 2005.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "03a01Fa.wav").touch()
    >>> load_emodb(root).target
      speaker    emotion gender   age
    0      03  happiness   male  31.0
    """
    paths, fields = match_files(root, _PATTERN, layout=_LAYOUT)
    gender, age = zip(*map(_SPEAKERS.get, fields["speaker"]), strict=True)
    target = pd.DataFrame(
        {
            "speaker": fields["speaker"],
            "emotion": label_column(map(_EMOTIONS.get, fields["emotion"])),
            "gender": label_column(gender),
            "age": pd.Series(age, dtype=float),
        }
    )
    return make_bunch(paths, target, details=fields[["text", "version"]], descr=_DESCR)
