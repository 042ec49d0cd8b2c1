"""Detectors of drift of one series, learned from days on which its forecasts were as good as they should be."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.evaluation.daily_errors import ERRORS, PARTS, SIZES
from gridcast.evaluation.drift import (
    WINDOW,
    coverage_evidence,
    cusum,
    made_up_quarters,
    positive_sum,
    quiet_limit,
)
from gridcast.evaluation.usual_errors import UsualErrors, matched, summed

Floats = npt.NDArray[np.float64]

FEWEST_DAYS: Final = 14
_DEAD_HOURS: Final = 6.0
_UNMEASURED: Final = 0.25
_SHAPES: Final[tuple[Floats, ...]] = tuple(
    np.isin(np.arange(PARTS), [part, (part + 1) % PARTS])[np.newaxis].astype(np.float64) - 2 / PARTS
    for part in range(PARTS)
)
"""Two parts of the day that follow each other are higher and the others lower, (1, part)."""


class Detector(enum.StrEnum):
    """What has changed."""

    LEVEL = "level"
    """Loads are above or below what was forecast, all day long and by the same share."""
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


@dataclass(frozen=True, slots=True, eq=False)
class Detectors:
    """What is usual, and the limits above which it no longer is.

    Attributes:
        usual: errors of the parts of the day.
        usual_size: loads forecast, in standard deviations of the forecasts (part,).
        outside_share: of the intervals, outside the 90 % band.
        limits: of every detector.
    """

    usual: UsualErrors
    usual_size: Floats
    outside_share: float
    limits: Mapping[Detector, float]

    @classmethod
    def learn(cls, daily: pl.DataFrame) -> "Detectors":
        """From `daily_errors` of days without drift.

        Raises:
            GridcastError: there are too few of them.
        """
        known = daily.drop_nulls(ERRORS)
        if known.height < FEWEST_DAYS:
            raise GridcastError(
                f"{known.height} whole days with errors; expected at least {FEWEST_DAYS} to learn what is usual. Run "
                '"gridcast backtest" on more days.'
            )
        usual_size = np.median(_array(known, SIZES), axis=0)
        usual = UsualErrors.of(_tempered(known, usual_size).errors)
        share = min(max(float(known["outside"].sum()) / float(known["n"].sum()), 0.02), 0.4)
        bare = cls(usual, usual_size, share, {})
        made_up = _residual_scores(known, bare, chosen=made_up_quarters(known.height))
        limits = {detector: quiet_limit(each) for detector, each in made_up.items()}
        return replace(bare, limits={**limits, Detector.SENSOR: 1.0})

    def scores(self, daily: pl.DataFrame) -> dict[Detector, Floats]:
        """Scores of each day from the `WINDOW`-th on (day,), in the order of `daily_errors`."""
        sensor = np.maximum(daily["unmeasured"].to_numpy() / _UNMEASURED, daily["still_h"].to_numpy() / _DEAD_HOURS)
        residuals = _residual_scores(daily, self)
        return {**residuals, Detector.SENSOR: sensor[WINDOW - 1 :]}

    def newest(self, daily: pl.DataFrame) -> dict[Detector, Score]:
        """Scores of the last day; before the first there was nothing unusual."""
        days = daily.tail(WINDOW)
        nothing = daily.clear(max(0, WINDOW - days.height))
        days = pl.concat([nothing, days]).with_columns(pl.col("unmeasured", "still_h").fill_null(0.0))
        return {detector: Score(float(each[-1]), self.limits[detector]) for detector, each in self.scores(days).items()}


def _residual_scores(
    daily: pl.DataFrame, detectors: Detectors, *, chosen: npt.NDArray[np.int64] | None = None
) -> dict[Detector, Floats]:
    """Of the days in their order (day,), or as `chosen` (path, day)."""
    usual, (errors, size) = detectors.usual, _tempered(daily, detectors.usual_size)
    off, new = usual.off(errors), usual.new(errors)
    level = matched(off, usual.precision, change=size)
    step = matched(new, usual.new_precision, change=size)
    shapes = [look(off, usual.precision, change=each) for each in _SHAPES for look in (matched, summed)]
    z = np.stack([level, step, *shapes])
    outside, n = _array(daily, ("outside", "n")).T
    evidence = coverage_evidence(outside, n, expected=detectors.outside_share)
    if chosen is not None:
        z, evidence = z[:, chosen], evidence[:, chosen]
    sums = cusum(z)
    return {
        Detector.LEVEL: sums[0],
        Detector.STEP: sums[1],
        Detector.SHAPE: sums[2:].max(axis=0),
        Detector.COVERAGE: positive_sum(evidence).max(axis=0),
    }


class _Tempered(NamedTuple):
    errors: Floats
    size: Floats


def _tempered(daily: pl.DataFrame, usual_size: Floats) -> _Tempered:
    """Errors and sizes (day, part) in the geometric mean of a forecast's own standard deviation and the usual one.

    After a hard season bands stay wide for weeks, and would hide a change.
    """
    errors, size = _array(daily, ERRORS), _array(daily, SIZES)
    factor = np.sqrt(np.maximum(usual_size, 1e-9) / np.maximum(size, 1e-9))
    return _Tempered(errors * factor, size * factor)


def _array(daily: pl.DataFrame, names: Sequence[str]) -> Floats:
    return daily.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
