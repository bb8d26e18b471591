"""EmoBox: lists of recordings with an emotion each, and published folds."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from sfmforensics._utils.names import name_few
from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._listing import Listing, columns_of, corpus_of, split_of
from sfmforensics.datasets._records import read_records, texts_of
from sfmforensics.exceptions import DatasetError, DatasetWarning, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_FOLD = re.compile(r"(?P<name>.+)_(?P<side>train|test|valid|val|dev)_fold_?(?P<fold>\d+)\.jsonl")
_PASSED_OVER = ("key", "dataset", "type", "sample_rate", "num_frame", "task", "length", "channel")
_LAYOUT = (
    "EmoBox's folder of a corpus, data/NAME, with NAME.jsonl and fold_1/NAME_test_fold_1.jsonl"
)


def load_emobox(
    root: PathLike, *, tasks: Sequence[str] | None = None, allow_outside: bool = False
) -> Bunch:
    """Load a corpus as EmoBox lists it, with its published folds [1]_.

    Parameters
    ----------
    root : path-like
        EmoBox's folder of the corpus, such as ``EmoBox/data/emodb``.
    tasks : sequence of str or None, default=None
        Columns that are learnt, as for `load_table`.
    allow_outside : bool, default=False
        Whether a recording may lie outside of the folder that the paths start from; see
        `load_table`.

    Returns
    -------
    sklearn.utils.Bunch
        As of `load_table`: ``target`` has ``emotion`` as it is written there ("happy"), and
        ``speaker`` and so on where the lists have them; ``details`` has ``utterance`` (the key) and
        ``split``: the number of the fold that tests the recording, or "train", "dev" and "test"
        where there is one fold.

    Raises
    ------
    DatasetError
        There is no list, its paths lead nowhere, or what `load_table` refuses.

    Warns
    -----
    DatasetWarning
        Some recordings are tested in several folds, which one column cannot say: it is left out.

    Notes
    -----
    Paths start from the root, or from a folder above it where the first of them is there: EmoBox
    writes ``downloads/emodb/wav/03a01Wa.wav``, from its own folder on. Its lists name no speakers,
    so that only the protocol "given" can be followed with them; and of its folds many have the
    speakers of their tests in training, which an audit shows once speakers are known.

    References
    ----------
    .. [1] Z. Ma et al., "EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and
       Benchmark", Interspeech 2024.

    Examples
    --------
    >>> import json, tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "a.wav").touch()
    >>> row = {"key": "x-a", "dataset": "x", "wav": "a.wav", "emo": "happy"}
    >>> (root / "fold_1").mkdir()
    >>> _ = (root / "fold_1" / "x_test_fold_1.jsonl").write_text(json.dumps(row))
    >>> corpus = load_emobox(root)
    >>> corpus.target["emotion"].tolist(), corpus.details["split"].tolist()
    (['happy'], ['test'])
    """
    root = Path(os.path.abspath(user_path(root)))
    lists = sorted(file for file in root.glob("*.jsonl")) if root.is_dir() else []
    folds = find_folds(root)
    if not lists and not folds:
        problem = "does not exist" if not root.exists() else "has no list of EmoBox"
        raise DatasetError(f"{root}: {problem}; expected {_LAYOUT}")
    listed = [entry for file in lists or folds for entry in read_records(file)]
    records = {_key(record, root): (row, record) for row, record in listed}
    columns, _ = texts_of(root, records.values())
    keys = list(records)
    if "wav" not in columns or "emo" not in columns:
        raise DatasetError(f"{root}: its lists have {shown(list(columns))}; expected {_LAYOUT}")
    whole = {"path": columns.pop("wav"), "emotion": columns.pop("emo"), "utterance": keys}
    whole |= {name: cells for name, cells in columns.items() if name not in _PASSED_OVER}
    splits = _splits(folds, root)
    if splits:
        whole["split"] = [splits.get(key, "") for key in keys]
    rows = [f"recording {key}" for key in keys]
    listing = Listing(root, _base(root, whole["path"]), columns_of(whole), rows)
    return corpus_of(listing, tasks=tasks, allow_outside=allow_outside, details=("utterance",))


def find_folds(root: Path) -> list[Path]:
    """Lists of training and test sides below a folder of EmoBox, sorted.

    Examples
    --------
    >>> find_folds(Path("nowhere"))
    []
    """
    return sorted(file for file in root.glob("fold_*/*.jsonl") if _FOLD.fullmatch(file.name))


def _key(record: dict[str, object], root: Path) -> str:
    key = record.get("key") or record.get("wav")
    if not isinstance(key, str):
        raise DatasetError(f"{root}: an entry has no key ({shown(record)}); expected {_LAYOUT}")
    return key


def _splits(folds: Sequence[Path], root: Path) -> dict[str, str]:
    """By key the fold that tests it; of one fold, the side that it is on."""
    sides: dict[str, dict[str, list[Path]]] = {}
    for file in folds:
        match = _FOLD.fullmatch(file.name)
        assert match is not None  # find_folds has seen to that
        sides.setdefault(match["fold"], {}).setdefault(match["side"], []).append(file)
    if len(sides) == 1:
        (only,) = sides.values()
        return {
            _key(record, root): split_of(side)
            for side, files in only.items()
            for file in files
            for _, record in read_records(file)
        }
    tested: dict[str, str] = {}
    twice = []
    for fold, by_side in sides.items():
        for key in {
            _key(r, root) for file in by_side.get("test", []) for _, r in read_records(file)
        }:
            if tested.setdefault(key, fold) != fold:
                twice.append(key)
    if twice:
        warnings.warn(
            f"{root}: {len(twice)} recordings are tested in several folds ({name_few(twice)}); "
            "the folds are left out",
            DatasetWarning,
            stacklevel=3,
        )
        return {}
    return tested


def _base(root: Path, paths: Sequence[str]) -> Path:
    """The folder that the paths start from: the root, or one above it."""
    for folder in (root, *list(root.parents)[:3]):
        if os.path.isfile(folder / paths[0]):
            return folder
    return root
