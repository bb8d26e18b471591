"""Planted leaks are each caught, and nothing is found where there is nothing."""

import io
import json
import os
import time

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils import Bunch

from sfmforensics.audio import read_audio
from sfmforensics.audit import (
    alike_voices,
    association,
    audit_corpus,
    constant_labels,
    find_leaks,
    join_copies,
    label_findings,
    names_of,
    near_copies,
    origin_findings,
    recording_details,
    speaker_conflicts,
    with_evidence,
)
from sfmforensics.datasets import find_copies, load_baved, make_speech_corpus
from sfmforensics.embedders import MFCCEmbedder
from sfmforensics.model_selection import make_splits
from sfmforensics.workflow import describe_corpus

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sfmforensics.exceptions.SplitWarning"),
]

HARMLESS = {"told by the speaker"}  # of age and gender, in every corpus


@pytest.fixture(scope="module")
def clean():
    """Eight synthetic voices of eight recordings each, in memory."""
    return make_speech_corpus(8, 8, duration=0.6, random_state=1)


@pytest.fixture(scope="module")
def X(clean):
    return MFCCEmbedder().transform(clean.data)


def changed(corpus, data=None, **columns):
    data = corpus.data if data is None else data
    return Bunch(data=data, target=corpus.target.assign(**columns))


def with_copy(corpus, position, recording, **labels):
    """The corpus with one more recording, which has the labels of another but for some."""
    row = corpus.target.iloc[[position]].assign(**labels)
    target = pd.concat([corpus.target, row], ignore_index=True)
    return Bunch(data=[*corpus.data, recording], target=target)


def found(corpus, **options):
    return set(audit_corpus(corpus, folds=4, **options)["finding"])


def one(corpus, finding, **options):
    frame = audit_corpus(corpus, folds=4, **options)
    rows = frame[frame["finding"] == finding]
    assert len(rows) == 1, frame["finding"].tolist()
    return rows.iloc[0]


def coded(signal, rate, kind):
    file = io.BytesIO()
    soundfile.write(file, signal, rate, format=kind)
    file.seek(0)
    return soundfile.read(file)


def noisy(signal, decibels):
    noise = np.random.default_rng(0).normal(size=len(signal))
    return signal + noise * signal.std() * 10 ** (-decibels / 20)


CHANGES = {
    "gain": lambda x: (0.3 * x, 16_000),
    "upside down": lambda x: (-x, 16_000),
    "noise": lambda x: (noisy(x, 30), 16_000),
    "ogg": lambda x: coded(x, 16_000, "OGG"),
    "mp3": lambda x: coded(x, 16_000, "MP3"),
    "8 kHz": lambda x: (soxr.resample(x, 16_000, 8_000), 8_000),
    "44.1 kHz": lambda x: (soxr.resample(x, 16_000, 44_100), 44_100),
    "stereo": lambda x: (np.column_stack([x, 0.5 * x]), 16_000),
    "trimmed": lambda x: (x[640:-320], 16_000),
    "padded": lambda x: (np.concatenate([np.zeros(1600), x, np.zeros(800)]), 16_000),
    "8 kHz, ogg, trimmed": lambda x: coded(soxr.resample(x[800:], 16_000, 8_000), 8_000, "OGG"),
}


def test_a_clean_corpus_has_nothing_to_complain_of(clean, X):
    assert found(clean, X=X) == HARMLESS
    assert set(audit_corpus(clean, X=X, folds=4)["severity"]) == {"note"}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_take_that_was_changed_is_found_without_an_embedding(clean, change):
    near = near_copies([*clean.data, change(clean.data[19][0])])
    assert near[["first", "second"]].to_numpy().tolist() == [[19, 64]]
    assert near["correlation"][0] > 0.97


def test_the_lag_says_where_in_the_first_the_second_begins(clean):
    signal, rate = clean.data[19]
    assert near_copies([*clean.data, (signal[640:], rate)])["lag_ms"].tolist() == [40]
    padded = np.concatenate([np.zeros(1600), signal])
    assert near_copies([*clean.data, (padded, rate)])["lag_ms"].tolist() == [-100]


