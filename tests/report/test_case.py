"""The page of a case: what it says, what it never says, and how it looks in a browser."""

import dataclasses
import os
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from sfmforensics import ConcatFusion
from sfmforensics.custody import Provenance
from sfmforensics.evidence import Comparison
from sfmforensics.exceptions import ReportError
from sfmforensics.explanation import explain
from sfmforensics.metrics import Trials
from sfmforensics.report._case_page import case_page

EVIL = "<script>document.title='taken'</script>"
VOID = {"img", "meta", "link"}
TASKS = {"emotion": "classification", "gender": "classification", "age": "regression"}
FOUND = Comparison(
    log10_lr=1.37, unbounded=1.37, lower=-1.5, upper=2.0, score=3.0, n_known=2, n_speakers=40,
    n_same=400, n_different=3600, cllr=0.21, cllr_min=0.19, eer=0.071,
)  # fmt: skip
# What no report may say of a person, whatever the ratio.
NEVER = re.compile(
    r"\b(match(es|ed)?|identif(ied|ies|ication)|guilt\w*|posterior|proves?|same person"
    r"|beyond reasonable doubt|is the speaker|probability that the)\b",
    re.IGNORECASE,
)


class Page(HTMLParser):
    """Every element with its attributes; the text; whether all is closed."""

    def __init__(self, source):
        super().__init__()
        self.source, self.elements, self.text, self.open = source, [], [], []
        self.feed(source)
        self.close()
        assert self.open == []
        self.words = " ".join(" ".join(self.text).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def all(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]


def answers_of(names=("case/q.wav", "case/k1.wav", "case/k2.wav"), genders=("f", "f", "f")):
    n = len(names)
    frame = {
        "path": list(names),
        "emotion": ["calm"] * n,
        "emotion_probability": [0.9971, *[0.6] * (n - 1)],
        "emotion_set": [("calm",), *[("calm", "angry")] * (n - 1)],
        "gender": list(genders),
        "gender_probability": [0.8] * n,
        "age": [41.3] * n,
        "age_low": [30.2] * n,
        "age_high": [55.0, *[np.inf] * (n - 1)],
    }
    # As objects: with pyarrow a column of text holds no name that is no UTF-8.
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in frame.items()})


def manifest_of(answers, **facts):
    told = Provenance(answers["path"].tolist()).manifest("comparison", **facts)
    for place, record in enumerate(told["recordings"]):
        record["sha256"] = f"{place:02d}" * 32
    return told


def model_facts(calibration=0.33, **facts):
    told = {"calibration": {"calibration": calibration, "speakers": 40, "recordings": [1, 2, 5]}}
    told |= {"model": "tango", "finished": "2026-01-02T03:04:05+00:00", "sha256": "ab" * 32}
    return (
        told | {"command": "sfmforensics train --corpus baved", "recordings": [{}] * 1935} | facts
    )


@pytest.fixture(scope="module")
def trials():
    rng = np.random.default_rng(0)
    same = np.arange(400) < 100
    scores = np.clip(rng.normal(size=400) + np.where(same, 1, -1), -1.5, 2.0)
    return Trials(scores, same, np.arange(400), np.arange(400), rng.uniform(0.5, 1, 400))


@pytest.fixture(scope="module")
def explanation(table):
    X, target = table
    model = ConcatFusion(max_epochs=2, random_state=0).fit(X, target)
    return explain(model, X[:1], n_steps=0)


