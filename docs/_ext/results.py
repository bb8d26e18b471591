"""Pages of results, from what the benchmarks wrote: nothing is copied by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"

SYSTEMS = {
    ("svst", "mfcc"): "single task (SVST), MFCC",
    ("svst", "whisper"): "single task (SVST), Whisper",
    ("svmt", "mfcc"): "multi-task (SVMT), MFCC",
    ("svmt", "whisper"): "multi-task (SVMT), Whisper",
    ("mvmt-concat", "whisper + mfcc"): "concatenation",
    ("tango", "whisper + mfcc"): "TANGO",
    ("tango-x1-to-x2", "whisper + mfcc"): "TANGO, x1 to x2",
    ("tango-x2-to-x1", "whisper + mfcc"): "TANGO, x2 to x1",
}
COLUMNS = ("ASR %", "SER %", "GR %", "AE years")


def rows_of(text: str) -> list[dict[str, str]]:
    """All rows of all tables of a page, each by the names of its columns."""
    rows, header = [], None
    for line in text.splitlines():
        if not line.startswith("|"):
            header = None
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if header is None:
            header = cells
        elif set("".join(cells)) - set("-: "):
            rows.append(dict(zip(header, cells, strict=True)))
    return rows


def _figures(row: dict[str, str], which: str) -> str:
    found = []
    for column in COLUMNS:
        text = row[f"{column}: {which}"].partition(" ±")[0]
        found.append(text if column == "AE years" else f"{float(text):.1f}")
    return ", ".join(found)


def reproduction() -> str:
    """Some of the paper's tables: its figures, ours by its settings, ours by the tuned ones."""
    lines = [
        "| system, views | paper: ASR, SER, GR, AE | its settings | tuned, as it was |",
        "|---|---|---|---|",
    ]
    pages: dict[str, dict[tuple[str, str], dict[str, str]]] = {"paper": {}, "tuned": {}}
    for name, found in pages.items():
        for row in rows_of((RESULTS / f"reproduction-baved-{name}.md").read_text("utf-8")):
            if {"system", "views", "ASR %: paper"} <= set(row):
                found.setdefault((row["system"], row["views"]), row)
    for system, said in SYSTEMS.items():
        paper, tuned = (pages[name][system] for name in ("paper", "tuned"))
        cells = (
            said,
            _figures(paper, "paper"),
            _figures(paper, "closed"),
            _figures(tuned, "closed"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write(folder: Path) -> None:
    """Write the table, and a page for each whole output."""
    outputs = folder / "outputs"
    outputs.mkdir(parents=True, exist_ok=True)
    made = {folder / "_reproduction.md": reproduction()}
    for file in sorted(RESULTS.glob("*.md")):
        title, _, rest = file.read_text(encoding="utf-8").partition("\n")
        made[outputs / file.name] = f"{title} ({file.stem})\n{rest}"  # some have one title
    for old in outputs.iterdir():
        if old not in made:
            old.unlink()
    for file, text in made.items():
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Write the pages before Sphinx looks for them."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir, "results")))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
