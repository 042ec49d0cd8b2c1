"""Quantile levels and the columns every room agrees on."""

from datetime import UTC, datetime
from itertools import pairwise

import polars as pl
import pytest

from gridcast.domain import tables
from gridcast.domain.quantiles import BANDS, MEDIAN, QUANTILE_COLUMNS, QUANTILE_LEVELS

SCHEMAS = {
    "READINGS": tables.READINGS,
    "CLEAN_READINGS": tables.CLEAN_READINGS,
    "WEATHER": tables.WEATHER,
    "FORECASTS": tables.FORECASTS,
}


def test_quantile_columns_name_their_levels_in_order() -> None:
    assert QUANTILE_COLUMNS == ("p05", "p10", "p25", "p50", "p75", "p90", "p95")
    assert all(low < high for low, high in pairwise(QUANTILE_LEVELS))
    assert QUANTILE_COLUMNS[MEDIAN] == "p50"


@pytest.mark.parametrize(("nominal", "bounds"), BANDS.items())
def test_a_band_lies_in_the_middle_and_covers_what_it_says(nominal: float, bounds: tuple[str, str]) -> None:
    low, high = (QUANTILE_LEVELS[QUANTILE_COLUMNS.index(each)] for each in bounds)
    assert high - low == pytest.approx(nominal)
    assert low + high == pytest.approx(1)


@pytest.mark.parametrize("schema", [pytest.param(schema, id=name) for name, schema in SCHEMAS.items()])
def test_every_time_is_utc_in_microseconds(schema: pl.Schema) -> None:
    times = [dtype for name, dtype in schema.items() if name == "available_at" or name.endswith("_time")]
    assert len(times) == 2
    assert set(times) == {pl.Datetime("us", "UTC")}


def test_forecasts_carry_every_quantile_in_order() -> None:
    assert [name for name in tables.FORECASTS if name.startswith("p")] == list(QUANTILE_COLUMNS)


def test_quality_and_layer_are_the_words_written_to_tables() -> None:
    assert [str(each) for each in tables.Quality] == ["good", "estimated", "edited", "bad", "missing"]
    assert [str(each) for each in tables.Layer] == ["model", "reconciled", "operator", "shadow", "external"]


def test_the_first_and_the_last_of_some_times_keep_their_zone() -> None:
    times = pl.Series("valid_time", [datetime(2024, 1, day, tzinfo=UTC) for day in (3, 1, 2)], tables.UTC_TIME)
    assert tables.earliest(times) == datetime(2024, 1, 1, tzinfo=UTC)
    assert tables.latest(times) == datetime(2024, 1, 3, tzinfo=UTC)


@pytest.mark.parametrize("values", [[], [None]])
def test_no_times_have_no_first_and_no_last(values: list[None]) -> None:
    times = pl.Series("valid_time", values, tables.UTC_TIME)
    for pick in (tables.earliest, tables.latest):
        with pytest.raises(ValueError, match=r"column 'valid_time' of Datetime.* has no times; expected at least one"):
            pick(times)
