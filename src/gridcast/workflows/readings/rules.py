"""What batch and real time must agree on to produce the same clean readings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from gridcast.domain.calendars import interval_start
from gridcast.domain.errors import SeriesError
from gridcast.domain.series import Hierarchy
from gridcast.quality.aggregate import tell_summed
from gridcast.quality.cells import Placed, interval_of, place
from gridcast.quality.cleaning import Cleaned, clean_block
from gridcast.quality.limits import Limits
from gridcast.workflows.readings.block_name import BlockName


@dataclass(frozen=True, slots=True, eq=False)
class CleaningRules:
    """How readings become clean readings.

    Attributes:
        interval: length of the clean intervals.
        limits: of the quality rules, for series without their own in `series_limits`.
        hierarchy: every series.
        series_since: from when on each series is expected to be measured; see `since_when_expected`.
        min_completeness: share of a parent's children that must have a load; see `combine_sums`.
        series_limits: limits of single series.
        edits: `EDITS` that people made; they overrule everything.
        upsample: let series that come at a longer interval hold their load; otherwise they are refused.
    """

    interval: timedelta
    limits: Limits
    hierarchy: Hierarchy
    series_since: Mapping[str, datetime]
    min_completeness: float = 1.0
    series_limits: Mapping[str, Limits] = field(default_factory=dict)
    edits: pl.DataFrame | None = None
    upsample: bool = False

    def place(self, readings: pl.DataFrame) -> Placed:
        """`READINGS` on the intervals of the measured series; all readings of an interval, or none."""
        return place(readings, time_zones=self._time_zones, interval=self.interval)

    def interval_of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with the `interval_start` of their `valid_time` by the clock of their series."""
        return interval_of(rows, time_zones=self._time_zones, interval=self.interval)

    def without(self, placed: Placed, intervals: pl.DataFrame) -> Placed:
        """What is placed on other intervals than the given ones (`series_id`, `interval_start`)."""
        return placed.without(intervals, time_zones=self._time_zones, interval=self.interval)

    def clean(self, placed: Placed, block: BlockName) -> Cleaned:
        """The block's clean rows of measured series, from its readings and those of the time around it."""
        clean, removed, counts = clean_block(
            placed,
            span=(block.start, block.end),
            interval=self.interval,
            limits=self.limits,
            time_zones=self._time_zones,
            series_since={each: since for each, since in self.series_since.items() if block.owns(each)},
            series_until=self.hierarchy.retired,
            series_limits=self.series_limits,
            edits=self.edits,
            upsample=self.upsample,
        )
        told = (
            tell_summed(rows, column=column, hierarchy=self.hierarchy)
            for rows, column in ((removed, "reason"), (counts, "name"))
        )
        return Cleaned(clean, *told)

    @property
    def _time_zones(self) -> dict[str, str]:
        return {each.series_id: each.time_zone for each in self.hierarchy.select(self.hierarchy.leaves)}

    def clean_what_can_be(self, placed: Placed, block: BlockName) -> tuple[Cleaned, dict[str, str]]:
        """`clean`, as if nothing had come from series that cannot be cleaned; and why these cannot, by series."""
        left_out: dict[str, str] = {}
        while True:
            try:
                return self.clean(placed, block), left_out
            except SeriesError as error:
                if error.series_id in left_out:
                    raise
                left_out[error.series_id] = str(error)
                placed = placed.without_series(error.series_id)

    def start_of_interval(self, moment: datetime) -> datetime:
        """Start of the interval a moment lies in, by the clock of the whole."""
        zone = self.hierarchy.time_zones[self.hierarchy.root]
        return interval_start(moment, interval=self.interval, time_zone=zone)


def since_when_expected(measured: Mapping[str, datetime], *, hierarchy: Hierarchy) -> dict[str, datetime]:
    """From when on a series without a reading is missing: its first reading, given in `measured`.

    A leaf of the tree that never had one is expected since its first membership began, or since the history did: its
    parents are incomplete, not silently low.
    """
    if not measured:
        return {}
    begin = min(measured.values())
    silent = [each for each in hierarchy.select(hierarchy.leaves) if each.series_id not in measured]
    joined = {each.series_id: min((one.begin for one in each.memberships), default=begin) for each in silent}
    return {**measured, **{series_id: max(begin, first) for series_id, first in joined.items()}}
