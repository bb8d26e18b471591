"""TIMIT: American English sentences, read by 630 speakers of eight dialect regions."""

from __future__ import annotations

import re
import warnings
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.names import name_few
from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import find_file, match_files, read_lines
from sfmforensics.exceptions import DatasetWarning

if TYPE_CHECKING:
    from pathlib import Path

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_GENDERS = {"M": "male", "F": "female"}
_PATTERN = (
    r"(?i)(.*/)?(?P<split>train|test)/(?P<dialect>dr[1-8])/(?P<speaker>[fm][a-z]{3}\d)"
    r"/(?P<text>s[aix]\d+)\.wav(\.wav)?"
)
_SPEAKERS = "SPKRINFO.TXT"
_LAYOUT = (
    "TIMIT's SPLIT/REGION/SPEAKER/SENTENCE.WAV, such as TRAIN/DR1/FCJF0/SA1.WAV, in capitals or "
    f"small letters, and DOC/{_SPEAKERS}"
)
_LINE = re.compile(
    r"(?P<name>[A-Z]{3}\d)\s+(?P<sex>[MF])\s+\d\s+\w+\s+(?P<recorded>\S+)\s+(?P<born>\S+)",
    re.IGNORECASE,
)
"""A line of SPKRINFO.TXT: ID, Sex, DR, Use, RecDate, BirthDate, ..."""
_DATE = re.compile(r"(\d\d?)/(\d\d?)/(\d\d)", re.ASCII)
_DESCR = """\
TIMIT (Garofolo et al., 1993): American English sentences, 10 each read by 438 men and 192 women of
8 dialect regions; 6,300 recordings, mono, 16 kHz. Labels from the names of folders and files, ages
from SPKRINFO.TXT."""


def load_timit(root: PathLike) -> Bunch:
    r"""Load TIMIT, the Acoustic-Phonetic Continuous Speech Corpus [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the corpus, with ``TRAIN/``, ``TEST/`` and ``DOC/SPKRINFO.TXT`` in it, in
        capitals or small letters.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 4)
            ``speaker`` ("FCJF0", ...), ``gender`` ("female", "male"), ``age`` (float, years at
            the recording, to one decimal; NaN where it is not known) and ``dialect`` ("DR1" to
            "DR8", the region).
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 2)
            ``text`` ("SA1", "SI1027", "SX37", ...): the sentence; and ``split`` ("train",
            "test").
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording of TIMIT.

    Warns
    -----
    DatasetWarning
        Some wav files do not fit the naming scheme, and are left out; there is no
        ``SPKRINFO.TXT``, and no age is known; or some speakers are not in it.

    Notes
    -----
    The recordings are named, not opened. The complete corpus has 6,300 recordings of 630
    speakers, 462 of them for training. It is published in the format NIST SPHERE under names with
    ``.WAV``; where the same recording lies beside it as ``.WAV.wav`` or ``.wav``, that one is
    taken, without a word.

    The age is the time from the birth to the recording, both as ``SPKRINFO.TXT`` gives them. Their
    years have two digits, all of the twentieth century. A date that is not known ("??") or not
    possible, or a birth after the recording, makes an age that is not known.

    TIMIT is obtained from the Linguistic Data Consortium, https://catalog.ldc.upenn.edu/LDC93S1,
    under a licence of its own.

    References
    ----------
    .. [1] J. S. Garofolo et al., "TIMIT Acoustic-Phonetic Continuous Speech Corpus LDC93S1",
       Linguistic Data Consortium, 1993.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "TRAIN" / "DR1" / "FCJF0").mkdir(parents=True)
    >>> (root / "TRAIN" / "DR1" / "FCJF0" / "SA1.WAV").touch()
    >>> line = "CJF0  F  1  TRN  03/04/86  09/04/60  5'05\"  WHT  HS\n"
    >>> _ = (root / "SPKRINFO.TXT").write_text(line)
    >>> load_timit(root).target
      speaker  gender   age dialect
    0   FCJF0  female  25.5     DR1
    """
    paths, fields = match_files(root, _PATTERN, layout=_LAYOUT)
    fields = fields.apply(lambda field: label_column(field.str.upper()))
    paths, fields = _take_one_each(paths, fields)
    table = find_file(root, _SPEAKERS)
    ages = {} if table is None else _read_ages(table)
    unknown = sorted(set(fields["speaker"]) - set(ages))
    if unknown:
        place = "is not below that folder" if table is None else "does not list them"
        warnings.warn(
            f"{root}: the age of {len(unknown)} speakers is missing, {_SPEAKERS} {place} "
            f"({name_few(unknown)}); put TIMIT's own there",
            DatasetWarning,
            stacklevel=2,
        )
    target = pd.DataFrame(
        {
            "speaker": fields["speaker"],
            "gender": label_column(_GENDERS[name[0]] for name in fields["speaker"]),
            "age": pd.Series([ages.get(name, np.nan) for name in fields["speaker"]], dtype=float),
            "dialect": fields["dialect"],
        }
    )
    details = pd.DataFrame(
        {"text": fields["text"], "split": label_column(fields["split"].str.lower())}
    )
    return make_bunch(paths, target, details=details, descr=_DESCR)


def _take_one_each(paths: list[str], fields: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """Of the forms of one recording, the one that most programs can read."""
    names = ["split", "dialect", "speaker", "text"]
    ranked = fields[names].assign(path=paths, rank=[_rank(path) for path in paths])
    first = ranked.sort_values(["rank", "path"]).drop_duplicates(names).sort_values("path")
    return first["path"].tolist(), first[names].reset_index(drop=True)


def _rank(path: str) -> int:
    if path.lower().endswith(".wav.wav"):
        return 0
    return 1 if path.endswith(".wav") else 2


def _read_ages(table: Path) -> dict[str, float]:
    people = [match for match in map(_LINE.match, read_lines(table)) if match]
    return {
        f"{person['sex']}{person['name']}".upper(): _years(person["born"], person["recorded"])
        for person in people
    }


def _years(born: str, recorded: str) -> float:
    start, end = _day(born), _day(recorded)
    if start is None or end is None or start >= end:
        return np.nan
    return round((end - start).days / 365.25, 1)


def _day(text: str) -> date | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    month, day, year = map(int, match.groups())
    try:
        return date(1900 + year, month, day)
    except ValueError:
        return None
