"""Tables stand at any width: whatever is printed can be read back word by word."""

import io
import re
from itertools import chain

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from sfmforensics._utils.grid import UNLIMITED, Grid, Record, Screen
from sfmforensics.cli._console import in_folder, show_answers, show_frame, show_scores
from sfmforensics.report import to_rich

WIDTHS = (20, 40, 60, 80, 120, 200)
LONG = "/home/examiner/cases/2026-0117/exhibits/interview-room-2/channel-1/questioned.wav"
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, categories=["L", "N", "P"]),
                min_size=1, max_size=30)  # fmt: skip
CELLS = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)
FRAMES = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.lists(CELLS, min_size=n, max_size=n),
        st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=3),
    )
)


def printed(what, width, encoding="utf-8", **options):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(width=width, file=file, emoji=False)
    options = {"soft_wrap": True} | options
    console.print(what, **options) if not callable(what) else what(console)
    file.flush()
    return file.buffer.getvalue().decode(encoding)


def words_of(text):
    """Words between the borders, in any order."""
    return sorted(re.sub(r"[\u2500-\u257f]", " ", text).split())


def grid_of(headers, rows, title=None, keys=0):
    grid = Grid(title, keys=keys)
    for header in headers:
        grid.add_column(header)
    for row in rows:
        grid.add_row(*row)
    return grid


@given(FRAMES, st.sampled_from(WIDTHS), st.integers(0, 2))
@example((["path", "speaker"], [[LONG, "s01 (45%)"]]), 40, 0)
def test_no_word_is_broken_and_none_is_lost(frame, width, keys):
    headers, rows = frame
    shown = printed(grid_of(headers, rows, "in a folder", keys), width)
    expected = {word for text in ("in a folder", *headers, *chain(*rows)) for word in text.split()}
    assert expected <= set(words_of(shown))
    for line in shown.splitlines():
        # Longer is only what ends in a word for which there is no room.
        one_word = cell_len(["", *line.split()][-1]) > width // 2 - 2
        assert cell_len(line.rstrip()) <= width or one_word


@given(FRAMES, st.sampled_from(WIDTHS))
def test_whoever_prints_it_as_any_table_loses_nothing_either(frame, width):
    """Without soft_wrap rich crops what is too long, so that words are continued instead."""
    headers, rows = frame
    shown = printed(grid_of(headers, rows), width, soft_wrap=False)
    for text in (*headers, *chain(*rows)):
        for word in text.split():
            assert word in shown or word in re.sub(r"\s", "", shown)
    assert all(cell_len(line) <= width for line in shown.splitlines())


def test_a_table_that_fits_is_a_table_and_one_that_does_not_is_blocks():
    frame = pd.DataFrame({"path": [LONG, "b.wav"], "emotion": ["calm (90%)", "angry (51%)"]})
    wide, narrow = (printed(lambda c: show_frame(frame, "in x", c), width) for width in (120, 60))
    assert wide.splitlines()[0] == "in x"
    assert f"│ {LONG} │ calm (90%)  │" in wide
    assert narrow.splitlines() == [
        *("in x", f"path     {LONG}", "emotion  calm (90%)", ""),
        *("path     b.wav", "emotion  angry (51%)", ""),
    ]


def test_columns_that_do_not_stand_side_by_side_stand_in_several_tables():
    frame = pd.DataFrame(
        {"task": ["GR %", "AE years"]} | {f"model{i}": "9.5 ± 1.2" for i in range(9)}
    )
    shown = printed(lambda c: show_frame(frame, "scores", c, keys=1), 60)
    assert max(map(len, shown.splitlines())) <= 60
    assert shown.count("AE years") == shown.count("┏━") == 3
    for number in range(9):
        assert shown.count(f" model{number} ") == 1


def test_a_name_of_a_file_is_not_wrapped_at_its_blanks():
    name = "interview of Mrs X, second part, left.wav"
    frame = pd.DataFrame({"path": [name], "what": ["one two three four five six seven eight nine"]})
    for width in WIDTHS:
        assert name in printed(lambda c: show_frame(frame, "", c), width)


