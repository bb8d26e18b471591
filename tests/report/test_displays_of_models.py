"""Displays of what a model learnt: representations, plans, curves."""

import sys
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from matplotlib.colors import to_hex
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sfmforensics import TANGO, ConcatFusion
from sfmforensics.estimators import PerTask
from sfmforensics.exceptions import ParameterError, ReportError, SplitWarning, TargetError
from sfmforensics.metrics import task_scorers
from sfmforensics.model_selection import TargetGroupKFold, TargetStratifiedKFold
from sfmforensics.nn.network import plan_entropy
from sfmforensics.nn.runtime import as_tensor, one_thread
from sfmforensics.report import (
    LearningCurveDisplay,
    ProjectionDisplay,
    TrainingCurveDisplay,
    TransportPlanDisplay,
)
from sfmforensics.report.displays.projection import project
from sfmforensics.report.displays.transport import plan_entropies

pytestmark = pytest.mark.slow

mpl.use("agg")

RNG = np.random.default_rng(0)
GENDER = np.tile(["f", "m"], 40)
X = RNG.normal(size=(80, 12)).astype("float32")
X[:, 0] += 8 * (GENDER == "f")
TARGET = pd.DataFrame(
    {
        "speaker": [f"s{i}" for i in np.arange(80) // 4],
        "gender": GENDER,
        "age": 40 + 5.0 * X[:, 1].astype(float),
    }
)
SETTINGS = {"encoder": "tokens", "n_tokens": 4, "token_dim": 8, "hidden": (8,), "max_epochs": 2}


@pytest.fixture(autouse=True)
def leave_no_figure_behind():
    import matplotlib.pyplot as plt

    before = set(plt.get_fignums())
    yield
    for number in set(plt.get_fignums()) - before:
        plt.close(number)


@pytest.fixture(scope="module")
def tango():
    return TANGO(views=[5, 7], random_state=0, reg=0.01, **SETTINGS).fit(X, TARGET)


class TestProjection:
    def test_neighbours_stay_neighbours(self):
        points = ProjectionDisplay.from_views(50 * X[:, :1], TARGET, task="gender").points
        near = np.argsort(((points[:, None] - points) ** 2).sum(axis=2), axis=1)[:, 1]
        assert (GENDER[near] == GENDER).mean() > 0.9

    def test_few_classes_have_colours_markers_and_counts(self):
        display = ProjectionDisplay.from_views(X, TARGET, task="gender", name="mfcc")
        labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert labels == ["f (40)", "m (40)"]
        first, second = display.ax_.collections
        assert to_hex(first.get_facecolor()[0]) != to_hex(second.get_facecolor()[0])
        assert len(first.get_paths()[0].vertices) != len(second.get_paths()[0].vertices)
        np.testing.assert_allclose(first.get_offsets(), display.points[GENDER == "f"])
        assert display.ax_.get_title() == "mfcc, t-SNE\n80 recordings by gender"
        assert "no unit" in display.ax_.get_xlabel()
        assert len(display.ax_.get_xticks()) == 0

    def test_of_many_classes_each_looks_different_and_the_title_says_so(self):
        display = ProjectionDisplay.from_views(X, TARGET, task="speaker")
        assert display.ax_.get_legend() is None
        assert "20 classes" in display.ax_.get_title()
        assert "no legend" in display.ax_.get_title()
        looks = {
            (to_hex(drawn.get_facecolor()[0]), drawn.get_paths()[0].vertices.tobytes())
            for drawn in display.ax_.collections
        }
        assert len(looks) == 20

    def test_numbers_have_a_scale_with_a_unit(self):
        display = ProjectionDisplay.from_views(X, TARGET, task="age")
        assert display.figure_.axes[1].get_ylabel() == "age (years)"
        np.testing.assert_allclose(display.ax_.collections[0].get_array(), TARGET["age"])

    def test_missing_labels_are_grey(self):
        for task in ("gender", "age"):
            target = TARGET.assign(**{task: TARGET[task].where(np.arange(80) > 9)})
            display = ProjectionDisplay.from_views(X, target, task=task)
            labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
            assert "not known (10)" in labels

    def test_fused_representations_of_a_pipeline(self, tango):
        pipe = make_pipeline(StandardScaler(), tango)
        pipe.steps[0][1].fit(X)
        display = ProjectionDisplay.from_estimator(pipe, X, TARGET, task="gender")
        np.testing.assert_array_equal(display.points, project(pipe.transform(X)))
        assert display.ax_.get_title().startswith("TANGO, t-SNE")
        with pytest.raises(ReportError, match="PerTask has no transform"):
            ProjectionDisplay.from_estimator(PerTask().fit(X, TARGET), X, TARGET, task="gender")

    def test_same_seed_same_points_and_few_rows_will_do(self):
        np.testing.assert_array_equal(project(X, random_state=3), project(X, random_state=3))
        assert project(X[:4]).shape == (4, 2)
        assert np.isfinite(project(X[:5, :1])).all()

    def test_what_cannot_be_projected_is_refused(self):
        with pytest.raises(ReportError, match="3 recordings cannot be projected; give 4 or more"):
            project(X[:3])
        with pytest.raises(ReportError, match="all recordings have the same vector"):
            project(np.ones((9, 3)))
        with pytest.raises(ValueError, match='method is \'pca\'; use "tsne" or "umap"'):
            project(X, "pca")
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            ProjectionDisplay.from_views(X[:9], TARGET, task="gender")
        with pytest.raises(TargetError, match="choose one with task="):
            ProjectionDisplay.from_views(X, TARGET)

    def test_umap_is_used_where_it_is_installed_and_named_where_not(self, monkeypatch):
        class UMAP:
            def __init__(self, n_neighbors, random_state):
                self.settings = n_neighbors, random_state

            def fit_transform(self, vectors):
                assert self.settings == (9, 5)
                return vectors[:, :2]

        umap = ModuleType("umap")
        umap.UMAP = UMAP
        monkeypatch.setitem(sys.modules, "umap", umap)
        display = ProjectionDisplay.from_views(
            X[:10], TARGET[:10], task="gender", method="umap", random_state=5
        )
        assert display.ax_.get_title().startswith("UMAP")
        monkeypatch.setitem(sys.modules, "umap", None)
        with pytest.raises(ImportError, match="pip install umap-learn"):
            project(X, "umap")


class TestTransport:
    def test_ratios_are_to_the_uniform_plan(self, tango):
        display = TransportPlanDisplay.from_estimator(tango, X)
        plans = tango.transport_plan(X)["x1", "x2"]
        np.testing.assert_allclose(display.ratios["x1", "x2"], plans.mean(axis=0) * 16, rtol=1e-4)
        (image,) = display.axes_[0].images
        np.testing.assert_allclose(image.get_array(), display.ratios["x1", "x2"])
        assert image.norm(1) == pytest.approx(0.5)  # uniform is in the middle of the colours
        assert image.norm(2) + image.norm(0.5) == pytest.approx(1)

    def test_entropy_is_that_of_the_history(self, tango):
        display = TransportPlanDisplay.from_estimator(tango, X)
        entropy = display.entropies["x1", "x2"]
        with one_thread():  # several would wait for each other where the machine is busy
            expected = plan_entropy(tango.module_, as_tensor(X))
        assert entropy == pytest.approx(expected, abs=1e-5)
        assert f"entropy {entropy:.3f}" in display.axes_[0].get_title()
        assert "1 = uniform" in display.figure_.axes[1].get_ylabel()

    def test_of_several_networks_one_is_drawn_with_the_entropy_of_their_history(self):
        options = {"views": [5, 7], "random_state": 0, "n_members": 3, **SETTINGS}
        model = TANGO(**options).fit(X[:60], TARGET[:60])
        display = TransportPlanDisplay.from_estimator(model, X[:60], member=1)
        plans = model.transport_plan(X[:60])["x1", "x2"]
        np.testing.assert_allclose(display.plans["x1", "x2"], plans[:, 1].mean(axis=0), rtol=1e-5)
        entropy = display.entropies["x1", "x2"]
        assert entropy == pytest.approx(model.history_[-1]["plan_entropy"], abs=1e-5)
        title = display.axes_[0].get_title()
        assert title == (
            f"x1 and x2, network 2\nnormalised entropy {entropy:.3f}, mean of 3 networks"
        )
        with pytest.raises(ParameterError, match="member is 3, but the model is of 3 networks"):
            TransportPlanDisplay.from_estimator(model, X, member=3)

    def test_blocks_of_recordings_make_the_same_mean(self, tango, monkeypatch):
        whole = TransportPlanDisplay.from_estimator(tango, X)
        monkeypatch.setattr("sfmforensics.report.displays.transport.AT_ONCE", 7)
        blocks = TransportPlanDisplay.from_estimator(tango, X)
        np.testing.assert_allclose(blocks.plans["x1", "x2"], whole.plans["x1", "x2"], rtol=1e-6)
        assert blocks.entropies == pytest.approx(whole.entropies)

    def test_three_views_are_three_panels_named_after_them(self):
        names = [f"{view}__{i}" for view in ("mfcc", "whisper", "x-vector") for i in range(4)]
        frame = pd.DataFrame(X, columns=names)
        model = TANGO(mass=0.5, random_state=0, **SETTINGS).fit(frame, TARGET)
        display = TransportPlanDisplay.from_estimator(model, frame)
        labels = [(ax.get_ylabel(), ax.get_xlabel()) for ax in display.axes_]
        assert labels[2] == ("token of whisper", "token of x-vector")
        assert len(labels) == 3
        assert "50 % of the mass" in display.axes_[0].get_title()
        assert display.ratios["mfcc", "whisper"].mean() == pytest.approx(1)

    def test_pipelines_and_searches_are_gone_through(self, tango):
        pipe = make_pipeline(StandardScaler(), TANGO(views=[5, 7], random_state=0, **SETTINGS))
        cv = TargetStratifiedKFold(2, on="gender")
        search = GridSearchCV(pipe, {"tango__reg": [0.1]}, cv=cv).fit(X, TARGET[["gender"]])
        best = search.best_estimator_
        expected = best[-1].transport_plan(best[0].transform(X))["x1", "x2"].mean(axis=0)
        for model in (best, search):
            display = TransportPlanDisplay.from_estimator(model, X)
            np.testing.assert_allclose(display.plans["x1", "x2"], expected, rtol=1e-5)

    def test_what_transports_nothing_is_refused(self):
        concat = ConcatFusion(views=[5, 7], **SETTINGS)
        with pytest.raises(ReportError, match="ConcatFusion has no transport plan; only TANGO"):
            TransportPlanDisplay.from_estimator(concat.fit(X, TARGET), X)
        with pytest.raises(NotFittedError):
            TransportPlanDisplay.from_estimator(TANGO(), X)

    def test_entropy_of_known_plans(self):
        plans = np.stack([np.eye(4) / 4, np.full((4, 4), 1 / 32)]).astype("float32")
        np.testing.assert_allclose(plan_entropies(plans), [0.5, 1], rtol=1e-6)
        assert plan_entropies(np.ones((2, 1, 1))).tolist() == [0, 0]


class TestTrainingCurve:
    def test_losses_the_best_epoch_and_the_entropy_are_drawn(self):
        history = [
            {"epoch": i, "train_loss": 3.0 - i, "valid_loss": abs(2.0 - i), "plan_entropy": 0.9}
            for i in (1, 2, 3)
        ]
        loss, entropy = TrainingCurveDisplay(history, best_epoch=2).plot().axes_
        lines = {line.get_label(): line for line in loss.lines}
        assert lines["training"].get_ydata().tolist() == [2, 1, 0]
        assert lines["validation"].get_ydata().tolist() == [1, 0, 1]
        assert set(lines["best epoch (2)"].get_xdata()) == {2}
        assert entropy.lines[1].get_ydata().tolist() == [0.9] * 3
        assert entropy.get_ylabel() == "entropy of the plans (1 = uniform)"
        assert [ax.get_xlabel() for ax in (loss, entropy)] == ["epoch", "epoch"]

    def test_history_of_models(self, tango):
        display = TrainingCurveDisplay.from_estimator(make_pipeline(StandardScaler(), tango))
        assert len(display.axes_) == 2
        drawn = display.axes_[0].lines[0].get_ydata()
        np.testing.assert_allclose(drawn, [row["train_loss"] for row in tango.history_])
        assert len(display.axes_[0].lines) == 1  # without validation no epoch is the best
        concat = ConcatFusion(views=[5, 7], **SETTINGS).fit(X, TARGET)
        assert len(TrainingCurveDisplay.from_estimator(concat).axes_) == 1

    def test_models_without_history_are_refused(self):
        with pytest.raises(ReportError, match="PerTask keeps no history_; TANGO"):
            TrainingCurveDisplay.from_estimator(PerTask().fit(X, TARGET))
        with pytest.raises(ReportError, match="no 'train_loss' and no 'plan_entropy'"):
            TrainingCurveDisplay([{"epoch": 1}]).plot()
        with pytest.raises(NotFittedError):
            TrainingCurveDisplay.from_estimator(TANGO())


class Remembering(PerTask):
    """Keeps the rows of each fit, which the first column of X numbers."""

    seen: list = []  # noqa: RUF012

    def fit(self, X, y, groups=None):
        self.seen.append((X[:, 0].astype(int), groups))
        return super().fit(X, y)


class TestLearningCurve:
    def curve(self, estimator=None, target=TARGET, **options):
        options = {"cv": TargetStratifiedKFold(2, on="gender"), "train_sizes": [0.5, 1.0]} | options
        return LearningCurveDisplay.from_estimator(
            PerTask() if estimator is None else estimator, X, target, **options
        )

    def test_every_task_has_a_panel_with_its_unit(self):
        display = self.curve(train_sizes=[0.25, 1.0])
        labels = {ax.get_title(): ax.get_ylabel() for ax in display.axes_}
        assert labels == {
            "speaker": "accuracy (%), more is better",
            "gender": "accuracy (%), more is better",
            "age": "RMSE (years), less is better",
        }
        scores = display.scores
        assert (scores["value"] >= 0).all()  # errors were negated
        assert sorted(scores["n_train"].unique()) == [10, 40]
        line = display.axes_[2].lines[0]
        assert line.get_xdata().tolist() == [10, 40]
        means = scores[scores["task"] == "age"].groupby("n_train")["value"].mean()
        np.testing.assert_allclose(line.get_ydata(), means)
        gender = display.axes_[1].lines[0].get_ydata()
        assert gender[-1] > 90  # percent

    def test_a_full_sample_scores_as_cross_validation(self):
        scores = self.curve().scores
        for fold, (train, test) in enumerate(
            TargetStratifiedKFold(2, on="gender").split(X, TARGET)
        ):
            answers = PerTask().fit(X[train], TARGET.iloc[train]).predict(X[test])
            expected = (answers["gender"].to_numpy() == GENDER[test]).mean()
            own = scores.query("task == 'gender' and size == 1 and fold == @fold")
            assert own["value"].item() == expected

    def test_samples_are_of_the_training_rows_only_and_grow(self):
        Remembering.seen = []
        rows = np.column_stack([np.arange(80), X])
        speakers = TARGET["speaker"].to_numpy()
        LearningCurveDisplay.from_estimator(
            Remembering(),
            rows,
            TARGET,
            cv=TargetGroupKFold(2),
            train_sizes=[0.25, 1.0],
            params={"groups": speakers},
        )
        for fold, (train, test) in enumerate(TargetGroupKFold(2).split(rows, TARGET)):
            (small, groups), (large, _) = Remembering.seen[2 * fold : 2 * fold + 2]
            assert set(small) < set(large) == set(train)
            assert list(small) != list(train[: len(small)])  # not the first ones
            assert not set(speakers[small]) & set(speakers[test])
            assert groups.tolist() == speakers[small].tolist()

    def test_the_seed_chooses_the_samples(self):
        first, again, other = (self.curve(random_state=seed).scores for seed in (0, 0, 1))
        pd.testing.assert_frame_equal(first, again)
        assert not first.equals(other)

    def test_a_sample_without_a_label_of_a_task_has_no_score(self):
        target = TARGET.assign(age=TARGET["age"].where(np.arange(80) == 3))
        with pytest.warns(SplitWarning, match="samples hold no label of 'age'"):
            display = self.curve(target=target, train_sizes=[0.1, 1.0])
        ages = display.scores[display.scores["task"] == "age"]
        assert ages["value"].isna().all()  # the other fold has nothing to test on
        assert display.scores.query("task == 'gender'")["value"].notna().all()
        alone = target["age"].to_numpy()
        with pytest.warns(SplitWarning, match="no label of 'y'"):
            self.curve(target=alone, cv=[(np.arange(10, 50), np.arange(10))])

    def test_one_column_and_scorers_of_scikit_learn(self):
        age = TARGET["age"].to_numpy()
        cv = [(np.arange(40), np.arange(40, 80))]
        display = self.curve(
            KNeighborsRegressor(),
            age,
            cv=cv,
            scoring="neg_mean_absolute_error",
            train_sizes=[8, 40],
        )
        assert (display.scores["value"] > 0).all()
        assert display.axes_[0].get_title() == "mean_absolute_error"
        scorer = make_scorer(accuracy_score)
        display = self.curve(target=GENDER, cv=cv, scoring={"hits": scorer, "acc": "accuracy"})
        assert display.scores["task"].unique().tolist() == ["hits", "acc"]
        assert self.curve(target=GENDER, cv=cv, scoring=scorer).scores["value"].between(0, 1).all()
        assert {ax.get_ylabel() for ax in display.axes_} == {"score"}

    def test_named_metrics_have_their_sign_whatever_their_scorer(self):
        scoring = task_scorers(TARGET, metrics={"gender": ["uar", "eer"], "age": "ccc"})
        display = self.curve(GaussianNB(), GENDER, scoring={"y_uar": "balanced_accuracy"})
        assert display.scores["metric"].unique().tolist() == ["uar"]
        estimator = TANGO(views=[5, 7], random_state=0, **SETTINGS)
        display = self.curve(estimator, scoring=scoring, train_sizes=[1.0])
        means = display.scores.groupby("metric")["value"].mean()
        assert 0 <= means["eer"] < 1
        assert 0 <= means["uar"] <= 1
        labels = [ax.get_ylabel() for ax in display.axes_]
        assert labels[1] == "EER (%), less is better"

    def test_jobs_and_a_pipeline_give_the_same(self):
        pipe = make_pipeline(StandardScaler(), PerTask())
        frame = self.curve(pipe).scores
        with parallel_config(backend="threading"):
            pd.testing.assert_frame_equal(frame, self.curve(pipe, n_jobs=2).scores)

    def test_wrong_sizes_and_splits_are_refused(self):
        for size in (0.0, 1.5, 0, 41):
            with pytest.raises(ValueError, match="train_sizes holds"):
                self.curve(train_sizes=[size])
        with pytest.raises(ValueError, match="cv=5 would neither stratify"):
            self.curve(cv=5)
