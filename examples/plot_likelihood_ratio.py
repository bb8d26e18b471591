"""
Weighing a voice
================

Is the caller the suspect? A court does not need "yes, 83 %": that would depend on everything else
that is known. It needs to know how much more probable such a recording is if the suspect made it
than if somebody else did: the likelihood ratio. A ratio of 100 makes odds of 1 to 1000 into odds of
1 to 10. It is a number that can be checked, on comparisons of which the truth is known.
"""

import matplotlib.pyplot as plt
import numpy as np

from sfmforensics import TANGO, make_views
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.evidence import CalibratedModel, assess
from sfmforensics.report import TippettDisplay

corpus = make_speech_corpus(60, 6, duration=0.8, random_state=0)
X = make_views("mfcc@statistics=mean+std", "prosody").fit_transform(corpus.data)
speakers = corpus.target["speaker"]

# %%
# Ten speakers are set aside, to play the case and to check the model. Of the others two thirds
# train it, and one third, whom it has not heard, says how scores become likelihood ratios.
unheard = speakers.isin(speakers.unique()[-10:]).to_numpy()
model = CalibratedModel(TANGO(encoder="tokens", max_epochs=30, random_state=0), random_state=0)
model.fit(X[~unheard], corpus.target[~unheard])

# %%
# A questioned recording against three known ones of the suspect. The bounds are how strong a
# ratio so few calibration speakers can support; beyond them lies guesswork.
case = np.flatnonzero(unheard & (speakers == speakers.iloc[-1]).to_numpy())
found = model.compare(X.iloc[case[:1]], X.iloc[case[1:4]])
print(f"LR {10**found.log10_lr:.2g}: {found.verbal}")
print(f"can be {10**found.lower:.2g} to {10**found.upper:.2g}, by {found.n_speakers} speakers")

# %%
# One case proves nothing. Comparisons like it among the ten do, three known recordings in each. The
# intervals say how little ten are. (These voices are a synthesiser's, and much alike.)
checked = assess(model, X[unheard], corpus.target[unheard], by=(), n_known=3)
voices = checked.table[checked.table["task"] == "speaker"]
print(voices[["measure", "value", "low", "high"]].round(2).to_string(index=False))

# %%
# Of one speaker the ratios should lie to the right of 1 (0 on the axis), of two to the left.
trials = checked.trials
TippettDisplay.from_predictions(
    trials.scores, trials.same, weights=trials.weights, bounds=checked.bounds, name="ten strangers"
)
plt.show()
