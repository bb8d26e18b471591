"""What a release says of itself: how it is cited, whose licences it needs, which tests hold it."""

import re
from importlib.metadata import metadata, version
from pathlib import Path

import pytest
import yaml

from sfmforensics import datasets
from sfmforensics.embedders.registry import REGISTRY

ROOT = Path(__file__).resolve().parents[2]
LICENCES = ROOT / "docs" / "licences.md"


def rows(heading):
    """Cells of the rows of a table under a heading of the licences."""
    part = (
        LICENCES.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    )
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


@pytest.fixture(scope="module")
def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version(citation):
    assert citation["version"] == version("sfmforensics")
    assert citation["title"] == metadata("sfmforensics")["Name"]
    assert citation["license"] == metadata("sfmforensics")["License-Expression"]


def test_the_citation_has_what_its_format_asks_for(citation):
    """By the schema of CFF 1.2.0: these are required, of the software and of each reference."""
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"]
    assert citation["type"] == "software"
    for part in (citation, *citation["references"]):
        assert part["title"]
        for author in part["authors"]:
            assert {"name"} == set(author) or {"family-names", "given-names"} <= set(author)
    (paper,) = citation["references"]
    assert paper["type"] == "article"
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert paper["title"] in readme
    assert paper["authors"][0]["family-names"] in readme


def test_every_view_has_its_licences():
    table = {cells[0].strip("`"): cells for cells in rows("Views")}
    assert set(table) == set(REGISTRY)
    for name, view in REGISTRY.items():
        _, library, weights, licence, source = table[name]
        assert re.fullmatch(r"[\w -]+, [\w.-]+", library), name
        if view.model is None:
            assert (weights, licence, source) == ("none", "", ""), name
        else:
            assert view.model.removeprefix("https://tfhub.dev/") == weights, name
            module = view.embedder.partition(":")[0].rpartition(".")[2]
            assert {"tfhub": "tensorflow-hub"}.get(module, module) in library, name
            # Where it was read, or that it could not be.
            assert licence.startswith("not found") or "https://" in source, name
            assert licence, name


def test_every_corpus_has_its_licence():
    table = rows("Corpora")
    loaders = [name.strip("` ") for cells in table for name in cells[1].split(",")]
    assert set(datasets.CORPORA) <= set(loaders)
    assert {name for name in datasets.__all__ if name.startswith("make_")} <= set(loaders)
    assert all(licence for _, _, licence, _ in table)


def test_the_readme_names_the_licences():
    """Somebody who chooses a view is told that some may not be used for money."""
    assert "docs/licences.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_promise_names_tests_that_are_there():
    """Of `docs/reliability.md`: files, and beginnings or parts of names of tests."""
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    code = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    named = re.findall(r"`(tests/[^`]*|\.\.[^`]*\.\.\.)`", text)
    assert len(named) > 40
    for name in named:
        if name.startswith(".."):
            files, test = code.values(), name.strip("._")
        else:
            file, _, test = name.partition("::")
            assert (ROOT / file).is_file(), name
            files, test = [(ROOT / file).read_text(encoding="utf-8")], test.rstrip("._")
        part = test.rpartition("::")[2]
        if part:
            assert any(re.search(rf"(def|class) \w*{part}", text) for text in files), name
