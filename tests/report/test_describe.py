import shutil
from pathlib import Path

import pytest
from sklearn.utils import Bunch

from sfmforensics.report.describe import describe_corpus

pytestmark = pytest.mark.filterwarnings("ignore::sfmforensics.exceptions.SplitWarning")


def found(frame):
    return dict(zip(frame["what"], frame["found"], strict=True))


def test_a_clean_corpus_has_nothing_to_complain_of(corpus):
    tables = describe_corpus(corpus, folds=3)
    assert list(tables) == ["corpus", "labels", "numbers", "leaks between folds"]
    overview = found(tables["corpus"])
    assert overview["recordings"] == "36"
    assert overview["speakers"] == "6"
    assert overview["that are copies of another"] == "0"
    assert overview["sampling rates"] == "16000 Hz (36)"
    assert set(tables["leaks between folds"]["copies in training"]) == {"0"}


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
    assert leaks.loc[("disjoint", "kept together"), "copies in training"] == "0"
    assert leaks.loc[("disjoint", "ignored"), "copies in training"] != "0"


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
