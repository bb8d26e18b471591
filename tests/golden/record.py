"""What the commands print and write on synthetic voices, as it was when it was last looked at.

``python tests/golden/record.py`` writes it anew. Whoever does so says in the commit what changed,
and why.
"""

import contextlib
import hashlib
import html
import io
import json
import os
import platform
import re
import tempfile
from pathlib import Path

KEPT = Path(__file__).parent / "expected"
# The folder of a job, and its commands; each answers 0.
JOBS = {
    "demo": ["demo --seed 0 --output demo"],
    "evaluate": [
        "describe --corpus manifest --root known.csv --views mfcc --cache cache",
        "evaluate --corpus manifest --root known.csv --model tango,svm --epochs 2 --folds 3 "
        "--cache cache --output results",
        "report results",
        "verify results",
    ],
    "reproduce": [
        "reproduce --corpus manifest --root known.csv --preset tuned --epochs 1 --folds 2 "
        "--protocol closed --cache cache --output tables",
    ],
    "compare": [
        "train --corpus manifest --root known.csv --epochs 3 --calibrate 0.5 --cache cache "
        "--output model.safetensors",
        "predict model.safetensors {case} --intervals --abstain 0.2 --format csv",
        "compare model.safetensors {case} --report case.html --manifest case.json",
        "compare model.safetensors {case} --format json",
        "identify model.safetensors {questioned} --enrolled enrolled.csv --false-alarm 0.1",
    ],
    "assess": [
        "assess model.safetensors --corpus manifest --root strangers.csv --cache cache "
        "--output validation",
    ],
}
# Which of what they write is kept as it is; of the others with these endings only the hash.
READ = re.compile(
    r"(demo|results|tables)/((scores|comparisons|reproduction)\.csv|report\.html"
    r"|reproduction\.(md|tex))|case\.html|validation/[a-z_]+\.csv"
)
HASHED = re.compile(r"(?!cache|voices|demo/(recordings|embeddings)).*\.(csv|safetensors)")
# What differs from one run, clone or release to the next.
CHANGES = [
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(\+\d\d:\d\d|Z| UTC)?", "TIME"),
    (r"\d{4}-\d\d-\d\d(?=, sfmforensics )", "DAY"),
    (r"Done in \d+ s", "Done in N s"),
    (r"(?<=^seconds\n)[\d.]+$", "N"),
    (r"(?<![\w.])(?=[0-9]*[a-f])[0-9a-f]{12,64}\b", "HASH"),
    (r"\b(\d+\.)+\d+(\+cpu|\+cu\d+|\.post\d+)?(?= |,|;|\)|$)(?<=\.\d)(?<!\d\.\d)", "VERSION"),
]


def here():
    """What digits depend on."""
    import numpy
    import scipy
    import sklearn
    import torch

    return {
        "machine": platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "processor": _processor(),
        "libraries": {m.__name__: m.__version__ for m in (numpy, scipy, sklearn, torch)},
    }


def _processor():
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        return platform.processor()
    return found[1] if found else platform.processor()


def make_voices():
    """Tables in the current folder: who is known, strangers, and whom a recording may be of."""
    from sfmforensics.datasets import make_speech_corpus

    voices = make_speech_corpus(20, 4, duration=0.6, random_state=1, output="voices")
    table = voices.target.assign(path=voices.data)
    known = table["speaker"].unique()[:14]
    table[table["speaker"].isin(known)].to_csv("known.csv", index=False)
    strangers = table[~table["speaker"].isin(known)]
    strangers.to_csv("strangers.csv", index=False)
    of_one = strangers[strangers["speaker"] == strangers["speaker"].iloc[-1]]["path"].tolist()
    others = strangers[~strangers["path"].isin(of_one[:1])]
    others.groupby("speaker").head(2).to_csv("enrolled.csv", index=False)
    return of_one[:3]


def run(jobs):
    """Run jobs in the current folder: {name: text}, of what was printed and written."""
    from sfmforensics.cli import main

    case = make_voices()
    seen, before = {}, set()
    for job in jobs:
        for place, line in enumerate(JOBS[job]):
            filled = line.format(case=" ".join(case), questioned=case[0])
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                code = main(filled.split())
            assert code == 0, f"{line}: {code}\n{out.getvalue()[-2000:]}"
            seen[f"{job}/{place}-{line.split()[0]}.txt"] = readable(out.getvalue())
        hashes = {}
        for path in sorted(p for p in Path().rglob("*") if p.is_file() and p not in before):
            before.add(path)
            name = path.as_posix()
            if READ.fullmatch(name):
                text = path.read_text(encoding="utf-8")
                seen[f"{job}/{name.replace('/', '-')}"] = readable(
                    words_of(text) if path.suffix == ".html" else text
                )
            elif HASHED.fullmatch(name):
                hashes[name] = content_hash(path)
        if hashes:
            seen[f"{job}/hashes.json"] = json.dumps(hashes, indent=1) + "\n"
    return seen


def content_hash(path):
    """The hash of what is learnt or predicted, without folder and manifest, which differ."""
    if path.suffix != ".safetensors":
        content = path.read_bytes().replace(os.getcwd().encode(), b"HERE")
        return hashlib.sha256(content).hexdigest()
    from safetensors.numpy import load_file

    digest = hashlib.sha256()
    for name, array in sorted(load_file(path).items()):
        if name == "manifest":
            continue
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def words_of(page):
    """The words of a page, an element a line, without pictures, styles and scripts."""
    page = re.sub(r"<(script|style|svg)\b.*?</\1>", "", page, flags=re.DOTALL)
    # A line that was broken in the source is none in a browser, unless the text is preformatted.
    parts = re.split(r"(<pre\b.*?</pre>)", page, flags=re.DOTALL)
    page = "".join(part if part.startswith("<pre") else " ".join(part.split()) for part in parts)
    page = re.sub(r"<[^>]+>", "\n", page)
    lines = (re.sub(r"\s+", " ", line).strip() for line in html.unescape(page).splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def readable(text):
    """Text without what differs from run to run."""
    text = text.replace(os.getcwd(), "HERE")
    for pattern, instead in CHANGES:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def record():
    """Write all of it into the folder of what is expected."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        seen = run(JOBS)
    KEPT.mkdir(exist_ok=True)
    for old in (p for p in KEPT.rglob("*") if p.is_file()):
        old.unlink()
    for name, text in seen.items():
        (KEPT / name).parent.mkdir(exist_ok=True)
        (KEPT / name).write_text(text, encoding="utf-8")
    (KEPT / "platform.json").write_text(json.dumps(here(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["MPLBACKEND"] = "Agg"
    os.environ["COLUMNS"] = "110"
    record()
