"""What other packages add to a table of this one: entry points, read when they are asked for."""

from __future__ import annotations

import warnings
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from sfmforensics.exceptions import PackageWarning, SFMForensicsError

if TYPE_CHECKING:
    from collections.abc import Collection
    from importlib.metadata import EntryPoint
    from typing import Any


class Additions:
    """What installed packages add to a table, by name.

    Nothing is looked for before it is asked for, and nothing imported but what is asked for by
    its name, so that a package that is broken breaks nothing else.

    Examples
    --------
    >>> additions = Additions("no.such.group", "view", {"mfcc"}, SFMForensicsError)
    >>> additions.names(), additions.load("whisper")
    ([], None)
    """

    def __init__(
        self, group: str, noun: str, built_in: Collection[str], error: type[SFMForensicsError]
    ) -> None:
        self.group, self.noun, self.built_in, self.error = group, noun, built_in, error

    def points(self) -> list[EntryPoint]:
        """Entry points, but for those with a name of the table's own, which are warned of."""
        usable = []
        for point in entry_points(group=self.group):
            if point.name in self.built_in:
                warnings.warn(
                    f"the {self.noun} {point.name!r} of the package {package_of(point)} is not "
                    f"used: {point.name!r} is built in; it needs another name there",
                    PackageWarning,
                    stacklevel=3,
                )
            else:
                usable.append(point)
        return usable

    def names(self) -> list[str]:
        """Their names, sorted."""
        return sorted({point.name for point in self.points()})

    def load(self, name: str) -> Any:
        """Import what has a name; None where no package brings it."""
        return self._loaded([point for point in self.points() if point.name == name], name)

    def load_attribute(self, attribute: str) -> Any:
        """Import what is called so where it is written, as of a class; None likewise."""
        return self._loaded(
            [point for point in self.points() if point.attr == attribute], attribute
        )

    def _loaded(self, points: list[EntryPoint], name: str) -> Any:
        packages = {point.value: package_of(point) for point in points}
        if not packages:
            return None
        if len(packages) > 1:
            raise self.error(
                f"the packages {' and '.join(sorted(packages.values()))} both bring a {self.noun} "
                f"{name!r}; uninstall one of them"
            )
        try:
            return points[0].load()
        except Exception as error:
            raise self.error(
                f"the {self.noun} {name!r} of the package {package_of(points[0])} cannot be loaded "
                f"({type(error).__name__}: {error}); repair that package, or uninstall it"
            ) from error


def package_of(point: EntryPoint) -> str:
    """Name of the package that brings an entry point."""
    return repr(point.dist.name) if point.dist is not None else repr(point.module)
