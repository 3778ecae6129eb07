"""From the scores of pairs of frames to what is said of a second and of the file."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Final, Literal

from reelcheck.media.fidelity import ceiling_db, psnr_db, weighted_psnr_db
from reelcheck.verdict.reference import FrameScores, Moment, Second, Summary, WorstFrame
from reelcheck.verdict.rounding import seconds_of

_WORST_FRAMES: Final = 5
_PERCENT: Final = 5
_PLANES: Final = ("psnr_y", "psnr_u", "psnr_v")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScore:
    """One pair of frames and what it gave."""

    start: Fraction
    """When the frame appears in the distorted file, seconds."""
    end: Fraction
    reference_start: Fraction
    squared_errors: tuple[float, float, float]
    ssim: float | None
    vmaf: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Everything that is computed from the scores of a file."""

    scores: tuple[PairScore, ...]
    """In order of time, at least one."""
    bit_depth: int

    def summaries(self) -> dict[str, Summary]:
        """Return every measure over the file."""
        made = {name: self._psnr(place) for place, name in enumerate(_PLANES)}
        made["psnr_yuv"] = self._psnr_yuv()
        if all(score.ssim is not None for score in self.scores):
            made["ssim"] = _plain([score.ssim or 0.0 for score in self.scores], self, unit="")
        vmaf = self._vmaf()
        if vmaf:
            plain = _plain(vmaf, self, unit="VMAF")
            made["vmaf"] = plain.model_copy(update={"harmonic_mean": round(_harmonic(vmaf), 6)})
        return made

    def seconds(self) -> tuple[Second, ...]:
        """Return the scored seconds of the distorted file."""
        return tuple(self._second(part) for part in self._by_second())

    def frames(self) -> FrameScores:
        """Return the scores of every frame."""
        depth = self.bit_depth
        return FrameScores(
            times_seconds=tuple(seconds_of(score.start) for score in self.scores),
            reference_times_seconds=tuple(
                seconds_of(score.reference_start) for score in self.scores
            ),
            psnr_y=tuple(psnr_db(s.squared_errors[0], bit_depth=depth) for s in self.scores),
            psnr_yuv=tuple(
                weighted_psnr_db(s.squared_errors, bit_depth=depth) for s in self.scores
            ),
            ssim=tuple(score.ssim for score in self.scores),
            vmaf=tuple(self._vmaf()),
        )

    def worst_frames(self) -> tuple[WorstFrame, ...]:
        """Return the worst frames of each measure that has any difference to show."""
        depth = self.bit_depth
        return (
            *self._worst("psnr_y", lambda s: psnr_db(s.squared_errors[0], bit_depth=depth)),
            *self._worst("ssim", lambda s: s.ssim),
            *self._worst("vmaf", lambda s: s.vmaf),
        )

    def _worst(
        self,
        measure: Literal["psnr_y", "ssim", "vmaf"],
        value_of: Callable[[PairScore], float | None],
    ) -> Iterator[WorstFrame]:
        valued = [(value, score) for score in self.scores if (value := value_of(score)) is not None]
        for value, score in sorted(valued, key=lambda pair: (pair[0], pair[1].start))[
            :_WORST_FRAMES
        ]:
            yield WorstFrame(
                measure=measure,
                start_seconds=seconds_of(score.start),
                reference_seconds=seconds_of(score.reference_start),
                value=value,
            )

    def _vmaf(self) -> list[float]:
        found = [score.vmaf for score in self.scores if score.vmaf is not None]
        return found if len(found) == len(self.scores) else []

    def _by_second(self) -> Iterator[list[PairScore]]:
        for _, part in groupby(self.scores, key=lambda score: score.start // 1):
            yield list(part)

    def _second(self, part: Sequence[PairScore]) -> Second:
        errors = _pooled(part)
        likes = [score.ssim for score in part if score.ssim is not None]
        vmaf = [score.vmaf for score in part if score.vmaf is not None] if self._vmaf() else []
        return Second(
            start_seconds=seconds_of(part[0].start),
            end_seconds=seconds_of(part[-1].end),
            frames=len(part),
            psnr_y=psnr_db(errors[0], bit_depth=self.bit_depth),
            psnr_yuv=weighted_psnr_db(errors, bit_depth=self.bit_depth),
            ssim=_mean(likes),
            vmaf=_mean(vmaf),
        )

    def _psnr(self, place: int) -> Summary:
        depth = self.bit_depth
        values = [psnr_db(score.squared_errors[place], bit_depth=depth) for score in self.scores]
        seconds = [
            (part[0].start, psnr_db(_pooled(part)[place], bit_depth=depth))
            for part in self._by_second()
        ]
        pooled = psnr_db(_pooled(self.scores)[place], bit_depth=depth)
        return self._decibels(values, pooled, seconds)

    def _psnr_yuv(self) -> Summary:
        depth = self.bit_depth
        values = [weighted_psnr_db(s.squared_errors, bit_depth=depth) for s in self.scores]
        seconds = [
            (part[0].start, weighted_psnr_db(_pooled(part), bit_depth=depth))
            for part in self._by_second()
        ]
        return self._decibels(
            values, weighted_psnr_db(_pooled(self.scores), bit_depth=depth), seconds
        )

    def _decibels(
        self,
        values: Sequence[float | None],
        pooled: float | None,
        seconds: Sequence[tuple[Fraction, float | None]],
    ) -> Summary:
        top = ceiling_db(self.bit_depth)
        capped = [top if value is None else min(value, top) for value in values]
        return Summary(
            unit="dB",
            mean=None if pooled is None else _mean(capped),
            pooled=pooled,
            percentile_5=percentile(values, percent=_PERCENT),
            worst_second=_worst_second(seconds),
        )


def percentile(values: Sequence[float | None], *, percent: int) -> float | None:
    """Return the percentile by nearest rank; ``None`` counts as infinite.

    Args:
        values: At least one.
        percent: 1 to 100.
    """
    ranked = sorted(values, key=_infinite)
    return ranked[max(0, -(-len(ranked) * percent // 100) - 1)]


def _plain(values: Sequence[float], measures: Measures, *, unit: str) -> Summary:
    by_start = {s.start: v for s, v in zip(measures.scores, values, strict=True)}
    seconds = [
        (part[0].start, _mean([by_start[score.start] for score in part]))
        for part in measures._by_second()  # noqa: SLF001 - a part of the class that is the same for two measures
    ]
    return Summary(
        unit=unit,
        mean=_mean(values),
        percentile_5=percentile(values, percent=_PERCENT),
        worst_second=_worst_second(seconds),
    )


def _worst_second(seconds: Sequence[tuple[Fraction, float | None]]) -> Moment:
    start, value = min(seconds, key=lambda pair: (_infinite(pair[1]), pair[0]))
    return Moment(start_seconds=seconds_of(start), value=value)


def _infinite(value: float | None) -> float:
    return float("inf") if value is None else value


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _pooled(part: Sequence[PairScore]) -> tuple[float, float, float]:
    count = len(part)
    first, second, third = (
        sum(score.squared_errors[place] for score in part) / count for place in range(3)
    )
    return first, second, third


def _harmonic(values: Sequence[float]) -> float:
    """Return the harmonic mean as libvmaf pools it, with 1 added so that 0 has a place."""
    return len(values) / sum(1 / (value + 1) for value in values) - 1
