"""
Comparing fusions
=================

Is transport better than concatenation? Two models are fitted on the same folds, and the
differences are tested fold by fold. An ordinary t-test takes folds for independent, though they
share most of what they learn from; Nadeau and Bengio's does not.
"""

import matplotlib.pyplot as plt
from matplotlib.ticker import PercentFormatter

from sfmforensics import make_views
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.experiment import evaluate
from sfmforensics.metrics import compare_models
from sfmforensics.model_selection import make_splits
from sfmforensics.presets import make_estimator
from sfmforensics.report import format_comparisons

corpus = make_speech_corpus(8, 10, duration=0.6, random_state=0)
X = make_views("mfcc", "prosody").fit_transform(corpus.data)

# %%
# Three folds, drawn twice: more differences, though each draw tests the same recordings.
folds = 3
splits = {"closed": make_splits(corpus.target, "closed", folds=folds, repeats=2)}
models = {
    name: make_estimator(name, "tuned", n_members=1, max_epochs=20, random_state=0)
    for name in ("tango", "tango-x1-to-x2", "mvmt-concat")
}
found = evaluate(X, corpus.target, models, splits, views="mfcc+prosody")

# %%
# ``p (Holm)`` also allows for the number of comparisons.
scores = found.scores[found.scores["metric"].isin(["accuracy", "rmse"])]
compared = compare_models(scores, test_over_train=1 / (folds - 1))
print(format_comparisons(compared).to_string(index=False))

# %%
# Emotion, fold by fold: a line for each fold, so that folds that are hard for all are seen.
emotion = scores[scores["task"] == "emotion"].pivot_table(
    index="model", columns="fold", values="value", sort=False
)
ax = emotion.plot(color="0.6", marker="o", legend=False)
emotion.mean(axis=1).plot(ax=ax, color="#0072B2", marker="s", linewidth=3)
ax.set(ylabel="accuracy of emotion (%)", xlabel="", title="grey: one fold; blue: their mean")
ax.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
ax.set_xticks(range(len(emotion)), emotion.index)
plt.show()
