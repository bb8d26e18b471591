import re

import numpy as np
import pandas as pd
import pytest

from sfmforensics.paper import plan_rows
from sfmforensics.report import reproduction_table, tables_of, write_reproduction

CONFIG = {
    "corpus": "baved",
    "specs": ["mfcc", "whisper=models/tiny"],
    "preset": "paper",
    "splits": {"closed": 2, "disjoint": 2},
    "seed": 0,
    "recordings": 1935,
    "versions": {"sfmforensics": "0.1.0", "python": "3.11"},
    "created": "2026-01-02T03:04:05+00:00",
    "command": "sfmforensics reproduce --corpus baved",
}
TASKS = {"speaker": "accuracy", "emotion": "accuracy", "gender": "accuracy", "age": "rmse"}


def scores_of(plan, value=0.5):
    rows = [
        [setup, "+".join(views), protocol, fold, task, metric, value + fold * 0.1]
        for _, setup, views in plan
        for protocol in ("closed", "disjoint")
        for task, metric in TASKS.items()
        if not (task == "speaker" and protocol == "disjoint")
        for fold in (0, 1)
    ]
    names = ["model", "views", "protocol", "fold", "task", "metric", "value"]
    return pd.DataFrame(rows, columns=names)


def intervals_of(scores):
    keys = ["model", "views", "protocol", "task", "metric"]
    frame = scores[keys].drop_duplicates().assign(by="all", group="", n=9, units=9)
    return frame.assign(value=0.55, low=0.4, high=0.7)


@pytest.fixture
def plan():
    return plan_rows("baved", ["mfcc", "whisper"])


def table_of(plan, corpus="baved"):
    scores = scores_of(plan)
    return reproduction_table(scores, intervals_of(scores), plan, corpus)


def test_ours_stand_beside_the_papers_under_closed_only(plan):
    table = table_of(plan)
    row = table.query(
        "setup == 'tango-x1-to-x2' and task == 'speaker' and protocol == 'closed'"
    ).iloc[0]
    # Table 8 of the paper: Whisper + MFCC, 89.66.
    assert (row.table, row.view_1, row.view_2) == (8, "whisper", "mfcc")
    assert row.paper == 0.8966
    assert row["mean"] == pytest.approx(0.55)
    assert row.sd == pytest.approx(0.1 / np.sqrt(2))
    assert row.difference == pytest.approx(0.55 - 0.8966)
    assert (row.low, row.high, row.folds) == (0.4, 0.7, 2)
    assert table.query("protocol == 'disjoint'")["paper"].isna().all()


def test_another_corpus_has_no_published_figures(plan):
    assert table_of(plan_rows("mine", ["mfcc", "prosody"]), "mine")["paper"].isna().all()


def test_the_best_is_the_largest_share_and_the_smallest_error(plan, tmp_path):
    scores = scores_of(plan)
    best = scores["views"] == "whisper"
    scores.loc[best & (scores["metric"] == "accuracy"), "value"] += 0.2
    scores.loc[best & (scores["metric"] == "rmse"), "value"] += 0.2
    whole = write_reproduction(tmp_path, scores, intervals_of(scores), plan, CONFIG)
    six = whole[(whole["table"] == 6) & (whole["protocol"] == "closed")]
    svst = six[six["setup"] == "svst"].set_index("task")
    assert svst.loc["speaker", "view_1"] == "whisper"
    assert svst.loc["age", "view_1"] == "mfcc"
    # Table 1: MFCC 81.14, Whisper 80.88; of all views TRILLsson is the best, 90.19 and 2.34.
    assert svst.loc["speaker", ["paper", "paper_all"]].tolist() == [0.8114, 0.9019]
    assert svst.loc["age", ["paper", "paper_all"]].tolist() == [3.73, 2.34]
    assert set(six["setup"]) == {"svst", "svmt", "mvmt-concat", "tango"}


def test_the_tables_are_those_of_the_paper_protocols_side_by_side(plan, tmp_path):
    scores = scores_of(plan)
    whole = write_reproduction(tmp_path, scores, intervals_of(scores), plan, CONFIG)
    found = {number: frame for number, _, frame in tables_of(whole)}
    assert list(found) == [1, 2, 4, 6, 8]
    four = found[4].set_index("system").loc["tango"]
    assert four["views"] == "whisper + mfcc"
    assert four["ASR %: paper"] == "83.07"
    assert four["ASR %: closed"] == "55.0 ± 7.1 (-28.1)"
    assert four["SER %: disjoint"] == "55.0 ± 7.1"
    assert four["AE years: closed"] == "0.55 ± 0.07 (-3.39)"
    assert "ASR %: disjoint" not in four
    assert "views" not in found[6]


def test_files_can_be_read_again_and_say_where_they_come_from(plan, tmp_path):
    scores = scores_of(plan)
    whole = write_reproduction(tmp_path, scores, intervals_of(scores), plan, CONFIG)
    read = pd.read_csv(tmp_path / "reproduction.csv", keep_default_na=True)
    assert len(read) == len(whole)
    text = (tmp_path / "reproduction.md").read_text(encoding="utf-8")
    assert "2026-01-02, sfmforensics 0.1.0, python 3.11" in text
    assert "sfmforensics reproduce --corpus baved" in text
    assert "whisper=models/tiny" in text
    rows = [line for line in text.splitlines() if line.startswith("| tango |")]
    assert len(rows) == 2  # tables 4 and 6
    widths = {len(line.split(" | ")) for line in text.splitlines() if line.startswith("| svst |")}
    assert len(widths) == 2


def test_latex_is_balanced_and_escaped(plan, tmp_path):
    scores = scores_of(plan)
    write_reproduction(tmp_path, scores, intervals_of(scores), plan, CONFIG | {"corpus": "a_b"})
    text = (tmp_path / "reproduction.tex").read_text(encoding="utf-8")
    assert text.count("\\begin{tabular}") == text.count("\\end{tabular}") == 5
    assert "$\\pm$" in text
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert not re.search(r"(?<!\\)[%#_](?!\w*})", body.replace("tab:reproduction", ""))
    for row in re.findall(r"\\begin{tabular}{(\w+)}.*?\\midrule\n(.*?)\\\\", body, re.DOTALL):
        assert len(row[0]) == row[1].count(" & ") + 1
    assert text.isascii()
