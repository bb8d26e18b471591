"""A listing of recordings, whatever format it was read from, made a corpus."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.names import name_few, name_on_disk
from sfmforensics._utils.recordings import Segment
from sfmforensics.datasets._base import Corpus, check_tasks, label_column, make_bunch
from sfmforensics.datasets._columns import cut_by_spreadsheet, is_number, read_column
from sfmforensics.datasets._meanings import (
    is_detail,
    is_index,
    parse_channel,
    refuse_parts,
)
from sfmforensics.datasets._ratings import Ratings, read_ratings
from sfmforensics.datasets._whereabouts import explain_missing
from sfmforensics.exceptions import DatasetError, DatasetWarning, shown
from sfmforensics.targets import CLASSIFICATION, REGRESSION, bands
from sfmforensics.targets._bands import parse_band
from sfmforensics.targets._columns import UNKNOWN_SPEAKER
from sfmforensics.targets._votes import vote_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from sklearn.utils import Bunch

    from sfmforensics._types import TaskKind
    from sfmforensics._utils.recordings import FileRecording, Recording

MAX_AGE = 130
"""Oldest age accepted, in years."""

NAMES = ("speaker", "emotion", "gender")
"""Columns whose cells are labels as they are written."""
KNOWN = ("path", "start", "end", "channel", "age", *NAMES)
"""Columns that are recognised in capitals, too."""


def known_name(name: str) -> str:
    """A column's name as it is known, where that, or the task before a colon, is in capitals.

    Examples
    --------
    >>> known_name("Speaker"), known_name("Rater1"), known_name("City"), known_name("Age:Anna")
    ('speaker', 'rater1', 'City', 'age:Anna')
    """
    task, colon, rest = name.partition(":")
    if colon:
        return f"{known_name(task)}:{rest}"
    return name.lower() if name.lower() in KNOWN or is_detail(name) else name


_SURPRISES = {
    re.compile(r".*[\r\n]"): "holds a line break; if it is not one label, close the double quote "
    "before it",
    re.compile(r"[=+@-]."): "is a formula to a spreadsheet that opens the tables of results; write "
    "it otherwise",
}


_GENDERS = {"f": "female", "female": "female", "m": "male", "male": "male"}
"""How formats that fix it write the sex of a speaker, in small letters."""


def spelled_out(cells: Sequence[str]) -> list[str]:
    """Sexes of speakers as words, whatever a format writes; others as they are.

    Examples
    --------
    >>> spelled_out(["F", "m", "x", ""])
    ['female', 'male', 'x', '']
    """
    return [_GENDERS.get(cell.lower(), cell) for cell in cells]


_ALIASES = {
    "speaker": ("speaker_id", "client_id", "spk_id", "spk"),
    "gender": ("sex",),
    "text": ("transcription", "transcript", "sentence", "raw_text"),
}
"""Names that other formats have for what is known here."""
_SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_SPLITS |= {"eval": "test", "evaluation": "test", "dev": "dev", "devel": "dev"}
_SPLITS |= {"development": "dev", "valid": "dev", "val": "dev", "validation": "dev"}


def split_of(name: str) -> str:
    """Which side of an official split a folder or a file is called after; "" for none.

    Examples
    --------
    >>> split_of("Validation"), split_of("anger")
    ('dev', '')
    """
    return _SPLITS.get(name.lower(), "")


def columns_of(columns: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Columns under the names that they have here.

    Examples
    --------
    >>> list(columns_of({"speaker_id": ["7"], "Sex": ["f"], "sentence": ["hi"], "room": ["1"]}))
    ['speaker', 'gender', 'text', 'room']
    """
    named = {known_name(name): cells for name, cells in columns.items()}
    ours = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}
    renamed: dict[str, list[str]] = {}
    for name, cells in named.items():
        known = ours.get(name.lower(), name)
        renamed[name if known in named or known in renamed else known] = cells
    return renamed


@dataclass
class Listing:
    """Recordings and what is said of them, as texts.

    Parameters
    ----------
    source : Path
        The file or folder that it was read from, which messages name.
    root : Path
        Folder that relative paths start from.
    columns : dict of str to list of str
        "path", and what else there is; a missing cell is "".
    rows : list of str
        What messages call each recording: "row 7".
    descr : str, default=""
        What the corpus is; without, that it is listed in the source.
    """

    source: Path
    root: Path
    columns: dict[str, list[str]]
    rows: list[str]
    descr: str = ""


