"""What the newest forecast would be under other circumstances. Nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import CLEAN_READINGS, SPECIAL_DAYS, UTC_TIME, WEATHER, DayKind, earliest
from gridcast.features.windows import DAYS_OF_HISTORY, LONGEST_HORIZON
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.store.store import Store
from gridcast.workflows.forecasts.known import Known, known_panel
from gridcast.workflows.readings.processed import Processed


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """Something that happens once, on the local days start ≤ day ≤ end."""

    start: date
    end: date
    name: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How the time ahead is imagined.

    Attributes:
        temperature_shift_c: added to every temperature ahead, °C.
        temperatures: valid time and temperature, °C, in place of what every station expects.
        event: a day out of the ordinary.
    """

    temperature_shift_c: float = 0.0
    temperatures: Sequence[tuple[datetime, float]] = ()
    event: PlannedEvent | None = None

    @property
    def needs_weather(self) -> bool:
        """Whether they speak of temperatures."""
        return bool(self.temperature_shift_c or self.temperatures)


def what_if(forecaster: Forecaster, known: Known, issued: pl.DataFrame, circumstances: Circumstances) -> pl.DataFrame:
    """A forecast (`FORECASTS` of one series and issue time) as it would be under other circumstances.

    The model forecasts twice from what was known, as it is and as it is imagined; the difference, quantile by quantile,
    is added to what was issued: with no difference in the circumstances, nothing changes.

    Raises:
        UsageError: temperatures are imagined where none are known at all, or the forecast's intervals are not the
            model's.
    """
    series_id, issue_time = issued.item(0, "series_id"), earliest(issued["issue_time"])
    imagined = _imagined(known, circumstances, series_id=series_id, issue_time=issue_time)
    before = _quantiles(forecaster, known, series_id=series_id, issue_time=issue_time)
    after = _quantiles(forecaster, imagined, series_id=series_id, issue_time=issue_time)
    if len(before) < issued.height:
        raise UsageError(
            f"the forecast has {issued.height} intervals, the model {len(before)}; expected a forecast of the model "
            "in charge. Issue one first."
        )
    moved = issued.select(QUANTILE_COLUMNS).to_numpy() + (after - before)[: issued.height]
    ordered = np.sort(moved, axis=1)
    return issued.with_columns(pl.Series(name, ordered[:, at]) for at, name in enumerate(QUANTILE_COLUMNS))


def known_to_store(store: Store, processed: Processed, *, issue_time: datetime) -> Known:
    """What was known at an issue time: clean readings of the store, before them those of the batch run."""
    start = issue_time - timedelta(days=DAYS_OF_HISTORY)
    live = store.readings(start=start, end=issue_time)
    begin = issue_time if live.is_empty() else earliest(live["valid_time"])
    batch = processed.readings(start=start).filter(pl.col("valid_time") < begin).select(CLEAN_READINGS.names())
    weather = processed.weather(start=start, end=issue_time + LONGEST_HORIZON, known_at=issue_time)
    return Known(pl.concat([batch, live]), weather, processed.holidays(), processed.hierarchy)


_NO_WEATHER: Final = (
    "no temperatures are known for the time ahead, so none can be shifted; expected weather forecasts in the "
    "installation, or temperatures for it."
)


def _imagined(known: Known, circumstances: Circumstances, *, series_id: str, issue_time: datetime) -> Known:
    weather = _imagined_weather(known.weather, circumstances, issue_time=issue_time)
    if (event := circumstances.event) is None:
        return replace(known, weather=weather)
    days = pl.date_range(event.start, event.end, eager=True).alias("date").to_frame()
    planned = days.with_columns(name=pl.lit(event.name), kind=pl.lit(DayKind.EVENT.value), series_id=pl.lit(series_id))
    return replace(known, weather=weather, holidays=pl.concat([known.holidays, planned.select(SPECIAL_DAYS.names())]))


def _imagined_weather(weather: pl.DataFrame, circumstances: Circumstances, *, issue_time: datetime) -> pl.DataFrame:
    """The temperatures of every station, from the issue time on replaced and shifted."""
    if not circumstances.needs_weather:
        return weather
    given = pl.DataFrame(
        list(circumstances.temperatures), schema={"valid_time": UTC_TIME, "given_c": pl.Float64}, orient="row"
    ).unique("valid_time", keep="last")
    everywhere = weather.select("station_id").unique(maintain_order=True).join(given, how="cross")
    unknown = everywhere.join(weather, on=["station_id", "valid_time"], how="anti")
    added = unknown.with_columns(available_at=pl.lit(issue_time, UTC_TIME))
    expected = pl.concat(
        [weather.join(given, on="valid_time", how="left", maintain_order="left"), added], how="diagonal"
    )
    is_ahead = pl.col("valid_time") >= issue_time
    if expected.filter(is_ahead).is_empty():
        raise UsageError(_NO_WEATHER)
    imagined = pl.coalesce("given_c", "temperature_c") + circumstances.temperature_shift_c
    return expected.with_columns(temperature_c=pl.when(is_ahead).then(imagined).otherwise("temperature_c")).select(
        WEATHER.names()
    )


def _quantiles(
    forecaster: Forecaster, known: Known, *, series_id: str, issue_time: datetime
) -> npt.NDArray[np.float64]:
    """What the model alone forecasts of one series, (lead, quantile), MW."""
    panel, origin = known_panel(forecaster, known, issue_time=issue_time)
    position = [panel.series_ids.index(series_id)]
    return np.asarray(forecaster.forecast(panel, series=position, origin=[origin])[0], dtype=np.float64)
