import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sfmforensics import TANGO, ConcatFusion, SingleView
from sfmforensics.datasets import load_table
from sfmforensics.datasets.corpora import load_corpora
from sfmforensics.estimators import PerTask
from sfmforensics.estimators._base import mean_score
from sfmforensics.evidence import CalibratedModel
from sfmforensics.exceptions import DatasetError, EvidenceWarning, TargetError
from sfmforensics.experiment import evaluate, score_intervals
from sfmforensics.metrics import ccc, mae, mean_skill, rmse
from sfmforensics.metrics._groups import groupings_of
from sfmforensics.model_selection import check_target, make_splits
from sfmforensics.nn.losses import MultiTaskLoss
from sfmforensics.targets import TargetCodec, bands, task_kind
from sfmforensics.targets._bands import band_text, parse_band

AGES = st.floats(0, 120, allow_nan=False).map(lambda age: round(age, 3))
ENDS = st.floats(allow_nan=False, allow_infinity=False)


def ends(column):
    return [None if pd.isna(one) else (one.left, one.right) for one in column]


@pytest.mark.parametrize(
    ("written", "low", "high"),
    [
        ("34", 34, 34),
        ("34.5", 34.5, 34.5),
        ("20-29", 20, 29),
        ("20 - 29", 20, 29),
        ("20\u201329", 20, 29),
        ("20 to 29", 20, 29),
        ("[20, 29]", 20, 29),
        ("60+", 60, np.inf),
        (">= 60", 60, np.inf),
        ("60 or older", 60, np.inf),
        ("> 89", 90, np.inf),
        ("over 89.5", 89.5, np.inf),
        ("<19", -np.inf, 18),
        ("up to 18", -np.inf, 18),
        ("Twenties", 20, 29),
        ("fourties", 40, 49),
        ("30s", 30, 39),
        ("teens", 13, 19),
        ("-0.5", -0.5, -0.5),
        ("[-0.5, 1e-05]", -0.5, 1e-5),
        ("[60, inf]", 60, np.inf),
        ("65 or more", 65, np.inf),
        ("20\u201429", 20, 29),
    ],
)
def test_a_band_is_read_as_people_write_it(written, low, high):
    assert ends(bands([written])) == [(low, high)]


@pytest.mark.parametrize("odd", ["old", "29-20", "20-", (3, 2), True, [1, 2, 3], "inf"])
def test_what_is_no_band_is_refused_by_its_column(odd):
    with pytest.raises(TargetError, match="'age' holds"):
        bands([20.0, odd])


@given(st.lists(st.tuples(ENDS, ENDS).map(sorted) | ENDS | st.none()))
def test_what_is_written_is_read_again(values):
    column = bands(values)
    assert column.dtype == pd.IntervalDtype("float64", "both")
    assert ends(bands([None if pd.isna(one) else band_text(one) for one in column])) == ends(column)


@given(st.text(max_size=12))
def test_no_text_makes_it_fail(text):
    found = parse_band(text)
    assert found is None or len(found) == 2


@given(st.lists(st.tuples(AGES, AGES), min_size=1))
def test_a_number_is_a_band_without_width(pairs):
    true, predicted = map(list, zip(*pairs, strict=True))
    for metric in (rmse, mae, ccc):
        score = metric(bands(true), predicted)
        assert score == pytest.approx(metric(true, predicted), nan_ok=True)


def test_an_answer_in_the_band_is_right_and_any_other_off_by_its_distance():
    true = bands(["20-29", "20-29", "20-29", "60+", None])
    assert mae(true, [20.0, 31.0, 17.0, 80.0, 5.0]) == (0 + 2 + 3 + 0) / 4
    assert rmse(true, [20.0, 31.0, 17.0, 80.0, 5.0]) == np.sqrt((4 + 9) / 4)
    weights = [[1, 0, 0, 0, 0], [0, 2, 0, 0, 3]]
    np.testing.assert_allclose(
        mae(true, [25.0, 31.0, 17.0, 80.0, 5.0], sample_weight=weights), [0, 2]
    )


def fit_data(seed=0, n=60):
    rng = np.random.default_rng(seed)
    age = rng.uniform(20, 60, n).round()
    X = np.column_stack(
        [age + rng.normal(scale=1, size=n), rng.normal(size=n), rng.normal(size=(n, 2))]
    )
    return X, age


