"""config/pipeline_config.yaml: how readings come in, are cleaned and are summed up."""

from datetime import timedelta

from pydantic import BaseModel, Field, field_validator, model_validator

from gridcast.domain.series import Hierarchy
from gridcast.ingestion.sample import INTERVAL as SAMPLE_INTERVAL
from gridcast.settings.calendar import CalendarSettings
from gridcast.settings.hierarchy import HierarchySettings, build_tree
from gridcast.settings.quality import QualitySettings
from gridcast.settings.sources import DEFAULT_SOURCES, SampleSettings, Sources, time_zones_of
from gridcast.settings.strict import STRICT

_INTERVALS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60))


class BeamSettings(BaseModel):
    """How work is cut for the batch pipeline."""

    model_config = STRICT

    block_rows: int = Field(default=1_000_000, ge=1_000, le=100_000_000)


class StreamSettings(BaseModel):
    """The real-time path."""

    model_config = STRICT

    warm_start_days: int = Field(default=120, ge=45, le=400)
    deadline: timedelta = Field(default=timedelta(minutes=10), ge=timedelta(0), le=timedelta(days=1))
    silent_after: timedelta = Field(default=timedelta(hours=6), gt=timedelta(0), le=timedelta(days=7))
    tick_rows: int = Field(default=500_000, ge=1_000, le=10_000_000)
    parts: int = Field(default=8, ge=1, le=1_000)


class PipelineSettings(BaseModel):
    """The whole file."""

    model_config = STRICT

    interval: timedelta = SAMPLE_INTERVAL
    upsample: bool = False
    sources: Sources = Field(default=DEFAULT_SOURCES, min_length=1)
    hierarchy: HierarchySettings = HierarchySettings()
    calendar: CalendarSettings = CalendarSettings()
    quality: QualitySettings = QualitySettings()
    beam: BeamSettings = BeamSettings()
    stream: StreamSettings = StreamSettings()

    @field_validator("interval")
    @classmethod
    def _interval_is_common(cls, value: timedelta) -> timedelta:
        if value not in _INTERVALS:
            raise ValueError("expected PT5M, PT15M, PT30M or PT1H")
        return value

    @model_validator(mode="after")
    def _sample_stands_alone(self) -> "PipelineSettings":
        if len(self.sources) > 1 and any(isinstance(each, SampleSettings) for each in self.sources.values()):
            raise ValueError("the sample stands beside other sources; expected it alone, or only sources of your own")
        return self

    @model_validator(mode="after")
    def _clock_is_known(self) -> "PipelineSettings":
        zones = time_zones_of(self.sources)
        if self.hierarchy.file is None and self._time_zone() is None:
            given = ", ".join(f"{name} {zone}" for name, zone in zones.items()) or "none is set"
            raise ValueError(
                "hierarchy.time_zone is not set and the time zones of the sources do not tell it "
                f"({given}); expected the IANA zone whose calendar people live by"
            )
        return self

    def tree(self, series_ids: list[str]) -> Hierarchy:
        """The tree of hierarchy.file, or the series that were read as zones of one system.

        Raises:
            UsageError: the tree cannot be used.
        """
        return build_tree(self.hierarchy, series_ids, interval=self.interval, time_zone=self._time_zone())

    def _time_zone(self) -> str | None:
        """The zone whose calendar people live by, if the settings tell it."""
        of_sources = set(time_zones_of(self.sources).values())
        return self.hierarchy.time_zone or (of_sources.pop() if len(of_sources) == 1 else None)
