"""Forecasts of a series as they were known, against looking at every row."""

from collections.abc import Callable
from datetime import timedelta

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.store_ticks import START, forecast

from gridcast.domain.tables import Layer
from gridcast.store import as_of, exports
from gridcast.store.store import Store

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def run(hour: int, *, leads: int, layer: str) -> pl.DataFrame:
    """A forecast issued some hours after the start; its median tells when."""
    times = pl.DataFrame({"valid_time": [START + (hour + lead) * HOUR for lead in range(leads)]})
    one = forecast(0).head(1).drop("valid_time")
    changes = {"issue_time": pl.lit(START + hour * HOUR), "layer": pl.lit(layer), "p50": pl.lit(float(hour))}
    return times.join(one, how="cross").with_columns(**changes).select(forecast(0).columns)


RUNS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 40), st.sampled_from(["model", "operator"])),
    min_size=1,
    max_size=12,
    unique_by=lambda each: (each[0], each[2]),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=RUNS, start=st.integers(0, 60), length=st.integers(1, 60), at=st.integers(0, 80), lead=st.integers(0, 30))
def test_what_was_known_of_a_series_is_found_as_by_looking_at_every_row(
    store: Store,
    empty: Callable[[], None],
    runs: list[tuple[int, int, str]],
    start: int,
    length: int,
    at: int,
    lead: int,
) -> None:
    empty()
    rows = pl.concat([run(hour, leads=leads, layer=layer) for hour, leads, layer in runs])
    other = rows.with_columns(series_id=pl.lit("b"), p50=pl.lit(-1.0))
    store.save_forecasts(pl.concat([rows, other]))
    first, end, moment = START + start * HOUR, START + (start + length) * HOUR, START + at * HOUR
    model = rows.filter(layer="model")
    is_within = pl.col("valid_time").is_between(first, end, closed="left")
    is_early = pl.col("valid_time") - pl.col("issue_time") >= lead * HOUR
    known = model.filter(is_within, is_early, pl.col("issue_time") <= moment).sort("issue_time")
    issued = model.filter(pl.col("issue_time") <= moment)["issue_time"].max()
    span = {"start": first, "end": end}
    with store.transaction() as connection:
        found = as_of.freshest(connection, "a", **span, as_of=moment, lead_at_least=lead * HOUR, layer=Layer.MODEL)
        every = as_of.between(connection, "a", **span)
        newest = as_of.issue_time_at(connection, "a", at=moment, layer=Layer.MODEL)
        ask = {"series_id": "a", "as_of": moment, "limit": 10_000}
        exported = exports.rows(connection, "forecasts", **span, **ask)
    assert found.equals(known.unique("valid_time", keep="last").sort("valid_time"))
    order = ["issue_time", "valid_time", "layer"]
    assert every.sort(order).equals(rows.filter(is_within).sort(order))
    assert newest == issued
    is_exported = pl.col("issue_time").is_between(first, end, closed="left") & (pl.col("issue_time") <= moment)
    assert exported.equals(rows.filter(is_exported).sort(order))