OPTIONS = {"views": [2, 2], "hidden": (8,), "head": 4, "random_state": 0, "max_epochs": 60}
OPTIONS |= {"encoder": "tokens", "n_tokens": 2, "token_dim": 4, "learning_rate": 0.01}


@pytest.mark.parametrize("loss", ["rmse", "huber"])
@pytest.mark.parametrize("model", [TANGO, ConcatFusion])
def test_bands_without_width_are_learnt_as_the_numbers(model, loss):
    X, age = fit_data()
    options = OPTIONS | {"max_epochs": 3, "regression_loss": loss, "precision": "float64"}
    plain = model(**options).fit(X, pd.DataFrame({"age": age})).predict(X)
    banded = model(**options).fit(X, pd.DataFrame({"age": bands(age)})).predict(X)
    np.testing.assert_allclose(plain["age"], banded["age"], rtol=1e-9)


@pytest.mark.parametrize("loss", ["rmse", "huber", "ccc", "distribution"])
def test_decades_alone_teach_the_age(loss):
    X, age = fit_data()
    low = age // 10 * 10
    y = pd.DataFrame({"age": bands(list(zip(low, low + 9, strict=True)))})
    model = TANGO(**OPTIONS, regression_loss=loss).fit(X, y)
    answers = model.predict(X)["age"]
    assert answers.dtype == np.float64
    assert mae(age, answers) < 5
    assert mae(y["age"], answers) < 2.5
    assert model.score(X, y) > 0.7
    assert pickle.loads(pickle.dumps(model)).predict(X).equals(model.predict(X))


def test_a_band_adds_nothing_where_the_answer_lies_in_it():
    targets = torch.tensor([[24.5, 20.0, 29.0]])
    for answer, expected, slope in ((22.0, 0, 0), (31.0, 2.0, 1.0), (17.0, 3.0, -1.0)):
        output = torch.tensor([[answer]], requires_grad=True)
        loss = MultiTaskLoss(["regression"], 1.0, edges={0: 1})([output], targets)
        loss.backward()
        assert loss.item() == pytest.approx(expected, abs=2e-4)
        assert output.grad.item() == pytest.approx(slope, abs=1e-4)


def test_a_distribution_puts_its_probability_into_the_band():
    points = torch.tensor([10.0, 20.0, 25.0, 30.0])
    targets = torch.tensor([[24.5, 20.0, 29.0], [12.0, 11.0, 13.0]])
    scores = torch.tensor([[0.0, 1.0, 2.0, 3.0]]).repeat(2, 1)
    loss = MultiTaskLoss(
        ["regression"], 1.0, regression="distribution", points=[points], edges={0: 1}
    )([scores], targets)
    shares = scores[0].softmax(0)
    expected = -(torch.log(shares[1] + shares[2]) + torch.log(shares[0])) / 2
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_ccc_is_one_minus_lins_concordance():
    rng = np.random.default_rng(0)
    true, output = rng.normal(size=(2, 40))
    output = true + 0.5 * output
    loss = MultiTaskLoss(["regression"], 1.0, regression="ccc")(
        [torch.tensor(output[:, None])], torch.tensor(true[:, None])
    )
    assert loss.item() == pytest.approx(1 - ccc(true, output), rel=1e-6)


def test_ccc_leaves_out_what_has_no_label_and_weighs_the_rest():
    true, output = torch.tensor([0.0, 1.0, 2.0, np.nan]), torch.tensor([0.5, 0.5, 2.5, 9.0])
    weight = torch.tensor([1.0, 2.0, 1.0, 5.0])
    loss = MultiTaskLoss(["regression"], 1.0, regression="ccc", scale=torch.tensor([3 / 4]))
    weighted = loss([output[:, None]], true[:, None], weight)
    expected = 1 - ccc(true.numpy(), output.numpy(), sample_weight=[1, 2, 1, 5])
    assert weighted.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("options", [{"age_scale": "years"}])
def test_ccc_has_no_unit(options):
    X, age = fit_data()
    with pytest.raises(ValueError, match='"ccc" is a correlation'):
        TANGO(**OPTIONS, **options, regression_loss="ccc").fit(X, age)


def test_dimensions_are_learnt_by_ccc():
    X, age = fit_data()
    y = pd.DataFrame({"arousal": (age - 40) / 20})
    options = {name: value for name, value in OPTIONS.items() if name != "views"}
    answers = SingleView(**options, regression_loss="ccc").fit(X, y).predict(X)
    assert ccc(y["arousal"], answers["arousal"]) > 0.9


