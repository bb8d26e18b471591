"""SpeechBrain's hyperparams.yaml, read so that it can build networks and do nothing else."""

from __future__ import annotations

import inspect
import pydoc
import re
from functools import partial
from typing import TYPE_CHECKING

from sfmforensics.embedders._pooling import import_extra
from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

EXTRA = "xvector"
RECIPE = "hyperparams.yaml"

_BUILT_FROM = re.compile(
    r"torch\.nn(\..+)?|speechbrain\.(nnet\..+|processing\.features|lobes\.features"
    r"|lobes\.models\.(Xvector|ECAPA_TDNN|ResNet)|dataio\.encoder|utils\.parameter_transfer)"
)
"""Modules in which a class must be defined for a recipe to build it."""

_PLAIN = ("!ref", "!copy", "!tuple", *("!!" + kind for kind in ("str", "int", "float", "bool")))


def check(model: str, recipe: str) -> None:
    """Refuse a recipe that asks, anywhere, for more than networks; nothing in it is executed."""
    import yaml

    for token in yaml.scan(recipe, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.TagToken):
            tag = "".join(part or "" for part in token.value)
            verb, _, name = tag.partition(":")
            built = verb in ("!new", "!name") and _BUILT_FROM.match(name)
            if not built and tag not in _PLAIN:
                raise _refusal(model, tag)


def build(model: str, recipe: str) -> dict[str, Any]:
    """Build what a recipe names.

    Notes
    -----
    HyperPyYAML's own loader calls whatever function a recipe names, in more ways than its tags
    show. Of it only the resolution of references is used here; a loader of our own, which knows no
    other objects, builds them.
    """
    import_extra("hyperpyyaml", EXTRA)
    from hyperpyyaml import resolve_references
    from ruamel.yaml import SafeLoader

    class Builder(SafeLoader):
        """Plain values, tuples, and objects of the modules above."""

    def locate(name: str, tag: str, allowed: Callable[[object], bool]) -> Any:
        thing = pydoc.locate(name) if _BUILT_FROM.match(name) else None
        home = getattr(thing, "__module__", None)
        if thing is None and _BUILT_FROM.match(name):
            raise ValueError(f"there is no {name}")
        if not allowed(thing) or not _BUILT_FROM.fullmatch(str(home)):
            raise _refusal(model, tag)
        return thing

    def arguments(loader: Any, node: Any) -> tuple[Any, Any]:
        if node.id == "mapping":
            return (), loader.construct_mapping(node, deep=True)
        return (loader.construct_sequence(node, deep=True) if node.id == "sequence" else ()), {}

    def construct(loader: Any, name: str, node: Any) -> Any:
        positional, named = arguments(loader, node)
        return locate(name, f"!new:{name}", inspect.isclass)(*positional, **named)

    def refer(loader: Any, name: str, node: Any) -> Any:
        positional, named = arguments(loader, node)
        thing = locate(name, f"!name:{name}", lambda t: inspect.isclass(t) or inspect.isroutine(t))
        return partial(thing, *positional, **named) if positional or named else thing

    def to_tuple(loader: Any, node: Any) -> tuple[Any, ...]:
        inside = SafeLoader(f"[{loader.construct_scalar(node)[1:-1]}]")
        return tuple(inside.get_single_data())

    def refuse(loader: Any, tag: str, node: Any) -> None:
        raise _refusal(model, tag)

    Builder.add_multi_constructor("!new:", construct)
    Builder.add_multi_constructor("!name:", refer)
    Builder.add_constructor("!tuple", to_tuple)
    Builder.add_implicit_resolver("!tuple", re.compile(r"^\(.*\)$"), first="(")
    Builder.add_multi_constructor("!", refuse)
    Builder.add_multi_constructor("tag:", refuse)
    check(model, recipe)  # references that are resolved could include files and call functions
    loader = Builder(resolve_references(recipe).getvalue())
    return loader.construct_object(loader.get_single_node(), deep=True)


def declared_dimension(recipe: str) -> int | None:
    """Width that the recipe gives its embedding model, or None; nothing in it is executed."""
    import yaml

    class Reader(yaml.SafeLoader):
        def untagged(self, _: Any, node: Any) -> Any:
            if isinstance(node, yaml.ScalarNode):
                return self.construct_scalar(node)
            mapping = isinstance(node, yaml.MappingNode)
            return (self.construct_mapping if mapping else self.construct_sequence)(node, True)

    Reader.add_multi_constructor("!", Reader.untagged)
    try:
        tree = Reader(recipe).get_single_data()
        width = tree["embedding_model"]["lin_neurons"]
        width = tree[width.strip("<>")] if isinstance(width, str) else width
    except (yaml.YAMLError, KeyError, TypeError):
        return None
    return width if isinstance(width, int) else None


def _refusal(model: str, tag: str) -> EmbedderError:
    return EmbedderError(
        f"{model}: its {RECIPE} asks for {tag}, but only networks of speechbrain and torch.nn are "
        "built from a recipe, no other code is run; wrap it in CallableEmbedder"
    )
