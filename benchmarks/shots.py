"""Borders of shots: reelcheck beside PySceneDetect, on videos with a known truth.

    python benchmarks/shots.py FOLDER

FOLDER holds videos, each with a .json of the same name: {"truth": [[kind, last, first], ...]},
where kind is "cut", "dissolve", "fade" or "wipe", ``last`` the last frame that shows only the old
shot and ``first`` the first one that shows only the new shot. A cut counts as found within two
frames, a gradual transition when any finding overlaps it; one finding may answer for one border.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import reelcheck
from reelcheck.analyzers.shots import ShotsAnalyzer

TOLERANCE_FRAMES = 2
Border = tuple[float, float]
Detector = Callable[[Path], tuple[list[Border], list[Border]]]


@dataclass
class Score:
    """Hits, false alarms and misses."""

    hits: int = 0
    false: int = 0
    missed: int = 0

    def add(self, found: list[Border], truth: list[Border], *, others: list[Border]) -> None:
        """Match findings with truth; a finding within one of ``others`` counts for nothing."""
        open_ = list(truth)
        for border in found:
            match = next((one for one in open_ if _meets(border, one)), None)
            if match is not None:
                open_.remove(match)
                self.hits += 1
            elif not any(_meets(border, one) for one in [*truth, *others]):
                self.false += 1
        self.missed += len(open_)

    def __str__(self) -> str:
        """Show precision, recall and F1 in per cent."""
        precision = self.hits / max(1, self.hits + self.false)
        recall = self.hits / max(1, self.hits + self.missed)
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        return f"P {precision:6.1%}  R {recall:6.1%}  F1 {f1:6.1%}"


def _meets(one: Border, other: Border) -> bool:
    return one[0] - TOLERANCE_FRAMES <= other[1] and other[0] - TOLERANCE_FRAMES <= one[1]


def ours(profile: str) -> Detector:
    """Return reelcheck's detector of one profile."""

    def detect(path: Path) -> tuple[list[Border], list[Border]]:
        report = reelcheck.analyze(path, only=["shots"], profile=profile)
        rate = float(report.video.video_streams[0].rate_fps_from_header or 25)
        spans = [
            (event.label, event.start_seconds * rate, event.end_seconds * rate)
            for event in report.events
        ]
        cuts = [(start, start) for label, start, _ in spans if label == "cut"]
        return cuts, [(start - 1, end) for label, start, end in spans if label != "cut"]

    return detect


def scenedetect(name: str) -> Detector:
    """Return a detector of PySceneDetect at its defaults. It knows no gradual transitions."""

    def detect(path: Path) -> tuple[list[Border], list[Border]]:
        peer = import_module("scenedetect")  # a peer, installed for the benchmark only
        detector = getattr(peer, name)()
        scenes = peer.detect(str(path), detector)
        starts = [float(start.frame_num) for start, _ in scenes[1:]]
        return [(at, at) for at in starts], []

    return detect


def main() -> None:
    """Print one line per detector."""
    videos = sorted(Path(sys.argv[1]).glob("*.mp4"))
    detectors = {
        "reelcheck, balanced": ours("balanced"),
        "PySceneDetect ContentDetector": scenedetect("ContentDetector"),
        "PySceneDetect AdaptiveDetector": scenedetect("AdaptiveDetector"),
    }
    if not isinstance(ShotsAnalyzer.for_profile("accurate"), ShotsAnalyzer):
        detectors["reelcheck, accurate (TransNetV2)"] = ours("accurate")
    for name, detect in detectors.items():
        cuts, graduals, started = Score(), Score(), time.monotonic()
        for path in videos:
            truth = json.loads(path.with_suffix(".json").read_text())["truth"]
            hard = [(first, first) for kind, _, first in truth if kind == "cut"]
            soft = [(last, first) for kind, last, first in truth if kind != "cut"]
            found_cuts, found_graduals = detect(path)
            cuts.add(found_cuts, hard, others=soft)
            graduals.add(found_graduals, soft, others=hard)
        seconds = time.monotonic() - started
        print(f"{name:34} cuts {cuts}   gradual {graduals}   {seconds:.0f} s")


if __name__ == "__main__":
    main()
