"""Speaker, emotion, gender and age from a voice recording, with speech foundation models.

Recordings become vectors (`make_views`), vectors become answers (`TANGO`, `ConcatFusion`,
`SingleView`), and scikit-learn evaluates both.

Examples
--------
>>> import sfmforensics
>>> sfmforensics.TANGO(direction="x1->x2")
TANGO(direction='x1->x2')
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from sfmforensics._utils.moved_modules import install as _install

if TYPE_CHECKING:
    from sfmforensics.estimators import TANGO, ConcatFusion, PerTask, SingleView
    from sfmforensics.saving import load_embeddings, read_model, save_embeddings, save_model
    from sfmforensics.views import make_views

__version__ = "0.1.0"

_HOMES = {
    "TANGO": "sfmforensics.estimators",
    "ConcatFusion": "sfmforensics.estimators",
    "SingleView": "sfmforensics.estimators",
    "PerTask": "sfmforensics.estimators",
    "load_embeddings": "sfmforensics.saving",
    "make_views": "sfmforensics.views",
    "read_model": "sfmforensics.saving",
    "save_embeddings": "sfmforensics.saving",
    "save_model": "sfmforensics.saving",
}

_install()  # joblib's files of earlier versions name modules as they were

# Silent, unless whoever uses the package listens: `sfmforensics --log FILE` does.
logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "TANGO",
    "ConcatFusion",
    "PerTask",
    "SingleView",
    "__version__",
    "load_embeddings",
    "make_views",
    "read_model",
    "save_embeddings",
    "save_model",
]


def __dir__() -> list[str]:
    return sorted(__all__)


if not TYPE_CHECKING:  # a type checker reads the imports above, and so sees a name misspelt

    def __getattr__(name):
        # torch takes a second to import; who asks only for a dataset does not wait for it.
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
