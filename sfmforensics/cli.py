"""The command line, thin: what it does is in `sfmforensics.workflow` and the rooms before it."""

from __future__ import annotations

import json
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import sfmforensics
from sfmforensics._console import (
    err,
    out,
    say,
    show_answers,
    show_frame,
    show_scores,
    tell,
    warnings_in_one_line,
)
from sfmforensics.exceptions import AudioError, SFMForensicsError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Speaker, emotion, gender and age from voice recordings, evaluated honestly.",
)


class CorpusName(StrEnum):
    """Corpora by name."""

    baved = "baved"
    emodb = "emodb"
    cremad = "cremad"
    manifest = "manifest"


class Preset(StrEnum):
    """Settings by name."""

    paper = "paper"
    tuned = "tuned"


class Protocol(StrEnum):
    """Protocols by name."""

    closed = "closed"
    disjoint = "disjoint"
    both = "both"


class OnError(StrEnum):
    """What a recording that cannot be used does to a command."""

    stop = "stop"
    skip = "skip"


class Format(StrEnum):
    """Forms of the answers of `predict`."""

    table = "table"
    csv = "csv"
    json = "json"


Corpus = Annotated[CorpusName, typer.Option(help="Which layout the recordings have.")]
Root = Annotated[Path, typer.Option(help="Folder of the corpus; with manifest, a CSV table.")]
Views = Annotated[
    str,
    typer.Option(
        metavar="SPEC[,SPEC]",
        help="Views: names (mfcc, prosody, whisper, wavlm, ...), NAME=FOLDER or NAME=HUB_ID.",
    ),
]
Cache = Annotated[Path, typer.Option(help="Folder that keeps the embeddings.")]
Device = Annotated[str | None, typer.Option(help="A torch device; CUDA if there is one.")]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Seed of the folds and of the models.")
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Passes over the data; the preset's.")]
PresetOption = Annotated[Preset, typer.Option(help="The paper's settings, or ours.")]

_CACHE = Path("embeddings")
_INTERRUPTED = 130


def _version(asked: bool):
    if asked:
        print(f"sfmforensics {sfmforensics.__version__}")
        raise typer.Exit


@app.callback()
def common(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; anywhere in a command.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
):
    """Speaker, emotion, gender and age from voice recordings, evaluated honestly."""


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for all that it writes.")] = Path("demo"),
    seed: Seed = 0,
):
    """Run the whole main job on synthetic voices: no data and no network needed."""
    from sfmforensics.demo import run_demo

    run_demo(output, seed=seed, console=out)


@app.command()
def describe(
    corpus: Corpus,
    root: Root,
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    seed: Seed = 0,
):
    """Show counts, durations, distributions, copies, and what leaks between folds."""
    from sfmforensics.datasets import load_corpus
    from sfmforensics.report.describe import describe_corpus

    tables = describe_corpus(load_corpus(corpus, root), folds=folds, seed=seed, verbose=True)
    for title, frame in tables.items():
        show_frame(frame, title)


@app.command()
def embed(
    corpus: Corpus,
    root: Root,
    views: Views = "mfcc,prosody",
    cache: Cache = _CACHE,
    device: Device = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Recordings a forward pass.")] = 8,
    on_error: Annotated[
        OnError, typer.Option(help="At a recording that cannot be used: stop, or skip and list it.")
    ] = OnError.stop,
):
    """Compute the embeddings of a corpus, and keep them; what is kept already is skipped."""
    from sfmforensics.datasets import load_corpus
    from sfmforensics.workflow import embed_corpus

    loaded = load_corpus(corpus, root)
    try:
        shapes, refused = embed_corpus(
            loaded,
            _specs(views),
            cache=cache,
            device=device,
            batch_size=batch_size,
            on_error=on_error,
            verbose=True,
        )
    except AudioError as error:
        raise SFMForensicsError(f"{error} (or use --on-error skip)") from error
    for name, (recordings, width) in shapes.items():
        tell(f"{name}: {recordings} recordings, {width} numbers each")
    tell(f"kept in {cache}")
    for (_, reason), of in refused.groupby(["recording", "reason"], sort=False)["view"]:
        say(reason if len(of) == len(shapes) else f"{reason} (for {', '.join(of)})")
    if len(refused):
        say(f"left out: {refused['recording'].nunique()} of {len(loaded.data)} recordings")
        raise typer.Exit(1)


@app.command()
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
    cache: Cache = _CACHE,
    output: Annotated[Path, typer.Option(help="Folder for tables and figures.")] = Path("results"),
    device: Device = None,
):
    """Evaluate models over the folds of one or both protocols."""
    from sfmforensics.datasets import load_corpus
    from sfmforensics.workflow import evaluate_corpus

    loaded = load_corpus(corpus, root)
    models = _specs(model)
    specs = _specs(views)
    found = evaluate_corpus(
        loaded,
        specs,
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


@app.command()
def train(
    corpus: Corpus,
    root: Root,
    output: Annotated[Path, typer.Option(help="File for the model.")],
    views: Views = "mfcc,prosody",
    model: Annotated[str, typer.Option(help="tango, concat, single or svm.")] = "tango",
    preset: PresetOption = Preset.tuned,
    seed: Seed = 0,
    epochs: Epochs = None,
    cache: Cache = _CACHE,
    device: Device = None,
):
    """Fit one model on all recordings of a corpus, and save it."""
    from sfmforensics.datasets import load_corpus
    from sfmforensics.workflow import train_model

    loaded = load_corpus(corpus, root)
    train_model(
        loaded,
        _specs(views),
        output,
        model=model,
        preset=preset,
        seed=seed,
        epochs=epochs,
        cache=cache,
        device=device,
        verbose=True,
    )
    tell(f"{model} of {len(loaded.data)} recordings: {output}")
    tell(f"Next: sfmforensics predict {shlex.quote(str(output))} FILE...")


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL.joblib", help="A model of yours.")],
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Recordings.")],
    format: Annotated[Format, typer.Option(help="Form of the answers.")] = Format.table,
):
    """Answer all tasks for recordings. Loading a model runs code: open only what you trust."""
    from sfmforensics.workflow import load_model, predict_files

    answers, refused = predict_files(load_model(model), files, verbose=len(files) > 3)
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


@app.command()
def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What evaluate wrote.")],
):
    """Make one HTML page from what evaluate wrote."""
    from sfmforensics.report import write_report

    with err.status("drawing the report"):
        page = write_report(directory)
    tell(f"Open in a browser: {page}")


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str or None, default=None
        What follows the command's name; of this process by default.

    Returns
    -------
    int
        0 on success, 1 if something was refused, 2 if the command was misspelt, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        with warnings_in_one_line():
            code = app(arguments, standalone_mode=False, obj=arguments) or 0
    except typer.Exit as leave:
        code = leave.exit_code
    except SFMForensicsError as error:
        if debug:
            raise
        say(error)
        return 1
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # a misspelt command
            error.show()
            return error.exit_code
        if debug:
            raise
        say(f"{type(error).__name__}: {error} (--debug shows where)")
        return 1
    if code == _INTERRUPTED:  # which some releases of typer give as a code, not as an exception
        say("stopped; embeddings that were computed are in the cache")
    return code


def entry_point():
    """Run the command line as a process of its own."""
    sys.exit(main())


def _specs(text):
    return [part.strip() for part in text.split(",") if part.strip()]
