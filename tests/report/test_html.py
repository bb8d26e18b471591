import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from sfmforensics.exceptions import ReportError, SFMForensicsError
from sfmforensics.report import write_report
from sfmforensics.results import INTERVAL_COLUMNS

EVIL = "<script>alert(1)</script>"
VOID = {"img", "meta", "link"}


class Page(HTMLParser):
    """Every element with its attributes; text outside script and style; whether all is closed."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.text, self.open = [], [], []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    def all(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]

    def says(self, words):
        return words in " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def page(make_run, tmp_path_factory):
    directory = make_run(directory=tmp_path_factory.mktemp("run"), models=("tango", "concat"))
    return Page(write_report(directory).read_text(encoding="utf-8"))


def read(directory):
    return Page(write_report(directory).read_text(encoding="utf-8"))


def test_one_file_beside_the_results(make_run):
    directory = make_run()
    before = {path.name for path in directory.iterdir()}
    assert write_report(str(directory)) == directory / "report.html"
    assert {path.name for path in directory.iterdir()} == before | {"report.html"}


def test_nothing_is_loaded_from_elsewhere(make_run):
    source = write_report(make_run()).read_text(encoding="utf-8")
    page = Page(source)
    for _, attributes in page.elements:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#"))
    assert not re.search(r"url\(|@import|https?://", source)
    assert any("default-src 'none'" in (meta.get("content") or "") for meta in page.all("meta"))


def test_every_picture_has_words(page):
    images = page.all("img")
    assert len(images) == 1 + 2 * 7
    assert all(len(image["alt"]) > 20 for image in images)
    assert any("Most confused" in image["alt"] for image in images)
    assert len(page.all("figcaption")) == len(page.all("figure")) == len(images)


def test_tables_have_scopes_and_their_own_scrolling(page):
    assert all(header["scope"] in ("col", "row", "colgroup") for header in page.all("th"))
    assert len(page.all("h1")) == 1
    assert page.all("html") == [{"lang": "en"}]
    scrolling = [div for div in page.all("div") if "scroll" in (div.get("class") or "").split()]
    wide = [div for div in scrolling if "wide" in div["class"]]
    assert len(scrolling) == len(page.all("table")) + len(wide)
    assert len(wide) == 1  # bars; the others fit a phone
    assert all(div["tabindex"] == "0" and div["aria-label"] for div in scrolling)


def test_it_says_what_was_measured_and_what_not(page):
    for words in (
        "1,935 recordings of 60 speakers",
        "largely measure memory of speakers",
        "Speaker recognition is not defined here",
        "not defined",
        "paper (tango)",
        "paper (mvmt-concat)",
        "copies of another recording: 27",
        "46 and 53",
        "left out of disjoint, because their speaker is not known: 3",
        "sfmforensics evaluate --corpus baved",
        "2.9.0",
        "The same for concat",
    ):
        assert page.says(words), words


def test_emotion_is_told_by_uar_first(make_run):
    directory = make_run()
    rows = [
        ["tango", "mfcc+whisper", "disjoint", task, metric, "all", "", 9, 9, value, 0.4, 0.8]
        for task, metric, value in (
            *(("emotion", "accuracy", 0.7125), ("emotion", "uar", 0.5675)),
            *(("gender", "accuracy", 0.9125), ("gender", "uar", 0.9225)),
        )
    ]
    scores = pd.read_csv(directory / "scores.csv")
    intervals = pd.DataFrame(rows, columns=INTERVAL_COLUMNS)
    intervals["views"] = scores["views"].iloc[0]
    intervals.to_csv(directory / "intervals.csv", index=False)
    page = read(directory)
    said = " ".join(" ".join(page.text).split())
    short = said[said.index("95 % bootstrap intervals:") :][:600]
    first = short.index("emotion : 56.8 (40.0 to 80.0) % UAR on voices never heard.")
    assert short.index("emotion : 71.2 (40.0 to 80.0) % accuracy on voices never heard.") > first
    assert "gender : 91.2 (40.0 to 80.0) % on voices never heard." in short
    assert page.says("of emotion UAR comes first")
    assert page.says("SER UAR %")


def test_concordance_is_no_percentage(make_run):
    directory = make_run()
    rows = [
        ["tango", "mfcc+whisper", "disjoint", "arousal", "ccc", "all", "", 9, 9, 0.53, 0.4, 0.6]
    ]
    scores = pd.read_csv(directory / "scores.csv")
    arousal = scores.iloc[:1].assign(task="arousal", metric="ccc", protocol="disjoint", value=0.53)
    pd.concat([scores, arousal]).to_csv(directory / "scores.csv", index=False)
    intervals = pd.DataFrame(rows, columns=INTERVAL_COLUMNS).assign(views=scores["views"].iloc[0])
    intervals.to_csv(directory / "intervals.csv", index=False)
    assert read(directory).says("arousal : 0.53 (0.40 to 0.60) CCC on voices never heard.")


def test_labels_are_escaped_everywhere(make_run):
    audit = {"copies": EVIL, "aliases": [[EVIL, "46"]], EVIL: EVIL}
    config = {"corpus": EVIL, "views": [EVIL], "command": EVIL, "audit": audit, EVIL: {EVIL: EVIL}}
    directory = make_run(config, speakers=[EVIL, "b"], views=EVIL)
    for name in ("scores.csv", "predictions.csv"):
        path = directory / name
        path.write_text(path.read_text().replace("emotion", EVIL).replace("tango", EVIL))
    source = write_report(directory).read_text(encoding="utf-8")
    assert EVIL not in source
    assert len(Page(source).all("script")) == 1
    assert Page(source).says(EVIL)


def test_one_protocol_and_one_fold(make_run):
    page = read(make_run(protocols=("closed",), folds=1))
    assert page.says("There is one fold only")
    assert page.says("Run again with --protocol both")
    assert not page.says("nobody can name a voice")
    page = read(make_run(protocols=("disjoint",)))
    assert page.says("speaker recognition needs closed")


def test_other_tasks_corpora_and_views(make_run):
    config = {"corpus": "manifest", "views": ["whisper=models/x"], "tasks": {"dialect": "x"}}
    directory = make_run(config, views="whisper=models/x", models=("mine",))
    for name in ("scores.csv", "predictions.csv"):
        path = directory / name
        text = path.read_text().replace("emotion", "dialect").replace(",age,", ",height,")
        path.write_text(text)
    page = read(directory)
    assert page.says("dialect %")
    assert page.says("height rmse")
    assert not page.says("paper (")


def test_labels_that_look_missing_are_kept_and_missing_ones_left_out(make_run):
    directory = make_run(speakers=["nan", "None", "007"])
    path = directory / "predictions.csv"
    path.write_text(re.sub(r"(closed,age),[^,]*,", r"\1,,", path.read_text(), count=1))
    alts = " ".join(image["alt"] for image in read(directory).all("img"))
    assert "of speaker" in alts
    assert "of 240 correct" in alts
    assert "(n = 239)" in alts


def test_a_config_with_little_in_it_will_do(make_run):
    directory = make_run()
    (directory / "config.json").write_text("{}")
    (directory / "predictions.csv").unlink()
    page = read(directory)
    assert page.says("There is no predictions.csv")
    assert page.says("config.json has no audit")
    assert page.says("config.json has no command")


def test_the_first_model_asked_for_owns_the_unnamed_file(make_run):
    directory = make_run({"models": ["concat", "tango"]}, models=("concat", "tango"))
    path = directory / "scores.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *reversed(rows)]))  # tango first
    page = read(directory)
    assert page.says("The same for tango")
    assert len(page.all("img")) == 15


@pytest.mark.parametrize("name", ["scores.csv", "config.json"])
def test_missing_file_is_named_with_its_remedy(make_run, name):
    directory = make_run()
    (directory / name).unlink()
    with pytest.raises(ReportError, match=f"{name} is missing; .*sfmforensics evaluate"):
        write_report(directory)
    assert not list(directory.glob("*report*"))


def test_missing_folder_is_named_with_its_remedy(tmp_path):
    with pytest.raises(SFMForensicsError, match=r"nowhere does not exist; .*sfmforensics evaluate"):
        write_report(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is not a folder"):
        write_report(tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "column"), [("scores.csv", "metric"), ("predictions.csv", "predicted")]
)
def test_missing_column_is_named(make_run, name, column):
    path = make_run() / name
    path.write_text(path.read_text().replace(column, "wrong", 1))
    with pytest.raises(ReportError, match=f"{name}: no column '{column}'"):
        write_report(path.parent)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("scores.csv", "", "cannot be read"),
        ("scores.csv", "model,views,protocol,fold,task,metric,value\n", "no rows"),
        ("scores.csv", "model,views,protocol,fold,task,metric,value\na,b,c,0,e,f,x\n", "'value'"),
        ("predictions.csv", '"a,b\n1,2', "cannot be read"),
        ("config.json", "{", "cannot be read"),
        ("config.json", json.dumps([1]), "no settings by name"),
    ],
)
def test_broken_file_is_named(make_run, name, content, words):
    path = make_run() / name
    path.write_text(content)
    with pytest.raises(ReportError, match=words) as raised:
        write_report(path.parent)
    assert name in str(raised.value)
