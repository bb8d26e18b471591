"""Commands that measure models, and show what was found."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfmforensics.cli._cluster import on_cluster
from sfmforensics.cli._console import (
    err,
    explain,
    out,
    show_comparisons,
    show_cross,
    show_overlaps,
    show_scores,
    tell,
    tell_manifest,
)
from sfmforensics.cli._options import (
    CACHE,
    FOLDER,
    READ,
    REPORTED,
    WORDS,
    AllowOutside,
    Balance,
    Cache,
    ChannelOption,
    Cluster,
    Corpora,
    Corpus,
    Device,
    Epochs,
    Folds,
    Jobs,
    Models,
    OnError,
    OnErrorOption,
    OptionalCorpora,
    OptionalCorpus,
    OptionalRoot,
    Overwrite,
    Preset,
    PresetOption,
    Protocols,
    Repeats,
    Root,
    Seed,
    SplitColumn,
    Tasks,
    Views,
    channel_of,
    names_of_columns,
    specs,
)
from sfmforensics.custody import MANIFEST
from sfmforensics.exceptions import SFMForensicsError

if TYPE_CHECKING:
    from typing import Any


def demo(
    output: Annotated[Path, typer.Option(help="Folder for all that it writes."), FOLDER] = Path(
        "demo"
    ),
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Run the whole main job on synthetic voices: no data and no network needed."""
    from sfmforensics.cli._demo import run_demo

    run_demo(output, seed=seed, console=out, overwrite=overwrite)


def evaluate(
    context: typer.Context,
    corpus: OptionalCorpus = None,
    root: OptionalRoot = None,
    corpora: OptionalCorpora = None,
    views: Views = "mfcc,prosody",
    model: Models = "tango",
    preset: PresetOption = Preset.tuned,
    protocol: Protocols = "both",
    split_column: SplitColumn = "split",
    folds: Folds = 5,
    repeats: Repeats = 1,
    each_speaker: Annotated[
        bool,
        typer.Option(
            "--leave-one-speaker-out", help="Under disjoint: as many folds as there are speakers."
        ),
    ] = False,
    seed: Seed = 0,
    epochs: Epochs = None,
    search: Annotated[
        str | None,
        typer.Option(
            metavar="JSON|FILE",
            help="Values to choose from inside each training side, such as "
            """'{"reg": [0.05, 0.1]}', or a file that holds this.""",
        ),
        READ,
    ] = None,
    balance: Balance = None,
    jobs: Jobs = 1,
    cluster: Cluster = None,
    cache: Cache = CACHE,
    output: Annotated[Path, typer.Option(help="Folder for tables and figures."), FOLDER] = Path(
        "results"
    ),
    device: Device = None,
    allow_outside: AllowOutside = False,
    tasks: Tasks = None,
    channel: ChannelOption = None,
    on_error: OnErrorOption = OnError.stop,
    overwrite: Overwrite = False,
) -> None:
    """Evaluate models over the folds of some protocols."""
    from sfmforensics.datasets import load_corpora, load_corpus
    from sfmforensics.model_selection import EACH_SPEAKER
    from sfmforensics.workflow import evaluate_corpus

    chosen = names_of_columns(tasks)
    if corpora is not None and corpus is None and root is None:
        loaded, name, place = load_corpora(corpora, tasks=chosen), corpora.stem, corpora
    elif corpora is None and corpus is not None and root is not None:
        loaded = load_corpus(corpus, root, allow_outside=allow_outside, tasks=chosen)
        name, place = loaded.get("layout", corpus), root
    else:
        raise typer.BadParameter(
            "say which recordings: --corpus NAME and --root FOLDER, or --corpora FILE for several"
        )
    with on_cluster(cluster):
        evaluation = evaluate_corpus(
            loaded,
            specs(views),
            output,
            models=specs(model),
            preset=preset,
            protocol=protocol,
            split_column=split_column,
            folds=EACH_SPEAKER if each_speaker else folds,
            repeats=repeats,
            seed=seed,
            epochs=epochs,
            search=None if search is None else _grid(search),
            balance=names_of_columns(balance),
            cache=cache,
            device=device,
            n_jobs=jobs,
            name=name,
            root=place,
            command=shlex.join(["sfmforensics", *context.obj]),
            verbose=True,
            channel=channel_of(channel) or "auto",
            on_error=on_error.value,
            overwrite=overwrite,
        )
    show_scores(evaluation.scores, name, out)
    show_overlaps(output, out)
    show_comparisons(output, out)
    tell(f"\nTables and figures: {output}/")
    tell_manifest(output / MANIFEST)
    tell(f"Next: sfmforensics report {shlex.quote(str(output))}")


