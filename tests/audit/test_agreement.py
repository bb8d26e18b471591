"""How far raters agree, and what an audit says of it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfmforensics.audit import (
    audit_corpus,
    krippendorff_alpha,
    label_findings,
    rater_agreement,
)
from sfmforensics.datasets import load_table, make_speech_corpus
from sfmforensics.exceptions import TargetError
from sfmforensics.targets import votes
from sfmforensics.workflow import describe_corpus

# Krippendorff (2011), section C: four observers, twelve units, some of which they did not rate.
OBSERVERS = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
UNITS = pd.DataFrame(
    [[None if cell == "." else int(cell) for cell in row] for row in zip(*OBSERVERS, strict=True)]
)


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("interval", 0.849)])
def test_alpha_is_that_of_the_worked_example(level, published):
    for ratings in (UNITS, UNITS.to_numpy(), UNITS[[2, 0, 3, 1]].iloc[::-1]):
        assert round(krippendorff_alpha(ratings, level), 3) == published


def test_alpha_of_two_observers_is_that_of_the_worked_example():
    """Section A of the same: two observers, ten units, two categories."""
    ratings = pd.DataFrame({"meg": list("0100000010"), "owen": list("1110010000")})
    assert round(krippendorff_alpha(ratings), 3) == 0.095


def test_alpha_is_a_fraction_of_pairs_by_definition():
    rng = np.random.default_rng(0)
    ratings = rng.integers(0, 4, (15, 3)).astype(float)
    ratings[rng.random(ratings.shape) < 0.3] = np.nan
    for level, apart in (("nominal", lambda a, b: a != b), ("interval", lambda a, b: (a - b) ** 2)):
        rows = [row[~np.isnan(row)] for row in ratings]
        rows = [row for row in rows if len(row) > 1]
        every = np.concatenate(rows)
        n = len(every)
        observed = sum(sum(apart(a, b) for a in row for b in row) / (len(row) - 1) for row in rows)
        expected = sum(apart(a, b) for a in every for b in every) / (n - 1)
        assert krippendorff_alpha(ratings, level) == pytest.approx(1 - observed / expected)


def test_alpha_is_not_defined_without_a_second_rating_or_a_second_label():
    for ratings in ([["a", None], [None, "b"]], [["a", "a"], ["a", "a"]], np.empty((0, 2))):
        assert np.isnan(krippendorff_alpha(ratings))
    assert krippendorff_alpha([["a", "a"], ["b", "b"]]) == 1
    assert krippendorff_alpha([[1e9, 1e9], [1e9 + 1, 1e9 + 1]], "interval") == 1


@given(st.lists(st.lists(st.sampled_from([0, 1, 2, None]), min_size=3, max_size=3), max_size=9))
def test_alpha_is_at_most_1_and_knows_no_names(rows):
    frame = pd.DataFrame(rows, columns=list("abc"), dtype=object)
    alpha = krippendorff_alpha(frame)
    named = frame.map(lambda label: None if pd.isna(label) else f"label {label}").astype(object)
    assert alpha <= 1 or np.isnan(alpha)
    np.testing.assert_allclose(krippendorff_alpha(named), alpha)


def test_what_is_no_level_or_no_number_is_refused():
    with pytest.raises(TargetError, match='level is "interval", but ratings are no numbers'):
        krippendorff_alpha([["calm", "sad"]], "interval")
    with pytest.raises(TargetError, match='use "nominal" or "interval"'):
        krippendorff_alpha([["calm", "sad"]], "ordinal")


@pytest.fixture
def corpus(tmp_path):
    """A corpus whose emotions three raters heard, and of whose arousal two gave numbers."""
    voices = make_speech_corpus(4, 4, duration=0.4, random_state=0, output=tmp_path)
    table = voices.target.assign(path=voices.data)
    emotion = table.pop("emotion")
    others = emotion.to_numpy()[::-1]
    table["emotion:rater1"], table["emotion:rater2"], table["emotion:anna"] = emotion, others, None
    table.loc[:3, "emotion:anna"] = emotion[:4]
    table["arousal:rater1"] = np.arange(16) / 2
    table["arousal:rater2"] = np.arange(16) / 2 + 0.25
    table["mood:calm"], table["mood:sad"] = 0.25, 0.75
    table.to_csv(tmp_path / "table.csv", index=False)
    with pytest.warns(match="as many votes for one label"):
        return load_table(tmp_path / "table.csv")


def test_an_audit_says_where_raters_disagree(corpus):
    agreement = rater_agreement(corpus).set_index("task")
    assert list(agreement.index) == ["emotion", "arousal"]
    ratings = corpus.details[["emotion:rater1", "emotion:rater2", "emotion:anna"]]
    assert agreement.loc["emotion", "alpha"] == krippendorff_alpha(ratings)
    assert agreement.loc["emotion", ["raters", "recordings"]].tolist() == [3, 16]
    same = (ratings.iloc[:, 0] == ratings.iloc[:, 1]).to_numpy()
    assert agreement.loc["emotion", "all agree"] == pytest.approx(same.mean())
    assert agreement.loc["emotion", "ties"] == (~same[4:]).sum()
    assert agreement.loc["arousal", "alpha"] > 0.9
    findings = audit_corpus(corpus).set_index("finding")
    found = findings.loc["raters disagree"]
    assert found["severity"] == "note"
    assert found["what"].startswith("emotion: Krippendorff's alpha -0.")
    assert "(3 raters, 16 recordings with two ratings or more); all agree on" in found["what"]
    tables = describe_corpus(corpus)
    assert tables["agreement of raters"]["task"].tolist() == ["emotion", "arousal"]
    assert "raters disagree" in tables["findings"]["finding"].tolist()


def test_raters_of_what_is_not_learnt_are_not_asked(tmp_path, corpus):
    chosen = load_table(tmp_path / "table.csv", tasks=["arousal", "mood"])
    assert rater_agreement(chosen)["task"].tolist() == ["arousal"]
    assert rater_agreement(make_speech_corpus(2, 2, duration=0.3)).empty


def test_a_label_that_raters_write_in_two_ways_is_caught():
    raters = pd.DataFrame({"anna": ["sad", "calm"], "ben": ["sad", "calm"], "cem": ["Sad", "calm"]})
    target = pd.DataFrame({"mood": votes(raters)})
    found = {finding.finding: finding.what for finding in label_findings(target)}
    assert found["labels written in two ways"] == "mood: 'Sad' = 'sad'"
