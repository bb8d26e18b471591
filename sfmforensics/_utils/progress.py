"""One bar for everything that takes more than two seconds."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfmforensics._types import Advance


@contextmanager
def progress(title: str, total: int, shown: bool = True) -> Iterator[Advance]:
    """Show a bar on standard error, with the rate and the time left.

    Examples
    --------
    >>> with progress("counting", 3, shown=False) as advance:
    ...     advance(3)
    """
    if not shown:
        yield lambda steps, note="": None
        return
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.fields[rate]}"),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("left"),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, rate="")

        def advance(steps: int, note: str = "") -> None:
            bar.advance(task, steps)
            speed = bar.tasks[task].speed
            bar.update(
                task,
                description=f"{title} ({note})" if note else title,
                rate=f"{speed:.1f}/s" if speed and speed >= 0.1 else "",
            )

        yield advance
