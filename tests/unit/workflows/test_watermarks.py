"""Up to when series have reported, whatever comes late, twice, out of order or not at all."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcast.domain.tables import READINGS
from gridcast.workflows.streaming.watermarks import Watermarks

START = datetime(2024, 3, 30, tzinfo=UTC)
"""The day before the change to summer time in Europe."""
HOUR = timedelta(hours=1)
SILENT = 6 * HOUR


def readings(*rows: tuple[str, datetime]) -> pl.DataFrame:
    return pl.DataFrame([(*row, 1.0, row[1] + HOUR) for row in rows], schema=READINGS, orient="row")


def seen(*batches: pl.DataFrame, interval: timedelta = HOUR) -> Watermarks:
    marks = Watermarks(interval)
    for each in batches:
        marks.see(each)
    return marks


def test_all_have_reported_as_far_as_the_last_of_them() -> None:
    marks = seen(readings(("a", START), ("b", START)), readings(("a", START + HOUR)))
    assert marks.complete_until(silent_after=SILENT) == START + HOUR
    assert marks.newest == START + HOUR


def test_a_quarter_hour_reaches_a_quarter_hour_once_its_spacing_is_known() -> None:
    quarter = HOUR / 4
    marks = seen(readings(*(("a", START + step * quarter) for step in range(3))))
    assert marks.complete_until(silent_after=SILENT) == START + 3 * quarter
    marks.see(readings(("a", START + 3 * quarter)))
    assert marks.complete_until(silent_after=SILENT) == START + HOUR


def test_a_series_that_lags_too_far_is_not_waited_for_and_one_that_comes_back_is() -> None:
    marks = seen(readings(("a", START), ("b", START)), readings(("a", START + 5 * HOUR)))
    assert marks.complete_until(silent_after=SILENT) == START + HOUR
    marks.see(readings(("a", START + 6 * HOUR)))
    assert marks.complete_until(silent_after=SILENT) == START + 7 * HOUR
    marks.see(readings(("b", START + 3 * HOUR)))
    assert marks.complete_until(silent_after=SILENT) == START + 4 * HOUR


def test_nothing_seen_is_complete_until_no_time() -> None:
    assert seen().complete_until(silent_after=SILENT) is None
    assert seen(READINGS.to_frame()).newest is None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), hours=st.integers(1, 30), pieces=st.integers(1, 5))
def test_readings_in_any_order_pieces_and_number_come_to_the_same_newest_time(
    seed: int, hours: int, pieces: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = [(series, START + step * HOUR) for series in ("a", "b", "c") for step in range(rng.integers(1, hours + 1))]
    twice = [rows[int(each)] for each in rng.integers(0, len(rows), 5)]
    mixed = [(rows + twice)[int(each)] for each in rng.permutation(len(rows) + 5)]
    marks = seen(*(readings(*mixed[piece::pieces]) for piece in range(pieces)))
    whole = seen(readings(*rows))
    assert marks.newest == whole.newest
    assert marks.complete_until(silent_after=timedelta(days=9)) == whole.complete_until(silent_after=timedelta(days=9))
