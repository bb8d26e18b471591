"""The words of the page: what was measured, how it was split, with which settings."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sfmforensics.report._markup import details, join, table, tag
from sfmforensics.report._wording import in_order, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from sfmforensics.report._markup import Markup
    from sfmforensics.results import Run


WORDS = {
    "speaker": "who speaks (ASR)",
    "emotion": "with which emotion (SER)",
    "gender": "of which gender (GR)",
    "age": "at what age (AE)",
}

MEANING = {
    "closed": (
        "Every speaker is heard in training and again in the test, in other recordings, as in the "
        "paper. Gender and age never change within a speaker, so a model that merely recognises "
        "the speaker knows both: under closed these scores largely measure memory of speakers."
    ),
    "disjoint": (
        "All recordings of a speaker are on one side, so the test voices were never heard. These "
        "scores say what to expect of a stranger. Speaker recognition is not defined here: "
        "nobody can name a voice that they never heard. What can be measured is whether two "
        "recordings of strangers are told apart (equal error rate, EER)."
    ),
}

MISSING = {
    "closed": "Only strangers were tested; speaker recognition needs closed.",
    "disjoint": (
        "Voices never heard were not tested. Run again with --protocol both before you rely on "
        "gender or age for a new speaker."
    ),
}

SETTINGS = {
    "corpus": "corpus",
    "root": "folder of the corpus",
    "recordings": "recordings",
    "speakers": "speakers",
    "tasks": "tasks",
    "views": "views",
    "models": "models",
    "specs": "where the views come from",
    "preset": "preset",
    "protocols": "protocols",
    "folds": "folds",
    "repeats": "repeats of the folds",
    "splits": "fits by protocol",
    "seed": "seed",
    "created": "created",
    "seconds": "seconds",
}
ELSEWHERE = ("audit", "command", "versions", "figures", "predictions", "parameters", "chosen")


def overview(run: Run) -> Markup:
    """Say in plain words what was measured and how to read it."""
    config, scores = run.config, run.scores
    tasks = [WORDS.get(task, task) for task in dict.fromkeys([*_keys(config), *scores["task"]])]
    protocols = in_order(scores["protocol"])
    measured = (
        f"{_count(config, 'recordings')} recordings of {_count(config, 'speakers')} speakers were "
        f"turned into vectors by {_and(config.get('views'))}. From these, "
        f"{_and(list(dict.fromkeys(scores['model'])))} learnt to tell: {', '.join(tasks)}."
    )
    reading = (
        "In each fold the models were tested on recordings that they had not learnt from. "
        "Percentages are recordings answered correctly; years (or rmse) are the root of the mean "
        "squared error, so less is better. A ± B is the mean and the standard deviation over the "
        f"{scores['fold'].nunique()} folds."
    )
    if scores["fold"].nunique() == 1:
        reading = reading.replace(
            "A ± B is the mean and the standard deviation over the 1 folds.",
            "There is one fold only, so nothing can be said about the spread.",
        )
    meanings = [
        tag("p", tag("strong", name), ": ", MEANING[name]) for name in protocols if name in MEANING
    ]
    absent = [MISSING[name] for name in MISSING if name not in protocols]
    return join(
        [
            tag("p", measured),
            tag("p", reading),
            tag("div", *meanings, class_="note"),
            *(tag("p", text) for text in absent),
        ]
    )


def audit(config: Mapping[str, Any]) -> Markup:
    """Say what stood in the way of an honest split, and what was done about it."""
    found = config.get("audit")
    if not isinstance(found, dict) or not found:
        return tag("p", "config.json has no audit of the split.")
    known: dict[str, Callable[[Any], str]] = {
        "copies": _copies,
        "aliases": _aliases,
        "left_out": lambda number: (
            f"Recordings left out of disjoint, because their speaker is not known: {number}."
        ),
        "shared_copies": lambda counts: (
            f"Test recordings whose copy was in training: {plain(counts)}."
        ),
    }
    sentences = [
        known[key](value) if key in known else f"{key}: {plain(value)}"
        for key, value in found.items()
        if key != "findings"
    ]
    built = tag("ul", *(tag("li", sentence) for sentence in sentences))
    findings = found.get("findings")
    if not isinstance(findings, list):
        return built
    if not findings:
        return join([built, tag("p", "Nothing else was found in the corpus to be known.")])
    told = ("severity", "finding", "what", "why", "remedy")
    findings = [one for one in findings if isinstance(one, dict)]
    rows = [[plain(one.get(name, "")) for name in told] for one in findings]
    header = ("severity", "finding", "what was found", "why it matters", "what to do")
    return join([built, _wrapped(header, rows, "Findings about the corpus")])


def settings(config: Mapping[str, Any]) -> Markup:
    """List how the run was set up, and with which versions."""
    others = [key for key in config if key not in SETTINGS and key not in ELSEWHERE]
    names = [key for key in SETTINGS if key in config] + others
    rows = [(SETTINGS.get(key, key), plain(config[key])) for key in names]
    built = [_wrapped(("setting", "value"), rows, "Settings"), *_parameters(config)]
    versions = config.get("versions")
    if isinstance(versions, dict) and versions:
        rows = [(name, plain(version)) for name, version in versions.items()]
        built.append(_wrapped(("package", "version"), rows, "Versions"))
    return join(built)


def _parameters(config: Mapping[str, Any]) -> Iterator[Markup]:
    """Parameters of the models side by side, and what a search chose in each fold."""
    found = config.get("parameters")
    if isinstance(found, dict) and all(isinstance(one, dict) for one in found.values()) and found:
        names = sorted({name for one in found.values() for name in one})
        rows = [
            (name, *("" if name not in one else _setting(one[name]) for one in found.values()))
            for name in names
        ]
        header = ("parameter", *found)
        yield details("Parameters of the models", _wrapped(header, rows, "Parameters"))
    chosen = config.get("chosen")
    if isinstance(chosen, list) and chosen:
        header = ("model", "protocol", "fold", "parameter", "value")
        rows = [[plain(o.get(name)) for name in header] for o in chosen if isinstance(o, dict)]
        title = "What the search chose inside each training side"
        yield details(title, _wrapped(header, rows, title))


def _setting(value: object) -> str:
    return "none" if value is None else plain(value)


def command(config: Mapping[str, Any]) -> Markup:
    """Show the command that repeats the run."""
    given = config.get("command")
    if not given:
        return tag("p", "config.json has no command.")
    text = shlex.join(map(str, given)) if isinstance(given, list) else str(given)
    return tag("pre", tag("code", text), tabindex="0")


def _copies(number: object) -> str:
    return (
        f"Recordings that are copies of another recording: {number}. Copies belong on one side of "
        "every split."
    )


def _aliases(groups: Any) -> str:
    if not groups:
        return "No two speakers share a recording."
    groups = groups if isinstance(groups, list) else [groups]
    named = "; ".join(
        " and ".join(map(str, group)) if isinstance(group, (list, tuple)) else str(group)
        for group in groups
    )
    return f"Speakers who share a recording, and count as one voice under disjoint: {named}."


def _and(names: Any) -> str:
    """Write names as in a sentence."""
    if not isinstance(names, (list, tuple)) or len(names) < 2:
        return plain(names)
    return f"{plain(names[:-1])} and {plain(names[-1])}"


def _keys(config: Mapping[str, Any]) -> list[Any]:
    tasks = config.get("tasks")
    return list(tasks) if isinstance(tasks, (dict, list)) else []


def _count(config: Mapping[str, Any], key: str) -> str:
    number = config.get(key)
    return f"{number:,}" if isinstance(number, int) else plain(number)


def _wrapped(header: Sequence[str], rows: Iterable[Any], caption: str) -> Markup:
    return tag("div", table(header, rows, caption, text_columns=header), class_="wrap")
