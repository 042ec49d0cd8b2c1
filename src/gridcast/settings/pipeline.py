"""config/pipeline_config.yaml: how readings come in, are cleaned and are summed up."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gridcast.domain.series import Hierarchy, require_time_zone, zones_to_system
from gridcast.ingestion.formats import FileFormat, WeatherFormat
from gridcast.ingestion.sample import INTERVAL as SAMPLE_INTERVAL
from gridcast.ingestion.sample import TIME_ZONE as SAMPLE_TIME_ZONE
from gridcast.quality.limits import Limits

STRICT = ConfigDict(extra="forbid", frozen=True)

_INTERVALS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60))


class SourceSettings(BaseModel):
    """Where readings come from and how their files are laid out."""

    model_config = STRICT

    kind: Literal["sample", "files"] = "sample"
    readings: str | None = None
    weather: str | None = None
    holidays: str | None = None
    readings_format: FileFormat = FileFormat()
    weather_format: WeatherFormat = WeatherFormat()

    @model_validator(mode="after")
    def _files_are_named(self) -> "SourceSettings":
        if self.kind == "files" and self.readings is None:
            raise ValueError("kind is files, but readings names none; expected a file, a folder or a pattern")
        return self


class HierarchySettings(BaseModel):
    """How series are summed up: every series is a zone of one system."""

    model_config = STRICT

    system_id: str = Field(default="system", min_length=1)
    time_zone: str | None = None

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str | None) -> str | None:
        if value is not None:
            require_time_zone(value, owner="hierarchy")
        return value


class BeamSettings(BaseModel):
    """How work is cut for the batch pipeline."""

    model_config = STRICT

    months: int = Field(default=12, ge=1, le=120)
    buckets: int = Field(default=1, ge=1, le=256)


class StreamSettings(BaseModel):
    """The real-time path."""

    model_config = STRICT

    warm_start_days: int = Field(default=60, ge=45, le=400)


class PipelineSettings(BaseModel):
    """The whole file."""

    model_config = STRICT

    interval: timedelta = SAMPLE_INTERVAL
    source: SourceSettings = SourceSettings()
    hierarchy: HierarchySettings = HierarchySettings()
    quality: Limits = Limits()
    beam: BeamSettings = BeamSettings()
    stream: StreamSettings = StreamSettings()

    @field_validator("interval")
    @classmethod
    def _interval_is_common(cls, value: timedelta) -> timedelta:
        if value not in _INTERVALS:
            raise ValueError("expected PT5M, PT15M, PT30M or PT1H")
        return value

    @model_validator(mode="after")
    def _clock_is_known(self) -> "PipelineSettings":
        if self.source.kind == "files" and self._time_zone() is None:
            raise ValueError(
                "neither hierarchy.time_zone nor source.readings_format.text.time_zone is set; "
                "expected the IANA zone whose calendar people live by"
            )
        return self

    def tree(self, series_ids: list[str]) -> Hierarchy:
        """The hierarchy over the series that were read."""
        return zones_to_system(series_ids, time_zone=self._time_zone() or "UTC", system_id=self.hierarchy.system_id)

    def _time_zone(self) -> str | None:
        source = self.source
        own = SAMPLE_TIME_ZONE if source.kind == "sample" else source.readings_format.text.time_zone
        return self.hierarchy.time_zone or own