def cross(
    context: typer.Context,
    corpora: Corpora,
    views: Views = "mfcc,prosody",
    model: Models = "tango",
    preset: PresetOption = Preset.tuned,
    standardise: Annotated[
        bool,
        typer.Option(
            "--standardise",
            help="Standardise views within each corpus, a tested one by its own recordings.",
        ),
    ] = False,
    balance: Balance = None,
    folds: Folds = 5,
    seed: Seed = 0,
    epochs: Epochs = None,
    jobs: Jobs = 1,
    cluster: Cluster = None,
    cache: Cache = CACHE,
    output: Annotated[Path, typer.Option(help="Folder for tables and figures."), FOLDER] = Path(
        "cross"
    ),
    device: Device = None,
    tasks: Tasks = None,
    channel: ChannelOption = None,
    on_error: OnErrorOption = OnError.stop,
    overwrite: Overwrite = False,
) -> None:
    """Learn from each of several corpora, and test on each."""
    from sfmforensics.datasets import load_corpora
    from sfmforensics.workflow import cross_corpora

    with on_cluster(cluster):
        evaluation = cross_corpora(
            load_corpora(corpora, tasks=names_of_columns(tasks)),
            specs(views),
            output,
            models=specs(model),
            preset=preset,
            standardise=standardise,
            balance=names_of_columns(balance),
            folds=folds,
            seed=seed,
            epochs=epochs,
            cache=cache,
            device=device,
            n_jobs=jobs,
            command=shlex.join(["sfmforensics", *context.obj]),
            verbose=True,
            channel=channel_of(channel) or "auto",
            on_error=on_error.value,
            overwrite=overwrite,
        )
    show_cross(evaluation, out)
    tell(f"\nTables and figures: {output}/")
    tell_manifest(output / MANIFEST)


def reproduce(
    context: typer.Context,
    corpus: Corpus,
    root: Root,
    views: Views = "mfcc,prosody",
    tables: Annotated[
        str | None,
        typer.Option(metavar="N[,N]", help="Numbers of the paper's tables; all of the corpus."),
        WORDS,
    ] = None,
    preset: PresetOption = Preset.paper,
    protocol: Protocols = "both",
    folds: Folds = 5,
    repeats: Repeats = 1,
    seed: Seed = 0,
    epochs: Epochs = None,
    jobs: Jobs = 1,
    cluster: Cluster = None,
    cache: Cache = CACHE,
    output: Annotated[Path, typer.Option(help="Folder for tables and figures."), FOLDER] = Path(
        "reproduction"
    ),
    device: Device = None,
    allow_outside: AllowOutside = False,
    tasks: Tasks = None,
    channel: ChannelOption = None,
    on_error: OnErrorOption = OnError.stop,
    overwrite: Overwrite = False,
) -> None:
    """Fill the paper's tables, beside its own figures; what is done already is kept."""
    from sfmforensics.datasets import load_corpus
    from sfmforensics.report import tables_of, to_rich
    from sfmforensics.workflow import reproduce_tables

    loaded = load_corpus(corpus, root, allow_outside=allow_outside, tasks=names_of_columns(tasks))
    with on_cluster(cluster):
        whole = reproduce_tables(
            loaded,
            specs(views),
            output,
            tables=None if tables is None else _numbers(tables),
            preset=preset,
            protocol=protocol,
            folds=folds,
            repeats=repeats,
            seed=seed,
            epochs=epochs,
            cache=cache,
            device=device,
            n_jobs=jobs,
            name=loaded.get("layout", corpus),
            root=root,
            command=shlex.join(["sfmforensics", *context.obj]),
            verbose=True,
            channel=channel_of(channel) or "auto",
            on_error=on_error.value,
            overwrite=overwrite,
        )
    for _, title, frame in tables_of(whole):
        # Without the paper's own figures and the deviations, so that it fits; the files have them.
        own = frame[[name for name in frame.columns if not name.endswith(": paper")]]
        table = to_rich(own.replace(r" ± [\d.]+", "", regex=True), title)
        table.keys = len({"system", "views"} & set(own))
        out.print(table, soft_wrap=True)
    explain("Means over the folds; in brackets ours minus the paper's.")
    tell(f"\nTables: {output}/reproduction.csv, .md and .tex")
    tell_manifest(output / MANIFEST)
    tell(f"Next: sfmforensics report {shlex.quote(str(output))}")


def _grid(text: str) -> dict[str, Any]:
    """Values to search, from JSON or from a file of it."""
    source = Path(text)
    is_json = text.lstrip().startswith("{")
    try:
        grid = json.loads(text if is_json else source.read_text(encoding="utf-8"))
    except OSError as error:
        raise SFMForensicsError(
            f"--search {text}: no such file ({error.strerror}), nor JSON, which begins with {{"
        ) from error
    except ValueError as error:
        raise SFMForensicsError(
            f"--search {text}: this is not JSON ({error}); write it as in "
            """'{"reg": [0.05, 0.1]}'"""
        ) from error
    if not isinstance(grid, dict):
        raise SFMForensicsError(
            f"--search {text}: it holds no parameters by name; write it as in "
            """'{"reg": [0.05, 0.1]}'"""
        )
    return grid


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in specs(text)]
    except ValueError as error:
        raise SFMForensicsError(
            f"--tables {text}: the paper's tables have numbers, as in --tables 1,2,4"
        ) from error


def report(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="What evaluate wrote."), REPORTED
    ],
    overwrite: Overwrite = False,
) -> None:
    """Make one HTML page from what evaluate wrote."""
    from sfmforensics.report import write_report

    with err.status("drawing the report", spinner="line"):
        page = write_report(directory, overwrite=overwrite)
    tell(f"Open in a browser: {page}")
