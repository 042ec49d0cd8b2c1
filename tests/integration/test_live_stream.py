"""Readings that land from a live source are forecast with, in the stream and after the next batch run."""

import contextlib
import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from support.installation import GRIDCAST, ZONES, Place

from gridcast.domain.tables import READINGS
from gridcast.registry.catalogue import CHAMPION
from gridcast.registry.mlflow_registry import Registry
from gridcast.store.store import Store
from gridcast.workflows.streaming.on_duty import TOOK_OVER

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


def streaming(place: Place, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [GRIDCAST, "stream", "--last", "PT3H", "--live", "--format", "json", *options],
        cwd=place.directory,
        env=place.environment(None),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    """What a process says that is stopped as soon as it can be."""
    while not Path(f"/proc/{process.pid}/fd").exists() or not opened(process, "stream.lock"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.terminate()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    return told


def opened(process: subprocess.Popen[str], name: str) -> bool:
    return any(each.resolve().name == name for each in Path(f"/proc/{process.pid}/fd").iterdir())


def test_every_landing_brings_a_forecast_until_the_stream_is_stopped(promoted: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)
    with contextlib.closing(Store.open(place.directory / "data" / "gridcast.db")) as store:
        store.land_batch(arriving(NEXT), source="scada", position="0", at=NEXT)
        process = streaming(place)
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


def test_a_second_stream_is_refused_one_that_stands_by_takes_over_and_a_new_champion_is_taken_without_a_restart(
    promoted: Place, copy_of: Copy
) -> None:
    place = copy_of(promoted)
    data = place.directory / "data"
    with contextlib.closing(Store.open(data / "gridcast.db")) as store:
        store.land_batch(arriving(NEXT), source="scada", position="0", at=NEXT)
        first = streaming(place)
        processes = [first]
        try:
            wait_for_issue(store, NEXT + HOUR, first)
            refused = place.run("stream", "--live", code=1)
            assert "another process streams here" in refused.stderr
            idle = streaming(place, "--standby")
            processes.append(idle)
            assert "stopped" in ended(idle)
            second = streaming(place, "--standby")
            processes.append(second)
            first.kill()
            first.wait()
            store.land_batch(arriving(NEXT + HOUR), source="scada", position="1", at=NEXT)
            wait_for_issue(store, NEXT + 2 * HOUR, second)

            registry = Registry.open(data / "registry")
            champion = registry.champion()
            assert champion is not None
            again = registry.register(champion.directory, params={}, metrics={}, tags={}, pip_requirements=())
            registry.set_alias(CHAMPION, again.version)
            changed = time.monotonic()
            while store.events()["kind"].to_list()[-1:] != [TOOK_OVER]:
                assert time.monotonic() - changed < 10, store.events()
                time.sleep(0.05)
            store.land_batch(arriving(NEXT + 2 * HOUR), source="scada", position="2", at=NEXT)
            wait_for_issue(store, NEXT + 3 * HOUR, second)
            second.terminate()
            told, _ = second.communicate(timeout=60)
        finally:
            for each in processes:
                each.kill()
                with each:
                    pass
        forecasts = store.forecasts(start=NEXT + HOUR, end=NEXT + 4 * HOUR)

    said = forecasts.group_by("issue_time").agg(pl.col("model_version").unique()).sort("issue_time")
    assert said["model_version"].to_list() == [[champion.version], [champion.version], [again.version]]
    assert json.loads(told)["model_version"] == again.version