def test_exact_copies_are_not_listed_among_near_ones(clean):
    signal, rate = clean.data[3]
    data = [*clean.data, (signal, rate), (0.5 * signal, rate), (0.5 * signal, rate)]
    near = near_copies(data)
    assert near[["first", "second"]].to_numpy().tolist() == [[3, 65]]
    joined = join_copies(find_copies(data), near)
    assert np.flatnonzero(joined == joined[3]).tolist() == [3, 64, 65, 66]
    assert len(np.unique(joined)) == 64


def test_what_cannot_be_read_or_embedded_is_passed_over(clean, X):
    signal, rate = clean.data[3]
    hum = np.sin(np.arange(16_000) / 16_000 * 2 * np.pi * 50)
    data = [*clean.data, "missing.wav", (np.zeros(16_000), rate), (hum, rate), (0.5 * signal, rate)]
    rows = np.vstack([X, np.full((3, X.shape[1]), np.nan, np.float32), X[[3]]])
    near = near_copies(data, rows)
    assert near[["first", "second"]].to_numpy().tolist() == [[3, 67]]
    assert near["similarity"][0] == pytest.approx(1)


def test_a_recording_with_a_common_hum_is_not_a_copy(clean):
    hum = 0.3 * np.sin(np.arange(16_000) / 16_000 * 2 * np.pi * 50)
    data = [(signal + hum[: len(signal)] + 0.1, rate) for signal, rate in clean.data[:20]]
    assert near_copies(data).empty


@pytest.fixture(scope="module")
def six():
    """One recording each of six speakers."""
    return make_speech_corpus(6, 1, duration=1.5, random_state=3)


def sine(frequency, seconds, level=0.5):
    return level * np.sin(2 * np.pi * frequency * np.arange(int(seconds * 16_000)) / 16_000)


def hiss(seconds, level, seed):
    return level * np.random.default_rng(seed).normal(size=int(seconds * 16_000))


EMPTY = {
    "zeros": lambda i: np.zeros(32_000),
    "a constant": lambda i: np.full(16_000, 0.2),
    "comfort noise": lambda i: hiss(2, 0.002, i),
    "the same comfort noise": lambda i: hiss(2, 0.002, 0),
    "a soft beep": lambda i: sine(1000, 0.5, 0.05),
    "a beep": lambda i: sine(1000, 0.5),
    "a test tone": lambda i: sine(1000, 1.0),
    "a dial tone": lambda i: sine(350, 1.0, 0.3) + sine(440, 1.0, 0.3),
    "beeps": lambda i: np.concatenate([sine(425, 0.3), np.zeros(2000)] * 3),
}


@pytest.mark.parametrize("fill", EMPTY.values(), ids=EMPTY)
def test_what_holds_no_voice_does_not_decide(six, fill):
    """Neither that two are copies, since both begin so, nor that a copy is none."""
    behind = [(np.append(six.data[0][0], fill(0)), 16_000), *six.data[1:]]
    assert near_copies(behind).empty
    before = [(np.append(fill(i), signal), rate) for i, (signal, rate) in enumerate(six.data)]
    assert near_copies(before).empty
    signal, rate = six.data[4]
    for data in (six.data, before):  # in front of the copy alone, and of all, though longer
        near = near_copies([*data, (0.5 * np.concatenate([fill(7), fill(8), signal]), rate)])
        assert near[["first", "second"]].to_numpy().tolist() == [[4, 6]]


def test_a_common_announcement_makes_no_copies(six):
    spoken = make_speech_corpus(1, 1, duration=1.5, random_state=9).data[0][0]
    data = [(np.append(4 * spoken, signal), rate) for signal, rate in six.data]
    assert near_copies(data).empty


def test_of_what_is_nothing_but_tone_no_copy_is_found():
    tones = [(sine(1000, seconds, level), 16_000) for seconds, level in ((1, 0.5), (1.5, 0.2))]
    assert near_copies(tones).empty


