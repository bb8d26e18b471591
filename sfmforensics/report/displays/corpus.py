"""Who speaks in a corpus: ages and genders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.report._wording import UNITS, figure_text, natural_key
from sfmforensics.report.displays._axes import VERMILLION, YELLOW, Display, own_panels
from sfmforensics.report.displays.predictions import as_text
from sfmforensics.report.displays.scores import STYLES
from sfmforensics.targets import as_frame
from sfmforensics.targets._bands import with_middles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes
    from sklearn.utils import Bunch

    from sfmforensics.report.displays._axes import Panels

GENDER_STYLES = [
    *STYLES,
    {"facecolor": YELLOW, "hatch": "\\\\"},
    {"facecolor": VERMILLION, "hatch": "++"},
]
UNKNOWN = "not known"
MOST_BINS = 200
UNKNOWN_STYLE = {"facecolor": "0.85", "hatch": ""}


class CorpusDisplay(Display):
    """Distribution of age and gender over recordings and over speakers.

    Use `from_corpus` or `from_target` to make one.

    Parameters
    ----------
    recordings : DataFrame of shape (n_recordings, 1 or 2)
        ``age`` (years, float), ``gender`` (text), or both; missing where not known.
    speakers : DataFrame of shape (n_speakers, 1 or 2) or None, default=None
        The same columns, one row a speaker; None where speakers are not told apart.
    bin_width : float, default=5
        Years in a bin.
    name : str or None, default=None
        Name of the corpus, in the titles.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes of shape (1,) or (2,)
        Recordings, then speakers if they are known.
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    A bin holds its lower edge: with bins of 5 years, 20 to 24 for whole years. Where one speaker
    is filed under several ages or genders, the median age and the most frequent gender count;
    `sfmforensics describe` lists such speakers.

    References
    ----------
    .. [1] The paper, appendix, Figures 3 to 5.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sfmforensics.datasets import make_speech_corpus
    >>> display = CorpusDisplay.from_corpus(make_speech_corpus(6, 2, duration=0.3))
    >>> [ax.get_title() for ax in display.axes_]
    ['12 recordings', '6 speakers']
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        recordings: pd.DataFrame,
        speakers: pd.DataFrame | None = None,
        *,
        bin_width: float = 5,
        name: str | None = None,
    ) -> None:
        self.recordings = recordings
        self.speakers = speakers
        self.bin_width = bin_width
        self.name = name

    @classmethod
    def from_corpus(
        cls,
        corpus: Bunch,
        *,
        bin_width: float = 5,
        name: str | None = None,
        ax: Axes | Sequence[Axes] | Panels | None = None,
    ) -> Self:
        """Draw who speaks in a corpus.

        Parameters
        ----------
        corpus : sklearn.utils.Bunch
            As the loaders of `sfmforensics.datasets` give it. Its `groups` are the speakers if
            its target does not name them.
        bin_width, name, ax
            As in `from_target`.

        Returns
        -------
        CorpusDisplay

        Raises
        ------
        TargetError
            As in `from_target`.
        """
        target, groups = corpus.target, corpus.get("groups")
        if "speaker" not in target.columns and groups is not None:
            groups = pd.Series(groups, index=target.index, dtype=object)
            target = target.assign(speaker=groups.where(groups != ""))
        return cls.from_target(target, bin_width=bin_width, name=name, ax=ax)

    @classmethod
    def from_target(
        cls,
        target: pd.DataFrame,
        *,
        age: str = "age",
        gender: str = "gender",
        speaker: str = "speaker",
        bin_width: float = 5,
        name: str | None = None,
        ax: Axes | Sequence[Axes] | Panels | None = None,
    ) -> Self:
        """Draw whom targets describe.

        Parameters
        ----------
        target : DataFrame of shape (n_recordings, n_tasks)
            Targets. Ages or genders may be missing, for some recordings or as a column.
        age, gender, speaker : str
            Names of the columns.
        bin_width : float, default=5
            Years in a bin.
        name : str or None, default=None
            Name of the corpus, in the titles.
        [ax of each panel]

        Raises
        ------
        TargetError
            There is neither age nor gender, or an age is no number and there is no gender.
        ParameterError
            `bin_width` is not positive, or the axes are more or fewer than the panels.
        """
        target = with_middles(as_frame(target))
        if not bin_width > 0:
            raise ParameterError(f"bin_width is {bin_width!r}; use a number of years above 0")
        columns = {}
        if age in target:
            try:
                columns["age"] = _ages(target[age], age, bin_width)
            except TargetError:
                if gender not in target:
                    raise
        if gender in target:
            known = target[gender].notna()
            columns["gender"] = as_text(target[gender]).where(known, None)
        recordings = pd.DataFrame(columns)
        if not columns or recordings.isna().all(axis=None):
            column_names = ", ".join(map(repr, target.columns))
            raise TargetError(
                f"the targets hold no {age!r} and no {gender!r} to draw; they have {column_names}"
            )
        speakers = None
        if speaker in target and target[speaker].notna().any():
            speakers = recordings.groupby(target[speaker].to_numpy()).agg(
                dict.fromkeys(columns, _usual)
            )
        return cls(recordings, speakers, bin_width=bin_width, name=name).plot(ax)

    def plot(self, ax: Axes | Sequence[Axes] | Panels | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        [ax of each panel]
        """
        panels = {"recordings": self.recordings}
        if self.speakers is not None:
            panels["speakers"] = self.speakers
        axes = own_panels(ax, len(panels), (4.6 * len(panels), 3.6))
        for panel, (what, frame) in zip(axes, panels.items(), strict=True):
            draw = _draw_ages if "age" in frame else _draw_genders
            draw(panel, frame, self.bin_width)
            panel.set(ylabel=what)
            title = f"{len(frame):,} {what if len(frame) != 1 else what[:-1]}"
            panel.set_title(title if self.name is None else f"{figure_text(self.name)}: {title}")
            panel.yaxis.get_major_locator().set_params(integer=True)
            panel.spines[["top", "right"]].set_visible(False)
        self.axes_, self.figure_ = axes, axes[0].figure
        return self


def count_ages(frame: pd.DataFrame, bin_width: float = 5) -> pd.DataFrame:
    """Count rows by age and gender.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": [21.0, 24.0, 30.0, None], "gender": ["f", "m", "f", None]})
    >>> count_ages(frame)
    gender  f  m  not known
    age
    20.0    1  1          0
    25.0    0  0          0
    30.0    1  0          0
    NaN     0  0          1
    """
    bins = np.floor(frame["age"] / bin_width)
    genders = _genders(frame)
    known = bins.dropna()
    wanted = [] if known.empty else [*np.arange(known.min(), known.max() + 1)]
    # Text stands for the missing age, since crosstab leaves out what is missing.
    rows = bins.astype(object).where(bins.notna(), UNKNOWN)
    counts = pd.crosstab(rows, genders)
    wanted += [UNKNOWN] if UNKNOWN in counts.index else []
    counts = counts.reindex(index=wanted, columns=_in_order(genders), fill_value=0)
    edges = [np.nan if edge is UNKNOWN else edge * bin_width for edge in wanted]
    return counts.set_axis(pd.Index(edges, name="age", dtype=float)).rename_axis(columns="gender")


def _draw_ages(ax: Axes, frame: pd.DataFrame, bin_width: float) -> None:
    counts = count_ages(frame, bin_width)
    n_bins = int(np.sum(counts.index.notna()))
    places = np.arange(len(counts)) + np.where(counts.index.isna(), 1.0, 0.5)
    bottom = np.zeros(len(counts))
    for gender, style in _styled(counts.columns):
        one = counts[gender].to_numpy()
        label = f"{figure_text(gender, 16)} ({one.sum():,})" if "gender" in frame else None
        ax.bar(places, one, 1, bottom, edgecolor="black", linewidth=0.6, label=label, **style)
        bottom += one
    first = 0.0 if not n_bins else counts.index[0]
    step = -(-n_bins // 10)
    ticks = list(range(0, n_bins + 1, step or 1)) if n_bins else []
    labels = [f"{first + tick * bin_width:g}" for tick in ticks]
    if len(counts) > n_bins:
        ticks, labels = [*ticks, places[-1]], [*labels, "not\nknown"]
    ax.set_xticks(ticks, labels)
    ax.set_xlabel(f"age ({UNITS['age']}; bins of {bin_width:g})")
    _explain(ax, bottom.max(), counts.columns if "gender" in frame else [])


def _draw_genders(ax: Axes, frame: pd.DataFrame, _: float) -> None:
    counts = _genders(frame).value_counts()
    for place, (gender, style) in enumerate(_styled(_in_order(counts.index))):
        label = f"{figure_text(gender, 16)} ({counts[gender]:,})"
        ax.bar(place, counts[gender], 0.6, edgecolor="black", linewidth=0.6, label=label, **style)
    names = _in_order(counts.index)
    ax.set_xticks(range(len(names)), [figure_text(name, 12) for name in names])
    ax.set(xlabel="gender", xlim=(-0.6, len(names) - 0.4))
    _explain(ax, counts.max(), names)


def _explain(ax: Axes, highest: float, genders: Any) -> None:
    """Add the legend, and room for it above the bars."""
    n_rows = -(-len(genders) // 2)
    ax.set_ylim(0, (1.05 + 0.1 * n_rows) * highest)
    if n_rows:
        ax.legend(loc="upper center", ncols=2, frameon=False, fontsize=9)


def _genders(frame: pd.DataFrame) -> pd.Series:
    if "gender" not in frame:
        return pd.Series("", index=frame.index, dtype=object, name="gender")
    return frame["gender"].where(frame["gender"].notna(), UNKNOWN)


def _in_order(genders: Iterable[str]) -> list[str]:
    return sorted(set(genders), key=lambda gender: (gender == UNKNOWN, natural_key(gender)))


def _styled(genders: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, gender in enumerate(genders):
        known = GENDER_STYLES[place % len(GENDER_STYLES)]
        yield gender, UNKNOWN_STYLE if gender == UNKNOWN else known


def _usual(values: pd.Series) -> Any:
    """The median of the numbers, or the most frequent label; None where nothing is known."""
    if pd.api.types.is_float_dtype(values.dtype):
        return values.median()
    counts = values.value_counts().sort_index(kind="stable")
    return None if counts.empty else counts.idxmax()


def _ages(column: pd.Series, name: str, bin_width: float) -> pd.Series:
    try:
        ages = pd.to_numeric(column).astype(float)
    except (TypeError, ValueError) as error:
        raise TargetError(f"column {name!r} must hold years, but: {error}") from error
    if np.isinf(ages).any():
        raise TargetError(f"column {name!r} holds an infinite number; correct or blank it")
    if (ages.max() - ages.min()) / bin_width > MOST_BINS:
        raise TargetError(
            f"column {name!r} goes from {ages.min():g} to {ages.max():g} years, which no figure "
            "can show; correct what is no age"
        )
    return ages
