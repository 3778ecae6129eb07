"""Loudness: how loud, how wide, how high the peaks, and where sound is missing or broken.

Method: ITU-R BS.1770-5 / EBU R 128 loudness, range and true peak by FFmpeg's ``ebur128`` filter
(exact, see EBU Tech 3341/3342 conformance there); silence, clipping and channel loss on the
decoded samples.

Limits: channel loss is looked for in left and right only; dialogue is not told from music; a
true peak between samples is estimated by fourfold oversampling; phase and hum are not measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.frames import AudioBatch, AudioInfo, AudioNeeds
from reelcheck.media.loudness import LoudnessMeter
from reelcheck.spans import Observation, TimeSpan

_WINDOW: Final = Fraction(1, 10)
"""Momentary loudness comes in steps of 100 ms, EBU Tech 3341."""
_FLOOR_RMS: Final = 1e-9
_FRONT_CHANNELS: Final = 2
"""Left and right come first in every layout of FFmpeg."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoudnessAnalyzer:
    """Measure loudness and find silence, clipping and lost channels.

    Signals: ``momentary_lufs`` (400 ms window), ``short_term_lufs`` (3 s window), both LUFS, of
    the ten readings of each second the highest, and over the whole file ``integrated_lufs``
    (LUFS), ``loudness_range_lu`` (LU), ``true_peak_dbtp`` (dBTP). Events: ``silence`` (exact to
    the sample), ``clipping`` and ``channel_loss`` (exact to a tenth of a second),
    ``length_mismatch``.
    """

    name: str = "loudness"
    needs: tuple[AudioNeeds, ...] = (AudioNeeds(),)
    silence_dbfs: float = -60.0
    """Highest sample of a silent stretch; default of FFmpeg's silencedetect."""
    silence_seconds: Fraction = Fraction(1, 2)
    """Shorter pauses are not reported; policies ask for more."""
    clip_level: float = 0.999
    """A sample at full scale; ours: one 16-bit step below is already suspicious in a row."""
    clip_run_samples: int = 4
    """This many full-scale samples in a row are a flat top, not a peak. Ours, after common QC
    practice of three to five."""
    clip_runs: int = 3
    """Flat tops within one 100 ms window that make it clipped. Ours."""
    channel_gap_db: float = 50.0
    """A channel this far below the loudest one is lost. Ours: stage-side microphones leak more."""
    channel_seconds: Fraction = Fraction(3)
    """Panned music may leave a channel alone this long. Ours."""
    mismatch_seconds: Fraction = Fraction(1, 2)
    """Picture and sound may start or end this far apart: codecs pad a few frames. Ours."""

    def listen(self, audio: AudioInfo) -> "_LoudnessListen":
        """Start on one stream."""
        return _LoudnessListen(self, audio)


class _Stretch:
    """One kind of event, grown window by window."""

    def __init__(self, label: str, minimum: Fraction) -> None:
        self.label = label
        self._minimum = minimum
        self._start: Fraction | None = None
        self._end = Fraction(0)
        self._worst = -1e9

    def step(self, span: TimeSpan, score: float | None) -> Iterator[tuple[TimeSpan, float]]:
        """Take one window: ``score`` while the event lasts, ``None`` when it does not."""
        if self._start is not None and (score is None or span.start > self._end):
            yield from self.close()
        if score is not None:
            self._start = span.start if self._start is None else self._start
            self._end = span.end
            self._worst = max(self._worst, score)

    def close(self) -> Iterator[tuple[TimeSpan, float]]:
        """End the event, if one lasts."""
        if self._start is not None and self._end - self._start >= self._minimum:
            yield TimeSpan(self._start, self._end), self._worst
        self._start, self._worst = None, -1e9


