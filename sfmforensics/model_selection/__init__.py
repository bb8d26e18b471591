"""Splitters that read the target frame, and keep together what must not be separated."""

from sfmforensics.model_selection._splitters import (
    RepeatedTargetKFold,
    TargetGroupKFold,
    TargetLeaveOneGroupOut,
    TargetStratifiedKFold,
    joined_groups,
)

__all__ = [
    "RepeatedTargetKFold",
    "TargetGroupKFold",
    "TargetLeaveOneGroupOut",
    "TargetStratifiedKFold",
    "joined_groups",
]
