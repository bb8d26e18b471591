"""How accurate the tuned model is, beside the paper, and ordinary models on the same vectors.

Both protocols, folds and networks drawn anew for each seed. Every model is fitted on the same folds
and the same columns. The tuned settings are fixed beforehand; "chosen inside" is the same model
with parameters chosen by folds of the training side alone. Each system's answers are kept in
--keep, so that a run that was stopped goes on.

    python benchmarks/accuracy.py --corpus baved --root ../shared/data/baved
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import time
from functools import partial
from hashlib import sha256
from pathlib import Path

os.environ.setdefault("POT_BACKEND_DISABLE_TENSORFLOW", "1")

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from sfmforensics import __version__, make_views
from sfmforensics.audit import alike_voices, join_copies, near_copies
from sfmforensics.datasets import find_copies, load_corpus
from sfmforensics.estimators import PerTask
from sfmforensics.experiment import evaluate
from sfmforensics.metrics import corrected_resampled_ttest, holm
from sfmforensics.model_selection import make_splits
from sfmforensics.presets import TUNED, make_estimator

PROTOCOLS = ("closed", "disjoint")
TASKS = {"speaker": "ASR %", "emotion": "SER %", "gender": "GR %", "age": "AE years"}
PAPER = {"speaker": 91.99, "emotion": 87.60, "gender": 100.00, "age": 1.44}
BAR = {"speaker": 95.0, "emotion": 91.0, "gender": 99.9, "age": 1.4}
PROPOSED, CHOSEN, BOTH = "TANGO", "TANGO, chosen inside", "TANGO, two chosen inside"
OURS = (PROPOSED, CHOSEN, BOTH)
BASELINES = ("SVC, SVR", "logistic, ridge", "gradient boosting")
SEARCH = {"number_smoothing": [0.0, 0.25, 0.5, 1.0]}
SEARCH_BOTH = {"label_smoothing": [0.1, 0.2], "number_smoothing": [0.0, 1.0]}

BASE = "as it is"
ABLATIONS = {
    "concatenation": {"model": "concat"},
    "concatenation, as many parameters": {"model": "concat", "head": "wide"},
    "four models, one a task": {"tasks": "each"},
    "nothing chosen: the plan is uniform": {"reg": 1000.0},
    "reg 0.02": {"reg": 0.02},
    "alignment 0.1": {"transport_weight": 0.1},
    "one hidden layer of 200 shared": {"hidden": (200,)},
    "heads of 128": {"head": 128},
    "ages spread by a quarter deviation": {"number_smoothing": 0.25},
    "ages spread by half a deviation": {"number_smoothing": 0.5},
    "age by RMSE": {"regression_loss": "rmse"},
    "no noise": {"input_noise": 0.0},
    "no dropout": {"dropout": 0.0},
    "no label smoothing": {"label_smoothing": 0.0},
    "label smoothing 0.2": {"label_smoothing": 0.2},
    "constant rate": {"schedule": "constant"},
    "no gate": {"gated": False},
    "gamma as it is": {"transport": "plan"},
    "mixup 0.2": {"mixup": 0.2},
    "uncertainty weighting": {"loss_weighting": "uncertainty"},
    "dynamic weight average": {"loss_weighting": "dwa"},
    "mass 0.7": {"mass": 0.7},
    "x1 to x2 alone": {"direction": "x1->x2"},
    "x2 to x1 alone": {"direction": "x2->x1"},
    "2 tokens": {"n_tokens": 2},
    "no weight decay": {"weight_decay": 0.0},
    "five networks": {"n_members": 5},
    "conv encoder": {"encoder": "conv"},
}
"""What is taken from the tuned model, or put in its place, one at a time, with one network each."""


def load(options):
    corpus = load_corpus(options.corpus, options.root)
    specs = [spec.strip() for spec in options.views.split(",")]
    views = make_views(*specs, cache=options.cache, verbose=True)
    X = views.fit_transform(corpus.data).reset_index(drop=True).astype(np.float32)
    for given in options.vectors or []:
        name, _, file = given.partition("=")
        stored = np.load(file)
        rows = {str(path): row for row, path in enumerate(stored["files"])}
        found = stored["dvec"][[row_of(rows, path, options.root) for path in corpus.data]]
        X = X.join(pd.DataFrame(found.astype(np.float32)).add_prefix(f"{name}__"))
    return corpus, X


def row_of(rows, path, root):
    """Row of a recording in a file of vectors: by its path in the corpus, or by its name."""
    inside = Path(path).resolve().relative_to(Path(root).resolve()).as_posix()
    return rows[inside] if inside in rows else rows[Path(path).name]


class Single:
    """One system on one protocol: its answers, fold by fold, kept on disk."""

    def __init__(self, options, corpus, X, copies):
        self.options, self.corpus, self.X, self.copies = options, corpus, X, copies
        self.keep = Path(options.keep)
        self.keep.mkdir(parents=True, exist_ok=True)
        self.data = sha256(X.to_numpy().tobytes() + corpus.target.to_csv().encode()).hexdigest()
        self.data += sha256(np.ascontiguousarray(copies).tobytes()).hexdigest()

    def __call__(self, name, protocol, seed, estimator, *, tasks=None, columns=None, search=None):
        """Scores of each fold (rows) and task (columns), and the predictions."""
        X = self.X if columns is None else self.X[columns]
        target = self.corpus.target if tasks is None else self.corpus.target[list(tasks)]
        made_of = [__version__, self.data, protocol, seed, repr(estimator.get_params()), tasks]
        made_of += [columns, search, self.options.folds]
        key = sha256(json.dumps(made_of, default=str).encode()).hexdigest()[:24]
        file = self.keep / f"{key}.pickle"
        if file.exists():
            return pickle.loads(file.read_bytes())  # written here
        if self.options.kept:
            return None
        start = time.perf_counter()
        splits = make_splits(
            self.corpus.target, protocol, folds=self.options.folds, seed=seed, copies=self.copies
        )
        found = evaluate(
            X,
            target,
            {name: estimator},
            {protocol: splits},
            views="",
            copies=self.copies,
            search=search,
            seed=seed,
            n_jobs=self.options.jobs,
        )
        scores = found.scores[found.scores["metric"].isin(["accuracy", "rmse"])]
        scores = scores.pivot_table(index="fold", columns="task", values="value")
        scores *= [1 if task == "age" else 100 for task in scores]
        answers = found.predictions[name].assign(row=found.rows[name])
        ratio = float(np.mean([len(test) / len(train) for train, test in splits]))
        outcome = {"scores": scores, "answers": answers, "ratio": ratio, "choices": found.choices}
        outcome["seconds"] = time.perf_counter() - start
        partial = file.with_suffix(".part")
        partial.write_bytes(pickle.dumps(outcome))
        partial.replace(file)
        print(f"  {name}, {protocol}, seed {seed}: {outcome['seconds']:.0f} s", flush=True)
        return outcome


def systems(corpus, X):
    """Name, protocols, function of the seed that gives an estimator, and options of `Single`."""
    without_speaker = tuple(task for task in corpus.target if task != "speaker")
    boosting = PerTask(
        HistGradientBoostingClassifier(random_state=0),
        HistGradientBoostingRegressor(random_state=0),
    )
    linear = PerTask(LogisticRegression(max_iter=2000, C=0.1), Ridge(alpha=100.0))
    yield "SVC, SVR", PROTOCOLS, lambda seed: make_estimator("svm"), {}
    yield "logistic, ridge", PROTOCOLS, lambda seed: linear, {}
    # Sixty speakers would take it hours; voices never heard cannot be recognised anyhow.
    yield BASELINES[2], ("disjoint",), lambda seed: boosting, {"tasks": without_speaker}
    for name, model, search in (
        (PROPOSED, "tango", None),
        ("concatenation", "concat", None),
        (CHOSEN, "tango", SEARCH),
        (BOTH, "tango", SEARCH_BOTH),
    ):
        make = partial(make_estimator, model, "tuned")
        yield name, PROTOCOLS, lambda seed, make=make: make(random_state=seed), {"search": search}


def ablated(single, name, protocol, seed, n_views, model="tango", tasks=None, **settings):
    """One entry of `ABLATIONS`: with `tasks="each"` every task has a model of its own."""
    settings = {"n_members": 1} | settings
    if settings.get("head") == "wide":
        # Transport enters the heads with each pair's tokens besides, from both sides: with V views
        # V (V - 1) of them more than the V of concatenation.
        settings["head"] = TUNED["head"] * n_views
    estimator = make_estimator(model, "tuned", random_state=seed, **settings)
    if tasks is None:
        return single(name, protocol, seed, estimator)
    parts = [
        single(f"{name}: {task}", protocol, seed, estimator, tasks=(task,))
        for task in single.corpus.target
        if task != "speaker" or protocol == "closed"
    ]
    if None in parts:
        return None
    return parts[0] | {
        "scores": pd.concat([part["scores"] for part in parts], axis=1),
        "answers": pd.concat([part["answers"] for part in parts]),
        "seconds": sum(part["seconds"] for part in parts),
    }


def cells(outcomes, tasks=TASKS):
    """Mean over folds and seeds, and the standard deviation over seeds, of each task."""
    by_seed = pd.DataFrame([outcome["scores"].mean() for outcome in outcomes])
    texts = {}
    for task, column in tasks.items():
        if task in by_seed:
            spread = f" ± {by_seed[task].std():.2f}" if len(by_seed) > 1 else ""
            texts[column] = f"{by_seed[task].mean():.2f}{spread}"
    return texts


def compare(first, second, task):
    """Corrected paired test over all folds of all seeds."""
    differences = np.concatenate(
        [
            (one["scores"][task] - other["scores"][task]).to_numpy()
            for one, other in zip(first, second, strict=True)
        ]
    )
    return corrected_resampled_ttest(differences, first[0]["ratio"])


def markdown(rows):
    table = pd.DataFrame(rows).fillna("")
    lines = ["| " + " | ".join(table.columns) + " |", "|" + " --- |" * len(table.columns)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.to_numpy()]
    return "\n".join(lines) + "\n"


def tests(found, names, against, protocol):
    """Table of differences between `against` and each of `names`."""
    rows, p = [], []
    for name in names:
        for task in TASKS:
            both = found.get((against, protocol)), found.get((name, protocol))
            if None in both or any(task not in one[0]["scores"] for one in both):
                continue
            tested = compare(*both, task)
            error = tested.sd / np.sqrt(tested.n)
            rows.append(
                {
                    "compared with": name,
                    "task": TASKS[task],
                    "difference": f"{tested.difference:+.2f}",
                    "standard error": f"{error:.2f}",
                    "p": f"{tested.p:.3f}",
                }
            )
            p.append(tested.p)
    for row, corrected in zip(rows, holm(p), strict=True):
        row["p (Holm)"] = f"{corrected:.3f}"
    return markdown(rows) if rows else ""


def aliases(X, corpus, copies, view):
    """Pairs of names that may be one voice, with the evidence; found without any prediction."""
    target = corpus.target["speaker"]
    block = X[[name for name in X if name.startswith(f"{view}__")]]
    pairs = alike_voices(block.to_numpy(), target.to_numpy())
    shared = pd.DataFrame({"copy": copies, "speaker": target.to_numpy()}).dropna()
    same = shared.groupby("copy")["speaker"].agg(lambda names: tuple(sorted(set(names))))
    pairs["same files"] = [
        int(sum({first, second} <= set(names) for names in same))
        for first, second in pairs[["first", "second"]].to_numpy()
    ]
    return pairs


def joined(outcomes, pairs):
    """Speaker accuracy of each fold, in %, with names that may be one voice taken for one."""
    name_of = {}
    for first, second in pairs[["first", "second"]].to_numpy():
        root = name_of.get(first, first)
        name_of |= {first: root, second: root}
    means, errors = [], []
    for outcome in outcomes:
        answers = outcome["answers"].query("task == 'speaker'")
        true = answers["true"].map(lambda name: name_of.get(name, name))
        said = answers["predicted"].map(lambda name: name_of.get(name, name))
        right = (true == said).groupby(answers["fold"]).mean()
        means.append(100 * right.mean())
        errors.append(answers[answers["true"] != answers["predicted"]])
    return means, errors


def limits(errors, corpus, pairs):
    """What the errors in recognising speakers are made of, as shares of all recordings."""
    counts = corpus.target["speaker"].value_counts()
    alike = {frozenset(pair) for pair in pairs[["first", "second"]].to_numpy()}
    rows = []
    for one in errors:
        both = [frozenset(pair) in alike for pair in one[["true", "predicted"]].to_numpy()]
        rare = (one["true"].map(counts) < 10).to_numpy() & ~np.array(both)
        other = ~np.array(both) & ~rare
        rows.append([sum(both), rare.sum(), other.sum()])
    mean = np.mean(rows, axis=0)
    kinds = ("between names that may be one voice", "of speakers with fewer than 10", "other")
    return [
        {"errors": kind, "recordings": f"{n:.1f}", "%": f"{100 * n / len(corpus.target):.2f}"}
        for kind, n in zip(kinds, mean, strict=True)
    ]


def missed_by_all(outcomes, corpus):
    """Recordings that every one of these systems took for something else, with every seed."""
    wrong = []
    for outcome in outcomes:
        answers = outcome["answers"]
        wrong.append(answers[answers["true"].astype(str) != answers["predicted"].astype(str)])
    rows = []
    for task in (task for task in TASKS if task in corpus.target and task != "age"):
        missed = set.intersection(*(set(one.loc[one["task"] == task, "row"]) for one in wrong))
        names = sorted(Path(corpus.data[row]).name for row in missed)
        share = 100 * len(missed) / len(corpus.target)
        listed = ", ".join(names) if len(names) <= 5 else ""
        rows.append({"": TASKS[task], "recordings": len(missed), "%": f"{share:.2f}"})
        rows[-1]["which"] = listed
    return rows


def report(options, corpus, X, found, ablations):
    seeds = f"{options.folds} folds x {options.seeds} seeds"
    views = ", ".join(
        f"{name} ({width})"
        for name, width in pd.Series([c.rpartition("__")[0] for c in X])
        .value_counts(sort=False)
        .items()
    )
    yield f"# Accuracy on {options.corpus}\n\n"
    yield f"`sfmforensics` {__version__}, Python {platform.python_version()}. "
    yield f"{len(corpus.target)} recordings; views: {views}; {seeds}; mean ± standard deviation "
    yield "over seeds. ASR, SER, GR in %, AE in years.\n"
    for protocol in PROTOCOLS:
        rows = []
        if protocol == "closed" and options.corpus == "baved":
            for name, figures in (("paper's best (published)", PAPER), ("to reach", BAR)):
                rows.append({"": name} | {TASKS[t]: f"{v:.2f}" for t, v in figures.items()})
        rows += [
            {"": name} | cells(outcomes) for (name, of), outcomes in found.items() if of == protocol
        ]
        yield f"\n## {protocol}\n\n{markdown(rows)}" if rows else ""
        for ours in OURS:
            if (ours, protocol) not in found:
                continue
            others = [name for name, of in found if of == protocol]
            others = [name for name in others if name not in OURS]
            yield f"\n{ours} minus each, corrected resampled t-test over all folds:\n\n"
            yield tests(found, others, ours, protocol)
    everyone = [outcome for (_, of), made in found.items() if of == "closed" for outcome in made]
    if everyone:
        yield "\n## Missed by every system with every seed, closed\n\n"
        yield markdown(missed_by_all(everyone, corpus))
    for name in (PROPOSED, "SVC, SVR"):
        outcomes = found.get((name, "closed"))
        if outcomes is None or "speaker" not in corpus.target:
            continue
        means, errors = joined(outcomes, options.pairs)
        yield f"\n## Speakers of {name}, names that may be one voice taken for one\n\n"
        yield f"{np.mean(means):.2f} ± {np.std(means, ddof=1) if len(means) > 1 else 0:.2f} %\n\n"
        yield markdown(limits(errors, corpus, options.pairs))
    if len(options.pairs):
        yield "\nThe evidence (found without a prediction):\n\n"
        yield markdown(options.pairs.round(2).astype(str).to_dict("records"))
    if ablations:
        for protocol in PROTOCOLS:
            rows = []
            base = ablations.get((BASE, protocol))
            for (name, of), outcomes in ablations.items():
                if of != protocol:
                    continue
                row = {"": name} | cells(outcomes)
                for task, column in TASKS.items():
                    if name != BASE and base and task in outcomes[0]["scores"]:
                        tested = compare(outcomes, base[: len(outcomes)], task)
                        row[f"Δ {column}"] = f"{tested.difference:+.2f} (p {tested.p:.2f})"
                rows.append(row)
            if rows:
                yield f"\n## One network, {options.ablations} seeds: what each setting is worth, "
                yield f"{protocol}\n\nΔ: against the first row; p: corrected resampled t-test.\n\n"
                yield markdown(rows)


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
    parser.add_argument("--keep", default="accuracy", help="folder that keeps the answers")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0, help="to share seeds between runs")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--alike", default="mfcc", help="view in which alike voices are looked for")
    parser.add_argument("--protocols", nargs="*", default=PROTOCOLS, choices=PROTOCOLS)
    parser.add_argument("--kept", action="store_true", help="report what is kept; fit nothing")
    parser.add_argument("--ablations", type=int, default=0, metavar="SEEDS")
    parser.add_argument("--only", nargs="*", help="names of what to run; all by default")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if options.vectors is None and options.corpus == "baved":
        options.vectors = [f"dvector={shared / 'data/baved_dvector.npz'}"]
        options.alike = "dvector"

    corpus, X = load(options)
    exact = find_copies(corpus.data)
    copies = join_copies(exact, near_copies(corpus.data, X, copies=exact))
    options.pairs = aliases(X, corpus, copies, options.alike)
    single, found, ablations = Single(options, corpus, X, copies), {}, {}
    wanted = [protocol for protocol in PROTOCOLS if protocol in options.protocols]
    for name, protocols, make, settings in systems(corpus, X):
        if options.only and name not in options.only:
            continue
        for protocol in wanted:
            if protocol in protocols:
                found[name, protocol] = [
                    single(name, protocol, seed, make(seed), **settings)
                    for seed in range(options.first_seed, options.seeds)
                ]
    n_views = len({name.rpartition("__")[0] for name in X})
    for name, settings in {BASE: {}, **ABLATIONS}.items() if options.ablations else ():
        for protocol in wanted if not options.only or name in options.only else ():
            ablations[name, protocol] = [
                ablated(single, name, protocol, seed, n_views, **settings)
                for seed in range(options.ablations)
            ]
    found, ablations = (
        {key: outcomes for key, outcomes in made.items() if None not in outcomes}
        for made in (found, ablations)
    )
    text = "".join(report(options, corpus, X, found, ablations))
    print(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
