"""kill -9 at random moments: the next run goes on, and ends with the same bytes."""

import json
import random
import re
import shutil

import pytest
from safetensors import safe_open

from sfmforensics._utils.store import _checksum

KILLS = 20
VIEWS = ["--views", "mfcc,prosody", "--cache", "cache"]
QUICK = ["--folds", "2", "--epochs", "1", "--protocol", "closed"]
COMMANDS = {
    "embed": ["embed", "--output", "out"],
    "evaluate": ["evaluate", "--model", "tango,svm", "--output", "out", *QUICK],
    "reproduce": ["reproduce", "--tables", "1,2", "--preset", "tuned", "--output", "out", *QUICK],
}


def content(folder):
    """Every file by its name, without what tells the time; hidden ones are not there to be read."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or path.name.startswith("."):
            continue
        if path.name == "manifest.json":
            told = json.loads(path.read_text())
            for key in ("started", "finished", "sha256"):
                del told[key]
            told["results"].pop("config.json", None)
            told["results"].pop("reproduction.md", None)
            found[name] = told
        elif path.name == "config.json":
            told = json.loads(path.read_text())
            found[name] = {k: v for k, v in told.items() if k not in ("created", "seconds", "rows")}
        elif path.parent.name == "folds":  # a model's history has the seconds of each epoch
            found[name] = fold(path)
        elif path.name == "reproduction.md":  # which has the day in it
            found[name] = re.sub(r"\d{4}-\d\d-\d\d", "", path.read_text())
        else:
            found[name] = path.read_bytes()
    return found


def fold(path):
    """A fold that is done, checked against its checksum, or its model, without times."""
    if path.suffix == ".json":
        kept = json.loads(path.read_text())
        assert _checksum(kept["key"], kept["content"]) == kept["sha256"]
        return [pair for pair in kept["content"]["dict"] if pair[0] != "model"]
    with safe_open(path, "np") as opened:
        tensors = {name: opened.get_tensor(name).tobytes() for name in opened.keys()}  # noqa: SIM118
        text = opened.metadata()["model"].partition(" ")[2]
    return tensors, re.sub(r'\["seconds", [^]]*\]', "", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(
    command, run, table, tmp_path
):
    name, *options = COMMANDS[command]
    arguments = [name, "--corpus", "manifest", "--root", table, *VIEWS, *options]
    whole = run(arguments, tmp_path)
    assert whole["code"] == 0, whole["said"]
    expected = content(tmp_path)
    assert len(expected) > 20
    rng, kills, restarts = random.Random(command), 0, 0
    while kills < KILLS:
        if rng.random() < 0.5:
            found = run(arguments, tmp_path, events=rng.randint(1, whole["events"]))
        else:
            found = run(arguments, tmp_path, seconds=rng.uniform(0.01, whole["seconds"]))
        now = content(tmp_path)
        # Whatever can be seen is whole, and is what an undisturbed run writes.
        assert {file: now[file] == expected.get(file) for file in now} == dict.fromkeys(now, True)
        if found["killed"]:
            kills += 1
            continue
        assert found["code"] == 0, found["said"]
        assert now == expected
        restarts += 1
        for folder in ("cache", "out"):
            shutil.rmtree(tmp_path / folder, ignore_errors=True)
    found = run(arguments, tmp_path)
    assert found["code"] == 0, found["said"]
    assert content(tmp_path) == expected
    assert not list(tmp_path.rglob(".*.part")), "a run removes what the killed left behind"


def test_what_was_done_before_a_kill_is_not_done_again(run, table, tmp_path):
    name, *options = COMMANDS["evaluate"]
    arguments = [name, "--corpus", "manifest", "--root", table, *VIEWS, *options]
    arguments += ["--log", "log.jsonl"]
    whole = run(arguments, tmp_path)
    assert whole["code"] == 0, whole["said"]
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "log.jsonl").unlink()
    found = run(arguments, tmp_path, events=9, root=tmp_path / "out" / "folds")
    assert found["killed"]
    folds = list((tmp_path / "out").glob("folds/*.json"))
    done = {path.name for path in folds}
    (tmp_path / "log.jsonl").unlink()
    assert run(arguments, tmp_path)["code"] == 0
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    told = [line["event"] for line in log]
    assert told.count("fold kept from before") == len(done) > 0
    assert told.count("fold kept from before") + told.count("fold computed") == 4
