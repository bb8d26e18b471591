"""Databases of audformat: a header, and tables of files or of segments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sfmforensics._utils.names import name_few
from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._listing import Listing, columns_of, corpus_of
from sfmforensics.datasets._records import text_of_value
from sfmforensics.exceptions import DatasetError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

HEADER = "db.yaml"
_LAYOUT = f"a folder with an audformat database: {HEADER}, and db.TABLE.csv or db.TABLE.parquet"
_ABOUT_FILES = ("duration", "bit_depth", "channels", "sampling_rate", "bit-depth")
"""Schemes of what a file is, not of who speaks in it or how."""


def load_audformat(
    root: PathLike,
    *,
    table: str | None = None,
    tasks: Sequence[str] | None = None,
    allow_outside: bool = False,
) -> Bunch:
    """Load a database of audformat, the format of audb [1]_.

    Parameters
    ----------
    root : path-like
        Folder with ``db.yaml``, its tables and its media.
    table : str or None, default=None
        The table whose rows are the recordings; by default all rows of all tables are.
    tasks : sequence of str or None, default=None
        Columns that are learnt, as for `load_table`.
    allow_outside : bool, default=False
        Whether a file may lie outside of the root, as for `load_table`.

    Returns
    -------
    sklearn.utils.Bunch
        As of `load_table`: a column for each scheme, and for what the labels of a scheme say
        themselves (a speaker's ``gender`` and ``age``). ``transcription`` is ``text`` in
        ``details``, which also has the ``split`` of a row's table where there are any.

    Raises
    ------
    DatasetError
        There is no database, audformat is not installed, or it refuses what it reads; tables hold
        pickles, which may run code, or labels that contradict each other; or what `load_table`
        refuses.

    Notes
    -----
    Where tables have segments of a file, what another table says of the whole file is said of each
    of them, and the whole file is no recording besides. Several raters of one scheme are not
    told apart: name the table of the agreed labels.

    The header is read without running what stands in it, which `audformat.Database.load` would do.

    References
    ----------
    .. [1] https://audeering.github.io/audformat/

    Examples
    --------
    >>> load_audformat("nowhere")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.DatasetError: ...nowhere: does not exist; expected a folder with an
    audformat database: db.yaml, and db.TABLE.csv or db.TABLE.parquet
    """
    root = Path(os.path.abspath(user_path(root)))
    if not (root / HEADER).is_file():
        problem = "does not exist" if not root.exists() else f"has no {HEADER}"
        raise DatasetError(f"{root}: {problem}; expected {_LAYOUT}")
    try:
        import audformat
    except ImportError as error:
        raise DatasetError(
            f"{root}: such a database is read by audformat, which is not installed; install it "
            '(pip install "sfmforensics[audformat]"), or write its labels to a table'
        ) from error
    database = _opened(root, audformat)
    if table is not None and table not in database.tables:
        raise DatasetError(
            f"{root}: has no table {table!r}; there are {name_few(list(database.tables), 20)}"
        )
    tables = [table] if table is not None else list(database.tables)
    index = _index([database[name].index for name in tables], audformat)
    labels = {name: _values(database, name, index, root, audformat) for name in _names(database)}
    splits = _splits(database, index, audformat)
    if splits.notna().any():
        labels["split"] = splits
    files, starts, ends = (index.get_level_values(i) for i in range(3))
    rows = [f"row {number}" for number in range(1, len(index) + 1)]
    columns = {"path": [str(file) for file in files]}
    stretches = {
        "start": ["" if not seconds else repr(seconds) for seconds in starts.total_seconds()],
        "end": ["" if pd.isna(seconds) else repr(seconds) for seconds in ends.total_seconds()],
    }
    columns |= {name: cells for name, cells in stretches.items() if any(cells)}
    columns |= {
        name: [
            text_of_value(_plain(value), name, row, root)
            for value, row in zip(values, rows, strict=True)
        ]
        for name, values in labels.items()
    }
    listing = Listing(root / HEADER, root, columns_of(columns), rows)
    return corpus_of(listing, tasks=tasks, allow_outside=allow_outside)


def _opened(root: Path, audformat: Any) -> Any:
    """The database, of which neither header nor tables run anything."""
    import yaml

    try:
        with open(root / HEADER, encoding="utf-8") as file:
            header = yaml.safe_load(file)
        database = audformat.Database.load_header_from_yaml(header)
        for name in [*database.misc_tables, *database.tables]:
            _refuse_pickle(root, str(name))
            database[name].load(str(root / f"db.{name}"))
    except DatasetError:
        raise
    except Exception as error:  # of YAML, of audformat, of its tables: a stranger wrote them all
        said = " ".join(str(error).split())
        raise DatasetError(
            f"{root / HEADER}: cannot be read as a database of audformat ({said}); expected "
            f"{_LAYOUT}"
        ) from error
    return database


def _refuse_pickle(root: Path, name: str) -> None:
    """A pickle would be read before the table beside it."""
    if Path(name).name != name:
        raise DatasetError(f"{root / HEADER}: a table is called {shown(name)}; rename it")
    pickle = root / f"db.{name}.pkl"
    if os.path.lexists(pickle):
        raise DatasetError(
            f"{pickle}: it may run code when it is read; delete it where the table is there as "
            ".csv or .parquet as well, or write it so (audformat's Database.save with "
            "storage_format='csv')"
        )


def _index(indices: Sequence[Any], audformat: Any) -> Any:
    """Files, starts and ends: each segment once, and each file of which there are none."""
    union = audformat.utils.union(
        [audformat.utils.to_segmented_index(index, allow_nat=True) for index in indices]
    )
    files = union.get_level_values("file")
    parts = union.get_level_values("start").total_seconds().to_numpy() > 0
    parts |= union.get_level_values("end").notna()
    cut = set(files[parts])
    return union[[part or file not in cut for file, part in zip(files, parts, strict=True)]]


def _names(database: Any) -> list[str]:
    """Schemes, and what the labels of schemes say themselves."""
    names = dict.fromkeys(database.schemes)
    for scheme in database.schemes.values():
        labels = scheme.labels
        if isinstance(labels, str):
            names |= dict.fromkeys(database[labels].columns)
        elif isinstance(labels, dict):
            names |= dict.fromkeys(
                key for said in labels.values() if isinstance(said, dict) for key in said
            )
    return [name for name in names if name not in _ABOUT_FILES]


def _values(database: Any, name: str, index: Any, root: Path, audformat: Any) -> pd.Series:
    """What is said of each row under a name; of a segment also what is said of its file."""
    try:
        frame = database.get(name)
    except (ValueError, TypeError) as error:
        said = " ".join(str(error).split())
        raise DatasetError(
            f"{root}: {shown(name)} is said in several ways ({said[:300]}); keep one column of it, "
            "or leave the others out of the database"
        ) from error
    if name not in frame:
        return pd.Series(None, index=index, dtype=object)
    said = frame[name].astype(object).dropna()
    said.index = audformat.utils.to_segmented_index(said.index, allow_nat=True)
    own = said.reindex(index)
    whole = said[
        (said.index.get_level_values("start").total_seconds() == 0)
        & said.index.get_level_values("end").isna()
    ]
    of_files: Mapping[Any, Any] = dict(
        zip(whole.index.get_level_values("file"), whole, strict=True)
    )
    return own.where(own.notna(), [of_files.get(file) for file in index.get_level_values("file")])


def _splits(database: Any, index: Any, audformat: Any) -> pd.Series:
    """The split of the table that a row, or its file, is in."""
    splits = pd.Series(None, index=index, dtype=object)
    for table in database.tables.values():
        if table.split_id is None:
            continue
        rows = audformat.utils.to_segmented_index(table.index, allow_nat=True)
        files = set(rows.get_level_values("file")[rows.get_level_values("end").isna()])
        inside = splits.index.isin(rows) | splits.index.get_level_values("file").isin(files)
        splits[inside] = str(database.splits[table.split_id].type)
    return splits


def _plain(value: Any) -> Any:
    """A value as Python has it."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, pd.Timedelta):
        return value.total_seconds()
    return value.item() if hasattr(value, "item") else value
