"""EMOVO: fourteen Italian sentences, acted with seven emotions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import match_files

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_EMOTIONS = {
    "dis": "disgust",
    "gio": "happiness",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}
_GENDERS = {"f": "female", "m": "male"}
_PATTERN = (
    rf"(?i)(.*/)?(?P<emotion>{'|'.join(_EMOTIONS)})-(?P<speaker>[fm][1-3])-(?P<text>[bdln]\d)\.wav"
)
_LAYOUT = (
    "EMOVO's SPEAKER/EMOTION-SPEAKER-SENTENCE.wav, such as f1/dis-f1-b1.wav (emotion dis, gio, "
    "neu, pau, rab, sor or tri, speaker f1 to f3 or m1 to m3)"
)
_DESCR = """\
EMOVO (Costantini et al., 2014): 14 Italian sentences, acted by 3 women and 3 men with 7 emotions
(disgust, happiness, neutral, fear, anger, surprise, sadness); 588 recordings, 48 kHz. Read from the
names of the files."""


def load_emovo(root: PathLike) -> Bunch:
    """Load EMOVO, a corpus of emotional speech in Italian [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the corpus, with ``f1/`` to ``m3/`` in it or in ``EMOVO/``.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 3)
            ``speaker`` ("f1", ..., "m3"), ``emotion`` ("anger", "disgust", "fear", "happiness",
            "neutral", "sadness", "surprise") and ``gender`` ("female", "male").
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 1)
            ``text`` ("b1", ...): the sentence.
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording of EMOVO.

    Warns
    -----
    DatasetWarning
        Some wav files do not fit the naming scheme; they are left out.

    Notes
    -----
    The files are named, not opened. The complete corpus has 588 recordings of 6 speakers, each of
    whom says the 14 sentences with all emotions. Names in capitals are read as those in small
    letters. We know of no ages. The corpus is obtained from its authors (G. Costantini, University
    of Rome Tor Vergata); we could not confirm its licence.

    References
    ----------
    .. [1] G. Costantini, I. Iadarola, A. Paoloni, M. Todisco, "EMOVO Corpus: an Italian Emotional
       Speech Database", LREC 2014.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "f1").mkdir()
    >>> (root / "f1" / "rab-f1-b1.wav").touch()
    >>> load_emovo(root).target
      speaker emotion  gender
    0      f1   anger  female
    """
    paths, fields = match_files(root, _PATTERN, layout=_LAYOUT)
    fields = fields.apply(lambda field: label_column(field.str.lower()))
    target = pd.DataFrame(
        {
            "speaker": fields["speaker"],
            "emotion": label_column(map(_EMOTIONS.get, fields["emotion"])),
            "gender": label_column(_GENDERS[name[0]] for name in fields["speaker"]),
        }
    )
    return make_bunch(paths, target, details=fields[["text"]], descr=_DESCR)
