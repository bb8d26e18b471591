"""
Quickstart
==========

Recordings become vectors by two views, the vectors four answers by TANGO, and a confusion matrix
shows which emotions are taken for which.

The voices here are synthetic, so that nothing is downloaded. Put ``load_baved("DATA/baved")`` in
the place of ``make_speech_corpus`` for real ones, and ``"whisper"`` or any other speech foundation
model among the views.
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sfmforensics import TANGO, make_views
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.report import ConfusionDisplay

corpus = make_speech_corpus(8, 12, duration=0.6, random_state=0)
recordings, unheard, target, truth = train_test_split(
    corpus.data, corpus.target, test_size=0.25, stratify=corpus.target["speaker"], random_state=0
)

# %%
# A pipeline from recordings to answers. It can be cloned, searched and saved as any other.
model = make_pipeline(
    make_views("mfcc", "prosody"),
    TANGO(encoder="tokens", dropout=0.2, weight_decay=1e-2, max_epochs=40, random_state=0),
)
model.fit(recordings, target)

# %%
# The answers are a frame: who speaks, with which emotion, of which gender, of what age.
answers = model.predict(unheard)
print(answers.head())

# %%
# A row is a true emotion; its cells say what it was taken for.
ConfusionDisplay.from_predictions(truth, answers, task="emotion")
plt.show()