@settings(max_examples=20, deadline=None)
@given(
    first=st.integers(0, 5),
    before=st.floats(0, 3),
    behind=st.floats(0, 3),
    gain=st.floats(0.01, 1),
)
def test_silence_anywhere_leaves_a_copy_one_and_no_other(six, first, before, behind, gain):
    ends = np.zeros(int(16_000 * before)), np.zeros(int(16_000 * behind))
    copy = np.concatenate([ends[0], gain * six.data[first][0], ends[1]])
    near = near_copies([*six.data, (copy, 16_000)], copies=range(7))
    assert near[["first", "second"]].to_numpy().tolist() == [[first, 6]]


@pytest.mark.parametrize("cut", [1, 2, 3, 1601, 3202])
def test_a_copy_may_begin_at_any_sample(six, cut):
    """Not only at every fourth, as they are compared at 4 kHz."""
    signal, rate = six.data[1]
    for copy in (np.append(np.zeros(cut), signal), signal[cut:]):
        near = near_copies([*six.data, (0.3 * copy, rate)])
        assert near[["first", "second"]].to_numpy().tolist() == [[1, 6]]
        assert near["correlation"][0] > 0.99
        assert near["lag_ms"][0] == pytest.approx((len(signal) - len(copy)) / 16, abs=0.02)


def test_one_silence_leaves_the_folds_as_they_were():
    corpus = make_speech_corpus(10, 2, duration=0.6, random_state=4)
    signal, rate = corpus.data[0]
    corpus.data[0] = np.append(signal, np.zeros(2 * rate)), rate
    joined = join_copies(find_copies(corpus.data), near_copies(corpus.data))
    assert len(np.unique(joined)) == 20
    splits = make_splits(corpus.target, "disjoint", folds=5, copies=joined)
    assert [corpus.target["speaker"].iloc[test].nunique() for _, test in splits] == [2] * 5


def test_copies_under_other_names_are_caught(clean):
    recording = clean.data[0]
    named = with_copy(clean, 0, recording)
    assert found(named) == HARMLESS | {"exact copies"}
    assert "1 recording" in one(named, "exact copies")["what"]
    other = clean.target["speaker"].iloc[-1]
    alias = with_copy(clean, -1, recording)
    says = one(alias, "one recording under two speakers")
    assert says["severity"] == "serious"
    assert f"{clean.target['speaker'][0]} = {other}: 1 recording" in says["what"]


def test_near_copies_are_caught_and_counted_between_folds(clean, X):
    signal, rate = clean.data[0]
    planted = with_copy(clean, -1, (0.5 * signal, rate))
    rows = np.vstack([X, MFCCEmbedder().transform(planted.data[-1:])])
    assert {"near copies", "one recording under two speakers"} <= found(planted, X=rows)
    assert "disjoint 2" in one(planted, "near copies", X=rows)["why"]
    assert one(planted, "near copies", X=rows)["severity"] == "serious"


def test_one_recording_with_two_labels_is_caught(clean):
    emotion = next(e for e in clean.target["emotion"] if e != clean.target["emotion"][0])
    for recording in (clean.data[0], (0.5 * clean.data[0][0], 16_000)):
        planted = with_copy(clean, 0, recording, emotion=emotion)
        options = {"near": near_copies(planted.data)}
        assert emotion in one(planted, "one recording with two labels", **options)["what"]


def test_a_speaker_with_two_ages_or_genders_is_caught(clean):
    ages = clean.target["age"].where(clean.target.index != 9, 99.0)
    assert found(changed(clean, age=ages)) == HARMLESS | {"several ages"}
    assert "99.0" in one(changed(clean, age=ages), "several ages")["what"]
    genders = clean.target["gender"].where(clean.target.index != 9, "unsure")
    assert "several genders" in found(changed(clean, gender=genders))


def test_whatever_else_is_constant_but_for_a_mistake_is_named_too(clean):
    towns = pd.Series(np.repeat(list("ppqqrrss"), 8), dtype=object)
    assert "several towns" not in found(changed(clean, town=towns))
    towns[0] = "s"
    row = one(changed(clean, town=towns), "several towns")
    assert (row["severity"], "p, s" in row["what"]) == ("note", True)


@pytest.mark.parametrize("column", ["emotion", "age"])
def test_one_label_for_all_is_caught(clean, column):
    value = clean.target[column][0]
    row = one(changed(clean, **{column: value}), "one label for all")
    assert row["what"] == f"{column}: every label is {value}"
    assert row["severity"] == "serious"


