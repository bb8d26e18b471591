"""Several corpora as one: their labels brought under the same names, openly."""

from __future__ import annotations

import os
import tomllib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.names import name_few
from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._base import Corpus, label_column, make_bunch
from sfmforensics.datasets.registry import load_corpus
from sfmforensics.exceptions import DatasetError, DatasetWarning, shown
from sfmforensics.targets import REGRESSION, Votes, bands, task_kind
from sfmforensics.targets._bands import band_text, is_banded
from sfmforensics.targets._columns import UNKNOWN_SPEAKER
from sfmforensics.targets._votes import voted_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_SPEAKER = "speaker"
_OPTIONS = ("corpus", "root", "tasks", "allow_outside")
_SPELLINGS = {
    "f": "female",
    "fem": "female",
    "woman": "female",
    "m": "male",
    "man": "male",
    "angry": "anger",
    "bored": "boredom",
    "disgusted": "disgust",
    "afraid": "fear",
    "fearful": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}
"""What everybody spells differently; whether joy is happiness, a map has to say."""


def load_corpora(file: PathLike, *, tasks: Sequence[str] | None = None) -> Bunch:
    """Load several corpora as one.

    Parameters
    ----------
    file : path-like
        A TOML file with a section ``[corpora.NAME]`` for each: ``corpus`` and ``root``, as for
        `load_corpus` (a root starts from the folder of the file), and where need be ``tasks`` and
        ``allow_outside``. A section ``[labels.TASK]`` says which labels become one, in lines such
        as ``happiness = ["happiness", "joy"]``; ``[labels.TASK.NAME]`` says it for one corpus.
    tasks : sequence of str or None, default=None
        Columns that are learnt; all by default.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str, Segment or (ndarray, int)
            The recordings, corpus by corpus in the order of the file.
        target : DataFrame of shape (n_recordings, n_tasks)
            What any of them has; what one does not have is missing. Speakers are ``NAME/SPEAKER``.
        groups : ndarray of shape (n_recordings,) or None
            The speaker of each recording.
        details : DataFrame of shape (n_recordings, n_details)
            ``corpus``, the name of each, and what else they have.
        DESCR : str
            What they are.
        filename : str
            The file.
        read : list of str
            The file, and the tables of its corpora, which nothing that learns from them writes
            over.
        labels : dict
            By task "map" (by corpus: label to label) and "dropped" (by corpus: how many recordings
            have a label that no line names, or that not all corpora share).
        same_names : list of str
            Names of speakers that two corpora or more have, for different people as it is taken.

    Raises
    ------
    DatasetError
        The file cannot be read, has fewer than two corpora, an unknown key, or a corpus that cannot
        be loaded; a task is numbers in one and labels in another; or, without a map, corpora that
        have a task share no label of it.

    Warns
    -----
    DatasetWarning
        Recordings keep no label of a task, or speakers of two corpora have one name.

    Notes
    -----
    Without a section a task keeps the labels that all corpora which have it share. Before, labels
    are compared in small letters, and what everybody spells differently is one: f, female and F;
    angry and anger. A label that is dropped is missing; the recording stays, for other tasks.

    Examples
    --------
    >>> load_corpora("nowhere.toml")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.DatasetError: nowhere.toml: no such file; give a TOML file with a
    section [corpora.NAME] for each corpus
    """
    path = user_path(file)
    settings = _settings(path)
    folder = Path(os.path.abspath(path)).parent
    parts = {
        name: _loaded(name, options, folder, path) for name, options in settings["corpora"].items()
    }
    maps = settings.get("labels", {})
    names = dict.fromkeys(task for part in parts.values() for task in part.target)
    unknown = [task for task in maps if task not in names]
    if unknown:
        raise DatasetError(
            f"{path}: labels are mapped for {name_few(unknown)}, which no corpus has; there are "
            f"{name_few(list(names), 20)}"
        )
    told: dict[str, Any] = {}
    columns = {
        task: _joined(task, parts, maps.get(task), told, path) for task in names if task != _SPEAKER
    }
    target = pd.DataFrame(columns)
    groups = _groups(parts)
    if groups is not None:
        speakers = label_column(name if name != UNKNOWN_SPEAKER else None for name in groups)
        if any(_SPEAKER in part.target for part in parts.values()):
            target.insert(0, _SPEAKER, speakers)
    details = pd.concat(
        [part.details.assign(corpus=name) for name, part in parts.items()], ignore_index=True
    )
    details = details[["corpus", *(name for name in details if name != "corpus")]].astype(
        {"corpus": object}
    )
    if groups is not None and _SPEAKER not in target:
        details[_SPEAKER] = speakers
    if tasks is not None:
        chosen = _chosen(target, tasks, path)
        others = target.drop(columns=[*chosen, *details], errors="ignore")
        target, details = chosen, pd.concat([details, others], axis=1)
    bunch = make_bunch(
        [recording for part in parts.values() for recording in part.data],
        target,
        descr=f"{len(target)} recordings of {len(parts)} corpora: {', '.join(parts)}.",
        groups=groups,
        details=details,
    )
    same = _same_names(parts)
    _warn(told, same, path)
    read = [str(path), *(part["filename"] for part in parts.values() if "filename" in part)]
    return Corpus(**bunch, filename=str(path), read=read, labels=told, same_names=same)


