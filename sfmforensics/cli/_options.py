"""Options that several commands share."""

from __future__ import annotations

import functools
import itertools
import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_type_hints

import typer

from sfmforensics._utils.outputs import check_outputs, in_run, is_manifest, is_model, is_page
from sfmforensics._utils.paths import user_name, user_path
from sfmforensics.datasets import CORPORA
from sfmforensics.embedders.registry import REGISTRY, quote_spec, split_list
from sfmforensics.exceptions import OutputError, ParameterError, shown
from sfmforensics.model_selection import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sfmforensics._types import Channel
    from sfmforensics._utils.outputs import Test

CACHE = Path("embeddings")


@dataclass(frozen=True)
class Use:
    """What a command does with the path that a parameter gives, as a mark of its annotation.

    Every parameter that is text or a path has one, so that no output is written over what the same
    command reads; `tests/cli/test_outputs.py` holds that, and tries every pair of them.

    Parameters
    ----------
    read : bool, default=False
        Whether it is read, or a folder of what is.
    written : callable or None, default=None
        What recognises a file that may be replaced, where a file is written.
    folder : bool, default=False
        Whether files are written into a folder of this name; which, `sfmforensics.workflow` knows.
    views : bool, default=False
        Whether it is specs of views, whose models are read; where, `sfmforensics.workflow` knows.
    """

    read: bool = False
    written: Test | None = None
    folder: bool = False
    views: bool = False


READ = Use(read=True)
WORDS = Use()
"""Text that names no file."""
MODEL_FILE = Use(written=is_model)
MANIFEST_FILE = Use(written=is_manifest("answers", "comparison", "identification"))
CASE_FILE = Use(written=is_page("<title>Comparison of voices: "))
SPECS = Use(views=True)
FOLDER = Use(folder=True)
REPORTED = Use(read=True, folder=True)
LOG = Use(written=lambda path: True)
"""Lines are added to it; see `sfmforensics._utils.log`, which takes no file but a log."""


class Preset(StrEnum):
    """Settings by name."""

    paper = "paper"
    tuned = "tuned"


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


_CORPUS = typer.Option(
    metavar="NAME",
    help=f"Which layout the recordings have ({', '.join(CORPORA)}), or what another package "
    "brings; auto recognises it.",
)
_ROOT = typer.Option(help="Folder of the corpus, or its table.")
_CORPORA = typer.Option(
    metavar="FILE",
    help="Several corpora as one: a TOML file with [corpora.NAME] and [labels.TASK].",
)
Corpus = Annotated[str, _CORPUS, WORDS]
Root = Annotated[Path, _ROOT, READ]
Corpora = Annotated[Path, _CORPORA, READ]
OptionalCorpus = Annotated[str | None, _CORPUS, WORDS]
OptionalRoot = Annotated[Path | None, _ROOT, READ]
OptionalCorpora = Annotated[Path | None, _CORPORA, READ]
Models = Annotated[
    str,
    typer.Option(metavar="MODEL[,MODEL]", help="Some of tango, concat, single, svm."),
    WORDS,
]
AllowOutside = Annotated[
    bool,
    typer.Option(
        "--allow-outside",
        help="With table: let it name recordings outside of its folder.",
    ),
]
Tasks = Annotated[
    str | None,
    typer.Option(
        metavar="TASK[,TASK]",
        help="Columns of labels that are learnt, such as emotion,age; all of them by default. "
        "Speakers are kept apart all the same.",
    ),
    WORDS,
]
Balance = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN[,COLUMN]",
        help="Let each combination of the labels of these columns count alike in what is learnt, "
        "such as emotion, or corpus,emotion; columns that are not learnt, such as session, too.",
    ),
    WORDS,
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
        help=f"Views: names ({', '.join(REGISTRY)}, or of another package), NAME=FOLDER or "
        "NAME=HUB_ID; behind any, @PARAMETER=VALUE, as in "
        "mfcc@statistics=mean+std,whisper=FOLDER@layer=all. A "
        """FOLDER with a comma, = or @ stands in double quotes: 'whisper="/data/a,b"@layer=all'.""",
    ),
    SPECS,
]
Cache = Annotated[Path, typer.Option(help="Folder that keeps the embeddings."), FOLDER]
Device = Annotated[str | None, typer.Option(help="A torch device; CUDA if there is one."), WORDS]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Let files be replaced that no such command wrote; never any that this one reads.",
    ),
]
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
    WORDS,
]
Protocols = Annotated[
    str,
    typer.Option(
        "--protocol",
        metavar="NAME[,NAME]",
        help=f"What a fold keeps apart: some of {', '.join(PROTOCOLS)}; both is closed,disjoint.",
    ),
    WORDS,
]
SplitColumn = Annotated[
    str,
    typer.Option(
        metavar="COLUMN",
        help="Under --protocol given: the column with train, dev, test, or numbers of folds.",
    ),
    WORDS,
]
PresetOption = Annotated[Preset, typer.Option(help="The paper's settings, or ours.")]