def found_in(target):
    """The first finding of each name."""
    rows = reversed(label_findings(target, folds=2))
    return {row.finding: (row.severity, row.what) for row in rows}


def test_one_label_written_in_two_ways_is_caught():
    names = ["Anna", "anna ", "J\u00f6rg", "Jo\u0308rg", "Ann\u200ba", "Ben"]
    found = found_in(pd.DataFrame({"speaker": names * 2, "emotion": ["x", "X", "y"] * 4}))
    severity, what = found["labels written in two ways"]
    assert severity == "serious"
    assert what == r"speaker: 'Anna' = 'Ann\u200ba' = 'anna ', " + "'Jo\u0308rg' = 'J\u00f6rg'"
    clean = pd.DataFrame({"speaker": ["Anna", "Ann", "ana", "1", "01"] * 2, "room": [1, 2] * 5})
    assert "labels written in two ways" not in found_in(clean)


def test_ages_that_nobody_has_are_caught():
    ages = pd.DataFrame({"speaker": list("abcd") * 2, "age": [30.0, -1, 0, 999, 130, 1, None, 999]})
    severity, what = found_in(ages)["impossible ages"]
    assert (severity, what) == ("serious", "-1, 0, 999")
    assert "impossible ages" not in found_in(ages.assign(age=[30.0] * 7 + [None]))
    assert "impossible ages" not in found_in(ages.assign(age=["old", "young"] * 4))


def test_many_speakers_with_conflicts_take_no_pass_each():
    speakers = [f"s{i:05d}" for i in range(20_000)]
    target = pd.DataFrame({"speaker": speakers * 2, "age": np.arange(40_000) % 97.0 + 1})
    started = time.process_time()
    found = speaker_conflicts(target)
    assert len(found) > 19_000
    assert found["found"][0] == "1.0, 19.0"
    assert time.process_time() - started < 30  # a pass each took minutes


def test_gaps_rarities_and_labels_of_one_speaker_are_noted(clean):
    emotion = clean.target["emotion"].astype(object).copy()
    emotion[0], emotion[1] = "awe", None
    says = audit_corpus(changed(clean, emotion=emotion), folds=4).set_index("finding")["what"]
    assert says["rare labels"].endswith("(awe (1))")
    assert says["labels of one speaker"] == "emotion: awe"
    assert says["missing labels"] == "emotion: 1 of 64"


def test_an_emotion_that_the_speaker_tells_is_serious(clean):
    emotion = np.repeat(["angry", "calm"] * 4, 8)
    rows = audit_corpus(changed(clean, emotion=emotion), folds=4)
    rows = rows[rows["finding"] == "told by the speaker"]
    assert rows["severity"].tolist() == ["serious", "note"]


def test_a_label_that_goes_with_the_sampling_rate_is_caught(clean):
    angry = (clean.target["emotion"] == clean.target["emotion"][0]).to_numpy()
    data = [
        (soxr.resample(x, rate, 44_100), 44_100) if other else (x, rate)
        for (x, rate), other in zip(clean.data, angry, strict=True)
    ]
    row = one(changed(clean, data), "emotion goes with sampling rate")
    assert row["severity"] == "serious"
    mixed = np.random.default_rng(0).permutation(angry)
    data = [(x, 44_100 if other else rate)
            for (x, rate), other in zip(clean.data, mixed, strict=True)]  # fmt: skip
    assert "emotion goes with sampling rate" not in found(changed(clean, data))


@pytest.mark.parametrize(
    ("detail", "values", "severity"),
    [
        ("channels", [1, 2], "serious"),
        ("format", ["wav", "mp3"], "serious"),
        ("seconds", [1.0, 3.0], "serious"),
        ("folder", ["yes", "no"], "note"),
    ],
)
def test_a_label_that_goes_with_how_files_were_made_is_caught(detail, values, severity):
    target = pd.DataFrame({"speaker": np.repeat(list("abcd"), 10), "emotion": ["up", "low"] * 20})
    details = pd.DataFrame({detail: values * 20})
    rows = origin_findings(target, details)
    assert [row.severity for row in rows] == [severity]
    assert rows[0].finding.startswith("emotion goes with")


