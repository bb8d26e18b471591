"""Speaker models of SpeechBrain: the x-vector, ECAPA-TDNN and their like."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

from sfmforensics.embedders._common import (
    count_pieces,
    cut,
    explained,
    hash_files,
    import_extra,
    locate,
    require_extra,
    weighted_mean,
)
from sfmforensics.embedders.base import BaseEmbedder
from sfmforensics.exceptions import EmbedderError

_EXTRA = "xvector"
_RECIPE = "hyperparams.yaml"
_STEPS = ("compute_features", "mean_var_norm", "embedding_model")
"""What `EncoderClassifier.encode_batch` runs, in order; its classifier is never needed."""


_ESSENTIAL = (_RECIPE, ".ckpt", ".pt", ".pth", ".bin", ".safetensors")
_SECOND = np.sin(np.arange(16_000, dtype=np.float32) / 10)[None]


class SpeechBrainEmbedder(BaseEmbedder):
    """Embedding of a frozen speaker model of SpeechBrain.

    Parameters
    ----------
    model : str
        Hub id, such as ``"speechbrain/spkrec-xvect-voxceleb"``, or a local folder with the same
        files (``hyperparams.yaml``, ``embedding_model.ckpt``). One code path serves both.
    batch_size : int, default=8
        Recordings that share a forward pass if they are equally long.
    device : str or None, default=None
        A torch device; None takes CUDA if there is one, else the CPU.
    cache : path-like or None, default=None
        Folder that keeps the vectors; see `sfmforensics.embedders.cache.VectorCache`.
    max_seconds : float, default=30.0
        Longer recordings are cut into equal pieces of at most this length, in seconds, whose
        vectors are averaged by their lengths.
    revision : str or None, default=None
        Branch, tag or commit on the hub.
    name : str or None, default=None
        Name of the view, for messages; the model's own by default.
    verbose : bool, default=False
        Show a progress bar.

    Raises
    ------
    MissingExtraError
        SpeechBrain is not installed.
    EmbedderError
        The model is not there, is no speaker model, or lacks weights.

    Notes
    -----
    ``hyperparams.yaml`` says which Python objects to build and may name any of them: whoever wrote
    it can run code on your machine. Load only folders and repositories that you trust.

    SpeechBrain adds noise to the means that it pools (`StatisticsPooling`, 1e-5 to 9e-5), drawn
    from torch's global generator. It is left out here, so that a recording has one vector. Only
    signals of equal length share a batch, so there is no padding. Weights are float32.

    Only the files that a vector needs are fetched and loaded, straight from the folder or the hub's
    cache; nothing is linked or copied. A folder's own files are used even where its
    ``hyperparams.yaml`` points to the hub.

    References
    ----------
    .. [1] The paper, section 3: x-vector, 512 dimensions.
    .. [2] D. Snyder et al., "X-vectors: robust DNN embeddings for speaker recognition", ICASSP
       2018.

    Examples
    --------
    >>> from sfmforensics.embedders import SpeechBrainEmbedder
    >>> SpeechBrainEmbedder("speechbrain/spkrec-xvect-voxceleb", batch_size=0).fit()
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.EmbedderError: batch_size is 0; use 1 or more
    """

    _version = 1
    _min_samples = 640  # 5 frames: ECAPA-TDNN reflects 4 of them at either end

    def __init__(
        self,
        model,
        *,
        batch_size=8,
        device=None,
        cache=None,
        max_seconds=30.0,
        revision=None,
        name=None,
        verbose=False,
    ):
        self.model = model
        self.batch_size = batch_size
        self.device = device
        self.cache = cache
        self.max_seconds = max_seconds
        self.revision = revision
        self.name = name
        self.verbose = verbose

    # -- hooks of BaseEmbedder -----------------------------------------------------------------

    def _name(self):
        return self.name or Path(str(self.model)).name

    def _dimension(self):
        self._check()
        recipe, _ = _recipe(*locate(self.model), self.revision)
        return _declared_dimension(recipe) or _run(self._steps(), _SECOND).shape[1]

    def _identity(self):
        where, state = locate(self.model)
        if state:
            folder = Path(where)
            files = [folder / name for name, _, _ in state if name.endswith(_ESSENTIAL)]
            source = {"weights": hash_files(folder, files)}
        else:
            _, commit = _recipe(where, state, self.revision)
            source = {"model": where, "revision": commit or self.revision}
        return source | {"max_seconds": self.max_seconds, "dtype": "float32"}

    def _batch_key(self, signal):
        return len(signal)  # equally long signals are also cut alike

    def _embed(self, signals):
        steps = self._steps()
        if count_pieces(len(signals[0]), self.max_seconds) == 1:
            return _run(steps, np.stack(signals))
        turns = list(zip(*(cut(signal, self.max_seconds) for signal in signals), strict=True))
        vectors = [_run(steps, np.stack(turn)) for turn in turns]
        return weighted_mean(vectors, [len(turn[0]) for turn in turns])

    def _steps(self):
        import torch

        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        return _load(*locate(self.model), self.revision, str(device))

    def _check(self):
        if not self.batch_size >= 1:
            raise EmbedderError(f"batch_size is {self.batch_size!r}; use 1 or more")
        if not self.max_seconds >= 1:
            raise EmbedderError(f"max_seconds is {self.max_seconds!r}; use 1 or more")
        require_extra("speechbrain", _EXTRA)


def _run(steps, batch):
    """Vectors of equally long signals: (n_signals, n_samples) -> (n_signals, dimension)."""
    import torch

    compute_features, mean_var_norm, embedding_model = steps
    device = next(embedding_model.parameters()).device
    signals, whole = torch.from_numpy(batch).to(device), torch.ones(len(batch), device=device)
    with torch.inference_mode():
        vectors = embedding_model(mean_var_norm(compute_features(signals), whole), whole)
    return vectors.reshape(len(batch), -1).float().cpu().numpy()


# -- loading -----------------------------------------------------------------------------------


@lru_cache(maxsize=32)
def _recipe(model, state, revision):
    """Read hyperparams.yaml and, for a model of the hub, its commit."""
    from transformers.utils.hub import extract_commit_hash

    with _explained(model):
        file = _file(model, _RECIPE, revision)
        return Path(file).read_text(encoding="utf-8"), extract_commit_hash(file, None)


@lru_cache(maxsize=2)
def _load(model, state, revision, device):
    """Frozen modules in float32, in the order in which they run."""
    import torch

    import_extra("speechbrain", _EXTRA)
    _tame_redirects()
    hyperpyyaml = import_extra("hyperpyyaml", _EXTRA)
    recipe, commit = _recipe(model, state, revision)
    # Weights are drawn at random before they are loaded; the user's generator stays where it was.
    with _explained(model), torch.random.fork_rng(devices=[]):
        built = hyperpyyaml.load_hyperpyyaml(recipe)
        modules = built.get("modules", {})
        absent = [step for step in _STEPS if step not in modules]
        if absent or "pretrainer" not in built:
            raise EmbedderError(
                f"{model}: no speaker model, for its {_RECIPE} has no "
                f"{', '.join(absent) or 'pretrainer'}; wrap it in CallableEmbedder"
            )
        _load_weights(model, commit or revision, modules, built["pretrainer"])
    steps = [modules[step] for step in _STEPS]
    for step in steps:
        _remove_noise(step)
        step.float().eval().requires_grad_(False).to(device)
    return steps


def _tame_redirects():
    """Keep redirects of old names from importing what is missing when asked where they lie."""
    for name, redirect in list(sys.modules.items()):
        if name.startswith("speechbrain.") and "lazy_module" in getattr(redirect, "__dict__", {}):
            redirect.__file__, redirect.__warningregistry__ = None, {}


def _load_weights(model, revision, modules, pretrainer):
    wanted = [step for step in _STEPS if step in pretrainer.loadables]
    for step in _STEPS:
        if step not in wanted and list(modules[step].parameters()):
            raise EmbedderError(
                f"{model}: its {_RECIPE} names no file for {step}, whose weights would be random; "
                "take the complete model"
            )
    pretrainer.loadables = {step: pretrainer.loadables[step] for step in wanted}
    for step in wanted:
        # The recipe of a model that was downloaded still points to the hub: only the name counts.
        name = os.path.basename(str(pretrainer.paths.get(step, f"{step}.ckpt")))
        pretrainer.paths[step] = _file(model, name, revision)
        pretrainer.is_local.append(step)
        _forbid_gaps(model, modules[step])
    pretrainer.load_collected()


def _forbid_gaps(model, module):
    """Refuse a checkpoint that lacks weights: SpeechBrain leaves them random and logs a line."""
    load = module.load_state_dict

    def load_all(state, *args, **kwargs):
        missing = sorted(set(module.state_dict()) - set(state))
        if missing:
            raise EmbedderError(
                f"{model}: {len(missing)} weights are not in the checkpoint and would be random "
                f"(first: {missing[0]}); take the complete model"
            )
        return load(state, *args, **kwargs)

    module.load_state_dict = load_all


def _remove_noise(step):
    for module in step.modules():
        if hasattr(module, "_get_gauss_noise"):
            module._get_gauss_noise = lambda shape, device=None: 0.0


def _file(model, name, revision):
    """Local path of a file of the model, fetched if need be."""
    if os.path.isdir(model):
        file = os.path.join(model, name)
        if not os.path.isfile(file):
            raise FileNotFoundError(f"there is no {name} in it")
        return file
    from transformers.utils import cached_file

    return cached_file(model, name, revision=revision)


def _explained(model):
    files = f"{_RECIPE} and embedding_model.ckpt"
    return explained(model, "speechbrain", files, f"get it with: hf download {model}")


def _declared_dimension(recipe):
    """Width that the recipe gives its embedding model, or None; nothing in it is executed."""
    import yaml

    class Reader(yaml.SafeLoader):
        def untagged(self, _, node):
            if isinstance(node, yaml.ScalarNode):
                return self.construct_scalar(node)
            mapping = isinstance(node, yaml.MappingNode)
            return (self.construct_mapping if mapping else self.construct_sequence)(node, True)

    Reader.add_multi_constructor("!", Reader.untagged)
    try:
        tree = yaml.load(recipe, Loader=Reader)
        width = tree["embedding_model"]["lin_neurons"]
        width = tree[width.strip("<>")] if isinstance(width, str) else width
    except (yaml.YAMLError, KeyError, TypeError):
        return None
    return width if isinstance(width, int) else None
