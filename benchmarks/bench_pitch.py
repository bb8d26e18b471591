"""Pitch against librosa's pYIN with the same settings, and the prosody view that it is part of.

Real recordings with --recordings FOLDER, synthetic voices without. Each round runs both in turn;
the figures end with by how much their tracks differ.

    python benchmarks/bench_pitch.py --recordings ../shared/data/baved
"""

from __future__ import annotations

import argparse
from pathlib import Path

import librosa
import numpy as np
from _figures import figure, finish, ratio, timed

from sfmforensics.audio import read_audio
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.embedders import ProsodyEmbedder
from sfmforensics.embedders._pitch import pyin

RATE = 16_000


def ours(signals):
    return [pyin(signal, 60.0, 500.0, RATE, 1024, 256) for signal in signals]


def by_librosa(signals):
    options = {"fmin": 60.0, "fmax": 500.0, "sr": RATE, "frame_length": 1024, "hop_length": 256}
    return [librosa.pyin(s, resolution=0.2, n_thresholds=20, **options) for s in signals]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=Path, help="folder of recordings")
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--json")
    options = parser.parse_args()
    if options.recordings:
        paths = sorted(options.recordings.rglob("*.wav"))
        paths = paths[:: max(1, len(paths) // options.files)][: options.files]
    else:
        paths = make_speech_corpus(2, -(-options.files // 2), random_state=0).data
    signals = [np.asarray(read_audio(path), dtype=np.float32).ravel() for path in paths]
    by_librosa(signals[:1]), ours(signals[:1])  # which are compiled, or made, the first time
    seconds = {"ours": [], "theirs": [], "view": []}
    for number in range(options.rounds):
        order = [("ours", ours), ("theirs", by_librosa)]
        tracks = {}
        for name, function in order if number % 2 else order[::-1]:
            tracks[name], took = timed(function, signals)
            seconds[name].append(took)
        seconds["view"].append(timed(ProsodyEmbedder().transform, paths)[1])
    apart = [
        np.nanmax(np.abs(np.nan_to_num(one) - np.nan_to_num(other)), initial=0)
        for mine, theirs in zip(tracks["ours"], tracks["theirs"], strict=True)
        for one, other in zip(mine[:1] + mine[2:], theirs[:1] + theirs[2:], strict=True)
    ]
    length = sum(map(len, signals)) / RATE
    finish(
        [
            figure(f"{len(signals)} recordings, {length:.0f} s: pitch", seconds["ours"], "s"),
            ratio("pitch: ours / librosa", seconds["ours"], seconds["theirs"]),
            ratio("prosody, whole / librosa's pitch alone", seconds["view"], seconds["theirs"]),
            figure("tracks differ by at most", [max(apart)], "Hz"),
        ],
        options.json,
    )


if __name__ == "__main__":
    main()
