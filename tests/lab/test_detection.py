"""COCO average precision: by hand, and against pycocotools."""

import contextlib
import io
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from reelcheck.errors import SettingError
from reelcheck.lab.measure.detection import (
    DetectionScores,
    Flags,
    FoundBoxes,
    TruthBoxes,
    measure_detections,
)

CLASSES = 4
BOX = (10.0, 10.0, 50.0, 50.0)


def truth(
    *boxes: ArrayLike, labels: list[int] | None = None, crowd: Flags | None = None
) -> TruthBoxes:
    return TruthBoxes(
        boxes_px=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        labels=np.array(labels or [0] * len(boxes), dtype=np.int64),
        crowd=crowd,
    )


def found(*boxes: ArrayLike, scores: list[float], labels: list[int] | None = None) -> FoundBoxes:
    return FoundBoxes(
        boxes_px=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        scores=np.array(scores),
        labels=np.array(labels or [0] * len(boxes), dtype=np.int64),
    )


def test_a_perfect_detection_scores_one() -> None:
    scores = measure_detections([truth(BOX)], [found(BOX, scores=[0.3])], classes=1)
    assert scores.ap == pytest.approx(1)
    assert scores.ar100 == pytest.approx(1)
    assert scores.ap_medium == pytest.approx(1)
    assert scores.ap_small == scores.ap_large == -1  # there is nothing of these sizes


def test_a_picture_without_detections_scores_zero() -> None:
    scores = measure_detections([truth(BOX)], [found(scores=[])], classes=1)
    assert scores.ap == scores.ar100 == 0


def test_nothing_to_find_has_no_score() -> None:
    assert measure_detections([truth()], [found(BOX, scores=[1.0])], classes=1).ap == -1


@pytest.mark.parametrize(("height", "ap50", "ap75"), [(29, 1, 0), (31, 1, 1), (19, 0, 0)])
def test_the_overlap_decides_what_is_found(height: int, ap50: float, ap75: float) -> None:
    said = found((10, 10, 50, 10 + height), scores=[0.9])
    scores = measure_detections([truth(BOX)], [said], classes=1)
    assert (scores.ap50, scores.ap75) == pytest.approx((ap50, ap75))


@pytest.mark.parametrize(("good", "bad", "ap"), [(0.9, 0.1, 1.0), (0.1, 0.9, 0.5)])
def test_a_false_alarm_costs_only_what_it_outranks(good: float, bad: float, ap: float) -> None:
    said = found(BOX, (60, 60, 90, 90), scores=[good, bad])
    assert measure_detections([truth(BOX)], [said], classes=1).ap50 == pytest.approx(ap)


def test_the_second_detection_of_one_object_is_false() -> None:
    other = (60, 60, 90, 90)
    said = found(BOX, BOX, other, scores=[0.9, 0.8, 0.7])
    scores = measure_detections([truth(BOX, other)], [said], classes=1)
    assert scores.ap50 == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_detections_within_a_crowd_do_not_count() -> None:
    crowd = truth(BOX, (60, 0, 100, 100), crowd=np.array([False, True]))
    said = found((60, 0, 80, 20), (70, 30, 90, 60), BOX, scores=[0.9, 0.8, 0.7])
    assert measure_detections([crowd], [said], classes=1).ap50 == pytest.approx(1)


def test_wrong_shapes_and_labels_are_refused() -> None:
    with pytest.raises(SettingError, match="1 pictures of truth, but 0"):
        measure_detections([truth(BOX)], [], classes=1)
    with pytest.raises(SettingError, match="labels must lie in 0 to 0, got 1 to 1"):
        measure_detections([truth(BOX, labels=[1])], [found(scores=[])], classes=1)
    with pytest.raises(SettingError, match="detections: 1 boxes"):
        found(BOX, scores=[0.1, 0.2])


def random_case(seed: int, *, pictures: int = 12) -> tuple[list[TruthBoxes], list[FoundBoxes]]:
    """Return pictures with crowds, all sizes, empty ones, near misses, ties and false alarms."""
    rng = np.random.default_rng(seed)
    truths, said = [], []
    for _ in range(pictures):
        count = int(rng.integers(0, 9))
        corners = rng.uniform(0, 300, (count, 2))
        boxes = np.concatenate((corners, corners + np.exp(rng.uniform(1.5, 5.3, (count, 2)))), 1)
        labels = rng.integers(0, CLASSES, count)
        truths.append(
            TruthBoxes(
                boxes_px=boxes,
                labels=labels,
                crowd=rng.random(count) < 0.15,
                areas_px=(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) * rng.uniform(0.5, 1, count),
            )
        )
        repeats = int(rng.integers(0, 4)) * (40 if rng.random() < 0.1 else 1)
        near = np.repeat(boxes, repeats, axis=0)
        near = near + rng.normal(0, 4, near.shape)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        kinds = np.repeat(labels, repeats)
        kinds = np.where(rng.random(len(kinds)) < 0.2, rng.integers(0, CLASSES, len(kinds)), kinds)
        said.append(FoundBoxes(boxes_px=near, scores=rng.random(len(near)).round(2), labels=kinds))
    return truths, said


def _given(part: NDArray[Any] | None) -> NDArray[Any]:
    assert part is not None
    return part


def _as_coco(image: int, box: NDArray[Any], label: int) -> dict[str, object]:
    return {
        "image_id": image,
        "category_id": int(label),
        "bbox": [*box[:2], *(box[2:] - box[:2])],
    }


def by_pycocotools(truths: list[TruthBoxes], said: list[FoundBoxes]) -> DetectionScores:
    """Return the same figures from the reference implementation."""
    coco = pytest.importorskip("pycocotools.coco", reason="needs pycocotools, the reference")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    reference = coco.COCO()
    annotations = [
        {**_as_coco(image, box, label), "area": float(area), "iscrowd": int(crowd)}
        for image, entry in enumerate(truths)
        for box, label, area, crowd in zip(
            *(entry.boxes_px, entry.labels),
            *(_given(entry.areas_px), _given(entry.crowd)),
            strict=True,
        )
    ]
    reference.dataset = {
        "images": [{"id": image} for image in range(len(truths))],
        "annotations": [{"id": i + 1, **row} for i, row in enumerate(annotations)],
        "categories": [{"id": label} for label in range(CLASSES)],
    }
    results = [
        {**_as_coco(image, box, label), "score": float(score)}
        for image, entry in enumerate(said)
        for box, label, score in zip(entry.boxes_px, entry.labels, entry.scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        reference.createIndex()
        judge = cocoeval.COCOeval(reference, reference.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return _scores(judge.stats, judge.eval["precision"][:, :, :, 0, 2])


def _scores(stats: NDArray[Any], precision: NDArray[Any]) -> DetectionScores:
    return DetectionScores(
        ap=stats[0],
        ap50=stats[1],
        ap75=stats[2],
        ap_small=stats[3],
        ap_medium=stats[4],
        ap_large=stats[5],
        ar100=stats[8],
        ap_by_class=tuple(
            float(p[p > -1].mean()) if (p > -1).any() else -1.0
            for p in (precision[:, :, k] for k in range(CLASSES))
        ),
    )


@pytest.mark.parametrize("seed", range(30))
def test_all_figures_equal_those_of_pycocotools(seed: int) -> None:
    truths, said = random_case(seed, pictures=2 + seed)
    ours, theirs = measure_detections(truths, said, classes=CLASSES), by_pycocotools(truths, said)
    for field in fields(DetectionScores):
        got, wanted = getattr(ours, field.name), getattr(theirs, field.name)
        assert got == pytest.approx(wanted, abs=1e-6), field.name
