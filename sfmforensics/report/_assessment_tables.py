"""A validation as text: measures with their bounds, and groups that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.exceptions import ReportError

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics.evidence import Assessment

MEASURES = {
    "cllr": ("Cllr", "bits"),
    "cllr_min": ("Cllr min", "bits"),
    "cllr_cal": ("Cllr cal", "bits"),
    "eer": ("EER", "%"),
    "min_dcf": ("min DCF", ""),
    "misleading_same": ("LR < 1, same", "%"),
    "misleading_different": ("LR > 1, different", "%"),
    "accuracy": ("accuracy", "%"),
    "ece_before": ("calibration error before", "%"),
    "ece_after": ("calibration error", "%"),
    "brier_before": ("Brier before", ""),
    "brier_after": ("Brier", ""),
    "set_coverage": ("truth in set", "%"),
    "set_size": ("labels in set", ""),
    "answered": ("answered", "%"),
    "error_answered": ("wrong if answered", "%"),
    "mae": ("mean error", "of task"),
    "interval_coverage": ("truth in interval", "%"),
    "interval_width": ("interval width", "of task"),
}
"""How each measure is written, and its unit."""


def format_assessment(assessment: Assessment, by: str = "") -> pd.DataFrame:
    """Write the measures with their bounds.

    Parameters
    ----------
    assessment : Assessment
        As `sfmforensics.evidence.assess` gives it.
    by : str, default=""
        Column whose groups are shown side by side; all recordings without one.

    Returns
    -------
    DataFrame of str
        A row for each task and measure; a column for each group, ``value [low, high]``.

    Raises
    ------
    ReportError
        Nothing was grouped by that column.
    """
    rows: Any = assessment.table[assessment.table["by"] == by]
    if rows.empty:
        raise ReportError(
            f"nothing was grouped by {by!r}; use one of {list(assessment.table['by'].unique())}"
        )
    lines = []
    for (task, measure), part in rows.groupby(["task", "measure"], sort=False):
        line = {"task": task, "measure": _titled(measure)}
        for row in part.to_dict("records"):
            line[row["group"] or "all"] = _bounded(row, measure)
        lines.append(line)
    return pd.DataFrame(lines).fillna("")


def format_differences(assessment: Assessment) -> pd.DataFrame:
    """Write the groups that differ from all others by more than chance explains.

    Parameters
    ----------
    assessment : Assessment
        As `sfmforensics.evidence.assess` gives it.

    Returns
    -------
    DataFrame of str
        Columns ``task, measure, group, less the rest``; those alone whose 95 % interval does not
        hold 0. Of twenty comparisons one does so by chance: nothing is corrected for their number.
        All differences are in ``assessment.differences``.
    """
    told = assessment.differences
    beyond: Any = told[(told["low"] > 0) | (told["high"] < 0)]
    lines = []
    for row in beyond.to_dict("records"):
        lines.append(
            {
                "task": row["task"],
                "measure": _titled(row["measure"]),
                "group": f"{row['by']}: {row['group']}",
                "less the rest": _bounded(row, row["measure"], signed=True),
            }
        )
    return pd.DataFrame(lines, columns=["task", "measure", "group", "less the rest"])


def _bounded(row: Any, measure: str, *, signed: bool = False) -> str:
    share = MEASURES[measure][1] == "%"
    form = f"{{:{'+' if signed else ''}.{1 if share else 2}f}}"
    texts = [
        "" if pd.isna(row[name]) else form.format(row[name] * (100 if share else 1))
        for name in ("value", "low", "high")
    ]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]" if texts[1] else texts[0]


def _titled(measure: str) -> str:
    title, unit = MEASURES[measure]
    return f"{title} %" if unit == "%" else title
