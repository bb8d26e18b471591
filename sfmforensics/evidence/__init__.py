"""Evidence that a court can weigh: likelihood ratios, and how far they can be trusted.

Examples
--------
>>> verbal_grade(2.3)
'moderately strong'
"""

from sfmforensics.evidence._assess import assess
from sfmforensics.evidence._assessment import Assessment
from sfmforensics.evidence._calibrated_model import CalibratedModel
from sfmforensics.evidence._conformal import ANY_OTHER
from sfmforensics.evidence._likelihood_ratio import Comparison, LikelihoodRatio
from sfmforensics.evidence._open_set import OpenSetIdentifier
from sfmforensics.evidence._scorers import PLDA, CosineScorer, PairwiseLogistic
from sfmforensics.evidence._verbal import (
    number_of_times,
    plain_sentences,
    verbal_grade,
    verbal_scale,
)

__all__ = [
    "ANY_OTHER",
    "PLDA",
    "Assessment",
    "CalibratedModel",
    "Comparison",
    "CosineScorer",
    "LikelihoodRatio",
    "OpenSetIdentifier",
    "PairwiseLogistic",
    "assess",
    "number_of_times",
    "plain_sentences",
    "verbal_grade",
    "verbal_scale",
]
