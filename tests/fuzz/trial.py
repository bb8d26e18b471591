"""Try inputs by number, in a process that may hang, crash or run out of memory: one line each.

To try one again: ``python tests/fuzz/trial.py 1234`` (from the root of the checkout).
"""

import ctypes
import json
import os
import re
import resource
import sys
import tempfile
import time
import warnings

import hostile
import numpy as np
import torch
import transformers as hf

from sfmforensics.audio import read_audio, stream_audio
from sfmforensics.audio._reading import describe_source
from sfmforensics.audit import recording_details
from sfmforensics.datasets import find_copies
from sfmforensics.embedders import MFCCEmbedder, ProsodyEmbedder, TransformersEmbedder
from sfmforensics.exceptions import AudioError, AudioWarning, EmbedderError

MEMORY = 1536 * 2**20
"""Bytes that one input may take, beyond what the libraries take."""


class Fault(Exception):
    """A promise that was broken."""


def attempt(function, source):
    """A result and None, or None and a refusal; anything else is raised."""
    try:
        return function(source), None
    except (AudioError, EmbedderError) as error:
        said = str(error)
        if not said.isprintable():
            raise Fault(f"the message is not one harmless line: {said!r}") from error
        if not said.startswith(describe_source(source)):
            raise Fault(f"the message does not name the recording: {said!r}") from error
        if not getattr(error, "remedy", "a remedy"):
            raise Fault(f"the message does not say what to do: {said!r}") from error
        return None, error


def check_signal(signal):
    if signal.dtype != np.float32 or signal.ndim != 1 or len(signal) < 400:
        raise Fault(f"a signal of {signal.dtype}, shape {signal.shape}")
    if not np.isfinite(signal).all() or signal.min() == signal.max():
        raise Fault("a signal that is not finite, or constant")


def check_vectors(vectors, width):
    if vectors.shape != (1, width) or vectors.dtype != np.float32:
        raise Fault(f"vectors of {vectors.dtype}, shape {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise Fault("a vector that is not finite")
    if not vectors.any():
        raise Fault("a vector of zeros")


def judge(case, embedders):
    """What became of an input: "vector", or why it was refused."""
    blocks, refused = attempt(lambda source: list(stream_audio(source)), case.source)
    signal, error = attempt(read_audio, case.source)
    if case.steady and str(refused) != str(error):
        raise Fault(f"stream_audio says {refused}, read_audio {error}")
    if signal is not None:
        check_signal(signal)
        if case.steady and not np.array_equal(signal, np.concatenate(blocks)):
            raise Fault("the blocks are not the signal")
    outcomes = [error]
    for embedder in embedders:
        width = len(embedder.get_feature_names_out())
        vectors, error = attempt(lambda source: embedder.transform([source]), case.source)
        if error is None:
            check_vectors(vectors, width)
        outcomes.append(error)
    if case.steady and len({str(outcome) for outcome in outcomes}) > 1:
        raise Fault(f"not of one mind: {[str(outcome) for outcome in outcomes]}")
    outcome = outcomes[-1]
    if find_copies([case.source, case.source]).shape != (2,):
        raise Fault("find_copies lost count")
    if len(recording_details([case.source])) != 1:
        raise Fault("recording_details lost count")
    if case.expected == hostile.SOUND and outcome is not None:
        raise Fault(f"a good recording was refused: {outcome}")
    if case.expected == hostile.REFUSED and outcome is None:
        raise Fault("it should have been refused")
    return "vector" if outcome is None else getattr(outcome, "found", str(outcome))


def run(number, embedders, noise, tell):
    with tempfile.TemporaryDirectory() as folder:
        tell(number=number, stage="making")
        case = hostile.make(number, folder)
        tell(number=number, stage="trying", note=case.note)
        handles, started, fault, outcome = len(os.listdir("/proc/self/fd")), time.time(), None, None
        noise.seek(0)
        noise.truncate()
        try:
            outcome = judge(case, embedders)
        except Exception as error:
            kind = "" if isinstance(error, Fault) else f"{type(error).__name__}: "
            fault = f"{kind}{error}"
            if "--debug" in sys.argv:
                raise
        finally:
            case.close()
        seconds = time.time() - started
        ctypes.CDLL(None).fflush(None)  # what C libraries hold back
        noise.seek(0)
        said = noise.read().decode(errors="replace")
        if said and fault is None:
            fault = f"libraries say: {said[:500]}"
        if len(os.listdir("/proc/self/fd")) > handles and fault is None:
            fault = "a file was left open"
        reason = None if outcome is None else re.sub(r"\d[\d.e+-]*", "N", outcome)
    more = {"outcome": reason, "seconds": round(seconds, 3), "fault": fault}
    tell(number=number, kind=hostile.kind_of(number), note=case.note, **more)


def save_model(folder):
    """A model of the real class, small, with random weights."""
    config = hf.Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    torch.manual_seed(0)
    torch.set_num_threads(1)
    hf.Wav2Vec2Model(config).save_pretrained(folder)
    hf.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)


def main():
    numbers = [int(text) for text in sys.argv[1:] if text.isdigit()]
    first, last = numbers[0], (numbers + [numbers[0] + 1])[1]
    tone = np.sin(np.arange(16_000) / 5)
    with tempfile.TemporaryDirectory() as folder:
        save_model(folder)
        embedders = [MFCCEmbedder(), ProsodyEmbedder(), TransformersEmbedder(folder, device="cpu")]
        try_all(first, last, embedders, tone)


def try_all(first, last, embedders, tone):
    for embedder in embedders:
        embedder.transform([(tone, 16_000)])  # loads the libraries
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, resource.RLIM_INFINITY))
    warnings.simplefilter("always", RuntimeWarning)
    warnings.simplefilter("always", UserWarning)
    warnings.simplefilter("ignore", AudioWarning)  # which is what is promised
    with tempfile.TemporaryFile() as noise, os.fdopen(os.dup(1), "w") as lines:
        if "--debug" not in sys.argv:
            os.dup2(noise.fileno(), 1)
            os.dup2(noise.fileno(), 2)  # where C libraries complain, too
        for number in range(first, last):
            run(
                number,
                embedders,
                noise,
                lambda **line: print(json.dumps(line), file=lines, flush=True),
            )


if __name__ == "__main__":
    main()
