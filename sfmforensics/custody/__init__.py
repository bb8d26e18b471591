"""Chain of custody: what a result was made of, so that it can be checked by others, later.

Examples
--------
>>> provenance = Provenance([])
>>> manifest = provenance.manifest("demonstration", seed=0)
>>> manifest["format"], manifest["seed"], is_sealed(manifest)
('sfmforensics manifest 1', 0, True)
"""

from sfmforensics.custody._manifest import (
    MANIFEST,
    OF_FILES,
    Provenance,
    check_manifest,
    describe_splits,
    describe_views,
    is_sealed,
    manifest_without_people,
    matrix_hash,
    read_manifest,
    recorded_in,
    recording_of,
    write_manifest,
)

__all__ = [
    "MANIFEST",
    "OF_FILES",
    "Provenance",
    "check_manifest",
    "describe_splits",
    "describe_views",
    "is_sealed",
    "manifest_without_people",
    "matrix_hash",
    "read_manifest",
    "recorded_in",
    "recording_of",
    "write_manifest",
]
