"""Errors and warnings of the package.

Every error says what was found, what was expected and what to do; the command line prints it as one
line and exits with 1.
"""

_MOST_SHOWN = 80


def shown(value: object) -> str:
    r"""Give a value as an error message shows it: on one line, and not endlessly.

    Parameters
    ----------
    value : object
        What was found, such as a cell of a table.

    Returns
    -------
    str
        Its representation, in which control characters are escaped: what a stranger wrote into a
        table does not steer the terminal. Beyond 80 characters the middle is left out.

    Examples
    --------
    >>> print(shown("thirty\n"), shown("x" * 1000)[-12:])
    'thirty\n' ...xxxxxxxx'
    """
    text = repr(value)
    if len(text) > _MOST_SHOWN:
        text = f"{text[: _MOST_SHOWN - 20]}...{text[-9:]}"
    return text


class SFMForensicsError(Exception):
    """Base of every error that the package raises on its own account."""


class AudioError(SFMForensicsError, ValueError):
    """A recording cannot be used: missing, not audio, empty, silent, not finite or too short.

    Parameters
    ----------
    source : str
        The recording: its path, or how it was handed in.
    found : str
        What is wrong with it.
    remedy : str
        What the user can do about it.

    Examples
    --------
    >>> print(AudioError("a.wav", "it holds no samples", "record it again"))
    a.wav: it holds no samples; record it again
    """

    def __init__(self, source: object, found: str, remedy: str) -> None:
        super().__init__(source, found, remedy)
        self.source, self.found, self.remedy = str(source), found, remedy

    def __str__(self) -> str:
        return f"{self.source}: {self.found}; {self.remedy}"


class DatasetError(SFMForensicsError, ValueError):
    """A corpus cannot be loaded: no root, an unexpected layout, a missing column."""


class EmbedderError(SFMForensicsError, ValueError):
    """An embedder cannot be built or run: unknown name, missing weights, wrong architecture."""


class MissingExtraError(SFMForensicsError, ImportError):
    """An optional dependency is not installed.

    Parameters
    ----------
    package : str
        The package that could not be imported.
    extra : str
        The extra of sfmforensics that brings it.

    Examples
    --------
    >>> print(MissingExtraError("speechbrain", "xvector"))
    speechbrain is not installed; run: pip install "sfmforensics[xvector]"
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)
        self.package, self.extra = package, extra

    def __str__(self) -> str:
        return f'{self.package} is not installed; run: pip install "sfmforensics[{self.extra}]"'


class ModelFileError(SFMForensicsError, ValueError):
    """A model cannot be saved or read: damaged, changed, of another kind, or not to be trusted."""


class CustodyError(SFMForensicsError, ValueError):
    """Results cannot be traced: no manifest, a damaged one, or recordings that changed."""


class OutputError(SFMForensicsError, OSError):
    """Results cannot be written: the disk is full, or something would be lost that must not be.

    Parameters
    ----------
    errno : int or str
        As in OSError; or alone, and in words, what was found and what to do.
    strerror : str
        What the system says.
    filename : str
        The file that was to be written.

    Examples
    --------
    >>> print(OutputError(28, "No space left on device", "results/scores.csv"))
    results/scores.csv: it cannot be written (No space left on device); make room or choose another
    folder, and run again: what was computed and could be kept is not computed again
    >>> print(OutputError("Q.wav: --manifest would write over it, but FILE... reads it"))
    Q.wav: --manifest would write over it, but FILE... reads it
    """

    def __str__(self) -> str:
        if self.errno is None:
            return str(self.args[0])
        return (
            f"{self.filename}: it cannot be written ({self.strerror}); make room or choose another "
            "folder, and run again: what was computed and could be kept is not computed again"
        )


class ParameterError(SFMForensicsError, ValueError):
    """A parameter of an estimator or a figure is out of range, or does not go with another."""


class ReportError(SFMForensicsError, ValueError):
    """Results cannot be reported: a file or column is missing, or there is nothing to show."""


class TargetError(SFMForensicsError, ValueError):
    """The targets cannot be learnt or compared: unknown column, no labels, wrong kind."""


class TrainingError(SFMForensicsError, RuntimeError):
    """A model could not be trained: its loss is no longer finite."""


class ViewError(SFMForensicsError, ValueError):
    """The views cannot be made or found in the columns of the data."""


class SFMForensicsWarning(UserWarning):
    """Base of every warning of the package."""


class AudioWarning(SFMForensicsWarning):
    """Not all of a recording is heard: its end is missing, or one of its channels was taken."""


class EvidenceWarning(SFMForensicsWarning):
    """The calibration data cannot carry what was asked; the message says what they can."""


class MetricWarning(SFMForensicsWarning):
    """A measure is not defined for what was given, and is NaN; the message says why."""


class DatasetWarning(SFMForensicsWarning):
    """Files or labels of a corpus were left out; the message names them."""


class CacheWarning(SFMForensicsWarning):
    """A cache entry was damaged, or the cache could not be written; the vector was recomputed."""


class PackageWarning(SFMForensicsWarning):
    """Another package brings something that cannot be used; the message says what, and why."""


class ReportWarning(SFMForensicsWarning):
    """A part of a report cannot be made; the rest is there."""


class SplitWarning(SFMForensicsWarning):
    """A split could not be made quite as asked; the message says what was done instead."""


class ModelVersionWarning(SFMForensicsWarning):
    """A model was fitted with other versions of the packages that its answers depend on."""
