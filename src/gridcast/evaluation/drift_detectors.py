"""Detectors of drift of one series, learned from days on which its forecasts were as good as they should be."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.day_parts import DAY_PARTS
from gridcast.domain.errors import GridcastError
from gridcast.evaluation.drift import (
    WINDOW,
    Usual,
    coverage_evidence,
    cusum,
    made_up_quarters,
    positive_sum,
    quiet_limit,
    windows,
)

Floats = npt.NDArray[np.float64]

FEWEST_DAYS: Final = 14
_DEAD_HOURS: Final = 6.0
_UNMEASURED: Final = 0.25


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
    """What each local day of one series says: `date`, `level`, day parts, `outside`, `n`, `unmeasured`, `still_h`.

    points: valid_time, quantiles, `actual_mw` and `load_mw` (what came, measured or not), a row per interval. Errors
    (actual − median) are in standard deviations of the interval's own forecast; parts are less the level. A day of
    which less than half was measured has no errors.
    """
    local = pl.col("valid_time").dt.convert_time_zone(time_zone)
    width = (pl.col("p90") - pl.col("p10")).clip(1e-9) / 2.563
    part = (local.dt.hour() * len(DAY_PARTS) // 24).cast(pl.Int64)
    actual = pl.col("actual_mw")
    outside = ((actual < pl.col("p05")) | (actual > pl.col("p95"))).cast(pl.Float64)
    rows = points.sort("valid_time").with_columns(
        date=local.dt.date(), part=part, z=(actual - pl.col("p50")) / width, outside=outside
    )
    run = pl.col("load_mw").rle_id()
    hours = (pl.col("valid_time").max() - pl.col("valid_time").min()).over("run").dt.total_seconds() / 3600.0
    rows = rows.with_columns(run=run).with_columns(still_h=pl.when(pl.col("load_mw") != 0).then(hours))
    is_known = pl.col("actual_mw").is_not_null().mean() >= 0.5
    level = pl.when(is_known).then(pl.col("z").mean())
    parts = {
        name: pl.when(is_known).then(pl.col("z").filter(pl.col("part") == number).mean() - pl.col("z").mean())
        for number, name in enumerate(DAY_PARTS)
    }
    return (
        rows.group_by("date", maintain_order=True)
        .agg(
            level=level,
            **parts,
            outside=pl.when(is_known).then(pl.col("outside").sum()),
            n=pl.col("actual_mw").count().cast(pl.Float64),
            unmeasured=pl.col("actual_mw").is_null().mean(),
            still_h=pl.col("still_h").max().fill_null(0.0),
        )
        .sort("date")
    )


@dataclass(frozen=True, slots=True, eq=False)
class Detectors:
    """What is usual, and the limits above which it no longer is.

    Attributes:
        usual: of level and day parts.
        outside_share: of the intervals, outside the 90 % band.
        limits: of every detector.
    """

    usual: Usual
    outside_share: float
    limits: Mapping[Detector, float]

    @classmethod
    def learn(cls, daily: pl.DataFrame) -> "Detectors":
        """From `daily_errors` of days without drift.

        Raises:
            GridcastError: there are too few of them.
        """
        known = daily.drop_nulls(["level", *DAY_PARTS])
        if known.height < FEWEST_DAYS:
            raise GridcastError(
                f"{known.height} whole days with errors; expected at least {FEWEST_DAYS} to learn what is usual. Run "
                '"gridcast backtest" on more days.'
            )
        usual = Usual.of(_errors(known))
        share = min(max(float(known["outside"].sum()) / float(known["n"].sum()), 0.02), 0.4)
        bare = cls(usual, share, {})
        scores = bare._residual_scores(known, chosen=made_up_quarters(known.height))
        limits = {detector: quiet_limit(each) for detector, each in scores.items()}
        return cls(usual, share, {**limits, Detector.SENSOR: 1.0})

    def scores(self, daily: pl.DataFrame) -> dict[Detector, Floats]:
        """Scores of each day from the `WINDOW`-th on (day,), in the order of `daily_errors`."""
        sensor = np.maximum(daily["unmeasured"].to_numpy() / _UNMEASURED, daily["still_h"].to_numpy() / _DEAD_HOURS)
        return {**self._residual_scores(daily), Detector.SENSOR: sensor[WINDOW - 1 :]}

    def newest(self, daily: pl.DataFrame) -> dict[Detector, Score]:
        """Scores of the last day; before the first there was nothing unusual."""
        days = daily.tail(WINDOW)
        nothing = daily.clear(max(0, WINDOW - days.height))
        days = pl.concat([nothing, days]).with_columns(pl.col("unmeasured", "still_h").fill_null(0.0))
        return {detector: Score(float(each[-1]), self.limits[detector]) for detector, each in self.scores(days).items()}

    def _residual_scores(
        self, daily: pl.DataFrame, *, chosen: npt.NDArray[np.int64] | None = None
    ) -> dict[Detector, Floats]:
        """Of the days in their order (day,), or as `chosen` (path, day)."""
        z = self.usual.standardised(_errors(daily))
        z = np.concatenate([self.usual.steps(z[0])[np.newaxis], z])
        outside, n = (daily[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in ("outside", "n"))
        evidence = coverage_evidence(outside, n, expected=self.outside_share)
        if chosen is not None:
            z, evidence = z[:, chosen], evidence[:, chosen]
        sums = cusum(windows(z))
        return {
            Detector.LEVEL: sums[1],
            Detector.STEP: sums[0],
            Detector.SHAPE: sums[2:].max(axis=0),
            Detector.COVERAGE: positive_sum(windows(evidence)).max(axis=0),
        }


def _errors(daily: pl.DataFrame) -> Floats:
    columns = pl.col("level", *DAY_PARTS).cast(pl.Float64).fill_null(float("nan"))
    return daily.select(columns).to_numpy()
