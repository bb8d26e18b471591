"""Frozen models that turn recordings into fixed-length vectors, the views."""

from sfmforensics.embedders.base import BaseEmbedder, check_recordings
from sfmforensics.embedders.cache import VectorCache
from sfmforensics.embedders.function import CallableEmbedder
from sfmforensics.embedders.mfcc import MFCCEmbedder
from sfmforensics.embedders.prosody import ProsodyEmbedder
from sfmforensics.embedders.registry import REGISTRY, make_embedder
from sfmforensics.embedders.speechbrain import SpeechBrainEmbedder
from sfmforensics.embedders.tfhub import TFHubEmbedder
from sfmforensics.embedders.transformers import TransformersEmbedder

__all__ = [
    "REGISTRY",
    "BaseEmbedder",
    "CallableEmbedder",
    "MFCCEmbedder",
    "ProsodyEmbedder",
    "SpeechBrainEmbedder",
    "TFHubEmbedder",
    "TransformersEmbedder",
    "VectorCache",
    "check_recordings",
    "make_embedder",
]
