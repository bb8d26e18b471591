"""Every public name says what it takes and what it gives; that this is true, `make lint` checks."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import sfmforensics

PACKAGE = Path(sfmforensics.__file__).parent


def public_modules():
    """All modules that a user may import from; commands are not called from Python."""
    yield "sfmforensics"
    for found in pkgutil.walk_packages([str(PACKAGE)], "sfmforensics."):
        parts = found.name.split(".")[1:]
        if parts[0] != "cli" and not any(part.startswith("_") for part in parts):
            yield found.name


def public_names(module):
    here = importlib.import_module(module)
    names = getattr(here, "__all__", None)
    if names is None:
        names = [
            name
            for name, thing in vars(here).items()
            if not name.startswith("_") and getattr(thing, "__module__", None) == module
        ]
    return {name: getattr(here, name) for name in names}


def functions_of(name, thing):
    """A function, or all that a class of the package defines for its users."""
    if inspect.isfunction(thing):
        yield name, thing
    if not inspect.isclass(thing):
        return
    for kind in thing.__mro__:
        if not kind.__module__.startswith("sfmforensics"):
            continue
        for attribute, value in vars(kind).items():
            if attribute.startswith("_") and attribute not in ("__init__", "__call__"):
                continue
            # What scikit-learn and Python wrap a method into.
            for wrapper in ("__func__", "fget", "fn"):
                value = getattr(value, wrapper, value)
            if inspect.isfunction(value):
                yield f"{kind.__name__}.{attribute}", inspect.unwrap(value)


def gaps(name, function):
    """Which parts of a signature have no annotation."""
    signature = inspect.signature(function)
    for position, (parameter, told) in enumerate(signature.parameters.items()):
        if position == 0 and parameter in ("self", "cls"):
            continue
        if told.annotation is inspect.Parameter.empty:
            yield f"{name}({parameter})"
    if signature.return_annotation is inspect.Signature.empty:
        yield f"{name} -> ?"


@pytest.mark.parametrize("module", sorted(public_modules()))
def test_every_public_signature_is_annotated(module):
    found = [
        gap
        for name, thing in public_names(module).items()
        for called, function in functions_of(name, thing)
        for gap in gaps(called, function)
    ]
    assert found == []


def test_gaps_are_found():
    def half(first: int, second):
        return first, second

    class Half:
        def method(self, told: int) -> int:
            return told

        @classmethod
        def build(cls, untold):
            return untold

        @property
        def width(self):
            return 0

    Half.__module__ = "sfmforensics.nowhere"
    assert list(gaps("half", half)) == ["half(second)", "half -> ?"]
    found = [gap for called, one in functions_of("Half", Half) for gap in gaps(called, one)]
    assert found == ["Half.build(untold)", "Half.build -> ?", "Half.width -> ?"]


def test_estimators_and_displays_are_looked_at():
    looked_at = {
        called
        for module in ("sfmforensics", "sfmforensics.report", "sfmforensics.embedders")
        for name, thing in public_names(module).items()
        for called, _ in functions_of(name, thing)
    }
    assert {
        *("TANGO.__init__", "TANGO.transport_plan", "PerTask.decision_function"),
        *("MultiTaskEstimator.predict", "MultiTaskEstimator.predict_proba"),
        *("BaseEmbedder.transform", "ConfusionDisplay.from_estimator", "ConfusionDisplay.shares"),
        *("make_views", "write_report"),
    } <= looked_at


def test_names_that_are_imported_late_are_those_that_type_checkers_see():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == sfmforensics._HOMES
    assert set(sfmforensics.__all__) == {*seen, "__version__"}


def test_types_cost_nothing_when_the_package_runs():
    statement = "import sfmforensics.workflow, sfmforensics.report, sfmforensics.cli, sys"
    code = f"{statement}; print('sfmforensics._types' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_types_can_be_imported_by_who_wants_to_name_them():
    from sfmforensics import _types
    from sfmforensics._utils import recordings

    assert {"Targets", "Answers", "Splitter"} <= set(vars(_types))
    assert {"Recording", "Recordings", "Segment"} <= set(vars(recordings))


def test_users_type_checkers_find_the_types():
    assert (PACKAGE / "py.typed").is_file()
