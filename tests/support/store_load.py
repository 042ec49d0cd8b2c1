"""One writer or reader of a store under load, as a process of its own: `python -m support.store_load`."""

import json
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from support.store_ticks import ALWAYS, START, forecast, received

from gridcast.domain.tables import CLEAN_READINGS, FORECASTS
from gridcast.store.store import Store

HOUR = timedelta(hours=1)
LEADS, LANDED, CLEANED = 48, 20, 24


def main() -> None:
    """Open the store, say so, wait for a line, work for some seconds, say what was done."""
    kind, place, name, seconds = sys.argv[1:]
    store = Store.open(place if "://" in place else Path(place))
    say("ready")
    sys.stdin.readline()
    deadline = time.monotonic() + float(seconds)
    done = write(store, name, deadline=deadline) if kind == "writer" else read(store, deadline=deadline)
    say(json.dumps(done))
    store.close()


def say(line: str) -> None:
    """Tell whoever started this process."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def write(store: Store, name: str, *, deadline: float) -> dict[str, object]:
    """Land readings and commit ticks of an own series and consumer."""
    one = forecast(0).drop("valid_time", "issue_time", "series_id").head(1)
    tick = 0
    while time.monotonic() < deadline:
        tick += 1
        issue_time = START + tick * HOUR
        landed = received(LANDED, series_id=name).with_columns(load_mw=pl.lit(float(tick)))
        assert store.land_batch(landed, source=name, position=str(tick), at=datetime.now(UTC)) == LANDED
        flags = {"raw_load_mw": pl.lit(float(tick)), "quality": pl.lit("good"), "rule": pl.lit("")}
        clean = received(CLEANED, series_id=name).with_columns(**flags).select(CLEAN_READINGS.names())
        times = pl.DataFrame({"valid_time": [issue_time + lead * HOUR for lead in range(LEADS)]})
        run = times.join(one, how="cross").with_columns(
            issue_time=pl.lit(issue_time), series_id=pl.lit(name), p50=pl.lit(float(tick))
        )
        store.commit_tick(
            consumer=name,
            log_offset=tick,
            issue_time=issue_time,
            readings=clean,
            forecasts=run.select(FORECASTS.names()).cast(dict(FORECASTS)),
        )
    return {"name": name, "ticks": tick}


def read(store: Store, *, deadline: float) -> dict[str, object]:
    """Look at whole ticks only, never at an older one than before, and read the log without skipping a row."""
    seen: dict[str, datetime] = {}
    looks = log_rows = offset = 0
    may_end = False
    while not may_end or offset < store.log_head():
        if time.monotonic() > deadline and not may_end:
            sys.stdin.readline()
            may_end = True
        head = store.log_head()
        rows = store.landed_after(after_offset=offset, up_to_offset=head)
        log_rows, offset = log_rows + rows.height, head
        runs = store.latest_runs()
        if runs.height:
            series_id, _, issue_time, _ = random.choice(runs.rows())  # noqa: S311
            newest = store.latest_forecast(series_id)
            (is_of,) = newest["issue_time"].unique().to_list()
            assert newest.height == LEADS, newest
            assert is_of >= issue_time >= seen.get(series_id, issue_time), (series_id, is_of, issue_time, seen)
            assert set(newest["p50"]) == {(is_of - START) / HOUR}, newest
            seen[series_id] = is_of
            known = store.readings_as_of(is_of, **ALWAYS, series_id=series_id)
            assert set(known["raw_load_mw"]) == {(is_of - START) / HOUR}, known
            looks += 1
    return {"looks": looks, "log_rows": log_rows}


if __name__ == "__main__":
    main()
