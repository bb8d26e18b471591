"""Commands that train a model and ask it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from sfmforensics._console import say, show_answers, tell
from sfmforensics.cli._options import (
    CACHE,
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
) -> None:
    """Fit one model on all recordings of a corpus, and save it."""
    from sfmforensics.datasets import load_corpus
    from sfmforensics.workflow import train_model

    loaded = load_corpus(corpus, root)
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
        verbose=True,
    )
    tell(f"{model} of {len(loaded.data)} recordings: {output}")
    tell(f"Next: sfmforensics predict {shlex.quote(str(output))} FILE...")


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model that train wrote.")],
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Recordings.")],
    format: Annotated[Format, typer.Option(help="Form of the answers.")] = Format.table,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let code in a file of joblib run.")
    ] = False,
) -> None:
    """Answer all tasks for recordings."""
    from sfmforensics.workflow import load_model, predict_files

    answers, refused = predict_files(load_model(model, trust=trust), files, verbose=len(files) > 3)
    if format is Format.csv:
        print(answers.to_csv(index=False), end="")
    elif format is Format.json:
        print(json.dumps(answers.to_dict(orient="records"), indent=2, ensure_ascii=False))
    elif len(answers):
        show_answers(answers)
    for error in refused:
        say(error)
    if refused:
        raise typer.Exit(1)
