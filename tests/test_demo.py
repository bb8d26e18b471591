import io

import pandas as pd
from rich.console import Console

from sfmforensics import read_model
from sfmforensics.cli._demo import run_demo


def test_the_demo_does_the_whole_job_and_says_where_things_are(tmp_path):
    said = io.StringIO()
    answers = run_demo(tmp_path / "demo", console=Console(file=said, width=100))
    folder = tmp_path / "demo"
    scores = pd.read_csv(folder / "scores.csv")
    assert set(scores.model) == {"tango", "concat", "svm"}
    assert set(scores.protocol) == {"closed", "disjoint"}
    closed = scores[(scores.protocol == "closed") & (scores.model == "tango")]
    means = closed[closed.metric.isin(["accuracy", "rmse"])].groupby("task").value.mean()
    # Chance: 1 of 12 speakers, 1 of 4 emotions, 1 of 2 genders.
    assert means["speaker"] > 0.5
    assert means["emotion"] > 0.5
    assert means["gender"] > 0.8
    assert len(answers) == 24
    assert (folder / "report.html").stat().st_size > 100_000
    model = read_model(folder / "tango.safetensors")
    recording = next((folder / "recordings").rglob("*.wav"))
    assert model.predict([str(recording)]).shape == (1, 4)
    text = said.getvalue()
    for name in ("scores.csv", "report.html", "tango.safetensors", "sfmforensics predict"):
        assert name in text
