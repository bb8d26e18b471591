"""Corpora: recordings with the labels that are learnt from them.

Every loader gives a `sklearn.utils.Bunch` with ``data`` (paths, or pairs of signal and rate),
``target`` (a DataFrame), ``groups`` (the speakers), ``details`` and ``DESCR``.
"""

from sfmforensics.datasets._base import find_copies, get_data_home
from sfmforensics.datasets.ased import load_ased
from sfmforensics.datasets.audformat import load_audformat
from sfmforensics.datasets.audiofolder import load_audiofolder, load_dataset
from sfmforensics.datasets.baved import fetch_baved, load_baved
from sfmforensics.datasets.commonvoice import load_commonvoice
from sfmforensics.datasets.corpora import load_corpora
from sfmforensics.datasets.cremad import load_cremad
from sfmforensics.datasets.emobox import load_emobox
from sfmforensics.datasets.emodb import load_emodb
from sfmforensics.datasets.emovo import load_emovo
from sfmforensics.datasets.folder import load_folder
from sfmforensics.datasets.kaldi import load_kaldi
from sfmforensics.datasets.lhotse import load_lhotse
from sfmforensics.datasets.librispeech import load_librispeech
from sfmforensics.datasets.nemo import load_nemo
from sfmforensics.datasets.ravdess import load_ravdess
from sfmforensics.datasets.registry import CORPORA, load_auto, load_corpus
from sfmforensics.datasets.savee import load_savee
from sfmforensics.datasets.shemo import load_shemo
from sfmforensics.datasets.synthetic import make_speech_corpus
from sfmforensics.datasets.table import load_manifest, load_table
from sfmforensics.datasets.tess import load_tess
from sfmforensics.datasets.timit import load_timit
from sfmforensics.datasets.urdu import load_urdu

__all__ = [
    "CORPORA",
    "fetch_baved",
    "find_copies",
    "get_data_home",
    "load_ased",
    "load_audformat",
    "load_audiofolder",
    "load_auto",
    "load_baved",
    "load_commonvoice",
    "load_corpora",
    "load_corpus",
    "load_cremad",
    "load_dataset",
    "load_emobox",
    "load_emodb",
    "load_emovo",
    "load_folder",
    "load_kaldi",
    "load_lhotse",
    "load_librispeech",
    "load_manifest",
    "load_nemo",
    "load_ravdess",
    "load_savee",
    "load_shemo",
    "load_table",
    "load_tess",
    "load_timit",
    "load_urdu",
    "make_speech_corpus",
]
