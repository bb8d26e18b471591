"""Folders as Hugging Face reads them, sound beside a metadata file; and a `datasets.Dataset`."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfmforensics._utils.names import show_name
from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._cells import read_cells
from sfmforensics.datasets._listing import Listing, columns_of, corpus_of, split_of
from sfmforensics.datasets._records import read_records, text_of_value, texts_of
from sfmforensics.exceptions import DatasetError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike
    from sfmforensics._utils.recordings import Recording

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_FILE = ("file_name", "audio_file_name")
_LAYOUT = f"a folder of sound files with {', '.join(METADATA[:-1])} or {METADATA[-1]}"


def load_audiofolder(
    root: PathLike, *, tasks: Sequence[str] | None = None, allow_outside: bool = False
) -> Bunch:
    r"""Load a corpus in the layout of Hugging Face's AudioFolder [1]_.

    Parameters
    ----------
    root : path-like
        Folder with a ``metadata.csv``, ``metadata.jsonl`` or ``metadata.parquet``, or whose folders
        of splits (``train/``, ``validation/``, ``test/``, ``data/train/``) have one each. Its
        column ``file_name`` names sound files relative to the metadata.
    tasks : sequence of str or None, default=None
        Columns that are learnt, as for `load_table`.
    allow_outside : bool, default=False
        Whether a file may lie outside of the root, as for `load_table`.

    Returns
    -------
    sklearn.utils.Bunch
        As of `load_table`: ``data``, ``target``, ``groups``, ``details`` and ``DESCR``. The name of
        a folder of a split is ``split`` in ``details``: "train", "dev" or "test".

    Raises
    ------
    DatasetError
        There is no metadata file; it has no column ``file_name``; or what `load_table` refuses.

    Notes
    -----
    Columns have the names that data on the hub often give them, and are read under ours unless one
    of that name is there: ``speaker_id``, ``client_id`` and ``spk_id`` as ``speaker``, ``sex`` as
    ``gender``, ``transcription``, ``transcript`` and ``sentence`` as ``text``.

    A folder without metadata, whose classes are folders, is read by `load_folder`; a
    `datasets.Dataset` by `load_dataset`.

    References
    ----------
    .. [1] https://huggingface.co/docs/datasets/audio_dataset

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "train").mkdir()
    >>> (root / "train" / "a.wav").touch()
    >>> _ = (root / "train" / "metadata.csv").write_text("file_name,speaker_id\na.wav,7")
    >>> corpus = load_audiofolder(root)
    >>> corpus.target["speaker"].tolist(), corpus.details["split"].tolist()
    (['7'], ['train'])
    """
    root = Path(os.path.abspath(user_path(root)))
    files = find_metadata(root)
    if not files:
        problem = "does not exist" if not root.exists() else "has no metadata file"
        raise DatasetError(f"{root}: {problem}; expected {_LAYOUT}")
    parts = [_read(file, root) for file in files]
    names = dict.fromkeys(name for columns, _ in parts for name in columns)
    columns = {
        name: [cell for part, rows in parts for cell in part.get(name, [""] * len(rows))]
        for name in names
    }
    if not any(columns.get("split", [])):
        columns.pop("split", None)
    rows = [row for _, of_part in parts for row in of_part]
    listing = Listing(files[0] if len(files) == 1 else root, root, columns_of(columns), rows)
    return corpus_of(listing, tasks=tasks, allow_outside=allow_outside)


def find_metadata(root: Path) -> list[Path]:
    """Metadata files of a root or of its folders, sorted.

    Examples
    --------
    >>> find_metadata(Path("nowhere"))
    []
    """
    found = [
        Path(folder) / name
        for folder, _, files in os.walk(root)
        for name in METADATA
        if name in files
    ]
    return sorted(found)


def _read(file: Path, root: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Columns of one metadata file, whose paths are made relative to the root."""
    if file.suffix == ".csv":
        lines = read_cells(file)
        header, body = (lines[0][1] if lines else []), lines[1:]
        for row, cells in body:
            if len(cells) != len(header):
                raise DatasetError(
                    f"{file}: row {row} has {len(cells)} cells, the header has {len(header)}; put "
                    "a cell that holds a comma in double quotes"
                )
        columns = {name: [cells[i] for _, cells in body] for i, name in enumerate(header)}
        rows = [f"row {row}" for row, _ in body]
    else:
        columns, rows = texts_of(file, read_records(file))
    named = next((name for name in _FILE if name in columns), None)
    if named is None:
        raise DatasetError(
            f"{file}: has no column 'file_name', found {shown(list(columns))}; call the column "
            "with the names of the sound files file_name"
        )
    folder = file.parent.relative_to(root)
    paths = [(folder / cell).as_posix() if cell else "" for cell in columns.pop(named)]
    split = next(filter(None, map(split_of, reversed(folder.parts))), "")
    whole = {"path": paths} | columns
    if "split" not in columns:
        whole["split"] = [split] * len(rows)
    where = "" if file.parent == root else f"{folder.as_posix()}: "
    return whole, [f"{where}{row}" for row in rows]


