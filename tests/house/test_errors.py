"""Errors are classes of `exceptions`, and are documented where they are raised."""

import ast
import builtins
import inspect
import pickle
import warnings
from importlib import import_module
from pathlib import Path

import pytest

import sfmforensics
from sfmforensics import exceptions

PACKAGE = Path(sfmforensics.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
OURS = {
    name: kind
    for name, kind in vars(exceptions).items()
    if inspect.isclass(kind) and issubclass(kind, Exception)
}


def exported(file):
    """Names that a package exports from its private modules; None in a public module, for all."""
    if any(part.startswith("_") for part in file.parent.relative_to(PACKAGE).parts):
        return set()  # of a private package
    if not file.name.startswith("_") or file.name == "__init__.py":
        return None
    package = ".".join(file.parent.relative_to(PACKAGE.parent).parts)
    return set(getattr(import_module(package), "__all__", ()))


def public_functions(file):
    """Functions and methods that users reach, each with the docstring that tells of it."""
    names = exported(file)
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if names is not None and getattr(node, "name", None) not in names:
            continue
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node, ast.get_docstring(node) or ""
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            of_class = ast.get_docstring(node) or ""
            for inner in node.body:
                if not isinstance(inner, ast.FunctionDef):
                    continue
                if inner.name == "__init__":
                    yield node.name, inner, of_class
                elif not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner, ast.get_docstring(inner) or ""


def raised(node):
    """Names of the classes that a function raises and does not catch itself."""
    if isinstance(node, ast.Raise) and node.exc is not None:
        made = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        if isinstance(made, ast.Name) and made.id[:1].isupper():
            yield made.id
    caught = set()
    if isinstance(node, ast.Try):
        caught = {
            part.id
            for handler in node.handlers
            for part in ast.walk(handler.type or ast.Name("Exception"))
            if isinstance(part, ast.Name)
        }
    for child in ast.iter_child_nodes(node):
        inside = isinstance(node, ast.Try) and child in node.body
        # A handler of a tuple by name, such as _UNREADABLE, is taken to know what it catches.
        named = any(name.startswith("_") for name in caught)
        yield from (kind for kind in raised(child) if not (inside and (named or kind in caught)))


# Commands are documented by their help; these modules speak to a library that waits for its own.
FILES = [file for file in FILES if file.parent.name != "cli"]
ALLOWED = {
    "projection.project": {"ImportError"},
    "training.train": {"KeyboardInterrupt"},
    "base.BaseEmbedder": {"NotImplementedError"},
}


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(PACKAGE)) for file in FILES])
def test_what_a_public_function_raises_is_ours_and_in_its_docstring(file):
    for name, function, text in public_functions(file):
        section = text.partition("Raises\n")[2]
        for kind in set(raised(function)) - {"NotImplementedError"}:
            allowed = kind in OURS or kind in ALLOWED.get(f"{file.stem}.{name}", ())
            assert allowed, f"{file.name}: {name} raises {kind}, no class of exceptions.py"
            if kind in OURS:
                assert kind in section, f"{file.name}: {name} raises {kind}, and does not say so"


@pytest.mark.parametrize("kind", OURS.values(), ids=OURS)
def test_a_class_says_what_it_is_and_can_be_sent_between_processes(kind):
    assert kind.__doc__
    assert issubclass(kind, (exceptions.SFMForensicsError, exceptions.SFMForensicsWarning))
    arguments = {
        exceptions.AudioError: ("a.wav", "it is empty", "record it again"),
        exceptions.MissingExtraError: ("speechbrain", "xvector"),
        exceptions.OutputError: (28, "No space left on device", "scores.csv"),
    }.get(kind, ("what was found; what to do",))
    error = kind(*arguments)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert "\n" not in str(error)


def test_errors_of_a_kind_are_also_the_builtin_that_users_catch():
    for name, kind in OURS.items():
        if name.endswith("Error") and name != "SFMForensicsError":
            assert any(base.__name__ in vars(builtins) and base not in (Exception, object)
                       and base is not BaseException for base in kind.__mro__), name  # fmt: skip


def test_warnings_can_be_turned_into_errors_by_their_base():
    with warnings.catch_warnings():
        warnings.simplefilter("error", exceptions.SFMForensicsWarning)
        for kind in OURS.values():
            if issubclass(kind, Warning):
                with pytest.raises(exceptions.SFMForensicsWarning):
                    warnings.warn("x", kind, stacklevel=1)