def corpus_of(
    listing: Listing,
    *,
    tasks: Sequence[str] | None = None,
    allow_outside: bool = False,
    details: Sequence[str] = (),
    data: Sequence[Recording] | None = None,
) -> Bunch:
    """Make the corpus that a listing tells of, as `load_table` says.

    Columns named by `details` are never learnt, besides those that never are; with `data` the
    recordings are these, and no path is looked at.
    """
    source, rows = listing.source, listing.rows
    columns = dict(listing.columns)
    refuse_parts(source, columns)
    rated = {
        task: names
        for task, names in vote_columns(columns).items()
        if not is_detail(task) and not set(names) & set(details)
    }
    chosen = _chosen(source, columns, tasks, details, rated)
    facts: dict[str, pd.Series] = {}
    if data is None:
        data, facts = _found(listing, columns, allow_outside)
    labels: dict[str, pd.Series] = {}
    ratings: dict[str, Ratings] = {}
    for task in [task for task in rated if task in chosen]:
        read = _ratings(listing, columns, task, rated[task])
        if read is not None:
            ratings[task] = read
    of_raters = {column: task for task in ratings for column in rated[task]}
    for name, cells in columns.items():
        if name in of_raters:
            facts[name] = ratings[of_raters[name]].columns[name]
            if not any(columns.get(of_raters[name], ())):  # nobody says it in their stead
                labels.setdefault(of_raters[name], ratings[of_raters[name]].labels)
            continue
        if name not in chosen:
            if any(cells) and not is_index(cells, name):
                facts[name] = label_column(cell or None for cell in cells)
            continue
        if tasks is None and is_index(cells, name):
            warn_of_index(source, f"the column {shown(name)}")
            continue
        if not any(cells):
            warnings.warn(
                f"{source}: the column {shown(name)} is blank and was left out",
                DatasetWarning,
                stacklevel=3,
            )
        elif name in ratings and ratings[name].labels.dtype == object:
            labels[name] = ratings[name].labels
        elif name == "age":
            labels[name] = _ages(cells, rows, source)
        elif name in NAMES:
            labels[name] = label_column(cell or None for cell in cells)
        else:
            labels[name] = _infer(cells, rows, name, source)
        _point_out(cells, rows, name, source)
    target = pd.DataFrame(labels, index=range(len(data)))
    descr = listing.descr or (
        f"{len(data)} recordings, listed in {source.name} with {', '.join(labels) or 'no label'}."
    )
    speakers = facts.get("speaker")
    bunch = make_bunch(
        data,
        target,
        descr=descr,
        groups=None if speakers is None else speakers.fillna(UNKNOWN_SPEAKER),
        details=pd.DataFrame(facts, index=target.index),
    )
    return Corpus(**bunch, filename=str(source)) if source.is_file() else bunch


def _ratings(
    listing: Listing,
    columns: Mapping[str, Sequence[str]],
    task: str,
    names: Mapping[str, str],
) -> Ratings | None:
    """What raters say of a task; None where their columns are blank."""
    source, rows = listing.source, listing.rows
    cells = {column: columns[column] for column in names}
    if not any(map(any, cells.values())):
        warnings.warn(
            f"{source}: the columns {name_few(list(cells))} are blank and were left out",
            DatasetWarning,
            stacklevel=4,
        )
        return None
    if task == "age":
        for column in cells.values():
            for cell, row in zip(column, rows, strict=True):
                _years(cell, row, source)
    plain = columns.get(task, ())
    kinds: dict[str, TaskKind] = {"age": REGRESSION, **dict.fromkeys(NAMES, CLASSIFICATION)}
    ratings = read_ratings(
        source, rows, task, cells, names, plain=plain if any(plain) else None, kind=kinds.get(task)
    )
    for name, read in ratings.columns.items():
        if read.dtype == object:
            _point_out(cells[name], rows, name, source)
    return ratings


def _found(
    listing: Listing, columns: dict[str, list[str]], allow_outside: bool
) -> tuple[list[FileRecording], dict[str, pd.Series]]:
    """The files that a listing names, or parts of them, which are there and may be read."""
    source, root, rows = listing.source, listing.root, listing.rows
    if not os.path.isdir(root):
        raise DatasetError(f"{root}: is no folder; give root, the folder with the recordings")
    cells = columns.pop("path")
    paths = _paths(source, root, cells, rows)
    if not allow_outside:  # asked first: whether a file is there is not told of what is elsewhere
        _refuse_outside(source, root, paths, rows)
    _refuse_missing(source, root, paths, cells, rows, allow_outside)
    data, facts = _recordings(source, paths, columns, rows)
    _refuse_twice(source, data, cells, rows)
    return data, facts


