"""Tables of ``sfmforensics cross``, as the site shows them: one for each task, of several runs.

Run the command into a folder each time, with and without ``--standardise`` say, and name the
folders: ``python benchmarks/cross_corpus.py plain standardised --output FILE.md``.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from sfmforensics.report import to_markdown
from sfmforensics.report._wording import heading, is_share

SHOWN = {"emotion": "uar", "gender": "uar", "age": "rmse", "speaker": "eer"}


def tables(folders):
    """For each task a line a run, model and corpus learnt from; a column a corpus tested."""
    runs = []
    for folder in map(Path, folders):
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        name = "+".join(manifest["views"]) + (
            ", standardised" if manifest.get("standardise") else ""
        )
        runs.append(pd.read_csv(folder / "cross.csv").assign(views=name))
    scores = pd.concat(runs, ignore_index=True)
    for task, metric in SHOWN.items():
        rows = scores[(scores["task"] == task) & (scores["metric"] == metric)]
        if len(rows):
            yield task, metric, rows


def lines(rows, metric):
    factor, digits = (100, 1) if is_share(metric) else (1, 2)
    for (views, model, train), part in rows.groupby(["views", "model", "train"], sort=False):
        line = {"views": views, "model": model, "learnt from": train}
        for cell in part.itertuples():
            bounds = ""
            if not np.isnan(cell.low):
                bounds = f" ({factor * cell.low:.{digits}f} to {factor * cell.high:.{digits}f})"
            line[f"on {cell.test}"] = f"{factor * cell.value:.{digits}f}{bounds}"
        yield line


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    manifest = json.loads((Path(options.folders[0]) / "manifest.json").read_text(encoding="utf-8"))
    text = ["# One corpus against another", ""]
    counts = ", ".join(f"{name} {count:,}" for name, count in manifest["corpora"].items())
    text += [f"Recordings: {counts}. Brackets: 95 % bootstrap intervals over speakers.", ""]
    for task, metric, rows in tables(options.folders):
        text += [f"## {heading(task, metric)}", ""]
        text += [to_markdown(pd.DataFrame(lines(rows, metric))), ""]
    for task, said in manifest["labels"].items():
        text += [f"Labels of {task}: {json.dumps(said['map'])}", ""]
    written = "\n".join(text)
    if options.output is None:
        print(written)
    else:
        options.output.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
