import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from sfmforensics.embedders.registry import REGISTRY
from sfmforensics.exceptions import DatasetError, ViewError
from sfmforensics.metrics import METRICS
from sfmforensics.paper import load_paper_results, paper_rows

MARKDOWN = Path(__file__).resolve().parents[1].parent / "shared" / "paper" / "tango_paper.md"
COLUMNS = ["table", "dataset", "setup", "view_1", "view_2"]
FIGURES = ["asr_accuracy", "ser_accuracy", "gr_accuracy", "ae_rmse"]
_CORPUS_OF_TABLE = {3: "crema-d", 4: "baved", 5: "emo-db", 7: "crema-d", 8: "baved", 9: "emo-db"}
_SETUP_OF_HEADING = {
    "Concatenation Fusion Technique": "mvmt-concat",
    "TANGO": "tango",
    "TANGO(x1->x2)": "tango-x1-to-x2",
    "TANGO(x2->x1)": "tango-x2-to-x1",
}


def printed_tables():
    """Rows of the paper's tables 1 to 9, as (table, heading above the row, cells)."""
    rows, heading = [], None
    for line in MARKDOWN.read_text(encoding="utf-8").splitlines():
        plain = re.sub(r"</?[bi]>", "", line).replace("&gt;", ">")
        if caption := re.match(r"Table (\d+):", plain):
            yield from ((int(caption[1]), *row) for row in rows)
            rows = []
        elif plain.strip() == "*TANGO*":
            heading = "TANGO"
        cells = [cell.strip() for cell in plain.split("\t")]
        if len(cells) != 5 or cells[0] == "SFMs":
            continue
        if any(cells[1:]):
            rows.append((heading, cells))
        else:
            heading = cells[0]


def printed_results():
    rows = []
    for table, heading, (name, *figures) in printed_tables():
        if table == 6:  # a summary of the others
            continue
        views = [view.strip().lower() for view in name.split("+")]
        if table <= 2:
            where = (heading.lower(), "svst" if table == 1 else "svmt")
        else:
            where = (_CORPUS_OF_TABLE[table], _SETUP_OF_HEADING[heading])
        view_2 = views[1] if len(views) == 2 else None
        rows.append((table, *where, views[0], view_2, *map(float, figures)))
    return pd.DataFrame(rows, columns=COLUMNS + FIGURES)


@pytest.mark.skipif(not MARKDOWN.exists(), reason="needs ../shared/paper/tango_paper.md")
def test_every_row_is_as_printed():
    printed, stored = (
        results.fillna({"view_2": ""}).set_index(COLUMNS).sort_index()
        for results in (printed_results(), load_paper_results())
    )
    assert len(printed) == 486
    assert printed.index.is_unique
    assert list(printed.index) == list(stored.index)
    differing = printed[(printed.to_numpy() != stored[FIGURES].to_numpy()).any(axis=1)]
    assert differing.empty


@pytest.mark.skipif(not MARKDOWN.exists(), reason="needs ../shared/paper/tango_paper.md")
def test_best_of_each_setup_is_the_papers_summary():
    results = load_paper_results()
    corpus = None
    expected_differences = {("baved", "svmt", "ae_rmse")}  # 2.56 (x-vector), printed 2.58
    found = set()
    for table, heading, (name, *figures) in printed_tables():
        if table != 6:
            continue
        corpus = heading.lower()
        rows = results[(results["dataset"] == corpus) & (results["setup"] == name.lower())]
        best = [*rows[FIGURES[:3]].max(), rows["ae_rmse"].min()]
        for figure, ours, theirs in zip(FIGURES, best, figures, strict=True):
            if ours != float(theirs):
                found.add((corpus, name.lower(), figure))
    assert corpus is not None
    assert found == expected_differences


def test_results_are_complete():
    results = load_paper_results()
    assert list(results) == COLUMNS + FIGURES
    assert results.groupby("table").size().to_dict() == {
        **dict.fromkeys((1, 2), 27),
        **dict.fromkeys((3, 4, 5, 7, 8, 9), 72),
    }
    assert not results.duplicated(COLUMNS).any()
    assert results[FIGURES].notna().all(axis=None)
    assert results["view_2"].isna().sum() == 54
    views = set(results["view_1"]) | set(results["view_2"].dropna())
    assert views == set(REGISTRY) - {"prosody"}


@pytest.mark.parametrize("name", ["emo-db", "emodb", "EMO-DB", "emo_db"])
def test_corpora_go_by_either_name(name):
    assert set(load_paper_results(dataset=name)["dataset"]) == {"emo-db"}
    assert len(load_paper_results(dataset=name)) == 162


def test_filters_combine_and_views_have_no_order():
    one = load_paper_results(dataset="cremad", setup="tango-x1-to-x2", views=("MFCC", "x-vector"))
    two = load_paper_results(dataset="crema-d", setup="tango-x1-to-x2", views=["x-vector", "mfcc"])
    assert one.equals(two)
    assert one.loc[0, FIGURES].tolist() == [71.46, 41.37, 96.91, 10.01]
    assert one.index.tolist() == [0]
    single = load_paper_results(dataset="baved", views="trillsson")
    assert single["setup"].tolist() == ["svst", "svmt"]
    assert load_paper_results(views=["mfcc", "mfcc"]).empty


def test_what_the_paper_does_not_have_is_refused_with_what_it_has():
    with pytest.raises(
        DatasetError, match="no dataset 'ravdess'; there are crema-d, baved, emo-db"
    ):
        load_paper_results(dataset="ravdess")
    with pytest.raises(DatasetError, match="no setup 'concat'; there are svst, svmt, mvmt-concat"):
        load_paper_results(setup="concat")
    with pytest.raises(ViewError, match="no view prosody; there are mfcc, mms"):
        load_paper_results(views=["mfcc", "prosody"])


def test_paper_rows_are_in_our_units_and_names():
    rows = paper_rows("emodb", ["x-vector", "mfcc"], "concat")
    figures = rows.set_index("task")["value"].to_dict()
    assert figures == {"speaker": 0.9719, "emotion": 0.8644, "gender": 0.9907, "age": 3.43}
    assert set(rows["metric"]) <= set(METRICS)
    assert set(rows["setup"]) == {"mvmt-concat"}
    assert rows.loc[0, ["view_1", "view_2"]].tolist() == ["mfcc", "x-vector"]


def test_paper_rows_of_single_views_tell_one_task_from_four():
    rows = paper_rows("baved", "whisper", "single")
    assert rows.groupby("setup")["value"].first().to_dict() == {"svmt": 0.5711, "svst": 0.8088}
    assert len(rows) == 8


@pytest.mark.parametrize(
    ("corpus", "views", "model"),
    [
        ("manifest", ["whisper", "mfcc"], "tango"),
        ("baved", ["whisper", "prosody"], "tango"),
        ("baved", ["whisper"], "tango"),
        ("baved", ["whisper", "mfcc"], "svm"),
        ("baved", ["whisper", "mfcc", "wavlm"], "concat"),
        ("baved", ["whisper=folder", "mfcc"], "concat"),
    ],
)
def test_what_cannot_be_compared_gives_no_rows(corpus, views, model):
    rows = paper_rows(corpus, views, model)
    assert rows.empty
    assert list(rows)[:3] == ["task", "metric", "value"]


def test_figures_are_found_from_any_folder(tmp_path):
    code = "from sfmforensics.paper import load_paper_results as load; print(len(load()))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "486"
