"""Tables of ``sfmforensics cross``, as the site shows them: one for each task, of several runs.

Run the command into a folder each time, with and without ``--standardise`` say, and name the
folders: ``python benchmarks/cross_corpus.py plain standardised --output FILE.md``.
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from sfmforensics.report import format_cross, to_markdown
from sfmforensics.report._wording import heading
from sfmforensics.report.tables import cross_rows


def scores_of(folders):
    """What the runs found; a run's views stand before its models."""
    for folder in map(Path, folders):
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        views = "+".join(manifest["views"]) + ", standardised" * manifest["standardise"]
        scores = pd.read_csv(folder / "cross.csv")
        yield scores.assign(model=views + ", " + scores["model"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    manifest = json.loads((Path(options.folders[0]) / "manifest.json").read_text(encoding="utf-8"))
    text = ["# One corpus against another", ""]
    counts = ", ".join(f"{name} {count:,}" for name, count in manifest["corpora"].items())
    text += [f"Recordings: {counts}. Brackets: 95 % bootstrap intervals over speakers.", ""]
    scores = pd.concat(scores_of(options.folders), ignore_index=True)
    for task in dict.fromkeys(scores["task"]):
        _, metric = cross_rows(scores, task)
        text += [f"## {heading(task, metric)}", "", to_markdown(format_cross(scores, task)), ""]
    for task, said in manifest["labels"].items():
        text += [f"Labels of {task}: {json.dumps(said['map'])}", ""]
    written = "\n".join(text)
    if options.output is None:
        print(written)
    else:
        options.output.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
