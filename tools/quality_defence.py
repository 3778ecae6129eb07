"""Fits the constants of the second opinion on quality scores, and measures it under attack.

    python tools/quality_defence.py recipes/ladders/clips.csv --out defence.json

Pictures are from the middle of clips of the ladders that ``tools/quality_ladders.py`` makes, two of
each scene: one that was compressed and one that was blurred, enlarged or noisy, both judged below
4 by their labels. The constants of ``reelcheck.analyzers.quality.defence`` are fitted on scenes of
the training part, unattacked; everything is measured on those of the other parts, which neither
the weights nor the constants have seen. Attacks know the network and push the whole luma picture:
I-FGSM with ten steps at four and eight levels of 255; ``adaptive`` knows the defence too and raises
both scores with twenty steps, with the slopes of the identity for coding (BPDA, Athalye et al.,
arXiv 1802.00420). What they find is rounded to bytes and judged by the analyzer's own code.
Honest pictures that are suspected are counted over all such clips of the other scenes: two of each
are too few for that. Intervals are over scenes.
"""

import argparse
import csv
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelcheck.analyzers.quality import Judge
from reelcheck.analyzers.quality.defence import recoded
from reelcheck.frames import Colour
from reelcheck.lab.attack.battery import mean_of
from reelcheck.lab.attack.onnx_torch import OnnxFunction
from reelcheck.lab.attack.shipped import quality_inputs
from reelcheck.lab.measure.bootstrap import Interval
from reelcheck.models.card import load_card
from reelcheck.models.session import open_session
from reelcheck.models.store import read_parts

Levels = NDArray[np.uint8]
Numbers = NDArray[np.float64]
FULL: Final = Colour(full_range=True)
CARD: Final = load_card("quality")
NETWORK: Final = OnnxFunction(read_parts(CARD).content[CARD.weights.file], output=CARD.output.name)
JUDGE: Final = Judge(CARD, open_session(CARD))
KINDS: Final = (("compression",), ("blur", "scaling", "noise"))
BELOW: Final = 4.0
UNATTACKED: Final = ("clean", "crf23", "crf30")
HELD: Final = 0.97
"""Share of unattacked pictures that stay below the limit."""
TRAINED: Final = "train"


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, help="clips.csv of the ladders")
    parser.add_argument("--out", type=Path, default=Path("defence.json"))
    parser.add_argument("--scenes", type=int, default=60, help="at most; twice as many pictures")
    parser.add_argument("--adaptive", type=int, default=20, help="pictures that are attacked so")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    adaptive = given.adaptive
    for row in chosen(given.manifest, given.scenes):
        picture = middle(given.manifest.parent / row["file"])
        if picture is None:
            continue
        unseen = row["split"] != TRAINED
        rows.append(measured(picture, row, adaptive=unseen and adaptive > 0))
        adaptive -= unseen
        given.out.write_text(json.dumps({"pictures": rows}, indent=1) + "\n", "utf-8")
    found = summary(rows, honest(given.manifest))
    given.out.write_text(json.dumps({**found, "pictures": rows}, indent=1) + "\n", "utf-8")
    print(json.dumps(found, indent=2))


def chosen(manifest: Path, scenes: int) -> list[dict[str, str]]:
    """Return a compressed and an otherwise spoilt clip of every scene; the same ones every time."""
    by_scene: dict[str, list[dict[str, str]]] = {}
    for row in _spoilt(manifest):
        by_scene.setdefault(row["group"], []).append(row)
    chance = random.Random(5)
    names = sorted(by_scene)
    chance.shuffle(names)
    found = []
    for name in names[:scenes]:
        for kinds in KINDS:
            fitting = [row for row in by_scene[name] if row["label"] in kinds]
            if fitting:
                found.append(chance.choice(fitting))
    return found


def _spoilt(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if row["score"] and float(row["score"]) < BELOW]


def honest(manifest: Path) -> list[dict[str, Any]]:
    """Return the scores of all such clips of scenes that were not trained on, unattacked."""
    rows = []
    for row in _spoilt(manifest):
        if row["split"] == TRAINED or not any(row["label"] in kinds for kinds in KINDS):
            continue
        picture = middle(manifest.parent / row["file"])
        if picture is not None:
            told = {name: scores(one) for name, one in unattacked(picture).items()}
            rows.append({"scene": row["group"], "scores": told})
    return rows


def unattacked(picture: Levels) -> dict[str, Levels]:
    """Return a picture as it is, and coded once more by somebody who means no harm."""
    return {"clean": picture, "crf23": coded(picture, 23), "crf30": coded(picture, 30)}


