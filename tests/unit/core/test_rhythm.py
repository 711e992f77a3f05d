"""When docc looks again: never later than `poll`, and just after a scrape once it knows the beat."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.core.rhythm import FOUND_SECONDS, PERIOD_SECONDS_MIN, Rhythm

FINITE = st.floats(-1e12, 1e12)


def looked(scrape: float, poll: float, *, phase: float, seconds: float) -> list[float]:
    """The instants of looks at a server that scrapes each `scrape` seconds, the first time at `phase`."""
    now, rhythm, looks = 100.0, Rhythm(), list[float]()
    while now < 100.0 + seconds:
        looks.append(now)
        seen = phase + scrape * math.floor((now - FOUND_SECONDS / 2 - phase) / scrape)
        rhythm = rhythm.heard(seen)
        now += rhythm.wait(now, poll)
    return looks


@pytest.mark.parametrize(("scrape", "poll"), [(2, 1), (2, 5), (15, 5), (15, 1), (1, 1), (30, 5), (5, 5), (0.5, 1)])
@pytest.mark.parametrize("phase", [0.0, 0.17, 0.43, 0.9])
def test_a_scrape_is_seen_at_once_as_soon_as_its_beat_is_known(scrape: float, poll: float, phase: float) -> None:
    looks = looked(scrape, poll, phase=phase, seconds=6 * scrape + 6 * poll)
    gaps = [later - earlier for earlier, later in zip(looks, looks[1:], strict=False)]
    assert max(gaps) <= poll + 1e-6
    known = [at for at in looks if at > 100.0 + 2 * max(scrape, poll) + poll]
    if scrape < poll:  # each look has just got the newest of several
        late = [(at - phase) % scrape for at in known]
    else:
        late = [
            min(at for at in looks if at >= beat + FOUND_SECONDS / 2) - beat for beat in beats(scrape, phase, known)
        ]
    assert late and min(late) > 0 and max(late) <= FOUND_SECONDS + PERIOD_SECONDS_MIN + 1e-6
    assert len(gaps) <= (looks[-1] - looks[0]) * (1 / poll + 1 / scrape) * 1.1 + 3, (
        "not many more than the manifest says"
    )


def beats(scrape: float, phase: float, looks: list[float]) -> list[float]:
    """The scrapes between the first and the last of the looks."""
    first = phase + scrape * math.ceil((looks[0] - phase) / scrape)
    return [first + scrape * number for number in range(math.floor((looks[-1] - first) / scrape))]


def test_without_a_second_sample_it_is_as_the_manifest_says() -> None:
    once = Rhythm().heard(1000.0)
    assert Rhythm().wait(1000.0, 5) == once.wait(1001.0, 5) == once.heard(1000.0).wait(1002.0, 5) == 5


def test_a_scrape_that_is_late_or_gone_is_waited_for_as_the_manifest_says() -> None:
    rhythm = Rhythm().heard(1000.0).heard(1002.0)
    assert rhythm.wait(1002.3, 5) == pytest.approx(3.8), "the second of two that are within reach"
    assert rhythm.wait(1002.1, 1) == 1
    assert rhythm.wait(1004.2, 1) == 1, "it should have come: the next one is not within a second"
    assert 0 < rhythm.wait(1900.0, 5) <= 5


@given(
    heard=st.lists(st.one_of(FINITE, st.sampled_from([math.nan, math.inf, -math.inf, 5e-324, 1e308])), max_size=5),
    asked_at=st.floats(0, 1e11),
    poll=st.floats(1, 3600),
)
def test_whatever_a_server_says_docc_looks_again_within_poll(heard: list[float], asked_at: float, poll: float) -> None:
    rhythm = Rhythm()
    for newest in heard:
        rhythm = rhythm.heard(newest)
    assert PERIOD_SECONDS_MIN <= rhythm.wait(asked_at, poll) <= poll
