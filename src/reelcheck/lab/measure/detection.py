"""COCO average precision of detections, in numpy.

The protocol of the COCO challenge (https://cocodataset.org/#detection-eval), equal to
``pycocotools.COCOeval`` for boxes within 1e-6: greedy matching from the best score down, ten
overlaps from 0.50 to 0.95, precision read at 101 recalls, crowds and boxes of another size
neither count as found nor as false.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reelcheck.errors import SettingError

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

OVERLAPS: Final = np.linspace(0.5, 0.95, 10)
_RECALLS: Final = np.linspace(0.0, 1.0, 101)
_MOST_DETECTIONS = 100
_EVERYTHING = 1e10
_AREAS_PX: Final = {
    "all": (0.0, _EVERYTHING),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, _EVERYTHING),
}
_EPS = float(np.spacing(1))
FIGURES: Final = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar100")
"""Of ``DetectionScores``, without those by class."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TruthBoxes:
    """What is in one picture: M objects.

    Raises:
        SettingError: lengths differ.
    """

    boxes_px: Numbers
    """Left, top, right, bottom, [M, 4]."""
    labels: NDArray[np.int64]
    """[M]."""
    crowd: Flags | None = None
    """Which stand for groups, [M]; none if not given."""
    areas_px: Numbers | None = None
    """Areas that decide on small, medium and large, [M]; those of the boxes if not given."""

    def __post_init__(self) -> None:
        optional = (self.crowd, self.areas_px)
        lengths = [len(self.labels), *(len(part) for part in optional if part is not None)]
        _check_lengths("truth", self.boxes_px, lengths)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundBoxes:
    """What a detector says of one picture: D boxes.

    Raises:
        SettingError: lengths differ.
    """

    boxes_px: Numbers
    """Left, top, right, bottom, [D, 4]."""
    scores: Numbers
    """[D], the larger the surer."""
    labels: NDArray[np.int64]
    """[D]."""

    def __post_init__(self) -> None:
        _check_lengths("detections", self.boxes_px, [len(self.scores), len(self.labels)])


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionScores:
    """The figures of COCO, 0 to 1; -1 where there is nothing to find."""

    ap: float
    """Mean over classes and overlaps 0.50 to 0.95."""
    ap50: float
    ap75: float
    ap_small: float
    """Of objects up to 32 x 32 px."""
    ap_medium: float
    ap_large: float
    """Of objects from 96 x 96 px."""
    ar100: float
    """Mean over classes and overlaps of the recall of the best 100 boxes per picture."""
    ap_by_class: tuple[float, ...]


def measure_detections(
    truths: Sequence[TruthBoxes], found: Sequence[FoundBoxes], *, classes: int
) -> DetectionScores:
    """Compare detections with the truth, picture by picture.

    Of detections of equal score, those of earlier pictures come first.

    Args:
        truths: One entry per picture.
        found: One entry per picture, in the same order.
        classes: Number of classes; labels are from 0.

    Raises:
        SettingError: the numbers of pictures differ, or a label has no class.
    """
    detector = Detector(truths, found, classes=classes)
    return detector.scores(np.ones(len(truths)))


