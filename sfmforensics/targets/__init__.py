"""Mixed label columns to numbers that a network learns, and back."""

from sfmforensics.targets._bands import bands
from sfmforensics.targets._codec import CLASSIFICATION, REGRESSION, TargetCodec, as_frame, task_kind

__all__ = ["CLASSIFICATION", "REGRESSION", "TargetCodec", "as_frame", "bands", "task_kind"]
