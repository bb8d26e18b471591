"""What the README says can be run is run, its table is what was measured, its links have an end."""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
ROOT = README.parent
TEXT = README.read_text(encoding="utf-8")


def test_it_is_read_in_one_sitting():
    assert len(TEXT.splitlines()) <= 150


def code(text):
    """The first Python of a page, without comments."""
    block = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    return re.sub(r"  # .*", "", block)


def test_its_python_is_what_the_first_page_of_the_site_runs():
    """`tests/house/test_site.py` runs that."""
    assert TEXT.count("```python") == 1
    assert code(TEXT) == code((ROOT / "docs/getting-started.md").read_text(encoding="utf-8"))
    assert len([line for line in code(TEXT).splitlines() if line]) <= 10


def test_every_command_that_it_names_exists(capsys):
    from sfmforensics.cli import main

    lines = re.findall(r"^sfmforensics (\w+) (.*)", TEXT, re.MULTILINE)
    assert [command for command, _ in lines] == [
        *("describe", "evaluate", "report", "train", "compare"),
    ]
    for command, rest in lines:
        assert main([command, "--help"]) == 0
        shown = capsys.readouterr().out
        for option in re.findall(r"--[\w-]+", rest):
            assert option in shown, f"{command} has no {option}"


def test_what_make_is_asked_for_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make (\w+)", TEXT, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_its_links_have_an_end():
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(links) > 15
    for link in links:
        assert (ROOT / link).is_file(), link


def test_its_figure_is_small():
    (figure,) = re.findall(r"!\[[^]]+\]\(([^)]+)\)", TEXT)
    assert (ROOT / figure).stat().st_size < 100_000


# How the table calls what `benchmarks/accuracy.py` measured.
SYSTEMS = {
    "*paper's best*, TANGO, x-vector + TRILLsson": "paper's best (published)",
    "SVC, SVR, C=10": "SVC, SVR",
    "logistic regression C=0.1, ridge 100": "logistic, ridge",
    "gradient boosting": "gradient boosting",
    "`ConcatFusion`, tuned": "concatenation",
    "`TANGO`, tuned": "TANGO",
    "`TANGO`, spread of ages chosen inside": "TANGO, chosen inside",
}


def test_its_table_is_what_was_measured():
    sys.path.insert(0, str(ROOT / "docs" / "_ext"))
    try:
        from results import rows_of
    finally:
        sys.path.remove(str(ROOT / "docs" / "_ext"))
    found = (ROOT / "benchmarks/results/accuracy-baved.md").read_text(encoding="utf-8")
    parts = {
        protocol: found.partition(f"## {protocol}\n")[2].partition("\n## ")[0]
        for protocol in ("closed", "disjoint")
    }
    measured = {}
    for protocol, part in parts.items():
        for row in rows_of(part):
            if "SER %" in row:
                measured.setdefault((protocol, row[""]), row)
    table = [row for row in rows_of(TEXT) if "protocol" in row]
    assert len(table) == 12
    for row in table:
        true = measured[row["protocol"], SYSTEMS[row["system"]]]
        for column in ("ASR %", "SER %", "GR %", "AE years"):
            if row[column] == "not defined":
                assert row["protocol"] == "disjoint"
                assert column not in true
                continue
            said, exact = row[column].split(" ± "), true[column].split(" ± ")
            assert len(said) == len(exact)
            for one, other in zip(said, exact, strict=True):
                decimals = len(one.partition(".")[2])
                # Half a unit of what is shown, and of what is recorded.
                off = 0.5 * 10**-decimals + (0.005 if decimals < 2 else 0)
                assert abs(float(one) - float(other)) <= off + 1e-9, (row, column)
