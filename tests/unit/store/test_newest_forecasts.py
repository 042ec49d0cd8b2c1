"""Which forecast of a series is the newest, and what the store does about it in the same step as writing forecasts."""

from collections.abc import Callable
from datetime import timedelta

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.store_ticks import START, clean, commit, forecast

from gridcast.domain.tables import FORECASTS, Layer
from gridcast.store import forecasts, frames, schema
from gridcast.store.errors import StoreError
from gridcast.store.store import Store

DAY = timedelta(days=1)


def of(series_id: str, tick: int, *, version: str = "1", layer: str = "model") -> pl.DataFrame:
    return forecast(tick, version=version).with_columns(series_id=pl.lit(series_id), layer=pl.lit(layer))


def runs(store: Store) -> list[tuple[str, str, int, str]]:
    """Series, layer, tick and model version of each newest run."""
    return [(name, layer, (time - START) // DAY, version) for name, layer, time, version in store.latest_runs().rows()]


def view(store: Store) -> pl.DataFrame:
    table = schema.FORECASTS.to_metadata(sa.MetaData(), name="forecast_latest")
    with store.transaction() as connection:
        return frames.read(connection, table, sa.select(table).order_by("series_id", "layer", "valid_time"))


def test_the_newest_run_is_that_of_the_latest_issue_time_however_late_others_come(store: Store) -> None:
    for tick, version in ((2, "5"), (3, "6"), (1, "4")):
        store.save_forecasts(of("a", tick, version=version))
    assert runs(store) == [("a", "model", 3, "6")]
    assert store.latest_forecast("a").equals(of("a", 3, version="6"))


def test_each_series_and_layer_has_its_own_newest_run(store: Store) -> None:
    store.save_forecasts(pl.concat([of("b", 1), of("a", 4), of("a", 2), of("a", 1, layer="operator")]))
    assert runs(store) == [("a", "model", 4, "1"), ("a", "operator", 1, "1"), ("b", "model", 1, "1")]
    assert store.latest_forecast("a", layer=Layer.OPERATOR)["p50"].to_list() == [1.0] * 3
    assert store.latest_forecast("c").is_empty()


def test_a_run_that_is_issued_again_has_its_new_model_version(store: Store) -> None:
    for version in ("1", "2"):
        store.save_forecasts(of("a", 1, version=version))
    assert runs(store) == [("a", "model", 1, "2")]


def test_a_tick_writes_its_forecasts_and_the_newest_runs_together_or_neither(store: Store) -> None:
    commit(store, 1, readings=clean(1), forecasts=of("a", 1))
    bad = of("a", 2).with_columns(degraded_because=pl.lit(None, pl.String))
    with pytest.raises(StoreError):
        commit(store, 2, readings=clean(2), forecasts=bad)
    assert runs(store) == [("a", "model", 1, "1")]
    commit(store, 2, readings=clean(2), forecasts=of("a", 2))
    assert runs(store) == [("a", "model", 2, "1")]


def test_the_view_of_the_newest_forecasts_holds_exactly_the_newest_runs(store: Store) -> None:
    store.save_forecasts(pl.concat([of("a", 1), of("a", 2), of("b", 1)]))
    assert view(store).equals(pl.concat([of("a", 2), of("b", 1)]))


def test_a_run_that_is_taken_back_leaves_the_one_before_it(store: Store) -> None:
    for tick in (1, 2):
        store.save_forecasts(of("a", tick, layer="operator"))
    run = {"series_id": "a", "layer": Layer.OPERATOR}
    for tick, left in ((2, [("a", "operator", 1, "1")]), (1, [])):
        with store.transaction() as connection:
            forecasts.replace_run(connection, FORECASTS.to_frame(), issue_time=START + tick * DAY, **run)
        assert runs(store) == left
    assert store.latest_forecast(**run).is_empty()


def test_a_run_that_is_replaced_loses_the_intervals_it_no_longer_has(store: Store) -> None:
    store.save_forecasts(of("a", 1))
    again = of("a", 1, version="2").head(1)
    with store.transaction() as connection:
        forecasts.replace_run(connection, again, series_id="a", issue_time=START + DAY, layer=Layer.MODEL)
    assert store.latest_forecast("a").equals(again)


def test_many_rows_are_written_over_few_and_few_over_many(store: Store) -> None:
    names = [f"series {number:03d}" for number in range(40)]
    many = pl.concat([of(name, 1) for name in names])
    store.save_forecasts(of(names[3], 1, version="0"))
    store.save_forecasts(many)
    assert store.forecasts(start=START, end=START + 9 * DAY).equals(many)
    store.save_forecasts(pl.concat([many.with_columns(p50=pl.lit(None, pl.Float64)), many]))
    assert store.forecasts(start=START, end=START + 9 * DAY).equals(many)
    store.save_forecasts(of(names[5], 1, version="9"))
    assert [version for *_, version in runs(store)] == ["9" if name == names[5] else "1" for name in names]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    written=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60), st.sampled_from(["model", "operator"]))),
    as_one=st.booleans(),
)
def test_newest_runs_are_as_found_by_looking_at_every_forecast(
    store: Store, empty: Callable[[], None], written: list[tuple[str, int, str]], *, as_one: bool
) -> None:
    empty()
    parts = [of(name, tick, layer=layer) for name, tick, layer in written]
    for part in [pl.concat(parts)] if as_one and parts else parts:
        store.save_forecasts(part)
    newest: dict[tuple[str, str], int] = {}
    for name, tick, layer in written:
        newest[name, layer] = max(tick, newest.get((name, layer), 0))
    assert runs(store) == [(*key, tick, "1") for key, tick in sorted(newest.items())]
    assert view(store).height == 3 * len(newest)
