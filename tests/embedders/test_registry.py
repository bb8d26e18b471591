import subprocess
import sys

import numpy as np
import pytest

from sfmforensics.embedders import (
    REGISTRY,
    CallableEmbedder,
    MFCCEmbedder,
    ProsodyEmbedder,
    SpeechBrainEmbedder,
    TFHubEmbedder,
    TransformersEmbedder,
    make_embedder,
)
from sfmforensics.exceptions import EmbedderError, MissingExtraError

# Paper, section 3 and section 5: name, model, dimension.
PAPER = {
    "xls-r": ("facebook/wav2vec2-xls-r-1b", 1280),
    "whisper": ("openai/whisper-base", 512),
    "wav2vec2": ("facebook/wav2vec2-base", 768),
    "mms": ("facebook/mms-1b", 1280),
    "unispeech-sat": ("microsoft/unispeech-sat-base", 768),
    "wavlm": ("microsoft/wavlm-base", 768),
    "x-vector": ("speechbrain/spkrec-xvect-voxceleb", 512),
    "trillsson": ("google/nonsemantic-speech-benchmark/trillsson4/1", 1024),
    "mfcc": (None, 40),
}
CLASSES = {
    "x-vector": SpeechBrainEmbedder,
    "trillsson": TFHubEmbedder,
    "mfcc": MFCCEmbedder,
    "prosody": ProsodyEmbedder,
}


def test_the_nine_views_of_the_paper_and_ours_are_there():
    assert set(REGISTRY) == {*PAPER, "prosody"}


@pytest.mark.parametrize("name", PAPER)
def test_models_and_dimensions_are_the_papers(name):
    model, dimension = PAPER[name]
    assert REGISTRY[name].dimension == dimension
    if model is None:
        assert REGISTRY[name].model is None
    else:
        assert REGISTRY[name].model.removeprefix("https://tfhub.dev/") == model
    assert "paper" in REGISTRY[name].source


@pytest.mark.parametrize("name", REGISTRY)
def test_every_name_makes_its_embedder(name):
    view, embedder = make_embedder(name)
    assert view == name
    assert type(embedder) is CLASSES.get(name, TransformersEmbedder)
    assert getattr(embedder, "model", None) == REGISTRY[name].model
    assert embedder._name() == name


@pytest.mark.parametrize("name", ["mfcc", "prosody"])
def test_registered_dimensions_are_true(name):
    assert make_embedder(name)[1].fit().get_feature_names_out().size == REGISTRY[name].dimension


def test_options_reach_the_embedder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, embedder = make_embedder("wavlm", cache="vectors", device="cpu", batch_size=3, verbose=True)
    assert embedder.cache == str(tmp_path / "vectors")  # also after the user goes elsewhere
    assert (embedder.device, embedder.batch_size, embedder.verbose) == ("cpu", 3, True)


def test_parameters_follow_a_spec(tmp_path):
    folder = tmp_path / "user@host"  # an @ of its own is no parameter
    folder.mkdir()
    name, embedder = make_embedder(f"whisper={folder}@layer=all@pooling=mean+std@window=8")
    assert (name, embedder.model) == ("whisper", str(folder))
    assert (embedder.layer, embedder.pooling, embedder.window) == ("all", "mean+std", 8)
    assert make_embedder("wavlm@layer=-2@revision=1234")[1].get_params().items() >= {
        ("layer", -2),
        ("revision", "1234"),
        ("model", "microsoft/wavlm-base"),
    }
    for spec in (
        "mfcc@n_mfcc=13@statistics=mean+std",
        "mfcc @ n_mfcc = 13 @ statistics = mean+std",
    ):
        assert make_embedder(spec)[1].fit().get_feature_names_out().size == 26


def test_a_value_that_the_embedder_does_not_take_is_refused_by_it():
    with pytest.raises(EmbedderError, match=r"statistics is \('mode',\); use"):
        make_embedder("mfcc@statistics=mode")[1].fit()


def test_a_registered_name_takes_another_model_of_its_kind(tmp_path):
    name, embedder = make_embedder(f"whisper={tmp_path}")
    assert (name, embedder.model) == ("whisper", str(tmp_path))
    assert make_embedder("whisper=openai/whisper-tiny")[1].model == "openai/whisper-tiny"
    assert type(make_embedder(f"x-vector={tmp_path}")[1]) is SpeechBrainEmbedder


def test_a_name_of_tensorflow_hub_has_many_parts_and_is_no_folder(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # as if it were not installed
    name, embedder = make_embedder("trillsson=google/x/y/1")
    assert (name, embedder.model) == ("trillsson", "google/x/y/1")
    assert type(embedder) is TFHubEmbedder
    with pytest.raises(MissingExtraError, match=r"sfmforensics\[trillsson\]"):
        embedder.fit()


@pytest.mark.parametrize("view", ["whisper", "x-vector", "mine"])
def test_elsewhere_many_parts_are_a_folder(view):
    with pytest.raises(EmbedderError, match="there is no folder google/x/y/1"):
        make_embedder(f"{view}=google/x/y/1")


def test_a_folder_of_a_tensorflow_model_that_is_not_there_is_named():
    with pytest.raises(EmbedderError, match=r"there is no folder \./google/x"):
        make_embedder("trillsson=./google/x")


def test_a_relative_folder_becomes_absolute(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    assert make_embedder("mine=./model")[1].model == str(tmp_path / "model")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("config.json", TransformersEmbedder),
        ("hyperparams.yaml", SpeechBrainEmbedder),
        ("saved_model.pb", TFHubEmbedder),
    ],
)
def test_the_folder_tells_what_runs_a_model_of_a_new_name(tmp_path, file, expected):
    (tmp_path / file).touch()
    name, embedder = make_embedder(f"mine={tmp_path}")
    assert name == "mine"
    assert type(embedder) is expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("openai/whisper-large-v3", TransformersEmbedder),
        ("speechbrain/spkrec-ecapa-voxceleb", SpeechBrainEmbedder),
        ("https://tfhub.dev/google/trillsson1/1", TFHubEmbedder),
    ],
)
def test_the_hub_id_tells_what_runs_a_model_of_a_new_name(model, expected):
    embedder = make_embedder(f"mine={model}")[1]
    assert type(embedder) is expected
    assert embedder.model == model


def test_embedders_pass_through():
    mine = CallableEmbedder(np.ptp, 1, name="range")
    assert make_embedder(mine) == ("range", mine)
    assert make_embedder(("peak", mine)) == ("peak", mine)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("wisper", "did you mean 'whisper'"),
        ("nothing like it", "there are xls-r"),
        ("", "there are xls-r"),
        ("mine=", "no view is called 'mine'"),
        ("=model", "there are xls-r"),
        ("mfcc=model", "has no model"),
        ("mine=./nowhere", "there is no folder"),
        ("mfcc@layer=1", "'mfcc' has no option 'layer'; there are n_mfcc, statistics"),
        ("whisper@layer=1@layer=2", "gives layer twice"),
        ("whisper@cache=here", "no option 'cache'"),
        ("mfcc@layer", "there are xls-r"),
        (17, "given as int"),
        (None, "given as NoneType"),
    ],
)
def test_what_is_no_view_is_refused(spec, says):
    with pytest.raises(EmbedderError, match=says):
        make_embedder(spec)


@pytest.mark.slow
def test_heavy_libraries_are_imported_when_first_used():
    program = (
        "import sys; from sfmforensics.embedders import REGISTRY, make_embedder;"
        "[make_embedder(name) for name in REGISTRY];"
        "print(*sorted({'transformers', 'speechbrain', 'tensorflow', 'tensorflow_hub', 'librosa'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