def load_dataset(
    dataset: Any, *, audio: str | None = None, tasks: Sequence[str] | None = None
) -> Bunch:
    """Make a corpus of a `datasets.Dataset` with a column of audio.

    Parameters
    ----------
    dataset : datasets.Dataset or datasets.DatasetDict
        Of Hugging Face's library; of several splits all are taken, and named in ``details``.
    audio : str or None, default=None
        The column of the recordings; by default the only one with the feature ``Audio``.
    tasks : sequence of str or None, default=None
        Columns that are learnt, as for `load_table`.

    Returns
    -------
    sklearn.utils.Bunch
        As of `load_table`, but that ``data`` holds ``(signal, rate)`` pairs of what the dataset
        holds as bytes, and paths of what it names.

    Raises
    ------
    DatasetError
        There is no such column, or several; a recording is neither in the dataset nor on the disk,
        or cannot be decoded; or the columns hold lists.

    Notes
    -----
    Sound is decoded as it is for files, by libsndfile, not by `datasets` (which would need ffmpeg):
    the same recordings give the same vectors, whichever way they come. Labels of the feature
    ``ClassLabel`` are their names. Columns are called as for `load_audiofolder`.

    Examples
    --------
    >>> load_dataset(["a.wav"])
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.DatasetError: list is no datasets.Dataset; load one with
    datasets.load_dataset
    """
    parts = dict(dataset) if isinstance(dataset, dict) else {"": dataset}
    if not parts or not all(hasattr(part, "features") for part in parts.values()):
        raise DatasetError(
            f"{type(dataset).__name__} is no datasets.Dataset; load one with datasets.load_dataset"
        )
    source = Path("dataset")
    data: list[Recording] = []
    records = []
    for split, part in parts.items():
        column = _audio_column(part, audio)
        part = part.cast_column(column, type(part.features[column])(decode=False))
        names = {
            name: feature.int2str
            for name, feature in part.features.items()
            if hasattr(feature, "int2str")
        }
        for number, example in enumerate(part, start=1):
            row = f"{split} example {number}".strip()
            data.append(_sound(example.pop(column), row))
            for name, name_of in names.items():
                if example[name] is not None and example[name] >= 0:  # -1 is no label
                    example[name] = name_of(example[name])
                else:
                    example[name] = None
            if split:
                example.setdefault("split", split_of(split) or split)
            records.append((row, example))
    names_of_all = dict.fromkeys(name for _, record in records for name in record)
    columns = {
        name: [text_of_value(record.get(name), name, row, source) for row, record in records]
        for name in names_of_all
    }
    listing = Listing(source, source, columns_of(columns), [row for row, _ in records])
    return corpus_of(listing, tasks=tasks, data=data)


def _audio_column(dataset: Any, audio: str | None) -> str:
    columns = [
        name for name, feature in dataset.features.items() if type(feature).__name__ == "Audio"
    ]
    if audio is not None and audio in columns:
        return audio
    if audio is not None or len(columns) != 1:
        asked = f"no column {audio!r} of audio" if audio is not None else "no column of audio"
        asked = "several columns of audio" if audio is None and columns else asked
        raise DatasetError(
            f"the dataset has {asked}, but {shown(columns or list(dataset.features))}; name one "
            "with audio=, or make one with cast_column(NAME, datasets.Audio())"
        )
    return columns[0]


def _sound(cell: Any, row: str) -> Recording:
    import soundfile

    path, content = (cell or {}).get("path"), (cell or {}).get("bytes")
    if content is None:
        if path and os.path.isfile(path):
            return os.path.abspath(path)
        raise DatasetError(
            f"{row}: its sound is neither in the dataset nor on the disk "
            f"({show_name(path) if path else 'no path'}); load the dataset where its files are"
        )
    try:
        signal, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
        raise DatasetError(
            f"{row}: its {len(content)} bytes cannot be read as sound ({error}); leave it out"
        ) from error
    return (signal[:, 0] if signal.shape[1] == 1 else signal), int(rate)
