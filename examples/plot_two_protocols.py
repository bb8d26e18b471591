"""
The two protocols
=================

Age and gender never change within a speaker. Where every speaker is in training and test
(``closed``), a model that merely recognises the speaker knows both; where no speaker is in both
(``disjoint``), it has to hear them. The gap between the two is memory.
"""

import matplotlib.pyplot as plt

from sfmforensics import make_views
from sfmforensics.datasets import find_copies, make_speech_corpus
from sfmforensics.experiment import evaluate, score_intervals
from sfmforensics.model_selection import make_splits
from sfmforensics.presets import make_estimator
from sfmforensics.report import ProtocolGapDisplay, format_intervals

corpus = make_speech_corpus(12, 10, duration=0.6, random_state=0)
X = make_views("mfcc", "prosody").fit_transform(corpus.data)

# %%
# Copies of one recording stay on one side of every split, under both protocols.
copies = find_copies(corpus.data)
splits = {
    protocol: make_splits(corpus.target, protocol, folds=4, copies=copies)
    for protocol in ("closed", "disjoint")
}
models = {
    "tango": make_estimator("tango", "tuned", n_members=1, max_epochs=20, random_state=0),
    "svm": make_estimator("svm"),
}
evaluation = evaluate(X, corpus.target, models, splits, views="mfcc+prosody", copies=copies)

# %%
# How sure the figures are. Speakers are resampled under disjoint: twelve voices are twelve facts.
intervals = score_intervals(evaluation, corpus.target, views="mfcc+prosody", copies=copies)
print(format_intervals(intervals, metrics=["accuracy", "rmse"]).T.to_string())

# %%
ProtocolGapDisplay.from_scores(evaluation.scores)
plt.show()
