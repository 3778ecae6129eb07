"""Measures the quality network on distortions that its training never showed.

    python tools/quality_unseen.py recipes/quality.toml

For each cause in the manifest of the recipe, a head is trained on the training clips of all other
causes, as the recipe says, over the same frozen layers. It then judges the clips with that cause of
the validation and test scenes, so that neither scene nor distortion was seen. ``any`` pools them:
every clip is judged by the head that does not know its cause. Beside it, the same clips judged by a
head that knows all causes. Intervals are over scenes.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from reelcheck.lab.data.chosen import Chosen
from reelcheck.lab.data.sources import open_data
from reelcheck.lab.engine.described import Described
from reelcheck.lab.engine.refit import refit
from reelcheck.lab.engine.run import fresh_network
from reelcheck.lab.measure.bootstrap import resample
from reelcheck.lab.measure.quality import Judge, Opinions, Told
from reelcheck.lab.recipe import load_recipe

Judged = NDArray[np.float64]
"""Score, lower and upper of each clip, shape [N, 3]."""
UNTOUCHED: Final = "clean"


def main() -> None:
    """Print a row for each cause."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", type=Path)
    given = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    school = School(given.recipe)
    causes = sorted(set(school.causes) - {UNTOUCHED})
    knowing, unknowing = school.taught(without=""), np.zeros((len(school.causes), 3))
    for cause in causes:
        clips = school.of({cause})
        unknowing[clips] = school.taught(without=cause)[clips]
        school.tell(cause, clips, unknowing, knowing)
    school.tell("any", school.of(set(causes)), unknowing, knowing)


class School:
    """Descriptions of all clips, from which heads learn."""

    def __init__(self, path: Path) -> None:
        self._recipe = load_recipe(path)
        self._data = open_data(self._recipe)
        self._network = fresh_network(self._recipe, self._data)
        self._network.train()  # the trunk varies what it describes, as in every training
        draws = self._recipe.training.described_draws
        self._learned = Described(self._data.train, self._network, self._recipe, draws=draws)
        self._network.eval()
        parts: Any = (self._data.validation, self._data.test)
        self._asked = [Described(part, self._network, self._recipe, draws=1) for part in parts]
        rows = [row for part in parts for row in part.rows]
        self.causes = [row.label for row in rows]
        self._scenes = [row.source for row in rows]
        self._opinions = np.array([row.score for row in rows])

    def of(self, causes: set[str]) -> list[int]:
        """Return the places of the unseen clips with such a cause."""
        return [place for place, cause in enumerate(self.causes) if cause in causes]

    def taught(self, *, without: str) -> Judged:
        """Return what a head that learned without a cause says of all unseen clips."""
        torch.manual_seed(self._recipe.seed)
        head = fresh_network(self._recipe, self._data).get_submodule("head")
        known: Any = self._data.train
        chosen = [place for place, row in enumerate(known.rows) if row.label != without]
        classes = len(self._data.classes)
        refit(head, self._recipe, Chosen(self._learned, chosen), classes=classes)
        head.eval()
        inputs = (part[place][0] for part in self._asked for place in range(len(part)))
        with torch.inference_mode():
            told = [head(*(one[None] for one in each))[0, :3].numpy() for each in inputs]
        return np.array(told, dtype=np.float64)

    def tell(self, name: str, clips: Sequence[int], *heads: Judged) -> None:
        """Print the figures of heads on some clips."""
        opinions = Opinions(scores=self._opinions[clips])
        groups = [self._scenes[place] for place in clips]
        words = []
        for judged in heads:
            score, lower, upper = judged[clips].T
            judge = Judge(Told(scores=score, lower=lower, upper=upper), opinions)
            found = resample(judge, groups).intervals()
            words.append(f"SROCC {found['srocc']}, PLCC {found['plcc']}")
        print(f"{name:12} {len(clips):4} clips  unknown: {words[0]}  known: {words[1]}", flush=True)


if __name__ == "__main__":
    main()
