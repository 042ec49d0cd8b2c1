"""Answers at hand are those of the store as it is, whoever changes it and whenever."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridcast.app.changes import Changes
from gridcast.app.newest import Answer, NewestForecasts
from gridcast.store.marks import Mark
from gridcast.store.store import Store

FIRST, SECOND = (Mark(None, None, 1, offset, 0, 0) for offset in (1, 2))
KEY = ("system", "effective")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def newest(tmp_path: Path) -> Iterator[NewestForecasts]:
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        changes = Changes(store, mark=FIRST)
        yield NewestForecasts(changes, clock=Clock())


def kept(newest: NewestForecasts) -> bytes | None:
    answer = newest.at_hand(*KEY)
    return None if answer is None else answer.body


def test_an_answer_holds_as_long_as_the_mark_stays_the_same(newest: NewestForecasts) -> None:
    assert kept(newest) is None
    newest.keep(*KEY, Answer(b"old"), mark=FIRST, begun=0)
    assert kept(newest) == b"old"
    newest.changes.mark = SECOND
    assert kept(newest) is None
    newest.changes.mark = None
    assert kept(newest) is None


def test_what_was_made_for_a_new_mark_is_told_once_it_is_the_stores(newest: NewestForecasts) -> None:
    newest.keep(*KEY, Answer(b"old"), mark=FIRST, begun=0)
    newest.keep_for({KEY: Answer(b"new")}, mark=SECOND, begun=0)
    assert kept(newest) == b"old"
    newest.changes.mark = SECOND
    assert kept(newest) == kept(newest) == b"new"


def test_what_was_begun_before_all_was_forgotten_is_never_told(newest: NewestForecasts) -> None:
    begun = newest.forgotten
    newest.forget()
    newest.keep(*KEY, Answer(b"old"), mark=FIRST, begun=begun)
    newest.keep_for({KEY: Answer(b"old too")}, mark=FIRST, begun=begun)
    assert kept(newest) is None


def test_only_what_was_asked_for_is_made_anew(newest: NewestForecasts) -> None:
    newest.keep(*KEY, Answer(b"old"), mark=FIRST, begun=0)
    newest.keep("zone", "model", Answer(b"nobody asks"), mark=FIRST, begun=0)
    newest.at_hand(*KEY)
    assert newest.asked_lately() == {KEY}
    assert newest.asked_lately() == set()


def test_an_answer_is_made_anew_after_a_minute_whatever_the_mark_says(newest: NewestForecasts) -> None:
    newest.keep(*KEY, Answer(b"old"), mark=FIRST, begun=0)
    assert isinstance(newest.clock, Clock)
    newest.clock.now = 61.0
    assert kept(newest) is None


def test_an_answer_is_packed_once_and_named_by_its_bytes() -> None:
    one, same, other = Answer(b"a" * 9), Answer(b"a" * 9), Answer(b"b" * 9)
    assert one.packed() is one.packed()
    assert one.etag == same.etag != other.etag
