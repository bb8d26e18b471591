"""What shows itself in a notebook: what it says, and that whatever stands in it is escaped."""

import pickle
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone

from sfmforensics import TANGO, PerTask
from sfmforensics.audit import Finding, findings_frame
from sfmforensics.datasets._base import choose_tasks, make_bunch
from sfmforensics.evidence import Assessment, CalibratedModel, Comparison

EVIL = "<script>alert('x')</script>"


class Page(HTMLParser):
    """The tags and the words of a part of a page, all of whose elements are closed."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.text, self.open = set(), [], []
        self.feed(source)
        self.close()
        assert self.open == []
        self.words = " ".join(" ".join(self.text).split())

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


def corpus_of(name="s1"):
    target = pd.DataFrame(
        {
            "speaker": [name, "s2", None],
            "emotion": ["calm", name, "calm"],
            "age": [20.0, np.nan, 31],
        }
    )
    details = pd.DataFrame({"session": [1, 2, 3], name: 0})
    files = [f"{name}.wav", "b.wav", (np.zeros(8), 8000)]
    return make_bunch(files, target, descr=f"Of {name}.", details=details)


def test_a_corpus_tells_what_can_be_learnt():
    corpus = corpus_of()
    page = Page(corpus._repr_html_())
    for words in (
        "3 recordings of 2 speakers",
        "emotion classification 2: calm (2), s1 (1) 0",
        "age regression 20 to 31 1",
        "not learnt: session, s1",
        "s1.wav b.wav signal of shape (8,) at 8000 Hz",
        "Of s1.",
    ):
        assert words in page.words, words
    assert page.words in Page(pickle.loads(pickle.dumps(corpus))._repr_html_()).words
    assert (
        "emotion classification" not in Page(choose_tasks(corpus, ["age"], "x")._repr_html_()).words
    )


def test_a_comparison_says_no_more_than_the_command_line():
    found = Comparison(1.37, 1.37, -1.5, 2.0, 3.0, 2, 40, 400, 3600, 0.21, 0.19, 0.071)
    words = Page(found._repr_html_()).words
    for told in (
        "Likelihood ratio 23 log10 LR 1.37",
        "The findings provide moderate support",
        "not for this comparison to say",
        "ratios from 1/32 to 100",
        "40 speakers, 400 comparisons of one speaker and 3,600 of two, each with 2 known record",
        "Cllr 0.21 (at best 0.19), equal error rate 7.1 %",
    ):
        assert told in words, told
    free = Comparison(1.37, 1.37, -np.inf, np.inf, 3.0, 1, 40, 400, 3600, 0.21, 0.19, 0.071)
    assert "none were set" in Page(free._repr_html_()).words


def assessment_of(name):
    rows = [[name, "cllr", "", "", 0.4, 0.3, 0.5, 1200, 20], ["age", "mae", name, "f", 5, *3 * [1]]]
    columns = ["task", "measure", "by", "group", "value", "low", "high", "n", "speakers"]
    table = pd.DataFrame(rows, columns=columns)
    nobody = np.zeros(60, dtype=int)
    return Assessment(
        table, table, None, {}, table, nobody, np.arange(20), None, 0.9, 0.1, 1, (name,)
    )


def test_an_assessment_gives_measures_with_their_intervals():
    words = Page(assessment_of("speaker")._repr_html_()).words
    assert "60 recordings of 20 speakers" in words
    assert "speaker cllr 0.400 0.300 to 0.500 1,200 20" in words
    assert "knows speaker by name" in words


def test_findings_are_a_table_still():
    findings = findings_frame(
        [
            Finding("note", "rare", "calm: 2", "too few", "join"),
            Finding("serious", "a", "b", "c", "d"),
        ]
    )
    words = Page(findings._repr_html_()).words
    assert "2 findings, 1 of them serious" in words
    assert words.index("a (serious) b c d") < words.index("rare (note) calm: 2 too few join")
    pd.testing.assert_frame_equal(findings, pd.DataFrame(findings))
    assert "rare" in findings[["finding"]]._repr_html_()
    assert pickle.loads(pickle.dumps(findings)).equals(findings)
    assert "Nothing was found" in findings_frame([])._repr_html_()


@pytest.fixture(scope="module")
def learnt():
    """Vectors of two views, and labels of which one is hostile."""
    rng = np.random.default_rng(0)
    names = [f"{view}__{place}" for view in ("first", "second") for place in range(4)]
    X = pd.DataFrame(rng.normal(size=(60, 8)), columns=names)
    y = pd.DataFrame({
        "speaker": np.repeat([f"s{i:02d}" for i in range(20)], 3),
        "emotion": np.where(X["first__0"] > 0, EVIL, "calm"),
        "age": 40 + X["second__0"],
    })  # fmt: skip
    return X, y


def test_a_fitted_model_says_what_it_has_learnt_below_its_diagram(learnt):
    X, y = learnt
    model = TANGO(max_epochs=2, random_state=0, early_stopping=True).fit(X, y)
    source = model._repr_html_()
    assert "sk-top-container" in source
    assert EVIL not in source
    words = Page(source[source.index('<div class="sfmf">') :]).words
    assert f"emotion classification 2: {EVIL}, calm age regression a number" in words
    assert "first (4 columns), second (4 columns)" in words
    assert "2, weights of epoch" in words
    assert model._repr_mimebundle_()["text/html"].count('class="sfmf"') == 1
    assert "sfmf" not in clone(model)._repr_html_()
    with config_context(display="text"):
        assert not hasattr(model, "_repr_html_")
        assert list(model._repr_mimebundle_()) == ["text/plain"]
    assert (
        "one estimator a task SVC, SVR"
        in Page(
            PerTask().fit(X, y)._repr_html_().partition('<div class="sfmf">')[2].join(["<div>", ""])
        ).words
    )


def test_a_calibrated_model_tells_by_whom(learnt):
    X, y = learnt
    estimator = TANGO(max_epochs=2, random_state=0)
    model = CalibratedModel(estimator, calibration=0.4, random_state=0).fit(X, y)
    source = model._repr_html_()
    words = Page(source[source.index('<div class="sfmf">') :]).words
    speakers = model.n_calibration_speakers_
    assert f"calibrated by {speakers} speakers, {3 * speakers} recordings" in words
    assert "on those that calibrated, which flatters" in words
    assert "emotion classification" in words


@pytest.mark.parametrize(
    "shown", [corpus_of(EVIL), assessment_of(EVIL), findings_frame([Finding(*5 * [EVIL])])]
)
def test_whatever_stands_in_it_is_escaped(shown):
    source = shown._repr_html_()
    assert EVIL not in source
    assert "script" not in Page(source).tags
    assert EVIL in Page(source).words
