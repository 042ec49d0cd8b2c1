"""Jobs in threads of their own: their news, their results, and how all end where one fails."""

import threading
from collections.abc import Callable

import pytest

from gridcast.models.tensorflow.side_by_side import side_by_side

Tell = Callable[[int], None]
TOGETHER_S = 10.0


def test_results_come_in_the_order_of_the_jobs_and_all_news_reach_the_calling_thread() -> None:
    heard: list[tuple[int, str]] = []

    def job(number: int) -> Callable[[Tell], str]:
        def run(tell: Tell) -> str:
            for news in range(3):
                tell(10 * number + news)
            return str(number)

        return run

    results = side_by_side(
        [job(number) for number in range(5)],
        at_once=2,
        on_news=lambda each: heard.append((each, threading.current_thread().name)),
    )

    assert results == ["0", "1", "2", "3", "4"]
    assert sorted(news for news, _ in heard) == [10 * number + news for number in range(5) for news in range(3)]
    assert {thread for _, thread in heard} == {threading.current_thread().name}


def test_as_many_run_at_a_time_as_asked_for() -> None:
    both = threading.Barrier(2)
    jobs = [lambda _: both.wait(TOGETHER_S) for _ in range(4)]
    assert sorted(side_by_side(jobs, at_once=2, on_news=print)) == [0, 0, 1, 1]


def endless(tell: Tell) -> None:
    while True:
        tell(0)


def failing(_: Tell) -> None:
    raise ValueError("broken")


@pytest.mark.parametrize("jobs", [[endless, failing, endless], [failing, endless, endless]])
def test_where_one_fails_the_others_end_and_its_error_is_told(jobs: list[Callable[[Tell], None]]) -> None:
    with pytest.raises(ValueError, match="broken"):
        side_by_side(jobs, at_once=2, on_news=lambda _: None)


def test_what_raises_in_the_listener_ends_all() -> None:
    def listener(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        side_by_side([endless, endless, endless], at_once=2, on_news=listener)
