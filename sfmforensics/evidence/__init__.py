"""Evidence that a court can weigh: likelihood ratios, and how far they can be trusted.

Examples
--------
>>> verbal_grade(2.3)
'moderately strong'
"""

from sfmforensics.evidence._likelihood_ratio import Comparison, LikelihoodRatio
from sfmforensics.evidence._scorers import PLDA, CosineScorer
from sfmforensics.evidence._verbal import verbal_grade, verbal_scale

__all__ = [
    "PLDA",
    "Comparison",
    "CosineScorer",
    "LikelihoodRatio",
    "verbal_grade",
    "verbal_scale",
]