def test_what_is_constant_for_a_speaker_counts_once_a_speaker():
    # 400 recordings, but two speakers of each gender: nothing that chance could not make.
    target = pd.DataFrame(
        {"speaker": np.repeat(list("abcd"), 100), "gender": np.repeat(["f", "m"], 200)}
    )
    details = pd.DataFrame({"rate": np.repeat([8_000, 16_000], 200)}, dtype=object)
    assert [row.finding for row in origin_findings(target, details)] == [
        "speaker goes with sampling rate"
    ]


def test_association_runs_from_none_to_all():
    label = pd.Series(list("ab") * 50)
    length = pd.Series(np.where(label == "a", 1.0, 2.0))
    assert association(label, length)[0] == pytest.approx(1)
    assert association(length, label)[0] == pytest.approx(1)
    assert association(length, 1 / length)[0] == pytest.approx(1)
    noise = pd.Series(np.random.default_rng(0).normal(size=100))
    assert association(label, noise)[1] > 1e-3
    assert np.isnan(association(label, pd.Series(["x"] * 100))[0])


def voices(n_speakers=14, n_recordings=12, width=40, seed=0):
    rng = np.random.default_rng(seed)
    means = 2 * rng.normal(size=(n_speakers, width))
    means[-1] = means[0]
    rows = np.repeat(means, n_recordings, axis=0)
    X = rows + rng.normal(size=rows.shape) @ rng.normal(size=(width, width)) / width**0.5
    return X, np.repeat([f"v{i:02d}" for i in range(n_speakers)], n_recordings)


def test_two_names_for_one_voice_are_caught_and_no_others():
    X, speakers = voices()
    pairs = alike_voices(X, speakers)
    assert pairs[["first", "second"]].to_numpy().tolist() == [["v00", "v13"]]
    assert pairs["similarity"][0] >= 0.85 * pairs["one_voice"][0]
    others = speakers != "v13"
    assert alike_voices(X[others], speakers[others]).empty


def test_alike_voices_come_with_evidence_and_leak_between_folds():
    X, speakers = voices()
    target = pd.DataFrame({"speaker": speakers, "age": np.where(speakers == "v13", 20.0, 30.0)})
    pairs = alike_voices(X, target["speaker"])
    shown = with_evidence(pairs, target, np.arange(len(target)))
    assert shown[["age", "shared"]].to_numpy().tolist() == [["30 / 20", 0]]
    counts = find_leaks(target, np.arange(len(target)), alike=pairs, folds=14)
    assert counts["alike voices on both sides"].dropna().tolist() == [1, 1]


def test_a_view_in_other_units_finds_the_same_voices():
    X, speakers = voices()
    units = np.logspace(-4, 4, X.shape[1])
    pd.testing.assert_frame_equal(
        alike_voices(X, speakers), alike_voices(X * units + 3 * units, speakers), atol=1e-4
    )


@pytest.mark.parametrize(
    "rows", [slice(0, 24), slice(0, 168, 12), slice(0, 0)], ids=["two voices", "one each", "none"]
)
def test_too_little_to_compare_is_no_finding(rows):
    X, speakers = voices()
    assert alike_voices(X[rows], speakers[rows]).empty


def test_findings_are_json(clean, X):
    planted = with_copy(clean, -1, clean.data[0])
    records = audit_corpus(planted, folds=4).to_dict("records")
    assert json.loads(json.dumps(records)) == records
    assert set(records[0]) == {"severity", "finding", "what", "why", "remedy"}


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(168)))
def test_the_order_of_recordings_does_not_matter_to_voices(order):
    X, speakers = voices()
    pd.testing.assert_frame_equal(
        alike_voices(X, speakers), alike_voices(X[order], speakers[order]), rtol=1e-6
    )


labels = st.lists(
    st.tuples(
        st.sampled_from(["s1", "s2", "s3"]),
        st.sampled_from(["up", "low", None]),
        st.sampled_from([20.0, 30.0, np.nan]),
    ),
    min_size=1,
    max_size=30,
)


def kinds(target):
    return sorted((row.severity, row.finding, row.what) for row in label_findings(target))


