"""The shipped analyzer ``fights`` under attack: a copy with gradients beside the code itself."""

from pathlib import Path

import pytest
import torch

from quality_pictures import clip, scene
from reelcheck.errors import SettingError
from reelcheck.lab.attack.gradient import Ascent, Budget, climb
from reelcheck.lab.attack.pools import pictures_for
from reelcheck.lab.attack.shipped import shipped_victim
from reelcheck.lab.attack.victims import Targets, Victim
from reelcheck.lab.errors import DataError


@pytest.fixture(scope="module")
def victim() -> Victim:
    return shipped_victim("fights")


@pytest.fixture(scope="module")
def shaken(victim: Victim, tmp_path_factory: pytest.TempPathFactory) -> Targets:
    folder = tmp_path_factory.mktemp("clips")
    sway = (0, 9, 3, 14)
    clip(
        folder / "shaken.mkv",
        lambda at: scene(3, width=256, height=144, shift=sway[int(at * 5) % len(sway)]),
        rate=25,
        seconds=3,
    )
    (folder / "notes.txt").write_text("no video")
    return pictures_for(victim, folder, count=5)


def test_the_copy_answers_as_the_analyzer_does(victim: Victim, shaken: Targets) -> None:
    assert victim.real is not None
    assert shaken.pixels.shape == (1, 25, 3, 256, 256)
    assert shaken.groups == ("shaken.mkv",)

    copied, shipped = victim.tell(shaken.pixels), victim.real(shaken.pixels)

    # The analyzer rounds what it reports to four digits.
    assert copied.softmax(dim=1)[0, 1].item() == pytest.approx(
        shipped.softmax(dim=1)[0, 1].item(), abs=1e-4
    )


def test_pushed_pixels_change_what_the_analyzer_itself_says(
    victim: Victim, shaken: Targets
) -> None:
    assert victim.real is not None
    before = victim.harm(victim.real(shaken.pixels), shaken.labels)

    points, harm = climb(victim, shaken, Budget(levels=8.0), Ascent(steps=6))

    assert (points - shaken.pixels).abs().max() <= 8 / 255 + 1e-6
    after = victim.harm(victim.real(points), shaken.labels)
    assert torch.all(after > before + 0.4)
    assert after == pytest.approx(harm, abs=0.1)


def test_clips_are_not_made_up(victim: Victim, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="none are generated"):
        pictures_for(victim, None, count=1)
    with pytest.raises(DataError, match="no video of two seconds"):
        pictures_for(victim, tmp_path, count=1)
