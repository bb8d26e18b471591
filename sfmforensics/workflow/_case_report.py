"""The page of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.utils import _safe_indexing

from sfmforensics._utils.files import write_atomically
from sfmforensics._utils.outputs import check_outputs, is_page
from sfmforensics._utils.paths import user_path
from sfmforensics.evidence._people import holds_people
from sfmforensics.exceptions import ParameterError, ViewError
from sfmforensics.explanation import explain
from sfmforensics.report._case_page import CASE_TITLE, case_page
from sfmforensics.workflow._answers import calibrated_step, read_by

if TYPE_CHECKING:
    from pathlib import Path

    from sfmforensics._types import PathLike
    from sfmforensics.evidence import CalibratedModel
    from sfmforensics.explanation import Explanation
    from sfmforensics.metrics import Trials
    from sfmforensics.workflow._cases import Case


def write_case(case: Case, path: PathLike, *, overwrite: bool = False) -> Path:
    """Write the report of a case: one page, to read without a network and to print.

    Parameters
    ----------
    case : Case
        As `compare_files` gives it.
    path : path-like
        File for the page of HTML; its folder is made if need be.
    overwrite : bool, default=False
        Whether it may take the place of a file that is no such page.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        The file cannot be written, is one of those of the case, or would take the place of
        something else.
    ModelFileError
        The model of the case is not calibrated.
    """
    path = user_path(path)
    check_outputs(
        {"path": {path: is_page(CASE_TITLE)}},
        read_by(case.model) | {"questioned": [case.questioned], "known": case.known},
        overwrite=overwrite,
    )
    calibrated = calibrated_step(case.model)
    tasks = {name: kind for name, kind in calibrated.tasks_.items() if name != calibrated.speaker}
    page = case_page(
        case.comparison,
        case.answers,
        case.manifest,
        tasks=tasks,
        confidence=case.confidence,
        seconds=case.seconds,
        trials=_trials(case, calibrated),
        explanation=_explained(case),
    )
    write_atomically(path, page)
    return path


def _trials(case: Case, calibrated: CalibratedModel) -> Trials | None:
    """Comparisons to draw, which a model without people has not."""
    if not holds_people(case.model):
        return None
    return calibrated._ratio()._weighed(case.comparison.n_known)


def _explained(case: Case) -> Explanation | None:
    """Of the questioned recording, view by view: that takes no time to speak of."""
    one = _safe_indexing(case.X, [0])
    try:
        return explain(case.model[-1], one, n_steps=0)
    except (ParameterError, ViewError):  # a model of another kind, or of too many views
        return None
