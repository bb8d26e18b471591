"""
Your own table
==============

A CSV with a column ``path`` and any columns of labels is a corpus. Before anything is learnt from
it, an audit says what in it would make a figure too good, and a figure shows who speaks.

Two mistakes are planted here: a recording that is filed under a second speaker as well, and a
speaker with two ages.
"""

import shutil
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from sfmforensics import make_views
from sfmforensics.audit import audit_corpus
from sfmforensics.datasets import load_corpus, make_speech_corpus
from sfmforensics.report import CorpusDisplay

folder = tempfile.TemporaryDirectory()
voices = make_speech_corpus(8, 6, duration=0.6, random_state=0, output=folder.name)

# %%
# The table, with its two mistakes. Recordings lie in the table's own folder, or below it.
table = voices.target.assign(path=voices.data)
table.loc[13, "age"] += 20
copy = shutil.copy(voices.data[0], Path(folder.name, "copy.wav"))
table = pd.concat([table, table[:1].assign(path=copy, speaker="s08")])
table.to_csv(Path(folder.name, "voices.csv"), index=False)

corpus = load_corpus("table", Path(folder.name, "voices.csv"))
print(corpus.target.describe(include="all"))

# %%
# Near copies and voices that are suspiciously alike are found by the views.
findings = audit_corpus(corpus, X=make_views("mfcc").fit_transform(corpus.data))
for row in findings.itertuples():
    print(f"{row.severity}: {row.finding}: {row.what}\n  -> {row.remedy}")

# %%
# Who speaks: recordings on the left, speakers on the right.
CorpusDisplay.from_corpus(corpus)
plt.show()
folder.cleanup()
