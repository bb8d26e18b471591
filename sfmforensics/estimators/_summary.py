"""How fitted models show themselves in a notebook: scikit-learn's diagram, and what was learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfmforensics._utils.names import name_few

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, TypeAlias

    Rows: TypeAlias = Sequence[tuple[str, ...]]

_MOST_NAMED = 8


class ShowsFit:
    """Mixed in before `BaseEstimator`; a class says what it has learnt by `_tasks_and_facts`."""

    def _tasks_and_facts(self) -> tuple[Rows, Rows]:
        """Rows of tasks (name, kind, answers), and of other facts (name, value); none unfitted."""
        raise NotImplementedError

    def _repr_html_inner(self) -> str:
        from sfmforensics._utils.pages import templates

        diagram: str = super()._repr_html_inner()  # type: ignore[misc]  # of BaseEstimator
        tasks, facts = map(list, self._tasks_and_facts())
        if not tasks and not facts:
            return diagram
        page = templates("estimators").get_template("model.html")
        return diagram + page.render(tasks=tasks, facts=facts)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        shown: dict[str, str] = super()._repr_mimebundle_(**options)  # type: ignore[misc]
        if "text/html" in shown:
            shown["text/html"] = self._repr_html_inner()
        return shown


def task_rows(
    tasks: Mapping[Any, str], classes: Iterable[Iterable[Any]]
) -> list[tuple[str, str, str]]:
    """Name tasks, their kinds, and the classes of those that have any.

    Examples
    --------
    >>> task_rows({"sex": "classification", "age": "regression"}, [["f", "m"]])
    [('sex', 'classification', '2: f, m'), ('age', 'regression', 'a number')]
    """
    labels = iter(classes)
    rows = []
    for task, kind in tasks.items():
        answers = "a number"
        if kind == "classification":
            known = list(next(labels))
            answers = f"{len(known):,}: {name_few(known, _MOST_NAMED)}"
        rows.append((str(task), kind, answers))
    return rows
