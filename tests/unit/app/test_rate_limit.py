"""A bucket of tokens fills up evenly, and there are never too many buckets."""

import pytest

from gridcast.app.guard.rate_limit import TokenBuckets


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_worth_may_be_asked_at_once_and_then_one_by_one() -> None:
    clock = Clock()
    buckets = TokenBuckets(per_minute=60, clock=clock)
    assert [buckets.take("a") for _ in range(60)] == [0.0] * 60
    assert buckets.take("a") == pytest.approx(1.0)
    clock.now += 0.5
    assert buckets.wait("a") == pytest.approx(0.5)
    clock.now += 0.5
    assert buckets.take("a") == 0.0
    assert buckets.take("a") == pytest.approx(1.0)


def test_being_refused_costs_nothing() -> None:
    clock = Clock()
    buckets = TokenBuckets(per_minute=1, clock=clock)
    buckets.take("a")
    for _ in range(100):
        assert buckets.take("a") > 0
    clock.now += 60.0
    assert buckets.take("a") == 0.0


def test_callers_do_not_share_a_bucket() -> None:
    buckets = TokenBuckets(per_minute=1)
    assert buckets.take("a") == buckets.take("b") == 0.0
    assert buckets.take("a") > 0


def test_a_bucket_never_holds_more_than_a_minute_allows() -> None:
    clock = Clock()
    buckets = TokenBuckets(per_minute=3, clock=clock)
    buckets.take("a")
    clock.now += 86_400.0
    assert [buckets.take("a") > 0 for _ in range(4)] == [False, False, False, True]


def test_the_longest_silent_is_forgotten_so_that_memory_stays_bounded() -> None:
    buckets = TokenBuckets(per_minute=1, most_callers=1000)
    for number in range(100_000):
        buckets.take(str(number))
    assert len(buckets) == 1000
    assert buckets.take("99999") > 0
