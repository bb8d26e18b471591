"""Folds that are done, kept on disk: a run that was stopped goes on where it was."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import pandas as pd

from sfmforensics._utils.files import file_hash
from sfmforensics._utils.log import event
from sfmforensics._utils.plain import pack, unpack
from sfmforensics._utils.store import ResultStore, digest
from sfmforensics._utils.versions import versions
from sfmforensics.exceptions import ModelFileError, OutputError
from sfmforensics.metrics import Trials
from sfmforensics.saving import read_model, save_model
from sfmforensics.targets._votes import text_of_votes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any, TypeAlias

    from sklearn.base import BaseEstimator

    from sfmforensics._types import Column, IntArray, Matrix, PathLike

    Outcome: TypeAlias = tuple[pd.DataFrame, Trials | None, Mapping[str, Any], Any]

_logger = logging.getLogger(__name__)
_TRIALS = ("scores", "same", "first", "second")


class FoldStore:
    """Outcomes of folds, by what they depend on.

    Notes
    -----
    The model that was fitted in a first fold is kept as `sfmforensics.save_model` writes it; one
    that only code can hold, such as SVC, is not, and a fold that is read back has None in its
    place. Answers or choices that only code can hold, such as a search among estimators, are
    computed again.
    """

    def __init__(
        self,
        folder: PathLike | None,
        models: Mapping[str, BaseEstimator],
        *,
        X: Matrix,
        target: pd.DataFrame,
        copies: Column | None,
        search: Mapping[str, Sequence[Any]] | None,
        seed: int,
        tasks: Sequence[str] | None = None,
        balance: pd.DataFrame | None = None,
    ) -> None:
        self._kept, self._models = ResultStore(folder), models
        self._common: str | None = None
        if folder is not None:
            more: list[Any] = [] if tasks is None else [list(tasks)]
            votes = text_of_votes(target)  # which labels do not tell
            more += [votes] if votes else []
            more += [] if balance is None else ["balance", balance]
            self._common = digest(X, target, copies, search, seed, versions(), *more)

    def read(
        self, name: str, protocol: str, fold: int, train: IntArray, test: IntArray
    ) -> Outcome | None:
        """Give answers, trials, chosen parameters and model of a fold; None if not kept."""
        if self._common is None:
            return None
        file = _file_name(name, protocol, fold)
        content = self._kept.read(file, self._key(name, protocol, train, test))
        if content is None:
            return None
        outcome = unpack(content)
        fitted = None
        if outcome["model"] is not None:
            fitted = self._model(file, outcome["model"])
            if fitted is None:
                return None
        event(_logger, "fold kept from before", model=name, protocol=protocol, fold=fold)
        trials = outcome["trials"]
        return (
            pd.DataFrame(outcome["predicted"], index=range(len(test))),
            None if trials is None else Trials(**trials),
            outcome["chosen"],
            fitted,
        )

    def write(
        self,
        name: str,
        protocol: str,
        fold: int,
        train: IntArray,
        test: IntArray,
        outcome: Outcome,
    ) -> None:
        """Keep what was found of a fold."""
        event(_logger, "fold computed", model=name, protocol=protocol, fold=fold)
        if self._common is None:
            return
        predicted, trials, chosen, fitted = outcome
        file = _file_name(name, protocol, fold)
        content = {
            "predicted": {task: predicted[task].to_numpy() for task in predicted},
            "trials": trials and {part: getattr(trials, part) for part in _TRIALS},
            "chosen": dict(chosen),
            "model": None if fitted is None else self._keep_model(file, fitted),
        }
        with suppress(ModelFileError):  # what only code can hold is computed again
            content = pack(content, f"fold {fold} of {name}")
            self._kept.write(file, self._key(name, protocol, train, test), content)

    def _key(self, name: str, protocol: str, train: IntArray, test: IntArray) -> str:
        return digest(self._common, protocol, train, test, name, self._models[name])

    def _place(self, file: str) -> Path:
        return cast("Path", self._kept.folder) / f"{file}.safetensors"

    def _keep_model(self, file: str, fitted: Any) -> str | None:
        # Where the disk is full, the write that follows says so.
        with suppress(ModelFileError, OutputError):
            save_model(fitted, self._place(file), overwrite=True)  # a damaged one is no model
            return file_hash(self._place(file))
        return None

    def _model(self, file: str, expected: str | None) -> Any:
        try:
            if expected is not None and file_hash(self._place(file)) == expected:
                return read_model(self._place(file))
        except (OSError, ModelFileError) as error:
            event(_logger, "kept model cannot be read", logging.WARNING, why=str(error))
        return None


def _file_name(name: str, protocol: str, fold: int) -> str:
    told_apart = digest(name, protocol)[:8]
    return f"{re.sub(r'[^A-Za-z0-9+-]', '_', f'{name}_{protocol}')[:100]}_{told_apart}_{fold}"