def frame_of(rows):
    frame = pd.DataFrame(rows, columns=["speaker", "emotion", "age"])
    return frame.astype({"speaker": object, "emotion": object, "age": float})


@settings(deadline=None)
@given(labels, st.randoms())
def test_neither_order_nor_names_of_labels_matter(rows, random):
    target = frame_of(rows)
    before = kinds(target)
    shuffled = random.sample(rows, len(rows))
    assert kinds(frame_of(shuffled)) == before
    renamed = target.assign(
        speaker=target["speaker"].map({"s1": "x", "s2": "y", "s3": "z"}),
        emotion=target["emotion"].map({"up": "b", "low": "a"}),
    )
    assert [kind[:2] for kind in kinds(renamed)] == [kind[:2] for kind in before]
    assert constant_labels(renamed) == constant_labels(target)


@pytest.fixture(scope="module")
def baved(shared):
    return load_baved(shared / "data" / "baved")


def test_baved_voices_that_are_one_are_listed_with_d_vectors(shared, baved):
    with np.load(shared / "data" / "baved_dvector.npz", allow_pickle=False) as file:
        vectors = pd.DataFrame(file["dvec"], index=file["files"])
    names = ["/".join(path.split("/")[-2:]) for path in baved.data]
    pairs = alike_voices(vectors.loc[names].to_numpy(), baved.target["speaker"])
    listed = [set(pair) for pair in pairs[["first", "second"]].to_numpy().tolist()]
    assert listed[:3] == [{"46", "53"}, {"50", "100"}, {"56", "102"}]
    assert len(listed) <= 4


def test_repetitions_of_a_word_are_no_copies_and_a_changed_file_is(baved):
    rows = np.flatnonzero(
        (baved.target["speaker"] == "55") & (baved.details["text"].astype(str) == "5")
    )
    data = [baved.data[row] for row in rows]
    assert len(data) > 40
    assert near_copies(data, neighbours=15).empty
    signal = read_audio(data[7])
    near = near_copies([*data, (noisy(0.4 * signal[500:], 30), 16_000)])
    assert near[["first", "second"]].to_numpy().tolist() == [[7, len(data)]]


def test_in_baved_all_of_46_is_all_of_53(baved):
    rows = np.flatnonzero(baved.target["speaker"].isin(["46", "53", "0", "1", "2"]))
    some = Bunch(
        data=[baved.data[row] for row in rows],
        target=baved.target.iloc[rows].reset_index(drop=True),
    )
    row = one(some, "one recording under two speakers")
    assert row["what"] == "46 = 53: 21 recordings"
    assert recording_details(some.data)["rate"].eq(16_000).all()


def test_a_column_called_group_is_looked_at_like_any_other():
    corpus = make_speech_corpus(4, 6, duration=0.4)
    corpus.data[1] = corpus.data[0]
    corpus.target["group"] = ["a", "b"] * 12
    found = audit_corpus(corpus)
    texts = found[found["finding"] == "one recording with two labels"]["what"]
    assert any(text.startswith("group: ") for text in texts)


def test_recordings_that_cannot_be_embedded_are_a_finding():
    corpus = make_speech_corpus(4, 6, duration=0.4)
    corpus.data[3] = (np.zeros(8000), 16_000)
    findings = describe_corpus(corpus, views=["mfcc"])["findings"]
    row = findings[findings["finding"] == "cannot be embedded"].iloc[0]
    assert row.severity == "serious"
    assert row.what.startswith("1 recording")


def test_a_label_of_its_own_for_each_recording_goes_with_nothing():
    words = pd.Series([f"sentence {i}" for i in range(40)])
    strength, chance = association(words, pd.Series([8000, 16000] * 20).astype(str))
    assert np.isnan(strength)
    assert chance == 1


def test_whatever_is_no_recording_and_any_name_have_their_place(tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9.wav")
    data = [(np.zeros(8), 0), (np.zeros(8),), None, odd, str(tmp_path / "two\nlines.wav")]
    found = recording_details(data)["found"]
    assert found.notna().all()
    assert found[3] == "no such file"
    assert names_of(data)[1:] == [
        "recording 1",
        "recording 2",
        r"'caf\udce9.wav'",
        r"'two\nlines.wav'",
    ]
