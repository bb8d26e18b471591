"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfmforensics.exceptions import ParameterError, shown

if TYPE_CHECKING:
    from sfmforensics._types import Channel

CACHE = Path("embeddings")


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
    use = "use"


class ModelFormat(StrEnum):
    """Forms of a model on disk."""

    safetensors = "safetensors"
    joblib = "joblib"


class Format(StrEnum):
    """Forms of the answers of `predict`."""

    table = "table"
    csv = "csv"
    json = "json"


Corpus = Annotated[CorpusName, typer.Option(help="Which layout the recordings have.")]
Root = Annotated[Path, typer.Option(help="Folder of the corpus; with manifest, a CSV table.")]
AllowOutside = Annotated[
    bool,
    typer.Option(
        "--allow-outside",
        help="With manifest: let the table name recordings outside of its folder.",
    ),
]
Tasks = Annotated[
    str | None,
    typer.Option(
        metavar="TASK[,TASK]",
        help="Columns of labels that are learnt, such as emotion,age; all of them by default. "
        "Speakers are kept apart all the same.",
    ),
]
AllowCopies = Annotated[
    bool,
    typer.Option(
        "--allow-copies",
        help="Go on where two recordings seem to be one take at another level, cut or coding.",
    ),
]
Views = Annotated[
    str,
    typer.Option(
        metavar="SPEC[,SPEC]",
        help="Views: names (mfcc, prosody, whisper, wavlm, ...), NAME=FOLDER or NAME=HUB_ID; "
        "behind any, @PARAMETER=VALUE, as in mfcc@statistics=mean+std,whisper=FOLDER@layer=all.",
    ),
]
Cache = Annotated[Path, typer.Option(help="Folder that keeps the embeddings.")]
Device = Annotated[str | None, typer.Option(help="A torch device; CUDA if there is one.")]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Seed of the folds and of the models.")
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Passes over the data; the preset's.")]
Confidence = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        help="How often intervals and sets hold the truth, over voices that were never heard.",
    ),
]
Folds = Annotated[int, typer.Option(min=2, help="Number of folds.")]
Repeats = Annotated[int, typer.Option(min=1, help="How often the folds are drawn.")]
Jobs = Annotated[int, typer.Option(min=1, help="Fits at a time, each in a process of its own.")]
Cluster = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Scheduler of a Dask cluster that sees the same files."),
]
ProtocolOption = Annotated[
    Protocol, typer.Option(help="Speakers on both sides, on one side only, or both protocols.")
]
PresetOption = Annotated[Preset, typer.Option(help="The paper's settings, or ours.")]


def names_of_tasks(text: str | None) -> list[str] | None:
    """Tasks that a user named, or None for all."""
    return None if text is None else specs(text)


ChannelOption = Annotated[
    str | None,
    typer.Option(
        "--channel",
        metavar="1|2|...|mix",
        help="Which channel of recordings of several is heard, or the mean of all. Without, what "
        "they hold decides; where they differ, as of the parties of a call, it has to be said. "
        "Recordings of one channel are heard as they are.",
        show_default=False,
    ),
]
OnErrorOption = Annotated[
    OnError,
    typer.Option(
        help="At a recording that cannot be used: stop; skip, leave it out and say so; or use what "
        "there is of a file whose end is missing, with a warning (and stop at any other).",
    ),
]


def channel_of(text: str | None) -> Channel | None:
    """Read which channel is heard, counted from 1."""
    if text is None or text in ("mix", "auto"):
        return text  # type: ignore[return-value]  # which are these words
    if text.isascii() and text.isdigit() and int(text) >= 1:
        return int(text)
    raise ParameterError(f"--channel {shown(text)}: give 1, 2, ... or mix, the mean of all")


def specs(text: str) -> list[str]:
    """Take apart what a comma separates."""
    return [part.strip() for part in text.split(",") if part.strip()]
