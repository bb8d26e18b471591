"""What an earlier version wrote: read with the same answers, or refused with what to do.

The files and what that version said of them are in ``fixtures/VERSION``, made by
``fixtures/make.py``; none is ever made again. Another version gets a folder of its own.
"""

import importlib
import json
import shutil
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from sfmforensics import load_embeddings, make_views, read_model
from sfmforensics._utils.moved_modules import MOVED
from sfmforensics._utils.versions import versions
from sfmforensics.cli import main
from sfmforensics.custody import MANIFEST, is_sealed, read_manifest
from sfmforensics.datasets import load_manifest
from sfmforensics.embedders import registry
from sfmforensics.exceptions import CustodyError, ModelFileError, SFMForensicsError
from sfmforensics.report import write_report
from sfmforensics.workflow import load_model, predict_files, verify_results

FIXTURES = Path(__file__).parents[1] / "fixtures"
VERSIONS = sorted(path.parent.name for path in FIXTURES.glob("*/expected.json"))
EXPECTED = {
    version: json.loads((FIXTURES / version / "expected.json").read_text(encoding="utf-8"))
    for version in VERSIONS
}
MODELS = [(version, name) for version in VERSIONS for name in EXPECTED[version]["models"]]
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
# Other versions made these models, as is said of every one of them.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sfmforensics.exceptions.ModelVersionWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning"),
]


def load(version, name):
    """A model; one that is code may be refused where other libraries are installed."""
    path = FIXTURES / version / "models" / name
    try:
        return load_model(path, trust=True)
    except ModelFileError as error:
        skip_if_libraries_differ(version, path, error)
        raise


def skip_if_libraries_differ(version, path, error):
    """Others than those of then may not read their own pickles; ours are always read."""
    told = read_manifest(FIXTURES / version / "evaluation" / MANIFEST)["versions"]
    pickled = ("numpy", "scipy", "scikit-learn", "torch", "pandas")
    same = {name: told[name] for name in pickled} == {n: versions()[n] for n in pickled}
    if path.suffix == ".joblib" and not same and "'sfmforensics" not in str(error):
        assert_says_what_to_do(error, path.name)
        pytest.skip(f"libraries of other versions cannot load it, and say so: {error}")


def assert_says_what_to_do(error, name):
    """One line, which names what it is about and a remedy."""
    text = str(error)
    assert "\n" not in text
    assert name in text
    assert "train" in text


def vectors_for(version, names):
    """Vectors as that version computed them, of some views."""
    found = pd.read_csv(FIXTURES / version / "vectors.csv", dtype=np.float32)
    return found[[column for column in found if column.split("__")[0] in names]]


def asked(version):
    return [str(FIXTURES / version / path) for path in EXPECTED[version]["asked"]]


def same_frame(found, told):
    """Rows as JSON told them: labels the same, numbers close."""
    found = pd.DataFrame(found).reset_index(drop=True)
    told = pd.DataFrame(told)
    assert list(found) == list(told)
    for column in told:
        if pd.api.types.is_numeric_dtype(told[column]):
            np.testing.assert_allclose(found[column].astype(float), told[column], **CLOSE)
        else:
            plain = [list(x) if isinstance(x, tuple) else x for x in found[column]]
            plain = [None if not isinstance(x, list) and pd.isna(x) else x for x in plain]
            expected = [None if not isinstance(x, list) and pd.isna(x) else x for x in told[column]]
            assert plain == expected, column


# -- models ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "name"), MODELS)
def test_a_model_says_of_vectors_what_it_said(version, name):
    model = load(version, name)
    told, estimator = EXPECTED[version]["models"][name], model[-1]
    X = vectors_for(version, dict(model[0].transformer_list))
    same_frame(estimator.predict(X), told["predict"])
    if "predict_proba" in told:
        for ours, theirs in zip(estimator.predict_proba(X), told["predict_proba"], strict=True):
            np.testing.assert_allclose(ours, theirs, **CLOSE)
    if "predict_interval" in told:
        same_frame(estimator.predict_interval(X, 0.5), told["predict_interval"])
        same_frame(estimator.predict_set(X, 0.5), told["predict_set"])
        same_frame(estimator.predict_or_abstain(X, 0.4), told["predict_or_abstain"])
    if "transform" in told:
        np.testing.assert_allclose(estimator.transform(X), told["transform"], **CLOSE)
    if "transport_plan" in told:
        found = estimator.transport_plan(X.iloc[:2])
        parts = found.values() if isinstance(found, dict) else [found]
        for ours, theirs in zip(parts, map(np.array, told["transport_plan"]), strict=True):
            if ours.ndim == 4:  # 0.1.0 put the plans of several networks into one matrix
                n, n_members, rows, columns = ours.shape
                blocks = theirs.reshape(n, n_members, rows, n_members, columns)
                theirs = np.einsum("nmimj->nmij", blocks) * n_members
            np.testing.assert_allclose(ours, theirs, **CLOSE)


