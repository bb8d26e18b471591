"""What the page says of the chain of custody: the manifest, in short and whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sfmforensics._utils.files import file_hash
from sfmforensics.custody import MANIFEST, is_sealed, read_manifest
from sfmforensics.exceptions import CustodyError
from sfmforensics.report._markup import details, join, table, tag
from sfmforensics.report._wording import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from sfmforensics.report._markup import Markup
    from sfmforensics.results import Run

_MOST_SHOWN = 5_000
"""Recordings up to which the page holds the whole manifest; a larger one would not open."""


def custody(run: Run) -> Markup:
    """Say what the figures rest on, and whether the files are still those of the manifest."""
    path = run.directory / MANIFEST
    if not path.exists():
        return tag("p", f"There is no {MANIFEST}: what these figures rest on cannot be traced.")
    try:
        manifest = read_manifest(path)
    except CustodyError as error:
        return tag("p", f"What these figures rest on cannot be traced: {error}.")
    changed = [
        name
        for name, recorded in sorted(manifest.get("results", {}).items())
        if not (run.directory / name).is_file() or file_hash(run.directory / name) != recorded
    ]
    if not is_sealed(manifest):
        changed.append(MANIFEST)
    parts = [
        tag(
            "p",
            "Each recording, each file of a speech model and each file of these results is "
            f"identified by its SHA-256 in {MANIFEST}. Note the manifest's own SHA-256 where "
            "nobody can change it; ",
            tag("code", "sfmforensics verify"),
            " then tells whether anything differs.",
        )
    ]
    if changed:
        warning = f"Changed since the manifest was written, or missing: {', '.join(changed)}."
        parts.append(tag("p", tag("strong", warning), class_="note"))
    header = ("what", "identity")
    parts.append(
        tag("div", table(header, _facts(path, manifest), "Chain of custody", text_columns=header),
            class_="wrap")
    )  # fmt: skip
    if len(manifest["recordings"]) <= _MOST_SHOWN:
        whole = tag("pre", tag("code", json.dumps(manifest, indent=1)), tabindex="0")
        parts.append(details("The whole manifest", whole))
    else:
        parts.append(
            tag(
                "p", f"The manifest of {len(manifest['recordings']):,} recordings is in {MANIFEST}."
            )
        )
    return join(parts)


def _facts(path: Path, manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Lines of the table: the manifest, the time, the machine, the recordings, the models."""
    machine = manifest["hardware"]
    yield "manifest (SHA-256)", file_hash(path)
    yield "begun and ended (UTC)", f"{manifest.get('started')} to {manifest.get('finished')}"
    yield "machine", ", ".join(f"{name}: {value}" for name, value in machine.items() if value)
    known = sum("sha256" in record for record in manifest["recordings"])
    yield "recordings identified", f"{known:,} of {len(manifest['recordings']):,}"
    if "vectors" in manifest:
        yield "vectors of all recordings (SHA-256)", manifest["vectors"]
    for name, view in manifest["views"].items():
        told = view.get("identity") or {"embedder": view.get("embedder")}
        yield f"view {name}", ", ".join(f"{key}: {plain(told[key])}" for key in told)
        for file, recorded in view.get("files", {}).items():
            yield f"{name}: {file} (SHA-256)", recorded
