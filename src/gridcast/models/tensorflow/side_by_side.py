"""Several jobs at a time in threads of their own: a training step keeps hardly more than one core busy."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

News = TypeVar("News")
Result = TypeVar("Result")


class _StoppedError(Exception):
    """Raised in a job by what it tells, once another has failed."""


def side_by_side(
    jobs: Sequence[Callable[[Callable[[News], None]], Result]], *, at_once: int, on_news: Callable[[News], None]
) -> list[Result]:
    """What every job gives, in their order; `at_once` of them run at a time.

    Each is handed a function to tell how it goes on; what it tells reaches `on_news` in the calling thread. Where a job
    or `on_news` raises, the others end with the next thing they tell, and the error goes on to the caller.
    """
    told: SimpleQueue[News | None] = SimpleQueue()
    is_stopped = threading.Event()

    def go_on() -> None:
        if is_stopped.is_set():
            raise _StoppedError

    def tell(news: News) -> None:
        go_on()
        told.put(news)

    def run(job: Callable[[Callable[[News], None]], Result]) -> Result:
        try:
            go_on()
            return job(tell)
        except BaseException:
            is_stopped.set()
            raise
        finally:
            told.put(None)

    with ThreadPoolExecutor(at_once, thread_name_prefix="side_by_side") as pool:
        begun = [pool.submit(run, job) for job in jobs]
        try:
            for _ in jobs:
                while (news := told.get()) is not None:
                    on_news(news)
        except BaseException:
            is_stopped.set()
            raise
    errors = [error for each in begun if (error := each.exception()) is not None]
    for error in sorted(errors, key=lambda each: isinstance(each, _StoppedError)):
        raise error
    return [each.result() for each in begun]
