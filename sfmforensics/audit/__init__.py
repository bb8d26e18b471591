"""What in a corpus would make a figure too good, or wrong.

`audit_corpus` gives all findings; the other functions give what they rest on.
"""

from sfmforensics.audit._agreement import (
    LEAST_ALPHA,
    agreement_findings,
    krippendorff_alpha,
    rater_agreement,
)
from sfmforensics.audit._copies import SAME_TAKE, join_copies, near_copies
from sfmforensics.audit._copy_findings import names_of, shared_recordings
from sfmforensics.audit._corpus import audit_corpus, hearing_findings
from sfmforensics.audit._finding import NOTE, SERIOUS, Finding, counted, findings_frame
from sfmforensics.audit._label_findings import (
    constant_labels,
    label_findings,
    not_labels,
    speaker_conflicts,
)
from sfmforensics.audit._leaks import find_leaks
from sfmforensics.audit._origin import (
    association,
    origin_findings,
    recording_details,
    unreadable,
)
from sfmforensics.audit._voices import AS_ONE_VOICE, alike_voices, with_evidence

__all__ = [
    "AS_ONE_VOICE",
    "LEAST_ALPHA",
    "NOTE",
    "SAME_TAKE",
    "SERIOUS",
    "Finding",
    "agreement_findings",
    "alike_voices",
    "association",
    "audit_corpus",
    "constant_labels",
    "counted",
    "find_leaks",
    "findings_frame",
    "hearing_findings",
    "join_copies",
    "krippendorff_alpha",
    "label_findings",
    "names_of",
    "near_copies",
    "not_labels",
    "origin_findings",
    "rater_agreement",
    "recording_details",
    "shared_recordings",
    "speaker_conflicts",
    "unreadable",
    "with_evidence",
]
