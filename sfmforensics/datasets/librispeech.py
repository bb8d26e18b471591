"""LibriSpeech: English audio books, cut into sentences."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics._utils.names import name_few
from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import find_file, leave_out_repeats, match_files, read_lines
from sfmforensics.exceptions import DatasetWarning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_GENDERS = {"M": "male", "F": "female"}
_PATTERN = (
    r"(.*/)?(?P<split>(train|dev|test)-[a-z0-9-]+)/(?P<speaker>\d+)/(?P<session>\d+)"
    r"/(?P<name>(?P=speaker)-(?P=session)-\d+)\.flac"
)
_SPEAKERS = "SPEAKERS.TXT"
_LAYOUT = (
    f"LibriSpeech's {_SPEAKERS} and SUBSET/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NUMBER.flac, such as "
    f"dev-clean/1272/128104/1272-128104-0000.flac"
)
_DESCR = """\
LibriSpeech (Panayotov et al., 2015): 1,000 hours of English audio books of LibriVox, read by
volunteers and cut into sentences, 16 kHz. Labels from the names of folders, genders from
SPEAKERS.TXT, texts from the transcripts."""


def load_librispeech(root: PathLike) -> Bunch:
    r"""Load LibriSpeech, or subsets of it [1]_.

    Parameters
    ----------
    root : path-like
        Folder of the corpus, with ``dev-clean/`` and so on and ``SPEAKERS.TXT`` in it or in
        ``LibriSpeech/``.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, sorted.
        target : DataFrame of shape (n_recordings, 2)
            ``speaker`` ("1272", ...) and ``gender`` ("female", "male").
        groups : ndarray of shape (n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, 3)
            ``text``: the sentence, in capitals; ``split`` ("dev-clean", ...): the subset; and
            ``session`` ("128104", ...): the chapter.
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording of LibriSpeech.

    Warns
    -----
    DatasetWarning
        Some flac files do not fit the naming scheme, or are there twice, and are left out; there
        is no ``SPEAKERS.TXT``, or speakers are not in it, and their gender is missing; or
        recordings have no transcript.

    Notes
    -----
    The recordings are named, not opened. The complete corpus has 2,484 speakers, in the subsets
    dev-clean, dev-other, test-clean, test-other, train-clean-100, train-clean-360 and
    train-other-500, none of whom is in two. That a chapter is one occasion is likely, but not
    documented. Ages are not published.

    It is obtained from https://www.openslr.org/12, under CC BY 4.0.

    References
    ----------
    .. [1] V. Panayotov, G. Chen, D. Povey, S. Khudanpur, "Librispeech: An ASR corpus based on
       public domain audio books", ICASSP 2015.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> chapter = root / "dev-clean" / "1272" / "128104"
    >>> chapter.mkdir(parents=True)
    >>> (chapter / "1272-128104-0000.flac").touch()
    >>> _ = (chapter / "1272-128104.trans.txt").write_text("1272-128104-0000 MISTER QUILTER IS\n")
    >>> _ = (root / "SPEAKERS.TXT").write_text("1272 | M | dev-clean | 7.9 | somebody\n")
    >>> corpus = load_librispeech(root)
    >>> corpus.target
      speaker gender
    0    1272   male
    >>> corpus.details["text"].tolist()
    ['MISTER QUILTER IS']
    """
    paths, fields = match_files(root, _PATTERN, layout=_LAYOUT, suffixes=[".flac"])
    paths, fields = leave_out_repeats(root, paths, fields, ["split", "name"])
    table = find_file(root, _SPEAKERS)
    genders = {} if table is None else _read_genders(table)
    unknown = sorted(set(fields["speaker"]) - set(genders))
    if unknown:
        place = f"there is no {_SPEAKERS}" if table is None else f"{_SPEAKERS} does not know them"
        warnings.warn(
            f"{root}: the gender of {len(unknown)} speakers is missing, {place} "
            f"({name_few(unknown)})",
            DatasetWarning,
            stacklevel=2,
        )
    texts = _read_texts({Path(path).parent for path in paths})
    silent = [name for name in fields["name"] if name not in texts]
    if silent:
        warnings.warn(
            f"{root}: {len(silent)} of {len(paths)} recordings have no line in a .trans.txt beside "
            f"them ({name_few(silent)}); their text is missing",
            DatasetWarning,
            stacklevel=2,
        )
    target = pd.DataFrame(
        {
            "speaker": fields["speaker"],
            "gender": label_column(map(genders.get, fields["speaker"])),
        }
    )
    details = pd.DataFrame(
        {
            "text": label_column(map(texts.get, fields["name"])),
            "split": fields["split"],
            "session": fields["session"],
        }
    )
    return make_bunch(paths, target, details=details, descr=_DESCR)


def _read_genders(table: Path) -> dict[str, str]:
    """Genders of ID | SEX | SUBSET | MINUTES | NAME; a line of a comment begins with ;."""
    genders = {}
    for line in read_lines(table):
        speaker, _, rest = line.partition("|")
        gender = _GENDERS.get(rest.partition("|")[0].strip())
        if gender and not line.startswith(";"):
            genders[speaker.strip()] = gender
    return genders


def _read_texts(chapters: Iterable[Path]) -> dict[str, str]:
    texts = {}
    for chapter in chapters:
        transcript = chapter / f"{chapter.parent.name}-{chapter.name}.trans.txt"
        if transcript.is_file():
            for line in read_lines(transcript):
                name, _, text = line.partition(" ")
                texts[name] = text.strip()
    return texts
