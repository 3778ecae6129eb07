"""Samples of a manifest: labelled or scored clips of videos."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from reelcheck.errors import ReelcheckError
from reelcheck.lab.data.cache import PictureCache, identity
from reelcheck.lab.data.prepare import Prepare, PrepareQuality
from reelcheck.lab.data.reading import Pictures, read_pictures
from reelcheck.lab.data.survey import Survey, Target, refuse_leaks, survey
from reelcheck.lab.recipe import Recipe
from reelcheck.models.card import InputSpec
from reelcheck.models.tensors import places

_WHOLE_CLIP_FPS: Final = Fraction(8)
"""Pictures a second that are read of a clip without a stated length."""
_QUALITY_CHOICE: Final = 4
"""Pictures that are read for each that a quality network sees: they are large."""
_MIB: Final = 1 << 20

Sample = tuple[Any, Any, int]
"""A clip [T, 3, h, w] and its class, or fragments with glance and a score (and the place of its
cause); and its number."""


def check_manifest(
    path: Path,
    *,
    seed: int,
    target: Target | None = None,
    score_range: tuple[float, float] | None = None,
    cache: PictureCache | None = None,
) -> Survey:
    """Read a manifest, leave unreadable clips out, refuse what would falsify the figures.

    Raises:
        DataError: the manifest is wrong, a group or a picture stands on both sides of the split,
            a class cannot be trained, or nothing is left of a part.
    """
    found = survey(path, seed=seed, target=target, score_range=score_range, cache=cache)
    refuse_leaks(found)
    return found


def cache_of(recipe: Recipe) -> PictureCache:
    """Return the cache that a recipe asks for, beside its manifest unless it names a folder."""
    part = recipe.data
    beside = part.manifest.parent if part.manifest else Path()
    folder = part.cache_folder or beside / ".reelcheck-cache"
    return PictureCache(folder, limit_bytes=part.cache_mib * _MIB)


class ManifestClips(Dataset[Sample]):
    """One part of a surveyed manifest.

    A clip that breaks while it is read is shown as black, and listed in ``failed``, whichever
    worker process of a loader read it: they share the memory that tells so.
    """

    def __init__(self, found: Survey, recipe: Recipe, *, part: str) -> None:
        """``part`` is ``train``, ``validation`` or ``test``."""
        self.epoch = 0
        mine = [number for number, row in enumerate(found.rows) if row.split == part]
        self.rows = [found.rows[number] for number in mine]
        self._lengths = [found.lengths_seconds[number] for number in mine]
        self.groups = [row.source for row in self.rows]
        self.labels: list[int] | list[float]
        if found.target == "score":
            self.labels = [row.score or 0.0 for row in self.rows]
        else:
            self.labels = [found.classes.index(row.label) for row in self.rows]
        widths = [row.half_width for row in self.rows if row.half_width is not None]
        if widths and len(widths) == len(self.rows):
            self.half_widths = widths
        self._scores = found.target == "score"
        self._causes = found.classes if self._scores else ()
        self._folder = found.folder
        self._recipe = recipe
        varied = recipe.augmentation if part == "train" else None
        self._jitter = varied is not None and varied.temporal_jitter
        self._prepare = (PrepareQuality if self._scores else Prepare)(recipe.input, varied)
        self._cache = cache_of(recipe)
        self._last: tuple[str, Pictures] | None = None  # asked for again when a sample is varied
        self._broken = torch.full((len(self.rows),), math.nan, dtype=torch.float64)
        self._broken.share_memory_()  # type: ignore[no-untyped-call]  # seen from loader processes

    def __len__(self) -> int:
        """Return how many clips there are."""
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        """Return clip, class (or score, float32) and number."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(hash((self._recipe.seed, self.epoch, index)) % 2**63)
            start = self._start(index)
            try:
                pictures = self._stretch(index, start)
            except (ReelcheckError, OSError):
                self._broken[index] = start
                pictures = self._black()
            chosen = _places(
                len(pictures), self._prepare.spec, jitter="on" if self._jitter else "off"
            )
            inputs = self._prepare(pictures[chosen])
        return inputs, self._target(index), index

    def _target(self, index: int) -> Any:  # noqa: ANN401 - by kind
        """Return a class; or a score, float32, with the place of its cause where that is known."""
        if not self._scores:
            return self.labels[index]
        told = [self.labels[index]]
        if self._causes:
            told.append(self._causes.index(self.rows[index].label))
        return torch.tensor(told if self._causes else told[0], dtype=torch.float32)

    @property
    def failed(self) -> dict[str, str]:
        """Files that broke while they were read, and why; each is tried once more to tell."""
        found: dict[str, str] = {}
        for index in torch.nonzero(~self._broken.isnan()).ravel().tolist():
            try:
                self._stretch(index, float(self._broken[index]))
            except (ReelcheckError, OSError) as error:
                found[self.rows[index].file] = str(error)
            else:
                found[self.rows[index].file] = "it could not be read at first, now it can"
        return found

    def _start(self, index: int) -> float:
        """Return where the stretch begins: with jitter anywhere in the clip, else in its middle.

        Places are half a stretch apart, so that a cache meets them again.
        """
        first = self.rows[index].start_seconds or 0.0
        length = self._recipe.data.clip_seconds
        if length is None or self._lengths[index] <= length:
            return first
        step = length / 2
        last = math.floor((self._lengths[index] - length) / step)
        chosen = int(torch.randint(last + 1, ())) if self._jitter else last // 2
        return first + step * chosen

    def _stretch(self, index: int, start: float) -> Pictures:
        """Return all pictures of a stretch, of the size in which they are prepared."""
        row, length = self.rows[index], self._recipe.data.clip_seconds
        end = row.end_seconds
        if length is not None:
            end = start + length if end is None else min(end, start + length)
        path, rate = self._folder / row.file, self._rate(index)
        fitted = self._prepare.fitting
        key = f"clip {identity(path)} {start} {end} {rate} {fitted}"
        if self._last is not None and self._last[0] == key:
            return self._last[1]
        kept: NDArray[np.uint8] | None = self._cache.get(key)  # type: ignore[assignment]
        if kept is None:
            kept = read_pictures(
                path,
                rate_fps=rate,
                start_seconds=start,
                end_seconds=end,
                change=self._prepare.fit,
            )
            self._cache.put(key, kept)
        self._last = (key, kept)
        return kept

    def _rate(self, index: int) -> Fraction:
        frames, length = self._recipe.input.frames, self._recipe.data.clip_seconds
        if length is not None:
            return Fraction(frames) / Fraction(length).limit_denominator()
        if not self._scores:
            return _WHOLE_CLIP_FPS
        wanted = Fraction(_QUALITY_CHOICE * frames) / Fraction(self._lengths[index])
        return min(_WHOLE_CLIP_FPS, wanted)

    def _black(self) -> Pictures:
        width, height = self._recipe.input.size_px
        return self._prepare.fit(
            np.zeros((self._recipe.input.frames, height, width, 3), dtype=np.uint8)
        )


def _places(count: int, spec: InputSpec, *, jitter: str) -> NDArray[np.intp]:
    """Return which pictures are shown; jitter draws one of each segment, or where neighbours begin.

    One random picture of each segment: TSN, Wang et al., arXiv 1608.00859.
    """
    if jitter == "off" or spec.sampling == "middle" or count <= spec.frames:
        return places(count, spec)
    if spec.sampling == "dense":
        return int(torch.randint(count - spec.frames + 1, ())) + np.arange(spec.frames)
    edges = np.arange(spec.frames + 1) * count / spec.frames
    offsets = torch.rand(spec.frames).numpy()
    return np.asarray(edges[:-1] + offsets * np.diff(edges), dtype=np.intp)
