"""What the commands do, for those who call them from Python."""

from sfmforensics._utils.versions import versions
from sfmforensics.workflow._assess import assess_corpus
from sfmforensics.workflow._compare import Case, compare_files, write_case
from sfmforensics.workflow._cross import cross_corpora
from sfmforensics.workflow._describe import describe_corpus
from sfmforensics.workflow._embed import embed_corpus
from sfmforensics.workflow._evaluate import evaluate_corpus
from sfmforensics.workflow._identify import identify_files
from sfmforensics.workflow._predict import load_model, predict_files
from sfmforensics.workflow._reproduce import reproduce_tables
from sfmforensics.workflow._selection import check_recordings
from sfmforensics.workflow._train import train_model
from sfmforensics.workflow._verify import verify_results

__all__ = [
    "Case",
    "assess_corpus",
    "check_recordings",
    "compare_files",
    "cross_corpora",
    "describe_corpus",
    "embed_corpus",
    "evaluate_corpus",
    "identify_files",
    "load_model",
    "predict_files",
    "reproduce_tables",
    "train_model",
    "verify_results",
    "versions",
    "write_case",
]
