"""A fitted model on disk without code: what is read back are numbers and names, nothing runs."""

from sfmforensics.saving._embeddings import load_embeddings, save_embeddings
from sfmforensics.saving._models import SPEAKER, read_model, save_model, without_people

__all__ = [
    "SPEAKER",
    "load_embeddings",
    "read_model",
    "save_embeddings",
    "save_model",
    "without_people",
]
