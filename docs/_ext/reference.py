"""Writes the API reference: a page for each public module, name and command.

All of it is found out from the package when the site is built: a new name appears by itself.
"""

from __future__ import annotations

import importlib
import inspect
import io
import os
import pprint
import re
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from public import Name, members_of, public_modules, public_names
from sklearn.base import BaseEstimator

FOLDER = "api"


def heading(text: str, line: str = "=") -> str:
    """A title in reStructuredText."""
    return f"{text}\n{line * len(text)}\n"


def summary(doc: str) -> str:
    """The first paragraph of a docstring, in one line."""
    first = " ".join(doc.strip().split("\n\n")[0].split())
    return re.sub(r"\s*\[\d+\]_", "", first)


def page_of_name(name: Name) -> str:
    """The page of one public name."""
    parts = [heading(name.name), f".. currentmodule:: {name.home}\n"]
    if name.kind == "data":
        parts += [f".. py:data:: {name.name}\n"]
        if name.doc:
            parts += [_indented(name.doc), ""]
        value = pprint.pformat(name.thing, width=90, compact=True)
        if len(value) < 2000 and " at 0x" not in value:
            parts += ["   .. code-block:: python\n", _indented(value, 6), ""]
        return "\n".join(parts)
    parts += [f".. auto{name.kind}:: {name.name}"]
    if name.kind == "class":
        ours, others = members_of(name.thing)
        if ours:
            parts += [f"   :members: {', '.join(ours)}"]
        parts += [""]
        if others and issubclass(name.thing, BaseEstimator):
            listed = ", ".join(f"``{one}``" for one in others)
            parts += [f"\n   As every estimator of scikit-learn, which documents them: {listed}.\n"]
    return "\n".join(parts) + "\n"


def _indented(text: str, by: int = 3) -> str:
    return "\n".join(" " * by + line if line.strip() else "" for line in text.splitlines())


def page_of_module(module: str, names: list[Name]) -> str:
    """The page of a module: what it is for, and its names."""
    parts = [heading(module), f".. automodule:: {module}\n   :no-members:\n"]
    kinds = {
        "Classes": ("class",),
        "Functions": ("function",),
        "Errors and warnings": ("exception",),
        "Values": ("data",),
    }
    for title, accepted in kinds.items():
        rows = [name for name in names if name.kind in accepted]
        if not rows:
            continue
        parts += [heading(title, "-"), ".. list-table::\n   :widths: 30 70\n"]
        for name in rows:
            parts += [f"   * - :py:obj:`{name.name} <{name.full}>`", f"     - {summary(name.doc)}"]
        parts += [""]
    own = [name for name in names if name.home == module]
    if own:
        parts += [".. toctree::\n   :hidden:\n"]
        parts += [f"   {name.name} <{name.full}>" for name in own]
    return "\n".join(parts) + "\n"


def commands() -> dict[str, str]:
    """The help of each command, as a terminal of 96 columns shows it."""
    from sfmforensics.cli import app, main

    def helped(*arguments: str) -> str:
        said = io.StringIO()
        with redirect_stdout(said):
            code = main([*arguments, "--help"])
        assert code == 0, arguments
        return re.sub(r"\s+$", "", said.getvalue(), flags=re.MULTILINE)

    before = {name: os.environ.get(name) for name in ("COLUMNS", "TERMINAL_WIDTH")}
    os.environ.update(COLUMNS="96", TERMINAL_WIDTH="96")
    try:
        names = [command.name or command.callback.__name__ for command in app.registered_commands]
        return {"": helped(), **{name: helped(name) for name in names}}
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def page_of_commands() -> str:
    """The page of all commands."""
    parts = [
        heading("Commands"),
        "What ``--help`` says. :doc:`/guide/command-line` says how they go together.\n",
    ]
    for name, text in commands().items():
        parts += [
            heading(f"sfmforensics {name}".strip(), "-"),
            ".. code-block:: text\n",
            _indented(text),
            "",
        ]
    return "\n".join(parts) + "\n"


def pages() -> dict[str, str]:
    """All pages, by the name of their file without its ending."""
    names = public_names()
    found = {}
    rows = []
    for module in public_modules():
        own = [name for name in names if name.module == module]
        found[module] = page_of_module(module, own)
        doc = inspect.getdoc(importlib.import_module(module)) or ""
        rows += [f"   * - :doc:`{module}`", f"     - {summary(doc)}"]
    for name in names:
        if name.home == name.module:
            found[name.full] = page_of_name(name)
    found["commands"] = page_of_commands()
    found["index"] = "\n".join(
        [
            heading("Reference"),
            "Every public name, from its docstring; and :doc:`all commands <commands>`.\n",
            ".. list-table::\n   :widths: 30 70\n",
            *rows,
            "",
            ".. toctree::\n   :hidden:\n",
            *(f"   {module}" for module in public_modules()),
            "   commands",
        ]
    )
    return found


def write(folder: Path) -> None:
    """Write all pages, and remove those whose name is gone; what is the same stays as it is."""
    folder.mkdir(exist_ok=True)
    made = {f"{name}.rst": text for name, text in pages().items()}
    for old in folder.iterdir():
        if old.name not in made:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for name, text in made.items():
        file = folder / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Write the pages before Sphinx looks for them."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir, FOLDER)))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
