"""One lazy table per kind of part: ``name -> "module:attribute"``.

Built-ins use the same door as strangers: a package may add parts through the entry point groups
``reelcheck.analyzers`` and ``reelcheck.exporters``. Nothing is imported before it is asked for.
"""

import functools
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from reelcheck.errors import SettingError


@functools.cache
def _foreign(group: str, search: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Return the parts of other packages. To read all their lists costs 10 ms."""
    del search  # where it is looked for
    return tuple(entry_points(group=group))


class Registry:
    """Parts of one kind by name."""

    def __init__(self, kind: str, *, builtin: dict[str, str]) -> None:
        self._kind = kind
        self._builtin = builtin
        self._group = f"reelcheck.{kind}s"

    def _table(self) -> dict[str, str]:
        table = dict(self._builtin)
        for point in _foreign(self._group, tuple(sys.path)):
            if table.get(point.name, point.value) != point.value:
                message = f"two packages offer the {self._kind} {point.name!r}"
                raise SettingError(message, hint="uninstall one of them")
            table[point.name] = point.value
        return table

    def __iter__(self) -> Iterator[str]:
        """Yield the known names, sorted."""
        return iter(sorted(self._table()))

    def load(self, name: str) -> Any:  # noqa: ANN401 - what it is depends on the table
        """Import and return the part called ``name``.

        Raises:
            SettingError: no part has this name.
        """
        table = self._table()
        if name not in table:
            message = f"unknown {self._kind} {name!r}"
            raise SettingError(message, hint=f"known {self._kind}s: {', '.join(sorted(table))}")
        module, _, attribute = table[name].partition(":")
        return getattr(import_module(module), attribute)


ANALYZERS = Registry(
    "analyzer",
    builtin={
        "defects": "reelcheck.analyzers.defects:DefectsAnalyzer",
        "fights": "reelcheck.analyzers.fights:FightsAnalyzer",
        "flashes": "reelcheck.analyzers.flashes:FlashesAnalyzer",
        "loudness": "reelcheck.analyzers.loudness:LoudnessAnalyzer",
        "nudity": "reelcheck.analyzers.nudity:NudityAnalyzer",
        "quality": "reelcheck.analyzers.quality:QualityAnalyzer",
        "shots": "reelcheck.analyzers.shots:ShotsAnalyzer",
    },
)

EXPORTERS = Registry(
    "exporter",
    builtin={
        "csv": "reelcheck.exporters.csv:CsvExporter",
        "edl": "reelcheck.exporters.edl:EdlExporter",
        "html": "reelcheck.exporters.html:HtmlExporter",
        "json": "reelcheck.exporters.json:JsonExporter",
        "junit": "reelcheck.exporters.junit:JunitExporter",
        "otio": "reelcheck.exporters.otio:OtioExporter",
        "webvtt": "reelcheck.exporters.webvtt:WebvttExporter",
    },
)
