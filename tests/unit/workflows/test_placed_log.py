"""A log that is kept up with holds what a log that is read anew holds."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gridcast.domain.series import zones_to_system
from gridcast.domain.tables import READINGS
from gridcast.quality.limits import Limits
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.streaming.frame_log import FrameLog
from gridcast.workflows.streaming.placed_log import PlacedLog

HOUR = timedelta(hours=1)
START = datetime(2024, 3, 30, tzinfo=UTC)
SERIES = ("a", "b")
SPAN = timedelta(days=2)


def rules(zone: str) -> CleaningRules:
    tree = zones_to_system(SERIES, time_zone=zone)
    return CleaningRules(interval=HOUR, limits=Limits(), hierarchy=tree, series_since=dict.fromkeys(SERIES, START))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    pieces=st.integers(1, 8),
    zone=st.sampled_from(["UTC", "Asia/Kolkata", "Europe/London"]),
)
def test_whatever_lands_in_whatever_pieces_it_is_placed_as_if_read_at_once(seed: int, pieces: int, zone: str) -> None:
    rng = np.random.default_rng(seed)
    log, one = FrameLog(), rules(zone)
    kept_up = PlacedLog(log, one)
    end = START
    for _ in range(pieces):
        count = int(rng.integers(0, 60))
        at = [START + timedelta(minutes=int(each)) for each in rng.integers(-60, 3000, count)]
        columns = {
            "series_id": rng.choice([*SERIES, "stranger"], count).tolist(),
            "valid_time": at,
            "load_mw": rng.choice([1.0, 2.0, np.nan], count).tolist(),
            "available_at": [each + HOUR for each in at],
        }
        log.append(pl.DataFrame(columns, schema=READINGS))
        end += HOUR * int(rng.integers(0, 20))
        start = max(START, end - SPAN)
        found = kept_up.between(start, end, up_to_offset=log.log_head())
        anew = PlacedLog(log, one).between(start, end, up_to_offset=log.log_head())
        key = ["series_id", "valid_time"]
        assert_frame_equal(found.cells.sort(key), anew.cells.sort(key), check_exact=True)
        assert_frame_equal(found.removed.sort(pl.all()), anew.removed.sort(pl.all()), check_exact=True)