class Detector:
    """Matches detections with the truth once, and computes the figures from weights of pictures.

    Matching looks at one picture at a time, so that a picture that counts twice (a draw of the
    bootstrap) needs no new matching.
    """

    def __init__(
        self, truths: Sequence[TruthBoxes], found: Sequence[FoundBoxes], *, classes: int
    ) -> None:
        """As ``measure_detections``."""
        if len(truths) != len(found):
            message = f"{len(truths)} pictures of truth, but {len(found)} of detections"
            raise SettingError(message)
        for labels in (entry.labels for entries in (truths, found) for entry in entries):
            if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
                message = (
                    f"labels must lie in 0 to {classes - 1}, got {labels.min()} to {labels.max()}"
                )
                raise SettingError(message)
        cases = [_cases_of(truths, found, label=label) for label in range(classes)]
        self._curves = {
            area: [_Curve(pictures, area_px=limits) for pictures in cases]
            for area, limits in _AREAS_PX.items()
        }

    def scores(self, weights: Numbers) -> DetectionScores:
        """Return the figures when each picture counts ``weights`` times, shape [N]."""
        read = {
            area: [curve.read(weights) for curve in by_class]
            for area, by_class in self._curves.items()
        }
        precision = {area: np.array([c[0] for c in by_class]) for area, by_class in read.items()}
        recall = np.array([c[1] for c in read["all"]])
        return DetectionScores(
            ap=_mean(precision["all"]),
            ap50=_mean(precision["all"][:, 0]),
            ap75=_mean(precision["all"][:, 5]),
            ap_small=_mean(precision["small"]),
            ap_medium=_mean(precision["medium"]),
            ap_large=_mean(precision["large"]),
            ar100=_mean(recall),
            ap_by_class=tuple(_mean(p) for p in precision["all"]),
        )

    def __call__(self, weights: Numbers) -> dict[str, float]:
        """Return the figures, ``ap/k`` for class k; ``nan`` where nothing is to be found."""
        scores = self.scores(weights)
        figures = {name: getattr(scores, name) for name in FIGURES}
        figures |= {f"ap/{k}": value for k, value in enumerate(scores.ap_by_class)}
        return {name: value if value >= 0 else float("nan") for name, value in figures.items()}

    def precision_at_recalls(self, label: int, *, overlap: float) -> Numbers:
        """Return the precision of one class at 101 recalls from 0 to 1; -1 without an object."""
        curve = self._curves["all"][label]
        table, _ = curve.read(np.ones(curve.pictures))
        row: Numbers = table[int(np.abs(OVERLAPS - overlap).argmin())]
        return row


