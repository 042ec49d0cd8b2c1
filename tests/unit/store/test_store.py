"""What is written to the store comes back whole, in order and to the microsecond."""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.plans import long_scans, plans_of

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import CLEAN_READINGS, FORECASTS, READINGS, UTC_TIME
from gridcast.store import exports
from gridcast.store.monitored_forecasts import live_scores
from gridcast.store.reading_log import SourcePosition
from gridcast.store.schema import METADATA
from gridcast.store.store import Position, Store

START = datetime(2024, 3, 31, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALL_TIME = {"start": datetime(1900, 1, 1, tzinfo=UTC), "end": datetime(2300, 1, 1, tzinfo=UTC)}


def received(*loads: float | None, series_id: str = "a", start: datetime = START) -> pl.DataFrame:
    rows = [(series_id, start + step * HOUR, load, start + (step + 1) * HOUR) for step, load in enumerate(loads)]
    return pl.DataFrame(rows, schema=READINGS, orient="row")


def clean(*loads: float | None, start: datetime = START, quality: str = "good", rule: str = "") -> pl.DataFrame:
    flags = {"quality": pl.lit(quality), "rule": pl.lit(rule)}
    return received(*loads, start=start).with_columns(raw_load_mw="load_mw", **flags).select(CLEAN_READINGS.names())


def forecast(
    *,
    series_id: str = "a",
    issue: datetime = START,
    hours: int = 2,
    layer: str = "model",
    version: str = "1",
    p50: float = 50,
    because: str = "",
) -> pl.DataFrame:
    quantiles = [p50 - 3 + position for position in range(len(QUANTILE_COLUMNS))]
    rows = [(series_id, issue, issue + hour * HOUR, layer, version, *quantiles, because) for hour in range(hours)]
    return pl.DataFrame(rows, schema=FORECASTS, orient="row")


def score(*, mae: float, version: str = "1", bucket: str = "0–6 h", issue: datetime = START) -> pl.DataFrame:
    keys = {"series_id": "a", "issue_time": issue, "layer": "model", "lead_bucket": bucket, "model_version": version}
    measures = {"n": 6, "mae_mw": mae, "bias_mw": -1.0, "pinball_mw": 0.5, "coverage_80": 0.75, "coverage_90": None}
    return pl.DataFrame([{**keys, **measures}])


def commit(store: Store, *, offset: int = 1, readings: pl.DataFrame, forecasts: pl.DataFrame) -> None:
    store.commit_tick(consumer="c", log_offset=offset, issue_time=START, readings=readings, forecasts=forecasts)


def test_a_new_store_is_empty_and_its_frames_have_their_columns(store: Store) -> None:
    assert store.readings(**ALL_TIME).schema == CLEAN_READINGS
    assert store.forecasts(**ALL_TIME).schema == FORECASTS
    assert store.landed(**ALL_TIME, up_to_offset=9).schema == READINGS
    assert store.events().schema == {"event_id": pl.Int64, "at": UTC_TIME, "kind": pl.String, "message": pl.String}
    beside = dict.fromkeys(("naive_mae_mw", "naive_pinball_mw"), pl.Float64())
    expected = score(mae=1.0).cast({"issue_time": UTC_TIME, "coverage_90": pl.Float64}).schema
    assert store.scores().schema == pl.Schema({**expected, **beside})
    assert set(store.counts().values()) == {0}
    assert store.log_head() == 0
    assert [store.newest_reading(), store.newest_issue_time()] == [None] * 2
    assert store.latest_runs().is_empty()
    assert store.latest_forecast("a").schema == FORECASTS
    assert store.position("c") == Position(0, None)
    assert store.source_position("scada") == SourcePosition(None, 0)
    assert store.sources().is_empty()


def test_the_log_keeps_every_arrival_in_its_order(store: Store) -> None:
    arrivals = [received(3, 2, start=START + HOUR), received(1), received(3, 9, start=START + HOUR)]
    heads = []
    for arrival in arrivals:
        store.land(arrival)
        heads.append(store.log_head())
    assert heads == [2, 3, 5]
    assert store.landed(**ALL_TIME, up_to_offset=5).equals(pl.concat(arrivals))
    assert store.landed(**ALL_TIME, up_to_offset=3).equals(pl.concat(arrivals[:2]))
    assert store.landed(start=START, end=START + HOUR, up_to_offset=5).equals(arrivals[1])


def test_landing_nothing_changes_nothing(store: Store) -> None:
    store.land(received())
    assert store.log_head() == 0


def test_a_reading_without_a_load_lands_as_null(store: Store) -> None:
    store.land(received(None, float("nan"), 0.0))
    assert store.landed(**ALL_TIME, up_to_offset=3)["load_mw"].to_list() == [None, None, 0.0]


def test_a_later_tick_replaces_whole_readings(store: Store) -> None:
    commit(store, readings=clean(1, 2, quality="edited", rule="spike"), forecasts=forecast())
    later = clean(None, 5, start=START + HOUR, quality="missing")
    commit(store, readings=later, forecasts=forecast())
    kept = clean(1, quality="edited", rule="spike")
    assert store.readings(**ALL_TIME).equals(pl.concat([kept, later]))
    assert store.newest_reading() == START + 2 * HOUR


def test_of_a_key_given_twice_in_one_tick_the_last_row_stays(store: Store) -> None:
    commit(store, readings=pl.concat([clean(1), clean(2)]), forecasts=forecast())
    assert store.readings(**ALL_TIME).equals(clean(2))


def test_clean_readings_are_written_without_a_tick(store: Store) -> None:
    store.save_clean(clean(1, 2))
    for _ in range(2):
        store.save_clean(clean(5, start=START + HOUR, quality="edited"))
    assert store.readings(**ALL_TIME).equals(pl.concat([clean(1), clean(5, start=START + HOUR, quality="edited")]))
    assert store.position("c") == Position(0, None)


def test_many_rows_are_written_as_few_are(store: Store) -> None:
    first, second = clean(*range(300)), clean(*range(300, 600), quality="estimated")
    store.save_clean(pl.concat([first, second.sample(fraction=1, shuffle=True, seed=1)]))
    store.save_clean(second.head(200))
    assert store.readings(**ALL_TIME).equals(second)


def test_many_counts_are_added_up_as_few_are(store: Store) -> None:
    many = pl.DataFrame({"stage": ["read"] * 200, "upper_s": [each / 10 for each in range(100)] * 2, "n": [1, 2] * 100})
    for _ in range(2):
        store.add_latencies(many)
    added = many.group_by("stage", "upper_s").agg(n=2 * pl.col("n").sum()).sort("upper_s")
    assert store.latencies().equals(added)


def test_a_tick_committed_twice_is_a_tick_committed_once(store: Store) -> None:
    commit(store, offset=3, readings=clean(1, 2), forecasts=forecast())
    once = store.counts(), store.position("c"), store.readings(**ALL_TIME), store.forecasts(**ALL_TIME)
    commit(store, offset=3, readings=clean(1, 2), forecasts=forecast())
    twice = store.counts(), store.position("c"), store.readings(**ALL_TIME), store.forecasts(**ALL_TIME)
    assert once[:2] == twice[:2]
    assert once[2].equals(twice[2])
    assert once[3].equals(twice[3])


def test_each_consumer_has_its_own_position(store: Store) -> None:
    for consumer, offset in (("stream", 5), ("other", 2)):
        store.commit_tick(
            consumer=consumer, log_offset=offset, issue_time=START, readings=clean(1), forecasts=forecast()
        )
    assert store.position("stream") == Position(5, START)
    assert store.position("other") == Position(2, START)


def test_forecasts_are_kept_for_each_issue_time_and_layer(store: Store) -> None:
    first, second = forecast(), forecast(issue=START + HOUR, p50=70, because="no weather")
    operator = forecast(layer="operator", p50=60)
    for each in (second, first, operator):
        store.save_forecasts(each)
    stored = store.forecasts(**ALL_TIME)
    assert stored.height == 6
    assert stored.filter(layer="model").equals(pl.concat([first, second]))
    assert stored.filter(layer="operator").equals(operator)
    assert store.forecasts(start=START, end=START + HOUR).filter(layer="model").equals(first)
    assert store.newest_issue_time() == START + HOUR


def test_the_same_forecast_key_replaces_the_whole_row(store: Store) -> None:
    store.save_forecasts(forecast(because="late readings"))
    again = forecast(version="2", p50=90)
    store.save_forecasts(again)
    assert store.forecasts(**ALL_TIME).equals(again)


def test_scores_replace_each_other_by_key(store: Store) -> None:
    store.save_scores(score(mae=4.0))
    store.save_scores(pl.concat([score(mae=3.0, version="2"), score(mae=7.0, bucket="6–12 h")]))
    assert store.scores().select("lead_bucket", "model_version", "n", "mae_mw", "coverage_90").rows() == [
        ("0–6 h", "2", 6, 3.0, None),
        ("6–12 h", "1", 6, 7.0, None),
    ]


def test_what_is_asked_of_every_series_is_found_by_key_however_long_the_history_is(tmp_path: Path) -> None:
    week = {"start": START, "end": START + timedelta(days=7)}
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:

        def ask() -> None:
            store.readings(**week)
            store.readings_as_of(START, **week)
            store.newest_reading()
            store.forecasts(**week)
            store.forecasts_ahead(**week, lead=HOUR, lead_end=6 * HOUR)
            store.scores(start=START)
            with store.transaction() as connection:
                live_scores(connection, None, **week)
                for table in ("readings", "forecasts", "scores", "events", "overrides"):
                    exports.rows(connection, table, **week, series_id=None, as_of=START, limit=10)

        plans = plans_of(store, ask)
    assert len(plans) > 8
    assert long_scans(plans) == {}


def test_the_newest_events_come_oldest_first(store: Store) -> None:
    for number in range(25):
        store.add_event(at=START - number * HOUR, kind="train", message=f"number {number}")
    assert store.events(newest=3)["message"].to_list() == ["number 22", "number 23", "number 24"]
    assert store.events().height == 20
    assert store.events(newest=1).row(0, named=True)["at"] == START - 24 * HOUR


def test_counts_tell_the_rows_of_each_table(store: Store) -> None:
    store.land(received(1, 2))
    commit(store, readings=clean(1), forecasts=forecast(hours=3))
    store.add_event(at=START, kind="k", message="")
    counts = store.counts()
    assert counts.keys() == METADATA.tables.keys()
    assert {name: rows for name, rows in counts.items() if rows} == {
        "consumers": 1,
        "events": 1,
        "forecasts": 3,
        "latest_runs": 1,
        "reading_log": 2,
        "readings": 1,
        "runs": 1,
    }


def test_a_reopened_store_holds_what_was_written(unused_place: Path | str) -> None:
    for _ in range(2):
        with contextlib.closing(Store.open(unused_place)) as store:
            store.land(received(1, 2))
    with contextlib.closing(Store.open(unused_place)) as store:
        assert store.landed(**ALL_TIME, up_to_offset=4).equals(pl.concat([received(1, 2)] * 2))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moment=st.datetimes(datetime(1901, 1, 1), datetime(2261, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    load=st.floats(allow_nan=False),
)
def test_times_and_loads_come_back_exactly(store: Store, moment: datetime, load: float) -> None:
    one = pl.DataFrame([("a", moment, load, moment)], schema=READINGS, orient="row")
    store.land(one)
    after = {"start": moment, "end": moment + timedelta(microseconds=1), "up_to_offset": store.log_head()}
    assert store.landed(**after).tail(1).equals(one)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.sampled_from("aN0\"',;:\\.\n\r\t %é😀"), max_size=6), min_size=1, unique=True))
def test_texts_come_back_exactly(store: Store, texts: list[str]) -> None:
    end = store.log_head()
    store.land(pl.concat(received(1, series_id=text) for text in texts))
    assert store.landed_after(after_offset=end, up_to_offset=end + len(texts))["series_id"].to_list() == texts


@pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(pl.Datetime("us", "Europe/London"), id="another zone"),
        pytest.param(pl.Datetime("ms", "UTC"), id="milliseconds"),
        pytest.param(pl.Datetime("ns", "America/New_York"), id="nanoseconds elsewhere"),
    ],
)
def test_times_of_any_zone_and_unit_are_stored_as_the_same_moment(store: Store, dtype: pl.Datetime) -> None:
    local = received(1, 2).with_columns(pl.col("valid_time", "available_at").cast(dtype))
    store.land(local)
    assert store.landed(**ALL_TIME, up_to_offset=2).equals(received(1, 2))
