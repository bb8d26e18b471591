"""
Searching hyper-parameters
==========================

A figure that chose the hyper-parameters cannot be reported as well. A nested search chooses them
inside each training side; here its inner folds keep speakers apart, as the outer ones do.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, cross_validate

from sfmforensics import TANGO, make_views
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.metrics import task_scorers
from sfmforensics.model_selection import TargetGroupKFold

corpus = make_speech_corpus(9, 8, duration=0.6, random_state=0)
X = make_views("mfcc", "prosody").fit_transform(corpus.data)
target = corpus.target[["emotion", "gender", "age", "speaker"]]

# %%
# The entropy of the transport plan: the smaller ``reg``, the more a token chooses.
regs = [0.02, 0.1, 0.5]
emotion = task_scorers(target)["emotion_accuracy"]
search = GridSearchCV(
    TANGO(encoder="tokens", dropout=0.2, max_epochs=20, random_state=0),
    {"reg": regs},
    scoring=emotion,
    cv=TargetGroupKFold(3, on="speaker"),
    error_score="raise",
)

# %%
# The outer loop measures what a search brings on speakers that it never saw.
nested = cross_validate(
    search,
    X,
    target,
    cv=TargetGroupKFold(3, on="speaker"),
    scoring=emotion,
    return_estimator=True,
    error_score="raise",
)
for score, chosen in zip(nested["test_score"], nested["estimator"], strict=True):
    print(f"emotion {score:.0%} on strangers, with {chosen.best_params_}")

# %%
# What the inner folds said, for each outer one. The choice varies: it rests on few speakers.
inner = pd.DataFrame(
    {fold + 1: one.cv_results_["mean_test_score"] for fold, one in enumerate(nested["estimator"])},
    index=regs,
)
ax = (100 * inner).plot(marker="o", logx=True, color=["#0072B2", "#E69F00", "#009E73"])
for line, style in zip(ax.lines, ("-", "--", ":"), strict=True):
    line.set_linestyle(style)
ax.set(xlabel="reg (share of the largest distance)", ylabel="accuracy of emotion, inner folds (%)")
ax.set_xticks(regs, [f"{reg:g}" for reg in regs])
ax.minorticks_off()
ax.set_ylim(0, 100)
ax.legend(title="outer fold", frameon=False)
print(f"mean over the outer folds: {np.mean(nested['test_score']):.0%}")
plt.show()
