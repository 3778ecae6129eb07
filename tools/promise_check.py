"""Checks the promise of ``reelcheck calibrate`` on videos that it never saw.

    python tools/promise_check.py labels.csv --reports reports --label fights.fight \
        --max-false-alarms-per-hour 150

Groups are dealt into two parts by chance, ``--draws`` times. On the one part a rule is calibrated
as the command does it; on the other its false alarms and the events that it finds are counted.
Every video needs a report in the folder. The promise is broken in a draw when the other part goes
beyond the limit; with a confidence of 90 % about one draw in ten may do so, plus what a part of so
few minutes scatters.
"""

import argparse
import random
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np

from reelcheck.calibration.calibrate import calibrate
from reelcheck.calibration.choose import Goal
from reelcheck.calibration.labels import read_labels
from reelcheck.calibration.sweep import sweep
from reelcheck.calibration.targets import Target, find_target
from reelcheck.calibration.tracks import Track, track_of
from reelcheck.verdict.policy import SignalRule, load_policy
from reelcheck.verdict.report import parse_report

_SEED: Final = 1


def read_tracks(table: Path, reports: Path, label: str) -> tuple[Target, list[Track]]:
    """Return the rule that a label means and what every report says of it."""
    found = [parse_report(path.read_bytes()) for path in sorted(reports.rglob("report.json"))]
    by_name = {report.video.name: report for report in found}
    signals = {name.partition("@")[0] for report in found for name in report.signals}
    target = find_target(label, load_policy("default"), signals)
    videos = [one for one in read_labels(table).videos if Path(one.file).name in by_name]
    return target, [
        track_of(
            by_name[Path(one.file).name],
            target,
            one.events.get(label, ()),
            video=one.file,
            group=one.group,
        )
        for one in videos
    ]


def count(tracks: list[Track], rule: SignalRule) -> tuple[float, float]:
    """Return false alarms per hour and the share of events that is found."""
    seen = sweep(tracks, rule, (rule.min_duration_seconds,))
    place = seen.thresholds.index(rule.on_at)
    false, found = seen.false[:, 0, place].sum(), seen.found[:, 0, place].sum()
    return float(false / seen.hours.sum()), float(found / seen.events.sum())


def main() -> None:
    """Print how often the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--label", required=True)
    limit = parser.add_mutually_exclusive_group(required=True)
    limit.add_argument("--max-false-alarms-per-hour", type=float)
    limit.add_argument("--min-recall", type=float)
    parser.add_argument("--draws", type=int, default=200)
    given = parser.parse_args()
    goal = Goal(
        max_false_alarms_per_hour=given.max_false_alarms_per_hour, min_recall=given.min_recall
    )
    target, tracks = read_tracks(given.table, given.reports, given.label)
    groups = sorted({track.group for track in tracks})
    hours = sum(track.clean_us for track in tracks) / 3.6e9
    print(f"{len(tracks)} videos, {len(groups)} groups, {hours:.3f} h without events; {goal}")
    chance, outcomes, counted = random.Random(_SEED), Counter[str](), []
    for _ in range(given.draws):
        own = set(chance.sample(groups, len(groups) // 2))
        choice = calibrate(target, [one for one in tracks if one.group in own], goal).choice
        outcomes[choice.outcome] += 1
        if choice.rule:
            counted.append(count([one for one in tracks if one.group not in own], choice.rule))
    print(f"{given.draws} draws: {dict(outcomes)}")
    if not counted:
        return
    rates, recalls = np.array(counted).T
    broken = (
        recalls < goal.min_recall if goal.min_recall else rates > given.max_false_alarms_per_hour
    )
    print(
        f"other part: false alarms per hour, mean {rates.mean():.0f}, most {rates.max():.0f}; "
        f"events found, mean {recalls.mean():.2f}, least {recalls.min():.2f}; "
        f"broken in {int(broken.sum())} of {len(rates)}"
    )


if __name__ == "__main__":
    main()
