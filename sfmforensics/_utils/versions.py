"""Which versions a figure or a model stems from."""

from __future__ import annotations

import os
import platform
import sys
import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from sfmforensics.exceptions import ModelVersionWarning

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

PACKAGES = (
    *("sfmforensics", "numpy", "scipy", "pandas", "scikit-learn", "torch", "skorch", "POT"),
    *("transformers", "librosa", "soundfile", "soxr"),
)
"""The packages that figures depend on."""

_LIBRARIES = (*PACKAGES, "safetensors", "joblib", "speechbrain", "torchaudio")
_LIBRARIES += ("tensorflow", "tensorflow-hub")
_OF_MODELS = ("sfmforensics", "numpy", "scikit-learn", "torch", "POT")


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of packages.

    Parameters
    ----------
    packages : sequence of str
        As they are called on PyPI.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> sorted(versions(["torch", "none-such"]))
    ['none-such', 'python', 'torch']
    """
    return {"python": platform.python_version()} | {name: _version(name) for name in packages}


def library_versions() -> dict[str, str]:
    """Versions of all that vectors and answers may depend on, extras among them."""
    import soundfile

    return versions(_LIBRARIES) | {"libsndfile": soundfile.__libsndfile_version__}


def hardware() -> dict[str, Any]:
    """Say on what machine this runs."""
    torch: Any = sys.modules.get("torch")
    n_gpus = torch.cuda.device_count() if torch is not None and torch.cuda.is_available() else 0
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "accelerators": [torch.cuda.get_device_name(i) for i in range(n_gpus)],
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # no such file but on Linux
    return platform.processor()


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


class CarriesVersions:
    """A fitted estimator that knows what made it, in ``versions_``, and says so when loaded."""

    def _remember_versions(self) -> None:
        self.versions_ = versions(_OF_MODELS)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]  # of the estimator that is mixed in
        self._compare_versions()

    def _compare_versions(self) -> None:
        recorded = getattr(self, "versions_", {})
        if not recorded and any(name.endswith("_") and name[0] != "_" for name in vars(self)):
            warnings.warn(
                f"this {type(self).__name__} was fitted before models carried their versions, and "
                "may not answer; fit it again",
                ModelVersionWarning,
                stacklevel=3,
            )
        here = versions([name for name in recorded if name != "python"])
        differ = [
            f"{name} {recorded[name]} (here {here[name]})"
            for name in recorded
            if recorded[name] != here[name]
        ]
        if differ:
            warnings.warn(
                f"this {type(self).__name__} was fitted with {', '.join(differ)}; its answers may "
                "differ from those of its report: fit it again, or install these versions",
                ModelVersionWarning,
                stacklevel=3,
            )
