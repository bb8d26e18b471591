"""What docstrings say of parameters is what the code does."""

import importlib
import inspect
import pkgutil
import re

import pytest

import sfmforensics

_SECTION = re.compile(r"\n\s*(?:Returns|Raises|Attributes|Notes|Examples|Yields|See Also)\n\s*-")
_PARAMETER = re.compile(r"^\s+(\w[\w, *]*) : (?:.*?default=(.+)|.*)$", re.MULTILINE)


def callables(module):
    """Functions, classes and methods that a module defines, by their names."""
    for name, held in vars(module).items():
        if getattr(held, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(held) or inspect.isclass(held):
            yield f"{module.__name__}.{name}", held
        if inspect.isclass(held):
            for inner, method in vars(held).items():
                if inspect.isfunction(method):
                    yield f"{module.__name__}.{name}.{inner}", method


def told(held):
    """Parameters that a docstring names, each with the default that it tells, or None."""
    part = _SECTION.split((held.__doc__ or "").partition("Parameters\n")[2])[0]
    for names, default in _PARAMETER.findall(part):
        for name in names.split(","):
            if not name.strip().startswith("*"):
                yield name.strip(), default or None


MODULES = [found.name for found in pkgutil.walk_packages(sfmforensics.__path__, "sfmforensics.")]


def test_defaults_are_read_from_docstrings():
    """The test below compares something."""

    def example(first, second=2):
        """Do nothing.

        Parameters
        ----------
        first : int
            One.
        second : {1, 2}, default=2
            Another.

        Returns
        -------
        third : int, default=3
        """

    assert list(told(example)) == [("first", None), ("second", "2")]


@pytest.mark.parametrize("name", MODULES)
def test_a_default_is_told_as_it_is(name):
    for where, held in callables(importlib.import_module(name)):
        try:
            signature = inspect.signature(held)
        except (ValueError, TypeError):  # of no class of ours
            continue
        for parameter, default in told(held):
            assert parameter in signature.parameters, f"{where} has no parameter {parameter}"
            actual = signature.parameters[parameter].default
            if default is None:
                continue
            assert actual is not inspect.Parameter.empty, f"{where}: {parameter} has no default"
            known = {"inf": float("inf"), **vars(importlib.import_module(name))}
            assert eval(default, known) == actual, f"{where}: {parameter} is {actual!r}"
