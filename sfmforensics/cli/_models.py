"""Commands that train a model and ask it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from sfmforensics._console import say, show_answers, show_frame, tell, tell_manifest
from sfmforensics._files import file_hash
from sfmforensics._names import escape_text, keep_name
from sfmforensics.cli._options import (
    CACHE,
    AllowOutside,
    Cache,
    Corpus,
    Device,
    Epochs,
    Format,
    ModelFormat,
    Preset,
    PresetOption,
    Root,
    Seed,
    Views,
    specs,
)


def train(
    context: typer.Context,
    corpus: Corpus,
    root: Root,
    output: Annotated[Path, typer.Option(help="File for the model.")],
    views: Views = "mfcc,prosody",
    model: Annotated[str, typer.Option(help="tango, concat, single or svm.")] = "tango",
    preset: PresetOption = Preset.tuned,
    seed: Seed = 0,
    epochs: Epochs = None,
    cache: Cache = CACHE,
    device: Device = None,
    format: Annotated[
        ModelFormat | None,
        typer.Option(help="Form of the file: data alone, or with code; by its name."),
    ] = None,
    allow_outside: AllowOutside = False,
) -> None:
    """Fit one model on all recordings of a corpus, and save it."""
    from sfmforensics.datasets import load_corpus
    from sfmforensics.workflow import train_model

    loaded = load_corpus(corpus, root, allow_outside=allow_outside)
    train_model(
        loaded,
        specs(views),
        output,
        model=model,
        preset=preset,
        seed=seed,
        epochs=epochs,
        cache=cache,
        device=device,
        format=format,  # type: ignore[arg-type]  # whose members are these words
        command=shlex.join(["sfmforensics", *context.obj]),
        verbose=True,
    )
    tell(f"{model} of {len(loaded.data)} recordings: {output}")
    tell_manifest(output)
    tell(f"Next: sfmforensics predict {shlex.quote(str(output))} FILE...")


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model that train wrote.")],
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Recordings.")],
    format: Annotated[Format, typer.Option(help="Form of the answers.")] = Format.table,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let code in a file of joblib run.")
    ] = False,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what the answers rest on to this file."),
    ] = None,
) -> None:
    """Answer all tasks for recordings."""
    from sfmforensics.workflow import load_model, predict_files

    answers, refused = predict_files(
        load_model(model, trust=trust), files, verbose=len(files) > 3, manifest=manifest
    )
    if format is Format.csv:
        named = answers.assign(path=[keep_name(path) for path in answers["path"]])
        print(named.to_csv(index=False), end="")
    elif format is Format.json:
        text = json.dumps(answers.to_dict(orient="records"), indent=2, ensure_ascii=False)
        print(escape_text(text))  # which JSON reads as what was escaped
    elif len(answers):
        show_answers(answers)
    for error in refused:
        say(error)
    if manifest is not None:
        say(f"chain of custody: {manifest}, sha256 {file_hash(manifest)}")
    if refused:
        raise typer.Exit(1)


def verify(
    path: Annotated[
        Path, typer.Argument(metavar="DIR|MODEL", help="What evaluate, embed or train wrote.")
    ],
    root: Annotated[
        Path | None, typer.Option(help="Where the recordings are now, if they were moved.")
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="sha256 of the manifest (the model), as noted elsewhere."),
    ] = None,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Embed again, and compare the vectors.")
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let code in a file of joblib run.")
    ] = False,
    format: Annotated[Format, typer.Option(help="Form of the answers.")] = Format.table,
) -> None:
    """Compute again what a manifest says of a result, and say what differs."""
    from sfmforensics.workflow import verify_results

    found = verify_results(
        path, root=root, sha256=sha256, vectors=vectors, trust=trust, verbose=True
    )
    if format is Format.csv:
        print(found.to_csv(index=False), end="")
    elif format is Format.json:
        print(json.dumps(found.to_dict(orient="records"), indent=2))
    else:
        counts = found.groupby(["what", "verdict"], sort=False).size().unstack(fill_value=0)
        show_frame(counts.reset_index(), "looked at")
        differing = found[found["verdict"] != "same"]
        if len(differing):
            show_frame(differing, "not as recorded")
    bad = found["verdict"].isin(["differs", "missing"]).sum()
    if bad:
        say(f"{path}: {bad} of {len(found)} things are not as they were recorded")
        raise typer.Exit(1)
    tell(f"{path}: {(found['verdict'] == 'same').sum()} things are as they were recorded")