@pytest.mark.parametrize(
    ("version", "name"), [(v, n) for v, n in MODELS if "unbounded" in EXPECTED[v]["models"][n]]
)
def test_a_likelihood_ratio_is_what_it_was_within_the_bounds_of_today(version, name):
    model = load(version, name)
    told, estimator = EXPECTED[version]["models"][name], model[-1]
    X = vectors_for(version, dict(model[0].transformer_list))
    voices = estimator.transform(X)
    ratio = estimator.likelihood_ratio_
    unbounded = ratio.log10_lr(voices, voices[4:], bounded=False).ravel()
    np.testing.assert_allclose(unbounded, told["unbounded"], **CLOSE)
    # Limits may have been mended since; an answer lies between them, and is the same inside.
    found = estimator.compare(X.iloc[:1], X.iloc[4:])
    assert found.unbounded == pytest.approx(told["comparison"]["unbounded"], rel=1e-5)
    assert found.log10_lr == np.clip(found.unbounded, found.lower, found.upper)
    if [found.lower, found.upper] == told["bounds"]:
        assert found.log10_lr == pytest.approx(told["comparison"]["log10_lr"], rel=1e-5)


def stale(model):
    """Views of a model that compute other vectors than when it was trained."""
    return [
        name
        for name, embedder in model[0].transformer_list
        if embedder._learnt_from not in (None, embedder._version)
    ]


@pytest.mark.parametrize(("version", "name"), MODELS)
def test_a_model_answers_recordings_as_it_did_or_says_train_again(version, name):
    model = load(version, name)
    if not stale(model):
        answers, refused = predict_files(model, asked(version))
        assert not refused
        told = EXPECTED[version]["models"][name]["predict_files"]
        same_frame(answers.drop(columns="path"), told)
        return
    for ask in (
        lambda: predict_files(model, asked(version)),
        lambda: model.predict(asked(version)),
    ):
        with pytest.raises(CustodyError) as caught:
            ask()
        assert_says_what_to_do(caught.value, stale(model)[0])


def unpickled(version, path):
    """As whoever saved it with joblib loads it."""
    try:
        return joblib.load(path)
    except Exception as error:
        found = ModelFileError(f"{path.name}: train it again ({error})")
        skip_if_libraries_differ(version, path, found)
        raise


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", ["safetensors", "joblib"])
def test_a_model_that_was_saved_by_hand_answers_as_it_did_or_says_train_again(version, form):
    """It has no manifest that would tell of its views."""
    path = FIXTURES / version / "models" / f"by-hand.{form}"
    model = read_model(path) if form == "safetensors" else unpickled(version, path)
    told = EXPECTED[version]["by hand"]
    X = vectors_for(version, dict(model[0].transformer_list))
    same_frame(model[-1].predict(X), told["predict"])
    if stale(model):
        with pytest.raises(CustodyError, match="train the model again"):
            model.predict(asked(version))
    else:
        same_frame(model.predict(asked(version)), told["predict_files"])
    # Trained again it answers, whatever it was.
    own = load_manifest(FIXTURES / version / "recordings.csv")
    model[-1].set_params(max_epochs=1)
    model.fit(own.data, own.target)
    assert len(model.predict(asked(version))) == len(asked(version))


