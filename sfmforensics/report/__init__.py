"""Results as tables, figures and one page.

Examples
--------
>>> import pandas as pd
>>> scores = pd.DataFrame({
...     "model": "tango", "views": "mfcc", "protocol": "closed", "fold": [0, 1],
...     "task": "gender", "metric": "accuracy", "value": [0.9, 1.0],
... })
>>> print(to_markdown(format_summary(summarise(scores))))
| model | views | GR %: closed |
| --- | --- | ---: |
| tango | mfcc | 95.0 ± 7.1 |
"""

from sfmforensics.report._assessment_figures import assessment_figures, save_assessment
from sfmforensics.report._reproduction import reproduction_table, tables_of, write_reproduction
from sfmforensics.report._run_page import write_report
from sfmforensics.report.displays import (
    ConfusionDisplay,
    CorpusDisplay,
    CrossCorpusDisplay,
    DETDisplay,
    ECEDisplay,
    ExplanationDisplay,
    LearningCurveDisplay,
    PAVDisplay,
    ProjectionDisplay,
    ProtocolGapDisplay,
    RegressionDisplay,
    ReliabilityDisplay,
    RiskCoverageDisplay,
    TippettDisplay,
    TrainingCurveDisplay,
    TransportPlanDisplay,
)
from sfmforensics.report.figures import plot_scores, save_figures
from sfmforensics.report.tables import (
    format_assessment,
    format_comparisons,
    format_cross,
    format_differences,
    format_groups,
    format_intervals,
    format_summary,
    summarise,
    to_markdown,
    to_rich,
)
from sfmforensics.results import read_run

__all__ = [
    "ConfusionDisplay",
    "CorpusDisplay",
    "CrossCorpusDisplay",
    "DETDisplay",
    "ECEDisplay",
    "ExplanationDisplay",
    "LearningCurveDisplay",
    "PAVDisplay",
    "ProjectionDisplay",
    "ProtocolGapDisplay",
    "RegressionDisplay",
    "ReliabilityDisplay",
    "RiskCoverageDisplay",
    "TippettDisplay",
    "TrainingCurveDisplay",
    "TransportPlanDisplay",
    "assessment_figures",
    "format_assessment",
    "format_comparisons",
    "format_cross",
    "format_differences",
    "format_groups",
    "format_intervals",
    "format_summary",
    "plot_scores",
    "read_run",
    "reproduction_table",
    "save_assessment",
    "save_figures",
    "summarise",
    "tables_of",
    "to_markdown",
    "to_rich",
    "write_report",
    "write_reproduction",
]
