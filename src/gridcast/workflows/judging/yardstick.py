"""What the champion's backtest lets expect of live errors."""

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from gridcast.domain.dimensions import Dimension
from gridcast.evaluation.dimensions import lead_bucket
from gridcast.evaluation.scored import MODEL
from gridcast.workflows.forecasts.weather_use import WeatherKnown
from gridcast.workflows.judging.backtest import Backtest, folder_name

DEVIATIONS = 2.0
"""Standard deviations of daily errors above their mean that the mean of some days hardly reaches."""
_LIMITS = pl.Schema({"series_id": pl.String(), "lead_bucket": pl.String(), "limit_mw": pl.Float64()})


def kept_backtest(directory: Path, *, model_version: str) -> Backtest | None:
    """The kept backtest of a model: with weather as issued, as live forecasts have it, else with observed weather."""
    known = (WeatherKnown.AS_ISSUED, WeatherKnown.OBSERVED)
    found = (Backtest.read(directory, model_version=model_version, weather=each) for each in known)
    return next((each for each in found if each is not None), None)


def mae_limits(points: pl.DataFrame) -> pl.DataFrame:
    """Mean plus `DEVIATIONS` standard deviations of the MAE of each origin: `series_id`, `lead_bucket`, `limit_mw`."""
    scored = points.filter(pl.col("forecaster") == MODEL).drop_nulls(["actual_mw", "p50"])
    with_bucket = scored.with_columns(lead_bucket(scored).alias(Dimension.LEAD_BUCKET))
    keys = ["series_id", "lead_bucket"]
    daily = with_bucket.group_by(*keys, "issue_time").agg(mae=(pl.col("p50") - pl.col("actual_mw")).abs().mean())
    limit = pl.col("mae").mean() + DEVIATIONS * pl.col("mae").std().fill_null(0.0)
    return daily.group_by(keys).agg(limit_mw=limit).cast(_LIMITS).sort(keys)


@dataclass(slots=True, eq=False)
class Yardstick:
    """The limits of a model's errors, read again when its backtest was written again.

    Attributes:
        directory: where backtests are kept.
    """

    directory: Path
    _read: tuple[object, pl.DataFrame] | None = field(default=None, init=False)

    def limits(self, model_version: str) -> pl.DataFrame:
        """See `mae_limits`; no rows without a backtest."""
        folders = [self.directory / folder_name(model_version, each) for each in WeatherKnown]
        mark = (model_version, *(each.stat().st_mtime_ns if each.exists() else None for each in folders))
        if self._read is None or self._read[0] != mark:
            kept = kept_backtest(self.directory, model_version=model_version)
            self._read = (mark, _LIMITS.to_frame() if kept is None else mae_limits(kept.points))
        return self._read[1]
