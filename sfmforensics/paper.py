"""The published figures of the TANGO paper, to compare with."""

from __future__ import annotations

from importlib.resources import files
from itertools import combinations
from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.exceptions import DatasetError, ViewError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIGURES = {
    "asr_accuracy": ("speaker", "accuracy", 100),
    "ser_accuracy": ("emotion", "accuracy", 100),
    "gr_accuracy": ("gender", "accuracy", 100),
    "ae_rmse": ("age", "rmse", 1),
}
_PAIRS = ("mvmt-concat", "tango")
_ONE_SIDED = ("tango-x1-to-x2", "tango-x2-to-x1")
_OF_ALL = {1: ("svst",), 2: ("svmt",), 6: ()}
_OF_CORPUS = {
    "cremad": {3: _PAIRS, 7: _ONE_SIDED},
    "baved": {4: _PAIRS, 8: _ONE_SIDED},
    "emodb": {5: _PAIRS, 9: _ONE_SIDED},
}
BEST_OF = 6
"""Table 6 has no system of its own: of each, the best figures."""

_SETUPS = {"tango": ("tango",), "concat": ("mvmt-concat",), "single": ("svst", "svmt")}


def load_paper_results(
    *,
    dataset: str | None = None,
    setup: str | None = None,
    views: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Load what the paper reports.

    Parameters
    ----------
    dataset : {"baved", "emo-db", "crema-d"} or None, default=None
        Corpus; "emodb" and "cremad" will do. None is all.
    setup : str or None, default=None
        "svst" and "svmt" (one view; one task or all), "mvmt-concat" (two views, concatenated),
        "tango", and its one-sided forms "tango-x1-to-x2" and "tango-x2-to-x1". None is all.
    views : str or sequence of str, or None, default=None
        The one view, or both in any order, by their names in the registry (``"x-vector"``).
        None is all.

    Returns
    -------
    DataFrame of shape (n_rows, 9)
        ``table`` of the paper, ``dataset``, ``setup``, ``view_1`` and ``view_2`` (x1 and x2 of
        the paper; ``view_2`` is missing where there is one), ``asr_accuracy``, ``ser_accuracy``
        and ``gr_accuracy`` in percent, and ``ae_rmse`` in years. 486 rows in all.

    Raises
    ------
    DatasetError
        The paper has no such corpus or setup.
    ViewError
        The paper has no such view.

    Notes
    -----
    The one-sided setups depend on which view is x1: see ``view_1``, not the order of ``views``.

    References
    ----------
    The paper's Tables 1 (svst), 2 (svmt), 3 to 5 (mvmt-concat, tango) and 7 to 9 (one-sided).

    Examples
    --------
    >>> best = load_paper_results(dataset="baved", setup="tango", views=["trillsson", "x-vector"])
    >>> best[["view_1", "asr_accuracy", "ser_accuracy", "gr_accuracy", "ae_rmse"]]
         view_1  asr_accuracy  ser_accuracy  gr_accuracy  ae_rmse
    0  x-vector         91.99          87.6        100.0     1.44
    """
    with files("sfmforensics").joinpath("paper_results.csv").open(encoding="utf-8") as table:
        results = pd.read_csv(table)
    keep = pd.Series(True, index=results.index)
    for column, wanted in (("dataset", dataset), ("setup", setup)):
        if wanted is not None:
            plain = results[column].map(_plain)
            if _plain(wanted) not in set(plain):
                choices = ", ".join(results[column].unique())
                raise DatasetError(f"the paper has no {column} {wanted!r}; there are {choices}")
            keep &= plain == _plain(wanted)
    if views is not None:
        named, wanted = _views_of(results), _in_order(views)
        known = {view for pair in named for view in pair}
        if unknown := set(wanted) - known:
            raise ViewError(
                f"the paper has no view {', '.join(sorted(unknown))}; there are "
                f"{', '.join(sorted(known))}"
            )
        keep &= named.map(wanted.__eq__)
    return results[keep].reset_index(drop=True)


def paper_rows(corpus_name: str, views: str | Sequence[str], model: str) -> pd.DataFrame:
    """Give the published figures that one of our evaluations can be held against.

    Parameters
    ----------
    corpus_name : str
        Name of the corpus: "baved", "emodb", "cremad", or any other.
    views : str or sequence of str
        Names of the views, in any order.
    model : str
        "tango" (transport in both directions), "concat", "single", or any other.

    Returns
    -------
    DataFrame of shape (n_figures, 8)
        ``task`` ("speaker", "emotion", "gender", "age"), ``metric`` ("accuracy", "rmse"),
        ``value``, and ``table``, ``dataset``, ``setup``, ``view_1``, ``view_2``. Accuracy is a
        share (0 to 1) and rmse is positive, in years, as in `sfmforensics.metrics.METRICS`. No
        rows where the paper reports nothing: another corpus, model, view or number of views.

    Notes
    -----
    "single" gives two setups: "svst" was trained for one task, "svmt" for all four at once.
    The paper's protocol is the closed one: every speaker is in train and test.

    References
    ----------
    The paper's Tables 1 to 5.

    Examples
    --------
    >>> paper_rows("emodb", ["x-vector", "trillsson"], "tango")[["task", "metric", "value"]]
          task    metric   value
    0  speaker  accuracy  0.9953
    1  emotion  accuracy  1.0000
    2   gender  accuracy  1.0000
    3      age      rmse  1.3800
    """
    figures = paper_figures(corpus_name)
    keep = figures["setup"].isin(_SETUPS.get(model, ()))
    keep &= _views_of(figures).map(_in_order(views).__eq__)
    return figures[keep].reset_index(drop=True)


def paper_figures(corpus_name: str) -> pd.DataFrame:
    """Give all published figures of a corpus, one a row.

    Parameters
    ----------
    corpus_name : str
        As in `paper_rows`.

    Returns
    -------
    DataFrame of shape (n_figures, 8)
        As in `paper_rows`; "view_2" is empty where there is one view.

    Examples
    --------
    >>> len(paper_figures("baved"))
    648
    """
    results = load_paper_results()
    results = results[results["dataset"].map(_plain) == _plain(corpus_name)]
    described = ["table", "dataset", "setup", "view_1", "view_2"]
    rows = [
        # As many decimals as are published; dividing leaves more.
        {"task": task, "metric": metric, "value": round(row[column] / divisor, 4)}
        | {name: row[name] for name in described}
        for row in results.fillna({"view_2": ""}).to_dict("records")
        for column, (task, metric, divisor) in _FIGURES.items()
    ]
    return pd.DataFrame(rows, columns=["task", "metric", "value", *described])


def paper_tables(corpus_name: str) -> dict[int, tuple[str, ...]]:
    """Give the tables that tell of a corpus, and the systems in each.

    Parameters
    ----------
    corpus_name : str
        Name of the corpus. Of one that the paper does not have, the tables are numbered as those of
        BAVED.

    Returns
    -------
    dict of int to tuple of str
        By number, in order: the names of the systems, as in `load_paper_results`. Table 6, the best
        of each system, has none of its own.

    Examples
    --------
    >>> list(paper_tables("emodb"))
    [1, 2, 5, 6, 9]
    >>> paper_tables("baved")[4]
    ('mvmt-concat', 'tango')
    """
    own = _OF_CORPUS.get(_plain(corpus_name), _OF_CORPUS["baved"])
    return dict(sorted((_OF_ALL | own).items()))


def plan_rows(
    corpus_name: str, views: Sequence[str], tables: Sequence[int] | None = None
) -> list[tuple[int, str, tuple[str, ...]]]:
    """List the rows of the paper's tables that views allow.

    Parameters
    ----------
    corpus_name : str
        Name of the corpus.
    views : sequence of str
        Names of the views that there are.
    tables : sequence of int or None, default=None
        Numbers of tables; by default all that tell of the corpus. Table 6 needs all others.

    Returns
    -------
    list of (int, str, tuple of str)
        Number of the table, name of the system, and its views: x1 and x2 as the paper has them, or
        in the order given where it has no such pair.

    Raises
    ------
    DatasetError
        There is no such table of this corpus.
    ViewError
        None of the tables can be filled: pairs need two views.

    Examples
    --------
    >>> for row in plan_rows("baved", ["mfcc", "whisper"], [2, 4]):
    ...     print(row)
    (2, 'svmt', ('mfcc',))
    (2, 'svmt', ('whisper',))
    (4, 'mvmt-concat', ('whisper', 'mfcc'))
    (4, 'tango', ('whisper', 'mfcc'))
    """
    known = paper_tables(corpus_name)
    numbers = list(known) if tables is None else list(dict.fromkeys(tables))
    for number in numbers:
        if number not in known:
            raise DatasetError(
                f"the paper's table {number} does not tell of {corpus_name}; there are "
                f"{', '.join(map(str, known))}"
            )
    if BEST_OF in numbers:
        numbers = list(known)
    results = load_paper_results()
    ordered = {
        frozenset(pair): pair for pair in zip(results["view_1"], results["view_2"], strict=True)
    }
    both = combinations(dict.fromkeys(views), 2)
    pairs: list[tuple[str, ...]] = [ordered.get(frozenset(pair), pair) for pair in both]
    rows: list[tuple[int, str, tuple[str, ...]]] = []
    for number in numbers:
        for setup in known[number]:
            of = [(view,) for view in dict.fromkeys(views)] if setup in ("svst", "svmt") else pairs
            rows += [(number, setup, chosen) for chosen in of]
    if not rows:
        raise ViewError(
            f"tables {', '.join(map(str, numbers))} are of pairs of views, but only "
            f"{', '.join(views)} was given; add another (--views mfcc,prosody), or a table of "
            "single views (--tables 1,2)"
        )
    return rows


def _plain(name: object) -> str:
    return str(name).lower().replace("-", "").replace("_", "")


def _in_order(views: str | Sequence[str]) -> list[str]:
    return sorted(view.lower() for view in ([views] if isinstance(views, str) else views))


def _views_of(results: pd.DataFrame) -> pd.Series:
    pairs = results[["view_1", "view_2"]].itertuples(index=False)
    return pd.Series([sorted(v for v in pair if isinstance(v, str) and v) for pair in pairs])


def paper_rows_of(scores: pd.DataFrame, corpus_name: str) -> pd.DataFrame:
    """Find the published figures for every model and every views of a table of scores.

    Parameters
    ----------
    scores : DataFrame
        Columns "model" and "views" ("mfcc+whisper"), as `evaluate` writes them.
    corpus_name : str
        As in `paper_rows`.

    Returns
    -------
    DataFrame
        The rows of `paper_rows`, with the columns "model" and "views" of the scores besides.

    Examples
    --------
    >>> scores = pd.DataFrame({"model": ["tango", "svm"], "views": ["mfcc+whisper"] * 2})
    >>> paper_rows_of(scores, "baved")[["model", "views", "task", "value"]].head(2)
       model         views     task   value
    0  tango  mfcc+whisper  speaker  0.8307
    1  tango  mfcc+whisper  emotion  0.6951
    """
    parts = [
        paper_rows(corpus_name, views.split("+"), model).assign(model=model, views=views)
        for model, views in scores[["model", "views"]].drop_duplicates().itertuples(index=False)
    ]
    filled = [rows for rows in parts if not rows.empty]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]
