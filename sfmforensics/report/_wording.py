"""How tasks, metrics and protocols are named and ordered, in tables and figures alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sfmforensics.metrics import METRICS
from sfmforensics.model_selection import PROTOCOLS
from sfmforensics.targets import CLASSIFICATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any


SHORT = {"speaker": "ASR", "emotion": "SER", "gender": "GR", "age": "AE"}
"""The paper's abbreviations; a task of another name keeps it."""

UNITS = {"age": "years"}
"""Units of regression tasks; the unit of any other column is known only to its owner."""


def is_share(metric: str | None) -> bool:
    """Tell whether a metric is a share of recordings, shown in percent."""
    return metric is not None and metric in METRICS and METRICS[metric].unit == "share"


def is_classification(metric: str) -> bool:
    """Tell whether a metric belongs to tasks with classes."""
    return metric in METRICS and METRICS[metric].kind == CLASSIFICATION


def greater_is_better(metric: Any) -> bool:
    """Tell whether more is better; of a metric that is not known here it is taken to be."""
    return metric not in METRICS or METRICS[metric].greater_is_better


def unit_of(task: Any) -> str:
    """Give the unit of a regression task: years, or words for a unit that is not known."""
    return UNITS.get(task, "unit of the column")


def is_defined(task: Any, protocol: str, metric: Any = None) -> bool:
    """Tell whether a task can be measured: nobody can name a speaker whom they never heard.

    Two recordings of such a speaker can be compared, so that an equal error rate there is.
    """
    known = PROTOCOLS.get(protocol)
    unheard = known is not None and known.speakers is False
    return not (task == "speaker" and unheard and metric != "eer")


def heading(task: Any, metric: Any, *, paper: bool = False) -> str:
    """Title of a column of scores; in the paper's tables a share is an accuracy, and not named so.

    Examples
    --------
    >>> heading("emotion", "uar"), heading("emotion", "accuracy")
    ('SER UAR %', 'SER accuracy %')
    >>> heading("emotion", "accuracy", paper=True)
    'SER %'
    >>> heading("speaker", "accuracy"), heading("age", "rmse"), heading("age", "mae")
    ('ASR %', 'AE years', 'AE MAE years')
    >>> heading("dialect", "uar"), heading("height", "rmse")
    ('dialect UAR %', 'height rmse')
    >>> heading("emotion", "macro_f1"), heading("age", "ccc")
    ('SER macro F1 %', 'AE CCC')
    """
    name = SHORT.get(task, task)
    if metric not in METRICS:
        return f"{name} {metric}"
    kind, unit, title = (getattr(METRICS[metric], what) for what in ("kind", "unit", "title"))
    unnamed = metric == METRICS.default(kind) and (paper or is_leading(task, metric))
    title = "" if unnamed else f"{title} "
    if unit == "share":
        return f"{name} {title}%"
    if unit == "target":
        return f"{name} {title}{UNITS[task]}" if task in UNITS else f"{name} {metric}"
    return f"{name} {title}".rstrip()


def metric_label(task: Any, metric: str) -> str:
    """Name a metric with its unit, and say which way is better.

    Examples
    --------
    >>> metric_label("emotion", "uar"), metric_label("age", "rmse")
    ('UAR (%), more is better', 'RMSE (years), less is better')
    """
    if metric not in METRICS:
        return figure_text(metric)
    unit = "%" if is_share(metric) else unit_of(task) if in_units(metric) else "no unit"
    better = "more" if greater_is_better(metric) else "less"
    return f"{figure_text(METRICS[metric].title)} ({figure_text(unit)}), {better} is better"


def in_units(metric: str) -> bool:
    """Tell whether a metric is in the unit of the target, such as years."""
    return metric in METRICS and METRICS[metric].unit == "target"


def is_leading(task: Any, metric: Any) -> bool:
    """Tell whether a metric is what is shown first of a task, see `METRICS`."""
    return metric in METRICS and metric == METRICS.leading(task, METRICS[metric].kind)


def main_metric(task: Any, metrics: Sequence[str]) -> str:
    """Choose the metric that a table shows by default, of those that there are.

    Examples
    --------
    >>> main_metric("age", ["mae", "rmse"]), main_metric("emotion", ["accuracy", "uar"])
    ('rmse', 'uar')
    """
    known = [name for name in METRICS if name in metrics]
    leads = [name for name in known if is_leading(task, name)]
    return [*leads, *known, *metrics][0]


def main_metrics(task: Any, metrics: Sequence[str]) -> list[str]:
    """The same, and behind it the default of its kind where that is another one.

    Examples
    --------
    >>> main_metrics("gender", ["accuracy", "uar"]), main_metrics("emotion", ["accuracy", "uar"])
    (['accuracy'], ['uar', 'accuracy'])
    """
    main = main_metric(task, metrics)
    default = METRICS.default(METRICS[main].kind) if is_leading(task, main) else main
    return list(dict.fromkeys(name for name in (main, default) if name in metrics))


def in_order(protocols: Iterable[str]) -> list[str]:
    """Give protocols once each, those that are known first, others as they come.

    Examples
    --------
    >>> in_order(["mine", "disjoint", "disjoint", "closed"])
    ['closed', 'disjoint', 'mine']
    """
    names = list(dict.fromkeys(protocols))
    return [name for name in PROTOCOLS if name in names] + [
        name for name in names if name not in PROTOCOLS
    ]


def natural_key(label: object) -> list[Any]:
    """Sort key that puts speaker 9 before speaker 10.

    Examples
    --------
    >>> sorted(["10", "9", "b", "A2"], key=natural_key)
    ['9', '10', 'A2', 'b']
    """
    # The parts at odd places are runs of digits, so that numbers meet only numbers.
    parts = re.split(r"([0-9]+)", str(label).lower())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def figure_text(label: object, width: int = 28) -> str:
    r"""Write a label so that matplotlib shows it as it is, on one line and not too long.

    Examples
    --------
    >>> print(figure_text("US$ or\nA$"))
    US\$ or A\$
    >>> print(figure_text("speaker of the archive 017", width=15))
    speaker…ive 017
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in str(label)).split())
    if len(text) > width:  # cut in the middle: names often differ in their last letters
        text = f"{text[: width // 2]}…{text[len(text) - (width - 1) // 2 :]}"
    return text.replace("$", r"\$")


def plain(value: object) -> str:
    """Write a value of the settings as a person would.

    Examples
    --------
    >>> plain(["mfcc", "whisper"]), plain({"closed": 0}), plain(None), plain(True)
    ('mfcc, whisper', 'closed: 0', 'not recorded', 'yes')
    """
    if isinstance(value, dict):
        return ", ".join(f"{key}: {plain(item)}" for key, item in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "not recorded" if value is None else str(value)