def test_one_model_a_task_learns_the_middles():
    X, age = fit_data()
    low = age // 10 * 10
    column = bands(list(zip(low, low + 9, strict=True)))
    banded = PerTask().fit(X, pd.DataFrame({"age": column})).predict(X)
    middle = PerTask().fit(X, pd.DataFrame({"age": low + 4.5})).predict(X)
    np.testing.assert_allclose(banded["age"], middle["age"])


def test_bands_of_pandas_are_bands_and_classes_of_its_cut_stay_classes():
    column = pd.Series(pd.IntervalIndex.from_tuples([(20, 29), (30, 39)], closed="left"))
    assert task_kind(column) == "regression"
    assert task_kind(pd.cut([25, 35], [20, 30, 40])) == "classification"
    assert TargetCodec().fit(pd.DataFrame({"age": column})).edges(
        pd.DataFrame({"age": column})
    ).shape == (2, 2)


def table(path, make_wav, ages, speakers="aabbccdd"):
    rows = ["path,speaker,age"]
    for place, (age, speaker) in enumerate(zip(ages, speakers, strict=True)):
        make_wav(path / f"{place}.wav", seed=place)
        rows.append(f"{place}.wav,{speaker},{age}")
    (path / "table.csv").write_text("\n".join(rows) + "\n")
    return path / "table.csv"


@pytest.fixture
def make_wav():
    import soundfile as sf

    def make(path, seed):
        rng = np.random.default_rng(seed)
        sf.write(path, rng.normal(scale=0.1, size=8_000), 16_000)

    return make


def test_a_table_may_have_ages_and_bands_of_them(tmp_path, make_wav):
    corpus = load_table(
        table(tmp_path, make_wav, ["20-29", "20-29", "34", "34", "60+", "60+", "", ""])
    )
    assert ends(corpus.target["age"]) == [
        *[(20, 29)] * 2,
        *[(34, 34)] * 2,
        *[(60, np.inf)] * 2,
        *[None] * 2,
    ]
    assert "20" in repr(corpus) or corpus._repr_html_()


@pytest.mark.parametrize("odd", ["29-20", "old", "150-160", "0"])
def test_an_odd_age_is_refused_by_its_row(tmp_path, make_wav, odd):
    path = table(tmp_path, make_wav, ["20-29", odd], "ab")
    with pytest.raises(DatasetError, match=rf"row 3, column 'age': '{odd}' is not .* 20-29"):
        load_table(path)


def test_corpora_with_ages_and_with_bands_have_one_column(tmp_path, make_wav):
    for name, ages in (("one", ["20-29", "30-39"]), ("two", ["25", "35"])):
        (tmp_path / name).mkdir()
        table(tmp_path / name, make_wav, ages, "ab")
    file = tmp_path / "corpora.toml"
    file.write_text(
        "".join(
            f'[corpora.{n}]\ncorpus = "table"\nroot = "{n}/table.csv"\n' for n in ("one", "two")
        )
    )
    corpus = load_corpora(file)
    assert ends(corpus.target["age"]) == [(20, 29), (30, 39), (25, 25), (35, 35)]


def banded_target(n_speakers=6, each=5, seed=0):
    rng = np.random.default_rng(seed)
    speaker = np.repeat([f"s{i}" for i in range(n_speakers)], each)
    age = np.repeat(rng.uniform(20, 60, n_speakers).round(), each)
    X = np.column_stack([age + rng.normal(size=len(age)), rng.normal(size=(len(age), 3))])
    low = age // 10 * 10
    column = bands(
        [(a, a + 9) if i % 2 else float(b) for i, (a, b) in enumerate(zip(low, age, strict=True))]
    )
    return X, pd.DataFrame({"speaker": speaker, "age": column})


def test_evaluation_folds_scores_and_tells_bands():
    X, target = banded_target()
    splits = {"disjoint": make_splits(target, "disjoint", folds=3)}
    evaluation = evaluate(X, target, {"svm": PerTask()}, splits, views="mfcc")
    answers = evaluation.predictions["svm"]
    answers = answers[answers["task"] == "age"]
    assert set(answers["true"]) == {band_text(one) for one in target["age"]}
    whole = mae(bands(answers["true"]), answers["predicted"])
    intervals = score_intervals(evaluation, target, views="mfcc", n_resamples=50)
    shown = intervals[(intervals["task"] == "age") & (intervals["metric"] == "mae")]
    assert shown.loc[shown["by"] == "all", "value"].item() == pytest.approx(whole)