@given(st.lists(st.tuples(WORDS, CELLS), min_size=1, max_size=6), st.sampled_from(WIDTHS))
def test_a_record_holds_every_word(pairs, width):
    shown = printed(Record(pairs), width)
    assert words_of(" ".join(f"{name} {text}" for name, text in pairs)) == words_of(shown)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii"])
def test_borders_are_straight_in_any_encoding(encoding):
    frame = pd.DataFrame(
        {"name": ["Zoë", "Łódź \N{MINUS SIGN}", "b"], "score": ["1.0 ± 0.5", "2", "3 …"]}
    )
    shown = printed(lambda c: show_frame(frame, "mean ± sd", c), 80, encoding)
    table = [line for line in shown.splitlines() if line.startswith(("|", "+"))]
    assert len({len(line) for line in table}) == 1
    assert r"\u0141\u00f3d\u017a -" in shown if encoding == "ascii" else r"\u0141ód" in shown


def test_what_is_no_terminal_has_the_width_of_its_content(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    screen = Screen()
    assert screen.width == UNLIMITED or screen.is_terminal
    monkeypatch.setenv("COLUMNS", "60")
    assert screen.width == 60
    monkeypatch.setenv("COLUMNS", "wide")
    assert screen.width == UNLIMITED or screen.is_terminal


def scores_of(models):
    values = {"speaker": ("accuracy", 0.934), "emotion": ("accuracy", 1.0)}
    values |= {"gender": ("accuracy", 0.912), "age": ("rmse", 10.25)}
    return pd.DataFrame(
        [
            (model, views, protocol, fold, task, metric, value - fold / 10)
            for model, views in models
            for protocol in ("closed", "disjoint")
            for task, (metric, value) in values.items()
            for fold in (0, 1)
            if (task, protocol) != ("speaker", "disjoint")
        ],
        columns=["model", "views", "protocol", "fold", "task", "metric", "value"],
    )


MODELS = [
    *(("tango", "mfcc+whisper"), ("concat", "mfcc+whisper")),
    *(("single", "mfcc"), ("single", "whisper"), ("svm", "mfcc+whisper")),
]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("corpus", ["manifest", "baved"])
def test_scores_stand_at_any_width(corpus, width):
    shown = printed(lambda c: show_scores(scores_of(MODELS), corpus, c), width)
    table = shown.partition("closed: every")[0]
    words = words_of(table)
    for word in ("tango", "concat", "(whisper)", "svm", "closed", "disjoint", "SER", "years"):
        assert word in words, word
    assert words.count("10.20") == 2 * len(MODELS)
    assert table.count("95.0 ± 7.1") == 2 * len(MODELS)
    if width >= 60:
        assert max(map(cell_len, table.splitlines())) <= width
    if corpus == "baved":
        assert "paper" in shown


def test_the_rule_holds_for_answers_of_a_model():
    answers = pd.DataFrame(
        {
            "path": [LONG, LONG.replace("1.wav", "2.wav")],
            "speaker": ["speaker-of-a-long-name", None],
            "speaker_probability": [0.5, 0.4],
            "emotion": ["neutral", "sad"],
            "emotion_probability": [0.9, 0.8],
            "age": [33.0, 44.0],
            "age_low": [20.0, 30.0],
            "age_high": [40.0, float("inf")],
        }
    )
    for width in WIDTHS:
        words = words_of(printed(lambda c: show_answers(answers, "90%", c), width))
        for word in ("speaker-of-a-long-name", "inconclusive", "(anything)", "(90%)"):
            assert word in words
    assert in_folder(answers)[1].startswith("in /home")


def test_to_rich_is_a_table_of_rich():
    table = to_rich(pd.DataFrame({"model": ["[bold]x"]}), "Scores [1]")
    assert "[bold]x" in printed(table, 80, soft_wrap=False)