def _chosen(
    source: Path,
    columns: Mapping[str, Sequence[str]],
    tasks: Sequence[str] | None,
    details: Sequence[str],
    rated: Mapping[str, Mapping[str, str]],
) -> list[str]:
    of_raters = {column: task for task, names in rated.items() for column in names}
    labels = [
        of_raters.get(name, name)
        for name in columns
        if not is_detail(name.partition(":")[0]) and name not in details
    ]
    labels = list(dict.fromkeys(labels))
    if tasks is None:
        return labels
    never = [name for name in ([] if isinstance(tasks, str) else tasks) if is_detail(name)]
    if never:
        raise DatasetError(
            f"{source}: {shown(never[0])} is no task: such a column says what a recording is, and "
            "is kept in details; choose others, or rename the column if it is a label"
        )
    named = check_tasks(tasks, labels, str(source), also=KNOWN)
    for name in named:
        if not any(
            any(columns[column]) for column in (name, *rated.get(name, ())) if column in columns
        ):
            raise DatasetError(
                f"{source}: the column {shown(name)} is blank, but chosen as a task; fill it in, "
                f"or choose others"
            )
    return named


def _recordings(
    source: Path,
    paths: Sequence[str],
    columns: dict[str, list[str]],
    rows: Sequence[str],
) -> tuple[list[FileRecording], dict[str, pd.Series]]:
    """Whole files, and segments where the columns start, end or channel say so."""
    count = len(paths)
    times = {
        name: [
            _time(cell, name, row, source)
            for cell, row in zip(columns.pop(name), rows, strict=True)
        ]
        for name in ("start", "end")
        if name in columns
    }
    starts = times.get("start", [None] * count)
    ends = times.get("end", [None] * count)
    channels = _channels(source, columns, rows) or [None] * count
    data: list[FileRecording] = []
    for path, start, end, channel, row in zip(paths, starts, ends, channels, rows, strict=True):
        if end is not None and end <= (start or 0.0):
            raise DatasetError(
                f"{source}: {row} ends at {end:g} s and begins at {start or 0:g} s; correct one of "
                "them: both are seconds from the start of the file"
            )
        if not start and end is None and channel is None:
            data.append(path)  # all of it
        else:
            data.append(Segment(path, start or 0.0, end, channel, f"{source.name}, {row}"))
    details: dict[str, pd.Series] = {
        name: pd.Series(values, dtype=float) for name, values in times.items()
    }
    if any(channel is not None for channel in channels):
        details["channel"] = label_column(channels)
    return data, details


def _time(cell: str, name: str, row: str, source: Path) -> float | None:
    if not cell:
        return None
    seconds = float(cell) if is_number(cell) else -1.0
    if not 0 <= seconds < np.inf:
        raise DatasetError(
            f"{source}: {row}, column {name!r}: {shown(cell)} is no number of seconds, 0 or more; "
            "write it as in 12.5, counted from the start of the file, or leave the cell blank"
        )
    return seconds


def _channels(
    source: Path, columns: dict[str, list[str]], rows: Sequence[str]
) -> list[int | Literal["mix"] | None] | None:
    """Channels that are heard; None where the column tells of something else, or there is none."""
    cells = columns.get("channel", [])
    channels = [parse_channel(cell) for cell in cells]
    sides = [place for place, channel in enumerate(channels) if channel is not None]
    if not sides:
        return None
    for cell, channel, row in zip(cells, channels, rows, strict=True):
        if cell and channel is None:
            raise DatasetError(
                f"{source}: {row}, column 'channel': {shown(cell)}, where other rows have such as "
                f"{shown(cells[sides[0]])}; write 1, 2, ..., left, right or mix, or rename the "
                "column if it is a label"
            )
    del columns["channel"]
    return channels


def _refuse_twice(
    source: Path, data: Sequence[FileRecording], cells: Sequence[str], rows: Sequence[str]
) -> None:
    first: dict[FileRecording, str] = {}
    for recording, cell, row in zip(data, cells, rows, strict=True):
        other = first.setdefault(recording, row)
        if other is not row:
            name = cell + (recording.fragment if isinstance(recording, Segment) else "")
            both = f"{other} and {row.removeprefix('row ')}".replace("row ", "rows ", 1)
            raise DatasetError(f"{source}: lists {name_few([name])} twice ({both}); delete one")


def _paths(source: Path, root: Path, cells: Sequence[str], rows: Sequence[str]) -> list[str]:
    for cell, row in zip(cells, rows, strict=True):
        if not cell:
            raise DatasetError(f"{source}: {row} has no path; fill it in or delete it")
    return [os.path.abspath(root / name_on_disk(cell)) for cell in cells]