def middle(path: Path) -> Levels | None:
    """Return the middle of the first 40 pictures as luma of full range; ``None`` if too small."""
    with av.open(str(path)) as container:
        seen = [one for _, one in zip(range(40), container.decode(video=0), strict=False)]
    picture = np.asarray(seen[len(seen) // 2].to_ndarray(format="gray"), dtype=np.uint8)
    return picture if min(picture.shape) >= 192 else None  # noqa: PLR2004 - fragments side by side


def measured(picture: Levels, row: dict[str, str], *, adaptive: bool) -> Any:  # noqa: ANN401 - for JSON
    """Return first and second score of a picture, unattacked and attacked."""
    versions = unattacked(picture)
    versions |= {f"ifgsm{eps}": pushed(picture, eps, steps=10, follow=first) for eps in (4, 8)}
    if adaptive:
        for eps in (4, 8):
            versions[f"adaptive{eps}"] = pushed(picture, eps, steps=20, follow=both)
    return {
        "scene": row["group"],
        "file": row["file"],
        "unseen": row["split"] != TRAINED,
        "scores": {name: scores(one) for name, one in versions.items()},
    }


def scores(picture: Levels) -> tuple[float, float]:
    """Return the score of a picture, and of what coding leaves of it."""
    seen = JUDGE.views(picture, FULL)
    if seen is None:
        raise SystemExit("a picture has nothing to judge")
    second = JUDGE.judged(*(recoded(np.ascontiguousarray(one)) for one in seen))
    return JUDGE.judged(*seen).score, second.score


def coded(picture: Levels, crf: int) -> Levels:
    """Return a picture as one frame of H.264 at a rate factor."""
    height, width = (side - side % 2 for side in picture.shape)
    planes = np.full((height * 3 // 2, width), 128, dtype=np.uint8)
    planes[:height] = picture[:height, :width]
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
    encoder.options = {"crf": str(crf), "preset": "medium"}
    packets = encoder.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p"))
    packets += encoder.encode(None)
    decoder = av.CodecContext.create("h264", "r")
    frames = [one for packet in packets for one in decoder.decode(packet)]
    frames += decoder.decode(None)
    return np.asarray(frames[0].to_ndarray()[:height], dtype=np.uint8)


def first(pixels: Tensor) -> Tensor:
    """Return the score that the analyzer tells without defence."""
    return NETWORK(quality_inputs(pixels, CARD))[:, 0]


def both(pixels: Tensor) -> Tensor:
    """Return the sum of both scores; coding has the slopes of the identity."""
    seen = quality_inputs(pixels, CARD)
    mean, scale = CARD.input.mean[0], CARD.input.scale[0]
    left = {}
    for name, one in seen.items():
        grey = (one.detach().reshape(-1, *one.shape[-3:])[0, 0] * scale + mean).round()
        again = recoded(grey.clamp(0, 255).byte().numpy())
        moved = (torch.from_numpy(again).float() - mean) / scale
        left[name] = one + (moved - one).detach()
    return NETWORK(seen)[:, 0] + NETWORK(left)[:, 0]


def pushed(
    picture: Levels, levels: int, *, steps: int, follow: Callable[[Tensor], Tensor]
) -> Levels:
    """Return a picture after an ascent (I-FGSM, Kurakin et al., arXiv 1607.02533), as bytes."""
    start = torch.from_numpy(picture.astype(np.float32))[None, None, None] / 255
    most, step = levels / 255, 2.5 * levels / 255 / steps
    point = start
    for _ in range(steps):
        point = point.detach().requires_grad_()
        (slope,) = torch.autograd.grad(follow(point).sum(), point)
        push = (point.detach() + step * slope.sign() - start).clamp(-most, most)
        point = (start + push).clamp(0, 1)
    return (point[0, 0, 0].detach() * 255).round().byte().numpy()


def summary(rows: Sequence[Any], others: Sequence[Any]) -> dict[str, Any]:
    """Return constants from scenes of the training, figures of other scenes and honest clips."""
    seen = [row for row in rows if not row["unseen"]]
    unseen = [row for row in rows if row["unseen"]]
    pairs = np.array([row["scores"][name] for row in seen for name in UNATTACKED])
    slope, intercept = np.polyfit(pairs[:, 1], pairs[:, 0], 1)

    def excess(pair: Numbers) -> Numbers:
        should = np.clip(intercept + slope * pair[:, 1], 1, 5)
        return np.asarray(pair[:, 0] - should)

    limit = float(np.quantile(excess(pairs), HELD))
    found: dict[str, Any] = {
        "constants": {"INTERCEPT": intercept, "SLOPE": slope, "LIMIT": limit},
        "scenes": {"fitted": len({one["scene"] for one in seen}), "measured": 0},
    }
    found["scenes"]["measured"] = len({one["scene"] for one in unseen})
    plain = np.concatenate([excess(_pairs(unseen, name)) for name in UNATTACKED])
    groups = [row["scene"] for row in others]
    found["false positives"] = {"pictures": len(others)} | {
        name: _told(excess(_pairs(others, name)) > limit, groups) for name in UNATTACKED
    }
    for name in sorted({name for row in unseen for name in row["scores"]} - {*UNATTACKED}):
        those = [row for row in unseen if name in row["scores"]]
        pair, clean = _pairs(those, name), _pairs(those, "clean")[:, 0]
        over = excess(pair)
        after = np.where(over > limit, pair[:, 0] - over, pair[:, 0])
        names = [row["scene"] for row in those]
        found[name] = {
            "pictures": len(those),
            "inflation before": _told(pair[:, 0] - clean, names),
            "inflation after": _told(after - clean, names),
            "suspected": _told(over > limit, names),
            "auc": float((over[:, None] > plain[None]).mean()),
        }
    return found


def _pairs(rows: Sequence[Any], name: str) -> Numbers:
    return np.array([row["scores"][name] for row in rows])


def _told(values: NDArray[Any], groups: Sequence[str]) -> dict[str, float | None]:
    interval: Interval = mean_of(values.astype(np.float64), groups)
    return asdict(interval)


if __name__ == "__main__":
    main()
