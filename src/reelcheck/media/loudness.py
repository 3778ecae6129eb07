"""FFmpeg's EBU R 128 meter."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
from av.audio.frame import AudioFrame
from av.filter import Graph

from reelcheck.frames import AudioBatch

_STEP: Final = Fraction(1, 10)
_MOMENTARY: Final = Fraction(2, 5)
_SHORT_TERM: Final = Fraction(3)
"""Lengths of the windows, EBU Tech 3341."""
_FLOOR_LUFS: Final = -70.0
"""Absolute gate of BS.1770; also what silence is given."""
_NO_PEAK_DBTP: Final = -120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Loudness around one tenth of a second."""

    start: Fraction
    """Seconds from the start of the video."""
    momentary_lufs: float | None
    """Of the 400 ms up to here; ``None`` while less than that was heard."""
    short_term_lufs: float | None
    """Of the 3 s up to here; ``None`` while less than that was heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Loudness of everything so far."""

    integrated_lufs: float
    loudness_range_lu: float
    true_peak_dbtp: float


class LoudnessMeter:
    """Measures one audio stream, block by block, with the filter ``ebur128`` (peak=true).

    The graph is rebuilt when rate or layout change; totals are those of the longest part.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._key: tuple[int, str] | None = None
        self._start = Fraction(0)
        self._pushed = 0
        self._count = 0
        self._last: dict[str, str] = {}

    def measure(self, batch: AudioBatch) -> Iterator[Reading]:
        """Take the next samples; yield the readings that became certain."""
        key = (batch.rate_hz, batch.layout)
        if self._graph is None or key != self._key:
            self._graph, self._key = _graph(*key), key
            self._start, self._pushed, self._count = batch.start, 0, 0
        frame = AudioFrame.from_ndarray(batch.samples, format="fltp", layout=batch.layout)
        frame.sample_rate = batch.rate_hz
        frame.pts, frame.time_base = self._pushed, Fraction(1, batch.rate_hz)
        self._pushed += batch.samples.shape[1]
        self._graph.push(frame)
        while True:
            try:
                metered = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            tags = dict(metered.metadata) if isinstance(metered, AudioFrame) else {}
            if "lavfi.r128.M" in tags:
                self._last = tags
                self._count += 1
                yield self._reading(tags)

    def _reading(self, tags: dict[str, str]) -> Reading:
        heard = self._count * _STEP
        momentary = _number(tags["lavfi.r128.M"], floor=_FLOOR_LUFS)
        short_term = _number(tags["lavfi.r128.S"], floor=_FLOOR_LUFS)
        return Reading(
            start=self._start + heard - _STEP,
            momentary_lufs=momentary if heard >= _MOMENTARY else None,
            short_term_lufs=short_term if heard >= _SHORT_TERM else None,
        )

    def total(self) -> Total | None:
        """Return the loudness of the whole, or ``None`` when nothing was measured."""
        if not self._last:
            return None
        peak = max(
            (float(v) for k, v in self._last.items() if k.startswith("lavfi.r128.true_peaks_ch")),
            default=0.0,
        )
        return Total(
            integrated_lufs=_number(self._last["lavfi.r128.I"], floor=_FLOOR_LUFS),
            loudness_range_lu=_number(self._last["lavfi.r128.LRA"], floor=0.0),
            true_peak_dbtp=20 * math.log10(peak) if peak > 0 else _NO_PEAK_DBTP,
        )


def _number(text: str, *, floor: float) -> float:
    value = float(text)
    return max(floor, value) if math.isfinite(value) else floor


def _graph(rate_hz: int, layout: str) -> Graph:
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=rate_hz, format="fltp", layout=layout, time_base=Fraction(1, rate_hz)
    )
    meter = graph.add("ebur128", "metadata=1:peak=true:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    return graph
