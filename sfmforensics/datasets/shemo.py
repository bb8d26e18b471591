"""ShEMO: Persian radio plays, with six emotions."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics._utils.names import name_few
from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import match_files
from sfmforensics.exceptions import DatasetError, DatasetWarning

if TYPE_CHECKING:
    from pathlib import Path

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_EMOTIONS = {
    "A": "anger",
    "F": "fear",
    "H": "happiness",
    "N": "neutral",
    "S": "sadness",
    "W": "surprise",
}
_GENDERS = {"M": "male", "F": "female"}
_PATTERN = (
    r"(.*/)?(?P<name>(?P<speaker>(?P<gender>[MF])\d\d)(?P<emotion>[AFHNSW])(?P<record>\d+))\.wav"
)
_TRANSCRIPTS = "shemo.json"
_LAYOUT = (
    "ShEMO's male/SPEAKER EMOTION NUMBER.wav and female/..., such as male/M01A01.wav (speaker M or "
    "F and two digits, emotion A, F, H, N, S or W)"
)
_DESCR = """\
ShEMO, the Sharif Emotional Speech Database (Mohamad Nezami et al., 2019): utterances from Persian
radio plays, by 31 women and 56 men with 6 emotions (anger, fear, happiness, neutral, sadness,
surprise); 3,000 recordings. Labels from the names of the files, texts from shemo.json."""


def load_shemo(root: PathLike) -> Bunch:
    """Load ShEMO, the Sharif Emotional Speech Database [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the corpus, with ``male/`` and ``female/`` in it, and ``shemo.json`` where the
        texts are wanted.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 3)
            ``speaker`` ("F01", "M01", ...), ``emotion`` ("anger", "fear", "happiness", "neutral",
            "sadness", "surprise") and ``gender`` ("female", "male").
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 1) or (n_recordings, 2)
            ``record`` (int): the number of the recording, among those of its speaker and emotion;
            with ``shemo.json``, ``text``: what is said.
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording of ShEMO; ``shemo.json`` is no list
        of objects with ``id`` and ``transcript``.

    Warns
    -----
    DatasetWarning
        Some wav files do not fit the naming scheme, and are left out; or some recordings are not
        in ``shemo.json``, and their text is missing.

    Notes
    -----
    The recordings are named, not opened. The complete corpus has 3,000 recordings of 87 speakers,
    few of them with fear. Emotions are those of the names, also where ``shemo.json`` gives
    another. Some texts are known to be those of other recordings (see
    https://github.com/aliyzd95/modified_shemo). Ages are not published.

    Recordings and texts are obtained from
    https://github.com/pariajm/sharif-emotional-speech-dataset, for academic purposes, as its
    README says.

    References
    ----------
    .. [1] O. Mohamad Nezami, P. Jamshid Lou, M. Karami, "ShEMO: a large-scale validated database
       for Persian speech emotion detection", Language Resources and Evaluation 53, 2019.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "female").mkdir()
    >>> (root / "female" / "F05H12.wav").touch()
    >>> load_shemo(root).target
      speaker    emotion  gender
    0     F05  happiness  female
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
    transcripts = user_path(root) / _TRANSCRIPTS
    if transcripts.is_file():
        texts = _read_texts(transcripts)
        unknown = sorted(set(fields["name"]) - set(texts))
        if unknown:
            warnings.warn(
                f"{root}: {len(unknown)} recordings are not in {_TRANSCRIPTS} "
                f"({name_few(unknown)}); their text is missing",
                DatasetWarning,
                stacklevel=2,
            )
        details["text"] = label_column(texts.get(name) or None for name in fields["name"])
    return make_bunch(paths, target, details=details, descr=_DESCR)


def _read_texts(file: Path) -> dict[str, str]:
    try:
        entries = json.loads(file.read_text(encoding="utf-8-sig"))
        # Some texts begin with the byte order mark of the file they were read from.
        return {entry["id"]: entry["transcript"].lstrip("\ufeff").strip() for entry in entries}
    except (ValueError, OSError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(
            f"{file}: is no list of objects with id and transcript ({error!r}); get it again, or "
            f"take it away"
        ) from error
