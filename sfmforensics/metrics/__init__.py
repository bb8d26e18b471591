"""Scores and scorers by task, for targets of several columns and missing labels.

Examples
--------
>>> accuracy(["low", "high", None], ["low", "low", "low"])
0.5
"""

from sfmforensics.metrics._calibration import (
    brier_score,
    calibration_bins,
    expected_calibration_error,
    risk_coverage,
)
from sfmforensics.metrics._classification import accuracy, macro_f1, uar
from sfmforensics.metrics._comparison import (
    PairedTest,
    compare_models,
    corrected_resampled_ttest,
    holm,
)
from sfmforensics.metrics._likelihood_ratios import (
    cllr,
    cllr_cal,
    cllr_min,
    detection_errors,
    empirical_cross_entropy,
    min_dcf,
    pav_log10_lr,
)
from sfmforensics.metrics._regression import ccc, mae, rmse
from sfmforensics.metrics._resampling import (
    Interval,
    PairedBootstrap,
    bootstrap_intervals,
    eer_interval,
    paired_bootstrap,
)
from sfmforensics.metrics._scorers import mean_skill, task_score, task_scorers
from sfmforensics.metrics._table import METRICS, Metric, MetricTable
from sfmforensics.metrics._verification import (
    Trials,
    claim_trials,
    equal_error_rate,
    pair_trials,
    speaker_eer,
)

__all__ = [
    "METRICS",
    "Interval",
    "Metric",
    "MetricTable",
    "PairedBootstrap",
    "PairedTest",
    "Trials",
    "accuracy",
    "bootstrap_intervals",
    "brier_score",
    "calibration_bins",
    "ccc",
    "claim_trials",
    "cllr",
    "cllr_cal",
    "cllr_min",
    "compare_models",
    "corrected_resampled_ttest",
    "detection_errors",
    "eer_interval",
    "empirical_cross_entropy",
    "equal_error_rate",
    "expected_calibration_error",
    "holm",
    "macro_f1",
    "mae",
    "mean_skill",
    "min_dcf",
    "pair_trials",
    "paired_bootstrap",
    "pav_log10_lr",
    "risk_coverage",
    "rmse",
    "speaker_eer",
    "task_score",
    "task_scorers",
    "uar",
]
