"""reelcheck watches a video once and says how good it looks and whether it is safe.

    >>> import reelcheck
    >>> report = reelcheck.analyze("clip.mp4")
    >>> report.verdict.decision

The floor plan; imports go down only (``tests/test_architecture.py`` reads these lines):

    6  cli  lab
    5  pipeline  onepass  exporters  calibration
    4  verdict
    3  analyzers
    2  models
    1  media
    0  errors  registry  frames  spans  settings  terminal

``media`` and ``onepass`` run in a child process that can be killed; everything above learns of
a video only through plain data. ``lab`` is the only room with torch, and needs the extra ``lab``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reelcheck.errors import ModelError, ReelcheckError, ReportError, SettingError, VideoError
    from reelcheck.pipeline import Progress, analyze
    from reelcheck.settings import Limits
    from reelcheck.verdict.judge import judge
    from reelcheck.verdict.policy import Policy
    from reelcheck.verdict.report import Report

__version__ = "0.1.0"
__all__ = [
    "Limits",
    "ModelError",
    "Policy",
    "Progress",
    "ReelcheckError",
    "Report",
    "ReportError",
    "SettingError",
    "VideoError",
    "__version__",
    "analyze",
    "judge",
]

_LAZY = {
    "Limits": "reelcheck.settings",
    "ModelError": "reelcheck.errors",
    "Policy": "reelcheck.verdict.policy",
    "Progress": "reelcheck.pipeline",
    "ReelcheckError": "reelcheck.errors",
    "Report": "reelcheck.verdict.report",
    "ReportError": "reelcheck.errors",
    "SettingError": "reelcheck.errors",
    "VideoError": "reelcheck.errors",
    "analyze": "reelcheck.pipeline",
    "judge": "reelcheck.verdict.judge",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a lazy attribute can be anything
    """Import public names on first use, so that ``import reelcheck`` costs nothing."""
    if name in _LAZY:
        from importlib import import_module  # noqa: PLC0415 - lazy on purpose

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
