"""Frozen pictures, and single frames that are shown twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from reelcheck.analyzers.defects.found import Measure, event
from reelcheck.analyzers.defects.limits import DefectLimits
from reelcheck.analyzers.defects.motion import Step, mean_change
from reelcheck.analyzers.defects.pictures import GridPicture
from reelcheck.spans import Observation, TimeSpan

FREEZE = Measure(signal="change_ratio", label="freeze")
REPEATS = Measure(signal="repeat_ratio", label="duplicate_frames")


@dataclass(slots=True)
class _Hold:
    """A picture that stands still, so far."""

    picture: GridPicture
    span: TimeSpan
    frames: int
    still_steps: int
    dead_steps: int
    change: float


class Freezes:
    """Report stretches in which the picture stands still.

    Method: FFmpeg's ``freezedetect`` on the small view, with a tighter limit, because averaging
    over cells takes away the noise that keeps a static scene alive at native size. A step within
    ``still_*`` continues a freeze; up to ``refresh_frames`` larger steps, as made by a new key
    frame of the same still picture, are bridged; drift away from the first frame ends it. In a
    quarter of the steps nothing at all may happen (``dead_mean_ratio``): the noise that coding
    leaves of a live scene is small, but it is there in every frame. The span runs from the first
    frame that is held to the end of the last one; up to ``settle_frames`` in which the coder
    still improves the held picture are part of it.

    Limits: a title or slide that is meant to stand still is a freeze. A live scene without any
    motion *and* coded so hard that its noise is gone cannot be told from a freeze. At very low
    bit rates the coder can take longer to settle on the held picture, and the start is late by
    as much. Motion within less than a cell, at low contrast, is not seen.
    """

    def __init__(self, limits: DefectLimits) -> None:
        self._limits = limits
        self._hold: _Hold | None = None
        self._waiting: list[Step] = []
        self._settling: list[Step] = []
        self._motion = 0.0

    @property
    def holding(self) -> bool:
        """Whether the picture may stand still right now."""
        return self._hold is not None

    def see(self, step: Step) -> Iterator[Observation]:
        """Take the next step; yield the freeze that it ends, if any."""
        hold = self._hold
        if hold is None:
            self._begin(step)
        elif self._stands(step, hold.picture):
            self._extend(hold, step)
        elif self._may_refresh(step):
            self._waiting.append(step)
        else:
            yield from self.end()
            self._begin(step)

    def end(self) -> Iterator[Observation]:
        """Yield the freeze that is still open, if it is long enough, and forget it."""
        limits, hold = self._limits, self._hold
        self._hold, self._waiting = None, []
        if hold is None or hold.span.seconds < limits.freeze_min_seconds:
            return
        steps = hold.frames - 1
        still = hold.still_steps >= limits.freeze_still_ratio * steps
        dead = hold.dead_steps >= limits.freeze_dead_ratio * steps
        if still and dead and hold.frames >= limits.freeze_min_frames:
            note = (
                f"{hold.frames} frames show the same picture: largest mean change "
                f"{hold.change:.5f} of full scale"
            )
            yield event(FREEZE, hold.span, hold.change, note)

    def _begin(self, step: Step) -> None:
        if self._is_still(step):
            settled = len(self._settling)
            first = self._settling[0] if settled else step
            self._hold = _Hold(
                picture=step.picture,
                span=TimeSpan(first.before.start, step.after.end),
                frames=settled + 2,
                still_steps=settled + 1,
                dead_steps=int(self._is_dead(step)),
                change=step.mean_ratio,
            )
            self._settling = []
        elif self._may_settle(step):
            self._settling.append(step)
        else:
            self._settling = []
            self._motion = 0.0 if step.plain else step.mean_ratio

    def _extend(self, hold: _Hold, step: Step) -> None:
        bridged = [*self._waiting, step]
        self._waiting = []
        hold.span = TimeSpan(hold.span.start, step.after.end)
        hold.frames += len(bridged)
        hold.still_steps += 1
        hold.dead_steps += int(self._is_dead(step))
        hold.change = max(hold.change, *(one.mean_ratio for one in bridged))

    def _stands(self, step: Step, held: GridPicture) -> bool:
        drift = self._limits.drift_mean_ratio
        return self._is_still(step) and mean_change(step.picture.luma, held.luma) <= drift

    def _is_still(self, step: Step) -> bool:
        limits = self._limits
        if step.plain or step.mean_ratio > limits.still_mean_ratio:
            return False
        return step.max_ratio <= limits.still_max_ratio

    def _is_dead(self, step: Step) -> bool:
        return step.mean_ratio <= self._limits.dead_mean_ratio

    def _may_refresh(self, step: Step) -> bool:
        limits = self._limits
        if step.plain or len(self._waiting) >= limits.refresh_frames:
            return False
        if step.mean_ratio > limits.refresh_mean_ratio:
            return False
        return step.max_ratio <= limits.refresh_max_ratio

    def _may_settle(self, step: Step) -> bool:
        limits = self._limits
        if step.plain or len(self._settling) >= limits.settle_frames:
            return False
        most = min(limits.repeat_max_ratio, limits.repeat_ratio * self._motion)
        return step.mean_ratio <= most


@dataclass(slots=True)
class _Stretch:
    """Repeats that lie near each other."""

    span: TimeSpan
    repeats: int
    first_frame: int
    last_frame: int


class RepeatedFrames:
    """Report stretches of moving content in which single frames are shown again.

    Method: ours. A frame is a repeat when the step to it is much smaller than the moving steps
    before and after it. Regular cadences (24 to 30 frames a second by repeats, animation drawn
    "on twos") and irregular stutter both come out as one event per stretch, with the share of
    repeated frames as its score; the rule for what is a fault stands in the policy.

    Limits: a repeat needs motion on both sides, so that none is found in static scenes. Coding
    changes a repeated frame; at very low bit rates more than ``repeat_ratio`` of the motion.
    Telecine by fields (3:2 interlaced) holds no repeated frame and is not found.
    """

    def __init__(self, limits: DefectLimits) -> None:
        self._limits = limits
        self._motion = 0.0
        self._low: list[tuple[float, int, TimeSpan]] = []
        self._frame = 0
        self._stretch: _Stretch | None = None

    def see(self, step: Step, *, held: bool) -> Iterator[Observation]:
        """Take the next step; yield the stretch that is over by now, if any.

        ``held`` tells that the picture may be frozen, so that a new key frame is no motion.
        """
        self._frame += 1
        limits, change = self._limits, step.mean_ratio
        lowest = min(limits.repeat_max_ratio, limits.repeat_ratio * self._motion)
        if self._motion and change <= lowest and not step.plain:
            self._remember(change, step)
            return
        moving = change >= limits.repeat_motion_ratio and not (step.plain or held)
        highest = limits.repeat_ratio * change
        if moving and self._low and all(low <= highest for low, _, _ in self._low):
            yield from self._accept()
        self._low = []
        self._motion = change if moving else 0.0
        yield from self._close_if_past(step.after.start)

    def end(self) -> Iterator[Observation]:
        """Yield the stretch that is still open, if it holds enough repeats."""
        stretch, self._stretch = self._stretch, None
        if stretch is None or stretch.repeats < self._limits.repeat_min_count:
            return
        frames = stretch.last_frame - stretch.first_frame + 1
        note = f"{stretch.repeats} of {frames} frames repeat the frame before while things move"
        yield event(REPEATS, stretch.span, stretch.repeats / frames, note)

    def _remember(self, change: float, step: Step) -> None:
        self._low.append((change, self._frame, step.after))
        first = self._low[0][2]
        if step.after.end - first.start >= self._limits.freeze_min_seconds:
            self._low, self._motion = [], 0.0

    def _accept(self) -> Iterator[Observation]:
        span = TimeSpan(self._low[0][2].start, self._low[-1][2].end)
        first, last = self._low[0][1], self._low[-1][1]
        yield from self._close_if_past(span.start)
        if self._stretch is None:
            self._stretch = _Stretch(span, len(self._low), first, last)
            return
        self._stretch.span = TimeSpan(self._stretch.span.start, span.end)
        self._stretch.repeats += len(self._low)
        self._stretch.last_frame = last

    def _close_if_past(self, now: Fraction) -> Iterator[Observation]:
        stretch = self._stretch
        if stretch and now - stretch.span.end > self._limits.repeat_bridge_seconds:
            yield from self.end()
