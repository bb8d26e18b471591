import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from sfmforensics.evidence import PLDA, CosineScorer, LikelihoodRatio, OpenSetIdentifier
from sfmforensics.exceptions import EvidenceWarning, ParameterError, TargetError


@pytest.fixture(scope="module")
def ratio(voices):
    return LikelihoodRatio("cosine").fit(*voices(0, 60, 5, within=0.2))


@pytest.mark.parametrize(
    ("scorer", "counts"),
    [
        ("cosine", [1]),
        ("cosine", [1] * 7 + [3] * 4),  # known by more or fewer recordings
        ("plda", [3, 1, 1]),
        ("plda", [1] * 40),  # more than calibrate
        ("learns", [2] * 5),
    ],
)
def test_whoever_is_not_enrolled_is_named_no_more_often_than_promised(scorer, counts, voices):
    n_voices, rate, drawings = 15, 0.15, 30
    alarms = []
    for seed in range(drawings):
        # Voices vary differently, so that some are alike to anybody.
        within = np.random.default_rng(seed).choice([0.2, 0.5, 1.5], n_voices + len(counts) + 60)
        number = [4] * n_voices + counts + [1] * 60
        X, speakers = voices(seed, len(number), number, width=4, within=0)
        X += np.random.default_rng(seed).normal(size=X.shape) * within[speakers][:, None]
        calibrating, new = speakers < n_voices, speakers >= n_voices + len(counts)
        if scorer == "learns":
            compared = PLDA()
        elif scorer == "plda":
            compared = PLDA().fit(*voices(1000 + seed, 30, 4, width=4))
        else:
            compared = CosineScorer().fit(X)
        ratio = LikelihoodRatio(compared, bounds=None).fit(X[calibrating], speakers[calibrating])
        enrolled = ~calibrating & ~new
        found = OpenSetIdentifier(ratio, false_alarm=rate).fit(X[enrolled], speakers[enrolled])
        assert found.promised_ == rate
        alarms.append(np.mean([name is not None for name in found.predict(X[new])]))
    error = np.std(alarms) / np.sqrt(drawings)
    assert np.mean(alarms) <= rate + 3 * error
    assert np.mean(alarms) >= rate - 2 / (n_voices + 1) - 3 * error  # no vain caution


def test_enrolled_speakers_are_named_and_others_are_not(ratio, voices):
    X, speakers = voices(1, 30, 4, within=0.1)
    enrolled = (speakers < 10) & (np.arange(120) % 4 < 2)
    found = OpenSetIdentifier(ratio, false_alarm=0.1).fit(X[enrolled], speakers[enrolled])
    answers = found.predict(X[~enrolled])
    true = speakers[~enrolled]
    assert np.mean(answers[true < 10] == true[true < 10]) > 0.7
    assert np.mean([answer is None for answer in answers[true >= 10]]) > 0.8


def test_a_name_is_the_best_of_those_enrolled(ratio, voices):
    X, speakers = voices(2, 8, 4, within=0.1)
    found = OpenSetIdentifier(ratio, false_alarm=0.3).fit(X, speakers)
    ratios = ratio.log10_lr(X, X, speakers, bounded=False)
    for answer, row in zip(found.predict(X), ratios, strict=True):
        expected = found.classes_[row.argmax()] if row.max() > found.threshold_ else None
        assert answer == expected
    np.testing.assert_array_equal(found.log10_lr(X), ratio.log10_lr(X, X, speakers))


@pytest.mark.parametrize(
    "names",
    [
        ["b", "a", "c"],
        [3, 1, 2],
        [("x", 1), ("x", 2), "x"],
        [1, "1", 2.5],
        [True, None.__class__, 0],
    ],
)
def test_names_are_of_any_type_and_come_back_in_their_order(names, ratio, voices):
    X, _ = voices(3, 3, 2, within=0.05)
    column = [names[i // 2] for i in range(6)]
    found = OpenSetIdentifier(ratio, false_alarm=0.5).fit(X, column)
    assert list(found.classes_) == names
    for answer, true in zip(found.predict(X), column, strict=True):
        assert answer is None or answer == true


def test_too_few_calibration_speakers_say_what_they_can_promise(voices):
    ratio = LikelihoodRatio("cosine").fit(*voices(4, 9, 4))
    X, speakers = voices(5, 3, 1)
    with pytest.warns(EvidenceWarning, match="9 calibration speakers.*10.0% at best, not 5.0%"):
        found = OpenSetIdentifier(ratio, false_alarm=0.05).fit(X, speakers)
    assert found.promised_ == pytest.approx(1 / 10)
    assert np.isfinite(found.threshold_)


def test_a_lower_rate_names_fewer(ratio, voices):
    X, speakers = voices(6, 10, 2)
    levels = [
        OpenSetIdentifier(ratio, false_alarm=rate).fit(X, speakers).threshold_
        for rate in (0.5, 0.2, 0.05)
    ]
    assert levels == sorted(levels)


def test_more_enrolled_speakers_are_alike_to_more(ratio, voices):
    X, speakers = voices(7, 50, 1)
    few, many = (
        OpenSetIdentifier(ratio, false_alarm=0.1).fit(X[:n], speakers[:n]).threshold_
        for n in (3, 50)
    )
    assert few < many


def test_tables_of_names_do_not_warn_and_pickles_answer_alike(voices, recwarn):
    X, speakers = voices(8, 30, 4)
    table = pd.DataFrame(X).rename(columns=str)
    ratio = LikelihoodRatio("cosine").fit(table, speakers)
    found = OpenSetIdentifier(ratio, false_alarm=0.1).fit(table[:12:2], speakers[:12:2])
    expected = found.predict(table)
    assert pickle.loads(pickle.dumps(found)).predict(table).tolist() == expected.tolist()
    assert not recwarn.list


@pytest.mark.parametrize("rate", [0, 1, -0.1, 5])
def test_a_rate_is_a_share(rate, ratio, voices):
    with pytest.raises(ParameterError, match="false_alarm is"):
        OpenSetIdentifier(ratio, false_alarm=rate).fit(*voices(0, 2, 1))


def test_what_cannot_be_enrolled_is_refused_at_once(ratio, voices):
    X, _ = voices(9, 2, 6)
    with pytest.raises(TargetError, match="1 of 12 recordings to enrol have no speaker"):
        OpenSetIdentifier(ratio).fit(X, [None, *range(11)])
    with pytest.raises(TargetError, match="0 of 0"):
        OpenSetIdentifier(ratio).fit(X[:0], [])
    # No calibration speaker has more than 5: said now, not when somebody is to be named.
    with pytest.raises(TargetError, match="with 6 known recordings"):
        OpenSetIdentifier(ratio).fit(X[:7], [1, *[2] * 6])
    with pytest.raises(ValueError, match="expecting 6 features"):
        OpenSetIdentifier(ratio).fit(X[:, :3], range(12))
    with pytest.raises(NotFittedError):
        OpenSetIdentifier(LikelihoodRatio()).fit(X, range(12))
    with pytest.raises(NotFittedError):
        OpenSetIdentifier(ratio).predict(X)
