"""Results as tables, figures and one page.

Examples
--------
>>> import pandas as pd
>>> scores = pd.DataFrame({
...     "model": "tango", "views": "mfcc", "protocol": "closed", "fold": [0, 1],
...     "task": "gender", "metric": "accuracy", "value": [0.9, 1.0],
... })
>>> print(to_markdown(format_summary(summarise(scores))))
| protocol | model | views | GR % |
| --- | --- | --- | ---: |
| closed | tango | mfcc | 95.0 ± 7.1 |
"""

from sfmforensics.report.figures import (
    plot_confusion,
    plot_plan_entropy,
    plot_regression,
    plot_scores,
    save_figures,
)
from sfmforensics.report.html import write_report
from sfmforensics.report.tables import format_summary, summarise, to_markdown, to_rich

__all__ = [
    "format_summary",
    "plot_confusion",
    "plot_plan_entropy",
    "plot_regression",
    "plot_scores",
    "save_figures",
    "summarise",
    "to_markdown",
    "to_rich",
    "write_report",
]
