"""Pictures of findings: which one is shown, and which are marked as sensitive."""

from fractions import Fraction

import pytest

from reelcheck.spans import Observation
from reelcheck.verdict.evidence import MAX_PICTURES
from reelcheck.verdict.judge import judge
from reelcheck.verdict.timeline import Failure, Picture
from sample_policy import OPEN, black, policy
from sample_timeline import event, picture, samples, timeline


def shown(*pictures: Picture, observed: tuple[Observation, ...]) -> list[float | None]:
    report = judge(timeline(*observed, pictures=pictures), OPEN)
    return [item.evidence.time_seconds if item.evidence else None for item in report.events]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ([10, 14, 19], 14),
        ([9.5, 19.9], 19.9),
        ([9.5], 9.5),
        ([9.5, 20.2], 20.2),
        ([9], 9),
        ([8.99], None),
        ([21], 21),
        ([21.01], None),
        ([], None),
    ],
)
def test_an_event_shows_the_picture_nearest_to_its_middle(
    at: list[float], expected: float | None
) -> None:
    observed = (event("defects.black", 10, 20),)

    assert shown(*map(picture, at), observed=observed) == [expected]


def test_an_event_shows_no_picture_of_another_stream() -> None:
    observed = (event("defects.black", 10, 20, stream=2),)

    assert shown(picture(15), picture(11, stream=2), observed=observed) == [11]
    assert shown(picture(15), observed=observed) == [None]


def test_at_most_forty_pictures_go_to_the_strongest_then_longest_events() -> None:
    cuts = [event("shots.cut", at, at + 1) for at in range(50)]
    long_cut = event("shots.cut", 50, 52)
    faults = [event("defects.black", 52, Fraction(521, 10))]
    pictures = tuple(picture(at) for at in range(53))
    report = judge(timeline(*cuts, long_cut, *faults, pictures=pictures), policy(black()))

    pictured = [item for item in report.events if item.evidence]
    assert len(pictured) == MAX_PICTURES
    assert pictured[-1].code == "defects.black"
    assert pictured[-2].start_seconds == 50
    assert [item.start_seconds for item in pictured[:-2]] == list(range(38))


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        ((event("defects.black", 10, 20),), [False]),
        ((event("nudity.breast", 10, 20),), [True]),
        ((event("fights.fight", 10, 20),), [True]),
        ((event("defects.black", 10, 20), event("fights.fight", 15, 16, stream=2)), [True, None]),
        ((event("defects.black", 10, 20), event("fights.fight", 14, 15, stream=2)), [False, None]),
        ((event("defects.black", 10, 20), *samples("nudity.score", [0.3], start=15)), [True]),
        ((event("defects.black", 10, 20), *samples("nudity.score", [0.29], start=15)), [False]),
        ((event("defects.black", 10, 20), *samples("nudity.score", [0.9], start=16)), [False]),
    ],
)
def test_pictures_that_nobody_should_see_unasked_are_marked(
    observed: tuple[Observation, ...], expected: list[bool | None]
) -> None:
    report = judge(timeline(*observed, pictures=(picture(15),)), OPEN)

    assert [
        item.evidence.sensitive if item.evidence else None for item in report.events
    ] == expected


def test_all_pictures_are_marked_when_the_check_of_nudity_broke() -> None:
    broken = (Failure(code="E_ANALYZER", message="words", analyzer="nudity"),)
    observed = event("defects.black", 10, 20)
    report = judge(timeline(observed, failures=broken, pictures=(picture(15),)), OPEN)

    assert [item.evidence and item.evidence.sensitive for item in report.events] == [True]
