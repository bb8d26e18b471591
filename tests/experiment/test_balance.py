"""What is learnt of balanced recordings is what fitting by hand with their weights gives."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sfmforensics import PerTask, SingleView, read_model
from sfmforensics.cli import main
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.evidence import CalibratedModel
from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.experiment import evaluate, evaluate_across
from sfmforensics.metrics import mean_skill
from sfmforensics.model_selection import balanced_weights, make_splits
from sfmforensics.views import make_views


@pytest.fixture(scope="module")
def skewed():
    """Emotions of which one is rare and hard to tell, in two sessions of unequal size."""
    rng = np.random.default_rng(0)
    speaker = np.repeat([f"s{i}" for i in range(8)], 15)
    emotion = np.tile(["calm"] * 10 + ["fear"] * 3 + ["joy"] * 2, 8)
    X = rng.normal(size=(120, 4))
    X[:, 0] += np.select([emotion == "fear", emotion == "joy"], [1.0, 2.0])
    target = pd.DataFrame({"speaker": speaker, "emotion": emotion, "age": X[:, 1] * 5 + 40})
    details = pd.DataFrame({"session": rng.choice([1, 2], 120, p=[0.8, 0.2])})
    return X, target, details


SMALL = {"encoder": "tokens", "n_tokens": 2, "token_dim": 4, "max_epochs": 3, "random_state": 0}
MODELS = {
    "svm": PerTask(),
    "network": SingleView(**SMALL),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_folds_are_learnt_as_by_hand_with_weights_of_their_training_sides(skewed, name):
    X, target, details = skewed
    model = MODELS[name]
    labels = target[["emotion"]] if name == "pipeline" else target[["emotion", "age"]]
    splits = {"disjoint": make_splits(target, "disjoint", folds=3)}
    options = {"views": "v", "tasks": list(labels), "details": details}
    found = evaluate(X, target, {name: model}, splits, balance=["emotion", "session"], **options)
    plain = evaluate(X, target, {name: model}, splits, **options)
    cells = pd.concat([target[["emotion"]], details], axis=1)
    parameter = "logisticregression__sample_weight" if name == "pipeline" else "sample_weight"
    for fold, (train, test) in enumerate(splits["disjoint"]):
        weights = balanced_weights(cells.iloc[train])
        assert weights.std() > 0.3
        fitted = clone(model).fit(X[train], labels.iloc[train], **{parameter: weights})
        expected = pd.DataFrame(
            np.asarray(fitted.predict(X[test])).reshape(len(test), -1), columns=list(labels)
        )
        answers = found.predictions[name].query("fold == @fold")
        for task in labels:
            of_task = answers[answers["task"] == task]["predicted"].tolist()
            assert of_task == expected[task].tolist()
    assert not found.predictions[name].equals(plain.predictions[name])


def test_rare_labels_are_found_more_often(skewed):
    X, target, _ = skewed
    splits = {"disjoint": make_splits(target, "disjoint", folds=4)}
    models = {"linear": PerTask(LogisticRegression())}
    recall = {}
    for name, balance in (("as they are", None), ("balanced", ["emotion"])):
        found = evaluate(
            X[:, :1], target, models, splits, views="v", tasks=["emotion"], balance=balance
        )
        recall[name] = found.scores.groupby("metric")["value"].mean()["uar"]
    assert recall["balanced"] > recall["as they are"] + 0.1


def test_a_search_weighs_its_own_training_sides(skewed):
    X, target, _ = skewed
    (train, test), *_ = make_splits(target, "disjoint", folds=3)
    values = {"classifier": [LogisticRegression(C=0.001), LogisticRegression(C=10.0)]}
    found = evaluate(
        X, target, {"svm": PerTask()}, {"disjoint": [(train, test)]}, views="v",
        tasks=["emotion"], search=values, balance=["emotion"],
    )  # fmt: skip
    labels = target[["emotion"]].iloc[train].reset_index(drop=True)
    mean = []
    for chosen in ParameterGrid(values):
        skills = []
        inner = make_splits(target.iloc[train], "disjoint", folds=3)
        for learnt, judged in inner:
            model = PerTask(**chosen).fit(
                X[train][learnt], labels.iloc[learnt],
                sample_weight=balanced_weights(labels.iloc[learnt]),
            )  # fmt: skip
            skills.append(mean_skill(labels.iloc[judged], model.predict(X[train][judged])))
        mean.append(np.mean(skills))
    best = list(ParameterGrid(values))[int(np.argmax(mean))]
    assert str(found.choices["value"].iloc[0]) == str(best["classifier"])


def test_kept_folds_of_another_balance_are_others(skewed, tmp_path):
    X, target, details = skewed
    splits = {"disjoint": make_splits(target, "disjoint", folds=2)}
    options = {"views": "v", "tasks": ["emotion"], "keep": tmp_path, "keep_fitted": False}
    run = {"X": X, "target": target, "models": {"svm": PerTask()}, "splits": splits, **options}
    found = {}
    for balance in (None, ["emotion"], ["session"], ["emotion", "session"]):
        found[str(balance)] = evaluate(**run, details=details, balance=balance)
        assert found[str(balance)].kept == 0
    again = evaluate(**run, details=details, balance=["emotion", "session"])
    assert again.kept == 2
    assert again.predictions["svm"].equals(found[str(["emotion", "session"])].predictions["svm"])
    moved = details.assign(session=details["session"].to_numpy()[::-1])
    assert evaluate(**run, details=moved, balance=["emotion", "session"]).kept == 0


def test_across_corpora_the_corpus_is_a_column_too(skewed):
    X, target, details = skewed
    corpora = np.repeat(["a", "b", "c"], [30, 30, 60])
    shifted = X + (corpora == "c")[:, np.newaxis]
    options = {"views": "v", "folds": 2, "tasks": ["emotion"], "n_resamples": 20}
    model = {"svm": PerTask()}
    found = evaluate_across(
        shifted, target, corpora, model, balance=["corpus", "emotion"], **options
    )
    answers = found.predictions.query("train == 'others' and corpus == 'a'")["predicted"]
    train, test = corpora != "a", corpora == "a"
    cells = pd.DataFrame({"corpus": corpora, "emotion": target["emotion"]})[train]
    fitted = PerTask().fit(shifted[train], target[["emotion"]][train], balanced_weights(cells))
    assert answers.tolist() == fitted.predict(shifted[test])["emotion"].tolist()
    by_corpus = evaluate_across(shifted, target, corpora, model, balance=["corpus"], **options)
    plain = evaluate_across(shifted, target, corpora, model, **options)
    of_one = [found.predictions.query("train != 'others'") for found in (by_corpus, plain)]
    assert of_one[0].equals(of_one[1])  # one corpus is one value
    session = evaluate_across(
        X, target, corpora, model, details=details, balance=["session"], **options
    )
    assert not session.predictions.equals(plain.predictions)


def test_what_cannot_be_balanced_is_said_before_anything_is_fitted(skewed):
    X, target, details = skewed
    splits = {"disjoint": make_splits(target, "disjoint", folds=2)}
    with pytest.raises(TargetError, match="no column 'accent' to balance by; there are speaker"):
        evaluate(X, target, {"svm": PerTask()}, splits, views="v", balance=["accent"])
    with pytest.raises(ParameterError, match="neighbours: KNeighborsClassifier takes no weights"):
        evaluate(
            X, target, {"neighbours": KNeighborsClassifier()}, splits, views="v",
            tasks=["emotion"], balance=["emotion"],
        )  # fmt: skip
    with pytest.raises(ParameterError, match="KNeighborsClassifier of column 'emotion' takes no"):
        evaluate(
            X, target, {"neighbours": PerTask(KNeighborsClassifier())}, splits, views="v",
            tasks=["emotion"], balance=["emotion"],
        )  # fmt: skip
    with pytest.raises(ParameterError, match="KNeighborsClassifier takes no weights"):
        CalibratedModel(KNeighborsClassifier()).fit(X, target, balance=details)
    for names in (["emotion"], target[["emotion"]].to_numpy()):
        with pytest.raises(ParameterError, match=r"give a DataFrame .* such as y\[\['emotion'\]\]"):
            CalibratedModel().fit(X, target, balance=names)


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """Two corpora as tables; of the second most recordings of two emotions are missing."""
    folder = tmp_path_factory.mktemp("balance")
    for name, seed in (("one", 1), ("two", 2)):
        corpus = make_speech_corpus(
            4, 8, duration=0.3, random_state=seed, output=folder / name / "voices"
        )
        table = corpus.target.assign(path=corpus.data, session=np.arange(32) % 4 // 3)
        if name == "two":
            table = table[(table["emotion"].isin(["angry", "happy"])) | (table.index % 3 == 0)]
        table.to_csv(folder / name / "table.csv", index=False)
    (folder / "corpora.toml").write_text(
        '[corpora.one]\ncorpus = "table"\nroot = "one/table.csv"\n'
        '[corpora.two]\ncorpus = "table"\nroot = "two/table.csv"\n'
    )
    return folder


def vectors(table):
    return make_views("mfcc").fit_transform(table["path"].tolist())


@pytest.mark.slow
def test_evaluate_as_it_is_typed(voices, tmp_path, capsys, small_figures):
    table = pd.read_csv(voices / "two" / "table.csv", dtype={"speaker": str})
    command = ["evaluate", "--corpus", "table", "--root", str(voices / "two" / "table.csv")]
    command += ["--views", "mfcc", "--model", "svm", "--folds", "2", "--protocol", "disjoint"]
    command += ["--output", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    assert main([*command, "--balance", "emotion,session"]) == 0
    answers = pd.read_csv(tmp_path / "out" / "predictions.csv").query("task == 'emotion'")
    X = vectors(table).to_numpy()
    tested = answers.set_index("path")["fold"][table["path"]].to_numpy()
    for fold in (0, 1):
        train = np.flatnonzero(tested != fold)
        weights = balanced_weights(table[["emotion", "session"]].iloc[train])
        fitted = PerTask().fit(X[train], table[["emotion"]].iloc[train], weights)
        test = np.flatnonzero(tested == fold)
        expected = dict(zip(table["path"].iloc[test], fitted.predict(X[test])["emotion"]))
        assert answers.query("fold == @fold").set_index("path")["predicted"].to_dict() == expected
    for file in ("config.json", "manifest.json"):
        told = json.loads((tmp_path / "out" / file).read_text())
        assert told["balance"] == ["emotion", "session"]
    capsys.readouterr()
    assert main([*command, "--balance", "accent"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "there is no column 'accent' to balance by; there are" in said
    assert "session" in said
    assert main(command) == 0  # into the same folder: nothing of the other run is taken
    for file in ("config.json", "manifest.json"):
        assert "balance" not in json.loads((tmp_path / "out" / file).read_text())


@pytest.mark.slow
def test_cross_as_it_is_typed(voices, tmp_path):
    command = ["cross", "--corpora", str(voices / "corpora.toml"), "--views", "mfcc"]
    command += ["--model", "svm", "--folds", "2", "--output", str(tmp_path / "out")]
    command += ["--cache", str(tmp_path / "cache"), "--balance", "corpus,emotion"]
    assert main(command) == 0
    one, two = (
        pd.read_csv(voices / name / "table.csv", dtype={"speaker": str}) for name in ("one", "two")
    )
    fitted = PerTask().fit(
        vectors(two).to_numpy(), two[["emotion"]], balanced_weights(two[["emotion"]])
    )
    answers = pd.read_csv(tmp_path / "out" / "cross-predictions.csv")
    answers = answers.query("train == 'two' and corpus == 'one' and task == 'emotion'")
    assert (
        answers["predicted"].tolist() == fitted.predict(vectors(one).to_numpy())["emotion"].tolist()
    )
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["balance"] == ["corpus", "emotion"]


@pytest.mark.slow
def test_train_as_it_is_typed(voices, tmp_path):
    table = pd.read_csv(voices / "two" / "table.csv", dtype={"speaker": str})
    command = ["train", "--corpus", "table", "--root", str(voices / "two" / "table.csv")]
    command += ["--views", "mfcc", "--model", "single", "--epochs", "2", "--tasks", "emotion,age"]
    command += ["--cache", str(tmp_path / "cache"), "--output"]
    X, found = vectors(table), {}
    for name, more in {"plain": [], "emotion": ["--balance", "emotion"],
                       "speaker": ["--balance", "speaker"]}.items():  # fmt: skip
        assert main([*command, str(tmp_path / name), *more]) == 0
        model = read_model(tmp_path / name)
        assert model.manifest_.get("balance") == (more[1:] or None)
        found[name] = model[-1].predict_proba(X)
    by_hand = clone(model[-1]).fit(
        X, table[["emotion", "age"]], sample_weight=balanced_weights(table[["emotion"]])
    )
    assert np.allclose(by_hand.predict_proba(X)[0], found["emotion"][0], atol=1e-5)
    assert not np.allclose(found["plain"][0], found["emotion"][0], atol=1e-5)
    assert not np.allclose(found["speaker"][0], found["emotion"][0], atol=1e-5)


def test_who_calibrates_is_not_in_the_weights(skewed):
    X, target, _ = skewed
    small = SingleView(**SMALL)
    balance = target[["emotion"]]
    calibrated = CalibratedModel(small, calibration=0.5, random_state=0)
    calibrated.fit(X, target, balance=balance)
    train = np.setdiff1d(np.arange(120), calibrated.calibration_rows_)
    by_hand = clone(small).fit(
        X[train], target.iloc[train], sample_weight=balanced_weights(balance.iloc[train])
    )
    assert np.allclose(calibrated.transform(X), by_hand.transform(X), atol=1e-6)