class _Loudest:
    """The highest of the ten readings of each second."""

    def __init__(self, signal: str) -> None:
        self.signal = signal
        self._span: TimeSpan | None = None
        self._highest = 0.0

    def step(self, span: TimeSpan, value: float | None) -> Iterator[tuple[TimeSpan, float]]:
        """Take one reading; yield the second that it ends."""
        if self._span is not None and (value is None or span.start != self._span.end):
            yield from self.close()
        if value is None:
            return
        first = self._span is None
        self._span = span if self._span is None else TimeSpan(self._span.start, span.end)
        self._highest = value if first else max(self._highest, value)
        if self._span.seconds >= 1:
            yield from self.close()

    def close(self) -> Iterator[tuple[TimeSpan, float]]:
        """Yield what was gathered."""
        if self._span is not None:
            yield self._span, self._highest
        self._span = None


class _LoudnessListen:
    def __init__(self, recipe: LoudnessAnalyzer, audio: AudioInfo) -> None:
        self._recipe = recipe
        self._audio = audio
        self._meter = LoudnessMeter()
        self._first: Fraction | None = None
        self._end = Fraction(0)
        self._rest: NDArray[np.float32] | None = None
        self._rest_start = Fraction(0)
        self._rate = 0
        self._last_loud = Fraction(0)
        self._loudest = (_Loudest("momentary_lufs"), _Loudest("short_term_lufs"))
        self._clipping = _Stretch("clipping", Fraction(0))
        self._lost: dict[int, _Stretch] = {}

    def hear(self, batch: AudioBatch) -> Iterator[Observation]:
        if self._first is None:
            self._first = batch.start
        self._rate = batch.rate_hz
        for reading in self._meter.measure(batch):
            span = TimeSpan(reading.start, reading.start + _WINDOW)
            values = (reading.momentary_lufs, reading.short_term_lufs)
            for loudest, value in zip(self._loudest, values, strict=True):
                for found, level in loudest.step(span, value):
                    yield self._sample(loudest.signal, found, level)
        yield from self._silences(batch)
        samples, start = batch.samples, batch.start
        if self._rest is not None and self._rest.shape[0] == samples.shape[0]:
            joined = self._rest_start + Fraction(self._rest.shape[1], batch.rate_hz)
            if abs(joined - batch.start) < _WINDOW:
                samples = np.concatenate([self._rest, samples], axis=1)
                start = self._rest_start
        step = int(batch.rate_hz * _WINDOW)
        whole = samples.shape[1] // step * step
        for at in range(0, whole, step):
            begin = start + Fraction(at, batch.rate_hz)
            yield from self._window(samples[:, at : at + step], begin)
        self._rest = samples[:, whole:].copy()
        self._rest_start = start + Fraction(whole, batch.rate_hz)
        self._end = batch.end

    def _silences(self, batch: AudioBatch) -> Iterator[Observation]:
        """Report every pause between two loud samples that is long enough."""
        limit = 10 ** (self._recipe.silence_dbfs / 20)
        loud = np.flatnonzero((np.abs(batch.samples) > limit).any(axis=0))
        if not len(loud):
            return
        first = batch.start + Fraction(int(loud[0]), batch.rate_hz)
        yield from self._silence(self._last_loud, first)
        least = int(self._recipe.silence_seconds * batch.rate_hz)
        for index in np.flatnonzero(np.diff(loud) >= least):
            yield from self._silence(
                batch.start + Fraction(int(loud[index]), batch.rate_hz),
                batch.start + Fraction(int(loud[index + 1]), batch.rate_hz),
            )
        self._last_loud = batch.start + Fraction(int(loud[-1]), batch.rate_hz)

    def _silence(self, start: Fraction, end: Fraction) -> Iterator[Observation]:
        if end - start >= self._recipe.silence_seconds:
            note = f"no sound above {self._recipe.silence_dbfs:g} dBFS"
            span = TimeSpan(start, end)
            yield self._event("silence", span, float(span.seconds), "s", note)

    def _window(self, window: NDArray[np.float32], start: Fraction) -> Iterator[Observation]:
        recipe = self._recipe
        span = TimeSpan(start, start + Fraction(window.shape[1], self._rate))
        size = np.abs(window)
        peak_dbfs = _decibel(float(size.max(initial=0.0)))
        silent = peak_dbfs <= recipe.silence_dbfs
        tops = _flat_tops(size >= recipe.clip_level, recipe.clip_run_samples)
        clipped = float(tops) if tops >= recipe.clip_runs else None
        yield from self._events(
            self._clipping, span, clipped, "", "up to {:.0f} flat tops in a tenth of a second"
        )
        if window.shape[0] > 1:  # one channel alone cannot be lost against another
            yield from self._channels(window, span, silent=silent)

    def _channels(
        self, window: NDArray[np.float32], span: TimeSpan, *, silent: bool
    ) -> Iterator[Observation]:
        # Centre, effects and surround channels are silent by design for minutes.
        front = window[:_FRONT_CHANNELS]
        levels = [_decibel(float(np.sqrt(np.mean(np.square(row))))) for row in front]
        for channel, level in enumerate(levels):
            gap = max(levels) - level
            stretch = self._lost.setdefault(
                channel, _Stretch("channel_loss", self._recipe.channel_seconds)
            )
            lost = gap if gap >= self._recipe.channel_gap_db and not silent else None
            note = f"channel {channel + 1} of {len(levels)} is {{:.0f}} dB below the loudest"
            yield from self._events(stretch, span, lost, "dB", note)

    def _events(
        self, stretch: _Stretch, span: TimeSpan, score: float | None, unit: str, note: str
    ) -> Iterator[Observation]:
        for found, worst in stretch.step(span, score):
            yield self._event(stretch.label, found, worst, unit, note.format(worst))

    def end(self, picture: TimeSpan | None) -> Iterator[Observation]:
        if self._first is None:
            return
        yield from self._silence(self._last_loud, self._end)
        for loudest in self._loudest:
            for found, level in loudest.close():
                yield self._sample(loudest.signal, found, level)
        notes = {
            "clipping": ("", "up to {:.0f} flat tops in a tenth of a second"),
            "channel_loss": ("dB", "a channel is {:.0f} dB below the loudest"),
        }
        for stretch in (self._clipping, *self._lost.values()):
            unit, note = notes[stretch.label]
            for found, worst in stretch.close():
                yield self._event(stretch.label, found, worst, unit, note.format(worst))
        if picture is not None:
            yield from self._mismatch(picture, TimeSpan(self._first, self._end))
        total = self._meter.total()
        whole = TimeSpan(min(self._first, self._end), self._end)
        if total is not None:
            yield self._sample("integrated_lufs", whole, total.integrated_lufs)
            yield self._sample("loudness_range_lu", whole, total.loudness_range_lu, "LU")
            yield self._sample("true_peak_dbtp", whole, total.true_peak_dbtp, "dBTP")

    def _mismatch(self, picture: TimeSpan, sound: TimeSpan) -> Iterator[Observation]:
        for part, one, other in (
            ("begins", picture.start, sound.start),
            ("ends", picture.end, sound.end),
        ):
            apart = abs(one - other)
            if apart >= self._recipe.mismatch_seconds:
                later = "picture" if one > other else "sound"
                note = f"the {later} {part} {float(apart):.2f} s after the other"
                span = TimeSpan(min(one, other), max(one, other))
                yield self._event("length_mismatch", span, float(apart), "s", note)

    def _sample(self, signal: str, span: TimeSpan, score: float, unit: str = "LUFS") -> Observation:
        return Observation(
            analyzer=self._recipe.name, signal=signal, span=span, score=round(score, 2), unit=unit
        )

    def _event(self, label: str, span: TimeSpan, score: float, unit: str, note: str) -> Observation:
        return Observation(
            analyzer=self._recipe.name,
            signal=label,
            label=label,
            span=span,
            score=round(score, 2),
            unit=unit,
            note=note,
        )


def _decibel(amplitude: float) -> float:
    return float(20 * np.log10(max(amplitude, _FLOOR_RMS)))


def _flat_tops(high: NDArray[np.bool_], run: int) -> int:
    """Return how many runs of at least ``run`` high samples the loudest channel has."""
    if not high.any():
        return 0
    padded = np.pad(high, ((0, 0), (1, 1))).astype(np.int8)
    most = 0
    for row in np.diff(padded, axis=1):
        lengths = np.flatnonzero(row == -1) - np.flatnonzero(row == 1)
        most = max(most, int((lengths >= run).sum()))
    return most
