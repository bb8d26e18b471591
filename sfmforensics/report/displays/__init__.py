"""Figures in scikit-learn's Display style: class methods compute, `plot` draws."""

from sfmforensics.report.displays._axes import new_axes
from sfmforensics.report.displays.calibration import ReliabilityDisplay
from sfmforensics.report.displays.confusion import ConfusionDisplay
from sfmforensics.report.displays.corpus import CorpusDisplay
from sfmforensics.report.displays.cross_entropy import ECEDisplay
from sfmforensics.report.displays.detection import DETDisplay
from sfmforensics.report.displays.evidence import TippettDisplay
from sfmforensics.report.displays.explanation import ExplanationDisplay
from sfmforensics.report.displays.gap import ProtocolGapDisplay
from sfmforensics.report.displays.learning import LearningCurveDisplay
from sfmforensics.report.displays.pooling import PAVDisplay
from sfmforensics.report.displays.projection import ProjectionDisplay, project
from sfmforensics.report.displays.refusal import RiskCoverageDisplay
from sfmforensics.report.displays.regression import RegressionDisplay
from sfmforensics.report.displays.training import TrainingCurveDisplay
from sfmforensics.report.displays.transport import TransportPlanDisplay

__all__ = [
    "ConfusionDisplay",
    "CorpusDisplay",
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
