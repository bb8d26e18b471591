"""Labels on which raters voted, from a table to results."""

import json
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

from sfmforensics.cli import main
from sfmforensics.datasets import load_table, make_speech_corpus
from sfmforensics.experiment import evaluate
from sfmforensics.model_selection import make_splits
from sfmforensics.presets import make_estimator
from sfmforensics.saving import load_embeddings
from sfmforensics.targets import Votes
from sfmforensics.workflow import verify_results

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """A table of recordings whose emotion three raters heard, each wrong now and then."""
    folder = tmp_path_factory.mktemp("heard")
    voices = make_speech_corpus(6, 6, duration=0.4, random_state=0, output=folder)
    table = voices.target.assign(path=voices.data)
    emotion = table.pop("emotion").to_numpy()
    rng = np.random.default_rng(0)
    for rater in ("rater1", "rater2", "anna"):
        wrong = rng.random(len(emotion)) < 0.3
        table[f"emotion:{rater}"] = np.where(wrong, rng.permutation(emotion), emotion)
    table.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


@pytest.mark.filterwarnings("ignore:.*as many votes")
def test_results_of_votes_have_labels_and_can_be_verified(heard, tmp_path, small_figures, capsys):
    table = ["--corpus", "table", "--root", str(heard), "--views", "mfcc"]
    options = ["--model", "svm", "--protocol", "disjoint", "--folds", "3"]
    output = tmp_path / "out"
    assert main(["evaluate", *table, *options, "--output", str(output)]) == 0
    told = pd.read_csv(output / "predictions.csv", dtype=str)
    told = told[told["task"] == "emotion"].set_index("path")["true"]
    labels = load_table(heard).target["emotion"]
    assert sorted(told) == sorted(map(str, labels))
    assert not verify_results(output)["verdict"].isin(["differs", "missing"]).any()
    assert main(["embed", *table, "--output", str(tmp_path / "vectors")]) == 0
    for one, other in zip(load_embeddings(tmp_path / "vectors").target["emotion"], labels):
        assert dict(one.shares) == dict(other.shares)
    labels_hash = json.loads((output / "manifest.json").read_text())["labels"]["emotion"]
    texts = json.dumps(list(map(str, labels)))
    assert labels_hash != sha256(texts.encode()).hexdigest(), "votes are not told by labels"
    capsys.readouterr()
    assert main(["describe", *table[:4], "--views", ""]) == 0
    assert "raters disagree" in capsys.readouterr().out


def test_folds_and_processes_learn_the_shares(table):
    X, y = table
    labels = [
        Votes(name, {name: 2, other: 1}) for name, other in zip(y["emotion"], y["emotion"][::-1])
    ]
    voted = y.assign(emotion=pd.Series(labels, dtype=object))
    tango = make_estimator("tango", "tuned", max_epochs=2, n_members=1, random_state=0)
    splits = {"disjoint": make_splits(voted, "disjoint", folds=2)}
    found = [
        evaluate(X, voted, {"tango": tango}, splits, views="first+second", n_jobs=n_jobs)
        for n_jobs in (1, 2)
    ]
    train, test = splits["disjoint"][0]
    alone = make_estimator("tango", "tuned", max_epochs=2, n_members=1, random_state=0)
    alone.fit(X.iloc[train], voted.iloc[train], groups=y["speaker"].iloc[train])
    plain = make_estimator("tango", "tuned", max_epochs=2, n_members=1, random_state=0)
    plain.fit(X.iloc[train], y.iloc[train], groups=y["speaker"].iloc[train])
    asked = X.iloc[test]
    for evaluation in found:
        model = evaluation.fitted["tango", "disjoint"]
        for one, other in zip(model.predict_proba(asked), alone.predict_proba(asked), strict=True):
            np.testing.assert_array_equal(one, other)
    assert np.abs(plain.predict_proba(asked)[1] - alone.predict_proba(asked)[1]).max() > 1e-3
