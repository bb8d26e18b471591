"""A manifest as a file: written, read, checked."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from sfmforensics._utils.files import write_atomically
from sfmforensics._utils.outputs import check_outputs, is_manifest
from sfmforensics._utils.paths import user_path
from sfmforensics.exceptions import CustodyError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from sfmforensics._types import PathLike

MANIFEST = "manifest.json"
FORMAT = "sfmforensics manifest 1"
OF_FILES = ("answers", "comparison", "identification")
"""Kinds of manifests that are a file of their own, not one of a folder of results."""

_OF_NOBODY = ("format", "kind", "started", "finished", "hardware", "versions", "preprocessing")
_OF_NOBODY += ("views", "model", "preset", "seed", "parameters", "tasks")
_OF_CALIBRATION = ("calibration", "speakers")
"""Facts of a model's manifest, and of its calibration, that tell of no person; whatever else comes
to stand there may."""


def write_manifest(folder: PathLike, manifest: dict[str, Any], *, overwrite: bool = False) -> Path:
    """Write a manifest into a folder of results.

    Parameters
    ----------
    folder : path-like
        Where the results are.
    manifest : dict
        As `Evidence.manifest` gives it.
    overwrite : bool, default=False
        Whether it may take the place of something else than a manifest of its kind.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        It cannot be written, or would take the place of something else.
    """
    path = user_path(folder) / MANIFEST
    check_outputs({"folder": {path: is_manifest(str(manifest.get("kind")))}}, overwrite=overwrite)
    write_atomically(path, json.dumps(manifest, indent=1))
    return path


def read_manifest(path: PathLike) -> dict[str, Any]:
    """Read a manifest.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    dict

    Raises
    ------
    CustodyError
        It is missing or no manifest. Whether it was changed, `is_sealed` tells.

    Examples
    --------
    >>> read_manifest("nowhere/manifest.json")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.CustodyError: nowhere/manifest.json: no such file; evaluate, reproduce,
    train and embed --output write one last, so a run may have been stopped: run it again
    """
    try:
        manifest = json.loads(user_path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CustodyError(
            f"{path}: no such file; evaluate, reproduce, train and embed --output write one last, "
            "so a run may have been stopped: run it again"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise _no_manifest(path, error) from error
    check_manifest(manifest, path)
    return manifest


def check_manifest(manifest: object, path: PathLike) -> None:
    """Refuse what has not the form of a manifest.

    Parameters
    ----------
    manifest : object
        As JSON gave it.
    path : path-like
        Where it was, for the message.

    Raises
    ------
    CustodyError
        It is none, or of another version.
    """
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise _no_manifest(path, f"its format is not {FORMAT!r}")
    forms = {"recordings": list, "views": dict, "versions": dict, "hardware": dict}
    for key, form in forms.items():
        held = manifest.get(key)
        if not isinstance(held, form):
            raise _no_manifest(path, f"its {key} are no {form.__name__}")
    parts = [*manifest["recordings"], *manifest["views"].values()]
    if not all(isinstance(part, dict) for part in parts):
        raise _no_manifest(path, "a recording or a view is not told of by names")


def _no_manifest(path: PathLike, found: object) -> CustodyError:
    return CustodyError(
        f"{path}: it is no manifest of this version ({found}); take it from where it was written, "
        "or run again"
    )


def manifest_without_people(manifest: dict[str, Any]) -> dict[str, Any]:
    """Give the manifest of a model without what it says of recordings and the people in them.

    Parameters
    ----------
    manifest : dict
        As `Evidence.manifest` gives it; stays as it is.

    Returns
    -------
    dict
        Sealed anew, of facts that are about nobody: there are no recordings, no command (whose
        paths may hold names) and no places of those that calibrated, but "people": {"included":
        False, "recordings": how many there were, "calibrated", "left_out", "sha256": that of the
        whole manifest}, by which who keeps the whole one can show that this is of it.
    """
    calibration = manifest.get("calibration") or {}
    counts = {
        "included": False,
        "recordings": len(manifest["recordings"]),
        "calibrated": len(calibration.get("recordings", [])),
        "left_out": len(calibration.get("left_out", [])),
        "sha256": manifest.get("sha256"),
    }
    told = {name: manifest[name] for name in _OF_NOBODY if name in manifest} | {
        "recordings": [],
        "calibration": {name: calibration[name] for name in _OF_CALIBRATION if name in calibration},
        "people": manifest.get("people", counts),
    }
    return told | {"sha256": seal(told)}


def is_sealed(manifest: dict[str, Any]) -> bool:
    """Whether a manifest is as it was made; by somebody who knows how, any can be made."""
    return manifest.get("sha256") == seal({k: v for k, v in manifest.items() if k != "sha256"})


def seal(manifest: dict[str, Any]) -> str:
    """Give the sha256 over a manifest without its own."""
    return sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
