"""What the site says can be run is run, word for word; every public name has its page."""

import doctest
import importlib
import os
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GENERATED = ("api", "gallery", "_build", "_static", "_ext")
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *DOCS.rglob("*.md")]
    if path.relative_to(DOCS if DOCS in path.parents else ROOT).parts[0] not in GENERATED
    and "outputs" not in path.parts
)
slow = pytest.mark.slow
RUN = [page for page in PAGES if "```python\n" in page.read_text(encoding="utf-8")]


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks_of(page, language):
    """The code of a page, block by block; "" for what is no program."""
    text = page.read_text(encoding="utf-8")
    fences = re.findall(r"^```(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE)
    return [code for said, code in fences if said == language]


@pytest.fixture(scope="session")
def extensions():
    """The folder of the site's own extensions, to import from."""
    sys.path.insert(0, str(DOCS / "_ext"))
    yield
    sys.path.remove(str(DOCS / "_ext"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the pages' paths exist: a small BAVED, a small Whisper, a model."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    from sfmforensics.datasets import make_speech_corpus

    folder = tmp_path_factory.mktemp("site")
    corpus = make_speech_corpus(6, 6, duration=0.5, output=folder / "voices")
    root = folder / "path" / "to" / "baved"
    for number, (path, labels) in enumerate(
        zip(corpus.data, corpus.target.to_dict("records"), strict=True)
    ):
        word, emotion = number % 7, number % 3
        name = f"{labels['speaker'][1:]}-{labels['gender'][0]}-{labels['age']:.0f}"
        (root / str(word)).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / str(word) / f"{name}-{word}-{emotion}-{number}.wav")
    names = ("someone.wav", "questioned.wav", "known-1.wav", "known-2.wav")
    for path, name in zip(corpus.data, names, strict=False):
        shutil.copy(path, folder / name)
    config = WhisperConfig(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        vocab_size=60,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=3,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = folder / "path" / "to" / "whisper-tiny.en"
    WhisperModel(config).save_pretrained(model)
    WhisperFeatureExtractor().save_pretrained(model)
    return folder


@pytest.fixture
def run(folder, monkeypatch):
    """A function that runs the Python of a page, and gives the names that it leaves.

    Networks are trained for three epochs: it runs, however good what it gives may be.
    """
    import sklearn

    from sfmforensics.estimators import _base

    epochs_of = _base.epochs_of
    monkeypatch.setattr(_base, "epochs_of", lambda *given: min(epochs_of(*given), 3))
    monkeypatch.chdir(folder)
    plt.close("all")
    yield run_page
    plt.close("all")
    sklearn.set_config(enable_metadata_routing=False)


def run_page(name):
    names = {"__name__": "a page"}
    for block in blocks_of(ROOT / name, "python"):
        exec(compile(block, name, "exec"), names)
    return names


@slow
def test_the_first_page_gives_a_score_a_model_and_an_answer(run):
    names = run("docs/getting-started.md")
    assert names["scores"]["test_speaker_accuracy"].shape == (5,)
    assert os.path.exists("tango.safetensors")
    answers = names["model"].predict(["someone.wav"])
    assert answers.columns.tolist() == ["speaker", "emotion", "gender", "age"]


def test_the_first_score_takes_ten_lines():
    first = blocks_of(DOCS / "getting-started.md", "python")[0]
    assert len([line for line in first.splitlines() if line]) <= 10


@slow
def test_a_view_of_ones_own(run):
    assert run("docs/guide/views.md")["views"].fit_transform(["someone.wav"]).shape == (1, 76)


@slow
def test_both_protocols_and_a_search(run):
    names = run("docs/guide/protocols.md")
    assert set(names["found"].scores.protocol) == {"closed", "disjoint"}
    assert set(names["search"].best_params_) == {"tango__reg", "tango__direction"}


@slow
def test_a_table_is_read(run, capsys):
    names = run("docs/guide/own-table.md")
    assert len(names["corpus"].data) == 24


@slow
def test_two_channels_are_refused_and_then_heard(run, capsys):
    names = run("docs/guide/recordings.md")
    assert "--channel" in capsys.readouterr().out
    assert names["signal"].shape == (16000,)
    assert names["caller"].shape == (1, 74)


@slow
def test_a_nested_search_keeps_speakers_apart(run):
    assert run("docs/guide/models.md")["nested"]["test_score"].shape == (3,)


@slow
def test_a_ratio_lies_within_its_limits(run):
    found = run("docs/guide/case.md")["found"]
    assert found.lower <= found.log10_lr <= found.upper


@slow
def test_vectors_are_stored_and_learnt_from(run):
    names = run("docs/guide/scale.md")
    assert names["stored"].data.shape == (len(names["corpus"].data), 74)


@slow
def test_three_figures_are_drawn(run):
    run("docs/guide/figures.md")
    assert len(plt.get_fignums()) == 3


@slow
def test_a_model_without_people_is_written(run):
    from sklearn.pipeline import make_pipeline

    from sfmforensics import TANGO, make_views, save_model
    from sfmforensics.datasets import load_baved

    if not os.path.exists("tango.safetensors"):
        corpus = load_baved("path/to/baved")
        model = make_pipeline(make_views("mfcc", "prosody"), TANGO(max_epochs=2))
        save_model(model.fit(corpus.data, corpus.target), "tango.safetensors")
    run("docs/personal-data.md")
    assert os.path.exists("handed-on.safetensors")


def test_the_python_of_every_page_is_run_above():
    """That of the README is the first page's."""
    text = Path(__file__).read_text(encoding="utf-8")
    for page in RUN:
        assert page.name == "README.md" or f'run("{name_of(page)}")' in text, page


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_is_typed_exists(page, capsys):
    """Commands, and each option of each, in blocks and within the text."""
    from sfmforensics.cli import app, main

    known = {(command.name or command.callback.__name__) for command in app.registered_commands}
    typed = re.sub(r"\\\n\s*", " ", "".join(blocks_of(page, "")))
    for line in re.findall(r"^sfmforensics .*", typed, re.MULTILINE):
        words = line.partition("  # ")[0].split()[1:]
        if words[0].startswith("--"):  # --log FILE, before the command
            words = words[2:]
        assert words[0] in known, line
        assert main([words[0], "--help"]) == 0
        shown = capsys.readouterr().out
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert option in shown, f"{words[0]} has no {option}"


def test_every_command_is_in_the_guide():
    from sfmforensics.cli import app

    guide = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "guide").glob("*.md"))
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        assert f"`{name}`" in guide or f"sfmforensics {name} " in guide or name == "demo", name


def test_every_option_in_the_text_of_the_guide_is_one(extensions):
    from reference import commands

    shown = " ".join(commands().values())
    for page in PAGES:
        if page.name == "README.md" or page.parent == DOCS / "guide":
            for option in set(re.findall(r"`(--[a-z-]+)", page.read_text(encoding="utf-8"))):
                assert option in shown, f"{page.name}: {option}"


def test_every_public_name_has_its_page(extensions):
    from public import public_names
    from reference import pages

    made = pages()
    names = public_names()
    assert len(names) > 150
    for name in names:
        assert name.full in made
        assert f"`{name.name} <{name.full}>`" in made[name.module]
        assert name.name in made[name.full]
    # As `tests/house/test_types.py` knows them: names at the top, and what packages list.
    import sfmforensics

    for module in {name.module for name in names}:
        listed = getattr(importlib.import_module(module), "__all__", ())
        shown = {name.name for name in names if name.module == module}
        assert {one for one in listed if not one.startswith("_")} <= shown
    assert {name.name for name in names} >= set(sfmforensics.__all__) - {"__version__"}


def test_every_public_name_says_what_it_is(extensions):
    from public import public_names

    for name in public_names():
        assert name.doc, f"{name.full} has no docstring"


def test_methods_from_elsewhere_are_named_and_not_explained_again(extensions):
    from public import members_of

    from sfmforensics import TANGO

    ours, others = members_of(TANGO)
    assert {"fit", "predict", "predict_proba", "transport_plan", "classes_"} <= set(ours)
    assert {"set_params", "set_fit_request", "set_output"} <= set(others)


def test_the_table_of_the_paper_is_read_from_what_was_measured(extensions):
    from results import SYSTEMS, reproduction

    lines = reproduction().splitlines()
    assert len(lines) == 2 + len(SYSTEMS)
    assert lines[2] == (
        "| single task (SVST), MFCC | 81.1, 84.8, 99.5, 5.06 | 84.6, 78.6, 98.4, 3.08 "
        "| 92.9, 79.9, 99.5, 3.32 |"
    )


def test_the_map_shows_every_room_once(extensions):
    from rooms import draw, read_rooms

    rooms = read_rooms()
    drawn = ET.fromstring(draw(rooms))
    words = "{http://www.w3.org/2000/svg}text"
    names = [text.text for text in drawn.iter(words) if text.get("class") == "name"]
    assert sorted(names) == sorted(room["name"] for room in rooms)
    reasons = " ".join(text.text for text in drawn.iter(words) if text.get("class") is None)
    for room in rooms:
        assert room["reason"] in " ".join(reasons.split())
        assert room["reason"].strip() == room["reason"]


def test_rooms_of_a_lower_floor_are_drawn_below(extensions):
    from rooms import draw

    rooms = [
        {"floor": 1, "name": "cellar", "reason": "wine & roots"},
        {"floor": 2, "name": "kitchen", "reason": "what is cooked " * 20},
    ]
    drawn = ET.fromstring(draw(rooms))
    height = {
        text.text: float(text.get("y")) for text in drawn.iter() if text.get("class") == "name"
    }
    assert height["cellar"] > height["kitchen"]


SITE = {
    "index.html": '<a href="other.html#part">x</a><img src="a.png">',
    "other.html": '<h1 id="part"></h1><link rel="stylesheet" href="a.css">',
    "a.css": "a{background:url(data:image/png;base64,AA)}",
    "a.png": "",
}
WRONG = {
    "a page that is not there": {"index.html": '<a href="gone.html">x</a>'},
    "a part that is not there": {"index.html": '<a href="other.html#gone">x</a>'},
    "a script from elsewhere": {"index.html": '<script src="https://cdn.example/x.js"></script>'},
    "a font from elsewhere": {"a.css": "@font-face{src:url('//fonts.example/x.woff2')}"},
    "a style from elsewhere": {
        "other.html": '<h1 id="part"></h1><link rel="stylesheet" href="//e.example/a.css">'
    },
    "a picture that is not there": {"index.html": '<img src="gone.png">'},
}


@pytest.mark.parametrize("wrong", [None, *WRONG])
def test_what_is_wrong_with_a_site_is_seen(wrong, tmp_path, extensions, monkeypatch):
    import check_site

    monkeypatch.setattr(check_site, "missing_names", lambda pages: [])
    for name, text in (SITE | WRONG.get(wrong, {})).items():
        (tmp_path / name).write_text(text)
    assert len(check_site.faults(tmp_path)) == (wrong is not None)


def test_no_page_has_a_doctest_that_nothing_runs():
    for page in PAGES:
        assert not doctest.DocTestParser().get_examples(page.read_text(encoding="utf-8")), page
