"""Where classes are that pickles of 0.1.0 look for elsewhere: joblib's files name modules."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

MOVED = {
    "_fitted": "estimators._base",
    "_multitask": "estimators._base",
    "baselines": "estimators._per_task",
    "evidence._comparison": "evidence._likelihood_ratio",
    "evidence._held": "evidence._calibration_speakers",
    "evidence._model": "evidence._calibrated_model",
    "evidence._pair_scorer": "evidence._scorers",
    "experiment._learnt": "experiment._evaluate",
    "nn.ensemble": "nn.network",
    "nn.heads": "nn.network",
}
"""By the module that an old file names: the one that has its classes now."""

RENAMED = {"Held": "TaskCalibration"}
"""Classes whose names have changed since."""

_PACKAGE = __name__.partition(".")[0]


class MovedModules(MetaPathFinder, Loader):
    """Finds a module that is no more: whatever is asked of it is taken from where it is now."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Give a spec of a module of `MOVED`, asked for when no file has it."""
        package, _, module = name.partition(".")
        return ModuleSpec(name, self) if package == _PACKAGE and module in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """Let it answer with what the other module has."""
        there = import_module(f"{_PACKAGE}.{MOVED[module.__name__.partition('.')[2]]}")
        vars(module)["__getattr__"] = lambda name: getattr(there, RENAMED.get(name) or name)


def install() -> None:
    """Ask it after all other finders, once."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())
