"""The log: silent unless somebody listens; one JSON object a line on request."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sfmforensics._utils.paths import user_path
from sfmforensics.exceptions import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sfmforensics._types import PathLike

ROOT = "sfmforensics"
_FIELDS = ("time", "level", "module", "event")
_LONGEST = 2**20


def event(logger: logging.Logger, text: str, level: int = logging.INFO, **fields: object) -> None:
    """Log what happened, with the facts of it by name."""
    if logger.isEnabledFor(level):
        logger.log(level, text, extra={"fields": fields})


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, module, event, and the facts of the event.

    Examples
    --------
    >>> record = logging.makeLogRecord({"name": "sfmforensics", "msg": "refused", "created": 0})
    >>> print(JsonLines().format(record))
    {"time": "1970-01-01T00:00:00+00:00", "level": "NOTSET", "module": "sfmforensics",
    "event": "refused"}
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as JSON; what is not ASCII is escaped, so that nothing breaks a line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname if record.levelno else "NOTSET",
            "module": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _is_log(path: Path) -> bool:
    """Whether nothing is in a file, or its first line is one that `JsonLines` wrote."""
    try:
        with open(path, "rb") as file:
            line = file.readline(_LONGEST)
        fields = json.loads(line) if line else _FIELDS
        return set(_FIELDS) <= set(fields)
    except (OSError, ValueError, RecursionError, TypeError):
        return False


@contextmanager
def logging_to(path: PathLike | None) -> Iterator[None]:
    """Write the package's log to a file while a block runs.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "log.jsonl"
    >>> with logging_to(path):
    ...     event(logging.getLogger("sfmforensics.cli._demo"), "counted", recordings=3)
    >>> json.loads(path.read_text())["recordings"]
    3
    """
    if path is None:
        yield
        return
    if str(path) != "-":
        path = user_path(path)
        if path.is_file() and not _is_log(path):
            raise OutputError(
                f"{path}: it is no log of sfmforensics, so that no lines are added to "
                "it; name another file for --log"
            )
    try:
        handler = (
            logging.StreamHandler(sys.stderr)
            if str(path) == "-"
            else logging.FileHandler(path, encoding="utf-8")
        )
    except OSError as error:
        raise OutputError(error.errno, error.strerror, str(path)) from error
    handler.setFormatter(JsonLines())
    logger = logging.getLogger(ROOT)
    before = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()
