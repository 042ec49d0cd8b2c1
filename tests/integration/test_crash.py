"""A stream that is killed again and again comes to what an undisturbed one comes to: nothing lost, doubled or other."""

import contextlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal
from support.installation import GRIDCAST, Place
from support.killing import kill_after_progress

from gridcast.domain.tables import CONSUMER
from gridcast.store.store import Store

KILLS = 20
LONGEST_LIFE = 2.5
"""Seconds after the first tick that a process has at most."""
EVER = {"start": datetime(1900, 1, 1, tzinfo=UTC), "end": datetime(2100, 1, 1, tzinfo=UTC)}
STREAM = (GRIDCAST, "stream", "--last", "P7D", "--format", "json")


def test_a_stream_killed_twenty_times_ends_in_the_store_of_an_undisturbed_one(promoted: Place, tmp_path: Path) -> None:
    undisturbed, disturbed = (Place(shutil.copytree(promoted.directory, tmp_path / name)) for name in ("a", "b"))
    undisturbed.run(*STREAM[1:])
    moments = np.random.default_rng(20)
    path = disturbed.directory / "data" / "gridcast.db"
    for _ in range(KILLS):
        kill_after_progress(disturbed, path, STREAM, seconds=moments.uniform(0, LONGEST_LIFE))
    left = disturbed.json(*STREAM[1:-2])["ticks"]

    assert left > 0, "the replay was over before it had been killed often enough"
    expected, found = content(undisturbed.directory / "data" / "gridcast.db"), content(path)
    for name, table in expected.items():
        assert table.height > 0
        assert_frame_equal(found[name], table, check_exact=True)


def content(path: Path) -> dict[str, pl.DataFrame]:
    """Everything a stream keeps."""
    with contextlib.closing(Store.open(path)) as store:
        head = store.log_head()
        position = store.position(CONSUMER)
        return {
            "log": store.landed(**EVER, up_to_offset=head),
            "readings": store.readings(**EVER),
            "forecasts": store.forecasts(**EVER),
            "counts": store.tick_counts(),
            "position": pl.DataFrame({"log_offset": [position.log_offset], "issue_time": [position.issue_time]}),
        }
