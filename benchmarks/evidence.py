"""How far a calibrated model can be trusted, on speakers it has never heard.

Five folds of speakers drawn uniformly at random, as many in each; inside, a third of the remaining
speakers calibrates the model that the others trained, or folds of them do (--calibration 5). What
`assess` finds in the folds is pooled. Each fold's answers are kept in --keep, so that a run that
was stopped goes on.

    python benchmarks/evidence.py --corpus baved --root ../shared/data/baved
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import time
from hashlib import sha256
from pathlib import Path

os.environ.setdefault("POT_BACKEND_DISABLE_TENSORFLOW", "1")

import numpy as np
import pandas as pd
from accuracy import load, markdown
from joblib import Parallel, delayed
from pooling import pool_assessments

from sfmforensics import __version__
from sfmforensics.audit import join_copies, near_copies
from sfmforensics.datasets import find_copies
from sfmforensics.evidence import CalibratedModel, assess
from sfmforensics.model_selection import joined_groups
from sfmforensics.presets import make_estimator
from sfmforensics.report import save_assessment
from sfmforensics.report.tables import MEASURES

COLUMNS = ["task", "measure", "by", "group"]


def folds_of(voices, n_folds, seed):
    """Fold of each recording: speakers drawn at random, each as likely as each other."""
    order = np.random.RandomState(seed).permutation(voices.max() + 1)
    return (np.argsort(order) % n_folds)[voices]


def made(options, X, target, copies, data, seed, fold, n_known):
    """Find out what a model of the other folds is worth in one, unless that is kept already."""
    folds = folds_of(joined_groups(target["speaker"], copies), options.folds, seed)
    settings = {} if options.epochs is None else {"max_epochs": options.epochs}
    estimator = make_estimator("tango", "tuned", random_state=seed, **settings)
    train, test = folds != fold, folds == fold
    made_of = [__version__, data, seed, fold, options.folds, repr(estimator.get_params())]
    made_of += [options.confidence, options.risk, options.calibration]
    key = sha256(json.dumps(made_of, default=str).encode()).hexdigest()[:24]
    keep = Path(options.keep)
    fitted, file = keep / f"{key}.model", keep / f"{key}-{n_known}.pickle"
    if file.exists():
        return pickle.loads(file.read_bytes())  # written here
    start = time.perf_counter()
    if not fitted.exists():
        model = CalibratedModel(estimator, calibration=options.calibration, random_state=seed)
        written(fitted, model.fit(X[train], target[train], copies[train]))
    found = assess(
        pickle.loads(fitted.read_bytes()),  # written here
        X[test],
        target[test],
        groups=copies[test],
        confidence=options.confidence,
        risk=options.risk,
        n_known=n_known,
        n_resamples=1,  # of the folds together there are more
    )
    written(file, found)
    seconds = time.perf_counter() - start
    print(f"  seed {seed}, fold {fold}, {n_known} known: {seconds:.0f} s", flush=True)
    return found


def written(file, thing):
    partial = file.with_suffix(".part")
    partial.write_bytes(pickle.dumps(thing))
    partial.replace(file)


def over_seeds(tables):
    """Means over the seeds of values and bounds, and the deviation of the values."""
    whole = pd.concat(tables)
    keys = [name for name in [*COLUMNS, "other", "n", "speakers"] if name in whole]
    counts = [name for name in ("n", "speakers") if name in keys]
    keys = [name for name in keys if name not in counts]
    groups = whole.groupby(keys, sort=False)
    found = groups[["value", "low", "high", *counts]].mean()
    found["sd"] = groups["value"].std()
    return found.reset_index()


def written_out(row, signed=False):
    if np.isnan(row["value"]):
        return ""
    share = MEASURES[row["measure"]][1] == "%"
    form = f"{{:{'+' if signed else ''}.{1 if share else 2}f}}"
    parts = {k: row[k] * (100 if share else 1) for k in ("value", "low", "high", "sd")}
    text = form.format(parts["value"])
    text += "" if np.isnan(parts["sd"]) else f" ± {form.replace('+', '').format(parts['sd'])}"
    if not np.isnan(parts["low"]):
        text += f" [{form.format(parts['low'])}, {form.format(parts['high'])}]"
    return text


def titled(measure):
    title, unit = MEASURES[measure]
    return f"{title} %" if unit == "%" else title


def report(options, X, target, found):
    views = pd.Series([column.rpartition("__")[0] for column in X]).value_counts(sort=False)
    listed = ", ".join(f"{name} ({width})" for name, width in views.items())
    yield f"# Evidence on {options.corpus}\n\n"
    yield f"`sfmforensics` {__version__}, Python {platform.python_version()}. {len(target)} "
    yield f"recordings of {target['speaker'].nunique()} speakers; views: {listed}; {options.folds} "
    kept = f"{options.calibration} folds of the other speakers"
    if isinstance(options.calibration, float):
        kept = f"{options.calibration:.0%} of the other speakers, kept back from training,"
    yield f"folds of speakers x {options.seeds} seeds. TANGO, tuned; {kept} calibrate; sets "
    yield f"and intervals of {options.confidence:.0%}, answers at a risk "
    yield f"of {options.risk:.0%}. Every speaker counts as much as each other. Mean over seeds ± "
    yield "standard deviation over seeds [95 % interval over speakers, mean over seeds].\n"
    for n_known, assessments in found.items():
        table = over_seeds([one.table for one in assessments])
        less = over_seeds([one.differences for one in assessments])
        if n_known > 1:
            table, less = (part[part["task"] == "speaker"] for part in (table, less))
            yield f"\n# {n_known} known recordings\n"
        for task in dict.fromkeys(table["task"]):
            rows = table[(table["task"] == task) & (table["by"] == "")].to_dict("records")
            if not rows:
                continue
            n, speakers = round(rows[0]["n"]), round(rows[0]["speakers"])
            what = "comparisons" if task == "speaker" else "recordings"
            yield f"\n## {task}\n\n{n:,} {what}, {speakers} speakers.\n\n"
            yield markdown([{"": titled(row["measure"]), "all": written_out(row)} for row in rows])
            for by in dict.fromkeys(table["by"]):
                lines = {}
                chosen = table[(table["task"] == task) & (table["by"] == by) & (by != "")]
                for row in chosen.to_dict("records"):
                    column = f"{row['group']} ({round(row['speakers'])} speakers)"
                    line = lines.setdefault(row["measure"], {f"by {by}": titled(row["measure"])})
                    line[column] = written_out(row)
                yield f"\n{markdown(list(lines.values()))}" if lines else ""
            # Beyond chance: the interval of the difference does not hold 0.
            chosen = less[(less["task"] == task) & ((less["low"] > 0) | (less["high"] < 0))]
            if len(chosen):
                yield "\nGroups that differ from the rest (interval without 0; none is corrected "
                yield "for how many there are):\n\n"
                yield markdown(
                    [
                        {
                            "group": f"{row['by']}: {row['group']}",
                            "measure": titled(row["measure"]),
                            "less the rest": written_out(row, signed=True),
                        }
                        for row in chosen.to_dict("records")
                    ]
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default="baved")
    parser.add_argument("--root", required=True)
    shared = Path("../shared")
    parser.add_argument(
        "--views",
        default=f"mfcc@statistics=mean+std,whisper={shared / 'models/whisper-tiny.en'}@layer=all",
    )
    parser.add_argument("--vectors", action="append", metavar="NAME=FILE.npz")
    parser.add_argument("--cache", default="embeddings")
    parser.add_argument("--keep", default="evidence", help="folder that keeps models and answers")
    parser.add_argument("--jobs", type=int, default=1, help="folds at a time")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--calibration",
        type=lambda text: float(text) if "." in text else int(text),
        default=1 / 3,
        help="share of the speakers, or number of folds",
    )
    parser.add_argument("--known", type=int, nargs="*", default=[1, 3], help="known recordings")
    parser.add_argument("--confidence", type=float, default=0.9)
    parser.add_argument("--risk", type=float, default=0.1)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--epochs", type=int, help="fewer than tuned, to try this")
    parser.add_argument("--speakers", type=int, help="the first so many, to try this")
    parser.add_argument("--figures", type=Path, help="folder for the figures of the first seed")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if options.vectors is None and options.corpus == "baved":
        options.vectors = [f"dvector={shared / 'data/baved_dvector.npz'}"]
    options.output = options.output or (
        Path(__file__).parent / "results" / f"evidence-{options.corpus}.md"
    )

    corpus, X = load(options)
    target = corpus.target.reset_index(drop=True)
    exact = find_copies(corpus.data)
    copies = join_copies(exact, near_copies(corpus.data, X, copies=exact))
    if options.speakers:
        names = target["speaker"].unique()[: options.speakers]
        rows = np.flatnonzero(target["speaker"].isin(names))
        X, target = (part.iloc[rows].reset_index(drop=True) for part in (X, target))
        copies = np.asarray(copies)[rows]
    copies = np.asarray(copies)
    data = sha256(X.to_numpy().tobytes() + target.to_csv().encode()).hexdigest()
    data += sha256(np.ascontiguousarray(copies).tobytes()).hexdigest()
    Path(options.keep).mkdir(parents=True, exist_ok=True)
    given = (options, X, target, copies, data)
    runs = [(seed, fold) for seed in range(options.seeds) for fold in range(options.folds)]
    found = {}
    for n_known in options.known:
        parts = Parallel(options.jobs)(delayed(made)(*given, *run, n_known) for run in runs)
        starts = range(0, len(parts), options.folds)
        found[n_known] = [
            pool_assessments(parts[start : start + options.folds], n_resamples=options.resamples)
            for start in starts
        ]
    text = "".join(report(options, X, target, found))
    print(text)
    options.output.write_text(text, encoding="utf-8")
    if options.figures:
        for n_known, assessments in found.items():
            save_assessment(options.figures / f"{n_known}-known", assessments[0])


if __name__ == "__main__":
    main()