@pytest.fixture(scope="module")
def full(trials, explanation):
    """All that a page may hold."""
    answers = answers_of()
    facts = {"model": model_facts(), "model_file": {"path": "/m/tango.sf", "sha256": "ef" * 32}}
    return case_page(
        FOUND, answers, manifest_of(answers, **facts), tasks=TASKS, seconds=[12.34, 3, 100],
        trials=trials, explanation=explanation,
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(full):
    return Page(full)


def page_of(found=FOUND, answers=None, manifest=None, **options):
    answers = answers_of() if answers is None else answers
    manifest = manifest_of(answers) if manifest is None else manifest
    return Page(case_page(found, answers, manifest, tasks=TASKS, **options))


class TestWords:
    def test_the_order_in_which_it_is_read(self, page):
        titles = [
            "Comparison of voices", "Result", "What it rests on",
            "What the model says of each recording", "Why the model says so", "Limits",
            "Chain of custody",
        ]  # fmt: skip
        found = re.findall(r"<h[12]>(.*?)</h[12]>", page.source)
        assert found == titles

    def test_it_says_what_a_reader_needs(self, page):
        for words in (
            "q.wav (12.3 s, SHA-256 000000000000…)",
            "k2.wav (100.0 s, SHA-256 020202020202…)",
            "UTC, sfmforensics",
            "model tango.sf",
            "Likelihood ratio 23 log10 LR 1.37",
            "The findings provide moderate support for the proposition that the recordings are of "
            "the same speaker, relative to the proposition",
            "What was found is 23 times as probable",
            "not for this comparison to say",
            "supports ratios from 1/32 to 100, not beyond. This ratio lies within.",
            "learnt from 40 speakers, from whom the model has learnt nothing: 400 comparisons of "
            "one speaker and 3,600 of two, each with 2 known recordings",
            "1,935 recordings of the corpus baved",
            "trained on 2026-01-02 03:04 UTC; 3 of them calibrated",
            "an assumption, which the examiner must judge",
            "Cllr 0.21 0 is perfect, 1 is no better than saying nothing",
            "equal error rate 7.1 %",
            "calm (> 99 %) calm alone",
            "calm or angry",
            "41 years 30 to 55",
            "any: too few speakers",
            "not established facts about a person",
            "not the likelihood ratio",
            "A voice is no signature",
            "language",
            "mislabelled speakers",
            "sfmforensics verify /m/tango.sf --sha256 " + "ef" * 32,
            "sfmforensics compare /m/tango.sf " + os.path.abspath("case/q.wav"),
        ):
            assert words in page.words, words

    @pytest.mark.parametrize("log10_lr", [-7, -1.37, -0.1, 0, 0.1, 0.3, 1, 2.99, 5, 14, 16, 400])
    def test_it_never_says_who_it_was(self, log10_lr):
        found = dataclasses.replace(FOUND, log10_lr=log10_lr, unbounded=log10_lr, upper=500.0,
                                    lower=-500.0)  # fmt: skip
        words = page_of(found).words.replace("How probable it is that the speaker is the same", "")
        assert NEVER.findall(words.replace("not identified", "")) == []
        assert f"{found.verbal[1:]}." in words
        assert words.count("\N{BLACK LEFT-POINTING TRIANGLE}") == 2  # in the legend, and one grade

    @pytest.mark.parametrize(
        ("log10_lr", "grade"),
        [
            (0.29, "1 to 2 neither supported"),
            (np.log10(2), "2 to 10 weak"),
            (-1.0, "10 to 100 moderate"),
            (-5.5, "10,000 to 1,000,000 very strong"),
            (6.0, "1,000,000 or more extremely strong"),
        ],
    )
    def test_the_grade_is_marked(self, log10_lr, grade):
        found = dataclasses.replace(FOUND, log10_lr=log10_lr)
        assert f"{grade} \N{BLACK LEFT-POINTING TRIANGLE}" in page_of(found).words

    def test_a_ratio_below_one_is_a_fraction(self):
        words = page_of(dataclasses.replace(FOUND, log10_lr=-1.2, unbounded=-1.2)).words
        assert "Likelihood ratio 1/16 log10 LR \N{MINUS SIGN}1.20" in words
        assert "support for the proposition that the recordings are of different speakers" in words

    def test_at_a_limit_it_tells_of_the_extrapolation(self):
        words = page_of(dataclasses.replace(FOUND, log10_lr=2.0, unbounded=3.3)).words
        assert "This ratio is the upper limit. Without limits the calculation gives 2,000" in words
        assert "that is an extrapolation" in words
        words = page_of(dataclasses.replace(FOUND, log10_lr=-1.5, unbounded=-9.0)).words
        assert "This ratio is the lower limit" in words
        assert "1/1,000,000,000 (log10 LR \N{MINUS SIGN}9.00)" in words
        infinite = dataclasses.replace(FOUND, log10_lr=2.0, unbounded=np.inf)
        assert "gives no finite ratio" in page_of(infinite).words

    def test_without_limits_it_says_so(self, trials):
        found = dataclasses.replace(FOUND, lower=-np.inf, upper=np.inf)
        assert "No limits were set to the ratio" in page_of(found, trials=trials).words
        shut = dataclasses.replace(FOUND, lower=0.0, upper=0.0, log10_lr=0.0)
        assert "supports ratios from 1.0 to 1.0" in page_of(shut, trials=trials).words

    def test_ratios_that_misinform_and_few_speakers(self):
        words = page_of(dataclasses.replace(FOUND, cllr=1.2, n_speakers=7)).words
        assert "the ratios misinform" in words
        assert "7 speakers are few" in words
        assert "are few" not in page_of().words

    def test_by_folds_and_from_elsewhere(self):
        answers = answers_of()
        told = manifest_of(answers, model=model_facts(5))
        assert "the model that compares here has heard all of them" in page_of(manifest=told).words
        untold = model_facts() | {"calibration": None}
        words = page_of(manifest=manifest_of(answers, model=untold)).words
        assert "trained on 2026-01-02 03:04 UTC. That the people" in words
        assert "Which data these were, the model does not say" in page_of().words
        for corpus, words in (("emodb", "of the corpus emodb"), ("table", "of the table b.csv")):
            told = manifest_of(answers, model=model_facts(corpus=corpus, root="a/b.csv"))
            assert words in page_of(manifest=told).words
        for command, words in (  # of models of 0.1.0
            ("sfmforensics train --corpus=emodb --root x", "of the corpus emodb"),
            ("sfmforensics train --corpus manifest --root a/b.csv", "of the table b.csv"),
            ("sfmforensics train --corpus manifest", "1,935 recordings, by which"),
            ("an unclosed ' quote", "1,935 recordings, by which"),
            ("", "1,935 recordings, by which"),
        ):
            told = manifest_of(answers, model=model_facts(command=command))
            assert words in page_of(manifest=told).words

    def test_genders_that_differ(self):
        assert "answers on gender differ" not in page_of().words
        words = page_of(answers=answers_of(genders=("f", "f", "m"))).words
        assert "differ: f for the questioned recording, m for k2.wav. Any of them may" in words

    def test_of_what_the_model_has_learnt_it_warns(self):
        answers = answers_of()
        told = manifest_of(answers, model=model_facts(recordings=[{"sha256": "01" * 32}]))
        words = page_of(manifest=told).words
        assert "Not to be relied on: the model was trained or calibrated with k1.wav," in words
        assert words.index("Not to be relied on") < words.index("Likelihood ratio")
        assert "Not to be relied on" not in page_of().words

    def test_tasks_that_are_not_named_are_not_shown(self, explanation):
        answers = answers_of().assign(speaker="s07", speaker_probability=0.5)
        shown = Page(
            case_page(FOUND, answers, manifest_of(answers), tasks={"age": "regression"},
                      explanation=explanation)
        )  # fmt: skip
        assert "s07" not in shown.words
        assert "calm" not in shown.words
        assert "speaker" not in shown.all("img")[0]["alt"]
        bare = Page(case_page(FOUND, answers, manifest_of(answers), explanation=explanation))
        assert "What the model says" not in bare.words
        assert "Why the model says so" not in bare.words

    def test_many_labels_are_counted(self):
        answers = answers_of()
        answers["emotion_set"] = [tuple("abcdefg")] * 3
        assert "a or b or c or d or 3 others" in page_of(answers=answers).words

    def test_a_recording_that_is_no_file(self):
        answers = answers_of()
        told = Provenance(answers["path"].tolist()).manifest("comparison")
        words = page_of(manifest=told).words
        assert "q.wav (not identified)" in words
        assert "no regular file" in words


class TestForm:
    def test_nothing_is_loaded_and_nothing_runs(self, page):
        assert not re.search(r"url\(|@import|https?://|<script|javascript:", page.source)
        for _, attributes in page.elements:
            for name in ("src", "href"):
                assert (attributes.get(name) or "data:").startswith("data:")
        (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
        assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

    def test_the_pictures_say_what_they_show(self, page, trials):
        tippett, bars = (image["alt"] for image in page.all("img"))
        weights, scores, same = trials.weights, trials.scores, trials.same
        wrong = 100 * np.average(scores[same] < 0, weights=weights[same])
        assert "The case is marked at 1.37" in tippett
        assert f"Misleading were {wrong:.1f}\u00a0% of the comparisons of one speaker" in tippett
        assert re.search(r"emotion \w+: (first|second) adds most, (for|against); ", bars)
        assert re.search(r"age \d+: (first|second) adds most, (up|down)wards", bars)
        above = 100 * np.average(scores[~same] >= 1.37, weights=weights[~same])
        assert f"of those of two speakers {above:.1f} % had at least the ratio" in page.words

    def test_trials_of_one_kind_are_no_figure(self, trials):
        one = dataclasses.replace(trials, same=np.ones(400, dtype=bool))
        with pytest.raises(ReportError, match="give at least one of each"):
            page_of(trials=one)

    def test_tables_have_scopes_and_their_own_scrolling(self, page):
        assert all(header["scope"] in ("col", "row") for header in page.all("th"))
        assert page.all("html") == [{"lang": "en"}]
        scrolling = [div for div in page.all("div") if "scroll" in (div.get("class") or "").split()]
        assert len(scrolling) == len(page.all("table")) + 1  # and the explanation
        assert all(div["tabindex"] == "0" and div["aria-label"] for div in scrolling)

    def test_names_and_labels_are_escaped_everywhere(self, trials):
        bad = EVIL.replace("/", "\u2044") + " 'a' \"b\"\n\x1b[31m" + os.fsdecode(b"\xe9")
        answers = answers_of([f"{EVIL}{bad}", f"dir/{bad}", bad], [bad, "f", bad])
        answers["emotion_set"] = [(bad, bad)] * 3
        view = {"identity": {bad: bad}, "files": {bad: bad}}
        model = model_facts(model=bad, command=f"{bad} --corpus '{EVIL}'", finished=bad)
        told = manifest_of(answers, model=model, model_file={"path": bad, "sha256": bad})
        told |= {"views": {bad: view}, "finished": bad, "started": bad, "sha256": bad}
        told |= {"versions": {"sfmforensics": bad}, "hardware": {"system": bad}}
        told |= {"copies": [{"first": bad, "second": f"dir/{bad}", "correlation": 1.0}]}
        name = bad.encode("utf-8", "replace").decode()  # a table's, which is UTF-8
        tasks = TASKS | {name: "classification"}
        answers[name] = pd.Series([bad] * 3, dtype=object)
        page = Page(case_page(FOUND, answers, told, tasks=tasks, trials=trials))
        assert EVIL not in page.source
        assert not page.all("script")
        # A line break of a stranger's, a control character or half of one is nowhere.
        page.source.encode("utf-8")
        assert "\x1b" not in page.source
        assert "\n\\u001b" not in page.source
        assert "<script>document.title='taken'<\u2044script>" in page.words


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


@pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine; apt-get install chromium brings it"
)
class TestBrowser:
    @pytest.fixture(scope="class")
    def browser(self):
        sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
        with sync_api.sync_playwright() as playwright:
            arguments = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
            started = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
            yield started
            started.close()

    @pytest.fixture
    def open_page(self, browser, full, tmp_path):
        contexts = []

        def open_(width=1440, source=full, **options):
            (tmp_path / "case.html").write_text(source, encoding="utf-8")
            context = browser.new_context(viewport={"width": width, "height": 900}, **options)
            contexts.append(context)
            page = context.new_page()
            page.asked, page.said = [], []
            page.on("request", lambda request: page.asked.append(request.url))
            page.on("console", lambda message: page.said.append(message.text))
            page.goto((tmp_path / "case.html").as_uri())
            return page

        yield open_
        for context in contexts:
            context.close()

    @pytest.mark.parametrize("width", [360, 800, 1440])
    def test_nothing_sticks_out_and_it_asks_for_nothing(self, open_page, width):
        page = open_page(width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        sizes = page.locator("img").evaluate_all(
            "all => all.map(one => [one.complete, one.naturalWidth, one.clientWidth])"
        )
        assert len(sizes) == 2
        assert all(complete and natural > 500 and shown > 250 for complete, natural, shown in sizes)
        assert page.said == []
        assert sum(not url.startswith("data:") for url in page.asked) == 1

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [360, 1440])
    def test_axe_finds_nothing_to_complain_of(self, open_page, width, scheme):
        axe = pytest.importorskip(
            "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
        )
        page = open_page(width, color_scheme=scheme, bypass_csp=True)
        rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        found = axe.Axe().run(page, options={"runOnly": {"type": "tag", "values": rules}})
        assert found.violations_count == 0, found.generate_report()
        assert len(found.response["passes"]) > 20

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_printed_it_takes_two_sheets_at_most(self, open_page, scheme):
        page = open_page(color_scheme=scheme)
        printed = page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 2
        (box,) = set(re.findall(rb"/MediaBox\s*\[([^\]]*)\]", printed))
        assert [round(float(edge)) for edge in box.split()] == [0, 0, 595, 842]  # A4
        page.emulate_media(media="print")
        colours = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body)"
            ".backgroundColor]"
        )
        assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]

    def test_without_scripts_and_in_print_nothing_is_missing(self, open_page):
        page = open_page(java_script_enabled=False)
        assert "Chain of custody" in page.inner_text("body")
        assert page.locator("details").count() == 0

    def test_all_that_scrolls_can_be_reached_by_keyboard(self, open_page):
        page = open_page(360)
        reached = 0
        for _ in range(60):
            page.keyboard.press("Tab")
            name, outline = page.evaluate(
                "[document.activeElement.tagName,"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
            if name == "BODY":
                break
            reached += 1
            assert outline != "none"
        assert reached == page.locator("[tabindex='0']").count() >= 6
