"""Splitters that read the target frame, and keep together what must not be separated."""

from sfmforensics.model_selection._protocols import (
    EACH_SPEAKER,
    PROTOCOLS,
    SPEAKER,
    check_target,
    fold_overlaps,
    make_splits,
    protocols_of,
)
from sfmforensics.model_selection._splitters import (
    RepeatedTargetKFold,
    TargetGroupKFold,
    TargetLeaveOneGroupOut,
    TargetStratifiedKFold,
    joined_groups,
)

__all__ = [
    "EACH_SPEAKER",
    "PROTOCOLS",
    "SPEAKER",
    "RepeatedTargetKFold",
    "TargetGroupKFold",
    "TargetLeaveOneGroupOut",
    "TargetStratifiedKFold",
    "check_target",
    "fold_overlaps",
    "joined_groups",
    "make_splits",
    "protocols_of",
]
