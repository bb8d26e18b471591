"""Speaker, emotion, gender and age from a voice recording, with speech foundation models.

Recordings become vectors (`make_views`), vectors become answers (`TANGO`, `ConcatFusion`,
`SingleView`), and scikit-learn evaluates both.

Examples
--------
>>> import sfmforensics
>>> sfmforensics.TANGO(direction="x1->x2")
TANGO(direction='x1->x2')
"""

import logging
from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "TANGO": "sfmforensics.estimators",
    "ConcatFusion": "sfmforensics.estimators",
    "SingleView": "sfmforensics.estimators",
    "PerTask": "sfmforensics.baselines",
    "load_embeddings": "sfmforensics.embeddings",
    "make_views": "sfmforensics.views",
    "read_model": "sfmforensics.saving",
    "save_embeddings": "sfmforensics.embeddings",
    "save_model": "sfmforensics.saving",
}

# Silent, unless whoever uses the package listens: `sfmforensics --log FILE` does.
logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [*_HOMES, "__version__"]


def __getattr__(name):
    # torch takes a second to import; who asks only for a dataset does not wait for it.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
