"""Commands that weigh evidence, and validate the model that does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfmforensics._utils.names import keep_name, name_few
from sfmforensics._utils.plain import as_json
from sfmforensics._utils.streams import print_csv, print_json
from sfmforensics.cli._console import (
    explain,
    hashed,
    in_folder,
    say,
    show_answers,
    show_comparison,
    show_frame,
    tell,
    tell_manifest,
)
from sfmforensics.cli._options import (
    CACHE,
    CASE_FILE,
    FOLDER,
    MANIFEST_FILE,
    READ,
    AllowCopies,
    AllowOutside,
    Cache,
    ChannelOption,
    Confidence,
    Corpus,
    Format,
    OnError,
    OnErrorOption,
    Overwrite,
    Root,
    Seed,
    Tasks,
    channel_of,
    names_of_columns,
)
from sfmforensics.exceptions import DatasetError

if TYPE_CHECKING:
    from pandas import DataFrame


def compare(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model that train --calibrate wrote."), READ
    ],
    questioned: Annotated[
        str,
        typer.Argument(metavar="QUESTIONED", help="The recording whose speaker is in question."),
        READ,
    ],
    known: Annotated[
        list[str],
        typer.Argument(metavar="KNOWN...", help="Recordings of one known speaker."),
        READ,
    ],
    format: Annotated[Format, typer.Option(help="Form of the answer.")] = Format.table,
    confidence: Confidence = 0.9,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a case report, a page of HTML."),
        CASE_FILE,
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let code in a file of joblib run.")
    ] = False,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what the comparison rests on to this file."),
        MANIFEST_FILE,
    ] = None,
    allow_copies: AllowCopies = False,
    channel: ChannelOption = None,
    on_error: OnErrorOption = OnError.stop,
    overwrite: Overwrite = False,
) -> None:
    """Weigh the evidence that a recording is of a known speaker: a likelihood ratio."""
    from pandas import DataFrame

    from sfmforensics.workflow import compare_files, load_model, write_case

    case = compare_files(
        load_model(model, trust=trust),
        questioned,
        known,
        confidence=confidence,
        manifest=manifest,
        allow_copies=allow_copies,
        channel=channel_of(channel),
        on_error=on_error.value,
        overwrite=overwrite,
    )
    if format is Format.json:
        print_json(case.to_dict())
    elif format is Format.csv:
        line = case.to_dict()
        line["known"] = " | ".join(map(keep_name, line["known"]))
        line["questioned"] = keep_name(line["questioned"])
        print_csv(DataFrame([line]))
    else:
        show_comparison(case.questioned, case.known, case.comparison)
    if report is not None:
        write_case(case, report, overwrite=overwrite)
        say(f"case report: {hashed(report)}")
    if manifest is not None:
        say(f"chain of custody: {hashed(manifest)}")


def identify(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model that train --calibrate wrote."), READ
    ],
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Recordings whose speaker is in question."),
        READ,
    ],
    enrolled: Annotated[
        Path,
        typer.Option(metavar="TABLE", help="CSV with columns path and speaker: who is enrolled."),
        READ,
    ],
    false_alarm: Annotated[
        float,
        typer.Option(
            metavar="RATE", help="How often somebody who is not enrolled may be given a name."
        ),
    ] = 0.05,
    format: Annotated[Format, typer.Option(help="Form of the answers.")] = Format.table,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let code in a file of joblib run.")
    ] = False,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what the answers rest on to this file."),
        MANIFEST_FILE,
    ] = None,
    allow_outside: AllowOutside = False,
    allow_copies: AllowCopies = False,
    channel: ChannelOption = None,
    on_error: OnErrorOption = OnError.stop,
    overwrite: Overwrite = False,
) -> None:
    """Tell which enrolled speaker recordings are of, or that they are of none of them."""
    from sfmforensics.datasets import load_table
    from sfmforensics.workflow import identify_files, load_model

    table = load_table(enrolled, allow_outside=allow_outside)
    if "speaker" not in table.target:
        raise DatasetError(
            f"{enrolled}: it has no column 'speaker'; add one that says who speaks in each "
            "recording"
        )
    answers = identify_files(
        load_model(model, trust=trust),
        files,
        table.data,
        table.target["speaker"].tolist(),
        false_alarm=false_alarm,
        verbose=len(files) + len(table.data) > 3,
        manifest=manifest,
        allow_copies=allow_copies,
        channel=channel_of(channel),
        on_error=on_error.value,
        overwrite=overwrite,
    )
    if format is Format.table:
        shown, folder = in_folder(answers.assign(speaker=answers["speaker"].fillna("none of them")))
        least = answers["threshold"].iloc[0]
        show_frame(shown.drop(columns="threshold"), folder)
        explain(
            f"A name is given above a log10 LR of {least:.2f} without bounds. That only ranks: the "
            "ratio to report is the one within them."
        )
    else:
        print_answers(answers, format)
    if manifest is not None:
        say(f"chain of custody: {hashed(manifest)}")


def assess(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model that train --calibrate wrote."), READ
    ],
    corpus: Corpus,
    root: Root,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for the tables, the figures and the manifest."),
        FOLDER,
    ] = None,
    known: Annotated[
        int, typer.Option(min=1, help="Known recordings of a speaker in each comparison.")
    ] = 1,
    confidence: Confidence = 0.9,
    risk: Annotated[
        float, typer.Option(help="Share of the answers that may be wrong, where it abstains.")
    ] = 0.1,
    seed: Seed = 0,
    cache: Cache = CACHE,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let code in a file of joblib run.")
    ] = False,
    allow_outside: AllowOutside = False,
    tasks: Tasks = None,
    allow_known_speakers: Annotated[
        bool,
        typer.Option(
            "--allow-known-speakers",
            help="Go on with speakers or recordings that the model has learnt from.",
        ),
    ] = False,
    channel: ChannelOption = None,
    on_error: OnErrorOption = OnError.stop,
    overwrite: Overwrite = False,
) -> None:
    """Validate a calibrated model on speakers that it has never heard, by group as well."""
    from sfmforensics.datasets import load_corpus
    from sfmforensics.report import format_assessment, format_differences
    from sfmforensics.workflow import assess_corpus, load_model

    assessment = assess_corpus(
        load_model(model, trust=trust),
        load_corpus(corpus, root, allow_outside=allow_outside, tasks=names_of_columns(tasks)),
        output,
        confidence=confidence,
        risk=risk,
        n_known=known,
        seed=seed,
        cache=cache,
        verbose=True,
        allow_known_speakers=allow_known_speakers,
        channel=channel_of(channel) or "auto",
        on_error=on_error.value,
        overwrite=overwrite,
    )
    for by in assessment.table["by"].unique():
        show_frame(
            format_assessment(assessment, by), f"by {by}" if by else "all recordings", keys=2
        )
    differing = format_differences(assessment)
    if len(differing):
        show_frame(differing, "groups whose interval of the difference does not hold 0")
        explain(
            "Of twenty differences one is such by chance; nothing is corrected for their number."
        )
    explain("Each speaker counts as much as each other; in brackets 95 % intervals over speakers.")
    if assessment.known_speakers:
        explain(
            f"The model knows {len(assessment.known_speakers)} of these speakers' names "
            f"({name_few(list(assessment.known_speakers))}): of strangers it is worse than this."
        )
    if output is not None:
        tell(f"Tables and figures: {output}")
        tell_manifest(output / "manifest.json")


def print_answers(answers: DataFrame, format: Format, confidence: str | None = None) -> None:
    if format is Format.csv:
        named = answers.assign(path=[keep_name(path) for path in answers["path"]])
        for name in named if confidence else ():
            if f"{name}_set" in named:
                named[f"{name}_set"] = [" | ".join(map(str, one)) for one in named[f"{name}_set"]]
        print_csv(named)
    elif format is Format.json:
        print_json(as_json(answers.to_dict(orient="records")))
    elif len(answers):
        show_answers(answers, confidence)
