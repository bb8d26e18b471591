"""The command line, thin: what it does is in `sfmforensics.workflow` and the rooms before it."""

from __future__ import annotations

import logging
import os
import re
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

import sfmforensics
from sfmforensics._utils.log import event, logging_to
from sfmforensics._utils.outputs import anything, in_run
from sfmforensics._utils.paths import user_path
from sfmforensics._utils.streams import any_encoding
from sfmforensics.cli._cases import assess, compare, identify
from sfmforensics.cli._console import say, warnings_in_one_line
from sfmforensics.cli._corpus import describe, embed
from sfmforensics.cli._evaluate import cross, demo, evaluate, report, reproduce
from sfmforensics.cli._models import predict, train, verify
from sfmforensics.cli._options import LOG, guarded
from sfmforensics.exceptions import OutputError, SFMForensicsError

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Speaker, emotion, gender and age from voice recordings, evaluated honestly.",
)
for command in (
    *(demo, describe, embed, evaluate, cross, reproduce, train, predict),
    *(compare, identify, assess, report, verify),
):
    app.command()(guarded(command))

_INTERRUPTED = 130
_TILDE = re.compile(r"(--[a-z-]+=)?(\./~.*)", re.DOTALL)
_logger = logging.getLogger(__name__)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sfmforensics {sfmforensics.__version__}")
        raise typer.Exit


@app.callback()
def common(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; anywhere in a command.")
    ] = False,
    log: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Add what happens to this file, a JSON object a line; - is standard error; "
            "anywhere in a command.",
        ),
        LOG,
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Speaker, emotion, gender and age from voice recordings, evaluated honestly."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str or None, default=None
        What follows the command's name; of this process by default.

    Returns
    -------
    int
        0 on success, 1 if something was refused, 2 if the command was misspelt, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    rest, log = _without_log(arguments)
    debug = "--debug" in rest
    rest = [_not_at_home(argument) for argument in rest if argument != "--debug"]
    with ExitStack() as stack:
        stack.enter_context(any_encoding())
        try:
            stack.enter_context(logging_to(log))
            if log not in (None, "-"):
                file = {user_path(log): anything}
                stack.enter_context(in_run({"log": "--log"}, {"log": file}, {}))
        except OutputError as error:
            say(error)
            return 1
        event(_logger, "begun", arguments=arguments, version=sfmforensics.__version__)
        code = _run(rest, debug)
        event(_logger, "ended", code=code)
        return code


def _without_log(arguments: list[str]) -> tuple[list[str], str | None]:
    """Arguments without ``--log FILE``, wherever it stands, and the file."""
    for place, argument in enumerate(arguments):
        if argument == "--log" and place + 1 < len(arguments):
            return arguments[:place] + arguments[place + 2 :], arguments[place + 1]
        if argument.startswith("--log="):
            return arguments[:place] + arguments[place + 1 :], argument.removeprefix("--log=")
    return arguments, None


def _not_at_home(argument: str) -> str:
    """What is called ``./~`` stands for no home, and would without its first part."""
    parts = _TILDE.fullmatch(argument)
    return f"{parts[1] or ''}{os.path.abspath(parts[2])}" if parts else argument


def _run(arguments: list[str], debug: bool) -> int:
    try:
        with warnings_in_one_line():
            code = app(arguments, standalone_mode=False, obj=arguments) or 0
    except typer.Exit as leave:
        code = leave.exit_code
    except SFMForensicsError as error:
        _logger.error(str(error), exc_info=debug, extra=_kind(error))
        if debug:
            raise
        say(error)
        return 1
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # a misspelt command
            error.show()
            return error.exit_code
        _logger.error(str(error), exc_info=True, extra=_kind(error))
        if debug:
            raise
        say(f"{type(error).__name__}: {error} (--debug shows where)")
        return 1
    if code == _INTERRUPTED:  # which some releases of typer give as a code, not as an exception
        say("stopped; embeddings that were computed are in the cache")
    return code


def _kind(error: BaseException) -> dict[str, dict[str, str]]:
    return {"fields": {"error": type(error).__name__}}


def entry_point() -> None:
    """Run the command line as a process of its own."""
    sys.exit(main())
