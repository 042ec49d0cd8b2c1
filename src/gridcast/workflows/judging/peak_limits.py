"""Which load counts as too high: limits people set, and for other series what their daily peaks usually stay below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from gridcast.evaluation.daily_peaks import daily_peaks, usual_limits
from gridcast.workflows.readings.processed import Processed


@dataclass(frozen=True, slots=True)
class PeakLimits:
    """Loads a daily peak should not exceed.

    Attributes:
        given_mw: limits that people set, by series, MW.
        quantile: share of the daily peaks of the history that stays below the limit of any other series.
    """

    given_mw: Mapping[str, float] = field(default_factory=dict)
    quantile: float = 0.95

    def replaced(self, given_mw: Mapping[str, float]) -> "PeakLimits":
        """These limits with others for some series."""
        return PeakLimits({**self.given_mw, **given_mw}, self.quantile)

    def resolve(
        self, processed: Processed, *, before: datetime, series_ids: Sequence[str] | None = None
    ) -> dict[str, float]:
        """The limit, MW, of every series (or of some) that has one, learned from whole days measured before `before`.

        Raises:
            UsageError: a limit is given for an unknown series.
        """
        processed.hierarchy.select(self.given_mw)
        history = processed.readings(series_ids=series_ids).filter(pl.col("valid_time") < before)
        measured = daily_peaks(history, time_zones=processed.hierarchy.time_zones, interval=processed.interval)
        return {**usual_limits(measured, quantile=self.quantile), **self.given_mw}