def mistakes(
    truth: TruthBoxes, found: FoundBoxes, *, sure: float, overlap: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which objects of a picture were missed, and which boxes are none of them.

    Args:
        truth: What is in the picture.
        found: What a detector says.
        sure: Score from which a box counts.
        overlap: Intersection over union from which it is right.

    Returns:
        Places in ``truth`` and in ``found``. Crowds are not missed, and boxes in them are right.
    """
    missed: list[int] = []
    false: list[int] = []
    for label in np.unique(np.concatenate([truth.labels, found.labels])):
        objects = np.flatnonzero(truth.labels == label)
        told = np.flatnonzero((found.labels == label) & (found.scores >= sure))
        told = told[np.argsort(-found.scores[told], kind="stable")]
        crowd = np.zeros(len(objects), dtype=bool)
        if truth.crowd is not None:
            crowd = truth.crowd[objects]
        shared = _overlaps(found.boxes_px[told], truth.boxes_px[objects], crowd=crowd)
        partner = _pair(shared, least=overlap, skipped=crowd, crowd=crowd)
        false += told[partner < 0].tolist()
        seen = set(partner.tolist())
        missed += [
            int(one) for place, one in enumerate(objects) if not (crowd[place] or place in seen)
        ]
    return np.array(missed, dtype=np.int64), np.array(false, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Case:
    """One class in one picture: D detections, best first, and M objects."""

    scores: Numbers
    found_areas: Numbers
    truth_areas: Numbers
    crowd: Flags
    overlaps: Numbers
    """[D, M]."""


def _cases_of(
    truths: Sequence[TruthBoxes], found: Sequence[FoundBoxes], *, label: int
) -> list[_Case]:
    return [_case(t, f, label=label) for t, f in zip(truths, found, strict=True)]


def _case(truth: TruthBoxes, found: FoundBoxes, *, label: int) -> _Case:
    mine = truth.labels == label
    boxes = np.asarray(truth.boxes_px, dtype=np.float64).reshape(-1, 4)[mine]
    crowd = np.zeros(len(boxes), dtype=bool) if truth.crowd is None else truth.crowd[mine]
    areas = _areas(boxes) if truth.areas_px is None else np.asarray(truth.areas_px)[mine]
    theirs = np.flatnonzero(found.labels == label)
    scores = np.asarray(found.scores, dtype=np.float64)[theirs]
    order = np.argsort(-scores, kind="stable")[:_MOST_DETECTIONS]
    said = np.asarray(found.boxes_px, dtype=np.float64).reshape(-1, 4)[theirs[order]]
    return _Case(
        scores=scores[order],
        found_areas=_areas(said),
        truth_areas=areas,
        crowd=crowd,
        overlaps=_overlaps(said, boxes, crowd=crowd),
    )


class _Curve:
    """Detections of one class and size in all pictures, matched, best first."""

    def __init__(self, cases: Sequence[_Case], *, area_px: tuple[float, float]) -> None:
        results = [_match(case, area_px=area_px) for case in cases]
        self.pictures = len(cases)
        self._objects = np.array([count for _, _, count in results], dtype=np.float64)
        scores = np.concatenate([np.zeros(0), *(case.scores for case in cases)])
        order = np.argsort(-scores, kind="stable")
        nothing = np.zeros((len(OVERLAPS), 0), dtype=bool)
        right = np.concatenate([nothing, *(hits for hits, _, _ in results)], axis=1)[:, order]
        skipped = np.concatenate([nothing, *(skip for _, skip, _ in results)], axis=1)[:, order]
        counts = [len(case.scores) for case in cases]
        self._picture = np.repeat(np.arange(len(cases)), counts)[order]
        self._hits, self._misses = right & ~skipped, ~right & ~skipped

    def read(self, weights: Numbers) -> tuple[Numbers, Numbers]:
        """Return precision [10, 101] and largest recall [10]; -1 if there is no object."""
        objects = float(weights @ self._objects)
        if not objects:
            return np.full((len(OVERLAPS), len(_RECALLS)), -1.0), np.full(len(OVERLAPS), -1.0)
        if not len(self._picture):
            return np.zeros((len(OVERLAPS), len(_RECALLS))), np.zeros(len(OVERLAPS))
        mine = weights[self._picture]
        hits = (self._hits * mine).cumsum(axis=1)
        misses = (self._misses * mine).cumsum(axis=1)
        recall = hits / objects
        precision = hits / (hits + misses + _EPS)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        padded = np.pad(envelope, ((0, 0), (0, 1)))  # a recall never reached has precision 0
        read = [
            row[np.searchsorted(reached, _RECALLS, side="left")]
            for row, reached in zip(padded, recall, strict=True)
        ]
        return np.array(read), recall[:, -1]


def _match(case: _Case, *, area_px: tuple[float, float]) -> tuple[Flags, Flags, int]:
    """Match one picture: which detections are right, which do not count, each [10, D]; objects."""
    low, high = area_px
    skipped = case.crowd | (case.truth_areas < low) | (case.truth_areas > high)
    order = np.argsort(skipped, kind="stable")  # objects that count are preferred
    skipped, crowd, overlaps = skipped[order], case.crowd[order], case.overlaps[:, order]
    partner = np.stack(
        [_pair(overlaps, least=least, skipped=skipped, crowd=crowd) for least in OVERLAPS]
    )
    right = partner >= 0
    outside = (case.found_areas < low) | (case.found_areas > high)
    ignored = ~right & outside
    if len(skipped):
        ignored |= right & skipped[partner]
    return right, ignored, int((~skipped).sum())


def _pair(overlaps: Numbers, *, least: float, skipped: Flags, crowd: Flags) -> NDArray[np.int64]:
    """Give each detection, best first, the object it overlaps most, or -1; [D]."""
    partner = np.full(len(overlaps), -1, dtype=np.int64)
    free = np.ones(len(crowd), dtype=bool)
    for index, row in enumerate(overlaps):
        fits = (row >= least) & (free | crowd)
        if not fits.any():
            continue
        if (fits & ~skipped).any():
            fits &= ~skipped
        candidates = np.where(fits, row, -1.0)
        partner[index] = len(row) - 1 - int(candidates[::-1].argmax())  # the last of equals
        free[partner[index]] = False
    return partner


def _overlaps(found: Numbers, truth: Numbers, *, crowd: Flags) -> Numbers:
    """Intersection over union [D, M]; for a crowd, over the area of the detection alone."""
    corner = np.maximum(found[:, None, :2], truth[None, :, :2])
    far = np.minimum(found[:, None, 2:], truth[None, :, 2:])
    shared = (far - corner).clip(0).prod(axis=-1)
    own = np.broadcast_to(_areas(found)[:, None], shared.shape)
    union = np.where(crowd[None], own, own + _areas(truth)[None] - shared)
    overlaps: Numbers = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlaps


def _areas(boxes: Numbers) -> Numbers:
    areas: Numbers = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return areas


def _mean(values: Numbers) -> float:
    """Mean of the entries that exist, as COCO writes it."""
    known = values[values > -1]
    return float(known.mean()) if known.size else -1.0


def _check_lengths(kind: str, boxes_px: Numbers, lengths: Sequence[int]) -> None:
    if any(length != len(boxes_px) for length in lengths):
        message = f"{kind}: {len(boxes_px)} boxes, but other parts have {list(lengths)} entries"
        raise SettingError(message)
