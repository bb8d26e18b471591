"""The command line, thin: what it does is in `sfmforensics.workflow` and the rooms before it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

import sfmforensics
from sfmforensics._console import say, warnings_in_one_line
from sfmforensics.cli._corpus import describe, embed
from sfmforensics.cli._evaluate import demo, evaluate, report, reproduce
from sfmforensics.cli._models import predict, train
from sfmforensics.exceptions import SFMForensicsError

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Speaker, emotion, gender and age from voice recordings, evaluated honestly.",
)
for command in (demo, describe, embed, evaluate, reproduce, train, predict, report):
    app.command()(command)

_INTERRUPTED = 130


def _version(asked: bool) -> None:
    if asked:
        print(f"sfmforensics {sfmforensics.__version__}")
        raise typer.Exit


@app.callback()
def common(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; anywhere in a command.")
    ] = False,
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
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        with warnings_in_one_line():
            code = app(arguments, standalone_mode=False, obj=arguments) or 0
    except typer.Exit as leave:
        code = leave.exit_code
    except SFMForensicsError as error:
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
        if debug:
            raise
        say(f"{type(error).__name__}: {error} (--debug shows where)")
        return 1
    if code == _INTERRUPTED:  # which some releases of typer give as a code, not as an exception
        say("stopped; embeddings that were computed are in the cache")
    return code


def entry_point() -> None:
    """Run the command line as a process of its own."""
    sys.exit(main())