def _settings(path: Path) -> dict[str, Any]:
    need = "give a TOML file with a section [corpora.NAME] for each corpus"
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; {need}") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read as TOML ({error}); {need}") from error
    corpora = settings.get("corpora")
    if not isinstance(corpora, dict) or len(corpora) < 2:
        count = len(corpora) if isinstance(corpora, dict) else 0
        raise DatasetError(f"{path}: has {count} corpora; {need}, two or more")
    odd = [key for key in settings if key not in ("corpora", "labels")]
    if odd:
        raise DatasetError(
            f"{path}: has a section {odd[0]!r}; there are [corpora.NAME] and [labels.TASK]"
        )
    for name, options in corpora.items():
        odd = [key for key in options if key not in _OPTIONS] if isinstance(options, dict) else [""]
        if odd or not {"corpus", "root"} <= set(options):
            problem = f"the key {odd[0]!r}" if odd else "no corpus or no root"
            raise DatasetError(
                f"{path}: [corpora.{name}] has {problem}; it needs corpus and root, and takes "
                f"{', '.join(_OPTIONS[2:])}"
            )
        if "/" in name or not name.strip():
            raise DatasetError(f"{path}: a corpus is called {name!r}; call it by a word")
    for task, lines in settings.get("labels", {}).items():
        _check_map(lines, f"[labels.{task}]", corpora, path)
    return settings


def _check_map(lines: Any, where: str, corpora: Mapping[str, Any], path: Path) -> None:
    if not isinstance(lines, dict):
        raise DatasetError(f'{path}: {where} is no section; write lines such as joy = ["happy"]')
    for label, sources in lines.items():
        if isinstance(sources, dict) and label in corpora:
            _check_map(sources, f"{where[:-1]}.{label}]", {}, path)
        elif not isinstance(sources, list) or not sources:
            raise DatasetError(
                f"{path}: {where} {label} is {shown(sources)}; give a list of the labels that "
                f'become {label!r}, as in {label} = ["{label}"]'
            )


def _loaded(name: str, options: Mapping[str, Any], folder: Path, path: Path) -> Bunch:
    root = user_path(options["root"])
    try:
        return load_corpus(
            options["corpus"],
            root if root.is_absolute() else folder / root,
            allow_outside=bool(options.get("allow_outside", False)),
            tasks=options.get("tasks"),
        )
    except DatasetError as error:
        raise DatasetError(f"{path}: [corpora.{name}]: {error}") from error


def _joined(
    task: str,
    parts: Mapping[str, Bunch],
    lines: Mapping[str, Any] | None,
    told: dict[str, Any],
    path: Path,
) -> pd.Series:
    """One task of all corpora, and what becomes of each label."""
    having = {name: part.target[task] for name, part in parts.items() if task in part.target}
    kinds = {name: task_kind(column) for name, column in having.items()}
    if lines is None and set(kinds.values()) == {REGRESSION}:
        columns = [
            having.get(name, pd.Series(np.nan, index=range(len(part.data))))
            for name, part in parts.items()
        ]
        if any(map(is_banded, columns)):
            columns = [column if is_banded(column) else bands(column, task) for column in columns]
            return pd.concat(columns, ignore_index=True)
        return pd.concat(columns, ignore_index=True).astype(float)
    if lines is None and len(set(kinds.values())) > 1:
        raise DatasetError(
            f"{path}: {task!r} is numbers in {_of(kinds, REGRESSION)} and labels in others; rename "
            "one, or choose tasks for each corpus"
        )
    counts = {
        name: column.dropna().map(_text).value_counts().to_dict() for name, column in having.items()
    }
    every = {
        name: [*own, *(label for label in voted_classes(having[name]) if label not in own)]
        for name, own in counts.items()
    }
    if lines is None:
        spelled = {
            name: {label: _spelling(label) for label in labels} for name, labels in every.items()
        }
        shared = set.intersection(*({*map(_spelling, own)} for own in counts.values()))
        if not shared:
            there = "; ".join(f"{name}: {name_few(list(own), 8)}" for name, own in counts.items())
            raise DatasetError(
                f"{path}: corpora share no label of {task!r} ({there}); say in [labels.{task}] "
                "which labels become one, or choose tasks for each corpus"
            )
        maps = {
            name: {label: to for label, to in own.items() if to in shared}
            for name, own in spelled.items()
        }
    else:
        maps = {name: _mapped(lines, name, every[name], task, path) for name in every}
    told[task] = {
        "map": {name: dict(sorted(own.items())) for name, own in maps.items()},
        "dropped": {
            name: {
                label: int(count) for label, count in sorted(own.items()) if label not in maps[name]
            }
            for name, own in counts.items()
        },
    }
    return label_column(
        _renamed(label, maps.get(name, {}))
        for name, part in parts.items()
        for label in (having[name] if name in having else [None] * len(part.data))
    )