def _refuse_missing(
    source: Path,
    root: Path,
    paths: Sequence[str],
    cells: Sequence[str],
    rows: Sequence[str],
    allow_outside: bool,
) -> None:
    missing = [i for i, path in enumerate(paths) if not os.path.isfile(path)]
    if not missing:
        return
    named = [cells[i] for i in missing]
    near = explain_missing(str(root), named, allow_outside=allow_outside)
    near = near and f"; {near}, so write the names as they are on the disk"
    raise DatasetError(
        f"{source}: {len(missing)} of {len(paths)} recordings do not exist "
        f"({name_few(named)}; the first is in {rows[missing[0]]}){near}; "
        f"paths are relative to {root}"
    )


def _refuse_outside(source: Path, root: Path, paths: Sequence[str], rows: Sequence[str]) -> None:
    """Refuse a recording that is elsewhere once links are resolved."""
    inside = os.path.realpath(root)
    folders: dict[str, str] = {}
    for path, row in zip(paths, rows, strict=True):
        folder, name = os.path.split(path)
        if folder not in folders:  # many recordings, few folders
            folders[folder] = os.path.realpath(folder)
        real = os.path.join(folders[folder], name)
        if os.path.islink(real):
            real = os.path.realpath(real)
        if not _is_in(real, inside):
            raise DatasetError(
                f"{source}: {row} leads to {name_few([real])}, outside of {root}; put the "
                f"recording there, or, if you trust the table, say so (--allow-outside, "
                f"load_table(..., allow_outside=True))"
            )


def _is_in(path: str, folder: str) -> bool:
    try:
        return os.path.commonpath([path, folder]) == folder
    except ValueError:  # on another drive
        return False


def _ages(cells: Sequence[str], rows: Sequence[str], source: Path) -> pd.Series:
    """Ages in years, as bands where one or more of them are."""
    ends = [_years(cell, row, source) for cell, row in zip(cells, rows, strict=True)]
    if any(low < high for low, high in ends):
        return bands([None if np.isnan(low) else (low, high) for low, high in ends])
    return pd.Series([low for low, _ in ends], dtype=float)


def _years(cell: str, row: str, source: Path) -> tuple[float, float]:
    if not cell:
        return np.nan, np.nan
    # float() itself also reads "3_3" and the digits of other scripts.
    years = (float(cell), float(cell)) if is_number(cell) else parse_band(cell)
    low, high = years or (np.nan, np.nan)
    last = low if np.isinf(high) else high
    least = 0 if np.isinf(low) else low
    if not (high > 0 and 0 <= least <= high and last <= MAX_AGE):
        raise DatasetError(
            f"{source}: {row}, column 'age': {shown(cell)} is not a number of years above 0 "
            f"and up to {MAX_AGE}, nor a band of them such as 20-29, 60+ or <19; correct it, or "
            "leave the cell blank where the age is not known"
            f"{' (the decimal sign is a point)' if ',' in cell else ''}"
        )
    return low, high


def _infer(cells: Sequence[str], rows: Sequence[str], name: str, source: Path) -> pd.Series:
    column, said = read_column(cells)
    if column.dtype == float and np.isinf(column).any():
        at = int(np.argmax(np.isinf(column)))
        raise DatasetError(
            f"{source}: {rows[at]}, column {shown(name)}: {shown(cells[at])} is too large a "
            f"number; correct it, or leave the cell blank"
        )
    if said:
        warnings.warn(f"{source}: the column {shown(name)} {said}", DatasetWarning, stacklevel=4)
    return column


def _point_out(cells: Sequence[str], rows: Sequence[str], name: str, source: Path) -> None:
    """Warn of labels that other programs would not take for such, or have spoilt."""
    cut = cut_by_spreadsheet(cells)
    if cut:
        warnings.warn(
            f"{source}: the column {shown(name)} holds {shown(cut)}, a long number of which a "
            f"spreadsheet kept the first digits, so that several may have become one; take the "
            f"column from its source again, as text",
            DatasetWarning,
            stacklevel=4,
        )
    for pattern, remark in _SURPRISES.items():
        for cell, row in zip(cells, rows, strict=True):
            if pattern.match(cell) and not is_number(cell):
                warnings.warn(
                    f"{source}: {row}, column {shown(name)}: {shown(cell)} {remark}",
                    DatasetWarning,
                    stacklevel=4,
                )
                break


def warn_of_index(source: Path, column: str) -> None:
    """Say that what numbers the rows is left out."""
    warnings.warn(
        f"{source}: {column} numbers the rows, as pandas writes its index, and was left "
        f"out; pandas writes none with to_csv(index=False)",
        DatasetWarning,
        stacklevel=4,
    )
