"""Splitters that read the target frame, and keep together what must not be separated."""

from sfmforensics.model_selection._balance import balanced_weights, balancing_columns
from sfmforensics.model_selection._protocols import (
    BOTH,
    EACH_SPEAKER,
    PROTOCOLS,
    SPEAKER,
    TEXT,
    Protocol,
    check_target,
    fold_overlaps,
    make_splits,
    never_heard,
    protocols_of,
)
from sfmforensics.model_selection._splitters import (
    CrossedGroupKFold,
    RepeatedTargetKFold,
    TargetGroupKFold,
    TargetLeaveOneGroupOut,
    TargetStratifiedKFold,
    joined_groups,
)

__all__ = [
    "BOTH",
    "EACH_SPEAKER",
    "PROTOCOLS",
    "SPEAKER",
    "TEXT",
    "CrossedGroupKFold",
    "Protocol",
    "RepeatedTargetKFold",
    "TargetGroupKFold",
    "TargetLeaveOneGroupOut",
    "TargetStratifiedKFold",
    "balanced_weights",
    "balancing_columns",
    "check_target",
    "fold_overlaps",
    "joined_groups",
    "make_splits",
    "never_heard",
    "protocols_of",
]
