import pytest

from sfmforensics.exceptions import SFMForensicsError
from sfmforensics.presets import MODELS, PRESETS, SETUPS, make_estimator


def test_the_defaults_of_the_estimators_are_the_papers():
    for model in ("tango", "concat", "single"):
        by_preset = make_estimator(model, "paper")
        assert by_preset.get_params() == type(by_preset)().get_params()


def test_the_paper_preset_has_the_published_settings():
    tango = make_estimator("tango", "paper")
    assert (tango.encoder, tango.hidden, tango.head) == ("conv", (200, 64, 56), 30)
    assert (tango.learning_rate, tango.batch_size, tango.loss_weights) == (1e-3, 32, 0.33)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_model_of_every_preset_is_fitted(model, preset, table):
    X, y = table
    overrides = {} if model == "svm" else {"max_epochs": 1}
    estimator = make_estimator(model, preset, random_state=0, **overrides)
    assert estimator.fit(X, y).predict(X).shape == y.shape


def test_every_system_of_the_paper_has_an_estimator_of_its_name():
    from sfmforensics.paper import load_paper_results

    assert set(SETUPS) == set(load_paper_results()["setup"])
    names = {setup: type(make_estimator(setup)).__name__ for setup in SETUPS}
    assert names["svst"] == names["svmt"] == "SingleView"
    assert names["mvmt-concat"] == "ConcatFusion"
    directions = [make_estimator(f"tango{end}").direction for end in ("", "-x1-to-x2", "-x2-to-x1")]
    assert directions == ["both", "x1->x2", "x2->x1"]


def test_overrides_win():
    assert make_estimator("tango", "tuned", encoder="conv", reg=0.5).reg == 0.5


@pytest.mark.parametrize(("model", "preset"), [("lstm", "paper"), ("tango", "best")])
def test_unknown_names_are_refused(model, preset):
    with pytest.raises(SFMForensicsError, match="there are"):
        make_estimator(model, preset)
