"""Detectors of drift of one series, learned from days on which its forecasts were as good as they should be."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.evaluation.drift import (
    WINDOW,
    coverage_evidence,
    cusum,
    made_up_quarters,
    positive_sum,
    quiet_limit,
    windows,
)
from gridcast.evaluation.usual_errors import UsualErrors, matched

Floats = npt.NDArray[np.float64]

FEWEST_DAYS: Final = 14
_DEAD_HOURS: Final = 6.0
_UNMEASURED: Final = 0.25
PARTS: Final = 6
"""Parts of the local day, four hours each."""
_SHAPES: Final = [np.eye(PARTS)[[part]] for part in range(PARTS)]
_BAND_WIDTH: Final = 2.563
"""Of the 80 % band of a normal distribution, in standard deviations."""
_Z: Final = [f"z_{part}" for part in range(PARTS)]
_SIZE: Final = [f"size_{part}" for part in range(PARTS)]


class Detector(enum.StrEnum):
    """What has changed."""

    LEVEL = "level"
    """Loads are above or below what was forecast, all day long."""
    STEP = "step"
    """They have changed from one day to the next, as much as errors seldom do."""
    SHAPE = "shape"
    """Some part of the day is, against the others: a new peak."""
    COVERAGE = "coverage"
    """More loads, or fewer, lie outside the 90 % band."""
    SENSOR = "sensor"
    """Loads stand still or are not measured."""
    LOAD = "load_population"
    """The distribution of loads is another than in the season that was learned."""
    TEMPERATURE = "temperature_population"
    """That of temperatures is."""
    RANGE = "temperature_range"
    """Temperatures lie outside all that were learned."""


class Score(NamedTuple):
    """A detector fires while `score` is above `limit`."""

    score: float
    limit: float


def daily_errors(points: pl.DataFrame, *, time_zone: str) -> pl.DataFrame:
    """What each local day of one series says: `date`, errors and sizes of its parts, `outside`, `n`, what is dead.

    points: valid_time, quantiles, `actual_mw` and `load_mw` (what came, measured or not), a row per interval. Errors
    (`z_0` …, actual − median) and the load forecast (`size_0` …) are in standard deviations of the interval's own
    forecast. A day that was not measured in every part has no errors. `outside`: of `n` measured intervals those
    outside the 90 % band; `unmeasured`: share; `still_h`: hours for which the load, other than zero, was the same.
    """
    local, actual = pl.col("valid_time").dt.convert_time_zone(time_zone), pl.col("actual_mw")
    width = ((pl.col("p90") - pl.col("p10")) / _BAND_WIDTH).clip(1e-9)
    rows = points.sort("valid_time").with_columns(
        date=local.dt.date(),
        part=local.dt.hour().cast(pl.Int64) * PARTS // 24,
        z=(actual - pl.col("p50")) / width,
        size=pl.col("p50") / width,
        outside=((actual < pl.col("p05")) | (actual > pl.col("p95"))).cast(pl.Float64),
        run=pl.col("load_mw").rle_id(),
    )
    hours = (pl.col("valid_time").max() - pl.col("valid_time").min()).over("run").dt.total_seconds() / 3600.0
    rows = rows.with_columns(still_h=pl.when(pl.col("load_mw") != 0).then(hours))
    parts = [
        pl.col(name).filter(pl.col("part") == part).mean().alias(f"{name}_{part}")
        for name in ("z", "size")
        for part in range(PARTS)
    ]
    return (
        rows.group_by("date", maintain_order=True)
        .agg(
            *parts,
            pl.col("outside").sum(),
            n=actual.count().cast(pl.Float64),
            unmeasured=actual.is_null().mean(),
            still_h=pl.col("still_h").max().fill_null(0.0),
        )
        .sort("date")
    )


@dataclass(frozen=True, slots=True, eq=False)
class Detectors:
    """What is usual, and the limits above which it no longer is.

    Attributes:
        usual: errors of the parts of the day.
        outside_share: of the intervals, outside the 90 % band.
        limits: of every detector.
    """

    usual: UsualErrors
    outside_share: float
    limits: Mapping[Detector, float]

    @classmethod
    def learn(cls, daily: pl.DataFrame) -> "Detectors":
        """From `daily_errors` of days without drift.

        Raises:
            GridcastError: there are too few of them.
        """
        known = daily.drop_nulls(_Z)
        if known.height < FEWEST_DAYS:
            raise GridcastError(
                f"{known.height} whole days with errors; expected at least {FEWEST_DAYS} to learn what is usual. Run "
                '"gridcast backtest" on more days.'
            )
        usual = UsualErrors.of(_array(known, _Z))
        share = min(max(float(known["outside"].sum()) / float(known["n"].sum()), 0.02), 0.4)
        made_up = _residual_scores(known, usual, share, chosen=made_up_quarters(known.height))
        limits = {detector: quiet_limit(each) for detector, each in made_up.items()}
        return cls(usual, share, {**limits, Detector.SENSOR: 1.0})

    def scores(self, daily: pl.DataFrame) -> dict[Detector, Floats]:
        """Scores of each day from the `WINDOW`-th on (day,), in the order of `daily_errors`."""
        sensor = np.maximum(daily["unmeasured"].to_numpy() / _UNMEASURED, daily["still_h"].to_numpy() / _DEAD_HOURS)
        residuals = _residual_scores(daily, self.usual, self.outside_share)
        return {**residuals, Detector.SENSOR: sensor[WINDOW - 1 :]}

    def newest(self, daily: pl.DataFrame) -> dict[Detector, Score]:
        """Scores of the last day; before the first there was nothing unusual."""
        days = daily.tail(WINDOW)
        nothing = daily.clear(max(0, WINDOW - days.height))
        days = pl.concat([nothing, days]).with_columns(pl.col("unmeasured", "still_h").fill_null(0.0))
        return {detector: Score(float(each[-1]), self.limits[detector]) for detector, each in self.scores(days).items()}


def _residual_scores(
    daily: pl.DataFrame, usual: UsualErrors, outside_share: float, *, chosen: npt.NDArray[np.int64] | None = None
) -> dict[Detector, Floats]:
    """Of the days in their order (day,), or as `chosen` (path, day)."""
    errors, size = _array(daily, _Z), _array(daily, _SIZE)
    off, new = usual.off(errors), usual.new(errors)
    level = matched(off, usual.precision, change=size)
    step = matched(new, usual.new_precision, change=size)
    parts = [matched(*seen, change=each) for each in _SHAPES for seen in ((off, usual.precision),)]
    z = np.stack([level, step, *parts])
    outside, n = _array(daily, ["outside", "n"]).T
    evidence = coverage_evidence(outside, n, expected=outside_share)
    if chosen is not None:
        z, evidence = z[:, chosen], evidence[:, chosen]
    sums = cusum(windows(z))
    return {
        Detector.LEVEL: sums[0],
        Detector.STEP: sums[1],
        Detector.SHAPE: sums[2:].max(axis=0),
        Detector.COVERAGE: positive_sum(windows(evidence)).max(axis=0),
    }


def _array(daily: pl.DataFrame, names: Sequence[str]) -> Floats:
    return daily.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
