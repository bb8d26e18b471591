"""Code in a text that is the name of something public becomes a link to its page.

So pages stay plain Markdown that any reader shows, and docstrings need no roles. A name without a
capital or an underscore, such as ``evaluate``, may be a command or a parameter: it becomes none.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from public import public_modules, public_names
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

_CALLED = re.compile(r"([\w.]+)(\(.*\))?", re.DOTALL)
_TELLING = re.compile(r"[A-Z]\w*[a-z]|[A-Z]{3}|[a-z]_[a-z]|\.")


def targets() -> dict[str, str]:
    """The full name for each way to write one that stands for nothing else."""
    found: dict[str, set[str]] = {}
    for name in public_names():
        for written in (name.name, f"{name.module}.{name.name}", name.full):
            found.setdefault(written, set()).add(name.full)
    found |= {module: {module} for module in public_modules()}
    return {
        written: full.pop()
        for written, full in found.items()
        if len(full) == 1 and _TELLING.search(written)
    }


class NamesAsLinks(SphinxTransform):
    """Looks at each literal of a page."""

    default_priority = 500
    known: dict[str, str] | None = None

    def apply(self, **_: Any) -> None:
        """Put a reference around each that is a name."""
        if NamesAsLinks.known is None:
            NamesAsLinks.known = targets()
        for literal in list(self.document.findall(nodes.literal)):
            if self._is_linked(literal):
                continue
            match = _CALLED.fullmatch(literal.astext())
            full = NamesAsLinks.known.get(match[1]) if match else None
            if full is None or self.env.docname == f"api/{full}":
                continue
            link = addnodes.pending_xref(
                "", refdomain="py", reftype="obj", reftarget=full, refexplicit=True, refwarn=True
            )
            literal.replace_self(link)
            link += literal

    @staticmethod
    def _is_linked(node: nodes.Node) -> bool:
        while node is not None:
            if isinstance(node, nodes.reference | addnodes.pending_xref | nodes.title):
                return True
            node = node.parent
        return False


def setup(app: Any) -> dict[str, bool]:
    """Run on every page."""
    app.add_transform(NamesAsLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
