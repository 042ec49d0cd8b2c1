"""Readings that land from a live source are forecast with, in the stream and after the next batch run."""

import contextlib
import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
from support.installation import GRIDCAST, ZONES, Place

from gridcast.domain.tables import READINGS
from gridcast.store.sqlite import Store

NEXT = datetime(2008, 6, 30, 11, tzinfo=UTC)
"""The first hour that is not in the files."""
HOUR = timedelta(hours=1)
Copy = Callable[[Place], Place]


def arriving(hour: datetime) -> pl.DataFrame:
    rows = [(zone, hour, 15.0, hour + HOUR) for zone in ZONES]
    return pl.DataFrame(rows, schema=READINGS, orient="row")


def wait_for_issue(store: Store, moment: datetime, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while store.newest_issue_time() != moment:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, store.newest_issue_time()
        time.sleep(0.05)


def test_every_landing_brings_a_forecast_until_the_stream_is_stopped(promoted: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)
    with contextlib.closing(Store.open(place.directory / "data" / "gridcast.db")) as store:
        store.land_batch(arriving(NEXT), source="scada", position="0", at=NEXT)
        process = subprocess.Popen(
            [GRIDCAST, "stream", "--last", "PT3H", "--live", "--format", "json"],
            cwd=place.directory,
            env=place.environment(None),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_for_issue(store, NEXT + HOUR, process)
            for hour in (1, 2):
                store.land_batch(arriving(NEXT + hour * HOUR), source="scada", position=str(hour), at=NEXT)
                wait_for_issue(store, NEXT + (hour + 1) * HOUR, process)
            process.terminate()
            told, _ = process.communicate(timeout=60)
        finally:
            process.kill()
        clean = store.readings(start=NEXT, end=NEXT + 3 * HOUR)
        log = store.landed(start=NEXT - 30 * HOUR, end=NEXT + 3 * HOUR, up_to_offset=store.log_head())

    assert process.returncode == 0
    assert json.loads(told)["newest_issue_time"] == (NEXT + 3 * HOUR).isoformat()
    assert clean.filter(pl.col("series_id").is_in(ZONES))["raw_load_mw"].to_list() == [15.0] * 9
    assert not log.is_duplicated().any()
