"""What the README says can be run is run, word for word."""

import os
import re
import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

pytestmark = pytest.mark.slow

README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.fixture
def where_it_says(tmp_path, monkeypatch):
    """A folder in which the README's paths exist: a small BAVED, a small Whisper, a recording."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    from sfmforensics.datasets import make_speech_corpus

    corpus = make_speech_corpus(6, 6, duration=0.5, output=tmp_path / "voices")
    root = tmp_path / "path" / "to" / "baved"
    for number, (path, labels) in enumerate(
        zip(corpus.data, corpus.target.to_dict("records"), strict=True)
    ):
        word, emotion = number % 7, number % 3
        name = f"{labels['speaker'][1:]}-{labels['gender'][0]}-{labels['age']:.0f}"
        (root / str(word)).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / str(word) / f"{name}-{word}-{emotion}-{number}.wav")
    names = ("someone.wav", "questioned.wav", "known-1.wav", "known-2.wav")
    for path, name in zip(corpus.data, names, strict=False):
        shutil.copy(path, tmp_path / name)
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
    folder = tmp_path / "path" / "to" / "whisper-tiny.en"
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    monkeypatch.chdir(tmp_path)


def test_the_python_examples_run(where_it_says, capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 6
    names = {}
    plt.close("all")
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert names["scores"]["test_speaker_accuracy"].shape == (5,)
    answers = names["model"].predict(["someone.wav"])
    assert answers.columns.tolist() == ["speaker", "emotion", "gender", "age"]
    assert isinstance(answers, pd.DataFrame)
    assert set(names["search"].best_params_) == {"tango__reg", "tango__direction"}
    assert os.path.exists("tango.safetensors")
    assert names["nested"]["test_score"].shape == (3,)
    assert names["stored"].data.shape == (len(names["corpus"].data), 74)
    found = names["found"]
    assert found.lower <= found.log10_lr <= found.upper
    assert len(plt.get_fignums()) == 3
    plt.close("all")


def test_every_command_that_it_names_exists(capsys):
    from sfmforensics.cli import main

    text = README.read_text(encoding="utf-8")
    commands = set(re.findall(r"^sfmforensics (\w+)", text, re.MULTILINE))
    assert commands == {
        *("describe", "evaluate", "reproduce", "report", "train", "predict"),
        *("compare", "identify", "assess", "verify"),
    }
    for command in commands:
        assert main([command, "--help"]) == 0
        shown = capsys.readouterr().out
        line = text[text.index(f"sfmforensics {command}") :].split("sfmforensics", 2)[1]
        for option in re.findall(r"--\w+", line.split("```")[0]):
            assert option in shown, f"{command} has no {option}"
