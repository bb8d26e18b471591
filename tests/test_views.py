import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from sfmforensics.embedders import CallableEmbedder, MFCCEmbedder, TransformersEmbedder
from sfmforensics.exceptions import EmbedderError, ViewError
from sfmforensics.views import find_views, make_views


def test_columns_are_named_after_views_in_the_order_asked_for(corpus):
    frame = make_views("prosody", "mfcc").fit_transform(corpus.data[:3])
    assert frame.columns[0] == "prosody__0"
    assert frame.columns[-1] == "mfcc__39"
    assert frame.shape == (3, 34 + 40)
    assert (frame.dtypes == np.float32).all()


def test_views_equal_the_embedders_alone(corpus):
    frame = make_views("mfcc", "prosody").fit_transform(corpus.data[:3])
    alone = MFCCEmbedder().transform(corpus.data[:3])
    np.testing.assert_array_equal(frame.filter(regex="^mfcc__").to_numpy(), alone)


def test_an_embedder_and_a_named_embedder_are_views(corpus):
    loud = CallableEmbedder(lambda s: [np.abs(s).max()], 1, name="loud")
    wide = MFCCEmbedder(statistics=("mean", "std"))
    frame = make_views(loud, ("wide", wide)).fit_transform(corpus.data[:2])
    assert frame.columns[0] == "loud__0"
    assert frame.filter(regex="^wide__").shape == (2, 80)


def test_a_clone_still_names_its_columns(corpus):
    views = clone(make_views("mfcc", "prosody"))
    assert views.fit_transform(corpus.data[:2]).columns[40] == "prosody__0"


def test_options_reach_the_embedders_that_take_them(tmp_path):
    (tmp_path / "model").mkdir()
    views = make_views(
        "mfcc", f"hubert={tmp_path}/model", cache=tmp_path / "c", device="cpu", batch_size=3
    )
    (_, mfcc), (name, sfm) = views.transformer_list
    assert name == "hubert"
    assert isinstance(sfm, TransformersEmbedder)
    assert (sfm.batch_size, sfm.device) == (3, "cpu")
    assert mfcc.cache == sfm.cache == str(tmp_path / "c")


def test_a_folder_is_made_absolute_so_that_a_saved_model_works_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    ((_, sfm),) = make_views("whisper=./model").transformer_list
    assert sfm.model == str(tmp_path / "model")


@pytest.mark.parametrize(
    ("specs", "error", "says"),
    [
        ((), ViewError, "no view was named"),
        (("mfcc", "mfcc"), ViewError, "two views are called 'mfcc'"),
        (("wisper",), EmbedderError, "did you mean 'whisper'"),
        (("whisper=./not-there",), EmbedderError, "no folder ./not-there"),
        (("mfcc=./x",), EmbedderError, "has no model"),
        ((3,), EmbedderError, "given as int"),
    ],
)
def test_what_cannot_be_a_view_is_refused(specs, error, says):
    with pytest.raises(error, match=says):
        make_views(*specs)


def test_find_views_goes_by_names():
    names, blocks = find_views(4, feature_names=["a__0", "b__0", "a__1", "b__1"])
    assert names == ["a", "b"]
    assert [block.tolist() for block in blocks] == [[0, 2], [1, 3]]


def test_find_views_halves_columns_without_names():
    names, blocks = find_views(5, feature_names=["v", "w", "x", "y", "z"])
    assert names == ["x1", "x2"]
    assert [block.tolist() for block in blocks] == [[0, 1, 2], [3, 4]]


def test_find_views_keeps_names_when_widths_agree_with_them():
    names, _ = find_views(3, [1, 2], ["mfcc__0", "whisper__0", "whisper__1"])
    assert names == ["mfcc", "whisper"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((10, [4, 5]), "9 columns in all, but the data have 10"),
        ((10, [10]), "at least 2 views"),
        ((10, [0, 10]), "width of each view"),
        ((10, "halves"), 'use "auto"'),
        ((2, "auto", ["mfcc__0", "mfcc__1"]), "use SingleView"),
        ((1, "auto"), "1 feature"),
    ],
)
def test_find_views_refuses(arguments, says):
    with pytest.raises(ViewError, match=says):
        find_views(*arguments)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6))
def test_every_column_belongs_to_one_view(widths):
    _, blocks = find_views(sum(widths), widths)
    assert np.concatenate(blocks).tolist() == list(range(sum(widths)))
    assert [len(block) for block in blocks] == widths