def _of(kinds: Mapping[str, str], kind: str) -> str:
    return " and ".join(name for name, own in kinds.items() if own == kind)


def _text(label: object) -> str:
    """A label as a map writes it: 1.0 of a column with gaps is 1."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(band_text(label))


def _renamed(label: Any, names: Mapping[str, str]) -> str | None:
    if isinstance(label, Votes):
        return label.renamed(names)
    return None if pd.isna(label) else names.get(_text(label))


def _spelling(label: str) -> str:
    small = label.strip().lower()
    return _SPELLINGS.get(small, small)


def _mapped(
    lines: Mapping[str, Any], name: str, own: Sequence[str], task: str, path: Path
) -> dict[str, str]:
    """What a map makes of the labels of a corpus, by their own spelling, then by any."""
    chosen = lines.get(name) if isinstance(lines.get(name), dict) else lines
    wanted: dict[str, str] = {}
    for to, sources in (chosen or {}).items():
        if isinstance(sources, dict):
            continue
        for source in map(str, sources):
            other = wanted.setdefault(source, to)
            if other != to:
                raise DatasetError(
                    f"{path}: [labels.{task}] makes {source!r} both {other!r} and {to!r}; delete "
                    "one"
                )
    spelled = {_spelling(source): to for source, to in wanted.items()}
    mapped = {label: wanted.get(label, spelled.get(_spelling(label))) for label in own}
    return {label: to for label, to in mapped.items() if to is not None}


def _groups(parts: Mapping[str, Bunch]) -> list[str] | None:
    if all(part.get("groups") is None for part in parts.values()):
        return None
    return [
        UNKNOWN_SPEAKER if speaker == UNKNOWN_SPEAKER else f"{name}/{speaker}"
        for name, part in parts.items()
        for speaker in (
            [UNKNOWN_SPEAKER] * len(part.data) if part.get("groups") is None else part.groups
        )
    ]


def _chosen(target: pd.DataFrame, tasks: Sequence[str], path: Path) -> pd.DataFrame:
    unknown = [task for task in tasks if task not in target]
    if unknown or not len(tasks):
        raise DatasetError(
            f"{path}: no corpus has {name_few(unknown) or 'what is asked'}; there are "
            f"{name_few(list(target), 20)}"
        )
    return target[[task for task in target if task in tasks]]


def _same_names(parts: Mapping[str, Bunch]) -> list[str]:
    """Speakers of one name in two corpora or more."""
    counts: dict[str, int] = {}
    for part in parts.values():
        if part.get("groups") is not None:
            for speaker in {*map(str, part.groups)} - {UNKNOWN_SPEAKER}:
                counts[speaker] = counts.get(speaker, 0) + 1
    return sorted(speaker for speaker, count in counts.items() if count > 1)


def _warn(told: Mapping[str, Any], same: Sequence[str], path: Path) -> None:
    for task, said in told.items():
        lost = {name: sum(own.values()) for name, own in said["dropped"].items() if own}
        if lost:
            counted = "; ".join(
                f"{name} {count} ({name_few(list(said['dropped'][name]), 6)})"
                for name, count in lost.items()
            )
            warnings.warn(
                f"{path}: recordings that keep no label of {task!r}: {counted}",
                DatasetWarning,
                stacklevel=3,
            )
    if same:
        warnings.warn(
            f"{path}: {len(same)} names of speakers are in several corpora ({name_few(same)}); "
            "they are taken for different people (NAME/SPEAKER)",
            DatasetWarning,
            stacklevel=3,
        )