@pytest.mark.parametrize("version", VERSIONS)
def test_an_estimator_alone_says_what_it_said(version):
    model = read_model(FIXTURES / version / "models" / "estimator.safetensors")
    X = vectors_for(version, ["mfcc", "prosody"])
    same_frame(model.predict(X), EXPECTED[version]["by hand"]["predict"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_view_of_another_version_is_refused_by_the_command_line(version, monkeypatch, capsys):
    """Whatever the views of today are: a model must not be asked with other vectors."""
    kind = registry.embedder_class("MFCCEmbedder")
    monkeypatch.setattr(kind, "_version", kind._version + 1)
    model = FIXTURES / version / "models" / "calibrated-share.safetensors"
    files = asked(version)
    for words in (
        ["predict", model, files[0]],
        ["compare", model, files[0], files[1]],
        ["assess", model, "--corpus", "manifest", "--root", FIXTURES / version / "strangers.csv"],
    ):
        assert main([str(word) for word in words]) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert "view 'mfcc' computes other vectors" in said
        assert "train the model again" in said


# -- what is kept ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("spec", ["mfcc@n_mfcc=8", "prosody"])
def test_a_cache_is_used_or_left_alone_but_never_wrong(version, spec, tmp_path):
    kept = FIXTURES / version / "cache"
    cache = shutil.copytree(kept, tmp_path / "cache")
    files = load_manifest(FIXTURES / version / "strangers.csv").data
    ((_, fresh),) = make_views(spec).transformer_list
    ((_, embedder),) = make_views(spec, cache=cache).transformer_list
    vectors = embedder.transform(files)
    np.testing.assert_allclose(vectors, fresh.transform(files), rtol=1e-4, atol=1e-4)
    known = [json.loads(path.read_text(encoding="utf-8")) for path in kept.glob("*/identity.json")]
    new = {path.name for path in cache.iterdir()} - {path.name for path in kept.iterdir()}
    assert len(known) == 2
    # What is of the same identity is read, what is not lies beside it.
    assert len(new) == (embedder._whole_identity() not in known)
    assert all(
        (cache / path.relative_to(kept)).read_bytes() == path.read_bytes()
        for path in kept.rglob("*.vec")
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_embeddings_are_read_as_they_were_written(version):
    bunch = load_embeddings(FIXTURES / version / "embedded")
    told = vectors_for(version, ["mfcc", "spread", "prosody"])
    found = pd.DataFrame(bunch.data).iloc[: len(told)]
    np.testing.assert_allclose(found.to_numpy(), told.to_numpy(), rtol=1e-5)
    assert list(bunch.target) == ["speaker", "emotion", "gender", "age"]


# -- results ---------------------------------------------------------------------------------

FOLDERS = ["evaluation", "reproduction", "assessment", "embedded"]
ANSWERS = ["predict.json", "compare.json", "identify.json"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [*FOLDERS, *ANSWERS, "models/calibrated-share.safetensors"])
def test_results_are_verified_where_their_recordings_are_now(version, name):
    path = FIXTURES / version / name
    root = FIXTURES / version / "recordings"
    found = verify_results(path, root=root)
    bad = found[found["verdict"].isin(["differs", "missing"])]
    # A view may have changed since, and the file of a model is where it was then.
    assert set(bad["what"]) <= {"view", "model"}, bad
    assert (found[found["what"] == "recording"]["verdict"] == "same").all()
    assert (found["what"] == "recording").sum() > 0
    views = bad[bad["what"] == "view"]
    assert all(item.startswith("prosody") for item in views["item"]), views


@pytest.mark.parametrize("version", VERSIONS)
def test_scores_are_counted_again_from_the_predictions(version):
    found = verify_results(FIXTURES / version / "evaluation")
    scores = found[found["what"] == "score"]
    assert len(scores) > 20
    assert (scores["verdict"] == "same").all()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["evaluation", "reproduction"])
def test_results_become_a_page(version, name, tmp_path):
    folder = shutil.copytree(FIXTURES / version / name, tmp_path / name)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    page = write_report(folder).read_text(encoding="utf-8")
    assert "mfcc" in page
    assert "disjoint" in page or name == "reproduction"
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_as_they_were_sealed(version):
    files = [*(FIXTURES / version).rglob(MANIFEST), *(FIXTURES / version / f for f in ANSWERS)]
    assert len(files) >= 7
    for file in files:
        assert is_sealed(read_manifest(file)), file


# -- no version of any library is needed ------------------------------------------------------


def test_a_pickle_of_another_library_version_warns_or_is_refused_in_one_line(tmp_path):
    """What scikit-learn cannot load is said with what to do, not as a traceback of its own."""
    path = tmp_path / "m.joblib"
    path.write_bytes(b"\x80\x04csfmforensics.no_such_module\nGone\n.")
    with pytest.raises(SFMForensicsError) as caught:
        load_model(path, trust=True)
    assert_says_what_to_do(caught.value, "m.joblib")


def test_the_fixtures_tell_of_no_machine():
    """Nothing of it may be a path of whoever made it."""
    for file in FIXTURES.rglob("*"):
        if file.is_file() and file.suffix not in (".flac", ".png", ".vec", ".py"):
            content = file.read_bytes()
            for place in ("home", "root", "tmp", "work"):
                assert f"/{place}/".encode() not in content, file


@pytest.mark.parametrize("name", MOVED)
def test_what_an_old_pickle_names_is_there_though_it_has_moved(name):
    old, new = (importlib.import_module(f"sfmforensics.{part}") for part in (name, MOVED[name]))
    classes = [n for n, v in vars(new).items() if getattr(v, "__module__", "") == new.__name__]
    assert classes
    assert all(getattr(old, n) is getattr(new, n) for n in classes)
    assert importlib.import_module(f"sfmforensics.{MOVED[name]}").__spec__.name == new.__name__
