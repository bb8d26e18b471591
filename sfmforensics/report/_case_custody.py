"""What a case's page says of the files that it rests on, and how to check them."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from sfmforensics._utils.names import escape_text, show_name
from sfmforensics.custody import recorded_in
from sfmforensics.report._markup import Markup, table, tag
from sfmforensics.report._wording import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    import pandas as pd

SOFTWARE = ("sfmforensics", "python", "torch", "numpy", "scikit-learn", "librosa", "transformers")


def text_of(value: object) -> str:
    """Write a label or a path from elsewhere on one line, harmless to any encoding."""
    return escape_text(str(value), keep="")


def time_of(told: object) -> str:
    """Write a time of the manifest, which is UTC.

    Examples
    --------
    >>> time_of("2026-01-02T03:04:05+00:00")
    '2026-01-02 03:04 UTC'
    """
    if not isinstance(told, str):
        return "an unknown date"
    return f"{text_of(told)[:16].replace('T', ' ')} UTC"


def share_text(share: float, digits: int = 1) -> str:
    r"""Write a share, so that none that is small looks like nothing, nor a large one like all.

    Examples
    --------
    >>> share_text(0.0), share_text(0.0004), share_text(0.1234), share_text(0.9999)
    ('0\xa0%', '<\xa00.1\xa0%', '12.3\xa0%', '>\xa099.9\xa0%')
    >>> share_text(0.5, digits=0), share_text(0.996, digits=0)
    ('50\xa0%', '>\xa099\xa0%')
    """
    least = 10.0**-digits
    percent = round(100 * share, digits)
    if 0 < share < 1 and percent < least:
        told = f"< {least:g} %"
    elif 0 < share < 1 and percent > 100 - least:
        told = f"> {100 - least:g} %"
    else:
        told = f"{percent:g} %"
    return told.replace(" ", "\N{NO-BREAK SPACE}")


def names(answers: pd.DataFrame) -> list[str]:
    """Name recordings without their folders, of which the chain of custody tells."""
    return [show_name(os.path.basename(path) or path) for path in answers["path"]]


def model_name(manifest: Mapping[str, Any]) -> str:
    """Name the file of the model, if there is one."""
    path = (manifest.get("model_file") or {}).get("path", "")
    return show_name(os.path.basename(path)) if path else ""


def is_learnt(manifest: Mapping[str, Any]) -> list[bool]:
    """Tell of each recording whether the model has learnt from it."""
    told = (manifest.get("model") or {}).get("recordings", [])
    return recorded_in(manifest.get("recordings", []), told)


def custody(answers: pd.DataFrame, manifest: Mapping[str, Any]) -> Iterator[Markup]:
    """Identify all files, and say how to check them."""
    header = ("what", "identity")
    rows = [(what, text_of(identity)) for what, identity in _facts(manifest)]
    caption = "Files and their SHA-256, versions, times"
    yield tag("div", table(header, rows, caption, text_columns=header), class_="wrap custody")
    yield tag(
        "p",
        "To check: the first command says whether the model is as it was, and the second whether "
        "the recordings give the same ratio again. ",
        tag("code", "compare --manifest FILE"),
        " keeps the manifest, and ",
        tag("code", "sfmforensics verify FILE"),
        " compares every file with it. Keep the SHA-256 of this page where nobody can change it.",
    )
    lines = "\n".join(text_of(line) for line in _commands(answers["path"].tolist(), manifest))
    yield tag("pre", tag("code", lines), tabindex="0")


def _commands(files: Sequence[str], manifest: Mapping[str, Any]) -> Iterator[str]:
    model = manifest.get("model_file") or {}
    path = model.get("path", "MODEL")
    told = ["--sha256", model["sha256"]] if "sha256" in model else []
    yield shlex.join(["sfmforensics", "verify", path, *told])
    absolute = [record.get("path", file) for record, file in zip(
        manifest.get("recordings", []), files, strict=False)]  # fmt: skip
    yield shlex.join(["sfmforensics", "compare", path, *absolute])


def _facts(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for place, record in enumerate(manifest.get("recordings", [])):
        yield "known" if place else "questioned", _file(record)
    model = manifest.get("model_file")
    if model:
        yield "model", _file(model)
    trained = manifest.get("model") or {}
    if "sha256" in trained:
        yield "its manifest", str(trained["sha256"])
    if trained.get("command"):
        yield "made by", str(trained["command"])
    for name, view in manifest.get("views", {}).items():
        identity = view.get("identity") or {"embedder": view.get("embedder")}
        yield (
            f"view {text_of(name)}",
            ", ".join(f"{key} {plain(identity[key])}" for key in identity),
        )
        for file, recorded in view.get("files", {}).items():
            yield f"weights, {text_of(name)}", f"{show_name(file)}: {recorded}"
    versions, machine = manifest.get("versions", {}), manifest.get("hardware", {})
    told = [f"{one} {versions[one]}" for one in SOFTWARE if one in versions]
    told += [str(machine[key]) for key in ("system", "processor") if machine.get(key)]
    yield "computed with", ", ".join(told)
    yield "begun, ended", f"{manifest.get('started')}, {manifest.get('finished')}"
    if "sha256" in manifest:
        yield "this manifest", str(manifest["sha256"])


def _file(record: Mapping[str, Any]) -> str:
    known = record.get("sha256") or record.get("found", "not identified")
    return f"{show_name(record.get('path', 'signal'))}: {known}"
