"""The systems of the paper as scikit-learn estimators: one view, concatenation, transport."""

from sfmforensics.estimators._per_task import PerTask
from sfmforensics.estimators._systems import TANGO, ConcatFusion, SingleView

__all__ = ["TANGO", "ConcatFusion", "PerTask", "SingleView"]
