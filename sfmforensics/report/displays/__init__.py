"""Figures in scikit-learn's Display style: class methods compute, `plot` draws."""

from sfmforensics.report.displays._axes import new_axes
from sfmforensics.report.displays.calibration import ReliabilityDisplay, RiskCoverageDisplay
from sfmforensics.report.displays.corpus import CorpusDisplay
from sfmforensics.report.displays.cross_corpus import CrossCorpusDisplay
from sfmforensics.report.displays.detection import DETDisplay
from sfmforensics.report.displays.evidence import ECEDisplay, PAVDisplay, TippettDisplay
from sfmforensics.report.displays.explanation import ExplanationDisplay
from sfmforensics.report.displays.gap import ProtocolGapDisplay
from sfmforensics.report.displays.predictions import ConfusionDisplay, RegressionDisplay
from sfmforensics.report.displays.projection import ProjectionDisplay, project
from sfmforensics.report.displays.training import LearningCurveDisplay, TrainingCurveDisplay
from sfmforensics.report.displays.transport import TransportPlanDisplay

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
    "new_axes",
    "project",
]
