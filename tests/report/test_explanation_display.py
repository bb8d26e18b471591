"""Figures of why a model answers as it does: what is drawn is what the explanation says."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sfmforensics import TANGO, ConcatFusion, PerTask, SingleView, make_views
from sfmforensics.exceptions import ParameterError, ReportError, TargetError
from sfmforensics.explanation import explain
from sfmforensics.report import ExplanationDisplay, TransportPlanDisplay

pytestmark = pytest.mark.slow

mpl.use("agg")

X = np.random.default_rng(0).normal(size=(80, 12)).astype("float32")
TARGET = pd.DataFrame(
    {"gender": np.where(X[:, 0] > 0, "f", "m"), "age": 40 + 5.0 * X[:, 8].astype(float)}
)
SETTINGS = {"encoder": "tokens", "n_tokens": 4, "token_dim": 8, "hidden": (), "random_state": 0}


@pytest.fixture(autouse=True)
def leave_no_figure_behind():
    import matplotlib.pyplot as plt

    before = set(plt.get_fignums())
    yield
    for number in set(plt.get_fignums()) - before:
        plt.close(number)


@pytest.fixture(scope="module")
def tango():
    return TANGO(views=[5, 7], max_epochs=15, **SETTINGS).fit(X, TARGET)


def widths(ax):
    """What the bars of a panel say, from top to bottom or left to right."""
    flat = ax.get_yticklabels() and ax.get_ylabel() == ""
    bars = [
        (bar.get_y(), bar.get_width()) if flat else (bar.get_x(), bar.get_height())
        for bar in ax.patches
    ]
    return [size for _, size in sorted(bars)]


def titles(display):
    return [ax.get_title().replace("\N{MINUS SIGN}", "-") for ax in display.axes_]


def test_bars_are_what_views_and_tokens_add(tango):
    display = ExplanationDisplay.from_estimator(tango, X, row=6)
    expected = explain(tango, X[6:7])
    for place, task in enumerate(("gender", "age")):
        views, *tokens = display.axes_[3 * place : 3 * place + 3]
        np.testing.assert_allclose(widths(views), expected.views[task].iloc[0])
        assert [text.get_text() for text in views.get_yticklabels()] == ["x1", "x2"]
        diamonds = next(line for line in views.lines if line.get_marker() == "D")
        np.testing.assert_allclose(diamonds.get_xdata(), expected.lost[task].iloc[0])
        np.testing.assert_allclose(diamonds.get_ydata(), [0, 1])
        for panel, view in zip(tokens, ("x1", "x2"), strict=True):
            np.testing.assert_allclose(widths(panel), expected.tokens[task][view][0])
        assert tokens[0].get_ylim() == tokens[1].get_ylim()
        assert views.get_xlim()[0] == -views.get_xlim()[1]
    gates = display.axes_[7:]
    for panel, view in zip(gates, ("x1", "x2"), strict=True):
        drawn = next(line for line in panel.lines if line.get_marker() == "o")
        np.testing.assert_allclose(drawn.get_ydata(), expected.gates[view][0])


def test_the_answer_and_the_unit_are_named(tango):
    display = ExplanationDisplay.from_estimator(tango, X, row=6)
    told = explain(tango, X[6:7], n_steps=0)
    answer = tango.predict(X[6:7])
    share = tango.predict_proba(X[6:7])[0].max()
    gender, age = titles(display)[0], titles(display)[3]
    assert gender.startswith(f"gender: {answer['gender'][0]} ({share:.2f})\n")
    assert f"{told.empty['gender'].iloc[0]:+.2f} with no view" in gender
    assert f"{told.full['gender'].iloc[0]:+.2f} with all" in gender
    assert age.startswith(f"age: {answer['age'][0]:.1f} years\n")
    labels = [ax.get_xlabel().partition(";")[0] for ax in display.axes_]
    assert labels[0] == "adds (log10 odds)"
    assert labels[3] == "adds (years)"
    assert display.axes_[1].get_ylabel() == "adds (log10 odds)"
    assert display.axes_[5].get_ylabel() == "adds (years)"


def test_a_probability_is_never_drawn_as_certain():
    model = SingleView(max_epochs=60, **SETTINGS).fit(X, np.where(X[:, 0] > 0, "f", "m"))
    shares = model.predict_proba(X)
    row = int(shares.max(axis=1).argmax())
    assert shares[row].max() > 0.999
    display = ExplanationDisplay.from_estimator(model, X, row=row)
    assert "(> 0.99)" in titles(display)[0]
    other = {"y": model.classes_[shares[row].argmin()]}
    display = ExplanationDisplay.from_estimator(model, X, row=row, classes=other)
    assert "(< 0.01)" in titles(display)[0]


def test_for_and_against_look_different_in_colour_and_in_grey(tango):
    display = ExplanationDisplay.from_estimator(tango, X, row=6)
    looks = {}
    for ax in display.axes_[[1, 2, 4, 5]]:
        for bar in ax.patches:
            look = (to_hex(bar.get_facecolor()), bar.get_hatch())
            looks.setdefault(bool(bar.get_height() >= 0), set()).add(look)
    assert looks.keys() == {True, False}
    assert all(len(found) == 1 for found in looks.values())
    (colour, hatch), (other_colour, other_hatch) = (*looks[True], *looks[False])
    assert colour != other_colour
    assert hatch != other_hatch


def test_the_plan_is_that_of_the_recording_over_the_uniform_one(tango):
    display = ExplanationDisplay.from_estimator(tango, X, row=6)
    one = TransportPlanDisplay.from_estimator(tango, X[6:7])
    drawn = display.axes_[6].images[0].get_array()
    np.testing.assert_allclose(drawn, one.ratios["x1", "x2"], rtol=1e-5)
    assert f"entropy {one.entropies['x1', 'x2']:.3f}" in titles(display)[6]


def test_of_several_networks_the_plans_stand_side_by_side():
    model = TANGO(views=[5, 7], reg=1e4, n_members=2, max_epochs=1, mass=0.6, **SETTINGS)
    display = ExplanationDisplay.from_estimator(model.fit(X, TARGET["age"]), X)
    ratio = display.axes_[3].images[0].get_array()
    assert ratio.shape == (4, 8)
    np.testing.assert_allclose(ratio, 1, atol=0.01)
    assert "entropy 1.000, 60 % of the mass" in titles(display)[3]
    assert [set(line.get_xdata()) for line in display.axes_[3].lines] == [{3.5}]
    edges = [line for line in display.axes_[1].lines if line.get_linestyle() == ":"]
    assert [set(line.get_xdata()) for line in edges] == [{3.5}]
    assert len(display.axes_[1].patches) == 8


@pytest.mark.parametrize(
    ("model", "n_panels"),
    [
        (ConcatFusion(views=[5, 7], max_epochs=1, **SETTINGS), 6),
        (SingleView(max_epochs=1, **SETTINGS), 4),
        (TANGO(views=[5, 7], gated=False, max_epochs=1, **SETTINGS), 7),
        (TANGO(views=[3, 4, 5], max_epochs=1, **SETTINGS), 14),
        (TANGO(views=[5, 7], max_epochs=1, random_state=0), 9),
    ],
    ids=["concat", "single", "no gates", "three views", "conv"],
)
def test_what_a_model_does_not_have_is_left_out(model, n_panels):
    display = ExplanationDisplay.from_estimator(model.fit(X, TARGET), X)
    assert len(display.axes_) == n_panels
    assert sum(title.startswith("gates of") for title in titles(display)) in (0, 2, 3)
    display.figure_.canvas.draw()


def test_tasks_can_be_chosen_and_an_explanation_drawn_without_tokens(tango):
    display = ExplanationDisplay.from_estimator(tango, X, tasks=["age"])
    assert titles(display)[0].startswith("age:")
    assert len(display.axes_) == 6
    told = explain(tango, X[:3], n_steps=0)
    drawn = ExplanationDisplay(told, row=2, tasks=["gender"], name="page 3").plot()
    assert len(drawn.axes_) == 4
    np.testing.assert_allclose(widths(drawn.axes_[0]), told.views["gender"].iloc[2])
    assert drawn.figure_.get_suptitle() == "page 3"
    with pytest.raises(ReportError, match="no task 'mood'; there are 'gender', 'age'"):
        ExplanationDisplay.from_estimator(tango, X, tasks=["mood"])


def test_names_of_users_are_no_formulas_and_not_too_long():
    frame = pd.DataFrame(
        X, columns=[f"US$ {i // 6} of a name without an end__{i}" for i in range(12)]
    )
    target = TARGET.rename(columns={"gender": "gender$ of the person who speaks there"})
    model = ConcatFusion(max_epochs=1, **SETTINGS).fit(frame, target)
    display = ExplanationDisplay.from_estimator(model, frame, name="$x^")
    display.figure_.canvas.draw()  # a broken formula would raise
    texts = [text for title in titles(display) for text in title.split("\n")]
    assert max(map(len, texts)) < 60
    assert r"\$" in titles(display)[0]


def test_a_row_that_is_not_there_is_refused(tango):
    for row in (80, -1):
        with pytest.raises(ParameterError, match=f"row is {row}, but there are 80 recordings"):
            ExplanationDisplay.from_estimator(tango, X, row=row)
    with pytest.raises(ParameterError, match="row is 2, but 2 recordings are explained"):
        ExplanationDisplay(explain(tango, X[:2], n_steps=0), row=2).plot()


def test_what_cannot_be_explained_is_refused(tango):
    with pytest.raises(ParameterError, match="PerTask cannot be explained"):
        ExplanationDisplay.from_estimator(PerTask().fit(X, TARGET), X)
    with pytest.raises(NotFittedError):
        ExplanationDisplay.from_estimator(TANGO(), X)
    with pytest.raises(TargetError, match="asks for 'x' of 'gender'"):
        ExplanationDisplay.from_estimator(tango, X, classes={"gender": "x"})
    with pytest.raises(ParameterError, match="ax holds 2 axes, but 9 panels are drawn"):
        ExplanationDisplay.from_estimator(tango, X, ax=Figure().subplots(1, 2))


def test_pipelines_of_numbers_and_of_recordings(tango, corpus):
    pipe = make_pipeline(StandardScaler().fit(X), tango)
    display = ExplanationDisplay.from_estimator(pipe, X, row=6)
    expected = explain(tango, pipe[0].transform(X[6:7]), n_steps=0).views["age"].iloc[0]
    np.testing.assert_allclose(widths(display.axes_[3]), expected)
    voices = make_pipeline(make_views("mfcc", "prosody"), TANGO(max_epochs=1, **SETTINGS))
    files, target = corpus.data[:6], corpus.target[["gender", "age"]][:6]
    display = ExplanationDisplay.from_estimator(voices.fit(files, target), files, row=5)
    assert [text.get_text() for text in display.axes_[0].get_yticklabels()] == ["mfcc", "prosody"]
