"""Mixed label columns to numbers that a network learns, and back."""

from sfmforensics.targets._bands import bands
from sfmforensics.targets._codec import CLASSIFICATION, REGRESSION, TargetCodec, as_frame, task_kind
from sfmforensics.targets._votes import Votes, votes

__all__ = [
    "CLASSIFICATION",
    "REGRESSION",
    "TargetCodec",
    "Votes",
    "as_frame",
    "bands",
    "task_kind",
    "votes",
]
