"""Loading a speaker model of SpeechBrain: what a vector needs, whole, and without noise."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path

from sfmforensics.embedders._common import import_extra
from sfmforensics.embedders._hub import explained, local_copy, locate
from sfmforensics.exceptions import EmbedderError

EXTRA = "xvector"
_RECIPE = "hyperparams.yaml"
_STEPS = ("compute_features", "mean_var_norm", "embedding_model")
"""What `EncoderClassifier.encode_batch` runs, in order; its classifier is never needed."""

ESSENTIAL = (_RECIPE, ".ckpt", ".pt", ".pth", ".bin", ".safetensors")
_PLAIN_TAGS = ("tag:yaml.org,2002:", "!ref", "!copy", "!tuple", "!PLACEHOLDER")
_BUILT_FROM = (
    *("speechbrain.lobes.", "speechbrain.nnet.", "speechbrain.processing."),
    *("speechbrain.dataio.encoder.", "speechbrain.utils.parameter_transfer.", "torch.nn."),
)


@lru_cache(maxsize=32)
def _of_hub(model, revision):
    with _explained(model):
        return local_copy(model, revision, lambda names: _wanted(names, _RECIPE))


def find_model(model, revision):
    """Find the folder of a model; one of the hub is fetched if need be.

    Parameters
    ----------
    model : str or path-like
        Folder or name.
    revision : str or None
        Branch, tag or commit, for a name.

    Returns
    -------
    folder : str
    state : tuple
        Changes whenever the content of a local folder does.
    commit : str or None
        Of a model of the hub.
    """
    where, state = locate(model)
    if state or os.path.isdir(where):
        return where, state, None
    folder, commit = _of_hub(where, revision)
    return folder, (), commit


@lru_cache(maxsize=32)
def read_recipe(model, folder, state):
    """Read hyperparams.yaml, and refuse one that could do more than build a network.

    Parameters
    ----------
    model : str
        Name for messages.
    folder : str
        Where it lies.
    state : tuple
        Of the folder, so that a changed one is read again.

    Returns
    -------
    str
    """
    with _explained(model):
        text = Path(_file(model, folder, None, _RECIPE)).read_text(encoding="utf-8")
        _refuse_foreign_code(model, text)
    return text


@lru_cache(maxsize=2)
def load_steps(model, folder, state, commit, device, dtype):
    """Load frozen modules, in the order in which they run.

    Parameters
    ----------
    model, folder, state
        As in `read_recipe`.
    commit : str or None
        Of a model of the hub.
    device : str
        A torch device.
    dtype : str
        Number format of the network, the last of the steps; features are float32.

    Returns
    -------
    list of Module
        From (n_signals, n_samples) to features, normalised features, and embeddings.

    Raises
    ------
    EmbedderError
        It is no speaker model, or lacks weights.
    """
    import torch

    import_extra("speechbrain", EXTRA)
    _tame_redirects()
    hyperpyyaml = import_extra("hyperpyyaml", EXTRA)
    recipe = read_recipe(model, folder, state)
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
        _load_weights(model, folder, commit, modules, built["pretrainer"])
    steps = [modules[step] for step in _STEPS]
    for step in steps:
        _remove_noise(step)
        step.float().eval().requires_grad_(False).to(device)
    steps[-1].to(getattr(torch, dtype))
    return steps


def declared_dimension(recipe):
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


def _refuse_foreign_code(model, recipe):
    """Let a recipe build networks; its language could as well call any function of any module."""
    import yaml

    waiting, met = [yaml.compose(recipe, Loader=yaml.SafeLoader)], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in met:
            continue
        met.add(id(node))
        verb, _, name = node.tag.partition(":")
        built = verb in ("!new", "!name") and name.startswith(_BUILT_FROM)
        if not built and not node.tag.startswith(_PLAIN_TAGS):
            raise EmbedderError(
                f"{model}: its {_RECIPE} asks for {node.tag}, but only networks of speechbrain and "
                "torch.nn are built from a recipe, no other code is run; wrap it in "
                "CallableEmbedder"
            )
        if isinstance(node, yaml.MappingNode):
            waiting.extend(part for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)


def _tame_redirects():
    """Keep redirects of old names from importing what is missing when asked where they lie."""
    for name, redirect in list(sys.modules.items()):
        if name.startswith("speechbrain.") and "lazy_module" in getattr(redirect, "__dict__", {}):
            redirect.__file__, redirect.__warningregistry__ = None, {}


def _load_weights(model, folder, commit, modules, pretrainer):
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
        pretrainer.paths[step] = _file(model, folder, commit, name)
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


def _file(model, folder, commit, name):
    """Local path of a file of the model, fetched if need be."""
    file = os.path.join(folder, name)
    if not os.path.isfile(file):
        if commit is None:
            raise FileNotFoundError(f"there is no {name} in it")
        folder, _ = local_copy(model, commit, lambda names: _wanted(names, name))
        file = os.path.join(folder, name)
    return file


def _wanted(names, name):
    if name not in names:
        raise FileNotFoundError(f"there is no {name} in it")
    return [name]


def _explained(model):
    files = f"{_RECIPE} and embedding_model.ckpt"
    return explained(model, "speechbrain", files, f"get it with: hf download {model}")
