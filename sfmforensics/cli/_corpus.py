"""Commands that look at a corpus and embed it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from sfmforensics.cli._cluster import on_cluster
from sfmforensics.cli._console import say, show_frame, tell, tell_manifest
from sfmforensics.cli._options import (
    CACHE,
    FOLDER,
    SPECS,
    AllowOutside,
    Cache,
    ChannelOption,
    Cluster,
    Corpus,
    Device,
    Folds,
    OnError,
    OnErrorOption,
    Overwrite,
    Root,
    Seed,
    Tasks,
    Views,
    channel_of,
    names_of_columns,
    specs,
)
from sfmforensics.custody import MANIFEST
from sfmforensics.exceptions import AudioError, SFMForensicsError


def describe(
    corpus: Corpus,
    root: Root,
    views: Annotated[
        str,
        typer.Option(
            metavar="SPEC[,SPEC]",
            help="Views that near copies and alike voices are looked for in; '' for neither.",
        ),
        SPECS,
    ] = "mfcc",
    cache: Cache = CACHE,
    device: Device = None,
    folds: Folds = 5,
    seed: Seed = 0,
    allow_outside: AllowOutside = False,
    tasks: Tasks = None,
    channel: ChannelOption = None,
    on_error: Annotated[
        OnError,
        typer.Option(
            help="At a recording that cannot be used: stop, before anything is computed; skip, "
            "list it among the findings; or use what there is of a file whose end is missing.",
        ),
    ] = OnError.skip,
) -> None:
    """Show counts, durations, copies, alike voices, leaks, and what is wrong with the labels."""
    from sfmforensics.datasets import load_corpus
    from sfmforensics.workflow import check_recordings, describe_corpus

    loaded = load_corpus(corpus, root, allow_outside=allow_outside, tasks=names_of_columns(tasks))
    if on_error is OnError.stop:
        check_recordings(loaded.data, channel=channel_of(channel) or "auto", verbose=True)
    tables = describe_corpus(
        loaded,
        views=specs(views),
        cache=cache,
        device=device,
        folds=folds,
        seed=seed,
        verbose=True,
        channel=channel_of(channel) or "auto",
        truncated="use" if on_error is OnError.use else "refuse",
    )
    findings = tables.pop("findings", None)
    for title, frame in tables.items():
        gaps = {name: object for name in frame if frame[name].isna().any()}
        show_frame(frame.astype(gaps).where(frame.notna(), None), title)
    if findings is None:
        tell("findings: none")
    else:
        show_frame(_in_lines(findings), "findings")


def _in_lines(findings: pd.DataFrame) -> pd.DataFrame:
    """What each finding is, why it matters and what to do, one below the other."""
    return pd.DataFrame(
        {
            "finding": [f"{row.severity}: {row.finding}" for row in findings.itertuples()],
            "what, why, and what to do": [
                f"{row.what}.\n{row.why}\n-> {row.remedy}" for row in findings.itertuples()
            ],
        }
    )


def embed(
    corpus: Corpus,
    root: Root,
    views: Views = "mfcc,prosody",
    cache: Cache = CACHE,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for all of them as one matrix, for load_embeddings."),
        FOLDER,
    ] = None,
    device: Device = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Recordings a forward pass.")] = 8,
    on_error: OnErrorOption = OnError.stop,
    cluster: Cluster = None,
    allow_outside: AllowOutside = False,
    tasks: Tasks = None,
    channel: ChannelOption = None,
    overwrite: Overwrite = False,
) -> None:
    """Compute the embeddings of a corpus, and keep them; what is kept already is skipped."""
    from sfmforensics.datasets import load_corpus
    from sfmforensics.workflow import embed_corpus

    loaded = load_corpus(corpus, root, allow_outside=allow_outside, tasks=names_of_columns(tasks))
    try:
        with on_cluster(cluster):
            shapes, refused = embed_corpus(
                loaded,
                specs(views),
                cache=cache,
                output=output,
                device=device,
                batch_size=batch_size,
                on_error=on_error.value,
                channel=channel_of(channel) or "auto",
                verbose=True,
                overwrite=overwrite,
            )
    except AudioError as error:
        raise SFMForensicsError(f"{error} (or use --on-error skip)") from error
    for name, (recordings, width) in shapes.items():
        tell(f"{name}: {recordings} recordings, {width} numbers each")
    tell(f"kept in {cache}")
    if output is not None:
        tell(f'as one matrix in {output}: sfmforensics.load_embeddings("{output}")')
        tell_manifest(output / MANIFEST)
    for (_, reason), of in refused.groupby(["recording", "reason"], sort=False)["view"]:
        say(reason if len(of) == len(shapes) else f"{reason} (for {', '.join(of)})")
    if len(refused):
        say(f"left out: {refused['recording'].nunique()} of {len(loaded.data)} recordings")
        raise typer.Exit(1)
