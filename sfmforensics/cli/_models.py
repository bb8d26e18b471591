"""Commands that train a model and ask it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfmforensics._utils.streams import print_csv, print_json
from sfmforensics.cli._cases import print_answers
from sfmforensics.cli._console import explain, hashed, say, show_frame, tell, tell_manifest
from sfmforensics.cli._options import (
    CACHE,
    MANIFEST_FILE,
    MODEL_FILE,
    READ,
    WORDS,
    AllowOutside,
    Balance,
    Cache,
    ChannelOption,
    Confidence,
    Corpus,
    Device,
    Epochs,
    Format,
    ModelFormat,
    OnError,
    OnErrorOption,
    Overwrite,
    Preset,
    PresetOption,
    Root,
    Seed,
    Tasks,
    Views,
    channel_of,
    names_of_columns,
    specs,
)
from sfmforensics.exceptions import ParameterError

if TYPE_CHECKING:
    pass


def train(
    context: typer.Context,
    corpus: Corpus,
    root: Root,
    output: Annotated[Path, typer.Option(help="File for the model."), MODEL_FILE],
    views: Views = "mfcc,prosody",
    model: Annotated[str, typer.Option(help="tango, concat, single or svm."), WORDS] = "tango",
    preset: PresetOption = Preset.tuned,
    seed: Seed = 0,
    epochs: Epochs = None,
    cache: Cache = CACHE,
    device: Device = None,
    format: Annotated[
        ModelFormat | None,
        typer.Option(help="Form of the file: data alone, or with code; by its name."),
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE|FOLDS",
            help="Keep speakers back to find out how far the model can be trusted: a share of "
            "them, such as 0.33, or a number of folds, such as 5. compare and predict --intervals, "
            "--abstain need it, identify a share.",
        ),
        WORDS,
    ] = None,
    balance: Balance = None,
    no_people: Annotated[
        bool,
        typer.Option(
            "--no-people",
            help="Leave out of the file which recordings and speakers the model was made of: it "
            "answers alike, but no longer identifies, nor tells whether it has heard somebody.",
        ),
    ] = False,
    allow_outside: AllowOutside = False,
    tasks: Tasks = None,
    channel: ChannelOption = None,
    on_error: OnErrorOption = OnError.stop,
    overwrite: Overwrite = False,
) -> None:
    """Fit one model on all recordings of a corpus, and save it."""
    from sfmforensics.datasets import load_corpus
    from sfmforensics.workflow import train_model

    share = _share_or_folds(calibrate)
    loaded = load_corpus(corpus, root, allow_outside=allow_outside, tasks=names_of_columns(tasks))
    trained = train_model(
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
        calibrate=share,
        balance=names_of_columns(balance),
        include_people=not no_people,
        name=loaded.get("layout", corpus),
        root=root,
        command=shlex.join(["sfmforensics", *context.obj]),
        verbose=True,
        channel=channel_of(channel) or "auto",
        on_error=on_error.value,
        overwrite=overwrite,
    )
    used = len(loaded.data) - len(trained.manifest_.get("left_out", ()))
    tell(f"{model} of {used} recordings: {output}")
    if calibrate is not None:
        calibration = trained.manifest_["calibration"]
        people = trained.manifest_.get("people", {})
        used = people.get("calibrated", len(calibration.get("recordings", [])))
        unnamed = people.get("left_out", len(calibration.get("left_out", [])))
        tell(
            f"Calibrated by {calibration['speakers']} speakers ({used} recordings)"
            + (f"; {unnamed} without a speaker left out" if unnamed else "")
        )
    if no_people:
        tell(
            "It holds no people: its speakers are numbered, it does not identify, verify finds no "
            "recordings in it, and compare and assess cannot tell whether it has heard somebody. "
            "For these, keep one with people"
        )
    tell_manifest(output)
    tell(f"Next: sfmforensics predict {shlex.quote(str(output))} FILE...")


def _share_or_folds(text: str | None) -> float | int | None:
    """Read a share between 0 and 1, or a whole number of folds."""
    if text is None:
        return None
    try:
        value = float(text) if "." in text else int(text)
    except ValueError:
        value = 0
    if not (0 < value < 1 or (isinstance(value, int) and value >= 2)):
        raise ParameterError(
            f"--calibrate {text}: give a share of the speakers between 0 and 1, such as 0.33, or a "
            "number of folds, 2 or more"
        )
    return value


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model that train wrote."), READ],
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Recordings."), READ],
    format: Annotated[Format, typer.Option(help="Form of the answers.")] = Format.table,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let code in a file of joblib run.")
    ] = False,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what the answers rest on to this file."),
        MANIFEST_FILE,
    ] = None,
    intervals: Annotated[
        bool,
        typer.Option("--intervals", help="Give intervals of ages and sets of labels as well."),
    ] = False,
    confidence: Confidence = 0.9,
    abstain: Annotated[
        float | None,
        typer.Option(
            metavar="RISK",
            help="Call inconclusive what is too unsure, so that no more than this share of the "
            "answers is wrong.",
        ),
    ] = None,
    channel: ChannelOption = None,
    on_error: Annotated[
        OnError,
        typer.Option(
            help="At a recording that cannot be used: stop; skip, refuse it alone and exit with 1; "
            "or use what there is of a file whose end is missing, with a warning (and refuse any "
            "other alone).",
        ),
    ] = OnError.skip,
    overwrite: Overwrite = False,
) -> None:
    """Answer all tasks for recordings."""
    from sfmforensics.evidence._people import holds_people
    from sfmforensics.workflow import load_model, predict_files

    loaded = load_model(model, trust=trust)
    answers, refused = predict_files(
        loaded,
        files,
        verbose=len(files) > 3,
        manifest=manifest,
        intervals=intervals,
        confidence=confidence,
        abstain=abstain,
        channel=channel_of(channel),
        on_error=on_error.value,
        overwrite=overwrite,
    )
    print_answers(answers, format, f"{confidence:.0%}" if intervals else None)
    speaker = getattr(loaded[-1], "speaker", None)  # of a calibrated model, the column of them
    if format is Format.table and not holds_people(loaded):
        tell("This model holds no people: its speakers are numbered, not named.")
    if format is Format.table and speaker in answers:
        explain(
            f"{speaker}: who of those in training is most alike, whoever speaks. To weigh a voice: "
            "sfmforensics compare, identify"
        )
    for error in refused:
        say(error)
    if manifest is not None:
        say(f"chain of custody: {hashed(manifest)}")
    if refused:
        raise typer.Exit(1)


def verify(
    path: Annotated[
        Path,
        typer.Argument(metavar="DIR|MODEL", help="What evaluate, embed or train wrote."),
        READ,
    ],
    root: Annotated[
        Path | None, typer.Option(help="Where the recordings are now, if they were moved."), READ
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="sha256 of the manifest (the model), as noted elsewhere."),
        WORDS,
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

    checks = verify_results(
        path, root=root, sha256=sha256, vectors=vectors, trust=trust, verbose=True
    )
    if format is Format.csv:
        print_csv(checks)
    elif format is Format.json:
        print_json(checks.to_dict(orient="records"))
    else:
        counts = checks.groupby(["what", "verdict"], sort=False).size().unstack(fill_value=0)
        show_frame(counts.reset_index(), "looked at")
        differing = checks[checks["verdict"] != "same"]
        if len(differing):
            show_frame(differing, "not as recorded")
    bad = checks["verdict"].isin(["differs", "missing"]).sum()
    if bad:
        say(f"{path}: {bad} of {len(checks)} things are not as they were recorded")
        raise typer.Exit(1)
    # Behind data it is no data.
    (tell if format is Format.table else say)(
        f"{path}: {(checks['verdict'] == 'same').sum()} things are as they were recorded"
    )
