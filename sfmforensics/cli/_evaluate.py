"""Commands that measure models, and show what was found."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from sfmforensics._console import err, out, show_scores, tell
from sfmforensics.cli._options import (
    CACHE,
    Cache,
    Corpus,
    Device,
    Epochs,
    Preset,
    PresetOption,
    Protocol,
    Root,
    Seed,
    Views,
    specs,
)


def demo(
    output: Annotated[Path, typer.Option(help="Folder for all that it writes.")] = Path("demo"),
    seed: Seed = 0,
):
    """Run the whole main job on synthetic voices: no data and no network needed."""
    from sfmforensics.demo import run_demo

    run_demo(output, seed=seed, console=out)


def evaluate(
    context: typer.Context,
    corpus: Corpus,
    root: Root,
    views: Views = "mfcc,prosody",
    model: Annotated[
        str,
        typer.Option(metavar="MODEL[,MODEL]", help="Some of tango, concat, single, svm."),
    ] = "tango",
    preset: PresetOption = Preset.tuned,
    protocol: Annotated[
        Protocol, typer.Option(help="Speakers on both sides, on one side only, or both protocols.")
    ] = Protocol.both,
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    seed: Seed = 0,
    epochs: Epochs = None,
    jobs: Annotated[int, typer.Option(min=1, help="Folds at a time.")] = 1,
    cache: Cache = CACHE,
    output: Annotated[Path, typer.Option(help="Folder for tables and figures.")] = Path("results"),
    device: Device = None,
):
    """Evaluate models over the folds of one or both protocols."""
    from sfmforensics.datasets import load_corpus
    from sfmforensics.workflow import evaluate_corpus

    loaded = load_corpus(corpus, root)
    models = specs(model)
    found = evaluate_corpus(
        loaded,
        specs(views),
        output,
        models=models,
        preset=preset,
        protocol=protocol,
        folds=folds,
        seed=seed,
        epochs=epochs,
        cache=cache,
        device=device,
        n_jobs=jobs,
        name=corpus,
        root=root,
        command=shlex.join(["sfmforensics", *context.obj]),
        verbose=True,
    )
    show_scores(found.scores, corpus, out)
    tell(f"\nTables and figures: {output}/")
    tell(f"Next: sfmforensics report {shlex.quote(str(output))}")


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What evaluate wrote.")],
):
    """Make one HTML page from what evaluate wrote."""
    from sfmforensics.report import write_report

    with err.status("drawing the report"):
        page = write_report(directory)
    tell(f"Open in a browser: {page}")
