"""Early stopping, going on from where one stopped, mixing, and ages as a distribution."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import GroupKFold, PredefinedSplit, ShuffleSplit, StratifiedKFold

from sfmforensics.estimators import TANGO, ConcatFusion, SingleView
from sfmforensics.exceptions import TargetError, TrainingError
from sfmforensics.model_selection import TargetGroupKFold, TargetStratifiedKFold
from sfmforensics.nn import training
from sfmforensics.nn.fusion import GatedTransport

ALL = [SingleView, ConcatFusion, TANGO]
FAST = {"encoder": "tokens", "hidden": (32,), "random_state": 0}


@pytest.fixture
def sides(monkeypatch):
    """The recordings that a fit learnt from, and those that it kept back."""
    seen = {}

    def spy(network, loss, data, *, validation=None, **options):
        seen.update(train=data, valid=validation)
        return training.train(network, loss, data, validation=validation, **options)

    monkeypatch.setattr("sfmforensics.estimators._base.train", spy)
    return seen


def inputs_of(part):
    """Inputs of the recordings of one side."""
    return part.inputs(slice(None))


def rows_of(part, X):
    """Positions in X of the recordings of one side; the inputs tell which they are."""
    return [
        int(np.flatnonzero((X.to_numpy() == row).all(axis=1))[0]) for row in inputs_of(part).numpy()
    ]


@pytest.mark.parametrize("estimator", ALL)
def test_early_stopping_keeps_the_weights_of_the_best_epoch(estimator, table, sides):
    X, y = table
    noise = X + np.random.default_rng(1).normal(size=X.shape).astype(np.float32) * 3
    options = FAST | {"max_epochs": 200, "early_stopping": True, "patience": 4, "validation": 0.3}
    model = estimator(**options).fit(noise, y)
    losses = [row["valid_loss"] for row in model.history_]
    assert len(losses) < 200
    assert len(losses) == model.best_epoch_ + 4
    assert int(np.argmin(losses)) + 1 == model.best_epoch_
    # The weights that answer now have the loss of that epoch.
    loss = model._loss(model._codec, sides["train"].y.numpy(), None)
    with torch.inference_mode():
        outputs = model.module_(inputs_of(sides["valid"]))
    assert float(loss.with_fixed_weights(outputs, sides["valid"].y)) == pytest.approx(min(losses))


def test_without_early_stopping_nothing_is_kept_back(table, sides):
    X, y = table
    model = TANGO(**FAST, max_epochs=3).fit(X, y)
    assert sides["valid"] is None
    assert len(inputs_of(sides["train"])) == 60
    assert model.best_epoch_ == 3
    assert "valid_loss" not in model.history_[0]


def test_a_share_is_kept_back_of_every_speaker(table, sides):
    X, y = table
    TANGO(**FAST, max_epochs=2, early_stopping=True, validation=0.2).fit(X, y)
    kept = rows_of(sides["valid"], X)
    assert sorted(kept + rows_of(sides["train"], X)) == list(range(60))
    assert y["speaker"].iloc[kept].value_counts().tolist() == [2] * 6


@pytest.mark.parametrize("how", ["groups", "splitter", "group splitter"])
def test_no_speaker_leaks_into_what_is_kept_back_if_asked(how, table, sides):
    X, y = table
    validation = {
        "groups": 0.3,
        "splitter": TargetGroupKFold(3, on="speaker", shuffle=True, random_state=0),
        "group splitter": GroupKFold(3),
    }[how]
    options = FAST | {"max_epochs": 2, "early_stopping": True, "validation": validation}
    TANGO(**options).fit(X, y, groups=None if how == "splitter" else y["speaker"])
    kept, learnt = rows_of(sides["valid"], X), rows_of(sides["train"], X)
    assert len(kept) == 20
    assert not set(y["speaker"].iloc[kept]) & set(y["speaker"].iloc[learnt])
    # A speaker who was never heard has no class, and does not count in the loss.
    assert sides["valid"].y[:, 0].isnan().all()
    assert not sides["valid"].y[:, 1:].isnan().any()


def test_copies_stay_together_in_a_stratified_splitter(table, sides):
    X, y = table
    copies = np.arange(60) // 2
    validation = TargetStratifiedKFold(5, on="speaker", shuffle=True, random_state=0)
    options = FAST | {"max_epochs": 1, "early_stopping": True, "validation": validation}
    TANGO(**options).fit(X, y, groups=copies)
    kept, learnt = rows_of(sides["valid"], X), rows_of(sides["train"], X)
    assert not set(copies[kept]) & set(copies[learnt])
    assert y["speaker"].iloc[kept].nunique() == 6


def test_the_only_recording_of_a_speaker_is_learnt_from(table, sides):
    X, y = table
    y = y.copy()
    y.loc[7, "speaker"] = "only once"
    for seed in range(5):
        options = FAST | {"random_state": seed, "max_epochs": 1, "early_stopping": True}
        model = TANGO(**options, validation=0.5).fit(X, y)
        assert 7 in rows_of(sides["train"], X)
        assert "only once" in model.classes_[0]


def test_a_label_of_every_recordings_own_does_not_stand_in_the_way(table, sides):
    X, y = table
    y = y.assign(speaker=[f"s{i}" for i in range(60)])
    TANGO(**FAST, max_epochs=1, early_stopping=True).fit(X, y)
    assert y["emotion"].iloc[rows_of(sides["valid"], X)].value_counts().tolist() == [3, 3]
    with pytest.raises(TargetError, match="no recording to judge by"):
        TANGO(**FAST, max_epochs=1, early_stopping=True).fit(X, y[["speaker"]])


def test_recordings_whose_labels_were_not_learnt_cannot_judge(table, sides):
    X, y = table
    options = FAST | {"max_epochs": 1, "early_stopping": True}
    with pytest.raises(TargetError, match="no recording to judge by"):
        TANGO(**options).fit(X, y[["speaker"]], groups=y["speaker"])
    splitter = TargetGroupKFold(3, on="speaker")
    with pytest.raises(TargetError, match="no recording to judge by"):
        TANGO(**options, validation=splitter).fit(X, y[["speaker"]])
    few = y[["emotion"]].copy()
    few.loc[~few.index.isin([3, 20, 31, 44]), "emotion"] = None
    for seed in range(6):
        TANGO(**options | {"random_state": seed}).fit(X, few)
        assert not sides["valid"].y.isnan().all()


def test_a_splitter_that_gives_no_split_or_wants_groups_is_refused(table):
    options = FAST | {"max_epochs": 1, "early_stopping": True}
    with pytest.raises(TargetError, match="gives no split"):
        TANGO(**options, validation=PredefinedSplit(np.full(60, -1))).fit(*table)
    with pytest.raises(TargetError, match="pass the groups"):
        TANGO(**options, validation=GroupKFold(3)).fit(*table)


def test_a_label_of_another_task_is_not_kept_back_as_a_whole(table, sides):
    X, y = table
    y = y.copy()
    y.loc[[7, 31], "emotion"] = "rare"
    for seed in range(8):
        options = FAST | {"random_state": seed, "max_epochs": 1, "early_stopping": True}
        model = TANGO(**options, validation=0.5).fit(X, y)
        assert model.classes_[1].tolist() == ["angry", "calm", "rare"]
        assert len(inputs_of(sides["valid"])) >= 20


def test_a_splitter_of_positions_and_weights_of_0_go_together(table, sides):
    X, y = table
    fold = np.full(60, -1)
    fold[50:] = 0
    weight = np.ones(60)
    weight[[0, 1, 55]] = 0
    options = FAST | {"max_epochs": 1, "early_stopping": True}
    TANGO(**options, validation=PredefinedSplit(fold)).fit(X, y, sample_weight=weight)
    assert rows_of(sides["valid"], X) == [50, 51, 52, 53, 54, 56, 57, 58, 59]
    assert rows_of(sides["train"], X) == list(range(2, 50))


def test_a_splitter_without_a_seed_gets_the_seed_of_the_fit(table, sides):
    X, y = table
    options = FAST | {"max_epochs": 1, "early_stopping": True, "validation": ShuffleSplit(1)}
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator is watched
    kept = []
    for _ in range(2):
        TANGO(**options).fit(X, y)
        kept.append(rows_of(sides["valid"], X))
    assert kept[0] == kept[1]
    TANGO(**options | {"random_state": 1}).fit(X, y)
    assert rows_of(sides["valid"], X) != kept[0]
    own = ShuffleSplit(1, random_state=5)
    for seed in (0, 1):
        TANGO(**options | {"random_state": seed, "validation": own}).fit(X, y)
        assert rows_of(sides["valid"], X) == next(own.split(X))[1].tolist(), "its own seed stays"
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert options["validation"].random_state is None


def test_a_splitter_may_draw_recordings_again_and_in_any_order(table, sides):
    X, y = table

    class Bootstrap:
        def split(self, X, y=None, groups=None):
            rng = np.random.default_rng(0)
            yield rng.integers(0, 50, 60)[::-1], np.array([55, 52, 58])

        def get_n_splits(self, X=None, y=None, groups=None):
            return 1

    weight = np.ones(60)
    weight[[3, 52]] = 0
    options = FAST | {"max_epochs": 1, "early_stopping": True, "validation": Bootstrap()}
    for weights in (None, weight):
        model = TANGO(**options).fit(X, y, sample_weight=weights)
        for part in sides.values():
            rows = rows_of(part, X)
            labels = model.classes_[1][part.y[:, 1].numpy().astype(int)]
            assert labels.tolist() == y["emotion"].iloc[rows].tolist()


def test_a_warm_start_keeps_back_what_was_kept_back(table, sides):
    X, y = table
    options = FAST | {"random_state": None, "max_epochs": 1, "early_stopping": True}
    model = TANGO(**options, warm_start=True).fit(X, y)
    kept = rows_of(sides["valid"], X)
    model.fit(X, y)
    assert rows_of(sides["valid"], X) == kept


def test_a_splitter_that_cannot_read_the_targets_is_refused_with_the_way_out(table):
    with pytest.raises(
        TargetError,
        match=r"StratifiedKFold.*; pass the groups that it asks for to fit, or use one that reads "
        r"targets of several columns: TargetStratifiedKFold or TargetGroupKFold of "
        r"sfmforensics\.model_selection$",
    ):
        TANGO(**FAST, early_stopping=True, validation=StratifiedKFold(3)).fit(*table)
    X, y = table
    with pytest.raises(TargetError, match=r"; use one that reads targets of several columns"):
        TANGO(**FAST, early_stopping=True, validation=StratifiedKFold(3)).fit(
            X, y, groups=y["speaker"]
        )


def test_recordings_kept_back_with_impossible_inputs_are_said(table):
    X, y = table
    X = X.copy()
    X.iloc[50:] = 3e38
    fold = np.where(np.arange(60) < 50, -1, 0)
    with pytest.raises(TrainingError, match="kept back"):
        TANGO(**FAST, early_stopping=True, validation=PredefinedSplit(fold)).fit(X, y)


@pytest.mark.parametrize("groups", [None, np.zeros(60)])
def test_nothing_to_keep_back_is_said(groups, table):
    X, y = table
    if groups is None:
        X, y = X[:1], y[:1]
    with pytest.raises(TargetError, match=r"validation=0\.1"):
        TANGO(**FAST, early_stopping=True).fit(X, y, groups=groups)


def test_no_task_is_kept_back_as_a_whole(table, sides):
    X, y = table
    y = y.copy()
    y.loc[~y.index.isin([8, 20]), "age"] = np.nan
    for seed in range(6):
        options = FAST | {"max_epochs": 1, "early_stopping": True, "random_state": seed}
        TANGO(**options, validation=0.4).fit(X, y, groups=y["speaker"])
        assert set(rows_of(sides["train"], X)) & {8, 20}
    with pytest.raises(TargetError, match="no label of 'age'"):
        TANGO(**options, validation=ShuffleSplit(1, test_size=59, random_state=1)).fit(X, y)
    y.loc[20, "age"] = np.nan
    TANGO(**options, validation=0.4).fit(X, y, groups=y["speaker"])
    assert 8 in rows_of(sides["train"], X)


def test_any_splitter_of_scikit_learn_will_do(table, sides):
    X, y = table
    options = FAST | {"max_epochs": 1, "early_stopping": True}
    TANGO(**options, validation=ShuffleSplit(1, test_size=7, random_state=0)).fit(X, y)
    assert len(inputs_of(sides["valid"])) == 7


def test_warm_start_goes_on_where_it_stopped(table):
    X, y = table
    model = TANGO(**FAST, max_epochs=3, warm_start=True).fit(X, y)
    first, loss = model.module_, model.history_[-1]["train_loss"]
    model.fit(X, y)
    assert [row["epoch"] for row in model.history_] == [1, 2, 3, 4, 5, 6]
    assert model.history_[3]["train_loss"] < loss
    assert model.best_epoch_ == 6
    assert model.module_ is not first
    anew = TANGO(**FAST, max_epochs=3).fit(X, y).fit(X, y)
    assert len(anew.history_) == 3


def test_warm_start_learns_new_recordings_with_the_labels_that_it_knows(table):
    X, y = table
    old = y["emotion"] == "calm"
    model = TANGO(**FAST, max_epochs=20, warm_start=True)
    model.fit(X, y).fit(X[old], y[old])
    assert model.classes_[1].tolist() == ["angry", "calm"]
    with pytest.raises(TargetError, match=r"'99'.*warm_start=False"):
        model.fit(X, y.assign(speaker="99"))
    with pytest.raises(TargetError, match=r"columns speaker, age.*speaker, emotion"):
        model.fit(X, y[["speaker", "age"]])
    with pytest.raises(TargetError, match="regression_loss"):
        model.set_params(regression_loss="distribution").fit(X, y)
    assert model.predict(X).shape == (60, 4)  # still what it was


@pytest.mark.parametrize(
    "change", [{"reg": 0.5}, {"hidden": (4,)}, {"views": [5, 25]}, {"encoder": "conv"}]
)
def test_a_warm_start_with_another_network_is_refused(change, table):
    X, y = table
    model = TANGO(**FAST, max_epochs=1, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=next(iter(change))):
        model.set_params(**change).fit(X, y)
    assert model.predict(X).shape == (60, 4)


def test_a_warm_start_that_is_interrupted_leaves_the_model_as_it_was(table, monkeypatch):
    X, y = table
    model = TANGO(**FAST, max_epochs=2, warm_start=True).fit(X, y)
    before = model.predict(X)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sfmforensics.nn.training._WeighTasksAnew.on_epoch_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    pd.testing.assert_frame_equal(model.predict(X), before)
    assert len(model.history_) == 2


@pytest.mark.parametrize("estimator", ALL)
def test_mixed_recordings_are_learnt_from(estimator, table):
    X, y = table
    train = np.arange(60) % 4 < 2
    options = FAST | {"max_epochs": 60, "batch_size": 8, "weight_decay": 1e-2}
    mixed = estimator(**options, mixup=0.4).fit(X[train], y[train])
    answers, true = mixed.predict(X[~train]), y[~train]
    assert (answers["emotion"] == true["emotion"]).mean() > 0.7
    assert (answers["speaker"] == true["speaker"]).mean() > 0.7
    plain = estimator(**options).fit(X[train], y[train])
    # What is between two recordings is never quite learnt by heart.
    assert mixed.history_[-1]["train_loss"] > plain.history_[-1]["train_loss"]


@pytest.mark.parametrize("estimator", ALL)
def test_mixed_precision_learns_the_same_in_a_shorter_format(estimator, table):
    X, y = table
    whole, mixed = (
        estimator(**FAST, max_epochs=10, precision=precision).fit(X, y)
        for precision in ("float32", "bfloat16")
    )
    assert {weights.dtype for weights in mixed.module_.parameters()} == {torch.float32}
    losses = [[row["train_loss"] for row in model.history_] for model in (whole, mixed)]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    agree = whole.predict(X)[["speaker"]] == mixed.predict(X)[["speaker"]]
    assert agree.to_numpy().mean() > 0.9


def test_mixed_precision_leaves_transport_as_it_is():
    fusion = GatedTransport([(4, 8), (6, 8)])
    views = [torch.randn(3, 4, 8), torch.randn(3, 6, 8)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = fusion(views)
    assert found.dtype == torch.float32
    assert torch.equal(found, fusion(views))


def test_a_batch_is_mixed_with_itself_and_its_losses_likewise():
    X, y = torch.arange(8.0)[:, None], torch.arange(8.0)[:, None]
    batches = training._Batches(training.Labelled(X, y), batch_size=4, mixup=1.0)
    for mixed, parts in batches:
        (share, own, _), (rest, other, _) = parts
        assert share + rest == pytest.approx(1)
        torch.testing.assert_close(mixed, share * own + rest * other)
        assert sorted(own[:, 0].tolist()) == sorted(other[:, 0].tolist())


@pytest.mark.parametrize("estimator", ALL)
def test_ages_as_a_distribution_are_its_expectation(estimator, table):
    X, y = table
    train = np.arange(60) % 4 < 2
    options = FAST | {"max_epochs": 60, "batch_size": 8}
    model = estimator(**options, regression_loss="distribution").fit(X[train], y[train])
    ages = model.predict(X[~train])["age"]
    assert np.sqrt(((ages - y["age"][~train]) ** 2).mean()) < y["age"].std() / 2
    assert ages.between(y["age"].min(), y["age"].max()).all()
    scores = model._outputs(X[~train])[3]
    assert scores.shape == (30, 6)  # one for each age that was seen
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ages, p @ np.unique(y["age"]), rtol=1e-5)


def test_smoothed_numbers_are_told_with_a_spread_in_their_own_deviations(table):
    X, y = table
    options = FAST | {"max_epochs": 300, "regression_loss": "distribution", "number_smoothing": 0.8}
    model = ConcatFusion(**options).fit(X, y[["age"]])
    scores = model._outputs(X)[0]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    ages = np.unique(y["age"])
    normal = np.exp(
        -(((ages - y["age"].to_numpy()[:, None]) / y["age"].std(ddof=0) / 0.8) ** 2) / 2
    )
    np.testing.assert_allclose(p, normal / normal.sum(axis=1, keepdims=True), atol=0.1)


def test_one_age_alone_and_very_many_are_learnt_as_a_distribution(table):
    X, _ = table
    options = FAST | {"max_epochs": 40, "regression_loss": "distribution"}
    one = SingleView(**options).fit(X, np.full(60, 33.0))
    np.testing.assert_allclose(one.predict(X), 33)
    rng = np.random.default_rng(0)
    many = rng.normal(size=(400, 6)).astype(np.float32)
    number = 100 * many[:, 0] + 7
    model = SingleView(**options).fit(many, number)
    assert model.module_(torch.from_numpy(many[:2]))[0].shape == (2, 200)
    assert np.corrcoef(model.predict(many), number)[0, 1] > 0.9


@pytest.mark.parametrize(
    "options",
    [
        {"early_stopping": True, "validation": 0.0},
        {"validation": "0.2"},
        {"patience": 0},
        {"mixup": -1},
        {"precision": "float16"},
        {"hidden": (0,)},
        {"hidden": (2.5,)},
        {"views": {"a": 10, "b": 20}},
        {"views": [10.5, 19.5]},
        {"views": None},
        {"tasks": ["regression"]},
        {"mass": 0.01},
    ],
)
def test_impossible_settings_are_refused(options, table):
    with pytest.raises(ValueError, match=next(reversed(options))):
        TANGO(**FAST | options).fit(*table)