def test_a_calibrated_interval_covers_wherever_in_the_band_the_truth_is():
    X, target = banded_target(n_speakers=40, each=4)
    model = CalibratedModel(PerTask(), calibration=0.5, random_state=0).fit(X, target)
    interval = model.predict_interval(X, 0.8)
    low, high = interval["age_low"], interval["age_high"]
    inside = (low <= [one.left for one in target["age"]]) & (
        high >= [one.right for one in target["age"]]
    )
    assert inside.mean() > 0.75


def test_a_copy_of_a_codec_goes_on_with_other_bands():
    X, target = banded_target()
    y = target[["age"]]
    model = TANGO(**OPTIONS | {"max_epochs": 2}, warm_start=True).fit(X, y)
    copy.deepcopy(model).fit(X, y)
    numbers = pd.DataFrame({"age": [one.left for one in y["age"]]})
    assert np.isfinite(model.fit(X, numbers).predict(X)["age"]).all()


@pytest.mark.parametrize("cell", ["34,50", "3,75", "\uff12\uff10-\uff12\uff19"])
def test_a_decimal_comma_and_other_digits_are_no_band(cell):
    with pytest.raises(TargetError, match="neither a number nor a band"):
        bands([cell])


def test_years_and_bands_are_one_column_in_any_order():
    years, banded = pd.Series([30.0, 40.0]), bands(["20-29", "60+"])
    for parts in ([years, banded], [banded, years]):
        y = pd.concat(parts, ignore_index=True).to_frame("age")
        assert TargetCodec().fit(y).kinds_ == ["regression"]
        with pytest.raises(TargetError, match="make it a column of bands"):
            check_target(y)
        check_target(y.assign(age=bands(y["age"])))


@pytest.mark.parametrize("tasks", ["classification", {"age": "classification"}])
def test_bands_are_no_classes(tasks):
    X, age = fit_data()
    with pytest.raises(TargetError, match="make them text"):
        PerTask(tasks=tasks).fit(X, pd.DataFrame({"age": bands(age)}))


def test_a_search_maximises_what_bands_allow():
    y = pd.DataFrame({"age": bands(["20-29", "30-39"] * 10)})
    assert mean_skill(y, pd.DataFrame({"age": [25.0, 33.0] * 10})) == 1
    X, target = banded_target()
    splits = {"disjoint": make_splits(target, "disjoint", folds=2)}
    models = {"net": ConcatFusion(**OPTIONS | {"max_epochs": 1})}
    search = {"learning_rate": [0.01, 0.02]}
    found = evaluate(X, target, models, splits, views="mfcc", search=search)
    assert found.scores["value"].notna().any()


def test_a_score_leaves_nothing_to_explain_where_answers_lie_in_their_bands():
    X, age = fit_data()
    y = pd.DataFrame({"age": bands([(0, 100)] * 59 + [30])})
    model = PerTask().fit(X, pd.DataFrame({"age": age}))
    assert model.predict(X[:1])["age"].between(0, 100).all()
    scored = ConcatFusion(**OPTIONS | {"max_epochs": 1}).fit(X, y).score(X, y)
    assert scored <= 1
    assert mean_score(TargetCodec().fit(y), y, pd.DataFrame({"age": [50.0] * 59 + [30.0]})) == 1


def test_a_band_is_a_group_of_its_own():
    groups = groupings_of(pd.DataFrame({"age": bands(["<19", "19-29", "18-65", None])}))["age"]
    assert groups.tolist() == ["<=18", "19-29", "18-65", None]


def test_bands_open_above_make_intervals_infinite_and_that_is_said():
    X, target = banded_target(n_speakers=40, each=2)
    target["age"] = bands(["20+" if i % 2 else age for i, age in enumerate(target["age"])])
    with pytest.warns(EvidenceWarning, match="open at one end"):
        CalibratedModel(PerTask(), calibration=0.5, random_state=0).fit(X, target)


def test_negative_bands_go_through_scores_and_files(tmp_path):
    X, _ = fit_data()
    y = pd.DataFrame({"speaker": list("abcdef") * 10})
    y["valence"] = bands([(-0.5, -0.1) if i % 3 else 0.3 for i in range(60)])
    splits = {"closed": make_splits(y, "closed", folds=2)}
    found = evaluate(X, y, {"svm": PerTask()}, splits, views="mfcc")
    intervals = score_intervals(found, y, views="mfcc", n_resamples=20)
    assert intervals.loc[intervals["task"] == "valence", "value"].notna().all()
