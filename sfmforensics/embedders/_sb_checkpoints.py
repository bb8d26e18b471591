"""Loading a speaker model of SpeechBrain: what a vector needs, whole, and without noise."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sfmforensics.embedders._hub import explained, find_folder, how_to_get, local_copy
from sfmforensics.embedders._pooling import import_extra
from sfmforensics.embedders._sb_recipe import EXTRA, RECIPE, build, check
from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from sfmforensics._types import PathLike
    from sfmforensics.embedders._hub import Found, State

_STEPS = ("compute_features", "mean_var_norm", "embedding_model")
"""What `EncoderClassifier.encode_batch` runs, in order; its classifier is never needed."""

ESSENTIAL = (RECIPE, ".ckpt", ".pt", ".pth", ".bin", ".safetensors")


def find_model(model: PathLike, revision: str | None) -> Found:
    """Find the folder of a model; one of the hub is fetched if need be. See `find_folder`."""
    return find_folder(model, revision, _recipe_alone, _explained)


@lru_cache(maxsize=32)
def read_recipe(model: str, folder: str, state: State) -> str:
    """Read hyperparams.yaml, and refuse one that asks for more than networks."""
    with _explained(model):
        text = Path(_file(model, folder, None, RECIPE)).read_text(encoding="utf-8")
        check(model, text)
    return text


@lru_cache(maxsize=2)
def load_steps(model: str, folder: str, state: State, commit: str | None, device: str) -> list[Any]:
    """Load frozen modules, in the order in which they run."""
    import torch

    import_extra("speechbrain", EXTRA)
    _tame_redirects()
    recipe = read_recipe(model, folder, state)
    # Weights are drawn at random before they are loaded; the user's generator stays where it was.
    with _explained(model), torch.random.fork_rng(devices=[]):
        built = build(model, recipe)
        modules = built.get("modules", {})
        absent = [step for step in _STEPS if step not in modules]
        if absent or "pretrainer" not in built:
            raise EmbedderError(
                f"{model}: no speaker model, for its {RECIPE} has no "
                f"{', '.join(absent) or 'pretrainer'}; wrap it in CallableEmbedder"
            )
        _load_weights(model, folder, commit, modules, built["pretrainer"])
    steps = [modules[step] for step in _STEPS]
    for step in steps:
        _remove_noise(step)
        step.float().eval().requires_grad_(False).to(device)
    return steps


def _tame_redirects() -> None:
    """Keep redirects of old names from importing what is missing when asked where they lie."""
    modules: list[tuple[str, Any]] = list(sys.modules.items())
    for name, redirect in modules:
        if name.startswith("speechbrain.") and "lazy_module" in getattr(redirect, "__dict__", {}):
            redirect.__file__, redirect.__warningregistry__ = None, {}


def _load_weights(
    model: str, folder: str, commit: str | None, modules: Any, pretrainer: Any
) -> None:
    wanted = [step for step in _STEPS if step in pretrainer.loadables]
    for step in _STEPS:
        if step not in wanted and list(modules[step].parameters()):
            raise EmbedderError(
                f"{model}: its {RECIPE} names no file for {step}, whose weights would be random; "
                "take the complete model"
            )
    pretrainer.loadables = {step: pretrainer.loadables[step] for step in wanted}
    pretrainer.conditions, pretrainer.custom_hooks = {}, {}  # every weight, and as it is
    for step in wanted:
        # The recipe of a model that was downloaded still points to the hub: only the name counts.
        name = os.path.basename(str(pretrainer.paths.get(step, f"{step}.ckpt")))
        pretrainer.paths[step] = _file(model, folder, commit, name)
        pretrainer.is_local.append(step)
        _forbid_gaps(model, modules[step])
    pretrainer.load_collected()


def _forbid_gaps(model: str, module: Any) -> None:
    """Refuse a checkpoint that lacks weights: SpeechBrain leaves them random and logs a line."""
    load = module.load_state_dict

    def load_all(state: Any, *args: Any, **kwargs: Any) -> Any:
        missing = sorted(set(module.state_dict()) - set(state))
        if missing:
            raise EmbedderError(
                f"{model}: {len(missing)} weights are not in the checkpoint and would be random "
                f"(first: {missing[0]}); take the complete model"
            )
        return load(state, *args, **kwargs)

    module.load_state_dict = load_all


def _remove_noise(step: Any) -> None:
    for module in step.modules():
        if hasattr(module, "_get_gauss_noise"):
            module._get_gauss_noise = lambda shape, device=None: 0.0


def _file(model: str, folder: str, commit: str | None, name: str) -> str:
    """Local path of a file of the model, fetched if need be."""
    file = os.path.join(folder, name)
    if not os.path.isfile(file):
        if commit is None:
            raise FileNotFoundError(f"there is no {name} in it")
        folder, _ = local_copy(model, commit, lambda names: _wanted(names, name))
        file = os.path.join(folder, name)
    return file


def _recipe_alone(names: Sequence[str]) -> list[str]:
    return _wanted(names, RECIPE)


def _wanted(names: Sequence[str], name: str) -> list[str]:
    if name not in names:
        raise FileNotFoundError(f"there is no {name} in it")
    return [name]


def _explained(model: str, revision: str | None = None) -> AbstractContextManager[None]:
    return explained(
        model, "speechbrain", f"{RECIPE} and embedding_model.ckpt", how_to_get(model, revision)
    )
