"""Which view, and which tokens of it, carried an answer.

Examples
--------
>>> import numpy as np
>>> import pandas as pd
>>> from sfmforensics import TANGO
>>> X = np.random.default_rng(0).normal(size=(40, 20)).astype("float32")
>>> y = pd.DataFrame({"gender": np.where(X[:, 0] > 0, "f", "m"), "age": 40 + 5.0 * X[:, 1]})
>>> model = TANGO(views=[8, 12], max_epochs=20, random_state=0).fit(X, y)
>>> explanation = explain(model, X[:3])
>>> explanation.views["age"].columns.tolist()  # what each view adds, in years
['x1', 'x2']
>>> explanation.tokens["age"]["x1"].shape  # what each of its two tokens adds
(3, 2)
"""

from sfmforensics.explanation._explain import Explanation, explain

__all__ = ["Explanation", "explain"]
