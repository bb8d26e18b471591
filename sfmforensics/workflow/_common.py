"""What evaluation and training share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sfmforensics.exceptions import SFMForensicsError, ViewError
from sfmforensics.presets import make_estimator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from sfmforensics._types import Recording


def check_model(model: str, preset: str, device: str | None) -> Any:
    """Refuse a model, a preset or a device that is not there, before anything is computed."""
    from sfmforensics.nn.runtime import check_device

    check_device(device)
    return make_estimator(model, preset)


def recording_names(recordings: Sequence[Recording]) -> list[str]:
    """Give a name for each recording: its path, or its number."""
    return [
        os.fspath(r) if isinstance(r, (str, os.PathLike)) else f"recording {i}"
        for i, r in enumerate(recordings)
    ]


def _name_of(view: Any) -> str:
    return view[0] if isinstance(view, tuple) else view


def build_estimator(
    model: str, preset: str, views: Sequence[Any], seed: int, epochs: int | None, device: str | None
) -> Any:
    """Build a model by name, or say at once why it cannot be."""
    check_model(model, preset, device)
    overrides: dict[str, Any] = {"random_state": seed}
    if model != "svm":
        overrides["device"] = device or "auto"
        if epochs is not None:
            overrides["max_epochs"] = epochs
    if model in ("tango", "concat") and len(views) == 1:
        raise ViewError(
            f"{model} fuses two or more views, but only {_name_of(views[0])} was asked for; add "
            "another (--views mfcc,prosody), or use --model single"
        )
    return make_estimator(model, preset, **overrides)


def make_folder(folder: Path) -> None:
    """Make a folder for what is written, or say why that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SFMForensicsError(
            f"{folder}: this folder cannot be made ({error.strerror}); choose another output"
        ) from error