def names_of_columns(text: str | None) -> list[str] | None:
    """Columns that a user named, such as tasks; None where none was."""
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
    WORDS,
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
    """Take apart what a comma separates, but for those in double quotes."""
    parts = split_list(text)
    for first, second in itertools.pairwise(parts):
        name, _, folder = first.partition("=")
        whole = user_path(f"{folder},{second}")
        if folder and not user_path(folder).is_dir() and whole.is_dir():
            raise ParameterError(
                f"{first},{second}: the comma is a part of a folder's name; write it in quotes, as "
                f"in {shlex.quote(quote_spec(name, f'{folder},{second}'))}"
            )
    return parts


def uses_of(command: Callable[..., None]) -> dict[str, tuple[Use, str]]:
    """What a command does with its parameters, and what each is called on the command line.

    Parameters
    ----------
    command : callable
        With annotated parameters, as typer takes it.

    Returns
    -------
    dict of str to (Use, str)
        Of those parameters that have a `Use`.
    """
    uses = {}
    for parameter, hint in get_type_hints(command, include_extras=True).items():
        marks = getattr(hint, "__metadata__", ())
        use = next((mark for mark in marks if isinstance(mark, Use)), None)
        if use is not None:
            argument = next((m for m in marks if isinstance(m, typer.models.ArgumentInfo)), None)
            option = f"--{parameter.replace('_', '-')}"
            uses[parameter] = use, (argument.metavar or option if argument else option)
    return uses


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Check what a command writes before it begins, and read ``~`` as a home in all its paths."""
    uses = uses_of(command)

    @functools.wraps(command)
    def run(**arguments: Any) -> None:
        read: dict[str, list[Path]] = {}
        written: dict[str, dict[Path, Test]] = {}
        folders: dict[str, Path] = {}
        for parameter, (use, _) in uses.items():
            value = arguments.get(parameter)
            if value is None or use in (WORDS, SPECS):
                continue
            arguments[parameter] = value = _meant(value)
            if use.read:
                read[parameter] = list(map(Path, value if isinstance(value, list) else [value]))
            if use.written is not None:
                written[parameter] = {value: use.written}
            if use.folder:
                folders[parameter] = value
        names = {parameter: name for parameter, (_, name) in uses.items()}
        with in_run(names, written, read):
            check_outputs(written, overwrite=bool(arguments.get("overwrite")))
            for parameter, folder in folders.items():
                _refuse_file(names[parameter], folder, {names[p]: f for p, f in written.items()})
            command(**arguments)

    return run


def _meant(value: Any) -> Any:
    if isinstance(value, list):
        return [_meant(one) for one in value]
    return user_path(value) if isinstance(value, Path) else user_name(value)


def _refuse_file(name: str, folder: Path, written: dict[str, dict[Path, Test]]) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder for {name}")
    for other, files in written.items():
        if any(file.absolute() == folder.absolute() for file in files):
            raise OutputError(
                f"{folder}: {name} needs a folder there, and {other} a file; name another for one"
            )
