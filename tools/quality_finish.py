"""Widens the intervals of a trained quality network until they hold 90 % of held-out scores.

    python tools/quality_finish.py RUN

Conformalised quantile regression (Romano et al., NeurIPS 2019): the margin that is missing to hold
the scores of the validation part, whose scenes were not trained on, is added to both sides. It is
written into ``RUN/network.pt``. Clips of one scene are alike: the promise is that of the mean over
scenes like these; how often the test part is held is told by ``reelcheck lab evaluate RUN``.
"""

import argparse
import math
from pathlib import Path
from typing import Final

import numpy as np
import torch

from reelcheck.lab.engine.run import WEIGHTS, load_trained
from reelcheck.lab.evaluation.rows import predict

_HELD: Final = 0.9


def main() -> None:
    """Set the margin of a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    given = parser.parse_args()
    recipe, trained = load_trained(given.run)
    network = trained.network
    network.head.margin.zero_()  # type: ignore[union-attr, operator]  # of quality_lite0
    rows = predict(network, trained.data.validation, batch=recipe.training.batch)
    told, truth = rows.scores, rows.opinions
    missing = np.sort(np.maximum(told[:, 1] - truth, truth - told[:, 2]))
    place = min(len(missing) - 1, math.ceil((len(missing) + 1) * _HELD) - 1)
    network.head.margin.fill_(float(missing[place]))  # type: ignore[union-attr, operator]
    torch.save(network.state_dict(), given.run / WEIGHTS)
    before = float(((told[:, 1] <= truth) & (truth <= told[:, 2])).mean())
    print(f"{len(truth)} clips of {len(set(rows.groups))} scenes: {before:.1%} were held;")
    print(f"margin {missing[place]:+.4f} on both sides")


if __name__ == "__main__":
    main()
