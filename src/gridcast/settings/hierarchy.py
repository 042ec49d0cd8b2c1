"""`hierarchy` of config/pipeline_config.yaml: the tree of series and how whole its sums must be."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field, field_validator

from gridcast.domain.errors import UsageError
from gridcast.domain.series import Hierarchy, require_time_zone, zones_to_system
from gridcast.ingestion.hierarchy_file import read_hierarchy
from gridcast.quality.grid import build_clock, microseconds
from gridcast.settings.strict import STRICT

_SOME_DAY: Final = datetime(2024, 1, 1, tzinfo=UTC)
_YEAR: Final = timedelta(days=366)


class HierarchySettings(BaseModel):
    """A file with the tree; without one, every series is a zone of one system."""

    model_config = STRICT

    file: Path | None = None
    system_id: str = Field(default="system", min_length=1)
    time_zone: str | None = None
    min_completeness: float = Field(default=1.0, gt=0, le=1)

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str | None) -> str | None:
        if value is not None:
            require_time_zone(value, owner="hierarchy")
        return value


def build_tree(
    settings: HierarchySettings, series_ids: Sequence[str], *, interval: timedelta, time_zone: str | None
) -> Hierarchy:
    """The tree of the file exactly, or `series_ids` as zones of one system; `time_zone` is that of series without one.

    Raises:
        UsageError: the file cannot be used, intervals of one series begin within those of another, or a zone's clock
            changes by part of an interval.
    """
    if settings.file is not None:
        return _require_one_grid(read_hierarchy(settings.file, time_zone=time_zone), interval=interval)
    tree = zones_to_system(series_ids, time_zone=time_zone or "UTC", system_id=settings.system_id)
    return _require_one_grid(tree, interval=interval)


def _require_one_grid(tree: Hierarchy, *, interval: timedelta) -> Hierarchy:
    """The tree, if local midnights of all its zones begin an interval all year: only then can their series be summed.

    Raises:
        UsageError: two zones differ by part of an interval, as London and Kolkata at one hour do, or the clock of one
            changes by part of it, as that of Lord Howe does.
    """
    zones = sorted(set(tree.time_zones.values()))
    clocks = [build_clock(_SOME_DAY, _SOME_DAY + _YEAR, interval=interval, time_zone=zone) for zone in zones]
    for zone, clock in zip(zones, clocks, strict=True):
        if ((clock.offset_us - clock.offset_us[0]) % microseconds(interval)).any():
            raise UsageError(
                f"hierarchy: the clock of {zone} changes by part of an interval of {interval}; expected whole "
                "intervals. Set interval to PT30M or finer, or another time_zone."
            )
        if clock.utc_us[0] != clocks[0].utc_us[0]:
            raise UsageError(
                f"hierarchy: an interval of {interval} that begins at midnight in {zones[0]} does not begin with one "
                f"in {zone}; expected zones that differ by whole intervals. Set a shorter interval, or one time_zone."
            )
    return tree
