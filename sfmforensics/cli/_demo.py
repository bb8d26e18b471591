"""The whole main job on synthetic voices: what a newcomer runs first."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from sfmforensics._utils.outputs import is_manifest
from sfmforensics._utils.paths import user_path
from sfmforensics.custody import MANIFEST
from sfmforensics.targets import CLASSIFICATION, task_kind

if TYPE_CHECKING:
    from typing import Any

    from rich.console import Console

    from sfmforensics._types import PathLike

_VIEWS = ("mfcc", "prosody")
_SPEAKERS = 12
_RECORDINGS = 14


def run_demo(
    output: PathLike, *, seed: int = 0, console: Console | None = None, overwrite: bool = False
) -> pd.DataFrame:
    """Make voices, evaluate TANGO beside concatenation, save a model, predict unseen recordings.

    Parameters
    ----------
    output : path-like
        Folder for recordings, embeddings, tables, figures, the report and the model.
    seed : int, default=0
        Seed of the voices, the folds and the models.
    console : rich Console or None, default=None
        Where progress and results are shown.
    overwrite : bool, default=False
        Whether files in `output` may be replaced that no such run wrote.

    Returns
    -------
    DataFrame
        Answers for the recordings that no model saw, beside the truth.

    Raises
    ------
    OutputError
        The results cannot be written, or would take the place of something else.
    """
    from sfmforensics._utils.grid import Screen
    from sfmforensics.cli._console import show_frame, show_scores
    from sfmforensics.datasets import make_speech_corpus
    from sfmforensics.report import write_report
    from sfmforensics.workflow import evaluate_corpus, load_model, predict_files, train_model

    console = console or Screen()
    output, started = user_path(output), time.monotonic()
    # Voices of another seed are replaced where a demo was before.
    again = (output / MANIFEST).is_file() and is_manifest("evaluation")(output / MANIFEST)
    console.print(f"1. Synthetic voices: {_SPEAKERS} speakers, {_RECORDINGS} recordings each")
    corpus = make_speech_corpus(
        _SPEAKERS,
        _RECORDINGS,
        random_state=seed,
        output=output / "recordings",
        overwrite=overwrite or again,
    )
    training, test = _held_out(corpus, seed)
    console.print(f"   {len(test.data)} of {len(corpus.data)} are put aside for step 4")

    console.print("2. Two views, then 5 folds: TANGO beside concatenation and an SVM")
    # The preset takes some hundreds of passes over so few recordings: too long for a demo.
    settings: dict[str, Any] = {
        "seed": seed,
        "cache": output / "embeddings",
        "verbose": True,
        "epochs": 20,
        "overwrite": overwrite,
    }
    evaluation = evaluate_corpus(
        training,
        _VIEWS,
        output,
        models=("tango", "concat", "svm"),
        name="synthetic",
        root=output / "recordings",
        command=f"sfmforensics demo --output {shlex.quote(str(output))} --seed {seed}",
        **settings,
    )
    show_scores(evaluation.scores, "synthetic", console)

    console.print("3. One model of all these recordings")
    file = output / "tango.safetensors"
    train_model(training, _VIEWS, file, **settings)

    console.print("4. What it says of recordings that it has not seen")
    answers, _ = predict_files(load_model(file), test.data)
    beside = _beside(answers, test.target)
    show_frame(beside.head(8), f"the first 8 of {len(beside)}; what is true in brackets", console)

    page = write_report(output, overwrite=overwrite)
    console.print(
        f"\nDone in {time.monotonic() - started:.0f} s. Everything is in {output}/:\n"
        "  recordings/              the synthetic voices\n"
        "  scores.csv, intervals.csv, comparisons.csv, predictions.csv, config.json, *.png\n"
        f"  {page.name}              one page with all of it: open it in a browser\n"
        "  tango.safetensors        the model\n"
        "Next:\n"
        f"  sfmforensics predict {shlex.quote(str(file))} YOUR.wav\n"
        "  sfmforensics evaluate --corpus table --root YOUR_TABLE.csv --views mfcc,prosody\n"
        "  sfmforensics evaluate --help",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return beside


def _beside(answers: pd.DataFrame, target: pd.DataFrame) -> pd.DataFrame:
    """Each answer, and the truth behind it where they differ."""
    shown = pd.DataFrame({"recording": [Path(path).stem for path in answers["path"]]})
    for task in target:
        pairs = zip(answers[task], target[task], strict=True)
        if task_kind(target[task]) == CLASSIFICATION:
            shown[task] = [said if said == true else f"{said} ({true})" for said, true in pairs]
        else:
            shown[task] = [f"{said:.0f} ({true:.0f})" for said, true in pairs]
    return shown


def _held_out(corpus: Bunch, seed: int) -> tuple[Bunch, ...]:
    """One recording in seven of each speaker is kept for the end."""
    rows = range(len(corpus.data))
    train, test = train_test_split(
        rows, test_size=1 / 7, stratify=corpus.target["speaker"], random_state=seed
    )
    return tuple(
        Bunch(
            data=[corpus.data[row] for row in sorted(part)],
            target=corpus.target.iloc[sorted(part)].reset_index(drop=True),
        )
        for part in (train, test)
    )
