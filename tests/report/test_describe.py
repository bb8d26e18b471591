import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sfmforensics.embedders import CallableEmbedder
from sfmforensics.workflow import describe_corpus

pytestmark = pytest.mark.filterwarnings("ignore::sfmforensics.exceptions.SplitWarning")


def found(frame):
    return dict(zip(frame["what"], frame["found"], strict=True))


def test_a_clean_corpus_has_nothing_to_complain_of(corpus):
    tables = describe_corpus(corpus, folds=3)
    assert list(tables) == ["corpus", "labels", "numbers", "leaks between folds", "findings"]
    assert set(tables["findings"]["severity"]) == {"note"}
    overview = found(tables["corpus"])
    assert overview["recordings"] == "36"
    assert overview["speakers"] == "6"
    assert overview["that are copies of another"] == "0"
    assert overview["sampling rates"] == "16000 Hz (36)"
    assert set(tables["leaks between folds"]["copies in training"]) == {0}


def test_planted_faults_are_each_found(corpus, tmp_path):
    first, last = corpus.target.index[0], corpus.target.index[-1]
    copy, broken = tmp_path / "copy.wav", tmp_path / "broken.wav"
    shutil.copy(corpus.data[first], copy)
    broken.write_text("no sound")
    target = corpus.target.iloc[[*range(36), last, last]].reset_index(drop=True)
    target.loc[37, "age"] = 99.0
    planted = Bunch(data=[*corpus.data, str(copy), str(broken)], target=target)
    tables = describe_corpus(planted, folds=3)
    assert found(tables["corpus"])["that are copies of another"] == "1"
    assert tables["recordings that cannot be read"]["path"].tolist() == [str(broken)]
    aliases = tables["copies under several speakers"]
    speakers = {corpus.target.speaker[first], corpus.target.speaker[last]}
    assert set(aliases["speakers"][0].split(" = ")) == speakers
    assert Path(corpus.data[first]).name in aliases["an example"][0]
    conflicts = tables["speakers with several ages or genders"]
    assert conflicts["speaker"].tolist() == [corpus.target.speaker[last]]
    leaks = tables["leaks between folds"].set_index(["protocol", "copies are"])
    assert leaks.loc[("disjoint", "kept together"), "copies in training"] == 0
    assert leaks.loc[("disjoint", "ignored"), "copies in training"] > 0


def test_labels_that_are_missing_are_counted_and_many_are_cut(corpus):
    target = corpus.target.assign(word=[f"w{i}" for i in range(36)])
    target.loc[:4, "gender"] = None
    labels = describe_corpus(Bunch(data=corpus.data, target=target), folds=3)["labels"]
    labels = labels.set_index("task")
    assert labels.loc["gender", "missing"] == 5
    assert labels.loc["word", "counts"].endswith("... 21 more")


def test_too_few_speakers_are_said_not_raised(corpus):
    few = Bunch(data=corpus.data[:6], target=corpus.target.iloc[:6].reset_index(drop=True))
    leaks = describe_corpus(few, folds=2)["leaks between folds"].set_index("protocol")
    assert "two speakers or more" in leaks.loc["disjoint", "split"]


def test_views_add_near_copies_and_alike_voices():
    """Noises of which each speaker has a colour of their own; the last two have the same."""
    rng = np.random.default_rng(0)
    colours = np.exp(0.5 * rng.normal(size=(10, 32)))
    colours[9] = colours[8]
    rows = [(speaker, take) for speaker in range(10) for take in range(6)]
    data = [(_noise(colours[speaker], rng), 16_000) for speaker, _ in rows]
    data += [(0.5 * data[0][0][200:], 16_000), "missing.wav", (np.zeros(16_000), 16_000)]
    speakers = [f"s{speaker}" for speaker, _ in rows] + ["s1", "s0", "s0"]
    target = pd.DataFrame({"speaker": speakers}, dtype=object)
    view = CallableEmbedder(_colour, 32, name="colour")
    tables = describe_corpus(Bunch(data=data, target=target), views=[view], folds=3)
    near = tables["near copies"].iloc[0]
    assert near[["first", "second", "speakers"]].tolist() == [
        "recording 0", "recording 60", "s0 / s1",
    ]  # fmt: skip
    assert near["correlation"] > 0.99
    alike = tables["speakers whose voices are alike (colour)"]
    assert alike[["first", "second"]].to_numpy().tolist() == [["s8", "s9"]]
    assert tables["recordings that cannot be read"]["path"].tolist() == ["missing.wav"]
    assert "silence" in tables["recordings that cannot be embedded"]["found"][0]
    assert tables["copies under several speakers"]["speakers"].tolist() == ["s0 = s1"]
    assert list(tables)[-1] == "findings"
    assert {"near copies", "voices alike", "cannot be read"} <= set(tables["findings"]["finding"])
    assert "alike voices on both sides" in tables["leaks between folds"]


def _noise(colour, rng):
    spectrum = np.repeat(colour, 250) * (rng.normal(size=(8000, 2)) @ [1, 1j])
    return np.fft.irfft(spectrum, 16_000) * 10


def _colour(signal):
    power = np.abs(np.fft.rfft(signal, 16_000)[:8000]) ** 2
    return np.log(power.reshape(32, 250).mean(axis=1))


def test_long_lists_are_cut_and_say_how_many_more(corpus):
    target = corpus.target.assign(age=[float(20 + i % 2) for i in range(36)])
    several = Bunch(data=corpus.data, target=target)
    title = "speakers with several ages or genders"
    assert len(describe_corpus(several, folds=3, rows=None)[title]) == 6
    cut = describe_corpus(several, folds=3, rows=4)[title]["speaker"].tolist()
    assert cut == ["s01", "s02", "s03", "s04", "... 2 more"]
